"""Deaths at every round of the loop: which moments there are, and what broke at each.

A moment is a kind of death and a number: of the round after which nothing of the process runs any
more, or of the write to its journal that it dies after or in the midst of. Moments are tried in
their order until the process outlives one. CI takes every so many of them, the release lane all.
Law: only a moment at which the process died is counted as tried.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.simulation.runs import Run

SLICES = 4
"""Parts of the moments of one run, so that several processes share them."""
MOMENTS_MAX = 20_000
"""A run has some hundreds to a few thousand; more, and it does not end."""


@dataclass(slots=True)
class Tally:
    """What came of the moments that were tried."""

    died: int
    broken: list[str]


def died_at_each(
    part: int,
    run_to: Callable[[int], Run],
    judge: Callable[[Run], Iterable[object]],
    *,
    every: int = 1,
) -> Tally:
    """Let a run die at each moment of a part, and judge what it came to in the end."""
    tally = Tally(0, [])
    for moment in range(1 + part * every, MOMENTS_MAX, SLICES * every):
        run = run_to(moment)
        tally.broken += [f"died at {moment}: {found}" for found in judge(run)]
        if "killed" not in run.endings:
            return tally
        tally.died += 1
    raise AssertionError("the process dies at whatever moment, and never comes to its end")
