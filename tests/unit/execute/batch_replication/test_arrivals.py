"""Looks at the destination: what was seen is believed; what could not be asked is not absent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import cast

import pytest

from backfill.aws.faults import error_of, store_fault
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.campaign import BatchOptions
from backfill.errors import InterruptedRunError, StoreFault
from backfill.execute.batch_replication.arrivals import Arrivals
from backfill.execute.batch_replication.work import BatchPorts, BatchWork, look_name
from backfill.execute.outcome_rows import outcome_of
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    ReplicationStatus,
)
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import Outcome
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import ArtifactIndex, Clock, Events, ObjectStore
from backfill.settings import Settings
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.no_batch import NO_BATCH_BUCKET, NO_BATCH_OPERATIONS

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
POLL_S, DEADLINE_S = 30.0, 3600.0


def place(bucket: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region="eu-west-1", expected_owner="111111111111", owner_origin="flag"
    )


def entry(*, version: str = "v1", is_marker: bool = False, destination: int = 0) -> ManifestEntry:
    return ManifestEntry(
        number=destination,
        plan_number=destination,
        key="k",
        version_id=VersionId(version),
        etag=None if is_marker else ETag("e"),
        size_bytes=0 if is_marker else 7,
        last_modified=WHEN,
        destination=destination,
        route=Route.BATCH_REPLICATION,
    )


def listed(version: str, *, is_marker: bool = False, later_s: int = 0) -> ListedEntry:
    when = WHEN + timedelta(seconds=later_s)
    if is_marker:
        return DeleteMarker(
            key="k", version_id=VersionId(version), is_latest=True, last_modified=when
        )
    return ObjectVersion(
        key="k",
        version_id=VersionId(version),
        is_latest=True,
        last_modified=when,
        etag=ETag("e"),
        size_bytes=7,
        storage_class="STANDARD",
    )


def head(
    status: ReplicationStatus, *, version: str = "v1", etag: str = "e", later_s: int = 0
) -> ObjectHead:
    return ObjectHead(
        version_id=VersionId(version),
        etag=ETag(etag),
        size_bytes=7,
        last_modified=WHEN + timedelta(seconds=later_s),
        storage_class="STANDARD",
        metadata=(),
        content_headers=ContentHeaders(),
        tag_count=0,
        checksums=(),
        encryption=Encryption(kind=EncryptionKind.SSE_S3),
        replication_status=status,
    )


BROKEN = store_fault(operation="HeadObject", code="InternalError", status=500, bucket="")


@dataclass
class Shown:
    """What both sides show: listings by bucket, heads by bucket; a fault is raised."""

    listings: Mapping[str, Sequence[ListedEntry] | StoreFault] = field(default_factory=dict)
    heads: Mapping[str, ObjectHead | StoreFault] = field(default_factory=dict)

    async def list_object_versions(self, where: BucketPlace, **_said: object) -> VersionsPage:
        found = self.listings.get(where.bucket, ())
        if isinstance(found, StoreFault):
            raise found
        return VersionsPage(entries=tuple(found), next_position=None)

    async def head_object(self, where: BucketPlace, _key: str, **_said: object) -> ObjectHead:
        found = self.heads.get(where.bucket)
        if isinstance(found, ObjectHead):
            return found
        raise found or store_fault(operation="HeadObject", code="404", status=404, bucket="")


class Time:
    """The ports Clock and Events: sleeping takes no time, and is remembered."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def monotonic_s(self) -> float:
        return sum(self.pauses)

    async def sleep(self, duration_s: float) -> None:
        self.pauses.append(duration_s)
        await asyncio.sleep(0)

    def progress(self, counts: object) -> None:
        assert counts is not None, "progress is told"


@dataclass
class Case:
    """One round of rows, each with the result of its task."""

    rows: Sequence[tuple[ManifestEntry, TaskState, str]]
    shown: Shown
    time: Time = field(default_factory=Time)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)

    def arrivals(self) -> Arrivals:
        destinations = sorted({row.destination for row, _, _ in self.rows})
        header = PlanHeader(
            source=place("source"),
            destinations=tuple(place(f"destination-{number}") for number in destinations),
            horizon=WHEN,
        )
        work = BatchWork(
            round=0,
            run_id="r",
            manifest=ArtifactIndex(
                name="manifest/00", columns=(), rows=0, digest="d", inputs={}, summary={}
            ),
            header=header,
            entries=lambda: [row for row, _, _ in self.rows],
            rows=len(self.rows),
            options=BatchOptions(),
            bucket=place("batch"),
            generated=None,
            settings=Settings(job_poll_s=POLL_S, replication_deadline_s=DEADLINE_S),
        )
        store = cast("ObjectStore", self.shown)
        ports = BatchPorts(
            driver=DriverPorts(
                batch=NO_BATCH_OPERATIONS,
                artifacts=self.artifacts,
                events=cast("Events", self.time),
                clock=cast("Clock", self.time),
                random=Random(0),
                error_of=error_of,
            ),
            bucket=NO_BATCH_BUCKET,
            source=store,
            destination=store,
            scratch=Path(),
        )
        results = [
            TaskResult(row.number, state, 200 if state is TaskState.SUCCEEDED else None, code)
            for row, state, code in self.rows
        ]
        return Arrivals(work, ports, attempts=1, results=lambda _attempt: iter(results))

    async def outcomes(self, stop: StopRequest | None = None) -> list[Outcome]:
        index = await self.arrivals().settle(stop or StopRequest())
        return [outcome_of(row) for row in self.artifacts.held[index.name]]


