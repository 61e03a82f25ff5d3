"""Two buckets in memory that only answer reads, derive what S3 derives, and count what is asked.

Never agrees with everything: it answers 404 for what is not there, keeps ETags opaque under KMS,
and has no way to write but the edits that a test makes to its chains.
"""

import asyncio
import base64
import hashlib
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from backfill.errors import Disposition, StoreFault
from backfill.execute.outcome_rows import row_of as outcome_row_of
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import take_inventory
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.objects import (
    Checksum,
    ChecksumType,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.plan.entries import PlanEntry
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Reason, Route
from backfill.plan.rows import row_of
from backfill.ports import Event, ObjectStore, ProgressCounts
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.settings import Settings
from backfill.verify.checksum_jobs import ChecksumJobs
from backfill.verify.keys import PlannedOutcome
from backfill.verify.reader import Side
from backfill.verify.rows import verdict_of, verdicts_name
from backfill.verify.run import VerifyRequest, verify, verify_buckets
from backfill.verify.totals import VerifyTotals
from backfill.verify.verdicts import VerdictRow

HORIZON = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = HORIZON - timedelta(days=30)
AFTER = HORIZON + timedelta(minutes=5)
PLAIN = Encryption(kind=EncryptionKind.SSE_S3)
TEXT = ContentHeaders(content_type="text/plain")
SOURCE = "source-bucket"
DESTINATION = "destination-bucket"


def kms(name: str) -> Encryption:
    return Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn=f"arn:aws:kms:x:1:key/{name}")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An object version as it lies there; what S3 derives from it is derived below."""

    version_id: str
    data: bytes
    last_modified: datetime = BEFORE
    parts: tuple[int, ...] = ()
    algorithms: tuple[str, ...] = ("CRC32",)
    raw_checksums: Pairs = ()
    metadata: Pairs = ()
    headers: ContentHeaders = TEXT
    tags: Pairs = ()
    storage_class: str = "STANDARD"
    encryption: Encryption = PLAIN
    status: ReplicationStatus = ReplicationStatus.NONE

    @property
    def etag(self) -> ETag:
        if self.encryption.kind not in {EncryptionKind.NONE, EncryptionKind.SSE_S3}:
            salt = f"{self.version_id} {self.encryption}".encode()
            return ETag(hashlib.md5(salt + self.data).hexdigest())  # noqa: S324 - ETags are MD5
        if not self.parts:
            return ETag(hashlib.md5(self.data).hexdigest())  # noqa: S324 - ETags are MD5
        digests = b"".join(hashlib.md5(part).digest() for part in self.cut())  # noqa: S324 - as above
        return ETag(f"{hashlib.md5(digests).hexdigest()}-{len(self.parts)}")  # noqa: S324 - as above

    def cut(self) -> list[bytes]:
        assert sum(self.parts) == len(self.data), "parts make the whole"
        ends = [sum(self.parts[: n + 1]) for n in range(len(self.parts))]
        return [self.data[end - size : end] for end, size in zip(ends, self.parts, strict=True)]

    def checksums(self) -> tuple[Checksum, ...]:
        return tuple(self._checksum(algorithm) for algorithm in self.algorithms)

    def _checksum(self, algorithm: str) -> Checksum:
        digest: Callable[[bytes], bytes] = {
            "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
            "SHA256": lambda data: hashlib.sha256(data).digest(),
        }[algorithm]
        if self.parts and algorithm == "SHA256":  # SHA is COMPOSITE only on multipart objects
            value = digest(b"".join(map(digest, self.cut())))
            kind, count = ChecksumType.COMPOSITE, len(self.parts)
            return Checksum(algorithm=algorithm, value=_base64(value), type=kind, part_count=count)
        value = digest(self.data)
        return Checksum(algorithm=algorithm, value=_base64(value), type=ChecksumType.FULL_OBJECT)

    def head(self, part_number: int | None = None) -> ObjectHead:
        size = (
            len(self.data) if part_number is None or not self.parts else self.parts[part_number - 1]
        )
        return ObjectHead(
            version_id=VersionId(self.version_id),
            etag=self.etag,
            size_bytes=size,
            last_modified=self.last_modified,
            storage_class=self.storage_class,
            metadata=self.metadata,
            content_headers=self.headers,
            tag_count=len(self.tags),
            checksums=self.checksums(),
            encryption=self.encryption,
            replication_status=self.status,
            parts_count=len(self.parts) or None if part_number is not None else None,
            unmodelled_checksums=self.raw_checksums,
        )


@dataclass(frozen=True, kw_only=True)
class Marker:
    version_id: str
    last_modified: datetime = BEFORE


Lying = Stored | Marker


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def listed(key: str, chain: Sequence[Lying]) -> tuple[ListedEntry, ...]:
    """Return what a listing shows of a chain, newest first."""
    return tuple(_listed(key, lying, is_latest=n == 0) for n, lying in enumerate(chain))


def _listed(key: str, lying: Lying, *, is_latest: bool) -> ListedEntry:
    version_id = VersionId(lying.version_id)
    if isinstance(lying, Marker):
        return DeleteMarker(
            key=key, version_id=version_id, is_latest=is_latest, last_modified=lying.last_modified
        )
    return ObjectVersion(
        key=key,
        version_id=version_id,
        is_latest=is_latest,
        last_modified=lying.last_modified,
        etag=lying.etag,
        size_bytes=len(lying.data),
        storage_class=lying.storage_class,
    )


@dataclass(kw_only=True)
class Bucket:
    """Chains by key, newest first, and every request that was answered or refused."""

    name: str
    chains: dict[str, list[Lying]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    refusals: dict[tuple[str, str], tuple[int, str, Disposition]] = field(default_factory=dict)
    in_flight: int = 0
    in_flight_max: int = 0

    @property
    def port(self) -> ObjectStore:
        # Whoever tries to write fails with an AttributeError.
        return cast("ObjectStore", self)

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        self._admit("ListObjectVersions", prefix, place)
        keys = sorted(key for key in self.chains if key.startswith(prefix))
        entries = [entry for key in keys for entry in listed(key, self.chains[key])]
        first = 0
        if after is not None:
            first = bisect_left(entries, after.key, key=lambda entry: entry.key)
            while first < len(entries) and entries[first].key == after.key:
                first += 1
                if entries[first - 1].version_id == after.version_id:
                    break
        page = entries[first : first + max_keys]
        position = None
        if len(entries) > first + max_keys:
            position = VersionsPosition(key=page[-1].key, version_id=page[-1].version_id)
        return VersionsPage(entries=tuple(page), next_position=position)

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        operation = "HeadObject" if part_number is None else "HeadObject(PartNumber)"
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight, self.in_flight_max)
        await asyncio.sleep(0)  # others get their turn, as they do while a network answers
        self.in_flight -= 1
        self._admit(operation, key, place)
        return self._found(key, version_id).head(part_number)

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        self._admit("GetObjectTagging", key, place)
        return tuple(sorted(self._found(key, version_id).tags))

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        self._admit("GetObject", key, place)
        data = self._found(key, version_id).data
        step = 3 if self.name == SOURCE else 5
        for start in range(0, len(data), step):
            yield data[start : start + step]

    def _admit(self, operation: str, key: str, place: BucketPlace) -> None:
        assert place.bucket == self.name, "asked at the right bucket"
        self.asked[operation] += 1
        if (refusal := self.refusals.get((operation, key))) is not None:
            status, code, disposition = refusal
            raise StoreFault(operation=operation, code=code, status=status, disposition=disposition)

    def _found(self, key: str, version_id: VersionId | None) -> Stored:
        for lying in self.chains.get(key, []):
            if lying.version_id == version_id and isinstance(lying, Stored):
                return lying
        raise StoreFault(
            operation="HeadObject", code="NoSuchVersion", status=404, disposition=Disposition.SKIP
        )

    def edit(self, key: str, **changes: object) -> None:
        """Change the current version in place, as no S3 client could."""
        current = self.chains[key][0]
        assert isinstance(current, Stored), "only objects are edited"
        self.chains[key][0] = replace(current, **changes)  # type: ignore[arg-type] # named by tests


class KeptEvents:
    """Port Events: keeps what it is told."""

    def __init__(self) -> None:
        self.emitted: list[Event] = []

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        assert counts.done >= 0


class SteppingClock:
    """Port Clock: sleeping moves it, and may let the world move on, too."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return AFTER + timedelta(seconds=sum(self.slept_s))

    def monotonic_s(self) -> float:
        return sum(self.slept_s)

    async def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.on_sleep()


