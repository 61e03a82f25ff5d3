"""Mutants: a guard is removed, and the simulation must see the promise that it protects broken.

Never counts a crash or a time-out: only a violation of the named promise is a catch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from tests.simulation.checkers import Promise, Violation

Patch = pytest.MonkeyPatch
Violations = Callable[[int], Iterable[Violation]]
"""Simulates a seed and gives the promises that it broke."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A removed guard and the promise that it protects."""

    remove: Callable[[Patch], None]
    promise: Promise


def seeds_to_catch(mutant: Mutant, violations: Violations, *, seeds_max: int) -> int | None:
    """Return how many seeds it takes, from 0, until the promise is seen broken."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.remove(patch)
        for seed in range(seeds_max):
            try:
                found = list(violations(seed))
            except Exception:  # noqa: BLE001, S112 - a mutant that stumbles is not caught by that
                continue
            if any(violation.promise is mutant.promise for violation in found):
                return seed + 1
    return None
