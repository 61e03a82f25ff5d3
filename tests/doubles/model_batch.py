"""S3 Batch Operations as a book of jobs in virtual time, and the port to it with seeded faults.

A job goes through its statuses by the clock; nothing is read, written or reported. What S3 promises
of neither can be set: how long a token is remembered, and how long a new job is not listed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Protocol, TypeVar

from backfill.aws.faults import store_fault
from backfill.errors import StoreFault
from backfill.model.jobs import (
    JobDescription,
    JobFailure,
    JobPlace,
    JobProgress,
    JobRequest,
    JobStatus,
    JobSummary,
    JobTags,
    RequestedStatus,
)
from backfill.ports import Clock

T = TypeVar("T")

_S = JobStatus
PATHS = (
    (_S.READY, _S.ACTIVE, _S.COMPLETING, _S.COMPLETE),
    (_S.READY, _S.ACTIVE, _S.COMPLETE),
    (_S.READY, _S.ACTIVE, _S.PAUSING, _S.PAUSED, _S.READY, _S.ACTIVE, _S.COMPLETING, _S.COMPLETE),
    (_S.READY, _S.ACTIVE, _S.FAILING, _S.FAILED),
    (_S.READY, _S.ACTIVE, _S.CANCELLING, _S.CANCELLED),
    (_S.FAILED,),
)
"""Ways from Preparing, or from a person's confirmation, to the end."""
MOVES_BY_ITSELF = frozenset(_S) - {_S.SUSPENDED, _S.COMPLETE, _S.FAILED, _S.CANCELLED}


@dataclass(slots=True, kw_only=True)
class BookedJob:
    """One job. `timeline` says from when on it has which status."""

    job_id: str
    description: str
    operation: str
    priority: int
    tags: JobTags
    created_at: datetime
    listed_at: datetime
    timeline: list[tuple[datetime, JobStatus]]
    rows: int
    request: JobRequest | None = None
    """None: somebody else's job."""

    def status(self, now: datetime) -> JobStatus:
        return [status for since, status in self.timeline if since <= now][-1]

    def progress(self, now: datetime) -> JobProgress:
        status = self.status(now)
        if status in {_S.NEW, _S.PREPARING, _S.SUSPENDED}:
            return JobProgress()
        done = self.rows if status.is_terminal else self.rows // 2
        failed = done if status is _S.FAILED else done // 10
        return JobProgress(total=self.rows, succeeded=done - failed, failed=failed)


@dataclass(slots=True, kw_only=True)
class JobBook:
    """What S3 keeps. `active_peak` is the most jobs of ours that worked at a time."""

    clock: Clock
    random: Random
    token_memory_s: float = float("inf")
    listing_lag_s: float = 0.0
    status_s: float = 40.0
    loses_descriptions: bool = False
    paths: tuple[tuple[JobStatus, ...], ...] = PATHS
    jobs: list[BookedJob] = field(default_factory=list)
    active_peak: int = 0
    _tokens: dict[str, tuple[datetime, JobRequest, str]] = field(default_factory=dict)

    @property
    def ours(self) -> list[BookedJob]:
        return [job for job in self.jobs if job.request is not None]

    def create(self, request: JobRequest) -> str:
        now = self.clock.now()
        known = self._tokens.get(request.token)
        if known is not None and (now - known[0]).total_seconds() <= self.token_memory_s:
            if known[1] != request:
                raise fault("CreateJob", "IdempotencyException", 400)
            return known[2]
        job_id = f"job-{len(self.jobs):04d}"
        self.add(
            job_id,
            description="" if self.loses_descriptions else request.description,
            operation=request.operation.value,
            tags=dict(request.tags),
            request=request,
            needs_confirmation=request.needs_confirmation,
        )
        self._tokens[request.token] = now, request, job_id
        self._count_active()
        return job_id

    def add(
        self,
        job_id: str,
        *,
        description: str = "",
        operation: str = "S3ReplicateObject",
        tags: JobTags | None = None,
        request: JobRequest | None = None,
        needs_confirmation: bool = False,
    ) -> BookedJob:
        """Write a job into the book, ours or somebody else's."""
        now = self.clock.now()
        job = BookedJob(
            job_id=job_id,
            description=description,
            operation=operation,
            priority=request.priority if request is not None else 10,
            tags=tags or {},
            created_at=now,
            listed_at=now + timedelta(seconds=self.random.random() * self.listing_lag_s),
            timeline=[(now, _S.NEW), (now + self._while(), _S.PREPARING)],
            rows=100,
            request=request,
        )
        self.jobs.append(job)
        ready_at = job.timeline[-1][0] + self._while()
        if needs_confirmation:
            job.timeline.append((ready_at, _S.SUSPENDED))
        else:
            self._walk(job, ready_at)
        return job

    def confirm(self, job_id: str) -> None:
        job = self.find(job_id, "UpdateJobStatus")
        assert job.status(self.clock.now()) is _S.SUSPENDED, "only a Suspended job is confirmed"
        self._walk(job, self.clock.now())
        self._count_active()

    def find(self, job_id: str, operation: str) -> BookedJob:
        for job in self.jobs:
            if job.job_id == job_id:
                return job
        raise fault(operation, "NoSuchJob", 404)

    def summary(self, job: BookedJob) -> JobSummary:
        now = self.clock.now()
        status = job.status(now)
        return JobSummary(
            job_id=job.job_id,
            status=status,
            operation=job.operation,
            priority=job.priority,
            description=job.description,
            created_at=job.created_at,
            progress=job.progress(now),
            ended_at=job.timeline[-1][0] if status.is_terminal else None,
        )

    def describe(self, job_id: str) -> JobDescription:
        job = self.find(job_id, "DescribeJob")
        summary = self.summary(job)
        failed = JobFailure(code="ManifestNotFound", reason="The manifest is not there.")
        return JobDescription(
            summary=summary,
            arn=f"arn:aws:s3:eu-west-1:111111111111:job/{job_id}",
            failures=(failed,) if summary.status is _S.FAILED else (),
            suspended_cause="Awaiting confirmation" if summary.status is _S.SUSPENDED else "",
            report=job.request.report if job.request is not None else None,
        )

    def listed(self) -> list[JobSummary]:
        """Return the jobs that ListJobs shows by now, newest first."""
        now = self.clock.now()
        return [self.summary(job) for job in reversed(self.jobs) if job.listed_at <= now]

    def _walk(self, job: BookedJob, at: datetime) -> None:
        for status in self.random.choice(self.paths):
            job.timeline.append((at, status))
            at += self._while()

    def _while(self) -> timedelta:
        return timedelta(seconds=self.random.random() * 2 * self.status_s)

    def _count_active(self) -> None:
        now = self.clock.now()
        active = sum(job.status(now) in MOVES_BY_ITSELF for job in self.ours)
        self.active_peak = max(self.active_peak, active)

    def tags(self, job_id: str) -> JobTags:
        return self.find(job_id, "GetJobTagging").tags


