"""Whole runs by Batch Replication jobs, by seed: planted faults, deaths, a person who mends."""

from collections import Counter
from dataclasses import replace

import pytest

from backfill.campaign import Engine, ManifestWay
from backfill.sandbox.simulation.nemesis import CALM
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.history import Committed
from tests.simulation.batch_checkers import batch_violations
from tests.simulation.batch_evidence import BatchEvidence
from tests.simulation.batch_scenario import BatchScenario, batch_scenario_of
from tests.simulation.batch_simulate import DISK_SHARE, simulate_batch
from tests.simulation.batch_table import batch_table
from tests.simulation.checkers import Violation
from tests.simulation.kinds import JOBS
from tests.simulation.runs import Run
from tests.simulation.scenario import DESTINATION
from tests.simulation.shrinking import story

CHUNKS = 16
SEEDS_A_CHUNK = figure(ci=320, release=20_000) // CHUNKS
"""In chunks, so that several processes share them."""


def met(run: Run) -> Counter[str]:
    """Count what a history was about: what is never met is not tested."""
    evidence = BatchEvidence(run, DESTINATION, 0)
    found = Counter(ending.split(" ")[0].rstrip(":") for ending in run.endings)
    found["retried"] = any(attempt > 1 for _, attempt in evidence.uploads)
    found["generated"] = any(job.request.manifest_generator for job in evidence.jobs)
    found["routed on"] = len(evidence.rounds) > 1
    found["damaged report"] = any(j.faults.report and j.results for j in evidence.jobs)
    found["ended badly"] = any(job.failures for job in evidence.jobs)
    return found


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_history_by_jobs_breaks_a_promise(chunk: int, tried: Tried) -> None:
    """If this fails, jobs, outcomes and buckets disagree, or a job was made twice or forgotten."""
    broken, all_met = dict[int, list[Violation]](), Counter[str]()
    begin = first_seed() + chunk * SEEDS_A_CHUNK
    for seed in range(begin, begin + SEEDS_A_CHUNK):
        run = simulate_batch(seed)
        all_met += met(run)
        if found := batch_violations(run):
            broken[seed] = found
    assert not broken, story(JOBS, broken)
    assert all_met["killed"] >= SEEDS_A_CHUNK // 4
    assert all_met["retried"]
    assert all_met["error"]
    tried(Row.JOB_HISTORIES, SEEDS_A_CHUNK)


def test_what_is_promised_about_is_met() -> None:
    """If this fails, the histories above pass because what they are about does not happen."""
    all_met = Counter[str]()
    for seed in range(60):
        all_met += met(simulate_batch(seed))
    wanted = ("waits", "stopped", "generated", "routed on", "damaged report", "ended badly")
    assert [word for word in wanted if not all_met[word]] == []


def test_a_seed_says_everything() -> None:
    """If this fails, a failure cannot be replayed: the same seed went another way."""
    assert list(batch_table(simulate_batch(7))) == list(batch_table(simulate_batch(7)))


# --- a death at everything that is durable ---

SLICES = 4


def small() -> BatchScenario:
    """Return a run of three shards and a retry, without faults on the wire."""
    return replace(
        batch_scenario_of(CRASH_SEED),
        level=CALM,
        engine=Engine.AUTO,
        manifest=ManifestWay.OWN,
        rows_max=5,
        writer_operations=4,
        report_lag_s=0.0,
        interruptions=(),
    )


CRASH_SEED = 1


@pytest.mark.parametrize("kind", ["lost", "kept"])
@pytest.mark.parametrize("part", range(SLICES))
def test_a_death_before_or_after_each_artefact_leaves_no_trace(kind: str, part: int) -> None:
    """If this fails, a kill -9 between two artefacts loses a job or makes it twice."""
    whole = small()
    calm = simulate_batch(CRASH_SEED, whole)
    writes = sum(isinstance(event, Committed) for event in calm.history.events)
    assert writes > 12
    broken, endings = [], Counter[str]()
    for number in range(part, writes, SLICES):
        struck = replace(whole, interruptions=((kind, number * DISK_SHARE),))
        run = simulate_batch(CRASH_SEED, struck)
        endings[run.endings[0]] += 1
        broken += [f"{kind} at write {number}: {found}" for found in batch_violations(run)]
    assert broken == []
    assert endings["killed"]
