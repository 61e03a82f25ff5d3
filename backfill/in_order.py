"""Work with many requests in flight, and results in the order in which it was begun.

A few long-lived slots share one line of work: a task for each piece would cost as much as the
request that it makes. Neighbouring pieces may be a run, which reaches the sink as one: then a piece
costs its slot a turn of a loop, and nothing is made for it. Stages use it (plan, verify); it knows
none of them.
Never holds more than a window of results.
Law: runs, and so results, reach the sink exactly in the order of the work.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar

WINDOW_PER_SLOT: Final = 8
"""Results held for each slot: one slow answer (bytes of a large object) does not stop the others
until the window is full behind it."""
BREATH: Final = 256
"""Pieces that need no request, done in one go before signals and other tasks get their turn."""

T = TypeVar("T")


class Run:
    """Neighbouring pieces, `size` of them; what comes of each is kept by whoever derives from it.

    `open_places`: which of them are to be worked on; `left`: how many of those are not done.
    """

    __slots__ = ("left", "open_places", "size")

    def __init__(self, size: int, open_places: Sequence[int]) -> None:
        self.size = size
        self.open_places = open_places
        self.left = len(open_places)


R = TypeVar("R", bound=Run)


class Line(Generic[R]):
    """Runs that slots work off together. A run may not have more than `window_max` pieces."""

    def __init__(self, runs: Iterable[R], sink: Callable[[R], None], *, window_max: int) -> None:
        self._runs = runs
        self._sink = sink
        self._window_max = window_max
        self._window: deque[R] = deque()
        self._held = 0
        self._is_full = False
        self._has_moved = asyncio.Event()
        self.pieces: Final = self._pieces()
        """What no slot has taken yet, a run and a place in it; None: the slot has to `pause`."""

    async def work_off(self, serve: Callable[[], Coroutine[None, None, None]], slots: int) -> None:
        """Have so many slots `serve`, until no piece is left or one fails."""
        assert slots > 0, "work needs a slot"
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(slots):
                    group.create_task(serve())
        except BaseExceptionGroup as failures:
            # The first failure cancelled the others, so it is the one to tell.
            raise failures.exceptions[0] from None
        assert not self._window, "every result reached the sink"

    async def pause(self) -> None:
        """Let others have their turn, and wait while the window is full."""
        await asyncio.sleep(0)
        # The first run is being worked on by other slots: who waits here waits for them.
        while self._is_full:
            self._has_moved.clear()
            await self._has_moved.wait()

    def finish_one(self, run: R) -> None:
        """Count a piece of a run as done, and give away every run that has its turn."""
        run.left -= 1
        window = self._window
        if run.left or run is not window[0]:
            return
        while window and not window[0].left:
            run = window.popleft()
            self._held -= run.size
            self._sink(run)
        if self._is_full:
            self._is_full = False
            self._has_moved.set()

    def _pieces(self) -> Iterator[tuple[R, int] | None]:
        window, passed = self._window, 0
        for run in self._runs:
            assert run.size <= self._window_max, "a run fits into the window"
            while window and self._held + run.size > self._window_max:
                self._is_full = True
                yield None
            if run.left or window:
                self._held += run.size
                window.append(run)
            else:
                self._sink(run)
            for place in run.open_places:
                yield run, place
            passed += run.size
            if passed >= BREATH:
                passed = 0
                yield None


class _Piece(Run, Generic[T]):
    """A run of one piece: its result, or a callable that begins what gives it."""

    __slots__ = ("begin", "result")

    begin: Callable[[], Awaitable[T]]
    result: T

    def __init__(self, piece: T | Callable[[], Awaitable[T]]) -> None:
        self.size = 1  # not by the base class: there may be one for each object
        if callable(piece):
            self.open_places, self.left, self.begin = _FIRST, 1, piece
        else:
            self.open_places, self.left, self.result = (), 0, piece


_FIRST: Final = (0,)


async def in_order(
    work: Iterable[T | Callable[[], Awaitable[T]]], sink: Callable[[T], None], *, slots: int
) -> None:
    """Carry out work, at most `slots` pieces at a time, and hand each result to `sink`.

    A piece is its result already, or a callable that begins what gives it. The first failure
    cancels the rest and is raised as it is.
    """

    def give(piece: _Piece[T]) -> None:
        sink(piece.result)

    made: Callable[[T | Callable[[], Awaitable[T]]], _Piece[T]] = _Piece
    line = Line(map(made, work), give, window_max=slots * WINDOW_PER_SLOT)

    async def serve() -> None:
        for taken in line.pieces:
            if taken is None:
                await line.pause()
            else:
                piece, _ = taken
                piece.result = await piece.begin()
                line.finish_one(piece)

    await line.work_off(serve, slots)
