"""Reads are asked again within their limits; writes are not."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from backfill.aws.clock import SystemClock, SystemRandom
from backfill.aws.retry import ReadRetries, RetryingControlPlane, RetryingStore
from backfill.errors import Disposition, StoreFault
from backfill.events.calls import ReadRetried
from backfill.model.pauses import Pauses, RetryBudget
from backfill.ports import ControlPlane, Event, ObjectStore, ProgressCounts
from tests.wire.aws.operations import KEY, READS, SOURCE, VERSION, WRITES


@dataclass(slots=True)
class World:
    """Clock, random and events that remember."""

    slept_s: list[float] = field(default_factory=list)
    emitted: list[Event] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return sum(self.slept_s)

    async def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)

    def random(self) -> float:
        return 1.0

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        raise AssertionError(counts)


def fault(disposition: Disposition, retry_after_s: float | None = None) -> StoreFault:
    return StoreFault(
        operation="X",
        code="C",
        status=503,
        disposition=disposition,
        retry_after_s=retry_after_s,
    )


@dataclass(slots=True)
class FailingStore:
    """Raises the faults it was given, one a call, then answers."""

    faults: list[StoreFault]
    calls: int = 0

    def __getattr__(self, name: str) -> Callable[..., object]:
        async def call(*_: object, **__: object) -> str:
            self.calls += 1
            if self.faults:
                raise self.faults.pop(0)
            return "answer"

        return call


def retries(world: World, *, attempts_max: int = 4, floor: int = 100) -> ReadRetries:
    return ReadRetries(
        attempts_max=attempts_max,
        pauses=Pauses(base_s=1.0, cap_s=20.0),
        budget=RetryBudget(ratio=0.0, floor=floor),
        clock=world,
        random=world,
        events=world,
    )


SMALL_READS = [name for name in READS if name != "GetObject"]


@pytest.mark.parametrize("operation", SMALL_READS)
async def test_a_read_is_asked_again_until_it_succeeds(operation: str) -> None:
    """One 503 among a million listings must not end the run."""
    world, inner = World(), FailingStore([fault(Disposition.RETRY), fault(Disposition.RETRY)])
    store = RetryingStore(cast("ObjectStore", inner), retries(world))
    assert await READS[operation](store, KEY) == "answer"
    assert (inner.calls, world.slept_s) == (3, [1.0, 2.0])
    assert [cast("ReadRetried", event).attempt for event in world.emitted] == [1, 2]


@pytest.mark.parametrize("operation", WRITES)
async def test_a_write_is_sent_once_whatever_the_fault(operation: str) -> None:
    """Only the worker, who can settle an attempt, may send a write again."""
    for disposition in Disposition:
        world, inner = World(), FailingStore([fault(disposition)])
        store = RetryingStore(cast("ObjectStore", inner), retries(world))
        with pytest.raises(StoreFault):
            await WRITES[operation](store, KEY)
        assert (inner.calls, world.slept_s) == (1, [])


@pytest.mark.parametrize("disposition", [kind for kind in Disposition if kind != "retry"])
async def test_a_read_that_cannot_succeed_is_not_asked_again(disposition: Disposition) -> None:
    """Asking a denial six times costs money and time, and hides it."""
    world, inner = World(), FailingStore([fault(disposition)])
    with pytest.raises(StoreFault):
        await RetryingStore(cast("ObjectStore", inner), retries(world)).head_object(SOURCE, KEY)
    assert inner.calls == 1


async def test_attempts_are_limited_and_the_last_fault_is_the_one_raised() -> None:
    """An endless retry is a run that never ends and never says why."""
    world = World()
    faults = [fault(Disposition.RETRY) for _ in range(9)]
    last, inner = faults[3], FailingStore(faults)
    read = retries(world)
    with pytest.raises(StoreFault) as caught:
        await RetryingStore(cast("ObjectStore", inner), read).head_object(SOURCE, KEY)
    assert caught.value is last
    assert (inner.calls, read.budget.retries) == (4, 3)


async def test_a_spent_budget_ends_retrying_for_the_whole_process() -> None:
    """In a total outage thousands of calls, each with its attempts, would be a storm."""
    world, inner = World(), FailingStore([fault(Disposition.RETRY) for _ in range(99)])
    store = RetryingStore(cast("ObjectStore", inner), retries(world, floor=5))
    for _ in range(10):
        with pytest.raises(StoreFault):
            await store.head_object(SOURCE, KEY)
    assert inner.calls == 10 + 5


async def test_a_pause_that_the_store_names_is_kept() -> None:
    """Coming back earlier is refused again."""
    world, inner = World(), FailingStore([fault(Disposition.RETRY, retry_after_s=9.0)])
    await RetryingStore(cast("ObjectStore", inner), retries(world)).head_object(SOURCE, KEY)
    assert world.slept_s == [9.0]


async def test_another_exception_is_not_retried() -> None:
    """A bug asked six times is still a bug."""

    class BrokenStore:
        calls = 0

        async def head_object(self, *_: object, **__: object) -> None:
            self.calls += 1
            raise ZeroDivisionError

    world, inner = World(), BrokenStore()
    with pytest.raises(ZeroDivisionError):
        await RetryingStore(cast("ObjectStore", inner), retries(world)).head_object(SOURCE, KEY)
    assert inner.calls == 1


@dataclass(slots=True)
class CutStore:
    """Streams b"0123456789" in chunks, each stream cut after the given number of bytes."""

    cuts: list[int]
    is_closed: list[bool] = field(default_factory=list)

    async def read_object(self, *_: object, **__: object) -> AsyncIterator[bytes]:
        data, cut = b"0123456789", self.cuts.pop(0)
        try:
            for start in range(0, len(data), 3):
                if start >= cut:
                    raise fault(Disposition.RETRY)
                yield data[start : start + 3]
        finally:
            self.is_closed.append(True)


@pytest.mark.parametrize("cuts", [[99], [0, 99], [3, 99], [9, 3, 99], [3, 0, 6]])
async def test_a_stream_that_is_cut_goes_on_where_it_stopped(cuts: list[int]) -> None:
    """Bytes given twice, or left out, make two equal objects differ."""
    store = RetryingStore(cast("ObjectStore", CutStore([*cuts, 99])), retries(World()))
    chunks = [chunk async for chunk in store.read_object(SOURCE, KEY, version_id=VERSION)]
    assert b"".join(chunks) == b"0123456789"
    assert all(chunks)


async def test_a_stream_of_the_current_version_is_not_begun_again() -> None:
    """The current version may have become another object in between."""
    store = RetryingStore(cast("ObjectStore", CutStore([3, 99])), retries(World()))
    with pytest.raises(StoreFault):
        _ = [chunk async for chunk in store.read_object(SOURCE, KEY)]


async def test_a_stream_is_given_up_after_its_attempts() -> None:
    """A stream that is always cut would download the same bytes for ever."""
    store = RetryingStore(cast("ObjectStore", CutStore([3] * 9)), retries(World()))
    with pytest.raises(StoreFault):
        _ = [chunk async for chunk in store.read_object(SOURCE, KEY, version_id=VERSION)]


async def test_a_stream_that_is_left_early_is_closed_at_once() -> None:
    """Its connection would otherwise be held until the garbage collector comes."""
    inner = CutStore([99])
    stream = RetryingStore(cast("ObjectStore", inner), retries(World())).read_object(SOURCE, KEY)
    assert await anext(stream) == b"012"
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator, the port says less
    assert inner.is_closed == [True]


@pytest.mark.parametrize(
    "ask",
    [
        lambda plane: plane.account_id(),
        lambda plane: plane.bucket_region("b"),
        lambda plane: plane.bucket_facts(SOURCE),
        lambda plane: plane.versioning(SOURCE),
        lambda plane: plane.require_owner(SOURCE),
        lambda plane: plane.has_default_retention(SOURCE),
        lambda plane: plane.replication_configuration("b", None),
    ],
)
async def test_every_question_of_the_control_plane_is_asked_again(
    ask: Callable[[ControlPlane], AsyncIterator[object]],
) -> None:
    """The first call of a run is one of these; a hiccup must not end it."""
    inner = FailingStore([fault(Disposition.RETRY)])
    plane = RetryingControlPlane(cast("ControlPlane", inner), retries(World()))
    assert await ask(plane) == "answer"  # type: ignore[misc] # the double answers text
    assert inner.calls == 2


async def test_the_system_clock_and_chance_are_what_they_say() -> None:
    """A naive or local time would shift every horizon."""
    clock = SystemClock()
    before_s = clock.monotonic_s()
    await clock.sleep(0)
    assert clock.monotonic_s() >= before_s
    assert clock.now().tzinfo is UTC
    assert 0 <= SystemRandom().random() < 1