def place(bucket: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region="eu-west-1", expected_owner="111122223333", owner_origin="flag"
    )


HEADER = PlanHeader(source=place(SOURCE), destinations=(place(DESTINATION),), horizon=HORIZON)


def planned(
    number: int,
    key: str,
    lying: Lying,
    *,
    reason: Reason | None = None,
    is_latest: bool = True,
    encryption: Encryption | None = PLAIN,
    replicates_delete_markers: bool = True,
) -> PlanEntry:
    """Return the plan row of what lies at the source: routed unless a reason is given."""
    is_marker = isinstance(lying, Marker)
    route = Route.DELETE_MARKER if is_marker else Route.COPY_OBJECT
    return PlanEntry(
        number=number,
        key=key,
        version_id=VersionId(lying.version_id),
        is_delete_marker=is_marker,
        is_latest=is_latest,
        last_modified=lying.last_modified,
        etag=lying.etag if isinstance(lying, Stored) else None,
        size_bytes=len(lying.data) if isinstance(lying, Stored) else 0,
        destination=0,
        route=None if reason else route,
        reason=reason,
        storage_class="" if reason or is_marker else "STANDARD",
        encryption=None if reason or is_marker else encryption,
        replicates_delete_markers=replicates_delete_markers,
    )


def copied(number: int, version_id: str, etag: ETag | None = None) -> Outcome:
    return Outcome(
        number=number, kind=OutcomeKind.COPIED, version_id=VersionId(version_id), etag=etag
    )


