"""Work with many requests in flight, and results in the order in which it was begun.

A few long-lived slots share one stream of work: a task for each piece would cost as much as the
request that it makes. Stages use it (plan, verify); it knows none of them.
Never holds more than a window of results.
Law: results reach the sink exactly in the order of the work.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

WINDOW_PER_SLOT: Final = 8
"""Results held for each slot: one slow answer (bytes of a large object) does not stop the others
until the window is full behind it."""
BREATH: Final = 256
"""Pieces that need no request, done in one go before signals and other tasks get their turn."""

T = TypeVar("T")


class _Place(Generic[T]):
    """A place in the order, for a result to come."""

    __slots__ = ("is_filled", "result")

    result: T

    def __init__(self) -> None:
        self.is_filled = False


async def in_order(
    work: Iterable[T | Callable[[], Awaitable[T]]], sink: Callable[[T], None], *, slots: int
) -> None:
    """Carry out work, at most `slots` pieces at a time, and hand each result to `sink`.

    A piece is its result already, or a callable that begins what gives it. The first failure
    cancels the rest and is raised as it is.
    """
    assert slots > 0, "work needs a slot"
    ordered = _Ordered(iter(work), sink, window_max=slots * WINDOW_PER_SLOT)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(slots):
                group.create_task(ordered.serve())
    except BaseExceptionGroup as failures:
        # The first failure cancelled the others, so it is the one to tell.
        raise failures.exceptions[0] from None
    assert ordered.is_empty, "every result reached the sink"


class _Ordered(Generic[T]):
    """One stream of work and the window of its results."""

    def __init__(
        self,
        work: Iterator[T | Callable[[], Awaitable[T]]],
        sink: Callable[[T], None],
        *,
        window_max: int,
    ) -> None:
        self._work = work
        self._sink = sink
        self._window_max = window_max
        self._window: deque[_Place[T]] = deque()
        self._has_moved = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Return whether no result is held."""
        return not self._window

    async def serve(self) -> None:
        """Take pieces until there are no more."""
        window = self._window
        for passed, piece in enumerate(self._work, start=1):
            if callable(piece):
                place: _Place[T] = _Place()  # subscripting a class takes as long as making it
                window.append(place)
                place.result = await piece()
                place.is_filled = True
                self._hand_over()
            elif window:
                place = _Place()
                place.result, place.is_filled = piece, True
                window.append(place)
            else:
                self._sink(piece)
            if passed % BREATH == 0:
                await asyncio.sleep(0)
            # The first place is another slot's, and being filled: who waits here waits for it.
            while len(window) >= self._window_max:
                self._has_moved.clear()
                await self._has_moved.wait()

    def _hand_over(self) -> None:
        """Give away every result that has its turn."""
        window = self._window
        while window and window[0].is_filled:
            self._sink(window.popleft().result)
        if not self._has_moved.is_set():
            self._has_moved.set()
