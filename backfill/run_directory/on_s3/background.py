"""A thread with an event loop of its own, where the lease is renewed whatever else happens.

Planning and reading may keep the main loop busy for longer than a lease; this one goes on.
Never shares an object between loops but by `call`.
Law: when the context is left, its tasks have ended and the thread is gone.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self, TypeVar

from backfill.errors import BugError

T = TypeVar("T")

LOOK_EVERY_S: Final = 1.0
"""Between two looks whether the thread is still there; what it gives comes at once."""


class Background:
    """The thread. Use as a context manager."""

    def __init__(self) -> None:
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="run directory", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over: asyncio.Event | None = None
        self._waited_for: set[object] = set()

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
        with suppress(RuntimeError):  # its loop is closed already
            loop.call_soon_threadsafe(is_over.set)
        self._thread.join()

    @property
    def waited_for(self) -> int:
        """How many pieces of work somebody waits for; each has limits of its own."""
        return len(self._waited_for)

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Have something done there and wait for it, whatever this thread's own loop does."""
        with self._waiting():
            return self._result_of(self.start(work))

    def _result_of(self, future: Future[T]) -> T:
        try:
            # Finite: the work has its own limits, and a thread that is gone is noticed.
            while True:
                try:
                    return future.result(timeout=LOOK_EVERY_S)
                except TimeoutError:
                    if future.done():
                        return future.result()
                if not self._thread.is_alive():
                    raise BugError("the thread of the run directory is gone")
        finally:
            future.cancel()

    def start(self, work: Coroutine[object, object, T]) -> Future[T]:
        """Have something begun there."""
        assert self._loop is not None, "the thread has begun"
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def ask(self, work: Coroutine[object, object, T]) -> T:
        """Have something done there, while this thread's loop goes on."""
        with self._waiting():
            return await asyncio.wrap_future(self.start(work))

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        one = object()
        self._waited_for.add(one)
        try:
            yield
        finally:
            self._waited_for.discard(one)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._wait())

    async def _wait(self) -> None:
        self._loop, self._is_over = asyncio.get_running_loop(), asyncio.Event()
        self._is_ready.set()
        await self._is_over.wait()
