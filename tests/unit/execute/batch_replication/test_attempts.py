"""What an attempt does with reports that contradict its manifest, and with another limit."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import cast

import pytest

from backfill.aws.faults import error_of
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.report_rows import TaskRow
from backfill.campaign import BatchOptions
from backfill.errors import ReportRefusedError
from backfill.execute.batch_replication import attempts as attempts_module
from backfill.execute.batch_replication.attempts import Attempts
from backfill.execute.batch_replication.work import BatchPorts, BatchWork
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import ArtifactIndex, Clock, Events, ObjectStore
from backfill.settings import Settings
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.no_batch import NO_BATCH_BUCKET, NO_BATCH_OPERATIONS

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = BucketPlace(
    bucket="b-bucket", region="eu-west-1", expected_owner="111111111111", owner_origin="flag"
)
ENTRIES = [
    ManifestEntry(
        number=number,
        plan_number=number,
        key=f"k{number}",
        version_id=VersionId("v"),
        etag=ETag("e"),
        size_bytes=7,
        last_modified=WHEN,
        destination=0,
        route=Route.BATCH_REPLICATION,
    )
    for number in range(3)
]


def told(key: str, *, is_succeeded: bool = True, code: str = "") -> TaskRow:
    return TaskRow(key, "v", is_succeeded, 200 if is_succeeded else 503, code, "")


GOOD = [told(entry.key) for entry in ENTRIES]
FOREIGN = [told("a stranger"), *GOOD]
THROTTLED = [told("k0", is_succeeded=False, code="SlowDown"), *GOOD[1:]]


@dataclass
class World:
    """Jobs that end at once; each reading of their reports gives the next rows."""

    readings: list[list[TaskRow]]
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    asked: list[list[str]] = field(default_factory=list)
    """The keys of each job's manifest."""

    def attempts(self, *, limit: int = 3) -> Attempts:
        work = BatchWork(
            round=0,
            run_id="r",
            manifest=ArtifactIndex(
                name="manifest/00", columns=(), rows=3, digest="d", inputs={}, summary={}
            ),
            header=PlanHeader(source=PLACE, destinations=(PLACE,), horizon=WHEN),
            entries=lambda: iter(ENTRIES),
            rows=3,
            options=BatchOptions(),
            bucket=PLACE,
            generated=None,
            settings=Settings(job_attempts_max=limit),
        )
        driver = DriverPorts(
            batch=NO_BATCH_OPERATIONS,
            artifacts=self.artifacts,
            events=cast("Events", None),
            clock=cast("Clock", None),
            random=Random(0),
            error_of=error_of,
        )
        store = cast("ObjectStore", None)
        ports = BatchPorts(
            driver=driver,
            bucket=NO_BATCH_BUCKET,
            source=store,
            destination=store,
            scratch=Path(),
        )
        return Attempts(work, ports)

    async def orders(self, _at: object, _what: object, rows: Iterator[object]) -> list[object]:
        self.asked.append([getattr(row, "key", "") for row in rows])
        return []

    async def jobs(self, *_what: object, **_more: object) -> tuple[()]:
        return ()

    def reports(self, *_reports: object) -> Iterator[TaskRow]:
        return iter(self.readings.pop(0))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(readings=[])
    monkeypatch.setattr(attempts_module, "shard_orders", made.orders)
    monkeypatch.setattr(attempts_module, "carry_out_jobs", made.jobs)
    monkeypatch.setattr(attempts_module, "merge_reports", made.reports)
    return made


async def test_a_report_of_other_rows_is_read_once_more_and_believed_then(world: World) -> None:
    """If this fails, one odd row costs another job for millions of versions."""
    world.readings = [FOREIGN, GOOD]
    with pytest.raises(ReportRefusedError) as refused:
        await world.attempts().carry_out(StopRequest())
    assert "same command" in refused.value.hint
    assert await world.attempts().carry_out(StopRequest()) == 1
    assert all(result.state == "succeeded" for result in world.attempts().results(1))


async def test_a_report_that_stays_odd_is_never_believed_and_ends_no_run_for_ever(
    world: World,
) -> None:
    """If this fails, the only way on is a new run directory, or a report nobody asked for."""
    world.readings = [FOREIGN, FOREIGN, [], GOOD]
    with pytest.raises(ReportRefusedError):
        await world.attempts().carry_out(StopRequest())
    assert await world.attempts().carry_out(StopRequest()) == 2
    assert [result.state for result in world.attempts().results(1)] == ["not-attempted"] * 3
    assert world.asked[-1] == ["k0", "k1", "k2"], "all of them go into the next job"


async def test_the_next_manifest_holds_what_was_throttled_and_nothing_else(world: World) -> None:
    world.readings = [THROTTLED, GOOD[:1]]
    assert await world.attempts().carry_out(StopRequest()) == 2
    assert world.asked == [["k0", "k1", "k2"], ["k0"]]


async def test_attempts_made_under_a_higher_limit_count_under_a_lower_one(world: World) -> None:
    """If this fails, what the third job delivered is forgotten, and told as failed."""
    world.readings = [THROTTLED, THROTTLED[:1], GOOD[:1]]
    assert await world.attempts(limit=3).carry_out(StopRequest()) == 3
    assert await world.attempts(limit=1).carry_out(StopRequest()) == 3
    assert len(world.asked) == 3
