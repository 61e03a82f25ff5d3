"""A clock that stands where it was set, for what only asks what time it is."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoppedClock:
    """Port Clock at one moment; whoever waits on it has a mistake."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        raise AssertionError(f"nothing sleeps {duration_s} s on a stopped clock")
