"""A job as a run knows it: whose it is, how that is known, and what may be asked of it.

Never asks S3 and never decides anew: the driver's ledger and digests say whose a job is.
Law: only a job of the run itself is confirmed or cancelled.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backfill.errors import RefusedError
from backfill.model.jobs import JobPlace, JobProgress, JobStatus, JobSummary, RequestedStatus

OTHERS_MAX: Final = 10_000
"""Jobs of others that are shown; who has more finds them in the console, which can filter."""

_GIVEN_UP: Final = frozenset({JobStatus.CANCELLING, JobStatus.FAILING, JobStatus.COMPLETING})
_CONFIRMED: Final = frozenset(
    {
        JobStatus.READY,
        JobStatus.ACTIVE,
        JobStatus.PAUSING,
        JobStatus.PAUSED,
        JobStatus.COMPLETING,
        JobStatus.COMPLETE,
    }
)
_EFFECTS: Final = {
    RequestedStatus.READY: _CONFIRMED,
    RequestedStatus.CANCELLED: frozenset({JobStatus.CANCELLING, JobStatus.CANCELLED}),
}


class KnownBy(enum.StrEnum):
    """How a job is known to belong to a run."""

    LEDGER = "ledger"
    """The run directory's ledger has its ID."""
    DIGEST = "digest"
    """It carries the digest of an order whose job ID never came back; the run will find it, too."""
    TAG = "tag"
    """A ledger is damaged, and the job is tagged with the run's ID."""
    COPY = "copy"
    """It carries the digest of another job of the run: somebody cloned that one in the console."""
    NOTHING = "nothing"
    """It is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job, as the run knows it and as S3 shows it.

    `name` is the run's own ("00-1-0003": round, attempt, shard), empty where it has none. `job_id`
    is empty while CreateJob was not answered, or not even sent. `summary` is None where S3 shows
    no job; `is_forgotten`: it comes from the ledger, because S3 does not know the job any more.
    """

    name: str
    job_id: str
    known_by: KnownBy
    place: JobPlace
    summary: JobSummary | None = None
    sent_at: datetime | None = None
    is_forgotten: bool = False

    @property
    def is_ours(self) -> bool:
        """Return whether the run may confirm or cancel it."""
        return self.known_by in {KnownBy.LEDGER, KnownBy.DIGEST, KnownBy.TAG}

    @property
    def status(self) -> JobStatus | None:
        """Return the newest status; None where there is no job to have one."""
        return self.summary.status if self.summary is not None else None

    @property
    def progress(self) -> JobProgress:
        """Return how far it is."""
        return self.summary.progress if self.summary is not None else JobProgress()


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The jobs of a run in the ledgers' order, then what is recognised otherwise; then others.

    `damaged` names ledgers that cannot be read. `has_more`: OTHERS_MAX cut the others.
    """

    jobs: tuple[Job, ...]
    others: tuple[Job, ...] = ()
    damaged: tuple[str, ...] = ()
    has_more: bool = False


def chosen(
    run_id: str, jobs: Iterable[Job], job_ids: Sequence[str], requested: RequestedStatus
) -> tuple[Job, ...]:
    """Return the run's jobs that are named and can be asked for it; all such without any name.

    Raises:
        RefusedError: A named job is not the run's, or is not as it would have to be.
    """
    ours = {job.job_id: job for job in jobs if job.is_ours and job.summary is not None}
    if not job_ids:
        return tuple(job for job in ours.values() if _can(job, requested))
    for job_id in job_ids:
        if job_id not in ours:
            raise RefusedError(
                f"job {job_id} is no job of run {run_id}",
                hint="`backfill jobs` lists the run's jobs; another's is confirmed or cancelled"
                " where it was made, or in the AWS console",
            )
        if not _can(job := ours[job_id], requested):
            raise _unfit(job, requested)
    return tuple(ours[job_id] for job_id in dict.fromkeys(job_ids))


def has_effect(requested: RequestedStatus, status: JobStatus) -> bool:
    """Return whether a job's status shows that it was asked for this, whoever asked."""
    return status in _EFFECTS[requested]


def _can(job: Job, requested: RequestedStatus) -> bool:
    if job.status is None or job.is_forgotten:
        return False
    if requested is RequestedStatus.READY:
        return job.status is JobStatus.SUSPENDED
    return not job.status.is_terminal and job.status not in _GIVEN_UP


def _unfit(job: Job, requested: RequestedStatus) -> RefusedError:
    status = job.status.value if job.status is not None else "unknown to S3"
    if requested is RequestedStatus.READY:
        why = "only a Suspended job waits for a confirmation"
    else:
        why = "only a job that is under way can be cancelled"
    return RefusedError(
        f"job {job.job_id} is {status}: {why}", hint=f"backfill jobs show {job.job_id}"
    )
