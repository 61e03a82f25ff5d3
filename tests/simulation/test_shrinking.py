"""A failing history is made small, and is still the same failure: tried with guards taken away."""

import argparse
import json
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.mutants import copies, histories
from tests.simulation.checkers import Promise
from tests.simulation.kinds import COPIES, HISTORIES, JOBS, Kind
from tests.simulation.runs import Run
from tests.simulation.scenario import Scenario
from tests.simulation.shrinking import changes, shrunk, story, with_choices

RUNS_MAX = 60
SEEDS_MAX = 100
CASES = (
    (COPIES, copies.parts_without_tags, Promise.P4),
    (COPIES, copies.no_if_none_match, Promise.P1),
    (HISTORIES, histories.newest_first, Promise.P1),
)


def again(kind: Kind, command: str) -> Scenario:
    """Return the scenario that a printed command names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int)
    parser.add_argument("--with", dest="choices")
    said = parser.parse_args([word for word in shlex.split(command)[1:] if word != kind.flag])
    return with_choices(kind.draw(said.seed), json.loads(said.choices))


def first_broken(kind: Kind, promise: Promise) -> tuple[Scenario, Run]:
    """Return the first scenario that breaks a promise, of those that seeds draw."""
    for seed in range(SEEDS_MAX):
        run = kind.play(kind.draw(seed))
        if any(one.promise is promise for one in kind.broken(run)):
            return run.scenario, run
    raise AssertionError(f"{SEEDS_MAX} seeds keep {promise}")


@pytest.mark.parametrize(
    ("kind", "remove", "promise"), CASES, ids=[remove.__name__ for _, remove, _ in CASES]
)
def test_a_smaller_history_breaks_the_same_promise(
    kind: Kind, remove: Callable[[pytest.MonkeyPatch], None], promise: Promise
) -> None:
    """If this fails, whoever gets a failing seed reads hundreds of lines, or of another failure."""
    with pytest.MonkeyPatch.context() as patch:
        remove(patch)
        whole, run = first_broken(kind, promise)
        smaller = shrunk(kind, whole, promise, runs_max=RUNS_MAX)
        assert smaller is not None
        replayed = kind.play(again(kind, smaller.command()))
        assert smaller.violation in kind.broken(replayed)
    assert smaller.violation.promise is promise
    assert smaller.runs <= RUNS_MAX
    assert 2 * len(replayed.history.events) < len(run.history.events)
    assert len(smaller.scenario.keys) < len(whole.keys)
    assert any(line.startswith(f"BROKEN {promise}") for line in smaller.lines())
    # The control: it is the guard that is missing, not a world that cannot be.
    assert kind.broken(kind.play(smaller.scenario)) == []


def test_a_history_that_keeps_its_promises_is_not_made_small() -> None:
    """If this fails, a failure is shown where there is none."""
    assert shrunk(COPIES, COPIES.draw(7), Promise.P1) is None
    assert story(COPIES, {}) == ""


@pytest.mark.parametrize("kind", [COPIES, JOBS, HISTORIES], ids=["copies", "jobs", "histories"])
def test_choices_survive_being_written_down(kind: Kind) -> None:
    """If this fails, the command that is printed plays another history."""
    whole = kind.draw(3)
    smaller = replace(kind.draw(4), keys=whole.keys[1:], past_keys=whole.keys, strikes=(2, 5))
    written = json.loads(json.dumps(changes(whole, smaller)))
    assert with_choices(whole, written) == smaller


def test_what_is_no_choice_is_refused() -> None:
    """If this fails, a typing error in a replay shows the whole history as if it were asked for."""
    with pytest.raises(ValueError, match="not chosen by a seed: keyz"):
        with_choices(COPIES.draw(1), {"keyz": ["a"]})
