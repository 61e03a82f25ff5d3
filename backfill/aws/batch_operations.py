"""S3 Batch Operations of one identity: the port BatchOperations on the SDK.

Reads are asked again here, page by page, since only this module knows where a list goes on; what
creates or changes a job is sent once.
Never decides about a job, never polls, never follows a list that repeats itself.
Law: a job counts as created only with its ID; anything less is an ambiguous fault.
"""

from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from backfill.aws import job_replies, job_requests
from backfill.aws.calls import Call, Calls
from backfill.aws.replies import Reply, ReplyError
from backfill.aws.requests import Parameters
from backfill.aws.retry import ReadRetries
from backfill.errors import ListingStuckError
from backfill.model.jobs import (
    JobDescription,
    JobPlace,
    JobRequest,
    JobStatus,
    JobSummary,
    JobTags,
    RequestedStatus,
)

JOB_PAGES_MAX: Final = 1000
"""A million jobs. S3 forgets jobs 90 days after their end, so that no account comes near."""

REASON_CHARACTERS_MAX: Final = 256
"""S3 API: UpdateJobStatus, statusUpdateReason."""

T = TypeVar("T")


class S3BatchOperations:
    """BatchOperations over the calls of one identity; the Region of each place serves it."""

    def __init__(self, calls: Calls, retries: ReadRetries) -> None:
        self._calls = calls
        self._retries = retries

    async def create_job(self, request: JobRequest) -> str:
        """Create a job and return its ID; the same token again gives the same job.

        Raises:
            StoreFault: An ambiguous one may have created the job: look for it, or send it again.
            RefusedError: The request cannot be written as XML.
        """
        parameters = job_requests.create_job_parameters(request)
        return await self._write("CreateJob", request.place, parameters, job_replies.created_job_id)

    async def describe_job(self, place: JobPlace, job_id: str) -> JobDescription:
        """Return what S3 says of one job."""
        parameters = job_requests.job_parameters(place, job_id)
        return await self._read("DescribeJob", place, parameters, job_replies.job_description)

    async def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        """Give every job of the last 90 days, all pages, whoever made it.

        Raises:
            ListingStuckError: A page came back, or there was no end of them.
        """
        token, seen = "", {""}
        for _ in range(JOB_PAGES_MAX):
            parameters = job_requests.list_jobs_parameters(place, token)
            page = await self._read("ListJobs", place, parameters, job_replies.jobs_page)
            for job in page.jobs:
                yield job
            token = page.next_token
            if not token:
                return
            if token in seen:
                raise ListingStuckError(f"ListJobs repeats a page in account {place.account_id}")
            seen.add(token)
        raise ListingStuckError(f"ListJobs has no end after {JOB_PAGES_MAX} pages")

    async def job_tags(self, place: JobPlace, job_id: str) -> JobTags:
        """Return the tags of a job."""
        parameters = job_requests.job_parameters(place, job_id)
        return await self._read("GetJobTagging", place, parameters, job_replies.job_tags)

    async def update_job_status(
        self, place: JobPlace, job_id: str, requested: RequestedStatus, *, reason: str
    ) -> JobStatus:
        """Confirm (Ready) or cancel a job, and return its status then."""
        parameters = {
            **job_requests.job_parameters(place, job_id),
            "RequestedJobStatus": requested.value,
        }
        if reason:
            parameters["StatusUpdateReason"] = reason[:REASON_CHARACTERS_MAX]
        return await self._write("UpdateJobStatus", place, parameters, job_replies.updated_status)

    async def update_job_priority(self, place: JobPlace, job_id: str, priority: int) -> None:
        """Set a job's priority; higher goes first."""

        def parse(reply: Reply) -> None:
            if (now := job_replies.updated_priority(reply)) != priority:
                raise ReplyError(f"the priority is {now}, not {priority}")

        parameters = {**job_requests.job_parameters(place, job_id), "Priority": priority}
        await self._write("UpdateJobPriority", place, parameters, parse)

    async def _read(
        self, operation: str, place: JobPlace, parameters: Parameters, parse: Callable[[Reply], T]
    ) -> T:
        call = _call(operation, place, parameters)
        return await self._retries.ask(lambda: self._calls.send(call, parse))

    async def _write(
        self, operation: str, place: JobPlace, parameters: Parameters, parse: Callable[[Reply], T]
    ) -> T:
        return await self._calls.send(_call(operation, place, parameters), parse)


def _call(operation: str, place: JobPlace, parameters: Parameters) -> Call:
    return Call(
        operation=operation, region=place.region, parameters=parameters, service="s3control"
    )
