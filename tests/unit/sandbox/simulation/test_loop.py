"""The virtual-time loop: time, order, threads, and its refusal to hang."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from backfill.sandbox.simulation.loop import DeadlockError, StepLimitError, VirtualTimeLoop


def run(work: Callable[[], Awaitable[object]], **said: int) -> VirtualTimeLoop:
    async def main() -> None:
        await work()

    loop = VirtualTimeLoop(random=Random(3), **said)
    try:
        loop.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.close()
    return loop


def test_sleeping_takes_no_time_but_passes_it() -> None:
    """If this fails, simulated days take days, or clocks in it stand still."""
    assert run(lambda: asyncio.sleep(86_400.0)).time() == pytest.approx(86_400.0)


def test_what_can_never_come_is_an_error() -> None:
    """If this fails, a deadlock of the product hangs the test run instead of failing it."""
    with pytest.raises(DeadlockError):
        run(lambda: asyncio.Event().wait())


def test_what_goes_on_too_long_is_an_error() -> None:
    """If this fails, a busy loop of the product hangs the test run."""

    async def spin() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)

    with pytest.raises(StepLimitError):
        run(spin, steps_max=100)


@pytest.mark.parametrize("seed", range(3))
def test_the_seed_decides_the_order(seed: int) -> None:
    """If this fails, a seed cannot be replayed."""

    def order() -> list[int]:
        seen: list[int] = []

        async def note(number: int) -> None:
            await asyncio.sleep(0)
            seen.append(number)

        async def all_of_them() -> None:
            await asyncio.gather(*(note(number) for number in range(8)))

        loop = VirtualTimeLoop(random=Random(seed))
        loop.run_until_complete(all_of_them())
        loop.close()
        return seen

    first = order()
    assert first == order()
    assert sorted(first) == list(range(8))


def test_where_objects_lie_in_memory_decides_nothing() -> None:
    """If this fails, a group is cancelled in another order each time, and a seed goes two ways."""

    def order() -> list[int]:
        seen: list[int] = []

        async def wait(number: int) -> None:
            try:
                await asyncio.sleep(1.0)
            finally:
                seen.append(number)

        async def fail() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(12):
                    group.create_task(wait(number))
                await asyncio.sleep(0.5)
                raise OSError

        with pytest.raises(ExceptionGroup):
            run(fail)
        return seen

    elsewhere = [order() for _ in range(3)]
    assert elsewhere == [elsewhere[0]] * 3
    assert sorted(elsewhere[0]) == list(range(12))


def test_threads_run_in_place_and_hand_back_what_they_raise() -> None:
    """If this fails, files written beside a simulated loop depend on real threads."""

    def fail() -> None:
        raise OSError("no space")

    async def work() -> None:
        assert await asyncio.to_thread(lambda: 5) == 5
        with pytest.raises(OSError, match="no space"):
            await asyncio.to_thread(fail)

    assert run(work).unhandled == []


def test_a_callback_comes_between_two_rounds() -> None:
    """If this fails, crashes are injected elsewhere than where they were asked for."""
    told: list[int] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        begun = loop.steps
        loop.after_steps(3, lambda: told.append(loop.steps - begun))
        for _ in range(10):
            await asyncio.sleep(0)

    run(work)
    assert told == [3]