def said(outcome: Outcome) -> str:
    return f"{outcome.kind} {outcome.code}".strip()


SUCCEEDED = TaskState.SUCCEEDED


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (TaskState.NOT_ATTEMPTED, ""),
        (TaskState.FAILED, "SlowDown"),
        (TaskState.FAILED, "DstBucketUnversioned"),
    ],
)
async def test_a_version_that_is_there_is_never_told_as_failed(state: TaskState, code: str) -> None:
    """If this fails, a lost report makes failures of what S3 has delivered."""
    shown = Shown(listings={"destination-0": [listed("v1")]})
    (outcome,) = await Case([(entry(), state, code)], shown).outcomes()
    assert said(outcome) == "already-there"


@pytest.mark.parametrize("listing", [BROKEN, [listed("v1", is_marker=True)], []])
async def test_a_refused_version_that_is_not_seen_stays_refused(
    listing: Sequence[ListedEntry] | StoreFault,
) -> None:
    """If this fails, a refusal is waited for, or taken for an arrival."""
    case = Case(
        [(entry(), TaskState.FAILED, "DstObjectHardDeleted")],
        Shown(listings={"destination-0": listing}, heads={"destination-0": BROKEN}),
    )
    (outcome,) = await case.outcomes()
    assert (said(outcome), case.time.pauses) == ("skipped DstObjectHardDeleted", [])


async def test_what_another_destination_refused_may_still_come_to_this_one() -> None:
    """If this fails, a key is taken for done while S3 is at it, and a copy meets a replica."""
    rows = [
        (entry(destination=number), TaskState.FAILED, "DstObjectHardDeleted") for number in (0, 1)
    ]
    shown = Shown(heads={"source": head(ReplicationStatus.PENDING)})
    assert [said(one) for one in await Case(rows, shown).outcomes()] == ["skipped in-flight"] * 2


async def test_a_destination_that_cannot_be_asked_does_not_lack_the_version() -> None:
    """If this fails, three broken answers make a missing version, which is written again."""
    shown = Shown(
        listings={"destination-0": BROKEN},
        heads={"destination-0": BROKEN, "source": head(ReplicationStatus.COMPLETED)},
    )
    (outcome,) = await Case([(entry(), SUCCEEDED, "")], shown).outcomes()
    assert said(outcome) == "skipped in-flight"


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (head(ReplicationStatus.REPLICA, version="null"), "replicated"),
        (head(ReplicationStatus.REPLICA, version="null", etag="kms"), "replicated"),
        (head(ReplicationStatus.REPLICA, version="null", etag="x", later_s=9), "skipped in-flight"),
        (head(ReplicationStatus.NONE, version="null"), "skipped in-flight"),
    ],
)
async def test_null_is_this_version_only_as_a_replica_of_its_bytes_or_time(
    there: ObjectHead, expected: str
) -> None:
    """If this fails, the replica of an overwritten null version passes for its successor."""
    shown = Shown(
        listings={"destination-0": [listed("null")]},
        heads={"destination-0": there, "source": head(ReplicationStatus.PENDING, version="null")},
    )
    (outcome,) = await Case([(entry(version="null"), SUCCEEDED, "")], shown).outcomes()
    assert said(outcome) == expected


@pytest.mark.parametrize(("later_s", "expected"), [(0, "replicated"), (9, "skipped marker-not-")])
async def test_a_null_delete_marker_is_known_by_its_time(later_s: int, expected: str) -> None:
    """If this fails, a marker of somebody else passes for the replica, or the replica for none."""
    there = listed("null", is_marker=True, later_s=later_s)
    gone = store_fault(operation="HeadObject", code="405", status=405, bucket="")
    shown = Shown(listings={"destination-0": [there]}, heads={"source": gone})
    row = entry(version="null", is_marker=True)
    (outcome,) = await Case([(row, SUCCEEDED, "")], shown).outcomes()
    assert said(outcome).startswith(expected)


async def test_a_resumed_run_does_not_wait_through_looks_that_stand() -> None:
    """If this fails, coming back takes as long as the looks before did, and ends on a stale one."""
    shown = Shown(heads={"source": head(ReplicationStatus.PENDING)})
    case = Case([(entry(), SUCCEEDED, "")], shown)
    await case.outcomes()
    looks = len([name for name in case.artifacts.held if name.startswith("replication/00-look-")])
    assert looks > 10
    case.time.pauses.clear()
    shown.listings = {"destination-0": [listed("v1")]}
    (outcome,) = await case.outcomes()
    assert (said(outcome), case.time.pauses) == ("replicated", [POLL_S])
    assert case.artifacts.index(look_name(0, looks)) is not None


async def test_a_stop_during_a_look_is_an_interruption_and_no_group_of_errors() -> None:
    """If this fails, Ctrl-C is told as a bug."""
    stop = StopRequest()
    stop.request()
    with pytest.raises(InterruptedRunError):
        await Case([(entry(), SUCCEEDED, "")], Shown()).outcomes(stop)
