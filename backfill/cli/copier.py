"""A copy process: it carries out one shard of a manifest, and tells the holder how far it is.

    python -m backfill.cli.copier CHANNEL LOCK          (started by `copiers`, never by a person)

Both are inherited descriptors: a socket to the holder, and the run directory's lock, which is
shared, so that no other run begins while a copy process still works.
Never talks to a person, never passes an object to another process: what it has done is in its own
journal.
Law: when the holder goes, it ends; its open intents are settled by the next run.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

from backfill.aws.faults import error_of
from backfill.aws.pace import Pace
from backfill.cli import loop
from backfill.compose import Machine, clients, joined, journal, machine
from backfill.copiers import END, CopierTask, Ended, packed, received
from backfill.errors import BackfillError, BugError, StoreFault
from backfill.execute.bench import ExecutePorts
from backfill.execute.run import ExecuteJob, carry_out_shard
from backfill.execute.stop import StopRequest
from backfill.manifest.rows import entry_of
from backfill.ports import Event, ProgressCounts
from backfill.run_directory.pulse import Pulse
from backfill.work_done import large_entries

TOLD_EVERY_S: Final = 0.5
"""Pause between two words of progress to the holder."""
ALIVE_EVERY_S: Final = 10.0
"""Pause between two signs of life where nothing ends."""


class Told:
    """How the copy process talks to the holder: the port Events, sent instead of shown."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._newest: ProgressCounts | None = None
        self._told_at_s = 0.0

    def emit(self, event: Event) -> None:
        """Send one event; the holder logs it."""
        self.send(event)

    def progress(self, counts: ProgressCounts) -> None:
        """Send the newest totals, twice a second."""
        self._newest = replace(counts, errors=dict(counts.errors or {}))
        now_s = asyncio.get_running_loop().time()
        if now_s - self._told_at_s >= TOLD_EVERY_S:
            self._told_at_s = now_s
            self.send(self._newest)

    def alive(self, pace: Pace, pulse: Pulse) -> Callable[[], None]:
        """Return what sends the newest totals again wherever requests went on, or a pause goes on.

        The holder tells by it a copy of hours, in parts, or a restore, from a process that hangs.
        """
        sent = 0

        def look() -> None:
            nonlocal sent
            if pace.sent != sent or pace.under_way or pulse.is_resting:
                sent = pace.sent
                self.send(self._newest or ProgressCounts(stage="execute", done=0))

        return look

    def finish(self, error: BackfillError | None) -> None:
        """Send the last totals, and how it ended."""
        if self._newest is not None:
            self.send(self._newest)
        self.send(Ended(error=error))

    def send(self, message: object) -> None:
        """Send one message."""
        self._writer.write(packed(message))


CarryOut = Callable[[CopierTask, Told, StopRequest], Awaitable[None]]


async def work(channel: socket.socket, lock: int) -> int:
    """Carry out the shard that the holder names; return the exit code."""
    reader, writer = await asyncio.open_connection(sock=channel)
    return await serve(reader, writer, partial(_carry_out, lock))


async def serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carry_out: CarryOut
) -> int:
    """Have the task carried out that the holder names, and tell it all; return the exit code."""
    task = await received(reader)
    assert isinstance(task, CopierTask), "the holder names the task first"
    stop = StopRequest()
    told = Told(writer)
    error: BackfillError | None = None
    obeying = asyncio.create_task(obey(reader, stop))
    try:
        await carry_out(task, told, stop)
    except BackfillError as known:
        error = known
    except StoreFault as fault:
        error = error_of(fault)
    # A bug of ours is the holder's to tell, like any other error.
    except Exception as bug:  # noqa: BLE001 - as said above
        error = BugError(f"a copy process failed: {type(bug).__name__}: {bug}")
    finally:
        obeying.cancel()
        await asyncio.wait({obeying})
    with contextlib.suppress(ConnectionError):
        told.finish(_plain(error))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    return 0 if error is None else error.exit_status


def _plain(error: BackfillError | None) -> BackfillError | None:
    """Return the error without its chain, which may hold what cannot be sent."""
    if error is not None:
        error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


async def obey(reader: asyncio.StreamReader, stop: StopRequest) -> None:
    """Drain or end as the holder says; end when it has gone."""
    try:
        while True:
            word = await received(reader)
            stop.request()
            if word == END:
                stop.request()
    except EOFError:
        stop.request()
        stop.request()


async def _carry_out(lock: int, task: CopierTask, told: Told, stop: StopRequest) -> None:
    with joined(machine(task.run_directory), lock) as here:
        async with (
            clients(task.campaign, here, told) as both,
            journal(here, task.manifest, shard=task.shard.number) as opened,
        ):
            assert both.pace is not None, "real clients have a pace"
            assert here.pulse is not None, "a machine of our own has a pulse"
            alive = told.alive(both.pace, here.pulse)
            ports = ExecutePorts(
                source=both.source,
                destination=both.destination,
                control=both.destination_control,
                journal=opened,
                artifacts=here.artifacts,
                events=told,
                clock=here.clock,
                random=here.random,
                error_of=error_of,
                budget=both.budget,
                keep=here.keep_documents,
            )
            job = job_of(task, here)
            async with loop.repeating(alive, gap_s=ALIVE_EVERY_S):
                await carry_out_shard(job, task.shard, ports, stop, has_jobs=task.has_jobs)


def job_of(task: CopierTask, here: Machine) -> ExecuteJob:
    """Return what `execute` is to do of a task: the rows of its shard."""
    name, (_, first, end) = task.manifest.name, task.shard
    return ExecuteJob(
        header=task.header,
        manifest=task.manifest,
        entries=lambda: map(entry_of, islice(here.artifacts.rows(name, start=first), end - first)),
        large_entries=large_entries(here.artifacts, task.manifest, first=first, end=end),
        outcomes_name="",
        allows_hiding=task.campaign.allows_hiding,
        settings=task.campaign.settings,
        leaves_newer_out=task.campaign.scope.created_before is not None,
        restore=task.campaign.restore,
        shard=task.shard.number,
    )


def main() -> int:
    """Work on what the holder names."""
    # Ctrl-C reaches every process of a terminal; the holder alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel, lock = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    return loop.run(work(channel, lock))


if __name__ == "__main__":
    sys.exit(main())
