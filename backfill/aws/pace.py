"""How fast requests are sent: slower where the store throttles, within the budget of the process.

S3 limits requests by partition, which is a range of a bucket's keys: at least 3,500 writes and
5,500 reads a second each (S3 User Guide: optimizing-performance). So what is refused with SlowDown
slows the writes, or the reads, of that bucket and prefix alone, until its rate has been learned.

Never retries, and never delays a request while nobody throttles and no budget binds.
Law: a refusal of a request that was sent before the last decrease decreases nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple, TypeVar

from backfill.aws.calls import AnyCall, Calls
from backfill.aws.faults import WRITES, is_throttle
from backfill.aws.rates import FAR_OFF_DECREASE, LearnedRate, TokenBucket
from backfill.aws.replies import Reply
from backfill.errors import StoreFault
from backfill.events.calls import PaceLowered
from backfill.ports import Clock, Events

PREFIXES_MAX: Final = 32
"""Prefixes of one bucket with a rate of their own. Where more are throttled, S3's partitions are
wider than our prefixes, and the whole bucket gets one rate."""

LANES_MAX: Final = 256
"""Rates learned at a time, over all buckets; beyond, those that nobody throttled lately go."""

FORGOTTEN_AFTER_S: Final = 300.0
"""A rate that was not refused for so long has grown a hundredfold: it binds nobody."""

TOLD_EVERY_S: Final = 1.0
"""Pause between two events about one lane: people want to know that, not how often."""

_UNPACED: Final = frozenset({"AbortMultipartUpload"})
"""Cleaning up must not queue behind new work."""

_WINDOW: Final = 1024
"""Successes over which the rate without a limit is measured."""

T = TypeVar("T")


class _Place(NamedTuple):
    """What S3 may have a limit for. `prefix` is up to the last `/` of the key; None: the bucket."""

    bucket: str
    is_write: bool
    prefix: str | None


class _Lane:
    """The requests under one rate, in the order of arrival; one timer for all that wait."""

    def __init__(self, bucket: TokenBucket, clock: Clock) -> None:
        self.bucket = bucket
        self._clock = clock
        # Bounded by the callers' own concurrency: each waiter is a request of theirs.
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def is_passing(self) -> bool:
        """Return whether a request may be sent at once."""
        return not self._waiting and self.bucket.take(self._clock.monotonic_s())

    async def turn(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if self._timer is None:
            self._arm(loop)
        await turn

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        wait_s = self.bucket.wait_s(self._clock.monotonic_s())
        self._timer = loop.call_later(max(wait_s, 0.001), self._serve, loop)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = self._clock.monotonic_s()
        while self._waiting:
            if self._waiting[0].done():  # cancelled: it takes no turn
                self._waiting.popleft()
            elif self.bucket.take(now_s):
                self._waiting.popleft().set_result(None)
            else:
                self._arm(loop)
                return


class _LearnedLane(_Lane):
    def __init__(self, rate: LearnedRate, clock: Clock, *, number: int) -> None:
        super().__init__(rate, clock)
        self.learned = rate
        self.lowered_at = number
        self.told_s = float("-inf")


class Pace:
    """The pace of one process. For one event loop.

    `requests_per_second_max` is its budget, all of it while it is alone; 0: no budget.
    """

    def __init__(
        self, *, clock: Clock, events: Events, requests_per_second_max: float = 0.0
    ) -> None:
        self._clock = clock
        self._events = events
        now_s = clock.monotonic_s()
        self._budget: _Lane | None = None
        self._budget_max = requests_per_second_max
        if requests_per_second_max:
            self._budget = _Lane(TokenBucket(requests_per_second_max, now_s=now_s), clock)
        self._learned: dict[_Place, _LearnedLane] = {}
        self._sent = 0
        self.under_way = 0
        """Requests that are out now; each has its time limit."""
        self._succeeded = 0
        self._window_s = now_s
        self._before = (0, 0.0)

    @property
    def is_free(self) -> bool:
        """Whether nothing limits any request: no budget, and nobody throttles."""
        return self._budget is None and not self._learned

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        return self._sent

    @contextmanager
    def shared(self, processes: int) -> Iterator[None]:
        """Meanwhile leave others their shares of the budget; this process is one of so many."""
        self._set_budget(self._budget_max / processes)
        try:
            yield
        finally:
            self._set_budget(self._budget_max)

    def _set_budget(self, rate: float) -> None:
        if self._budget is not None:
            self._budget.bucket = TokenBucket(rate, now_s=self._clock.monotonic_s())

    def next_number(self) -> int:
        """Return the number of a request that is sent now."""
        self._sent += 1
        return self._sent

    async def admit(self, call: AnyCall) -> None:
        """Return when a request may be sent."""
        if call.operation in _UNPACED or call.service != "s3":
            return
        lanes = (self._lane_of(call), self._budget) if self._learned else (self._budget,)
        for lane in lanes:
            if lane is not None and not lane.is_passing():
                await lane.turn()

    def count_success(self) -> None:
        """Count an answer that was no refusal."""
        self._succeeded += 1
        if self._succeeded == _WINDOW:
            now_s = self._clock.monotonic_s()
            self._before = (self._succeeded, now_s - self._window_s)
            self._succeeded, self._window_s = 0, now_s
            self._forget(now_s)

    def heed(self, call: AnyCall, fault: StoreFault, number: int) -> None:
        """Slow down if a fault asks for it. `number` is that of the request."""
        if not is_throttle(fault) or call.service != "s3":
            return
        now_s = self._clock.monotonic_s()
        lane = self._lane_of(call)
        if lane is None:
            lane = self._new_lane(_place_of(call), now_s)
        elif number <= lane.lowered_at or not lane.learned.lower(now_s):
            return
        lane.lowered_at = self._sent
        if now_s - lane.told_s >= TOLD_EVERY_S:
            lane.told_s = now_s
            self._events.emit(
                PaceLowered(
                    operation=fault.operation,
                    code=fault.code,
                    bucket=call.bucket,
                    requests_per_second=round(lane.learned.rate(now_s), 1),
                )
            )

    def _lane_of(self, call: AnyCall) -> _LearnedLane | None:
        place = _place_of(call)
        return self._learned.get(place) or self._learned.get(place._replace(prefix=None))

    def _new_lane(self, place: _Place, now_s: float) -> _LearnedLane:
        """Begin to learn the rate of a place; what all requests achieve so far is at least its."""
        rate = FAR_OFF_DECREASE * self._achieved(now_s)
        neighbours = [
            other
            for other in self._learned
            if (other.bucket, other.is_write) == (place.bucket, place.is_write)
        ]
        if len(neighbours) >= PREFIXES_MAX:
            place = place._replace(prefix=None)
            # Those who wait in a lane that goes are still let out by it.
            rate = sum(self._learned.pop(other).learned.rate(now_s) for other in neighbours)
        self._forget(now_s)
        lane = _LearnedLane(LearnedRate(rate, now_s=now_s), self._clock, number=self._sent)
        self._learned[place] = lane
        return lane

    def _forget(self, now_s: float) -> None:
        """Drop lanes that bind nobody, and the one longest without a refusal if there are many."""
        ages_s = {place: now_s - lane.learned.lowered_s for place, lane in self._learned.items()}
        for place, age_s in ages_s.items():
            if age_s > FORGOTTEN_AFTER_S:
                del self._learned[place]
        if len(self._learned) >= LANES_MAX:
            del self._learned[max(self._learned, key=ages_s.__getitem__)]

    def _achieved(self, now_s: float) -> float:
        """Return successes a second of late, all places together."""
        count, passed_s = self._before
        passed_s += now_s - self._window_s
        return (count + self._succeeded) / max(passed_s, 0.001)


def _place_of(call: AnyCall) -> _Place:
    key = call.parameters.get("Key")
    prefix = key.rpartition("/")[0] if isinstance(key, str) else None
    return _Place(call.bucket, call.operation in WRITES, prefix)


class PacedCalls(Calls):
    """The calls of another, at one pace. An identity's lanes are its process's: they share it."""

    def __init__(self, inner: Calls, pace: Pace) -> None:
        self._inner = inner
        self._pace = pace

    @property
    def region(self) -> str:
        """The Region for questions without one."""
        return self._inner.region

    async def send(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        """Send once when it is the call's turn; raises StoreFault."""
        pace = self._pace
        if not pace.is_free:
            await pace.admit(call)
        number = pace.next_number()
        pace.under_way += 1
        try:
            result = await self._inner.send(call, parse)
        except StoreFault as fault:
            pace.heed(call, fault, number)
            raise
        finally:
            pace.under_way -= 1
        pace.count_success()
        return result

    @asynccontextmanager
    async def opened(self, call: AnyCall) -> AsyncIterator[Reply]:
        """Send once when it is the call's turn, and lend the answer; raises StoreFault."""
        pace = self._pace
        if not pace.is_free:
            await pace.admit(call)
        number = pace.next_number()
        pace.under_way += 1
        try:
            async with self._inner.opened(call) as reply:
                yield reply
        except StoreFault as fault:
            pace.heed(call, fault, number)
            raise
        finally:
            pace.under_way -= 1
        pace.count_success()
