"""One simulated run: the real product, from the listing to the verdicts, in a hostile world.

A process is `backfill.pipeline` on ports that the seed drives. It may be killed at any await, also
in the middle of a write to its journal, or asked to stop; the next process resumes from the run
directory. When the faults have stopped and live replication is done, the run is verified.
"""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

from backfill import copiers
from backfill.errors import BackfillError, BugError, InterruptedRunError, JobWaitsError, StoreFault
from backfill.execute import shards
from backfill.execute.stop import StopRequest
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from backfill.sandbox.simulation.nemesis import Nemesis
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_requests import Parameters
from tests.doubles.simulated_copiers import Nursery
from tests.doubles.simulated_s3 import Process, SimulatedS3
from tests.doubles.troubles import Troubles
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.actors import damage, lifecycle, live_writer, meddle, rival
from tests.simulation.prehistory import new_model
from tests.simulation.program import Program, Work
from tests.simulation.runs import Run
from tests.simulation.scenario import DESTINATION, SOURCE, Scenario, scenario_of

PROCESSES_MAX = 40
"""Lives of the program in one run. Faults may end some; each resumes what the last one left."""
FAULTS_UNTIL_S = 240.0
LIFE_MAX_S = 1800.0
"""P9: once faults have stopped, a run ends within so much virtual time."""
QUIET_MAX_S = 600.0

_MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, where a sync costs nothing; see `_run_directory`


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


class Simulation(Program):
    """The story of one run."""

    def __init__(self, run: Run, loop: VirtualTimeLoop, root: Path) -> None:
        super().__init__(run, root)
        self._loop = loop
        self._meddler = Random(f"meddler {run.scenario.seed}")
        self._interruptions = list(run.scenario.interruptions)
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

    async def _until_finished(self, work: Work) -> bool:
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

    async def _live(self, work: Work) -> str:
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
