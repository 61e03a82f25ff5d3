"""A seeded nemesis against the driver: lost answers, throttles, lagging lists, deaths anywhere.

Two worlds, because each guard must hold alone: one in which S3 remembers tokens but may not list a
job for an hour, and one in which it forgets every token at once but lists a job within the lag that
the driver allows for. In both, no order may ever have two jobs, and none may be left without.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from random import Random

import pytest

from backfill.aws.faults import error_of
from backfill.batch_operations.driver import DriverPorts, carry_out_jobs
from backfill.batch_operations.ledger import decoded
from backfill.batch_operations.orders import EndedJob
from backfill.errors import InterruptedRunError, JobWaitsError, RefusedError
from backfill.execute.stop import StopRequest
from backfill.model.jobs import JobStatus
from backfill.ports import ArtifactStore
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from backfill.settings import Settings
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_batch import PATHS, JobBook, ModelBatch
from tests.doubles.virtual_clock import VirtualClock
from tests.unit.batch_operations.ordering import order

LEDGER = "jobs/00.json"
LIVES_MAX = 60
FAULTS_UNTIL_S = 7200.0
SEEDS = 300


class Silence:
    """The port Events, for nobody."""

    def emit(self, event: object) -> None:
        assert event is not None, "an event is one"

    def progress(self, counts: object) -> None:
        assert counts is not None, "counts are some"


class DiskDiedError(BaseException):
    """The machine died at its disk."""


class DyingArtifacts(MemoryArtifacts):
    """Documents in memory; the machine dies before or after the write whose turn it is."""

    dies_at: tuple[int, bool] | None = None
    writes = 0

    def write_document(self, name: str, data: bytes) -> None:
        self.writes += 1
        number, is_written = self.dies_at or (0, False)
        if self.writes != number:
            super().write_document(name, data)
            return
        if is_written:
            super().write_document(name, data)
        raise DiskDiedError


class Story:
    """One seed: what S3 does, what befalls the processes, and what came of it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.clock = VirtualClock()
        self.artifacts = DyingArtifacts()
        self.endings: list[str] = []
        self.ended: tuple[EndedJob, ...] = ()
        random = self.random = Random(f"story {seed}")
        forgets = random.random() < 0.5
        needs_confirmation = random.random() < 0.2
        self.settings = Settings(active_jobs_max=random.randint(1, 3), job_poll_s=30.0)
        self.book = JobBook(
            clock=self.clock,
            random=Random(f"book {seed}"),
            token_memory_s=0.0 if forgets else float("inf"),
            listing_lag_s=35.0 if forgets else random.choice((0.0, 60.0, 3600.0)),
            status_s=random.choice((5.0, 60.0, 600.0)),
            loses_descriptions=random.random() < 0.1,
            paths=PATHS,
        )
        self.rate = random.choice((0.0, 0.1, 0.3))
        self.orders = [
            order(shard, needs_confirmation=needs_confirmation)
            for shard in range(random.randint(1, 6))
        ]
        for number in range(random.randint(0, 12)):
            # Jobs of other people, and one that a person cloned from a run of somebody else.
            text = "" if number % 3 else "backfill-token=" + "0" * 32
            self.book.add(f"other-{number}", description=text)

    async def lives(self, loop: VirtualTimeLoop) -> None:
        """Live, die and live again until a process comes to its end."""
        for life in range(LIVES_MAX):
            stop = StopRequest()
            task = asyncio.create_task(self.process(life, stop))
            if self.random.random() < 0.7 and loop.time() < FAULTS_UNTIL_S:
                moment = int(self.random.triangular(1, 600, 20))
                loop.after_steps(moment, self.struck(task, stop))
            self.artifacts.writes = 0
            self.artifacts.dies_at = None
            if self.random.random() < 0.2 and loop.time() < FAULTS_UNTIL_S:
                self.artifacts.dies_at = self.random.randint(1, 6), self.random.random() < 0.5
            with suppress(asyncio.CancelledError, DiskDiedError):
                await asyncio.wait({task})
                self.endings.append(await self.ending(task))
            if self.ended:
                return
            await asyncio.sleep(self.random.choice((0.0, 1.0, 20.0, 4000.0)))

    def struck(
        self, task: asyncio.Task[tuple[EndedJob, ...]], stop: StopRequest
    ) -> Callable[[], None]:
        if self.random.random() < 0.3:
            return stop.request
        return partial(_cancel, task)

    async def ending(self, task: asyncio.Task[tuple[EndedJob, ...]]) -> str:
        try:
            self.ended = await task
        except JobWaitsError:
            self.confirm_some()
            return "waits"
        except InterruptedRunError:
            return "stopped"
        except RefusedError:
            # Faults may last longer than the driver bears; then a person starts it again.
            return "gave up" if self.rate else "refused"
        return "done"

    def confirm_some(self) -> None:
        now = self.clock.now()
        waiting = [job for job in self.book.ours if job.status(now) is JobStatus.SUSPENDED]
        assert waiting, "what is said to wait does wait"
        for job in self.random.sample(waiting, self.random.randint(1, len(waiting))):
            self.book.confirm(job.job_id)

    async def process(self, life: int, stop: StopRequest) -> tuple[EndedJob, ...]:
        random = Random(f"life {self.seed} {life}")
        is_calm = asyncio.get_running_loop().time() > FAULTS_UNTIL_S
        batch = ModelBatch(
            self.book, random, rate=0.0 if is_calm else self.rate, arrives_late_s=15.0
        )
        ports = driver_ports(batch, self.artifacts, self.clock, random)
        return await carry_out_jobs(self.orders, ports, self.settings, stop, ledger_name=LEDGER)


