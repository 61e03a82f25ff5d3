"""Time and chance of the real world, behind the ports Clock and Random.

Never used by a pure module.
Law: durations come from the monotonic clock; the wall clock may jump.
"""

import asyncio
import random
import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clocks and the event loop's sleep."""

    def __init__(self) -> None:
        self._rests_until_s: dict[object, float] = {}

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Pause."""
        rest = object()
        self._rests_until_s[rest] = time.monotonic() + duration_s
        try:
            await asyncio.sleep(duration_s)
        finally:
            del self._rests_until_s[rest]

    def rest_left_s(self) -> float:
        """Return how long the longest pause of now goes on, 0 for none; from any thread."""
        ends_s = max(tuple(self._rests_until_s.values()), default=0.0)
        return max(0.0, ends_s - time.monotonic())


class SystemRandom(random.SystemRandom):
    """Chance from the operating system: two workers started together must not pause alike."""
