"""A deep verification downloads no more bytes a second than it may."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random

import pytest

from backfill.verify.bandwidth import Bandwidth


class CountedClock:
    """Port Clock whose time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.at_s

    async def sleep(self, duration_s: float) -> None:
        assert duration_s > 0, "nobody sleeps for nothing"
        until_s = self.at_s + duration_s
        await asyncio.sleep(0)
        self.at_s = max(self.at_s, until_s)


async def stream(sizes: list[int]) -> AsyncIterator[bytes]:
    for size in sizes:
        yield bytes(size)


@pytest.mark.parametrize("seed", range(10))
async def test_streams_together_keep_the_limit_and_use_it(seed: int) -> None:
    """If this fails, --max-bandwidth lets through what it was set against, or starves the look."""
    random, clock, limit = Random(seed), CountedClock(), 1_000_000
    bandwidth = Bandwidth(limit, clock)
    sizes = [[random.randint(0, 200_000) for _ in range(20)] for _ in range(4)]
    passed: list[tuple[float, int]] = []

    def note(size: int) -> None:
        passed.append((clock.at_s, size))

    async def download(mine: list[int]) -> None:
        chunks = bandwidth.paced(stream(mine))
        async for chunk in chunks:
            note(len(chunk))

    begun_s = clock.at_s
    await asyncio.gather(*(download(mine) for mine in sizes))
    total = sum(map(sum, sizes))
    assert sum(size for _, size in passed) == total
    took_s = clock.at_s - begun_s
    assert took_s == pytest.approx(total / limit, abs=0.25)
    for at_s, _ in passed:
        so_far = sum(size for then_s, size in passed if then_s <= at_s)
        assert so_far <= (at_s - begun_s) * limit + 4 * 200_000


async def test_without_a_limit_nothing_waits_and_a_left_stream_is_closed() -> None:
    """If this fails, an unlimited look sleeps, or half-read answers hold their connections."""
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    paced = Bandwidth(0, CountedClock()).paced(endless())
    assert [await anext(paced) for _ in range(3)] == [b"x"] * 3
    await paced.aclose()
    assert closed == [True]