def _cancel(task: asyncio.Task[tuple[EndedJob, ...]]) -> None:
    task.cancel()


def driver_ports(
    batch: ModelBatch, artifacts: ArtifactStore, clock: VirtualClock, random: Random
) -> DriverPorts:
    return DriverPorts(
        batch=batch,
        artifacts=artifacts,
        events=Silence(),
        clock=clock,
        random=random,
        error_of=error_of,
    )


@contextmanager
def virtual_loop(random: Random | None = None) -> Iterator[VirtualTimeLoop]:
    """Give a loop, and require that nothing was left that nobody was told of."""
    loop = VirtualTimeLoop(random=random)
    try:
        yield loop
        assert not loop.unhandled
    finally:
        loop.close()


def told(seed: int) -> Story:
    story = Story(seed)
    with virtual_loop(Random(f"order {seed}")) as loop:
        loop.run_until_complete(story.lives(loop))
    return story


def check(story: Story) -> None:
    tokens = [job.request.token for job in story.book.ours if job.request is not None]
    assert len(set(tokens)) == len(tokens), f"a job was doubled: {story.endings}"
    assert "refused" not in story.endings, "without faults nothing ends a run"
    assert len(story.ended) == len(story.orders), f"not finished: {story.endings}"
    by_id = {job.job_id: job for job in story.book.ours}
    for wanted, ended in zip(story.orders, story.ended, strict=True):
        assert ended.order == wanted
        assert by_id.pop(ended.job_id).request == wanted.request
        assert ended.description.summary.status is story.book.find(ended.job_id, "").timeline[-1][1]
    assert not by_id, "a job was made that nobody ordered"
    if not story.orders[0].request.needs_confirmation:
        assert story.book.active_peak <= story.settings.active_jobs_max
    for record in decoded(story.artifacts.documents[LEDGER], LEDGER):
        assert record.ended is not None


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_no_job_is_doubled_or_lost_whatever_happens(first: int) -> None:
    """If this fails, a crash or a lost answer bills work twice, or leaves entries undone."""
    kinds: set[str] = set()
    for seed in range(first, first + 50):
        story = told(seed)
        check(story)
        kinds.update(story.endings)
    assert kinds >= {"done", "stopped", "waits"}, "the seeds meet what they are made for"


def deaths(*, is_disk: bool) -> Iterator[Story]:
    """Give the end of a small story for each moment at which its first process may die."""
    for moment in range(1, 400):
        story = Story(0)
        story.orders = [order(0), order(1)]
        story.rate = 0.0
        story.book = JobBook(
            clock=story.clock,
            random=Random("book"),
            token_memory_s=0.0,
            listing_lag_s=35.0,
            paths=PATHS[:1],
        )
        with virtual_loop() as loop:
            first = loop.create_task(story.process(0, StopRequest()))
            if is_disk:
                story.artifacts.dies_at = (moment + 1) // 2, bool(moment % 2)
            else:
                loop.after_steps(moment, partial(_cancel, first))
            try:
                loop.run_until_complete(first)
            except (asyncio.CancelledError, DiskDiedError):
                story.artifacts.dies_at = None
            else:
                return
            story.ended = loop.run_until_complete(story.process(1, StopRequest()))
        yield story
    raise AssertionError("a run of two jobs takes no 400 moments")


@pytest.mark.parametrize("is_disk", [False, True], ids=["at each await", "at each write"])
def test_a_death_at_any_moment_doubles_and_loses_nothing(is_disk: bool) -> None:
    """If this fails, one moment between two lines of the driver is not crash-safe."""
    count = 0
    for story in deaths(is_disk=is_disk):
        check(story)
        count += 1
    assert count >= (14 if is_disk else 50), "the moments are all tried"
