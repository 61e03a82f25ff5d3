"""A thread with an event loop of its own, where the lease is renewed whatever else happens.

Planning and reading may keep the main loop busy for longer than a lease; this one goes on.
Never shares an object between loops but by `call`.
Law: when the context is left, its tasks have ended and the thread is gone.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Background:
    """The thread. Use as a context manager."""

    def __init__(self) -> None:
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="run directory", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop, is_over = self._loop, self._is_over
        assert loop is not None, "the thread has begun"
        assert is_over is not None, "the thread has begun"
        loop.call_soon_threadsafe(is_over.set)
        self._thread.join()

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Have something done there and wait for it, whatever this thread's own loop does."""
        future = self.start(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def start(self, work: Coroutine[object, object, T]) -> Future[T]:
        """Have something begun there."""
        assert self._loop is not None, "the thread has begun"
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def ask(self, work: Coroutine[object, object, T]) -> T:
        """Have something done there, while this thread's loop goes on."""
        return await asyncio.wrap_future(self.start(work))

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._wait())

    async def _wait(self) -> None:
        self._loop, self._is_over = asyncio.get_running_loop(), asyncio.Event()
        self._is_ready.set()
        await self._is_over.wait()
