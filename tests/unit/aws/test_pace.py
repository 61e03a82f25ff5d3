"""Requests follow what the store lets pass, and stay within the process's share of the budget."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, Final, TypeVar, cast

import pytest

from backfill.aws.calls import Call, Calls
from backfill.aws.pace import LANES_MAX, PREFIXES_MAX, Pace, PacedCalls
from backfill.aws.rates import DECREASE_EVERY_S, FAR_OFF_REQUESTS, RATE_MIN, LearnedRate
from backfill.aws.replies import Reply
from backfill.errors import Disposition, StoreFault
from backfill.events.calls import PaceLowered
from backfill.ports import Event
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from tests.doubles.virtual_clock import VirtualClock

LATENCY_S: Final = 0.02
T = TypeVar("T")


@dataclass(slots=True)
class Told:
    """Events that remember."""

    emitted: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def progress(self, counts: object) -> None:
        raise AssertionError(counts)


@dataclass(slots=True, kw_only=True)
class Server:
    """Answers after `LATENCY_S`; the places in `limits` pass so many requests a second each."""

    limits: dict[str, float] = field(default_factory=dict)
    code: str = "SlowDown"
    random: Random = field(default_factory=lambda: Random(1))
    answers: list[tuple[float, bool]] = field(default_factory=list)
    region: str = "r"
    _tokens: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def send(self, call: Call, _parse: object) -> str:
        await asyncio.sleep(LATENCY_S * self.random.uniform(0.4, 0.6))
        is_passing = self._is_passing(call, asyncio.get_running_loop().time())
        await asyncio.sleep(LATENCY_S / 2)
        if not is_passing:
            raise fault(call.operation, self.code)
        return "answer"

    @asynccontextmanager
    async def opened(self, call: Call) -> AsyncIterator[Reply]:
        await self.send(call, None)
        yield {"Body": "body"}

    def _is_passing(self, call: Call, now_s: float) -> bool:
        key = str(call.parameters.get("Key", ""))
        place = next((one for one in self.limits if key.startswith(one)), None)
        is_passing = True
        if place is not None:
            limit = self.limits[place]
            burst = max(1.0, limit / 20)
            tokens, filled_s = self._tokens.get(place, (burst, 0.0))
            tokens = min(burst, tokens + limit * (now_s - filled_s))
            is_passing = tokens >= 1
            self._tokens[place] = (tokens - is_passing, now_s)
        self.answers.append((now_s, is_passing))
        return is_passing


def fault(operation: str = "CopyObject", code: str = "SlowDown") -> StoreFault:
    return StoreFault(operation=operation, code=code, status=503, disposition=Disposition.RETRY)


def call(key: str = "p/k", operation: str = "CopyObject", service: str = "s3") -> Call:
    parameters = {"Bucket": "b", "Key": key}
    return Call(operation=operation, region="r", parameters=parameters, service=service)


def paced(server: Server, told: Told | None = None, budget: float = 0.0) -> PacedCalls:
    pace = Pace(clock=VirtualClock(), events=told or Told(), requests_per_second_max=budget)
    return PacedCalls(cast("Calls", server), pace)


async def ask(calls: Calls, one: Call) -> str:
    return await calls.send(one, cast("Callable[[Reply], str]", None))


async def is_refused(calls: Calls, one: Call) -> bool:
    try:
        await ask(calls, one)
    except StoreFault:
        return True
    return False


@contextmanager
def virtual_time() -> Iterator[Callable[[Awaitable[T]], T]]:
    """Lend what runs a coroutine in no time; the store's and our clock are the loop's."""
    loop = VirtualTimeLoop(random=Random(7), steps_max=10_000_000)
    try:
        yield lambda work: loop.run_until_complete(cast("Any", work))
    finally:
        loop.close()


def took_s(work: Callable[[], Awaitable[object]]) -> float:
    async def timed() -> float:
        began_s = asyncio.get_running_loop().time()
        await work()
        return asyncio.get_running_loop().time() - began_s

    with virtual_time() as run:
        return run(timed())


async def many(calls: Calls, keys: list[str], operation: str = "CopyObject") -> list[bool]:
    return await asyncio.gather(*(is_refused(calls, call(key, operation)) for key in keys))


def test_nothing_waits_while_nobody_throttles() -> None:
    """A delay on the clean path is a delay a hundred million times."""

    async def work() -> None:
        assert not any(await many(paced(Server()), ["p/k"] * 1000))

    assert took_s(work) <= 1.2 * LATENCY_S


@pytest.mark.parametrize("operation", ["CopyObject", "HeadObject", "ListObjectVersions"])
def test_a_budget_is_kept_by_all_requests(operation: str) -> None:
    """Whoever shares a bucket with others says how much of it a run may take."""

    async def work() -> None:
        await many(paced(Server(), budget=50), [f"{n}/k" for n in range(200)], operation)

    assert took_s(work) == pytest.approx(200 / 50, rel=0.05)


def test_a_budget_is_shared_only_while_there_are_others() -> None:
    """If this fails, listing, planning and verifying alone get an eighth of what they may have."""
    pace = Pace(clock=VirtualClock(), events=Told(), requests_per_second_max=80)
    calls = PacedCalls(cast("Calls", Server()), pace)

    async def work() -> None:
        with pace.shared(8):
            await many(calls, ["p/k"] * 100)
        await many(calls, ["p/k"] * 400)

    assert took_s(work) == pytest.approx(100 / 10 + 400 / 80, rel=0.05)


def test_only_what_is_throttled_slows_down() -> None:
    """S3 limits a partition: waiting elsewhere wastes what it grants there."""
    server = Server(limits={"busy/": 100.0})
    calls = paced(server)

    async def work() -> float:
        await many(calls, ["busy/k"] * 50)
        slow = asyncio.create_task(many(calls, ["busy/k"] * 100))
        await asyncio.sleep(0)
        began_s = asyncio.get_running_loop().time()
        await many(calls, ["idle/k"] * 500)
        await many(calls, ["busy/k"] * 500, "HeadObject")
        elsewhere_s = asyncio.get_running_loop().time() - began_s
        assert not slow.done()
        await slow
        return elsewhere_s

    with virtual_time() as run:
        assert run(work()) <= 2.5 * LATENCY_S


@pytest.mark.parametrize(
    ("processes", "limit", "used"),
    [
        *((1, 5.0, 0.8), (1, 10.0, 0.8), (1, 20.0, 0.8), (1, 80.0, 0.9)),
        *((processes, limit, 0.9) for processes in (1, 4) for limit in (200.0, 500.0)),
    ],
)
def test_the_pace_settles_at_what_the_store_grants(
    processes: int, limit: float, used: float
) -> None:
    """Refused requests cost money and time; a pace that is too low costs time alone, but all of it.

    Ten seconds in, less than 2 % are refused, and nearly all of the limit is used. Below 20 a
    second this store refuses two requests that come a little too close, as its burst is one.
    """
    server = Server(limits={"": limit})

    async def worker(calls: Calls, random: Random) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while loop.time() < 30:
            attempt = attempt + 1 if await is_refused(calls, call()) else 0
            if attempt:
                await asyncio.sleep(random.uniform(0, min(20, 0.2 * 2**attempt)))

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(processes):
                calls = paced(server)
                for _ in range(256 // processes):
                    tasks.create_task(worker(calls, Random(number)))

    with virtual_time() as run:
        run(work())
    later = [is_passing for at_s, is_passing in server.answers if 10 <= at_s < 30]
    assert later.count(False) < 0.02 * len(later)
    assert later.count(True) > used * limit * 20


@pytest.mark.parametrize("first", [RATE_MIN, 3.0, 7.0, 10.0, 19.0, 40.0])
def test_a_rate_that_doubles_passes_enough_to_be_believed(first: float) -> None:
    """If this fails, one request in eight is refused for ever where the store grants ten a second.

    A rate refused within `FAR_OFF_REQUESTS` doubles again, so it must not meet the limit sooner.
    """
    rate, now_s, passed = LearnedRate(first, now_s=0.0), 0.0, 0
    while rate.rate(now_s) < 2 * first:
        passed += rate.take(now_s)
        now_s += 0.001
    assert passed > FAR_OFF_REQUESTS


def test_a_rate_at_its_floor_is_back_soon_when_throttling_ends() -> None:
    """If this fails, half a minute of refusals costs an hour of crawling."""
    rate, tick_s = LearnedRate(RATE_MIN, now_s=0.0), 0.001
    rates = [rate.rate(number * tick_s) for number in range(25_000)]
    steps = [later / earlier for earlier, later in pairwise(rates)]
    assert rates[-1] > 3_500
    assert 1.0 <= min(steps) <= max(steps) < 1.001, "it grows, and never by a jump"


def test_a_burst_of_refusals_lowers_once() -> None:
    """Those in flight were sent at the old pace; each of them lowering it would stop the run."""
    told = Told()
    server = Server(limits={"": 1.0})
    calls = paced(server, told)

    async def work() -> None:
        assert (await many(calls, ["p/k"] * 200)).count(True) > 150

    with virtual_time() as run:
        run(work())
    (event,) = told.emitted
    assert isinstance(event, PaceLowered)
    assert (event.bucket, event.code, event.operation) == ("b", "SlowDown", "CopyObject")


def test_a_rate_never_falls_below_the_floor() -> None:
    """At zero nothing moves, and nothing finds out that the throttling has ended."""
    told = Told()
    calls = paced(Server(limits={"": 0.0001}), told)

    async def work() -> None:
        for _ in range(40):
            await is_refused(calls, call())
            await asyncio.sleep(1.1 * DECREASE_EVERY_S)

    with virtual_time() as run:
        run(work())
    rates = [event.requests_per_second for event in told.emitted if isinstance(event, PaceLowered)]
    assert rates[-1] == pytest.approx(RATE_MIN)
    assert min(rates) >= RATE_MIN


@pytest.mark.parametrize(
    ("code", "service"), [("AccessDenied", "s3"), ("InternalError", "s3"), ("SlowDown", "sts")]
)
def test_another_fault_changes_nothing(code: str, service: str) -> None:
    """A denial is no sign of load, and what another service says is none of S3's."""
    told = Told()
    calls = paced(Server(limits={"": 1.0}, code=code), told)

    async def work() -> None:
        for _ in range(3):
            await asyncio.gather(*(is_refused(calls, call(service=service)) for _ in range(50)))

    assert took_s(work) <= 4 * LATENCY_S
    assert told.emitted == []


