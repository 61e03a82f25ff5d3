"""Teeth: with one guard removed, the simulation finds the promise that the guard protects."""

import pytest

from tests.doubles.figures import Row, Tried
from tests.mutants.kinds import KINDS, TABLE, table
from tests.mutants.teeth import Kind, Mutant, catching_seed, seeds_of_lane

CASES = [(kind, mutant) for kind in KINDS for mutant in kind.mutants]


@pytest.mark.parametrize(
    ("kind", "mutant"), CASES, ids=[f"{kind.name}-{mutant.name}" for kind, mutant in CASES]
)
def test_a_removed_guard_is_caught_by_its_promise(kind: Kind, mutant: Mutant, tried: Tried) -> None:
    """If this fails, the simulation would not notice that this guard is gone."""
    seed = catching_seed(mutant, kind.broken, seeds_of_lane(kind, mutant))
    assert seed is not None
    # The control: with the guard in place the same seed keeps every promise.
    assert kind.broken(seed) == []
    tried(Row.GUARD_MUTANTS, 1)


def test_a_mutant_that_only_stumbles_is_not_caught() -> None:
    """If this fails, a crash counts as a catch, and a simulation that sees nothing has teeth."""
    kind, mutant = CASES[0]

    def stumbles(_seed: int) -> list[object]:
        raise AssertionError("a crash is no violation")

    assert catching_seed(mutant, stumbles, range(3)) is None  # type: ignore[arg-type]  # never gives
    assert catching_seed(mutant, lambda _seed: [], range(3)) is None
    assert kind.mutants[0] is mutant


def test_the_table_tells_what_there_is() -> None:
    """If this fails, docs/internals/MUTANTS.md names guards that no mutant removes any more."""
    assert TABLE.read_text() == table(), "run scripts/mutants --guards"
