"""Requests in flight follow the store."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from backfill.aws.pace import FLOOR, Pace, PacedStore
from backfill.errors import Disposition, StoreFault
from backfill.events import PaceLowered
from backfill.ports import ObjectStore
from tests.unit.aws.test_retry import CutStore, World
from tests.wire.aws.operations import KEY, OPERATIONS, SOURCE


def throttle(code: str = "SlowDown") -> StoreFault:
    return StoreFault(operation="X", code=code, status=503, disposition=Disposition.RETRY)


async def succeed(pace: Pace, times: int) -> None:
    for _ in range(times):
        async with pace.slot():
            pass


async def fail(pace: Pace, fault: StoreFault) -> None:
    with pytest.raises(StoreFault):
        async with pace.slot():
            raise fault


async def test_a_throttle_lowers_the_limit_once_for_a_burst() -> None:
    """Those in flight were sent at the old pace; each lowering it would stop the run."""
    world = World()
    pace = Pace(requests_in_flight_max=100, clock=world, events=world)
    for _ in range(50):
        await fail(pace, throttle())
    assert pace.limit == 70
    world.slept_s.append(1.0)
    await fail(pace, throttle())
    assert pace.limit == 49
    limits = [cast("PaceLowered", event).requests_in_flight_max for event in world.emitted]
    assert limits == [70, 49]


async def test_the_limit_never_falls_below_the_floor() -> None:
    """At zero nothing moves and nothing finds out that the throttling has ended."""
    world = World()
    pace = Pace(requests_in_flight_max=100, clock=world, events=world)
    for _ in range(100):
        world.slept_s.append(1.0)
        await fail(pace, throttle())
    assert pace.limit == FLOOR


async def test_success_raises_the_limit_slowly_up_to_the_ceiling() -> None:
    """Coming back at once would be throttled at once."""
    world = World()
    pace = Pace(requests_in_flight_max=10, clock=world, events=world)
    await fail(pace, throttle())
    assert pace.limit == 7
    await succeed(pace, 7)
    assert pace.limit == 7
    await succeed(pace, 2)
    assert pace.limit == 8
    await succeed(pace, 1000)
    assert pace.limit == 10


async def test_another_fault_changes_nothing() -> None:
    """A denial is no sign of load."""
    world = World()
    pace = Pace(requests_in_flight_max=10, clock=world, events=world)
    await fail(pace, throttle("AccessDenied"))
    assert (pace.limit, world.emitted) == (10, [])


@dataclass(slots=True)
class GatedStore:
    """Counts the calls in flight; each waits until the gate opens."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    most: int = 0

    async def head_object(self, *_: object, **__: object) -> None:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await self.gate.wait()
        self.in_flight -= 1


async def test_no_more_than_the_limit_are_in_flight_and_all_are_served() -> None:
    """A limit that leaks is none; one that loses a waiter hangs the run."""
    world, inner = World(), GatedStore()
    pace = Pace(requests_in_flight_max=3, clock=world, events=world)
    store = PacedStore(cast("ObjectStore", inner), pace)
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(store.head_object(SOURCE, str(number)))
        await asyncio.sleep(0)
        inner.gate.set()
    assert (inner.most, inner.in_flight) == (3, 0)


async def test_a_cancelled_waiter_gives_its_turn_to_the_next() -> None:
    """A drain cancels waiters; a turn lost with one would hang those behind it."""
    world, inner = World(), GatedStore()
    pace = Pace(requests_in_flight_max=2, clock=world, events=world)
    store = PacedStore(cast("ObjectStore", inner), pace)
    tasks = [asyncio.create_task(store.head_object(SOURCE, str(n))) for n in range(6)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)  # the first has left, the third is admitted and cancelled at once
    tasks[2].cancel()
    tasks[4].cancel()
    await asyncio.sleep(0)
    inner.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = [isinstance(result, asyncio.CancelledError) for result in results]
    assert cancelled == [True, False, True, False, True, False]
    async with pace.slot(), pace.slot():  # both turns are free again
        pass


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "GetObject"])
async def test_every_operation_is_passed_on_as_it_was_asked(operation: str) -> None:
    """A decorator that drops an argument reads or writes another version."""

    @dataclass(slots=True)
    class Recorder:
        asked: list[tuple[str, object, object]] = field(default_factory=list)

        def __getattr__(self, name: str) -> object:
            async def call(*args: object, **kwargs: object) -> str:
                self.asked.append((name, args, kwargs))
                return "answer"

            return call

    plain, paced, world = Recorder(), Recorder(), World()
    pace = Pace(requests_in_flight_max=2, clock=world, events=world)
    await OPERATIONS[operation](cast("ObjectStore", plain), KEY)
    await OPERATIONS[operation](PacedStore(cast("ObjectStore", paced), pace), KEY)
    (expected,), (found,) = plain.asked, paced.asked
    assert found[:2] == expected[:2]
    assert dict(cast("dict[str, object]", expected[2])).items() <= found[2].items()  # type: ignore[attr-defined] # a dict


async def test_a_stream_holds_its_slot_until_it_ends() -> None:
    """A stream is load for as long as it flows."""
    world = World()
    pace = Pace(requests_in_flight_max=2, clock=world, events=world)
    store = PacedStore(cast("ObjectStore", CutStore([99])), pace)
    stream = store.read_object(SOURCE, KEY)
    await anext(stream)
    assert pace._in_flight == 1
    assert b"".join([chunk async for chunk in stream]) == b"3456789"
    assert pace._in_flight == 0
