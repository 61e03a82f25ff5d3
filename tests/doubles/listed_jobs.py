"""S3 Batch Operations as a person meets it: jobs that stand still, and may be confirmed or not.

Never lets a job move by itself, and refuses what S3 refuses.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from backfill.errors import StoreFault
from backfill.model.jobs import (
    JobDescription,
    JobPlace,
    JobRequest,
    JobStatus,
    JobSummary,
    JobTags,
    RequestedStatus,
)
from tests.doubles.model_batch import fault

BEFORE_END = frozenset(JobStatus) - {
    JobStatus.COMPLETE,
    JobStatus.CANCELLED,
    JobStatus.FAILED,
    JobStatus.CANCELLING,
    JobStatus.FAILING,
    JobStatus.COMPLETING,
}


@dataclass(slots=True)
class ListedJobs:
    """The port BatchOperations. `unlisted` are described only; `lost` is the answer to updates."""

    place: JobPlace
    jobs: dict[str, JobDescription] = field(default_factory=dict)
    tags: dict[str, JobTags] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    lost: StoreFault | None = None
    is_lost_before: bool = False
    asked: list[str] = field(default_factory=list)

    def add(self, description: JobDescription, *, tags: JobTags | None = None) -> None:
        self.jobs[description.summary.job_id] = description
        self.tags[description.summary.job_id] = tags or {}

    def status(self, job_id: str) -> JobStatus:
        return self.jobs[job_id].summary.status

    async def create_job(self, request: JobRequest) -> str:
        raise AssertionError(f"who looks at jobs makes none: {request}")

    async def describe_job(self, place: JobPlace, job_id: str) -> JobDescription:
        return self._find(place, job_id, "DescribeJob")

    async def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        self._note(place, "ListJobs")
        for job_id, job in reversed(self.jobs.items()):
            if job_id not in self.unlisted:
                yield job.summary

    async def job_tags(self, place: JobPlace, job_id: str) -> JobTags:
        self._find(place, job_id, "GetJobTagging")
        return self.tags[job_id]

    async def update_job_status(
        self, place: JobPlace, job_id: str, requested: RequestedStatus, *, reason: str
    ) -> JobStatus:
        job = self._find(place, job_id, "UpdateJobStatus")
        if self.lost is not None and self.is_lost_before:
            raise self.lost
        is_ready = requested is RequestedStatus.READY
        if job.summary.status not in ({JobStatus.SUSPENDED} if is_ready else BEFORE_END):
            raise fault("UpdateJobStatus", "JobStatusException", 400)
        status = JobStatus.READY if is_ready else JobStatus.CANCELLING
        summary = replace(job.summary, status=status)
        self.jobs[job_id] = replace(job, summary=summary, status_reason=reason)
        if self.lost is not None:
            raise self.lost
        return status

    async def update_job_priority(self, place: JobPlace, job_id: str, priority: int) -> None:
        raise AssertionError(f"nobody changes priorities: {job_id} {priority} in {place}")

    def _find(self, place: JobPlace, job_id: str, operation: str) -> JobDescription:
        self._note(place, operation)
        if job_id not in self.jobs:
            raise fault(operation, "NoSuchJob", 404)
        return self.jobs[job_id]

    def _note(self, place: JobPlace, operation: str) -> None:
        assert place == self.place, "a job is asked about where it lives"
        self.asked.append(operation)
