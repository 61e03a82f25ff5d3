"""A job's way from status to status (UG: batch-ops-job-status).

    New > Preparing > (Suspended >) Ready > Active > Completing > Complete
                                            Active > Pausing > Paused > Active
    cancelled: > Cancelling > Cancelled      failed: > Failing > Failed

Never steps by itself: `schedule.py` calls.
Law: a job that ran a task writes its completion report before it ends, however it ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from backfill.sandbox.model.batch_operations import checksumming, failures, refusals
from backfill.sandbox.model.batch_operations.faults import JobEnd
from backfill.sandbox.model.batch_operations.generation import generated_tasks
from backfill.sandbox.model.batch_operations.job import Job, JobFailedError
from backfill.sandbox.model.batch_operations.manifests import manifest_tasks
from backfill.sandbox.model.batch_operations.replicating import Replicating
from backfill.sandbox.model.batch_operations.reports import write_report
from backfill.sandbox.model.batch_operations.settings import BatchSettings
from backfill.sandbox.model.batch_operations.tasks import Task, TaskResult
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.jobs import REPLICATE, JobStatus
from backfill.sandbox.model.replication.engine import ReplicationEngine
from backfill.sandbox.model.roles import BATCH_OPERATIONS
from backfill.sandbox.model.world import World

_CANCELLABLE = frozenset(
    {
        JobStatus.NEW,
        JobStatus.PREPARING,
        JobStatus.SUSPENDED,
        JobStatus.READY,
        JobStatus.ACTIVE,
        JobStatus.PAUSING,
        JobStatus.PAUSED,
    }
)


class Stages:
    """The steps that jobs take."""

    def __init__(
        self, world: World, replication: ReplicationEngine, settings: BatchSettings
    ) -> None:
        self._world = world
        self._replicating = Replicating(world, replication)
        self.settings = settings

    def step(self, job: Job) -> None:
        """Do what is due."""
        at = job.due_at
        match job.status:
            case JobStatus.NEW:
                self._move(job, JobStatus.PREPARING, at)
            case JobStatus.PREPARING:
                self._prepare(job, at)
            case JobStatus.READY | JobStatus.PAUSED:
                self._move(job, JobStatus.ACTIVE, at, self._step_s(job))
            case JobStatus.ACTIVE:
                self._run(job, at)
            case JobStatus.PAUSING:
                self._move(job, JobStatus.PAUSED, at)
            case JobStatus.COMPLETING:
                self._end(job, JobStatus.COMPLETE, at)
            case JobStatus.CANCELLING:
                self._end(job, JobStatus.CANCELLED, at)
            case JobStatus.FAILING:
                self._end(job, JobStatus.FAILED, at)
            case _:
                raise AssertionError(f"a job that is {job.status} has no step")

    def confirm(self, job: Job, now: datetime) -> None:
        """Let a Suspended job run."""
        if job.status is not JobStatus.SUSPENDED:
            raise S3Error(refusals.WRONG_STATUS, message=f"The job is {job.status}, not Suspended")
        self._move(job, JobStatus.READY, now)

    def cancel(self, job: Job, now: datetime) -> None:
        """Begin to cancel a job: tasks that were carried out stay carried out."""
        if job.status not in _CANCELLABLE:
            raise S3Error(refusals.WRONG_STATUS, message=f"The job is {job.status} already")
        self._move(job, JobStatus.CANCELLING, now)

    def pause(self, job: Job, at: datetime) -> None:
        """Let an Active job make room for another."""
        assert job.status is JobStatus.ACTIVE, "only Active jobs are paused"
        self._move(job, JobStatus.PAUSING, at)

    def expire(self, job: Job, now: datetime) -> bool:
        """Fail a Suspended job that nobody confirmed in time; whether it was so."""
        assert job.suspended_at is not None, "it is Suspended"
        is_planted = job.faults.end is JobEnd.EXPIRES
        if not is_planted and now < job.suspended_at + self.settings.suspended_for:
            return False
        self._fail(job, failures.expired(), now)
        self._end(job, JobStatus.FAILED, now)
        return True

    def _move(self, job: Job, status: JobStatus, at: datetime, stay_s: float | None = None) -> None:
        job.status = status
        job.due_at = at + timedelta(seconds=self.settings.status_s if stay_s is None else stay_s)

    def _step_s(self, job: Job) -> float:
        return self.settings.step_s + job.faults.more_step_s

    def _fail(self, job: Job, error: JobFailedError, at: datetime) -> None:
        job.failures = (*job.failures, error.failure)
        self._move(job, JobStatus.FAILING, at)

    def _prepare(self, job: Job, at: datetime) -> None:
        try:
            about = (("aws:SourceAccount", job.account_id), ("aws:SourceArn", job.arn))
            if not self._world.roles.trusts(job.role_arn, BATCH_OPERATIONS, about):
                raise failures.role_not_assumed(job.role_arn)
            if job.request.manifest is not None:
                job.tasks = manifest_tasks(self._world, job.role, job.request.manifest)
            else:
                job.tasks, job.generated_manifest = generated_tasks(self._world, job)
        except JobFailedError as error:
            self._fail(job, error, at)
            return
        self._world.random.shuffle(job.tasks)  # S3 keeps no order (UG: batch-ops)
        if job.request.is_confirmation_required:
            job.suspended_at = at
            job.status = JobStatus.SUSPENDED
        else:
            self._move(job, JobStatus.READY, at)

    def _run(self, job: Job, at: datetime) -> None:
        """Carry out the tasks of one step."""
        job.active_s += self._step_s(job)
        first = len(job.results)
        for task in job.tasks[first : first + self.settings.tasks_per_step]:
            if self._meets_its_end(job, at):
                return
            result = self._carried_out(job, task)
            job.results.append(result)
            job.failed_count += not result.is_success
            if self._fails_too_often(job):
                self._fail(job, failures.too_many_failed(), at)
                return
        if self._meets_its_end(job, at):
            return
        if len(job.results) == len(job.tasks):
            self._move(job, JobStatus.COMPLETING, at)
        else:
            job.due_at = at + timedelta(seconds=self._step_s(job))

    def _meets_its_end(self, job: Job, at: datetime) -> bool:
        """Whether a planted end has come; the job is then on its way there."""
        faults = job.faults
        if len(job.results) < min(faults.after_tasks, len(job.tasks)):
            return False
        if faults.end is JobEnd.FAILS:
            self._fail(job, JobFailedError(faults.failure_code, faults.failure_reason), at)
        elif faults.end is JobEnd.IS_CANCELLED:
            self._move(job, JobStatus.CANCELLING, at)
        else:
            return False
        return True

    def _carried_out(self, job: Job, task: Task) -> TaskResult:
        planted = job.faults.task(task)
        if planted is not None:
            return planted.of(task)
        if job.operation == REPLICATE:
            return self._replicating.result(job.role, task)
        assert job.request.operation is not None
        return checksumming.result(self._world, job.role, job.request.operation, task)

    def _fails_too_often(self, job: Job) -> bool:
        done = len(job.results)
        return done >= self.settings.failure_threshold_tasks and 2 * job.failed_count > done

    def _end(self, job: Job, status: JobStatus, at: datetime) -> None:
        try:
            if job.report.is_enabled and job.results:
                write_report(self._world, job, self.settings.rows_per_report_file)
        except JobFailedError as error:
            job.failures = (*job.failures, error.failure)
            if status is JobStatus.COMPLETE:
                status = JobStatus.FAILED
        job.status = status
        job.ended_at = at
