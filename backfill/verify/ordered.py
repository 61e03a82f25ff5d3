"""Work on keys with many requests in flight, and results in the order of the keys.

Never holds more than a window of results.
Law: results arrive exactly in the order in which work was begun.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

from backfill.verify.rows import Draft

Drafts = list[Draft]
Begin = Callable[[], Coroutine[None, None, Drafts]]
"""Begins work that needs requests; not called, it leaves no coroutine behind."""

WINDOW_PER_SLOT: Final = 8
"""Results held for each request in flight: one slow key (bytes of a large object) does not stop the
others until the window is full behind it."""
BREATH_KEYS: Final = 256
"""Keys that need no request, judged in one go before signals and other tasks get their turn."""


async def in_order(
    work: Iterable[Drafts | Begin],
    sink: Callable[[Drafts], None],
    *,
    limit: int,
) -> None:
    """Carry out work, at most `limit` coroutines at a time, and hand each result to `sink`.

    The first failure cancels the rest and is raised as it is.
    """
    turns = asyncio.Semaphore(limit)
    window: deque[Drafts | asyncio.Task[Drafts]] = deque()

    async def in_turn(begin: Begin) -> Drafts:
        async with turns:
            return await begin()

    async def hand_over() -> None:
        head = window.popleft()
        sink(head if isinstance(head, list) else await head)

    try:
        async with asyncio.TaskGroup() as group:
            for begun, item in enumerate(work):
                if isinstance(item, list):
                    window.append(item)
                else:
                    window.append(group.create_task(in_turn(item)))
                while window and (isinstance(window[0], list) or window[0].done()):
                    await hand_over()
                if len(window) >= limit * WINDOW_PER_SLOT:
                    await hand_over()
                if begun % BREATH_KEYS == 0:
                    await asyncio.sleep(0)
            while window:
                await hand_over()
    except BaseExceptionGroup as failures:
        # The first failure cancelled the others, so it is the one to tell.
        raise failures.exceptions[0] from None
