"""Runs that bring whole histories, by seed: crashes, lost answers and journals, others, zombies."""

from collections import Counter

import pytest

from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.simulation.checkers import Violation
from tests.simulation.evidence import Evidence
from tests.simulation.history_checkers import history_violations, told_histories
from tests.simulation.history_simulate import simulate_history
from tests.simulation.kinds import HISTORIES
from tests.simulation.shrinking import story
from tests.simulation.table import history_table

CHUNKS = 8
SEEDS_A_CHUNK = figure(ci=384, release=20_000) // CHUNKS
"""Runs of some three histories each, in chunks, so that several processes share them."""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_run_breaks_a_promise(chunk: int, tried: Tried) -> None:
    """If this fails, a history was damaged, doubled, cut or misreported: replay its seed."""
    broken, told = dict[int, list[Violation]](), Counter[str]()
    begin = first_seed() + chunk * SEEDS_A_CHUNK
    for seed in range(begin, begin + SEEDS_A_CHUNK):
        run = simulate_history(seed)
        if found := history_violations(run):
            broken[seed] = found
        for history in told_histories(Evidence(run)):
            told["clean"] += history.is_clean
            told["long"] += len(history.rows) > 3
            told["kept back"] += not history.is_clean
            told["dead"] += any(history.has_died(c, at) for at, c in history.ours)
        told["killed"] += "killed" in run.endings
    assert not broken, story(HISTORIES, broken)
    # What is never met is not tested.
    assert told["clean"] >= SEEDS_A_CHUNK
    assert min(told["long"], told["kept back"], told["killed"]) >= SEEDS_A_CHUNK // 20
    tried(Row.VERSION_HISTORIES, SEEDS_A_CHUNK)


def test_a_seed_says_everything() -> None:
    """If this fails, a failure cannot be replayed: the same seed went another way."""
    assert list(history_table(simulate_history(3))) == list(history_table(simulate_history(3)))
