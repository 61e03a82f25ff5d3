"""P5: small runs that die at every round of the loop, and at every write to their journal.

Copies of fifty keys beside a live writer, whole histories, jobs. Histories are exhaustive in CI,
of the others CI takes every so many moments.
"""

from collections import Counter
from dataclasses import replace

import pytest

from backfill.campaign import Engine, ManifestWay
from backfill.sandbox.simulation.nemesis import CALM
from tests.doubles.figures import Row, Tried, figure, first_seed, is_release
from tests.doubles.history import Changed
from tests.simulation.batch_checkers import batch_violations
from tests.simulation.batch_scenario import BatchScenario, batch_scenario_of
from tests.simulation.batch_simulate import simulate_batch
from tests.simulation.checkers import violations
from tests.simulation.crash_points import SLICES, died_at_each
from tests.simulation.evidence import Evidence
from tests.simulation.history_checkers import history_violations, told_histories
from tests.simulation.history_scenario import HistoryScenario, history_scenario_of
from tests.simulation.history_simulate import simulate_history
from tests.simulation.runs import Run
from tests.simulation.scenario import KEYS, Scenario, plain_scenario_of
from tests.simulation.simulate import simulate

FRESH = (first_seed() + 1, first_seed() + 2) if is_release() else ()
COPIES = (3, *((2, *FRESH) if is_release() else ()))
JOBS, HISTORIES = (1, *FRESH), (12, *FRESH)
EVERY = figure(ci=8, release=1)
"""CI takes every so many moments of copies and of jobs."""
ROUNDS_A_WRITE = 12
"""The number of a moment at the disk is told in so many rounds; see `Simulation`."""

WRITES_MIN = 20
"""Writes of a journal at which a run of fifty keys dies, at least; 26 are seen."""


def copies(seed: int, *interruptions: tuple[str, int]) -> Scenario:
    """Return a run under a rule, without faults, beside a busy live writer.

    Of fifty keys; of the seed's own keys, for a seed that nobody has looked at.
    """
    fifty = tuple(sorted({*KEYS, *(f"e/{number:02}" for number in range(30))}))[:50]
    scenario = plain_scenario_of(seed)
    return replace(
        scenario,
        keys=scenario.keys if seed in FRESH else fifty,
        has_rule=True,
        is_quiet=False,
        replicates_markers=True,
        level=CALM,
        writer_operations=8,
        has_strangers=False,
        rival_share=0.15,
        interruptions=interruptions,
    )


def histories(seed: int, *interruptions: tuple[str, int]) -> HistoryScenario:
    """Return a run of three keys with all their versions, without faults and without others."""
    scenario = history_scenario_of(seed)
    return replace(
        scenario,
        keys=scenario.keys[:3],
        level=CALM,
        meddling=0,
        rival_share=0.0,
        zombie_s=0.0,
        page_max=1000,
        interruptions=interruptions,
    )


def jobs(seed: int, *interruptions: tuple[str, int]) -> BatchScenario:
    """Return a run of several shards and a retry, without faults on the wire."""
    return replace(
        batch_scenario_of(seed),
        level=CALM,
        engine=Engine.AUTO,
        manifest=ManifestWay.OWN,
        rows_max=5,
        writer_operations=4,
        report_lag_s=0.0,
        interruptions=interruptions,
    )


@pytest.mark.parametrize("seed", COPIES)
@pytest.mark.parametrize("part", range(SLICES))
def test_copies_killed_at_any_await_end_as_they_should(seed: int, part: int, tried: Tried) -> None:
    """If this fails, a kill -9 at one moment loses, doubles or misreports something."""

    def run_to(moment: int) -> Run:
        return simulate(seed, copies(seed, ("kill", moment)))

    tally = died_at_each(part, run_to, violations, every=EVERY)
    assert tally.broken == []
    tried(Row.CRASH_POINTS, tally.died)


@pytest.mark.parametrize("seed", COPIES)
@pytest.mark.parametrize("kind", ["torn", "written"])
def test_copies_that_die_at_any_write_of_their_journal_end_as_they_should(
    seed: int, kind: str, tried: Tried
) -> None:
    """If this fails, a record that is cut, or that nobody lived to act on, costs a version."""

    def run_to(moment: int) -> Run:
        return simulate(seed, copies(seed, (kind, (moment - 1) * ROUNDS_A_WRITE)))

    tallies = [died_at_each(part, run_to, violations) for part in range(SLICES)]
    assert [one for tally in tallies for one in tally.broken] == []
    died = sum(tally.died for tally in tallies)
    assert died > WRITES_MIN, "hardly any write of the journal was died at"
    tried(Row.CRASH_POINTS, died)


def test_the_copies_that_die_are_of_every_kind_and_are_gone_on_with() -> None:
    """If this fails, the crash points above leave out what is hardest to get right."""
    run = simulate(COPIES[0], copies(COPIES[0]))
    made = Counter(e.operation for e in run.history.events if isinstance(e, Changed) and e.is_ours)
    assert {"CopyObject", "CompleteMultipartUpload", "DeleteObject"} <= made.keys(), made
    assert made.total() > len(copies(COPIES[0]).keys) / 2
    killed = simulate(COPIES[0], copies(COPIES[0], ("kill", 60)))
    assert killed.endings[:2] == ["killed", "finished"]


def judged(run: Run) -> list[object]:
    """Return what broke, and histories that are not whole in the end."""
    told = list(told_histories(Evidence(run)))
    assert told, "there are histories"
    return [*history_violations(run), *(f"{one.key!r}" for one in told if not one.is_clean)]


@pytest.mark.parametrize("seed", HISTORIES)
@pytest.mark.parametrize("kind", ["kill", "lost"])
@pytest.mark.parametrize("part", range(SLICES))
def test_histories_killed_at_any_await_come_whole(
    seed: int, kind: str, part: int, tried: Tried
) -> None:
    """If this fails, a death at one moment, or a disk that forgets, breaks a chain for good."""

    def run_to(moment: int) -> Run:
        return simulate_history(seed, histories(seed, (kind, moment)))

    tally = died_at_each(part, run_to, judged)
    assert tally.broken == []
    tried(Row.CRASH_POINTS, tally.died)


@pytest.mark.parametrize("seed", JOBS)
@pytest.mark.parametrize("part", range(SLICES))
def test_jobs_killed_at_any_await_are_made_once_and_told_right(
    seed: int, part: int, tried: Tried
) -> None:
    """If this fails, a kill -9 makes a job twice, forgets one, or misreports its tasks."""

    def run_to(moment: int) -> Run:
        return simulate_batch(seed, jobs(seed, ("kill", moment)))

    tally = died_at_each(part, run_to, batch_violations, every=EVERY)
    assert tally.broken == []
    tried(Row.CRASH_POINTS, tally.died)
