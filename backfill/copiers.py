"""Copy processes beside the holder of a run directory: started, heard, drained, never left behind.

What they say to each other is a length and a pickle over a socket pair that nobody else has.
Never passes an object: each process reads the manifest and keeps a journal of its own shard.
Law: when `carry_out` returns or raises, no process of it is left.
"""

import asyncio
import contextlib
import pickle
import socket
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from backfill.campaign import Campaign
from backfill.compose import Machine, written_outcomes
from backfill.errors import BackfillError, InterruptedRunError
from backfill.events.copying import ProcessesStarted
from backfill.execute.shards import Shard
from backfill.execute.stop import StopRequest
from backfill.model.outcome import Outcome
from backfill.plan.header import PlanHeader
from backfill.ports import ArtifactIndex, Event, Events, ProgressCounts
from backfill.settings import Settings

LENGTH: Final = struct.Struct("<I")
DRAIN: Final = "drain"
END: Final = "end"
END_WAIT_S: Final = 5.0
"""How long a process that was told to end at once may take before it is killed."""
SIGKILL: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class CopierTask:
    """What a copy process is to do. The campaign's limits are already its share of them."""

    campaign: Campaign
    run_directory: Path
    manifest: ArtifactIndex
    header: PlanHeader
    shard: Shard
    has_jobs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last message of a copy process: what it ended with, None where all is done."""

    error: BackfillError | None


def packed(message: object) -> bytes:
    """Return a message as it is sent."""
    data = pickle.dumps(message)
    return LENGTH.pack(len(data)) + data


async def received(reader: asyncio.StreamReader) -> object:
    """Return the next message of the process at the other end.

    Raises:
        EOFError: It has gone.
    """
    try:
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        data = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as gone:
        raise EOFError("the other process has gone") from gone
    # The socket pair was made for these two processes; nobody else can write to it.
    return pickle.loads(data)  # noqa: S301 - as said above


def share_of(campaign: Campaign, processes: int) -> Campaign:
    """Return the campaign with the limits of one of so many processes: together, no more."""
    settings = campaign.settings
    # Each process has its share, so that none has to ask another before it sends.
    share = replace(
        settings,
        concurrency=_share(settings.concurrency, processes),
        parts_in_flight_max=_share(settings.parts_in_flight_max, processes),
        requests_per_second_max=_share(settings.requests_per_second_max, processes),
        processes=1,
    )
    return replace(campaign, settings=share)


def _share(limit: int, processes: int) -> int:
    """Return the share of a limit; 0 means no limit, and stays."""
    return max(1, limit // processes) if limit else 0


def processes_allowed(settings: Settings) -> int:
    """Return how many processes there may be: what is less than one each cannot be shared."""
    wanted = settings.processes
    return min(
        wanted,
        settings.concurrency,
        settings.parts_in_flight_max,
        settings.requests_per_second_max or wanted,
    )


class Copiers:
    """The copy processes of one manifest; `tasks` are what they do, one each.

    `lock` is the descriptor of the run directory's lock, which they share.
    """

    def __init__(
        self,
        tasks: Sequence[CopierTask],
        *,
        at_once: int,
        lock: int,
        here: Machine,
        events: "Together",
    ) -> None:
        assert tasks, "without tasks there is nothing to start"
        self._tasks = tasks
        self._turns = asyncio.Semaphore(max(1, at_once))
        self._lock = lock
        self._here = here
        self._events = events

    async def carry_out(self, stop: StopRequest) -> None:
        """Have every task carried out.

        Raises:
            BackfillError: What a process ended with; the others were drained.
            InterruptedRunError: `stop` was requested, or a process was killed.
        """
        self._events.emit(ProcessesStarted(processes=len(self._tasks) + 1))
        try:
            async with asyncio.TaskGroup() as group:
                for task in self._tasks:
                    group.create_task(self._carry_out(task, stop))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def outcomes(self) -> Iterator[Outcome]:
        """Stream the outcomes of all tasks in entry order, from their journals."""
        for task in self._tasks:
            yield from written_outcomes(self._here, task.manifest, task.shard.number)

    async def _carry_out(self, task: CopierTask, stop: StopRequest) -> None:
        async with self._turns:
            if stop.draining.is_set():
                raise stop.error()
            async with started(task, self._lock) as (reader, writer, process):
                hearing = asyncio.create_task(self._hear(reader, task))
                orders = _Orders(writer)
                telling = asyncio.create_task(orders.pass_on(stop))
                try:
                    ended = await asyncio.shield(hearing)
                except asyncio.CancelledError:
                    # Another process, or the holder's own work, failed: end what was begun.
                    orders.give(DRAIN)
                    limit_s = task.campaign.settings.drain_timeout_s
                    await asyncio.wait({hearing}, timeout=limit_s)
                    raise
                finally:
                    for each in (hearing, telling):
                        each.cancel()
                    await asyncio.wait({hearing, telling})
                code = await process.wait()
        if ended is None:
            raise InterruptedRunError(
                f"a copy process ended by itself (code {code}); what it copied is recorded",
                hint="run the same command again to go on; if it was killed for its memory, "
                "lower --processes or --concurrency",
                signal_number=-code if code < 0 else SIGKILL,
            )
        if isinstance(ended.error, InterruptedRunError) and stop.draining.is_set():
            raise stop.error()  # it knows that it was told to drain, not by which signal
        if ended.error is not None:
            raise ended.error

    async def _hear(self, reader: asyncio.StreamReader, task: CopierTask) -> Ended | None:
        """Log and count what a process says; return how it ended, None if it was killed."""
        while True:
            try:
                message = await received(reader)
            except EOFError:
                return None
            if isinstance(message, Ended):
                return message
            if isinstance(message, ProgressCounts):
                self._events.add(task.shard.number, message)
            else:
                self._events.emit(cast("Event", message))  # a process says nothing else


@asynccontextmanager
async def started(
    task: CopierTask, lock: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.subprocess.Process]]:
    """Start a process with its task; leaving ends it at once if it still runs."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "backfill.cli.copier",
            str(theirs.fileno()),
            str(lock),
            pass_fds=(theirs.fileno(), lock),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            writer.write(packed(task))
            yield reader, writer, process
        finally:
            await _ended(process, writer)


