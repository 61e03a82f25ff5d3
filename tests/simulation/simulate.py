"""One simulated run: the real product, from the listing to the verdicts, in a hostile world.

A process is `backfill.pipeline` on ports that the seed drives. It may be killed at any await, also
in the middle of a write to its journal, or asked to stop; the next process resumes from the run
directory. When the faults have stopped and live replication is done, the run is verified.
"""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import cast
from unittest.mock import patch

from backfill import copiers, pipeline
from backfill.aws.faults import error_of
from backfill.aws.retry import ReadRetries, RetryingControlPlane, RetryingStore
from backfill.campaign import Campaign
from backfill.cli.copier import Told, job_of, serve
from backfill.compose import Clients, Machine, journal
from backfill.copiers import CopierTask
from backfill.errors import BackfillError, BugError, InterruptedRunError, JobWaitsError, StoreFault
from backfill.events.copying import UploadResumed
from backfill.execute import shards
from backfill.execute.bench import ExecutePorts
from backfill.execute.run import carry_out_shard
from backfill.execute.stop import StopRequest
from backfill.journal.journal import SegmentJournal
from backfill.manifest.run import manifest_name
from backfill.model.pauses import Pauses, RetryBudget
from backfill.ports import ArtifactStore, Event, Events, ProgressCounts
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from backfill.sandbox.simulation.nemesis import Nemesis
from tests.doubles.history import Committed, Counted, History, Reopened
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_control_plane import ModelControlPlane
from tests.doubles.model_requests import Parameters
from tests.doubles.model_store import ModelStore
from tests.doubles.no_batch import NO_BATCH_BUCKET, NO_BATCH_OPERATIONS
from tests.doubles.simulated_copiers import AT_WORK, Child, Nursery, Pipe
from tests.doubles.simulated_s3 import Process, SimulatedS3, Wire
from tests.doubles.troubles import Troubles
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.actors import damage, lifecycle, live_writer, meddle, rival
from tests.simulation.scenario import (
    DESTINATION,
    OWNER,
    RECEIVER,
    SOURCE,
    Scenario,
    new_model,
    scenario_of,
)

PROCESSES_MAX = 40
"""Lives of the program in one run. Faults may end some; each resumes what the last one left."""
FAULTS_UNTIL_S = 240.0
LIFE_MAX_S = 1800.0
"""P9: once faults have stopped, a run ends within so much virtual time."""
QUIET_MAX_S = 600.0

_MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, where a sync costs nothing; see `_run_directory`


class DiskDiedError(Exception):
    """The machine died at its disk."""


@dataclass(slots=True)
class Run:
    """Everything that a run leaves to its checkers. `endings` tells how each process ended."""

    scenario: Scenario
    s3: SimulatedS3
    artifacts: MemoryArtifacts
    nemesis: Nemesis
    endings: list[str] = field(default_factory=list)
    resumed: list[UploadResumed] = field(default_factory=list)
    """Uploads that a process left open and another one went on with."""
    copiers_killed: int = 0
    failure: str = ""
    """Why the run never came to its end, empty if it did (P9)."""
    steps: int = 0

    @property
    def history(self) -> History:
        return self.s3.history


class Talk:
    """The port Events: counts go into the history as they are told."""

    def __init__(self, process: Process, s3: SimulatedS3, resumed: list[UploadResumed]) -> None:
        self._process = process
        self._s3 = s3
        self._resumed = resumed

    def emit(self, event: Event) -> None:
        assert event.name, "an event has a name"
        if isinstance(event, UploadResumed):
            self._resumed.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        if counts.stage == "execute" and not self._process.is_dead:
            self._s3.history.events.append(
                Counted(
                    at_s=self._s3.clock.monotonic_s(), actor=self._process.name, done=counts.done
                )
            )


def simulate(seed: int, scenario: Scenario | None = None) -> Run:
    """Run a seed to its end and return what happened."""
    chosen = scenario or scenario_of(seed)
    clock = VirtualClock()
    s3 = SimulatedS3(new_model(chosen, clock), clock, Random(f"s3 {seed}"))
    s3.begin(SOURCE, DESTINATION)
    run = Run(
        scenario=chosen,
        s3=s3,
        artifacts=MemoryArtifacts(),
        nemesis=Nemesis(Random(f"nemesis {seed}"), chosen.level, chosen.strikes),
    )
    return carried_out(run, Simulation)


