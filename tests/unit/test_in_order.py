"""Results come in the order of the work, however the answers overtake each other."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from random import Random

import pytest

from backfill.in_order import WINDOW_PER_SLOT, in_order


@pytest.mark.parametrize("seed", range(20))
async def test_results_come_in_the_order_of_the_work_with_at_most_so_many_at_once(
    seed: int,
) -> None:
    """If this fails, verdicts are written under other rows, or a store is flooded."""
    random = Random(seed)
    slots, pieces = random.randint(1, 9), random.randint(0, 400)
    running = most = begun = given = 0

    async def answer(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(random.randint(0, 12)):
            await asyncio.sleep(0)
        running -= 1
        return number

    def work() -> Iterator[int | Callable[[], Awaitable[int]]]:
        nonlocal begun
        for number in range(pieces):
            begun += 1
            assert begun - given <= slots * WINDOW_PER_SLOT + slots, "the window is bounded"
            yield number if random.random() < 0.3 else partial(answer, number)

    got: list[int] = []

    def sink(number: int) -> None:
        nonlocal given
        given += 1
        got.append(number)

    await in_order(work(), sink, slots=slots)
    assert got == list(range(pieces))
    assert most <= slots


async def test_one_slow_piece_holds_the_window_and_not_more() -> None:
    """If this fails, one large object lets memory grow with all that follows it."""
    release = asyncio.Event()
    begun = 0

    async def slow() -> int:
        await release.wait()
        return 0

    def work() -> Iterator[int | Callable[[], Awaitable[int]]]:
        nonlocal begun
        for number in range(10_000):
            begun += 1
            yield slow if number == 0 else number

    got: list[int] = []
    task = asyncio.create_task(in_order(work(), got.append, slots=2))
    for _ in range(200):
        await asyncio.sleep(0)
    assert begun <= 2 * WINDOW_PER_SLOT + 2
    assert got == []
    release.set()
    await task
    assert got == list(range(10_000))


@pytest.mark.parametrize("where", ["piece", "work", "sink"])
async def test_the_first_failure_ends_all_and_is_raised_as_it_is(where: str) -> None:
    """If this fails, a store that refuses everything is asked for every key, or a bug is hidden."""
    ended = 0

    async def piece(number: int) -> int:
        nonlocal ended
        try:
            if where == "piece" and number == 5:
                raise ValueError(where)
            await asyncio.sleep(0 if number < 8 else 3600)
        finally:
            ended += 1
        return number

    def work() -> Iterator[Callable[[], Awaitable[int]]]:
        for number in range(100):
            if where == "work" and number == 5:
                raise ValueError(where)
            yield partial(piece, number)

    def sink(number: int) -> None:
        if where == "sink" and number == 5:
            raise ValueError(where)

    with pytest.raises(ValueError, match=where):
        await in_order(work(), sink, slots=4)
    assert ended < 100
