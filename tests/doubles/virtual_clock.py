"""The ports Clock and Random for code that runs on the virtual-time loop."""

import asyncio
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 6, 1, 12, tzinfo=UTC)


class VirtualClock:
    """Time since the loop was made, on top of what passed before (`skip`)."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def skip(self, seconds: float) -> None:
        """Let time pass where no loop runs."""
        self._skipped_s += seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._skipped_s + _loop_s())

    def monotonic_s(self) -> float:
        return _loop_s()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


async def pause(duration_s: float) -> None:
    """Wait as `asyncio.sleep` does, at half its cost: a run waits for some hundred requests."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(duration_s, _end, over)
    try:
        await over
    except asyncio.CancelledError:
        timer.cancel()
        raise


def _end(pause: "asyncio.Future[None]") -> None:
    if not pause.done():
        pause.set_result(None)


def _loop_s() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0
