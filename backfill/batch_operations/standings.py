"""How one ordered job stands, and how every answer of S3 changes that.

Never acts and never asks the time: `now_s` is of a clock that does not jump, and draws are given.
Law: what is durable is in the record; all else may be forgotten with the process.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from backfill.batch_operations.ledger import JobRecord
from backfill.batch_operations.orders import JobOrder
from backfill.errors import Disposition, StoreFault
from backfill.model.jobs import JobDescription, JobProgress, JobStatus
from backfill.settings import Settings

POLL_GROWTH: Final = 1.5
POLL_GROWTH_MAX: Final = 10.0
"""Times `job_poll_s`: 300 s. What stood still for so long is hardly done within the next minute."""
POLL_JITTER: Final = 0.25
"""Share that chance may add, never take: S3 asks for a least pause."""
LISTING_LAG_POLLS: Final = 2
"""How long, in `job_poll_s`, a new job may be missing from ListJobs. AWS states no such time; after
a minute the token is the second guard."""

_BEFORE_RUNNING: Final = frozenset({None, JobStatus.NEW, JobStatus.PREPARING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the steps obey; see `settings`. `listing_lag_s` as LISTING_LAG_POLLS says."""

    active_jobs_max: int
    poll_s: float
    listing_lag_s: float


def limits_of(settings: Settings) -> Limits:
    """Return the limits of a run."""
    assert settings.active_jobs_max > 0, "without a slot nothing is ever created"
    return Limits(
        active_jobs_max=settings.active_jobs_max,
        poll_s=settings.job_poll_s,
        listing_lag_s=settings.job_poll_s * LISTING_LAG_POLLS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one order stands, as this process knows it.

    `sent_s` is when CreateJob was last sent, on this process's clock; `looked_up_s` when the last
    look-up that did not find the job began. `fault` is what the last sending ended in.
    `description` is the newest one, read at `polled_s`; `due_s` is when to ask about the job next.
    """

    order: JobOrder
    record: JobRecord
    sent_s: float = 0.0
    sendings: int = 0
    looked_up_s: float | None = None
    fault: StoreFault | None = None
    description: JobDescription | None = None
    polled_s: float | None = None
    due_s: float = 0.0
    quiet_polls: int = 0
    failed_polls: int = 0

    @property
    def is_created(self) -> bool:
        """Return whether the job's ID is known."""
        return bool(self.record.job_id)

    @property
    def has_ended(self) -> bool:
        """Return whether the job is terminal and fully described."""
        return self.record.ended is not None

    @property
    def is_suspended(self) -> bool:
        """Return whether the job stood still for a person when it was last looked at."""
        return self.record.status is JobStatus.SUSPENDED and not self.has_ended

    @property
    def progress(self) -> JobProgress:
        """Return how far the job is, as far as this process was told."""
        description = self.description or self.record.ended
        return description.summary.progress if description is not None else JobProgress()

    @property
    def needs_slot(self) -> bool:
        """Return whether the job, once created, begins to work by itself."""
        return not self.order.request.needs_confirmation

    @property
    def is_active(self) -> bool:
        """Return whether the job takes one of the slots; one that may exist takes it, too."""
        if self.has_ended or self.is_suspended or not (self.is_created or self.record.is_open):
            return False
        return self.needs_slot or self.record.status not in _BEFORE_RUNNING


def standing_of(order: JobOrder, record: JobRecord, *, now: datetime, now_s: float) -> Standing:
    """Return how an order stands when a process begins.

    A sending that seems to lie in the future, because a clock was set back, counts as just done.
    """
    ago_s = (now - record.sent_at).total_seconds() if record.sent_at is not None else 0.0
    return Standing(order=order, record=record, sent_s=now_s - max(0.0, ago_s), due_s=now_s)


def is_conflict(fault: StoreFault | None) -> bool:
    """Return whether S3 knows the token for a request that differs from this one."""
    return fault is not None and fault.code == "IdempotencyException"


def may_have_created(fault: StoreFault) -> bool:
    """Return whether a failed CreateJob is settled by looking the job up, not by giving up.

    A throttled one made nothing, but is sent again after the same pause and look-up.
    """
    is_passing = fault.disposition in {Disposition.RETRY, Disposition.SETTLE}
    return fault.is_ambiguous or is_passing or is_conflict(fault)


def is_gone(fault: StoreFault) -> bool:
    """Return whether S3 does not know the job (any more)."""
    return fault.code == "NoSuchJob" or fault.status == 404


def poll_pause_s(quiet_polls: int, *, draw: float, poll_s: float) -> float:
    """Return the pause after that many looks at an unchanged job; `draw` is in [0, 1)."""
    growth = min(POLL_GROWTH ** min(quiet_polls, 20), POLL_GROWTH_MAX)
    return poll_s * min(growth * (1 + POLL_JITTER * draw), POLL_GROWTH_MAX)


def polled(
    standing: Standing, description: JobDescription, *, now_s: float, draw: float, limits: Limits
) -> Standing:
    """Return the standing after an answer of DescribeJob."""
    summary, before = description.summary, standing.description
    is_quiet = before is not None and (
        (before.summary.status, before.summary.progress) == (summary.status, summary.progress)
    )
    quiet = standing.quiet_polls + 1 if is_quiet else 0
    ended = description if summary.status.is_terminal else None
    return replace(
        standing,
        record=replace(standing.record, status=summary.status, ended=ended),
        description=description,
        polled_s=now_s,
        due_s=now_s + poll_pause_s(quiet, draw=draw, poll_s=limits.poll_s),
        quiet_polls=quiet,
        failed_polls=0,
    )


def poll_failed(standing: Standing, *, due_s: float) -> Standing:
    """Return the standing after a DescribeJob that failed and may succeed later."""
    return replace(standing, failed_polls=standing.failed_polls + 1, due_s=due_s)


def about_to_send(standing: Standing, *, now: datetime, now_s: float) -> Standing:
    """Return the standing whose record is the intent of the CreateJob that is sent next."""
    record = standing.record
    intent = replace(record, intended_at=record.intended_at or now, sent_at=now)
    return replace(standing, record=intent, sent_s=now_s, sendings=standing.sendings + 1)


def sending_in_doubt(standing: Standing, fault: StoreFault, *, now_s: float) -> Standing:
    """Return the standing after a CreateJob whose answer does not tell whether there is a job."""
    return replace(standing, fault=fault, sent_s=now_s)


def sending_refused(standing: Standing) -> Standing:
    """Return the standing after a CreateJob that certainly made nothing.

    An intent that is older than this sending stays: an earlier one may have made a job.
    """
    record = standing.record
    if record.intended_at != record.sent_at:
        return standing
    return replace(standing, record=replace(record, intended_at=None, sent_at=None))


def created(
    standing: Standing, job_id: str, *, due_s: float, status: JobStatus | None = None
) -> Standing:
    """Return the standing once the job ID is known, and perhaps its status."""
    record = replace(standing.record, job_id=job_id, status=status)
    return replace(standing, record=record, fault=None, due_s=due_s)
