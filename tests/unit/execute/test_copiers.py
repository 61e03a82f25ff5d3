"""The holder and its copy processes: what they are told, and what is made of how they end."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Self, cast

import pytest

from backfill.aws.clock import SystemClock
from backfill.aws.pace import Pace
from backfill.campaign import Campaign
from backfill.cli.copier import Told, obey
from backfill.compose import machine
from backfill.copiers import (
    Copiers,
    CopierTask,
    Together,
    processes_allowed,
    received,
    share_of,
)
from backfill.errors import BackfillError, InterruptedRunError, RefusedError
from backfill.execute.shards import Shard
from backfill.execute.stop import StopRequest
from backfill.plan.header import PlanHeader
from backfill.ports import ArtifactIndex, ProgressCounts
from backfill.run_directory.pulse import Pulse
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Talk
from tests.unit.execute.versioned_store import DESTINATION, SOURCE

Work = Callable[[StopRequest, Told], Awaitable[None]]
PATIENCE_S = 0.3
"""How long a child waits for an order that must not come: only a wrong one ends it sooner."""


@dataclass
class Child:
    """A copy process that lives in this one: `work` is what it does with its shard."""

    work: Work
    ended: asyncio.Task[None] | None = None

    async def live(self, channel: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=channel)
        task = await received(reader)
        assert isinstance(task, CopierTask)
        stop, told, error = StopRequest(), Told(writer), None
        obeying = asyncio.create_task(obey(reader, stop))
        try:
            await self.work(stop, told)
        except BackfillError as known:
            error = known
        obeying.cancel()
        await asyncio.wait({obeying})
        told.finish(error)
        await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def wait(self) -> int:
        assert self.ended is not None
        await self.ended
        return 0


@dataclass
class Fleet:
    """Copiers whose processes are children of this test."""

    works: list[Work]
    talk: Talk = field(default_factory=Talk)
    stop: StopRequest = field(default_factory=StopRequest)

    async def carry_out(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Self:
        waiting = iter(self.works)

        async def started(*_: str, pass_fds: tuple[int, int], **__: object) -> Child:
            child = Child(next(waiting))
            channel = socket.socket(fileno=os.dup(pass_fds[0]))
            child.ended = asyncio.create_task(child.live(channel))
            return child

        monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
        manifest = ArtifactIndex(
            name="manifest/00", columns=(), rows=30, digest="d", inputs={}, summary={}
        )
        header = PlanHeader(
            source=SOURCE, destinations=(DESTINATION,), horizon=datetime(2026, 1, 1, tzinfo=UTC)
        )
        tasks = [
            CopierTask(
                campaign=Campaign(source_bucket="from-bucket"),
                run_directory=folder,
                manifest=manifest,
                header=header,
                shard=Shard(number, 10 * number, 10 * number + 10),
                has_jobs=False,
            )
            for number in range(1, len(self.works) + 1)
        ]
        lock = os.open(folder, os.O_RDONLY)
        try:
            await Copiers(
                tasks,
                at_once=len(tasks),
                lock=lock,
                here=machine(folder),
                events=Together(self.talk, 30),
            ).carry_out(self.stop)
        finally:
            os.close(lock)
        return self


async def drained(stop: StopRequest, _told: Told) -> None:
    """End as soon as it is told to drain."""
    await stop.draining.wait()
    raise stop.error()


async def test_who_still_drains_is_not_hurried_by_those_who_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If this fails, the first process that has drained makes all others drop their copies."""
    hurried: list[bool] = []

    async def slow(stop: StopRequest, _told: Told) -> None:
        await stop.draining.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.ending.wait(), PATIENCE_S)
        hurried.append(stop.ending.is_set())
        raise stop.error()

    fleet = Fleet([drained, slow])
    # Once both are started; were it sooner, there would be nobody to hurry.
    asyncio.get_running_loop().call_later(0.05, fleet.stop.request, signal.SIGTERM)
    with pytest.raises(InterruptedRunError) as stopped:
        await fleet.carry_out(monkeypatch, tmp_path)
    assert hurried == [False]
    assert stopped.value.exit_status == 128 + signal.SIGTERM, "and the signal is the holder's"


async def test_who_fails_has_the_others_drained_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If this fails, a process goes on for hours after the run has failed, or the cause is lost."""

    async def failed(_stop: StopRequest, _told: Told) -> None:
        raise RefusedError("the disk is full", hint="make room")

    with pytest.raises(RefusedError, match="the disk is full") as refused:
        await Fleet([failed, drained]).carry_out(monkeypatch, tmp_path)
    assert refused.value.hint == "make room"


async def test_progress_goes_on_where_the_holder_has_nothing_left_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If this fails, a run stands still for hours in the eyes of whoever watches it."""

    def telling(done: int) -> Work:
        async def work(_stop: StopRequest, told: Told) -> None:
            told.progress(ProgressCounts(stage="execute", done=done, errors={"SlowDown": 1}))

        return work

    fleet = await Fleet([telling(4), telling(6)]).carry_out(monkeypatch, tmp_path)
    assert fleet.talk.counts[-1] == ProgressCounts(
        stage="execute", done=10, total=30, errors={"SlowDown": 2}
    )


def test_a_copy_process_shows_life_while_requests_or_a_stated_pause_go_on(tmp_path: Path) -> None:
    """If this fails, a copy of hours or a restore in another process passes for one that hangs."""
    sent: list[bytes] = []
    rest_s = 0.0
    told = Told(cast("asyncio.StreamWriter", SimpleNamespace(write=sent.append)))
    pace = Pace(clock=SystemClock(), events=told)
    look = told.alive(pace, Pulse(tmp_path, rest_left_s=lambda: rest_s))
    look()
    assert not sent
    pace.next_number()
    look()
    look()
    assert len(sent) == 1
    pace.under_way = 1
    look()
    pace.under_way, rest_s = 0, 3_600.0
    look()
    assert len(sent) == 3


@pytest.mark.parametrize(
    ("processes", "concurrency", "parts", "requests", "allowed"),
    [
        (4, 128, 64, 0, 4),
        (8, 1, 64, 0, 1),
        (8, 128, 3, 0, 3),
        (1000, 128, 64, 9, 9),
        (7, 9, 9, 9, 7),
    ],
)
def test_shares_together_are_no_more_than_the_limits(
    processes: int, concurrency: int, parts: int, requests: int, allowed: int
) -> None:
    """If this fails, `--concurrency 1` with eight processes copies eight objects at a time."""
    whole = replace(
        Settings(),
        processes=processes,
        concurrency=concurrency,
        parts_in_flight_max=parts,
        requests_per_second_max=requests,
    )
    assert processes_allowed(whole) == allowed
    campaign = Campaign(source_bucket="from-bucket", settings=whole)
    share = share_of(campaign, allowed).settings
    assert 0 < allowed * share.concurrency <= concurrency
    assert 0 < allowed * share.parts_in_flight_max <= parts
    assert allowed * share.requests_per_second_max <= requests
    assert bool(share.requests_per_second_max) == bool(requests), "0 is no limit, and stays"