def test_cleaning_up_does_not_queue_behind_new_work() -> None:
    """A drain has seconds to abort its uploads."""
    calls = paced(Server(), budget=1)

    async def work() -> None:
        waiting = asyncio.create_task(many(calls, ["p/k"] * 100))
        await asyncio.sleep(0)
        await ask(calls, call(operation="AbortMultipartUpload"))
        waiting.cancel()

    assert took_s(work) <= 1.2 * LATENCY_S


def test_a_cancelled_waiter_gives_its_turn_to_the_next() -> None:
    """A drain cancels waiters; a turn lost with one would hang those behind it."""
    calls = paced(Server(), budget=10)

    async def work() -> None:
        tasks = [asyncio.create_task(ask(calls, call())) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[1:11]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in results].count(True) == 10

    assert took_s(work) == pytest.approx(1.0, abs=0.15)  # 20 turns would take 1.9 s


def test_many_throttled_prefixes_are_one_bucket() -> None:
    """Where each key has a prefix of its own, none of them is ever met again."""
    calls = paced(Server(limits={"": 5.0}))

    async def work() -> None:
        for number in range(20 * PREFIXES_MAX):
            await is_refused(calls, call(f"{number}/k"))
        prefixes = [place.prefix for place in calls._pace._learned]
        assert len(prefixes) <= PREFIXES_MAX + 1
        assert None in prefixes

    with virtual_time() as run:
        run(work())


