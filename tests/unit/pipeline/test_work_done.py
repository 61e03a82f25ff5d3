"""Which verification speaks of what stands now, and whose places the plan's numbers mean."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from backfill import pipeline
from backfill.errors import ForeignRunDirectoryError
from backfill.execute.stop import StopRequest
from backfill.manifest.run import manifest_name
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.places import BucketPlace
from backfill.model.rows import Row
from backfill.pipeline import Run
from backfill.plan.header import PlanHeader, header_document
from backfill.plan.run import PLAN
from backfill.verify.rows import (
    UNJUDGED_COLUMNS,
    VERDICT_COLUMNS,
    row_of,
    unjudged_name,
    verdicts_name,
)
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow
from backfill.work_done import WorkDone, outcomes_name
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.planning import HORIZON

VERIFY = "verify"
"""A step of a story: verify what stands at that moment."""
STORIES: Sequence[tuple[str, tuple[str, ...], int]] = [
    ("nothing was verified", (PLAN,), 0),
    ("two buckets alone", (VERIFY,), 1),
    ("alone, then planned", (VERIFY, PLAN), 0),
    ("alone, planned, verified", (VERIFY, PLAN, VERIFY), 2),
    ("planned, verified", (PLAN, VERIFY), 1),
    ("before the copies", (PLAN, VERIFY, outcomes_name(0)), 0),
    ("after the copies", (PLAN, VERIFY, outcomes_name(0), VERIFY), 2),
    ("before the repair", (PLAN, outcomes_name(0), VERIFY, outcomes_name(1)), 0),
    ("after the repair", (PLAN, outcomes_name(0), VERIFY, outcomes_name(1), VERIFY), 2),
]


def write(
    artifacts: MemoryArtifacts,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Row] = (),
    inputs: Mapping[str, str] | None = None,
) -> None:
    with artifacts.writer(name, columns=columns, inputs=inputs or {}) as writer:
        for row in rows:
            writer.write(row)
        writer.commit({})


def tell(artifacts: MemoryArtifacts, steps: Sequence[str]) -> None:
    """Let the steps have happened; every verification says one thing of plan number 7."""
    for step in steps:
        if step != VERIFY:
            write(artifacts, step, ("number",), [(0,)])
            continue
        work = WorkDone(artifacts)
        number, inputs = work.verifications + 1, work.digests()
        verdict = VerdictRow(
            number=7,
            key=f"judged by {number}",
            version_id=None,
            destination=0,
            content=Verdict.MISSING,
            evidence=Evidence.LISTING,
            fidelity=Fidelity.NOT_LOOKED_AT,
        )
        write(artifacts, verdicts_name(number), VERDICT_COLUMNS, [row_of(verdict)], inputs)
        left = (8, "key", 0, f"left by {number}")
        write(artifacts, unjudged_name(number), UNJUDGED_COLUMNS, [left], inputs)


@pytest.mark.parametrize(
    ("steps", "current"), [story[1:] for story in STORIES], ids=[story[0] for story in STORIES]
)
def test_only_a_verification_of_all_that_stands_speaks_for_it(
    steps: tuple[str, ...], current: int
) -> None:
    """If this fails, verdicts on other rows are reported and repaired as if they were of these."""
    artifacts = MemoryArtifacts()
    tell(artifacts, steps)
    work = WorkDone(artifacts)
    assert work.verifications == steps.count(VERIFY)
    assert work.current_verification == current
    spoken = [f"judged by {current}"] if current else []
    assert [verdict.key for verdict in work.verdicts()] == spoken
    assert list(work.unjudged()) == ([(7 + 1, f"left by {current}")] if current else [])


def test_a_verification_of_other_outcomes_of_the_same_name_does_not_speak() -> None:
    """If this fails, names are compared where only digests say what was judged."""
    artifacts = MemoryArtifacts()
    tell(artifacts, (PLAN, outcomes_name(0), VERIFY))
    write(artifacts, outcomes_name(0), ("number",), [(0,), (1,)])
    assert WorkDone(artifacts).current_verification == 0


# --- places ---


def place(bucket: str, **changes: str) -> BucketPlace:
    plain = BucketPlace(
        bucket=bucket, region="eu-west-1", expected_owner="2" * 12, owner_origin="rule Account"
    )
    return replace(plain, **changes)


HEADER = PlanHeader(
    source=place("source-bucket"), destinations=(place("one"), place("two")), horizon=HORIZON
)


def run_of(artifacts: MemoryArtifacts, scene: PlanHeader) -> Run:
    """Return a run whose scene is of these places, and which has nobody to send requests to."""
    here = SimpleNamespace(artifacts=artifacts, root=Path("nowhere"))
    seen = SimpleNamespace(source=scene.source, header=scene)
    return cast("Run", SimpleNamespace(here=here, scene=seen))


async def execute(run: Run) -> object:
    return await pipeline.execute(run, StopRequest())


@pytest.mark.parametrize("stage", [execute, pipeline.verify])
@pytest.mark.parametrize(
    "scene",
    [
        replace(HEADER, destinations=HEADER.destinations[::-1]),
        replace(HEADER, destinations=(place("one"), place("two", region="us-east-1"))),
        replace(HEADER, destinations=(place("one"), place("two", expected_owner="3" * 12))),
        replace(HEADER, source=place("source-bucket", expected_owner="3" * 12)),
    ],
    ids=["order", "region", "owner", "source-owner"],
)
async def test_places_that_are_not_the_plans_any_more_are_refused_before_any_request(
    stage: Callable[[Run], Awaitable[object]], scene: PlanHeader
) -> None:
    """If this fails, an entry's destination number names another bucket than the plan meant."""
    artifacts = MemoryArtifacts()
    with artifacts.writer(PLAN, columns=("number",), inputs={}) as writer:
        writer.commit({"header": header_document(HEADER)})
    write(artifacts, manifest_name(0), ("number",))
    with pytest.raises(ForeignRunDirectoryError, match="not those of the plan"):
        await stage(run_of(artifacts, scene))
    # The very places of the plan get past this, to what the run here does not have.
    with pytest.raises(AttributeError):
        await stage(run_of(artifacts, HEADER))


# --- outcomes ---


@pytest.mark.parametrize("left_out", [(), (0, 2)], ids=["every row is routed", "some are"])
def test_outcomes_carry_the_numbers_of_their_plan_rows(left_out: tuple[int, ...]) -> None:
    """If this fails, a row is judged with another row's copy."""
    artifacts = MemoryArtifacts()
    write(artifacts, PLAN, ("number",), [(number,) for number in range(5)])
    plan = artifacts.index(PLAN)
    assert plan is not None
    routed = [number for number in range(5) if number not in left_out]
    work = [(entry, number) for entry, number in enumerate(routed)]
    write(artifacts, manifest_name(0), ("number", "plan_number"), work, {PLAN: plan.digest})
    # The second round is about the last plan row alone, and hides an extra version before it.
    write(artifacts, manifest_name(1), ("number", "plan_number"), [(0, None), (1, 4)])
    for round_number, entries in enumerate((len(work), 2)):
        outcomes = [
            list(Outcome(number=entry, kind=OutcomeKind.COPIED, detail=f"{round_number}.{entry}"))
            for entry in range(entries)
        ]
        columns = Outcome._fields
        write(artifacts, outcomes_name(round_number), columns, outcomes)
    found = [(number, told.detail) for number, told in WorkDone(artifacts).planned_outcomes()]
    first = [(number, f"0.{entry}") for entry, number in work]
    assert found == [*first, (4, "1.1")]