class Book(Protocol):
    """What S3 keeps of jobs: this module's book, or the sandbox's engine (`sandbox_jobs`)."""

    def create(self, request: JobRequest) -> str: ...

    def describe(self, job_id: str) -> JobDescription: ...

    def listed(self) -> list[JobSummary]: ...

    def tags(self, job_id: str) -> JobTags: ...


class Blow(StrEnum):
    """What befalls one request."""

    THROTTLE = "TooManyRequestsException"
    ERROR = "InternalServiceException"
    """500; a write was carried out in half of the cases."""
    LOST = "ConnectionClosedError"
    """No answer; a write was carried out in half of the cases."""


class ModelBatch:
    """The port BatchOperations of one process. `rate` is the share of requests that are struck.

    `arrives_late`: a write whose sender died may still reach S3, so many seconds later.
    """

    def __init__(
        self, book: Book, random: Random, *, rate: float = 0.0, arrives_late_s: float = 0.0
    ) -> None:
        self.book = book
        self.rate = rate
        self.sent: list[str] = []
        """The operations of all requests, in order."""
        self.before: Callable[[str], None] = lambda _operation: None
        """Called with the operation when a request is sent; what it raises is the answer."""
        self.after: Callable[[str], None] = lambda _operation: None
        """Called when a request was carried out; what it raises is the answer instead."""
        self._random = random
        self._arrives_late_s = arrives_late_s

    async def create_job(self, request: JobRequest) -> str:
        return await self._carry("CreateJob", lambda: self.book.create(request), is_write=True)

    async def describe_job(self, place: JobPlace, job_id: str) -> JobDescription:
        assert place.account_id, "a job is asked about in its account"
        return await self._carry("DescribeJob", lambda: self.book.describe(job_id))

    async def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        assert place.account_id, "jobs are listed in their account"
        summaries = await self._carry("ListJobs", self.book.listed)
        for number, summary in enumerate(summaries):
            if number and number % 5 == 0:
                await self._carry("ListJobs", lambda: None)
            yield summary

    async def job_tags(self, place: JobPlace, job_id: str) -> JobTags:
        assert place.account_id, "a job's tags are read in its account"
        return await self._carry("GetJobTagging", lambda: self.book.tags(job_id))

    async def update_job_status(
        self, place: JobPlace, job_id: str, requested: RequestedStatus, *, reason: str
    ) -> JobStatus:
        raise AssertionError(f"the driver asks {job_id} in {place} to be {requested}: {reason}")

    async def update_job_priority(self, place: JobPlace, job_id: str, priority: int) -> None:
        raise AssertionError(f"the driver leaves priorities alone: {job_id} {priority} in {place}")

    async def _carry(self, operation: str, act: Callable[[], T], *, is_write: bool = False) -> T:
        random = self._random
        self.sent.append(operation)
        self.before(operation)
        blow = random.choice(list(Blow)) if random.random() < self.rate else None
        try:
            await asyncio.sleep(random.random() * 2)
        except asyncio.CancelledError:
            if is_write and self._arrives_late_s and random.random() < 0.5:
                loop = asyncio.get_running_loop()
                loop.call_later(random.random() * self._arrives_late_s, act)
            raise
        is_done = blow is None or (is_write and blow is not Blow.THROTTLE and random.random() < 0.5)
        answers = [act()] if is_done else []
        self.after(operation)
        await asyncio.sleep(random.random() * 2)
        if blow is None:
            return answers[0]
        raise fault(operation, blow.value, {Blow.THROTTLE: 400, Blow.ERROR: 500}.get(blow, 0))


def fault(operation: str, code: str, status: int) -> StoreFault:
    """Return a fault as the product's own table reads it."""
    kinds = (code, "HTTPClientError", "BotoCoreError") if not status else ()
    return store_fault(operation=operation, code=code, status=status, bucket="", kinds=kinds)
