"""Copy processes on the virtual loop: a pair of pipes, a life that may be killed, an exit code.

Stands in for `copiers.started`, which starts real ones. What they say goes through the same bytes.
Law: the dead say nothing, and whoever they talked to reads to the end of what they had said.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from backfill.copiers import CopierTask, packed
from tests.doubles.simulated_s3 import Process

LAG_S = 0.002
AT_WORK: ContextVar[Process] = ContextVar("AT_WORK")
"""The copy process whose code runs; unset for the holder's."""
KILLED = -9

Serve = Callable[[asyncio.StreamReader, "Pipe", Process], Coroutine[object, object, int]]
"""Does what `backfill.cli.copier` does with a channel, as one process; returns its exit code."""


class Pipe:
    """One direction of a channel, from its writer's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: Process) -> None:
        self._reader = reader
        self._writer = writer
        self._due_s = 0.0
        self._is_closed = False
        writer.on_death.append(self.close)

    def write(self, data: bytes) -> None:
        if not self._is_closed and not self._writer.is_dead:
            self._later(lambda: self._reader.feed_data(data))

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._later(self._reader.feed_eof)

    async def drain(self) -> None:
        await asyncio.sleep(0)

    async def wait_closed(self) -> None:
        assert self._is_closed, "who waits has closed it"

    def _later(self, act: Callable[[], None]) -> None:
        """Act after the lag, and after whatever was said before."""
        loop = asyncio.get_running_loop()
        self._due_s = max(self._due_s + 1e-6, loop.time() + LAG_S)
        loop.call_at(self._due_s, act)


@dataclass(slots=True)
class Child:
    """A copy process as its holder sees it."""

    process: Process
    life: "asyncio.Task[int]"

    async def wait(self) -> int:
        await asyncio.wait({self.life})
        return KILLED if self.life.cancelled() else self.life.result()

    def kill(self) -> None:
        self.process.die()


@dataclass(slots=True)
class Nursery:
    """The copy processes of one holder, in one life of it."""

    holder: Process
    serve: Serve
    children: list[Child] = field(default_factory=list)

    @property
    def living(self) -> list[Process]:
        """Return the holder and all that are at work for it."""
        alive = [child.process for child in self.children if not child.life.done()]
        return [self.holder, *alive]

    @asynccontextmanager
    async def started(
        self, task: CopierTask, lock: int
    ) -> AsyncIterator[tuple[asyncio.StreamReader, Pipe, Child]]:
        """Start a copy process; leaving ends it at once if it still runs."""
        assert lock is not None, "who starts one holds the run directory"
        process = Process(f"{self.holder.name} shard {task.shard.number}")
        here, there = asyncio.StreamReader(), asyncio.StreamReader()
        orders, words = Pipe(there, self.holder), Pipe(here, process)
        life = asyncio.create_task(self._live(there, words, process))
        process.on_death.append(life.cancel)
        child = Child(process, life)
        self.children.append(child)
        try:
            orders.write(packed(task))
            yield here, orders, child
        finally:
            orders.close()
            await asyncio.wait({life}, timeout=5.0)
            child.kill()
            await asyncio.wait({life})

    async def _live(self, reader: asyncio.StreamReader, words: Pipe, process: Process) -> int:
        AT_WORK.set(process)
        try:
            return await self.serve(reader, words, process)
        finally:
            process.is_dead = True
            words.close()
