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

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Pause."""
        await asyncio.sleep(duration_s)


class SystemRandom(random.SystemRandom):
    """Chance from the operating system: two workers started together must not pause alike."""
