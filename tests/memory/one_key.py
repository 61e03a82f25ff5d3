"""One key with very many versions, executed as a history in this process, its buckets computed.

    python -m tests.memory.one_key FOLDER VERSIONS

Prints one JSON document: the outcomes by kind, the requests by operation, and the process's memory
before and at its peak, in KiB. Every third version has the bytes of the one before it, every tenth
is a delete marker. Of the destination a number is held: how many versions were written.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from backfill.aws.faults import error_of
from backfill.compose import journal, machine
from backfill.execute.bench import ExecutePorts
from backfill.execute.outcome_rows import outcomes_of
from backfill.execute.run import ExecuteJob, execute
from backfill.execute.stop import StopRequest
from backfill.manifest import rows as manifest_rows
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CopyObjectRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    MarkerResult,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Handling, Route
from backfill.ports import ControlPlane, ObjectStore
from backfill.run_directory.lock import hold_run_directory
from backfill.settings import Settings
from tests.doubles.listings import page_of
from tests.memory.whole_pipeline import ComputedControl, QuietEvents, peak_kib

KEY = "one key/" + "with a long name " * 20
START = datetime(2020, 1, 1, tzinfo=UTC)
MANIFEST, OUTCOMES = "manifest/00", "outcomes/00"


def place(bucket: str) -> BucketPlace:
    return BucketPlace(bucket=bucket, region="r", expected_owner="1" * 12, owner_origin="flag")


HEADER = PlanHeader(
    source=place("source"),
    destinations=(place("destination"),),
    horizon=datetime(2026, 1, 1, tzinfo=UTC),
)


def is_marker(age: int) -> bool:
    """Return whether the version with so many older ones is a delete marker."""
    return age % 10 == 9


def etag_of(age: int) -> ETag:
    return ETag(f"{age - (age % 3 == 2):032x}")


class OneKey:
    """Both buckets. A version is its age: how many are older."""

    def __init__(self, versions: int) -> None:
        self.versions = versions
        self.written = 0
        self.calls: Counter[str] = Counter()

    def entry(self, bucket: str, age: int) -> ListedEntry:
        version_id = VersionId(f"{bucket}.{age:026d}")
        is_latest, modified = age == self.count(bucket) - 1, START + timedelta(seconds=age)
        if is_marker(age):
            return DeleteMarker(KEY, version_id, is_latest, modified)
        return ObjectVersion(KEY, version_id, is_latest, modified, etag_of(age), 5, "STANDARD")

    def count(self, bucket: str) -> int:
        return self.versions if bucket == "source" else self.written

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        assert not prefix, "ranges are listed"
        await asyncio.sleep(0)
        self.calls[f"list {place.bucket}"] += 1
        newest = self.count(place.bucket) - 1
        if after is not None and after.version_id is not None:
            newest = int(after.version_id.partition(".")[2]) - 1
        elif after is not None and after.key >= KEY:
            newest = -1
        oldest = max(newest + 1 - max_keys, 0)
        entries = [self.entry(place.bucket, age) for age in range(newest, oldest - 1, -1)]
        return page_of(entries, is_truncated=oldest > 0)

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        age = self._next("copy")
        source = self.entry("source", age)
        assert isinstance(source, ObjectVersion), "markers are not copied"
        assert request.source.version_id == source.version_id, "each in its turn"
        is_first = age == 0 or is_marker(age - 1)
        guard = IfAbsent() if is_first else IfReplaces(etag=etag_of(age - 1))
        assert request.precondition == guard, "over the one before"
        await asyncio.sleep(0)
        return WriteResult(etag=source.etag, version_id=VersionId(f"destination.{age:026d}"))

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        age = self._next("hide")
        assert is_marker(age), "each in its turn"
        assert request.etag == etag_of(age - 1), "over the one before"
        await asyncio.sleep(0)
        return MarkerResult(version_id=VersionId(f"destination.{age:026d}"))

    def _next(self, operation: str) -> int:
        self.calls[operation] += 1
        self.written += 1
        return self.written - 1


def rows_of(store: OneKey) -> Iterable[ManifestEntry]:
    """Give the manifest's rows, newest first."""
    for number, age in enumerate(range(store.versions - 1, -1, -1)):
        entry = store.entry("source", age)
        is_object = isinstance(entry, ObjectVersion)
        yield ManifestEntry(
            number=number,
            plan_number=number,
            key=KEY,
            version_id=entry.version_id,
            etag=entry.etag if isinstance(entry, ObjectVersion) else None,
            size_bytes=5 if is_object else 0,
            last_modified=entry.last_modified,
            destination=0,
            route=Route.COPY_OBJECT if is_object else Route.DELETE_MARKER,
            rule_id="everything",
            storage_class="STANDARD" if is_object else "",
            precondition=IfAbsent() if is_object else None,
            has_other_writers=False,
            handling=Handling.HISTORY,
        )


async def written(folder: Path, versions: int) -> dict[str, object]:
    """Execute one history and return what is told of it."""
    here, store = machine(folder), OneKey(versions)
    artifacts = here.artifacts
    with artifacts.writer(MANIFEST, columns=manifest_rows.COLUMNS, inputs={}) as writer:
        for row in map(manifest_rows.row_of, rows_of(store)):
            writer.write(row)
        manifest = writer.commit({})
    base_kib = peak_kib()
    port = cast("ObjectStore", store)
    async with journal(here, manifest) as opened:
        ports = ExecutePorts(
            source=port,
            destination=port,
            control=cast("ControlPlane", ComputedControl()),
            journal=opened,
            artifacts=artifacts,
            events=QuietEvents(),
            clock=here.clock,
            random=here.random,
            error_of=error_of,
        )
        job = ExecuteJob(
            header=HEADER,
            manifest=manifest,
            entries=lambda: map(manifest_rows.entry_of, artifacts.rows(MANIFEST)),
            outcomes_name=OUTCOMES,
            allows_hiding=False,
            settings=Settings(),
        )
        await execute(job, ports, StopRequest())
    kinds, peak = Counter[str](), peak_kib()
    for outcome in outcomes_of(artifacts.rows(OUTCOMES)):
        assert outcome.version_id == f"destination.{versions - 1 - outcome.number:026d}"
        kinds[f"{outcome.kind} {outcome.code}".strip()] += 1
    return {"base_kib": base_kib, "peak_kib": peak, "kinds": kinds, "calls": store.calls}


def main() -> None:
    folder, versions = Path(sys.argv[1]), int(sys.argv[2])
    with hold_run_directory(folder, clock=machine(folder).clock):
        told = asyncio.run(written(folder, versions))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