class World:
    """Two buckets, a plan and its outcomes, and the means to verify them."""

    def __init__(self, folder: Path, *, settings: Settings | None = None) -> None:
        self.source = Bucket(name=SOURCE)
        self.destination = Bucket(name=DESTINATION)
        self.entries: list[PlanEntry] = []
        self.outcomes: list[PlannedOutcome] = []
        self.artifacts = LocalArtifacts(folder)
        self.events = KeptEvents()
        self.clock = SteppingClock()
        self.settings = settings or Settings(settle_delay_s=7.0, settle_rounds=2)
        self.rounds = 0
        self.checksum_jobs: ChecksumJobs | None = None
        self.asks_for_all = False

    def deliver(self, key: str, stored: Stored, **changes: object) -> None:
        """Lay an object at the source, and our faithful copy of it at the destination."""
        number = len(self.entries)
        made: dict[str, object] = {
            "version_id": f"copy-of-{stored.version_id}",
            "last_modified": AFTER,
            "algorithms": stored.algorithms or ("CRC32",),
        }
        copy = replace(stored, **(made | changes))  # type: ignore[arg-type] # named by tests
        self.source.chains[key] = [stored]
        self.destination.chains[key] = [copy]
        self.entries.append(planned(number, key, stored, encryption=copy.encryption))
        self.outcomes.append((number, copied(number, copy.version_id, copy.etag)))

    async def take_listings(self, sides: Sequence[Side], run_id: str) -> Mapping[str, str]:
        indexes = await take_inventory(
            [
                BucketListing(name=side.listing_name, place=side.place, store=side.store)
                for side in sides
            ],
            artifacts=self.artifacts,
            events=self.events,
            run_id=run_id,
            page_max=self.settings.page_max,
        )
        return {index.name: index.digest for index in indexes}

    def request(
        self, *, is_deep: bool = False, claims: bool = True, compares_histories: bool = False
    ) -> VerifyRequest:
        """Ask for a new verification, or again for the one that was not finished."""
        if not self.rounds or self.artifacts.index(verdicts_name(self.rounds)) is not None:
            self.rounds += 1
        return VerifyRequest(
            round=self.rounds,
            header=HEADER,
            source=self.source.port,
            destinations=(self.destination.port,),
            take_listings=self.take_listings,
            claims=lambda _key, _destination: claims,
            is_deep=is_deep,
            compares_histories=compares_histories or self.asks_for_all,
            checksum_jobs=self.checksum_jobs,
        )

    async def verify(self, *, is_deep: bool = False, claims: bool = True) -> VerifyTotals:
        """Verify the run; entries are sorted and numbered as a plan is."""
        order = sorted(self.entries, key=lambda entry: entry.key)
        numbers = {entry.number: place for place, entry in enumerate(order)}
        plan = [entry._replace(number=numbers[entry.number]) for entry in order]
        outcomes = sorted(
            ((numbers[number], outcome) for number, outcome in self.outcomes),
            key=lambda pair: pair[0],
        )
        rows = [list(row_of(entry)) for entry in plan]
        told = [[number, *outcome_row_of(outcome)[1:]] for number, outcome in outcomes]
        return await verify(
            self.request(is_deep=is_deep, claims=claims),
            lambda: iter(rows),
            lambda: iter(told),
            artifacts=self.artifacts,
            events=self.events,
            clock=self.clock,
            settings=self.settings,
        )

    async def verify_buckets(
        self, *, replicates_delete_markers: bool = True, compares_histories: bool = False
    ) -> VerifyTotals:
        return await verify_buckets(
            self.request(compares_histories=compares_histories),
            replicates_delete_markers=replicates_delete_markers,
            artifacts=self.artifacts,
            events=self.events,
            clock=self.clock,
            settings=self.settings,
        )

    def all_verdicts(self) -> list[VerdictRow]:
        """Return the newest verification's rows."""
        return [verdict_of(row) for row in self.artifacts.rows(verdicts_name(self.rounds))]

    def verdicts(self) -> dict[str, VerdictRow]:
        """Return the newest verification's rows by key; keys with several rows are an error."""
        rows = self.all_verdicts()
        found = {row.key: row for row in rows}
        assert len(found) == len(rows), "one row a key in these worlds"
        return found
