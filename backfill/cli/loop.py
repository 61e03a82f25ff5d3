"""The event loop that a verb's work runs in, and how often Python looks for garbage there.

Never decides what runs in it.
Law: one loop a process, closed at the end.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final, TypeVar

T = TypeVar("T")

GAP_MIN_S: Final = 0.05
"""Whoever sets an interval of 0 wants many lines, not a process that does nothing else."""

YOUNG_OBJECTS: Final = 50_000
"""New objects between two looks for cycles. Python's 700 fits programs that hold little; this one
makes some hundred short-lived objects a page or a copy, hardly any of them in a cycle, and looking
took a tenth of all CPU."""


def run(work: Coroutine[object, object, T]) -> T:
    """Run a verb's work to its end and return what it gives."""
    # What the imports made stays for good, so no look need visit it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 20)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            return runner.run(work)
    finally:
        # A loop leaves the default behind, which process 1 of a container never receives.
        signal.signal(signal.SIGTERM, before)


@asynccontextmanager
async def repeating(*acts: Callable[[], None], gap_s: float) -> AsyncIterator[None]:
    """Do something short again and again until the context is left."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(max(gap_s, GAP_MIN_S))
            for act in acts:
                act()

    repetition = asyncio.create_task(repeat())
    try:
        yield
    finally:
        repetition.cancel()
        await asyncio.wait({repetition})


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return libuv's loop, which halves the CPU of a small request; asyncio's where it is not."""
    try:
        import uvloop
    except ImportError:  # no wheel for this platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
