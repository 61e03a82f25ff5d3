"""Stores that only list: an honest one over given chains, and one whose bucket is computed.

They page as S3 does: exclusive markers, pages that split a key, the last entry as next marker.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.ports import Event, ObjectStore, ProgressCounts

START = datetime(2024, 1, 1, tzinfo=UTC)


def place(bucket: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region="eu-west-1", expected_owner="111122223333", owner_origin="flag"
    )


def page_of(entries: Sequence[ListedEntry], *, is_truncated: bool) -> VersionsPage:
    position = None
    if is_truncated:
        position = VersionsPosition(key=entries[-1].key, version_id=entries[-1].version_id)
    return VersionsPage(entries=tuple(entries), next_position=position)


def random_chains(chance: Random, keys: Sequence[str]) -> list[ListedEntry]:
    """Return what a bucket with chains of random versions and markers lists."""
    entries: list[ListedEntry] = []
    for key in sorted(keys):
        length = chance.choice((1, 1, 1, 2, 3, 9))
        for depth in range(length):
            is_null = depth == length - 1 and chance.random() < 0.3
            version_id = VersionId("null" if is_null else f"{chance.getrandbits(64):016x}")
            modified = START - timedelta(seconds=depth)
            entries.append(
                ObjectVersion(
                    key=key,
                    version_id=version_id,
                    is_latest=depth == 0,
                    last_modified=modified,
                    etag=ETag(f"{chance.getrandbits(128):032x}"),
                    size_bytes=chance.randrange(10_000),
                    storage_class="STANDARD",
                )
                if chance.random() < 0.8
                else DeleteMarker(
                    key=key,
                    version_id=version_id,
                    is_latest=depth == 0,
                    last_modified=modified,
                )
            )
    return entries


class ListedBuckets:
    """Lists given entries by bucket."""

    def __init__(
        self, buckets: Mapping[str, Sequence[ListedEntry]], *, given_max: int = 1000
    ) -> None:
        self._buckets = buckets
        self._given_max = given_max
        self.pages_given: list[str] = []

    @property
    def port(self) -> ObjectStore:
        # Whoever calls another operation than the one below fails with an AttributeError.
        return cast("ObjectStore", self)

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        self.pages_given.append(place.bucket)
        # S3 may return fewer than it was asked for, "but will never return more".
        max_keys = min(max_keys, self._given_max)
        entries = self._buckets[place.bucket]
        first = bisect_left(entries, prefix, key=lambda entry: entry.key)
        if after is not None:
            while first < len(entries) and entries[first].key < after.key:
                first += 1
            while first < len(entries) and entries[first].key == after.key:
                first += 1
                if entries[first - 1].version_id == after.version_id:
                    break
        last = first
        while last < len(entries) and entries[last].key.startswith(prefix):
            last += 1
        return page_of(
            entries[first : min(first + max_keys, last)], is_truncated=last > first + max_keys
        )


class ComputedBucket:
    """A bucket of any size that is nowhere: two versions a key, each tenth key deleted."""

    def __init__(self, versions: int) -> None:
        assert versions % 2 == 0
        self._versions = versions

    @property
    def port(self) -> ObjectStore:
        return cast("ObjectStore", self)

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        assert not prefix, f"{place.bucket} is listed whole"
        first = self._behind(after) if after is not None else 0
        last = min(first + max_keys, self._versions)
        entries = [computed_entry(number) for number in range(first, last)]
        return page_of(entries, is_truncated=last < self._versions)

    def _behind(self, after: VersionsPosition) -> int:
        if after.version_id is not None:
            return int(after.version_id) + 1
        # Keys follow their numbers, so a search finds the first one above any string.
        return bisect_right(range(self._versions), after.key, key=computed_key)


def computed_key(number: int) -> str:
    return f"data/{number // 20000:05d}/{number // 2:09d}.bin"


def computed_entry(number: int) -> ListedEntry:
    key, depth = computed_key(number), number % 2
    modified = START + timedelta(seconds=number)
    version_id = VersionId(f"{number:032d}")
    if depth == 0 and number % 20 == 0:
        return DeleteMarker(key=key, version_id=version_id, is_latest=True, last_modified=modified)
    return ObjectVersion(
        key=key,
        version_id=version_id,
        is_latest=depth == 0,
        last_modified=modified,
        etag=ETag(f"{number * 2654435761 % 2**128:032x}"),
        size_bytes=number,
        storage_class="STANDARD",
        checksum_algorithms=("CRC64NVME",),
    )


class KeptEvents:
    """Port Events: keeps what it is told."""

    def __init__(self) -> None:
        self.emitted: list[Event] = []
        self.newest: ProgressCounts | None = None

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        self.newest = counts
