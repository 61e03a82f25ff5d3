"""A small run, killed at every round of the loop, one run for each (P5)."""

from dataclasses import replace

import pytest

from backfill.sandbox.simulation.nemesis import CALM
from tests.simulation.checkers import violations
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.simulate import simulate

SEEDS = (11, 4)
SLICES = 4


def small(seed: int) -> Scenario:
    """Return a run of some ten keys under a rule, without faults, with a busy live writer."""
    scenario = scenario_of(seed)
    return replace(
        scenario,
        keys=scenario.keys[:10],
        has_rule=True,
        is_quiet=False,
        replicates_markers=True,
        level=CALM,
        writer_operations=8,
        has_strangers=False,
        rival_share=0.15,
        interruptions=(),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("part", range(SLICES))
def test_a_run_killed_at_any_await_ends_as_it_should(seed: int, part: int) -> None:
    """If this fails, a kill -9 at one moment loses, doubles or misreports something."""
    whole = small(seed)
    steps = simulate(seed, whole).steps
    broken = [
        f"killed at step {step}: {found}"
        for step in range(1 + part, steps, SLICES)
        for found in violations(simulate(seed, replace(whole, interruptions=(("kill", step),))))
    ]
    assert broken == []


def test_a_kill_ends_the_process() -> None:
    """If this fails, the crash points above are none: nothing was killed."""
    killed = replace(small(SEEDS[0]), interruptions=(("kill", 60),))
    assert simulate(SEEDS[0], killed).endings[:2] == ["killed", "finished"]
