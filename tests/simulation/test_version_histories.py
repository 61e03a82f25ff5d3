"""Runs that bring whole histories, by seed: crashes, lost answers and journals, others, zombies."""

from collections import Counter
from dataclasses import replace

import pytest

from backfill.sandbox.simulation.nemesis import CALM
from tests.simulation.evidence import Evidence
from tests.simulation.history_checkers import history_violations, told_histories
from tests.simulation.history_scenario import HistoryScenario, history_scenario_of
from tests.simulation.history_simulate import simulate_history
from tests.simulation.table import history_table

CHUNKS = 8
SEEDS_A_CHUNK = 48
"""384 runs of some three histories each, in chunks, so that several processes share them."""
CRASHED = 12
SLICES = 4


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_run_breaks_a_promise(chunk: int) -> None:
    """If this fails, a history was damaged, doubled, cut or misreported: replay its seed."""
    broken, told = [], Counter[str]()
    for seed in range(chunk * SEEDS_A_CHUNK, (chunk + 1) * SEEDS_A_CHUNK):
        run = simulate_history(seed)
        broken += [f"scripts/sim --history --seed {seed}: {v}" for v in history_violations(run)]
        for history in told_histories(Evidence(run)):
            told["clean"] += history.is_clean
            told["long"] += len(history.rows) > 3
            told["kept back"] += not history.is_clean
            told["dead"] += any(history.has_died(c, at) for at, c in history.ours)
        told["killed"] += "killed" in run.endings
    assert broken == []
    # What is never met is not tested.
    assert told["clean"] >= SEEDS_A_CHUNK
    assert min(told["long"], told["kept back"], told["killed"]) >= SEEDS_A_CHUNK // 20


def small(kinds: tuple[tuple[str, int], ...]) -> HistoryScenario:
    """Return a run of three keys, without faults and without anybody else."""
    scenario = history_scenario_of(CRASHED)
    return replace(
        scenario,
        keys=scenario.keys[:3],
        level=CALM,
        meddling=0,
        rival_share=0.0,
        zombie_s=0.0,
        page_max=1000,
        interruptions=kinds,
    )


@pytest.mark.parametrize("kind", ["kill", "lost"])
@pytest.mark.parametrize("part", range(SLICES))
def test_a_run_killed_at_any_await_brings_its_histories_whole(part: int, kind: str) -> None:
    """If this fails, a death at one moment, or a disk that forgets, breaks a chain for good."""
    steps = simulate_history(CRASHED, small(())).steps
    broken = []
    for step in range(1 + part, steps, SLICES):
        run = simulate_history(CRASHED, small(((kind, step),)))
        broken += [f"{kind} at step {step}: {found}" for found in history_violations(run)]
        told = list(told_histories(Evidence(run)))
        assert told, "there are histories"
        broken += [f"{kind} at step {step}: {t.key}" for t in told if not t.is_clean]
    assert broken == []


def test_a_seed_says_everything() -> None:
    """If this fails, a failure cannot be replayed: the same seed went another way."""
    assert list(history_table(simulate_history(3))) == list(history_table(simulate_history(3)))