def test_the_rates_that_are_remembered_are_bounded() -> None:
    """A run meets any number of buckets' prefixes; its memory does not grow with them."""
    pace = Pace(clock=VirtualClock(), events=Told())
    for number in range(2 * LANES_MAX):
        one = Call("CopyObject", "r", {"Bucket": f"b{number}", "Key": "k"})
        pace.heed(one, fault(), pace.next_number())
    assert len(pace._learned) == LANES_MAX


def test_a_stream_is_paced_when_it_is_opened() -> None:
    """It is one request, however long it flows."""
    calls = paced(Server(), budget=2)

    async def work() -> None:
        for _ in range(5):
            async with calls.opened(call(operation="GetObject")) as reply:
                assert reply == {"Body": "body"}

    assert took_s(work) == pytest.approx(2.0, abs=0.1)


def test_a_refused_stream_lowers_the_pace() -> None:
    """Reads are throttled, too."""
    told = Told()
    calls = paced(Server(limits={"": 0.0001}), told)

    async def work() -> None:
        await ask(calls, call())  # it takes what the store lets pass at first
        with pytest.raises(StoreFault):
            async with calls.opened(call(operation="GetObject")):
                raise AssertionError("it was refused")

    with virtual_time() as run:
        run(work())
    assert [event.name for event in told.emitted] == ["aws.pace_lowered"]
