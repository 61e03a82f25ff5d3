"""The same work under other settings, shards and pages ends in the same destination and report.

Pairs of runs of the whole product in virtual time, on equal worlds without other writers: one with
the usual settings in calm weather; one with all turned that may make it faster or slower, every
second time among faults. Version IDs and times of copies are left out; all else must be equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from random import Random

import pytest

from backfill.campaign import Campaign
from backfill.execute.outcome_rows import outcome_of
from backfill.manifest.run import manifest_name
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.rows import entry_of as planned
from backfill.plan.run import PLAN
from backfill.sandbox.model.versions import Entry, ObjectVersion
from backfill.sandbox.simulation.nemesis import CALM, LIGHT, Level
from backfill.settings import Settings
from backfill.verify.rows import verdict_of, verdicts_name
from backfill.work_done import outcomes_name
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.simulation.runs import Run
from tests.simulation.scenario import DESTINATION, Scenario, scenario_of
from tests.simulation.simulate import simulate

PAIRS = figure(ci=50, release=500)
"""Of each piece; a pair is two runs."""
PIECES = figure(ci=2, release=40)


@dataclass(frozen=True, kw_only=True)
class Tuned(Scenario):
    """A scenario whose campaign has other settings than usual."""

    options: Mapping[str, float]

    @property
    def campaign(self) -> Campaign:
        """Return what the person asked for, tuned."""
        usual = super().campaign
        return replace(usual, settings=_tuned(usual.settings, self.options))


def _tuned(settings: Settings, options: Mapping[str, float]) -> Settings:
    known = {each.name: type(getattr(settings, each.name)) for each in fields(settings)}
    return replace(settings, **{name: known[name](value) for name, value in options.items()})


def plain(seed: int) -> Tuned:
    """Return a seed's world with nobody else in it, no faults, and usual settings."""
    drawn = replace(
        scenario_of(seed),
        level=CALM,
        writer_operations=0,
        rival_share=0.0,
        has_strangers=False,
        interruptions=(),
        troubles=(),
        lifecycle_operations=0,
        damaged_before=0,
        damaged_after=0,
        repairs=0,
        copiers=0,
        page_max=1000,
        is_shuffled=False,
    )
    return Tuned(**{each.name: getattr(drawn, each.name) for each in fields(Scenario)}, options={})


def turned(scenario: Tuned, random: Random, *, level: Level) -> Tuned:
    """Return the same world with everything else turned."""
    options = {
        "concurrency": random.choice((1, 2, 16, 128)),
        "listing_concurrency": random.choice((1, 3, 48)),
        "parts_in_flight_max": random.choice((1, 2, 64)),
        "requests_per_second_max": random.choice((0, 5, 50)),
        "retry_base_s": random.choice((0.01, 0.2, 2.0)),
        "retry_cap_s": random.choice((2.0, 20.0)),
        "attempts_max": 12,
        "control_attempts_max": 12,
        "retry_budget_floor": 10_000,
        "settle_rounds": 4,
        "settle_delay_s": random.choice((0.5, 5.0)),
    }
    return replace(
        scenario,
        copiers=random.randint(0, 7),
        page_max=random.choice((2, 3, 7, 50)),
        is_shuffled=random.random() < 0.7,
        level=level,
        options=options,
    )


def destination_of(run: Run) -> dict[str, list[object]]:
    """Return the chains of the destination, oldest first, without IDs and times."""
    bucket = run.s3.model.world.buckets[DESTINATION]
    return {key: [_shown(entry) for entry in bucket.chain(key)] for key in sorted(bucket.keys)}


def _shown(entry: Entry) -> object:
    if not isinstance(entry, ObjectVersion):
        return "delete marker"
    own = ("key", "etag", "size_bytes", "storage_class", "tags", "metadata", "content", "checksum")
    return [getattr(entry, name) for name in own if hasattr(entry, name)]


def report_of(run: Run) -> dict[str, list[object]]:
    """Return what the run says of each row: its plan, its outcome, its verdict."""
    held = run.artifacts.held
    plan = [planned(row) for row in held[PLAN]]
    outcomes = [outcome_of(row) for row in held[outcomes_name(0)]]
    verdicts = [verdict_of(row) for row in held[verdicts_name(1)]]
    return {
        "plan": [
            (e.number, e.key, e.version_id, e.route, e.reason, e.storage_class, e.handling)
            for e in plan
        ],
        "manifest": [row[1:4] for row in held[manifest_name(0)]],
        "outcomes": [_ended(outcome, run.scenario.level) for outcome in outcomes],
        "verdicts": [
            (v.number, v.key, v.version_id, v.content, v.fidelity, v.fields) for v in verdicts
        ],
    }


def _ended(outcome: Outcome, level: Level) -> object:
    """Return how a row ended; among faults a copy may be met as if another had made it.

    A request that was delivered twice is answered with 412, and what it made is found there.
    """
    is_there = outcome.kind in (OutcomeKind.COPIED, OutcomeKind.ALREADY_THERE)
    if is_there and level != CALM:
        return outcome.number, "there"
    return outcome.number, outcome.kind, outcome.code, outcome.etag, outcome.bytes_copied


def told_alike(one: Run, other: Run) -> dict[str, list[object]]:
    """Return the report of a calm run in the words of one that saw another weather."""
    level = other.scenario.level
    outcomes = [outcome_of(row) for row in one.artifacts.held[outcomes_name(0)]]
    return {**report_of(one), "outcomes": [_ended(each, level) for each in outcomes]}


@pytest.mark.parametrize("piece", range(PIECES))
def test_settings_shards_pages_and_order_do_not_matter(piece: int, tried: Tried) -> None:
    """If this fails, what is copied depends on how fast, by how many, or in which pages."""
    first, copied = first_seed() + piece * PAIRS, 0
    for seed in range(first, first + PAIRS):
        random = Random(f"turned {seed}")
        one = plain(seed)
        other = turned(one, random, level=CALM if seed % 2 else LIGHT)
        runs = [simulate(seed, each) for each in (one, other)]
        assert [run.failure for run in runs] == ["", ""], seed
        assert destination_of(runs[0]) == destination_of(runs[1]), (seed, other)
        assert told_alike(*runs) == report_of(runs[1]), (seed, other)
        copied += len(runs[0].artifacts.held[outcomes_name(0)])
    assert copied > PAIRS, "the worlds are worlds with work in them"
    tried(Row.METAMORPHIC_PAIRS, PAIRS)
