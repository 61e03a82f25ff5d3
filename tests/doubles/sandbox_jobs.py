"""The sandbox's Batch Operations engine as the book of jobs that `ModelBatch` opens.

Real jobs with real manifests and reports, on a clock of the test's; ListJobs comes page by page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from backfill.model import jobs as ours
from backfill.sandbox.model.batch_operations.engine import BatchOperations
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations import jobs as theirs
from tests.doubles.model_batch import fault

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxJobs:
    """Jobs of one account and Region. `show_time` is called before every request."""

    engine: BatchOperations
    caller: Caller
    show_time: Callable[[], datetime]
    page_size: int = 2

    def create(self, request: ours.JobRequest) -> str:
        created = self._ask(
            "CreateJob", lambda: self.engine.create_job(self.caller, asked(request))
        )
        return created.job_id

    def describe(self, job_id: str) -> ours.JobDescription:
        named = self._named(job_id)
        found = self._ask("DescribeJob", lambda: self.engine.describe_job(self.caller, named))
        job = found.job
        return ours.JobDescription(
            summary=ours.JobSummary(
                job_id=job.job_id,
                status=ours.JobStatus(job.status.value),
                operation=job.operation.names[0],
                priority=job.priority,
                description=job.description or "",
                created_at=job.creation_time,
                progress=_progress(job.progress_summary),
                ended_at=job.termination_date,
            ),
            arn=job.job_arn,
            role_arn=job.role_arn,
            failures=tuple(
                ours.JobFailure(code=one.failure_code, reason=one.failure_reason)
                for one in job.failure_reasons
            ),
            status_reason=job.status_update_reason or "",
            suspended_cause=job.suspended_cause or "",
        )

    def listed(self) -> list[ours.JobSummary]:
        found: list[ours.JobSummary] = []
        token: str | None = None
        while True:
            wanted = theirs.ListJobsRequest(
                account_id=self.caller.account_id, next_token=token, max_results=self.page_size
            )
            page = self._ask("ListJobs", lambda: self.engine.list_jobs(self.caller, wanted))  # noqa: B023 - asked at once
            found += [_summary(job) for job in page.jobs]
            token = page.next_token
            if token is None:
                return found

    def tags(self, job_id: str) -> ours.JobTags:
        named = self._named(job_id)
        found = self._ask("GetJobTagging", lambda: self.engine.get_job_tagging(self.caller, named))
        return dict(found.tags)

    def _named(self, job_id: str) -> theirs.JobRequest:
        return theirs.JobRequest(account_id=self.caller.account_id, job_id=job_id)

    def _ask(self, operation: str, request: Callable[[], T]) -> T:
        self.engine.advance(self.show_time())
        try:
            return request()
        except S3Error as error:
            raise fault(operation, error.code, error.status) from error


def asked(request: ours.JobRequest) -> theirs.CreateJobRequest:
    """Return a CreateJob with an own CSV manifest in the sandbox's words."""
    manifest, report = request.manifest, request.report
    assert isinstance(manifest, ours.ManifestLocation), "the driver does not look into manifests"
    return theirs.CreateJobRequest(
        account_id=request.place.account_id,
        operation=theirs.JobOperation(names=(request.operation.value,)),
        report=theirs.JobReport(
            is_enabled=True,
            bucket=f"arn:aws:s3:::{report.bucket}",
            format="Report_CSV_20180820",
            prefix=report.prefix,
            report_scope="AllTasks",
            expected_bucket_owner=report.expected_owner,
        ),
        client_request_token=request.token,
        priority=request.priority,
        role_arn=request.role_arn,
        manifest=theirs.JobManifest(
            spec=theirs.JobManifestSpec(
                format=manifest.format.value, fields=("Bucket", "Key", "VersionId")
            ),
            location=theirs.JobManifestLocation(
                object_arn=f"arn:aws:s3:::{manifest.bucket}/{manifest.key}", etag=manifest.etag
            ),
        ),
        is_confirmation_required=request.needs_confirmation,
        description=request.description,
        tags=request.tags,
    )


def _summary(job: theirs.JobListDescriptor) -> ours.JobSummary:
    return ours.JobSummary(
        job_id=job.job_id,
        status=ours.JobStatus(job.status.value),
        operation=job.operation,
        priority=job.priority,
        description=job.description or "",
        created_at=job.creation_time,
        progress=_progress(job.progress_summary),
        ended_at=job.termination_date,
    )


def _progress(progress: theirs.JobProgressSummary) -> ours.JobProgress:
    return ours.JobProgress(
        total=progress.total_number_of_tasks,
        succeeded=progress.number_of_tasks_succeeded,
        failed=progress.number_of_tasks_failed,
    )
