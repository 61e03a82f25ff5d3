"""Asking a run to stop: once to drain, twice to end at once.

Never installs signal handlers: the command line does, and calls `request`.
Law: however a run is stopped, the same command resumes it.
"""

import asyncio
from collections.abc import Coroutine

from backfill.errors import InterruptedRunError

SIGINT = 2
_NAMES = {SIGINT: "SIGINT", 15: "SIGTERM"}


class StopRequest:
    """Whether, and how urgently, a run is asked to stop. Made and used in one event loop."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.ending = asyncio.Event()
        self.signal_number = SIGINT

    def request(self, signal_number: int = SIGINT) -> None:
        """Ask once to drain; ask again to end at once."""
        if self.draining.is_set():
            self.ending.set()
            return
        self.signal_number = signal_number
        self.draining.set()

    async def pause(self, rest: Coroutine[object, object, None]) -> None:
        """Rest, unless the run is asked to stop.

        Raises:
            InterruptedRunError: It was asked, before the rest or in the middle of it.
        """
        resting = asyncio.create_task(rest)
        stopping = asyncio.create_task(self.draining.wait())
        try:
            await asyncio.wait({resting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (resting, stopping):
                task.cancel()
            await asyncio.wait({resting, stopping})
        if self.draining.is_set():
            raise self.error()

    @property
    def signal_name(self) -> str:
        """Return the signal's name for people."""
        return _NAMES.get(self.signal_number, f"signal {self.signal_number}")

    def error(self) -> InterruptedRunError:
        """Return what the run ends with."""
        return InterruptedRunError(
            f"stopped by {self.signal_name}; what was copied is recorded",
            hint="run the same command again to go on",
            signal_number=self.signal_number,
        )
