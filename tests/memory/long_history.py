"""One key with very many versions, carried whole, verified in this process and held nowhere.

    python -m tests.memory.long_history FOLDER VERSIONS

Prints one JSON document: the rows that got a verdict, how many are equal, and the process's memory
before and at its peak, in KiB. Buckets, plan and map are computed.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from backfill.execute.outcome_rows import row_of as outcome_row_of
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import take_inventory
from backfill.model.attributes import ObjectHead
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.plan.entries import PlanEntry
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Handling, Route
from backfill.plan.rows import row_of
from backfill.ports import ObjectStore
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.settings import Settings
from backfill.verify.joined import Cells
from backfill.verify.reader import Side
from backfill.verify.run import VerifyRequest, verify
from tests.doubles.listings import KeptEvents
from tests.doubles.planning import head_of
from tests.doubles.stopped_clock import StoppedClock

KEY = "one key/" + "with a long name " * 20
START = datetime(2020, 1, 1, tzinfo=UTC)
HORIZON = datetime(2026, 1, 1, tzinfo=UTC)
MARKER_EACH = 10


class LongHistory:
    """A bucket with one key. Version n, counted from the newest, is computed when asked for."""

    def __init__(self, name: str, versions: int, *, start: datetime) -> None:
        self.name = name
        self.versions = versions
        self.start = start

    @property
    def port(self) -> ObjectStore:
        # Whoever tries to write fails with an AttributeError.
        return cast("ObjectStore", self)

    def version_id(self, number: int) -> VersionId:
        return VersionId(f"{self.name}.{number:026d}")

    def entry(self, number: int) -> ListedEntry:
        modified = self.start + timedelta(seconds=self.versions - number)
        version_id, is_latest = self.version_id(number), number == 0
        if number % MARKER_EACH == 1:
            return DeleteMarker(KEY, version_id, is_latest, modified)
        etag = ETag(f"{number // 3:032x}")  # three in a row are alike
        return ObjectVersion(KEY, version_id, is_latest, modified, etag, number // 3, "STANDARD")

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        assert place.bucket == self.name
        assert KEY.startswith(prefix)
        first = 0
        if after is not None and after.key >= KEY:
            first = self.versions if after.version_id is None else _number(after.version_id) + 1
        last = min(first + max_keys, self.versions)
        entries = tuple(self.entry(number) for number in range(first, last))
        following = None
        if last < self.versions:
            following = VersionsPosition(key=KEY, version_id=entries[-1].version_id)
        return VersionsPage(entries=entries, next_position=following)

    async def head_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId, part_number: int | None = None
    ) -> ObjectHead:
        assert (place.bucket, key, part_number) == (self.name, KEY, None)
        await asyncio.sleep(0)
        version = self.entry(_number(version_id))
        assert isinstance(version, ObjectVersion)
        return head_of(version)


def _number(version_id: VersionId) -> int:
    return int(version_id.rpartition(".")[2])


def plan_rows(source: LongHistory) -> Iterator[Cells]:
    for number in range(source.versions):
        entry = source.entry(number)
        is_object = isinstance(entry, ObjectVersion)
        planned = PlanEntry(
            number=number,
            key=KEY,
            version_id=entry.version_id,
            is_delete_marker=not is_object,
            is_latest=entry.is_latest,
            last_modified=entry.last_modified,
            etag=entry.etag if isinstance(entry, ObjectVersion) else None,
            size_bytes=entry.size_bytes if isinstance(entry, ObjectVersion) else 0,
            destination=0,
            route=Route.COPY_OBJECT if is_object else Route.DELETE_MARKER,
            rule_id="all",
            storage_class="STANDARD" if is_object else "",
            has_other_writers=False,
            handling=Handling.HISTORY,
        )
        yield json.loads(json.dumps(row_of(planned)))


def outcome_rows(destination: LongHistory) -> Iterator[Cells]:
    for number in range(destination.versions):
        made = destination.entry(number)
        etag = made.etag if isinstance(made, ObjectVersion) else None
        kind = OutcomeKind.MARKED if etag is None else OutcomeKind.COPIED
        outcome = Outcome(number=number, kind=kind, version_id=made.version_id, etag=etag)
        yield json.loads(json.dumps(outcome_row_of(outcome)))


def place(bucket: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region="eu-west-1", expected_owner="111122223333", owner_origin="flag"
    )


async def verified(folder: Path, versions: int) -> dict[str, object]:
    source = LongHistory("source-bucket", versions, start=START)
    destination = LongHistory("destination-bucket", versions, start=HORIZON)
    artifacts, events = LocalArtifacts(folder), KeptEvents()

    async def take_listings(sides: Sequence[Side], run_id: str) -> Mapping[str, str]:
        listings = [
            BucketListing(name=side.listing_name, place=side.place, store=side.store)
            for side in sides
        ]
        indexes = await take_inventory(
            listings, artifacts=artifacts, events=events, run_id=run_id, page_max=1000
        )
        return {index.name: index.digest for index in indexes}

    header = PlanHeader(
        source=place(source.name), destinations=(place(destination.name),), horizon=HORIZON
    )
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    totals = await verify(
        VerifyRequest(
            round=1,
            header=header,
            source=source.port,
            destinations=(destination.port,),
            take_listings=take_listings,
            claims=lambda _key, _destination: True,
        ),
        lambda: plan_rows(source),
        lambda: outcome_rows(destination),
        artifacts=artifacts,
        events=events,
        clock=StoppedClock(HORIZON),
        settings=Settings(concurrency=16),
    )
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "rows": totals.judged,
        "equal": totals.verdicts.get("equal", 0),
        "before_kib": before_kib,
        "peak_kib": peak_kib,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(verified(Path(sys.argv[1]), int(sys.argv[2])))))  # noqa: T201 - data
