"""A rest ends at once when the run is asked to stop, and only then."""

import asyncio

import pytest

from backfill.errors import InterruptedRunError
from backfill.execute.stop import StopRequest


async def test_a_rest_that_nobody_interrupts_comes_to_its_end() -> None:
    stop, rested = StopRequest(), []

    async def rest() -> None:
        await asyncio.sleep(0)
        rested.append(True)

    await stop.pause(rest())
    assert rested == [True]


async def test_a_signal_ends_a_rest_that_would_never_end() -> None:
    """If this fails, Ctrl-C waits for a report that is two minutes late."""
    stop = StopRequest()
    for_ever = asyncio.Event()

    async def rest() -> None:
        await for_ever.wait()

    pausing = asyncio.create_task(stop.pause(rest()))
    await asyncio.sleep(0)
    stop.request(15)
    with pytest.raises(InterruptedRunError) as stopped:
        await pausing
    assert stopped.value.exit_status == 143
    with pytest.raises(InterruptedRunError):
        await stop.pause(asyncio.sleep(0))
