from pathlib import Path

import pytest

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError, TotalsError
from backfill.manifest.run import plan_entries, write_manifest
from backfill.model.store import IfAbsent
from backfill.plan.entries import PlanEntry
from backfill.plan.header import PlanHeader, header_document, header_of
from backfill.plan.routes import Reason, Route
from backfill.plan.rows import COLUMNS, row_of
from backfill.plan.totals import Counting, totals_document
from backfill.run_directory.artifacts import LocalArtifacts
from tests.doubles.listings import place
from tests.doubles.planning import BEFORE, HORIZON, version

HEADER = PlanHeader(source=place("s"), destinations=(place("x"),), horizon=HORIZON)


def entry(number: int, *, route: Route | None) -> PlanEntry:
    listed = version(f"k{number}", "v", "e", 10, is_latest=True)
    return PlanEntry(
        number=number,
        key=listed.key,
        version_id=listed.version_id,
        is_delete_marker=False,
        is_latest=True,
        last_modified=BEFORE,
        etag=listed.etag,
        size_bytes=10,
        destination=0,
        route=route,
        reason=None if route else Reason.NO_RULE,
        precondition=IfAbsent() if route else None,
    )


def store_plan(artifacts: LocalArtifacts, routes: list[Route | None], lost: int = 0) -> None:
    """Write a plan whose last `lost` rows are counted and missing."""
    counting = Counting(buckets=["x"])
    entries = [entry(number, route=route) for number, route in enumerate(routes)]
    with artifacts.writer("plan", columns=COLUMNS, inputs={}) as writer:
        for each in entries:
            counting.add_source([version(each.key, "v", "e", 10)])
            counting.add(each)
        for each in entries[: len(entries) - lost]:
            writer.write(row_of(each))
        writer.commit(
            {"header": header_document(HEADER), "totals": totals_document(counting.totals())}
        )


def test_only_routed_rows_become_work_and_the_header_goes_along(tmp_path: Path) -> None:
    """If this fails, workers touch versions that have a reason, or do not know where to write."""
    artifacts = LocalArtifacts(tmp_path)
    store_plan(artifacts, [None, Route.COPY_OBJECT, None, Route.MULTIPART_COPY])
    index = write_manifest(artifacts)
    assert index.rows == 2
    assert header_of(index.summary) == HEADER
    assert [row[1] for row in artifacts.rows("manifest/00")] == [1, 3]


def test_a_manifest_that_misses_routes_is_a_bug_and_is_not_written(tmp_path: Path) -> None:
    """If this fails, versions that the plan promised are never delivered and never missed."""
    artifacts = LocalArtifacts(tmp_path)
    store_plan(artifacts, [Route.COPY_OBJECT, Route.COPY_OBJECT], lost=1)
    with pytest.raises(TotalsError):
        write_manifest(artifacts)
    assert artifacts.index("manifest/00") is None


def test_a_manifest_of_another_plan_is_refused(tmp_path: Path) -> None:
    """If this fails, the journal's outcomes are read as those of other versions."""
    artifacts = LocalArtifacts(tmp_path)
    store_plan(artifacts, [Route.COPY_OBJECT])
    write_manifest(artifacts)
    store_plan(artifacts, [Route.COPY_OBJECT, None])
    with pytest.raises(ForeignRunDirectoryError):
        write_manifest(artifacts)


def test_without_a_plan_there_is_no_manifest(tmp_path: Path) -> None:
    """If this fails, an empty work list looks like a finished one."""
    artifacts = LocalArtifacts(tmp_path)
    with pytest.raises(ArtifactDamagedError):
        write_manifest(artifacts)
    with artifacts.writer("plan", columns=["other"], inputs={}) as writer:
        writer.commit({})
    with pytest.raises(ArtifactDamagedError):
        next(plan_entries(artifacts))
