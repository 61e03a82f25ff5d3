"""Every combination of what three orders can be like, and the one step that follows."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from backfill.batch_operations.standings import Standing, created, polled
from backfill.batch_operations.steps import (
    SENDINGS_MAX,
    Create,
    Done,
    GiveUp,
    LookUp,
    Pause,
    Poll,
    Step,
    WaitForPerson,
    next_step,
)
from backfill.errors import StoreFault
from backfill.model.jobs import JobStatus
from tests.doubles.figures import Row, Tried
from tests.doubles.model_batch import fault
from tests.unit.batch_operations.ordering import LIMITS, NOW, description, fresh

AT_S = 10_000.0
LOST = fault("CreateJob", "ConnectionClosedError", 0)
CONFLICT = fault("CreateJob", "IdempotencyException", 400)


def looked_up(shard: int = 0, *, needs_confirmation: bool = False) -> Standing:
    return replace(fresh(shard, needs_confirmation=needs_confirmation), looked_up_s=AT_S - 900)


def sent(
    shard: int = 0,
    *,
    ago_s: float,
    looked_up_s: float | None,
    sendings: int = 1,
    error: StoreFault | None = LOST,
) -> Standing:
    """Return an order whose CreateJob was sent and whose answer told nothing."""
    standing = fresh(shard)
    record = replace(standing.record, intended_at=NOW, sent_at=NOW)
    return replace(
        standing,
        record=record,
        sent_s=AT_S - ago_s,
        looked_up_s=looked_up_s,
        sendings=sendings,
        fault=error,
    )


def job(
    status: JobStatus, shard: int = 0, *, polled_s: float = AT_S - 10, due_s: float = AT_S + 20
) -> Standing:
    """Return an order whose job was last seen with a status."""
    standing = created(fresh(shard), f"job-{shard}", due_s=0.0)
    seen = description(standing.order, f"job-{shard}", status)
    after = polled(standing, seen, now_s=polled_s, draw=0.0, limits=LIMITS)
    return replace(after, due_s=due_s)


KINDS: dict[str, Standing] = {
    "fresh": fresh(),
    "looked up": looked_up(),
    "looked up, to be confirmed": looked_up(needs_confirmation=True),
    "resumed open": sent(ago_s=5, looked_up_s=None, sendings=0, error=None),
    "in doubt": sent(ago_s=5, looked_up_s=AT_S - 900),
    "in doubt for long": sent(ago_s=61, looked_up_s=AT_S - 30),
    "settled": sent(ago_s=90, looked_up_s=AT_S - 20),
    "hopeless": sent(ago_s=90, looked_up_s=AT_S - 20, sendings=SENDINGS_MAX),
    "conflict": sent(ago_s=90, looked_up_s=AT_S - 20, error=CONFLICT),
    "due": job(JobStatus.ACTIVE, due_s=AT_S),
    "suspended before": job(JobStatus.SUSPENDED, polled_s=AT_S - 99),
    **{status.value: job(status) for status in JobStatus},
}
OPEN = {"resumed open", "in doubt", "in doubt for long", "settled", "hopeless", "conflict"}


def combined(names: Sequence[str]) -> tuple[Standing, ...]:
    """Return the standings of orders that are like these, each an order of its own."""
    return tuple(one_like(name, shard) for shard, name in enumerate(names))


@cache
def one_like(name: str, shard: int) -> Standing:
    like = KINDS[name]
    own = fresh(shard, needs_confirmation=not like.needs_slot)
    job_id = f"job-{shard}" if like.record.job_id else ""
    record = replace(like.record, name=own.record.name, token=own.record.token, job_id=job_id)
    return replace(like, order=own.order, record=record)


CASES = [names for names in product(KINDS, repeat=3) if sum(name in OPEN for name in names) <= 1]
"""The driver never leaves two orders in doubt at a time."""


def check(names: Sequence[str], standings: Sequence[Standing], step: Step) -> None:
    """Judge a step by what must hold, not by how it was found."""
    active = sum(standing.is_active for standing in standings)
    ended = [standing.has_ended for standing in standings]
    suspended = [standing.is_suspended for standing in standings]
    match step:
        case Done():
            assert all(ended)
        case LookUp():
            assert set(names) & {"fresh", "resumed open", "in doubt for long"}
        case Create(index=index):
            standing = standings[index]
            assert not standing.is_created
            assert names[index] in {"looked up", "looked up, to be confirmed", "settled"}
            assert not (set(names) & {"fresh"}), "each is looked up before the first is created"
            others = {name for at, name in enumerate(names) if at != index}
            assert not (others & OPEN), "one order at a time is in doubt"
            if standing.needs_slot and not standing.record.is_open:
                assert active < LIMITS.active_jobs_max
            before = names[:index] if not standing.record.is_open else ()
            assert not any("looked up" in name for name in before), "in the orders' order"
        case Poll(index=index):
            assert standings[index].is_created
            assert not ended[index]
            assert names[index] in {"due", "Suspended", "suspended before"}
        case Pause(duration_s=duration_s):
            assert 0 < duration_s <= 60
            assert not all(ended)
            assert "due" not in names, "what is due is asked first"
        case GiveUp(index=index):
            assert names[index] in {"hopeless", "conflict"}
        case WaitForPerson(indexes=indexes):
            assert indexes
            assert set(indexes) == {at for at, is_one in enumerate(suspended) if is_one}
            assert all(one or other for one, other in zip(ended, suspended, strict=True))


def test_every_combination_has_one_right_step(tried: Tried) -> None:
    """If this fails, a set of jobs is stuck, doubled, polled without end or given up too early."""
    steps: set[type] = set()
    for names in CASES:
        standings = combined(names)
        step = next_step(standings, now_s=AT_S, limits=LIMITS)
        try:
            check(names, standings, step)
        except AssertionError as wrong:
            raise AssertionError(f"{names}: {step}: {wrong}") from wrong
        steps.add(type(step))
    assert steps == {Done, LookUp, Create, Poll, Pause, GiveUp, WaitForPerson}
    assert len(CASES) > 8000
    tried(Row.DECISIONS, len(CASES))


@pytest.mark.parametrize(
    ("names", "step"),
    [
        ((), Done()),
        (("fresh", "due"), LookUp()),
        (("in doubt", "due"), Poll(index=1)),
        (("in doubt", "looked up"), Pause(duration_s=55.0)),
        (("looked up", "in doubt for long"), LookUp()),
        (("looked up", "settled"), Create(index=1)),
        (("looked up", "Active"), Create(index=0)),
        (("looked up", "Active", "Active"), Pause(duration_s=20.0)),
        (("looked up", "looked up, to be confirmed", "Active"), Create(index=0)),
        (("Active", "Active", "looked up, to be confirmed"), Create(index=2)),
        (("looked up", "Suspended", "Suspended"), Create(index=0)),
        (("Suspended", "Complete"), WaitForPerson(indexes=(0,))),
        (("suspended before", "Complete"), Poll(index=0)),
        (("suspended before", "Active"), Pause(duration_s=20.0)),
        (("Failed", "Cancelled", "Complete"), Done()),
        (("conflict", "due"), GiveUp(index=0)),
        (("Completing", "Failing", "Cancelling"), Pause(duration_s=20.0)),
    ],
)
def test_the_step_is(names: tuple[str, ...], step: Step) -> None:
    """If this fails, the order of steps is not what the module promises."""
    assert next_step(combined(names), now_s=AT_S, limits=LIMITS) == step


def test_no_order_overtakes_one_that_waits_for_a_slot() -> None:
    """If this fails, jobs are not created in the order of their shards."""
    full = [job(JobStatus.ACTIVE, 0), job(JobStatus.ACTIVE, 1)]
    waiting = [looked_up(2), looked_up(3, needs_confirmation=True)]
    step = next_step([*full, *waiting], now_s=AT_S, limits=LIMITS)
    assert step == Pause(duration_s=20.0)


def test_a_failed_look_up_is_not_repeated_before_its_pause_is_over() -> None:
    """If this fails, an outage of ListJobs becomes a storm of requests."""
    standings = combined(("fresh",))
    due_s = AT_S + 45
    step = next_step(standings, now_s=AT_S, limits=LIMITS, look_up_due_s=due_s)
    assert step == Pause(duration_s=45)
    assert next_step(standings, now_s=due_s, limits=LIMITS, look_up_due_s=due_s) == LookUp()
