"""What to do next about a set of jobs: look them up, create, ask, pause, give up, be done.

Never acts and never asks the time: it is told `now_s`, of a clock that does not jump.
Law: CreateJob is sent only for an order that a look-up, begun late enough after the last sending,
did not find; and only while no other order is in doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backfill.batch_operations.standings import Limits, Standing, is_conflict

SENDINGS_MAX: Final = 5
"""How often CreateJob is sent for one order in one process, while its answers tell nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """List all jobs and recognise those of orders without a job ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make the intent durable and send CreateJob."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Ask about one job."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait; nothing is due before."""

    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """CreateJob cannot be sent again, and no look-up finds what it may have made."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForPerson:
    """Only Suspended jobs are left."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Every job has ended."""


Step = LookUp | Create | Poll | Pause | GiveUp | WaitForPerson | Done


def next_step(
    standings: Sequence[Standing], *, now_s: float, limits: Limits, look_up_due_s: float = 0.0
) -> Step:
    """Return what to do next. `look_up_due_s`: no look-up before, because the last one failed."""
    if all(standing.has_ended for standing in standings):
        return Done()
    if _wants_look_up(standings, now_s, limits):
        pause_s = look_up_due_s - now_s
        return LookUp() if pause_s <= 0 else Pause(duration_s=pause_s)
    return (
        _creating(standings, limits)
        or _polling(standings, now_s)
        or _ending(standings)
        or Pause(duration_s=_next_moment_s(standings, limits) - now_s)
    )


def _wants_look_up(standings: Sequence[Standing], now_s: float, limits: Limits) -> bool:
    for standing in standings:
        if standing.is_created:
            continue
        if standing.looked_up_s is None:
            return True
        if standing.record.is_open and _is_in_doubt(standing, limits):
            return now_s >= standing.sent_s + limits.listing_lag_s
    return False


def _is_in_doubt(standing: Standing, limits: Limits) -> bool:
    """Whether the last look-up came too early to say that the last sending made nothing."""
    assert standing.looked_up_s is not None, "the first look-up comes before every question"
    return standing.looked_up_s < standing.sent_s + limits.listing_lag_s


def _creating(standings: Sequence[Standing], limits: Limits) -> Step | None:
    """Return the sending that is next: an order in doubt first, else the first without a job."""
    for index, standing in enumerate(standings):
        if standing.record.is_open:
            if _is_in_doubt(standing, limits):
                return None
            is_hopeless = is_conflict(standing.fault) or standing.sendings >= SENDINGS_MAX
            return GiveUp(index=index) if is_hopeless else Create(index=index)
    active = sum(standing.is_active for standing in standings)
    for index, standing in enumerate(standings):
        if standing.is_created:
            continue
        if standing.needs_slot and active >= limits.active_jobs_max:
            return None  # jobs are created in order: none overtakes one that waits for a slot
        return Create(index=index)
    return None


def _polling(standings: Sequence[Standing], now_s: float) -> Poll | None:
    due = [
        (standing.due_s, index)
        for index, standing in enumerate(standings)
        if standing.is_created and not standing.has_ended and standing.due_s <= now_s
    ]
    return Poll(index=min(due)[1]) if due else None


def _ending(standings: Sequence[Standing]) -> Step | None:
    """Return the end where only Suspended jobs are left, each looked at since all others ended."""
    left = [index for index, standing in enumerate(standings) if not standing.has_ended]
    if not all(standings[index].is_suspended for index in left):
        return None
    last_end_s = max(
        (one.polled_s for one in standings if one.has_ended and one.polled_s is not None),
        default=0.0,
    )
    for index in left:
        polled_s = standings[index].polled_s
        if polled_s is None or polled_s < last_end_s:
            return Poll(index=index)
    return WaitForPerson(indexes=tuple(left))


def _next_moment_s(standings: Sequence[Standing], limits: Limits) -> float:
    """Return when the next poll, or the next look-up of an order in doubt, is due."""
    return min(
        standing.due_s if standing.is_created else standing.sent_s + limits.listing_lag_s
        for standing in standings
        if not standing.has_ended and (standing.is_created or standing.record.is_open)
    )
