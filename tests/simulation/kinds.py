"""The three kinds of seeded histories, under one face for whoever plays, judges and tells them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation.batch_checkers import batch_violations
from tests.simulation.batch_scenario import BatchScenario, batch_scenario_of
from tests.simulation.batch_simulate import simulate_batch
from tests.simulation.batch_table import batch_table
from tests.simulation.checkers import Violation, violations
from tests.simulation.history_checkers import history_violations
from tests.simulation.history_scenario import HistoryScenario, history_scenario_of
from tests.simulation.history_simulate import simulate_history
from tests.simulation.runs import Run
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.simulate import simulate
from tests.simulation.table import history_table, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What can be played: runs by copies, by jobs, or of whole histories."""

    flag: str
    """What names it to `scripts/sim`; empty for copies."""
    draw: Callable[[int], Scenario]
    play: Callable[[Scenario], Run]
    broken: Callable[[Run], list[Violation]]
    lines: Callable[[Run, str], Iterator[str]]
    """A run as a table; with a key only what bears on it."""

    def command(self, seed: int) -> str:
        """Return what shows a seed."""
        return " ".join(["scripts/sim", *([self.flag] if self.flag else []), f"--seed {seed}"])


def _play_jobs(scenario: Scenario) -> Run:
    assert isinstance(scenario, BatchScenario), "a run by jobs"
    return simulate_batch(scenario.seed, scenario)


def _play_histories(scenario: Scenario) -> Run:
    assert isinstance(scenario, HistoryScenario), "a run of histories"
    return simulate_history(scenario.seed, scenario)


COPIES = Kind(
    flag="",
    draw=scenario_of,
    play=lambda scenario: simulate(scenario.seed, scenario),
    broken=violations,
    lines=table,
)
JOBS = Kind(
    flag="--batch",
    draw=batch_scenario_of,
    play=_play_jobs,
    broken=batch_violations,
    lines=batch_table,
)
HISTORIES = Kind(
    flag="--history",
    draw=history_scenario_of,
    play=_play_histories,
    broken=history_violations,
    lines=history_table,
)