class _Orders:
    """What one process is told, each word once: it may be drained for two reasons."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._given: set[str] = set()

    async def pass_on(self, stop: StopRequest) -> None:
        """Tell it what the run is asked."""
        await stop.draining.wait()
        self.give(DRAIN)
        await stop.ending.wait()
        self.give(END)

    def give(self, word: str) -> None:
        """Send a word, unless it was sent: a second one would mean to end at once."""
        if word in self._given:
            return
        self._given.add(word)
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._writer.write(packed(word))


async def _ended(process: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
    """See a process off: its socket's end tells it to go; who does not go is killed."""
    with contextlib.suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()
    try:
        async with asyncio.timeout(END_WAIT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Together:
    """The port Events of the holder: progress is the sum of what all processes told last."""

    def __init__(self, events: Events, total: int) -> None:
        self._events = events
        self._total = total
        self._own = ProgressCounts(stage="execute", done=0)
        self._others: dict[int, ProgressCounts] = {}

    def emit(self, event: Event) -> None:
        """Log one event."""
        self._events.emit(event)

    def progress(self, counts: ProgressCounts) -> None:
        """Take the holder's own totals, and show the sum."""
        self._own = counts
        self._show()

    def add(self, shard: int, counts: ProgressCounts) -> None:
        """Take a copy process's totals, and show the sum: the holder may have no more to tell."""
        self._others[shard] = counts
        self._show()

    def _show(self) -> None:
        own = self._own
        errors = Counter(dict(own.errors or {}))
        done, bytes_done = own.done, own.bytes_done
        for other in self._others.values():
            done += other.done
            bytes_done += other.bytes_done
            errors.update(other.errors or {})
        everybody = (own, *self._others.values())
        self._events.progress(
            replace(
                own,
                done=done,
                bytes_done=bytes_done,
                total=self._total,
                errors=errors,
                waiting=sum(each.waiting for each in everybody),
                waiting_since=min(
                    (each.waiting_since for each in everybody if each.waiting_since is not None),
                    default=None,
                ),
            )
        )
