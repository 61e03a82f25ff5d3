"""`BatchOperations`: one method per s3control operation on jobs, and the step that moves jobs on.

Jobs live in an account and a Region: the caller's, and that of the endpoint that it called.
Never moves a job but in `advance(now)`, and never reads a clock for it.
Law: the same ClientRequestToken with the same parameters is the same job, for as long as S3 keeps
the job.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from backfill.sandbox.model.access import require_of_resource
from backfill.sandbox.model.batch_operations import refusals
from backfill.sandbox.model.batch_operations.faults import (
    NO_FAULTS,
    JobFaultHook,
    JobFaults,
    no_job_faults,
)
from backfill.sandbox.model.batch_operations.job import (
    AWAITING_CONFIRMATION,
    Job,
    described,
    job_arn,
    listed,
)
from backfill.sandbox.model.batch_operations.schedule import Schedule
from backfill.sandbox.model.batch_operations.settings import BatchSettings
from backfill.sandbox.model.batch_operations.stages import Stages
from backfill.sandbox.model.batch_operations.validation import (
    check_account,
    check_page_size,
    check_priority,
    check_tags,
    validated,
)
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.jobs import (
    CreateJobRequest,
    CreateJobResult,
    DescribeJobResult,
    GetJobTaggingResult,
    JobRequest,
    JobStatus,
    ListJobsRequest,
    ListJobsResult,
    PutJobTaggingRequest,
    UpdateJobPriorityRequest,
    UpdateJobPriorityResult,
    UpdateJobStatusRequest,
    UpdateJobStatusResult,
)
from backfill.sandbox.model.replication.engine import ReplicationEngine
from backfill.sandbox.model.world import World


class BatchOperations:
    """The jobs of all accounts and Regions, moved on by `advance`."""

    def __init__(
        self, world: World, replication: ReplicationEngine, settings: BatchSettings
    ) -> None:
        self._world = world
        self._stages = Stages(world, replication, settings)
        self._schedule = Schedule(self._stages)
        self._tokens: dict[tuple[str, str, str], Job] = {}
        self._made = 0
        self.fault_hook: JobFaultHook = no_job_faults
        """Asked for each job as it is made; set it in process."""

    @property
    def settings(self) -> BatchSettings:
        """Pace and limits; may be replaced at any time."""
        return self._stages.settings

    @settings.setter
    def settings(self, settings: BatchSettings) -> None:
        self._stages.settings = settings

    # --- operations ---

    def create_job(self, caller: Caller, request: CreateJobRequest) -> CreateJobResult:
        """Make a job, or find the one that this token made already."""
        asked = validated(request)
        conditions = (
            ("s3:RequestJobPriority", str(asked.priority)),
            ("s3:RequestJobOperation", asked.operation),
        )
        check_account(caller, request.account_id)
        anywhere = job_arn(caller.region, request.account_id, "*")
        require_of_resource(self._world, caller, "s3:CreateJob", "*", conditions)
        if request.tags:
            require_of_resource(self._world, caller, "s3:PutJobTagging", anywhere)
        if asked.role_account != request.account_id:
            raise S3Error(refusals.CROSS_ACCOUNT_ROLE)
        require_of_resource(self._world, caller, "iam:PassRole", asked.role_arn)
        name = (request.account_id, caller.region, asked.token)
        known = self._tokens.get(name)
        if known is not None:
            if known.request != request:
                raise S3Error(refusals.SAME_TOKEN)
            return CreateJobResult(job_id=known.job_id)
        open_count = sum(not job.has_ended for job in self._all(caller, request.account_id))
        if open_count >= self.settings.open_jobs_count:
            raise S3Error(refusals.TOO_MANY_JOBS)
        self._made += 1
        now = self._world.clock()
        job = Job(
            job_id=str(UUID(int=self._world.random.getrandbits(128), version=4)),
            number=self._made,
            request=request,
            report=asked.report,
            role_arn=asked.role_arn,
            token=asked.token,
            region=caller.region,
            priority=asked.priority,
            created_at=now,
            due_at=now + timedelta(seconds=self.settings.status_s),
            tags=request.tags,
            faults=self.fault_hook(self._made, request) or NO_FAULTS,
        )
        self._schedule.add(job)
        self._tokens[name] = job
        return CreateJobResult(job_id=job.job_id)

    def describe_job(self, caller: Caller, request: JobRequest) -> DescribeJobResult:
        """Tell all about a job."""
        job = self._found(caller, "s3:DescribeJob", request.account_id, request.job_id)
        return DescribeJobResult(job=described(job))

    def list_jobs(self, caller: Caller, request: ListJobsRequest) -> ListJobsResult:
        """List jobs, newest first; those that ended up to 90 days ago included."""
        check_account(caller, request.account_id)
        require_of_resource(self._world, caller, "s3:ListJobs", "*")
        page_size = check_page_size(request)
        newest_first = sorted(
            self._all(caller, request.account_id), key=lambda job: job.number, reverse=True
        )
        statuses = request.job_statuses
        wanted = [job for job in newest_first if not statuses or job.status in statuses]
        token = request.next_token
        if token is not None:
            if not token.isdigit():
                raise S3Error(refusals.INVALID_NEXT_TOKEN)
            wanted = [job for job in wanted if job.number < int(token)]
        page = wanted[:page_size]
        return ListJobsResult(
            jobs=tuple(listed(job) for job in page),
            next_token=str(page[-1].number) if len(wanted) > len(page) else None,
        )

    def update_job_status(
        self, caller: Caller, request: UpdateJobStatusRequest
    ) -> UpdateJobStatusResult:
        """Let a Suspended job run, or cancel one that has not ended."""
        action = "s3:UpdateJobStatus"
        job = self._found(caller, action, request.account_id, request.job_id)
        reason = request.status_update_reason
        if reason is not None and not 1 <= len(reason) <= 256:
            message = "StatusUpdateReason has 1 to 256 characters"
            raise S3Error(refusals.INVALID_REQUEST, message=message)
        if request.requested_job_status == JobStatus.READY:
            self._stages.confirm(job, self._world.clock())
        elif request.requested_job_status == JobStatus.CANCELLED:
            self._stages.cancel(job, self._world.clock())
        else:
            message = "RequestedJobStatus is Ready or Cancelled"
            raise S3Error(refusals.INVALID_REQUEST, message=message)
        job.status_update_reason = reason
        return UpdateJobStatusResult(
            job_id=job.job_id, status=job.status, status_update_reason=reason
        )

    def update_job_priority(
        self, caller: Caller, request: UpdateJobPriorityRequest
    ) -> UpdateJobPriorityResult:
        """Change which jobs go first."""
        priority = check_priority(request.priority)
        more = (("s3:RequestJobPriority", str(priority)),)
        action = "s3:UpdateJobPriority"
        job = self._found(caller, action, request.account_id, request.job_id, more)
        if job.has_ended:
            raise S3Error(refusals.INVALID_REQUEST, message=f"The job is {job.status}")
        job.priority = priority
        return UpdateJobPriorityResult(job_id=job.job_id, priority=priority)

    def put_job_tagging(self, caller: Caller, request: PutJobTaggingRequest) -> None:
        """Replace all tags of a job."""
        job = self._found(caller, "s3:PutJobTagging", request.account_id, request.job_id)
        check_tags(request.tags)
        job.tags = request.tags

    def get_job_tagging(self, caller: Caller, request: JobRequest) -> GetJobTaggingResult:
        """Tell the tags of a job."""
        job = self._found(caller, "s3:GetJobTagging", request.account_id, request.job_id)
        return GetJobTaggingResult(tags=job.tags)

    def delete_job_tagging(self, caller: Caller, request: JobRequest) -> None:
        """Remove all tags of a job."""
        job = self._found(caller, "s3:DeleteJobTagging", request.account_id, request.job_id)
        job.tags = ()

    # --- time ---

    def advance(self, now: datetime) -> int:
        """Do every step of every job that is due by `now`; the number of steps done."""
        steps = self._schedule.advance(now)
        if len(self._tokens) > len(self._schedule.jobs):  # each job has one: some are forgotten
            known = {job.job_id for job in self._schedule.jobs}
            self._tokens = {name: job for name, job in self._tokens.items() if job.job_id in known}
        return steps

    def next_due_at(self) -> datetime | None:
        """When `advance` will next have something to do, but for jobs that expire.

        None while no job runs: a job that waits for confirmation (30 days) or to be forgotten
        (90 days) is no reason to wait.
        """
        return self._schedule.next_due_at()

    # --- administration, in process only ---

    def plant(self, job_id: str, faults: JobFaults) -> None:
        """Let these faults befall a job from now on, instead of those that it had."""
        self.job(job_id).faults = faults

    def job(self, job_id: str) -> Job:
        """The job of that ID in any account and Region, with its tasks and results."""
        return next(job for job in self._schedule.jobs if job.job_id == job_id)

    def jobs(self) -> tuple[Job, ...]:
        """All jobs that S3 still knows, oldest first."""
        return tuple(self._schedule.jobs)

    # --- who may see what ---

    def _all(self, caller: Caller, account_id: str) -> list[Job]:
        return [
            job
            for job in self._schedule.jobs
            if job.account_id == account_id and job.region == caller.region
        ]

    def _found(
        self, caller: Caller, action: str, account_id: str, job_id: str, more: Pairs = ()
    ) -> Job:
        check_account(caller, account_id)
        job = next((one for one in self._all(caller, account_id) if one.job_id == job_id), None)
        conditions = more
        if job is not None:
            conditions += (
                ("s3:ExistingJobPriority", str(job.priority)),
                ("s3:ExistingJobOperation", job.operation),
            )
            if job.status is JobStatus.SUSPENDED:
                conditions += (("s3:JobSuspendedCause", AWAITING_CONFIRMATION),)
        arn = job_arn(caller.region, account_id, job_id)
        require_of_resource(self._world, caller, action, arn, conditions)
        if job is None:
            raise S3Error(refusals.NO_SUCH_JOB)
        return job
