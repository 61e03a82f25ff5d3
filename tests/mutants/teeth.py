"""Mutants: a guard is removed, and the simulation must see the promise that it protects broken.

Where a mutant was last caught stands in `caught.json`: that seed is tried first, so that CI plays
one history a mutant. It may rot without harm: then the seeds are tried from the first.
Law: only a violation of the named promise is a catch; a crash or a time-out never is.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doubles.figures import first_seed, is_release
from tests.simulation.checkers import Promise, Violation

Patch = pytest.MonkeyPatch
Violations = Callable[[int], Iterable[Violation]]
"""Simulates a seed and gives the promises that it broke."""

SEEDS_MAX = 1000
CAUGHT = Path(__file__).with_name("caught.json")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A removed guard and the promise that it protects; `remove` says in a sentence what lacks."""

    remove: Callable[[Patch], None]
    promise: Promise

    @property
    def name(self) -> str:
        return self.remove.__name__

    @property
    def lacks(self) -> str:
        said = self.remove.__doc__
        assert said, f"{self.name} does not say what it lacks"
        return said.strip()


@dataclass(frozen=True, slots=True)
class Kind:
    """Mutants of one kind of history, and how such a history is played and judged."""

    name: str
    broken: Violations
    mutants: tuple[Mutant, ...]


def catching_seed(mutant: Mutant, violations: Violations, seeds: Iterable[int]) -> int | None:
    """Return the first of some seeds that shows the promise broken; None: none does."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.remove(patch)
        for seed in seeds:
            try:
                found = list(violations(seed))
            except Exception:  # noqa: BLE001, S112 - a mutant that stumbles is not caught by that
                continue
            if any(violation.promise is mutant.promise for violation in found):
                return seed
    return None


def seeds_of_lane(kind: Kind, mutant: Mutant) -> Iterator[int]:
    """Yield what the running lane tries: in CI the seed that caught it last, then from the first.

    The release lane takes none on trust: it begins with a seed of its own.
    """
    first = first_seed()
    if not is_release():
        last = last_caught().get(kind.name, {}).get(mutant.name)
        if last is not None:
            yield last
    yield from range(first, first + SEEDS_MAX)


def last_caught() -> dict[str, dict[str, int]]:
    """Return the first seed that caught each mutant when `scripts/mutants --guards` last ran."""
    held: dict[str, dict[str, int]] = json.loads(CAUGHT.read_text()) if CAUGHT.exists() else {}
    return held
