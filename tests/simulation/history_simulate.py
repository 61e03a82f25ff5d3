"""One simulated run that brings whole histories: as `simulate`, in a quiet world that is not.

A process may also die with the tail of its journal lost, as a disk may that is gone; and requests
of the dead may arrive late.
"""

import asyncio
from collections.abc import Callable
from random import Random

from backfill import pipeline
from backfill.execute.stop import StopRequest
from backfill.sandbox.simulation.nemesis import Nemesis
from tests.doubles.history import Committed
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_requests import Parameters
from tests.doubles.simulated_s3 import Process, SimulatedS3
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.history_scenario import (
    HistoryScenario,
    history_rival,
    history_scenario_of,
    meddle_between,
    meddlers,
    new_history_model,
)
from tests.simulation.runs import Run
from tests.simulation.scenario import DESTINATION, SOURCE
from tests.simulation.simulate import Simulation, carried_out

PLANNED = "planned"
"""The name under which the history has the moment at which execute begins."""


def simulate_history(seed: int, scenario: HistoryScenario | None = None) -> Run:
    """Run a seed to its end and return what happened."""
    chosen = scenario or history_scenario_of(seed)
    clock = VirtualClock()
    s3 = SimulatedS3(new_history_model(chosen, clock), clock, Random(f"s3 {seed}"))
    s3.zombie_s = chosen.zombie_s
    s3.begin(SOURCE, DESTINATION)
    for key in chosen.keys:
        s3.history.origins.setdefault((DESTINATION, key), ())
    run = Run(
        scenario=chosen,
        s3=s3,
        artifacts=MemoryArtifacts(),
        nemesis=Nemesis(Random(f"nemesis {seed}"), chosen.level, chosen.strikes),
    )
    return carried_out(run, HistorySimulation)


class HistorySimulation(Simulation):
    """The story of one run that brings histories."""

    async def carry_out(self) -> None:
        """Run, resume, come to rest, verify, while others write where they should not."""
        self._between = Random(f"between {self._chosen.seed}")
        others = asyncio.create_task(meddlers(self._chosen, self._run.s3))
        await super().carry_out()
        await others

    def _rival(self) -> Callable[[str, Parameters], None]:
        return history_rival(self._chosen, self._run.s3)

    @property
    def _chosen(self) -> HistoryScenario:
        scenario = self._run.scenario
        assert isinstance(scenario, HistoryScenario), "it is a run of histories"
        return scenario

    async def _work(self, process: Process, stop: StopRequest) -> None:
        run = await self._begin(process)
        await pipeline.refuse_unsafe(run)
        await pipeline.take_inventories(run)
        await pipeline.plan(run)
        s3 = self._run.s3
        meddle_between(self._chosen, s3, self._between)
        mark = Committed(at_s=s3.clock.monotonic_s(), actor=process.name, name=PLANNED)
        s3.history.events.append(mark)
        await self._execute(run, stop)

    def _interrupt(self, process: Process, stop: StopRequest, kind: str, when: int) -> None:
        if kind != "lost":
            super()._interrupt(process, stop, kind, when)
            return

        def die() -> None:
            process.die()
            self._lose_tail()

        self._loop.after_steps(when, die)
        self._loop.blocking = self._disk(process, "kill", when)

    def _lose_tail(self) -> None:
        """Leave only a beginning of the newest segment of the journal, of any length."""
        segment = self._segment()
        if segment is None:
            return
        with segment.open("r+b") as file:
            file.truncate(self._random.randrange(self._journal_bytes() + 1))
