"""A job as it is kept: what was asked, where it stands, its tasks and their results.

Law: only `stages.py` and the engine change a job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from backfill.sandbox.model.batch_operations.faults import NO_FAULTS, JobFaults
from backfill.sandbox.model.batch_operations.tasks import Task, TaskResult
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.jobs import (
    CreateJobRequest,
    JobDescriptor,
    JobFailure,
    JobListDescriptor,
    JobProgressSummary,
    JobReport,
    JobStatus,
    S3GeneratedManifestDescriptor,
)

TERMINAL = frozenset({JobStatus.COMPLETE, JobStatus.CANCELLED, JobStatus.FAILED})
AWAITING_CONFIRMATION = "AWAITING_CONFIRMATION"
"""`s3:JobSuspendedCause` (Service Authorization Reference: Amazon S3)."""


class JobFailedError(Exception):
    """The job cannot go on: never raised out of the engine."""

    def __init__(self, code: str, reason: str) -> None:
        self.failure = JobFailure(failure_code=code, failure_reason=reason[:256])
        super().__init__(f"{code}: {reason}")


# Open to change: `stages.py` moves it on.
@dataclass(slots=True, kw_only=True)
class Job:
    """A job."""

    job_id: str
    number: int
    """Rank among all jobs made, from 1."""
    request: CreateJobRequest
    report: JobReport
    role_arn: str
    token: str
    region: str
    priority: int
    created_at: datetime
    due_at: datetime
    """When its next step is due; means nothing while it is Suspended or has ended."""
    tags: Pairs
    faults: JobFaults = NO_FAULTS
    status: JobStatus = JobStatus.NEW
    status_update_reason: str | None = None
    failures: tuple[JobFailure, ...] = ()
    suspended_at: datetime | None = None
    ended_at: datetime | None = None
    active_s: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    results: list[TaskResult] = field(default_factory=list)
    """Of the tasks carried out so far, in their order."""
    failed_count: int = 0
    generated_manifest: S3GeneratedManifestDescriptor | None = None

    @property
    def account_id(self) -> str:
        """The account that the job lives in."""
        return self.request.account_id

    @property
    def operation(self) -> str:
        """The operation's name in the API."""
        assert self.request.operation is not None
        return self.request.operation.names[0]

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in TERMINAL

    @property
    def role(self) -> Caller:
        """The job's role, as who S3 does everything for the job."""
        return Caller(account_id=self.account_id, arn=self.role_arn, region=self.region)

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return job_arn(self.region, self.account_id, self.job_id)


def job_arn(region: str, account_id: str, job_id: str) -> str:
    """The ARN of a job of that ID, or of all jobs with `*`."""
    return f"arn:aws:s3:{region}:{account_id}:job/{job_id}"


def progress(job: Job) -> JobProgressSummary:
    """How far the job is."""
    return JobProgressSummary(
        total_number_of_tasks=len(job.tasks),
        number_of_tasks_succeeded=len(job.results) - job.failed_count,
        number_of_tasks_failed=job.failed_count,
        elapsed_time_in_active_seconds=int(job.active_s),
    )


def described(job: Job) -> JobDescriptor:
    """The job as DescribeJob tells it."""
    asked = job.request
    assert asked.operation is not None
    return JobDescriptor(
        job_id=job.job_id,
        job_arn=job.arn,
        is_confirmation_required=bool(asked.is_confirmation_required),
        description=asked.description,
        status=job.status,
        manifest=asked.manifest,
        operation=asked.operation,
        priority=job.priority,
        progress_summary=progress(job),
        status_update_reason=job.status_update_reason,
        failure_reasons=job.failures,
        report=job.report,
        creation_time=job.created_at,
        termination_date=job.ended_at,
        role_arn=job.role_arn,
        suspended_date=job.suspended_at,
        suspended_cause=AWAITING_CONFIRMATION if job.status is JobStatus.SUSPENDED else None,
        manifest_generator=asked.manifest_generator,
        generated_manifest_descriptor=job.generated_manifest,
    )


def listed(job: Job) -> JobListDescriptor:
    """The job as ListJobs tells it."""
    return JobListDescriptor(
        job_id=job.job_id,
        description=job.request.description,
        operation=job.operation,
        priority=job.priority,
        status=job.status,
        creation_time=job.created_at,
        termination_date=job.ended_at,
        progress_summary=progress(job),
    )