def carried_out(run: Run, story: "type[Simulation]") -> Run:
    """Carry a run out on a loop and in a run directory of its own."""
    order = Random(f"order {run.scenario.seed}") if run.scenario.is_shuffled else None
    loop = VirtualTimeLoop(random=order)
    root = _run_directory()
    simulation = story(run, loop, root)
    # What a run leaves in cycles is small; to look for it again and again costs a tenth of the run.
    gc.disable()
    try:
        # Shards of a few rows; copy processes that are coroutines on this loop.
        with (
            patch.object(shards, "ROWS_MIN", 3),
            patch.object(copiers, "started", simulation.copier_started),
        ):
            loop.run_until_complete(simulation.carry_out())
    finally:
        run.steps = loop.steps
        _close(loop)
        gc.enable()
        shutil.rmtree(root)
    return run


def _run_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="sim-", dir=_MEMORY if _MEMORY.is_dir() else None))


def _close(loop: VirtualTimeLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


class Simulation:
    """The story of one run."""

    def __init__(self, run: Run, loop: VirtualTimeLoop, root: Path) -> None:
        self._run = run
        self._loop = loop
        self._root = root
        self._random = Random(f"wire {run.scenario.seed}")
        self._meddler = Random(f"meddler {run.scenario.seed}")
        self._interruptions = list(run.scenario.interruptions)
        self._nursery = Nursery(Process("nobody"), self._serve)
        self._victims = Random(f"victims {run.scenario.seed}")

    async def carry_out(self) -> None:
        """Write, run, resume, come to rest, verify."""
        run = self._run
        self._loop.call_later(FAULTS_UNTIL_S, run.nemesis.stop)
        run.s3.troubles = Troubles(run.scenario.troubles, run.s3.clock.monotonic_s)
        others = [asyncio.create_task(live_writer(run.scenario, run.s3))]
        if run.scenario.lifecycle_operations:
            others.append(asyncio.create_task(lifecycle(run.scenario, run.s3)))
        run.s3.on_sent = self._rival()
        if not await self._until_finished(self._work):
            run.failure = run.failure or f"not finished after {run.endings}"
        for other in others:
            await other
        await self._come_to_rest()
        self._damage(run.scenario.damaged_before)
        await self._verified()
        for _ in range(run.scenario.repairs if not run.failure else 0):
            await self._repaired()

    async def _repaired(self) -> None:
        """Damage what was verified, mend it in foul weather, come to rest, verify."""
        run = self._run
        self._damage(run.scenario.damaged_after)
        run.nemesis.is_active = True
        calm = self._loop.call_later(FAULTS_UNTIL_S, run.nemesis.stop)
        if not await self._until_finished(self._repair):
            run.failure = run.failure or f"not repaired after {run.endings}"
        calm.cancel()
        await self._come_to_rest()
        await self._verified()

    async def _come_to_rest(self) -> None:
        """Let faults and troubles end, and live replication deliver what is on its way."""
        self._run.nemesis.stop()
        self._run.s3.troubles.end()
        for _ in range(int(QUIET_MAX_S)):
            if not self._run.s3.is_replicating:
                break
            await asyncio.sleep(1.0)

    async def _verified(self) -> None:
        run = self._run
        if not run.failure and not await self._until_finished(self._verify):
            run.failure = f"not verified after {run.endings}"

    def _damage(self, keys: int) -> None:
        damage(self._run.scenario, self._run.s3, self._meddler, keys)

    def _rival(self) -> Callable[[str, Parameters], None]:
        return rival(self._run.scenario, self._run.s3)

    async def _until_finished(self, work: "Work") -> bool:
        for _ in range(PROCESSES_MAX):
            ending = await self._live(work)
            self._run.endings.append(ending)
            if ending == "finished":
                return True
            is_mended = self._run.s3.troubles.mend() if ending.startswith("error") else True
            if not self._run.nemesis.is_active and not is_mended:
                return False
            await asyncio.sleep(1.0)
        return False

    async def _live(self, work: "Work") -> str:
        """Run one process to its end, and look at what its journal holds."""
        process = Process(f"process {len(self._run.endings) + 1}")
        stop = StopRequest()
        life = asyncio.create_task(work(process, stop))
        process.on_death.append(life.cancel)
        self._nursery = Nursery(process, self._serve)
        if self._run.scenario.copiers:
            self._loop.blocking = self._disk(process, "", 0)
        if self._interruptions and work != self._verify:
            self._interrupt(process, stop, *self._interruptions.pop(0))
        await asyncio.wait({life}, timeout=LIFE_MAX_S)
        ending = _ending_of(life, process)
        if not life.done():
            self._run.failure = f"a process did not end within {LIFE_MAX_S} s"
            process.die()
            await asyncio.wait({life})
        await self._see_off_children(process)
        process.is_dead = True
        self._loop.blocking = lambda call: call()
        await self._reopen(process.name, ending)
        if ending != "finished":
            meddle(self._run.s3, self._meddler)
        return ending

    async def _see_off_children(self, holder: Process) -> None:
        """Wait for copy processes whose holder was killed; nobody else may leave one behind."""
        lives = {child.life for child in self._nursery.children if not child.life.done()}
        if not lives:
            return
        if not holder.is_dead:
            self._run.failure = "a copy process was left behind"
        _, left = await asyncio.wait(lives, timeout=LIFE_MAX_S)
        if left:
            self._run.failure = "a copy process did not end after its holder"

    def _interrupt(self, process: Process, stop: StopRequest, kind: str, when: int) -> None:
        if kind == "kill":
            self._loop.after_steps(when, partial(self._kill_one, self._nursery))
        elif kind in ("stop", "end"):
            self._loop.after_steps(when, stop.request)
            if kind == "end":
                self._loop.after_steps(when + 5, stop.request)
        self._loop.blocking = self._disk(process, kind, when)

    def _kill_one(self, nursery: Nursery) -> None:
        """Kill a process, or more often one of those that copy for it."""
        holder, *copiers = nursery.living
        is_holder = not copiers or self._victims.random() < 0.25
        victim = holder if is_holder else self._victims.choice(copiers)
        self._run.copiers_killed += not is_holder
        victim.die()

    def _disk(
        self, process: Process, kind: str, when: int
    ) -> Callable[[Callable[[], object]], object]:
        """Return a disk at which the process dies: before its n-th write, in it, or after it."""
        left = when // 12 if kind in ("torn", "written") else -1

        def blocking(call: Callable[[], object]) -> object:
            nonlocal left
            who = AT_WORK.get(process)
            if who.is_dead:
                raise DiskDiedError
            left -= 1
            if left != -1 or kind not in ("torn", "written"):
                return call()
            size_bytes = self._journal_bytes()
            call()
            if kind == "torn" and self._journal_bytes() > size_bytes:
                self._tear(size_bytes)
            who.die()
            raise DiskDiedError

        return blocking

    def _newest(self) -> str:
        """Return the name of the manifest that is being carried out."""
        names = (manifest_name(number) for number in range(9, 0, -1))
        return next((n for n in names if self._run.artifacts.index(n)), manifest_name(0))

    def _segment(self) -> Path | None:
        """Return the newest segment of the process at work."""
        child = AT_WORK.get(None)
        shard = f"-shard-{int(child.name.split()[-1]):02d}" if child is not None else ""
        folder = self._root / "journal" / (self._newest().replace("/", "-") + shard)
        return max(folder.glob("segment-*"), default=None)

    def _journal_bytes(self) -> int:
        segment = self._segment()
        return segment.stat().st_size if segment is not None else 0

    def _tear(self, whole_bytes: int) -> None:
        """Leave a part of what was just written."""
        written = self._journal_bytes() - whole_bytes
        segment = self._segment()
        assert segment is not None, "something was written"
        with segment.open("r+b") as file:
            file.truncate(whole_bytes + self._random.randrange(written))

    async def _reopen(self, actor: str, ending: str) -> None:
        index = self._run.artifacts.index(self._newest())
        held = 0
        # One of the holder, and one of each copy process.
        folders = list((self._root / "journal").glob(self._newest().replace("/", "-") + "*"))
        if index is None or not folders:
            return
        for folder in folders:
            journal = SegmentJournal.open(folder, manifest_digest=index.digest)
            held += sum(1 for _ in journal.outcomes())
            await journal.close()
        self._run.history.events.append(
            Reopened(
                at_s=self._run.s3.clock.monotonic_s(), actor=actor, outcomes=held, ending=ending
            )
        )

    async def _work(self, process: Process, stop: StopRequest) -> None:
        """What `backfill run` does, up to verify."""
        run = await self._begin(process)
        await pipeline.refuse_unsafe(run)
        await pipeline.take_inventories(run)
        await pipeline.plan(run)
        await self._execute(run, stop)

    async def _execute(self, run: pipeline.Run, stop: StopRequest) -> None:
        await pipeline.execute(run, stop)

    async def _repair(self, process: Process, stop: StopRequest) -> None:
        """What `backfill repair` does, up to verify."""
        run = await self._begin(process)
        await pipeline.refuse_unsafe(run)
        if not pipeline.has_open_manifest(run):
            await pipeline.plan_repair(run)
        begun = Committed(
            at_s=self._run.s3.clock.monotonic_s(), actor=process.name, name=self._newest()
        )
        self._run.history.events.append(begun)
        await self._execute(run, stop)

    async def _verify(self, process: Process, _stop: StopRequest) -> None:
        await pipeline.verify(await self._begin(process))

    def copier_started(
        self, task: CopierTask, lock: int
    ) -> AbstractAsyncContextManager[tuple[asyncio.StreamReader, Pipe, Child]]:
        """Start a copy process of the life that is being lived."""
        return self._nursery.started(task, lock)

    async def _serve(self, reader: asyncio.StreamReader, words: Pipe, process: Process) -> int:
        """Do as `backfill.cli.copier`, with the ports of a simulated process."""

        async def carry_out(task: CopierTask, told: Told, stop: StopRequest) -> None:
            both, here = self._clients(task.campaign, process, told), self._machine(process)
            async with journal(here, task.manifest, shard=task.shard.number) as opened:
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
                await carry_out_shard(job, task.shard, ports, stop, has_jobs=task.has_jobs)

        return await serve(reader, cast("asyncio.StreamWriter", words), carry_out)

    def _machine(self, process: Process) -> Machine:
        return Machine(
            root=self._root,
            artifacts=self._artifacts(process),
            clock=self._run.s3.clock,
            random=self._random,
            lock=0,
        )

    async def _begin(self, process: Process) -> pipeline.Run:
        campaign = self._run.scenario.campaign
        talk = Talk(process, self._run.s3, self._run.resumed)
        clients = self._clients(campaign, process, talk)
        return await pipeline.begin(campaign, self._machine(process), clients, talk)

    def _artifacts(self, process: Process) -> ArtifactStore:
        assert not process.is_dead, "the dead write nothing"
        return self._run.artifacts

    def _clients(self, campaign: Campaign, process: Process, talk: Events) -> Clients:
        settings, s3 = campaign.settings, self._run.s3
        pauses = Pauses(base_s=settings.retry_base_s, cap_s=settings.retry_cap_s)
        budget = RetryBudget(ratio=settings.retry_budget_ratio, floor=settings.retry_budget_floor)
        retries = ReadRetries(
            attempts_max=settings.control_attempts_max,
            pauses=pauses,
            budget=budget,
            clock=s3.clock,
            random=self._random,
            events=talk,
        )
        document = self._run.scenario.document
        wires = [
            Wire(
                s3=s3,
                nemesis=self._run.nemesis,
                process=process,
                caller=caller,
                random=self._random,
            )
            for caller in (OWNER, RECEIVER)
        ]
        source, destination = (RetryingStore(ModelStore(wire), retries) for wire in wires)
        source_control, destination_control = (
            RetryingControlPlane(ModelControlPlane(wire, document), retries) for wire in wires
        )
        return Clients(
            source=source,
            destination=destination,
            source_control=source_control,
            destination_control=destination_control,
            source_batch=NO_BATCH_OPERATIONS,
            destination_batch=NO_BATCH_OPERATIONS,
            source_batch_bucket=NO_BATCH_BUCKET,
            destination_batch_bucket=NO_BATCH_BUCKET,
            pauses=pauses,
            budget=budget,
        )


Work = Callable[[Process, StopRequest], Coroutine[object, object, None]]


def _ending_of(life: "asyncio.Task[None]", process: Process) -> str:
    if not life.done():
        return "endless"
    if process.is_dead:
        return "killed"
    return "cancelled" if life.cancelled() else _word_of(life.exception())


def _word_of(error: BaseException | None) -> str:
    match error:
        case None:
            return "finished"
        case InterruptedRunError():
            return "stopped"
        case JobWaitsError():
            return "waits"
        case BugError():
            raise error
        case BackfillError() | StoreFault():
            return f"error: {error}"
        case _:
            raise error
