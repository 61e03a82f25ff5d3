"""A tiny versioned S3 for the workers' tests: two buckets, conditions, faults by call number.

It refuses what S3 refuses in the calls that the workers make, and nothing else.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from backfill.errors import Disposition, StoreFault
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
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    Extras,
    Grant,
    HideRequest,
    IfAbsent,
    IfReplaces,
    ListedPart,
    MarkAbsentRequest,
    MarkerResult,
    MultipartUpload,
    ObjectAcl,
    PartsPage,
    Precondition,
    RestoreRequest,
    UploadPartCopyRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = BucketPlace(bucket="src", region="r1", expected_owner="1" * 12, owner_origin="flag")
DESTINATION = BucketPlace(bucket="dst", region="r2", expected_owner="2" * 12, owner_origin="flag")
NO_HEADERS = ContentHeaders()
PLAIN = Encryption(kind=EncryptionKind.SSE_S3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    key: str
    version_id: VersionId
    last_modified: datetime
    is_marker: bool = False
    body: bytes = b""
    part_sizes: tuple[int, ...] = ()
    metadata: Pairs = ()
    content_headers: ContentHeaders = NO_HEADERS
    tags: Pairs = ()
    storage_class: str = "STANDARD"
    encryption: Encryption = PLAIN
    checksums: tuple[Checksum, ...] = ()
    status: ReplicationStatus = ReplicationStatus.NONE
    grants: tuple[Grant, ...] = ()
    lock_mode: str | None = None
    retain_until: datetime | None = None
    has_legal_hold: bool = False
    website_redirect: str | None = None
    missing_metadata_count: int = 0
    unmodelled_checksums: Pairs = ()

    @property
    def etag(self) -> ETag:
        if not self.part_sizes:
            return ETag(hashlib.md5(self.body).hexdigest())  # noqa: S324 - as S3 does
        digests, at = b"", 0
        for size in self.part_sizes:
            digests += hashlib.md5(self.body[at : at + size]).digest()  # noqa: S324 - as S3 does
            at += size
        whole = hashlib.md5(digests).hexdigest()  # noqa: S324 - as S3 does
        return ETag(f"{whole}-{len(self.part_sizes)}")


def fault(
    code: str, status: int, disposition: Disposition, *, is_ambiguous: bool = False
) -> StoreFault:
    return StoreFault(
        operation="?", code=code, status=status, disposition=disposition, is_ambiguous=is_ambiguous
    )


def slow_down() -> StoreFault:
    return fault("SlowDown", 503, Disposition.RETRY)


def reset() -> StoreFault:
    return fault("ConnectionClosedError", 0, Disposition.SETTLE, is_ambiguous=True)


def conflict() -> StoreFault:
    return fault("ConditionalRequestConflict", 409, Disposition.REDECIDE)


def denied() -> StoreFault:
    return fault("AccessDenied", 403, Disposition.FAIL)


def expired() -> StoreFault:
    return fault("ExpiredToken", 400, Disposition.STOP)


def archived() -> StoreFault:
    return fault("ObjectNotInActiveTierError", 403, Disposition.SKIP)


def changed() -> StoreFault:
    return fault("PreconditionFailed", 412, Disposition.REDECIDE)


def gone(code: str = "NoSuchVersion") -> StoreFault:
    return fault(code, 404, Disposition.SKIP)


Request = (
    CopyObjectRequest
    | CreateMultipartUploadRequest
    | CompleteMultipartUploadRequest
    | HideRequest
    | MarkAbsentRequest
)


@dataclass(slots=True)
class Upload:
    request: CreateMultipartUploadRequest
    parts: dict[int, bytes] = field(default_factory=dict)
    late: dict[int, str] = field(default_factory=dict)
    """ETags of parts that landed again, where they are another one each time (SSE-KMS)."""


class VersionedStore:
    """Both buckets behind one object; `place` says which is meant."""

    def __init__(self) -> None:
        self.chains: dict[str, dict[str, list[Stored]]] = {"src": {}, "dst": {}}
        self.uploads: dict[str, Upload] = {}
        self.calls: Counter[str] = Counter()
        self.refused_before: dict[tuple[str, int], Callable[[], StoreFault]] = {}
        self.lost_after: dict[tuple[str, int], Callable[[], StoreFault]] = {}
        self.empty_after: set[tuple[str, int]] = set()
        self.before: dict[tuple[str, int], Callable[[], object]] = {}
        self.after: dict[tuple[str, int], Callable[[], object]] = {}
        self.requests: list[Request] = []
        self.page_max = 1000
        self.has_endless_pages = False
        self.death: BaseException | None = None
        self._seconds = 0
        self._ids = 0

    # --- Edits by others ---

    def now(self) -> datetime:
        self._seconds += 1
        return START + timedelta(seconds=self._seconds)

    def chain(self, bucket: str, key: str) -> list[Stored]:
        return self.chains[bucket].setdefault(key, [])

    def put(self, bucket: str, key: str, body: bytes = b"", **fields: object) -> Stored:
        self._ids += 1
        stored = Stored(
            key=key,
            version_id=VersionId(f"{bucket}{self._ids:04d}"),
            last_modified=self.now(),
            body=body,
        )
        stored = replace(stored, **fields)  # type: ignore[arg-type] # a test names its fields
        self.chain(bucket, key).insert(0, stored)
        return stored

    def mark(self, bucket: str, key: str) -> Stored:
        return self.put(bucket, key, is_marker=True)

    def replicate(self, stored: Stored, *, by_time: bool = False) -> None:
        """Let live replication deliver a source version, on arrival or by its original time."""
        replica = replace(stored, status=ReplicationStatus.REPLICA)
        chain = self.chain("dst", stored.key)
        place = 0
        if by_time:
            place = sum(other.last_modified > stored.last_modified for other in chain)
        chain.insert(place, replica)

    def purge(self, bucket: str, key: str, version_id: str) -> None:
        chain = self.chain(bucket, key)
        chain[:] = [stored for stored in chain if stored.version_id != version_id]

    def set_status(self, key: str, version_id: str, status: ReplicationStatus) -> None:
        chain = self.chain("src", key)
        chain[:] = [
            replace(stored, status=status) if stored.version_id == version_id else stored
            for stored in chain
        ]

    def complete_late(self) -> None:
        """Let the Complete of a dead process arrive."""
        (upload,) = self.uploads.values()
        self._make_upload(upload, b"".join(upload.parts[number] for number in sorted(upload.parts)))
        self.uploads.clear()

    # --- The port ---

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        await self._begin(f"list:{place.bucket}")
        rows = [
            (key, index, stored)
            for key in sorted(self.chains[place.bucket])
            for index, stored in enumerate(self.chains[place.bucket][key])
            if key.startswith(prefix)
        ]
        if after is not None:
            rows = self._rows_after(place, rows, after)
        limit = min(max_keys, self.page_max)
        page = rows[:limit]
        following = None
        if len(rows) > limit:
            following = VersionsPosition(key=page[-1][0], version_id=page[-1][2].version_id)
        self._end(f"list:{place.bucket}")
        return VersionsPage(
            entries=tuple(_listed(stored, is_latest=index == 0) for _, index, stored in page),
            next_position=following,
        )

    def _rows_after(
        self,
        place: BucketPlace,
        rows: list[tuple[str, int, Stored]],
        after: VersionsPosition,
    ) -> list[tuple[str, int, Stored]]:
        chain = self.chains[place.bucket].get(after.key, [])
        ids = [stored.version_id for stored in chain]
        bound = ids.index(after.version_id) if after.version_id in ids else len(ids)
        return [
            row for row in rows if row[0] > after.key or (row[0] == after.key and row[1] > bound)
        ]

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        await self._begin(f"head:{place.bucket}")
        stored = self._found(place.bucket, key, version_id)
        size = len(stored.body)
        if part_number is not None and stored.part_sizes:
            size = stored.part_sizes[part_number - 1]
        return ObjectHead(
            version_id=stored.version_id,
            etag=stored.etag,
            size_bytes=size,
            last_modified=stored.last_modified,
            storage_class=stored.storage_class,
            metadata=stored.metadata,
            content_headers=stored.content_headers,
            tag_count=len(stored.tags),
            checksums=stored.checksums,
            encryption=stored.encryption,
            replication_status=stored.status,
            parts_count=len(stored.part_sizes) if part_number and stored.part_sizes else None,
            lock_mode=stored.lock_mode,
            lock_retain_until=stored.retain_until,
            has_legal_hold=stored.has_legal_hold,
            website_redirect=stored.website_redirect,
            missing_metadata_count=stored.missing_metadata_count,
            unmodelled_checksums=stored.unmodelled_checksums,
        )

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        await self._begin("tags")
        return self._found(place.bucket, key, version_id).tags

    async def object_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectAcl:
        await self._begin("acl")
        own = Grant("FULL_CONTROL", "id", place.bucket)
        return ObjectAcl(place.bucket, (own, *self._found(place.bucket, key, version_id).grants))

    async def has_retention(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        await self._begin("has_retention")
        return self._found(place.bucket, key, version_id).lock_mode is not None

    async def has_legal_hold(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        await self._begin("has_legal_hold")
        return self._found(place.bucket, key, version_id).lock_mode == "HOLD"

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        yield self._found(place.bucket, key, version_id).body

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        self.requests.append(request)
        await self._begin("copy")
        source = self._pinned(request.source.key, request.source.version_id, request.source.etag)
        self._check(request.key, request.precondition)
        made = self._make(request, source)
        return self._answer("copy", made)

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest
    ) -> MultipartUpload:
        self.requests.append(request)
        await self._begin("create")
        self._ids += 1
        upload_id = f"upload{self._ids}"
        self.uploads[upload_id] = Upload(request)
        self._end("create")
        return MultipartUpload(
            destination=request.destination, key=request.key, upload_id=upload_id
        )

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        await self._begin("part")
        upload = self._upload(request.upload)
        source = self._pinned(request.source.key, request.source.version_id, request.source.etag)
        data = source.body[request.first_byte : request.last_byte + 1]
        assert len(data) == request.last_byte + 1 - request.first_byte
        upload.parts[request.part_number] = data
        self._end("part")
        return _part(upload, request.part_number)

    async def list_parts(
        self, upload: MultipartUpload, *, after: int = 0, max_parts: int = 1000
    ) -> PartsPage:
        await self._begin("list_parts")
        found = self._upload(upload)
        numbers = sorted(number for number in found.parts if number > after)
        page = numbers[: min(max_parts, self.page_max)]
        following = page[-1] if len(numbers) > len(page) else None
        self._end("list_parts")
        return PartsPage(
            parts=tuple(
                ListedPart(part=_part(found, number), size_bytes=len(found.parts[number]))
                for number in page
            ),
            next_marker=1 if self.has_endless_pages else following,
        )

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest
    ) -> WriteResult:
        self.requests.append(request)
        await self._begin("complete")
        upload = self._upload(request.upload)
        self._check(request.upload.key, request.precondition)
        for part in request.parts:
            if {c.algorithm for c in part.checksums} - {upload.request.checksum_algorithm}:
                raise fault("InvalidPart", 400, Disposition.FAIL)
            if part.etag != _part(upload, part.part_number).etag:
                raise fault("InvalidPart", 400, Disposition.REDECIDE)
        assert [part.part_number for part in request.parts] == sorted(upload.parts)
        body = b"".join(upload.parts[number] for number in sorted(upload.parts))
        assert len(body) == request.size_bytes
        made = self._make_upload(upload, body)
        del self.uploads[request.upload.upload_id]
        return self._answer("complete", made)

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        await self._begin("abort")
        self.uploads.pop(upload.upload_id, None)

    async def restore_object(self, request: RestoreRequest) -> bool:
        raise AssertionError(f"nothing here is archived: {request}")

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        self.requests.append(request)
        await self._begin("hide")
        self._check(request.key, IfReplaces(etag=request.etag))
        return self._answer_marker("hide", self.mark("dst", request.key))

    async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
        self.requests.append(request)
        await self._begin("mark")
        return self._answer_marker("mark", self.mark("dst", request.key))

    # --- Inside ---

    async def _begin(self, operation: str) -> None:
        await asyncio.sleep(0)
        if self.death is not None:
            raise self.death
        self.calls[operation] += 1
        place = operation, self.calls[operation]
        if place in self.before:
            self.before[place]()
        if place in self.refused_before:
            failure = self.refused_before[place]()
            raise failure

    def _end(self, operation: str) -> None:
        place = operation, self.calls[operation]
        if place in self.after:
            self.after[place]()
        if place in self.lost_after:
            failure = self.lost_after[place]()
            raise failure

    def _answer(self, operation: str, made: Stored) -> WriteResult:
        place = operation, self.calls[operation]
        self._end(operation)
        if place in self.empty_after:
            return WriteResult(etag=ETag(""), version_id=None)
        return WriteResult(etag=made.etag, version_id=made.version_id)

    def _answer_marker(self, operation: str, made: Stored) -> MarkerResult:
        place = operation, self.calls[operation]
        self._end(operation)
        return MarkerResult(version_id=None if place in self.empty_after else made.version_id)

    def _found(self, bucket: str, key: str, version_id: VersionId | None) -> Stored:
        for stored in self.chain(bucket, key):
            if version_id in (None, stored.version_id):
                if stored.is_marker:
                    break
                return stored
        raise gone()

    def _pinned(self, key: str, version_id: VersionId, etag: ETag) -> Stored:
        source = self._found("src", key, version_id)
        if source.etag != etag:
            raise changed()
        return source

    def _check(self, key: str, precondition: Precondition) -> None:
        chain = self.chain("dst", key)
        current = chain[0] if chain and not chain[0].is_marker else None
        if isinstance(precondition, IfAbsent) and current is not None:
            raise changed()
        if isinstance(precondition, IfReplaces):
            if current is None:
                raise fault("NoSuchKey", 404, Disposition.REDECIDE)
            if current.etag != precondition.etag:
                raise changed()

    def _make(self, request: CopyObjectRequest, source: Stored) -> Stored:
        algorithm = request.extras.checksum_algorithm
        checksums = tuple(
            checksum._replace(
                algorithm=algorithm or checksum.algorithm,
                type=ChecksumType.FULL_OBJECT,
                part_count=None,
            )
            for checksum in source.checksums
        )
        return self.put(
            "dst",
            request.key,
            source.body,
            metadata=source.metadata,
            content_headers=source.content_headers,
            tags=source.tags,
            storage_class=request.storage_class or "STANDARD",
            encryption=request.encryption or PLAIN,
            checksums=checksums,
            **_named(request.extras),
        )

    def _make_upload(self, upload: Upload, body: bytes) -> Stored:
        request = upload.request
        checksums: tuple[Checksum, ...] = ()
        if request.checksum_algorithm is not None and request.checksum_type is not None:
            checksums = (
                Checksum(
                    algorithm=request.checksum_algorithm,
                    value=hashlib.sha256(body).hexdigest(),
                    type=request.checksum_type,
                ),
            )
        return self.put(
            "dst",
            request.key,
            body,
            part_sizes=tuple(len(upload.parts[number]) for number in sorted(upload.parts)),
            metadata=request.metadata,
            content_headers=request.content_headers,
            tags=request.tags,
            storage_class=request.storage_class or "STANDARD",
            encryption=request.encryption or PLAIN,
            checksums=checksums,
            **_named(request.extras),
        )

    def _upload(self, upload: MultipartUpload) -> Upload:
        if upload.upload_id not in self.uploads:
            raise fault("NoSuchUpload", 404, Disposition.SETTLE, is_ambiguous=True)
        return self.uploads[upload.upload_id]


def _named(extras: Extras) -> dict[str, object]:
    """Return what a request names; all else a copy does not have."""
    lock = extras.lock
    return {
        "website_redirect": extras.website_redirect or None,
        "lock_mode": (lock.mode or None) if lock else None,
        "retain_until": lock.retain_until if lock else None,
        "has_legal_hold": lock.has_legal_hold if lock else False,
        "grants": tuple(g for g in extras.grants if g != Grant("FULL_CONTROL", "id", "dst")),
    }


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()  # noqa: S324 - as S3 does


def _part(upload: Upload, number: int) -> CopiedPart:
    return CopiedPart(
        part_number=number,
        etag=ETag(upload.late.get(number) or _md5(upload.parts[number])),
        # S3 tells its own CRC64NVME where no algorithm was asked for.
        checksums=(
            Checksum(
                algorithm=upload.request.checksum_algorithm or "CRC64NVME",
                value="p",
                type=ChecksumType.FULL_OBJECT,
            ),
        ),
    )


def _listed(stored: Stored, *, is_latest: bool) -> ListedEntry:
    if stored.is_marker:
        return DeleteMarker(
            key=stored.key,
            version_id=stored.version_id,
            is_latest=is_latest,
            last_modified=stored.last_modified,
        )
    return ObjectVersion(
        key=stored.key,
        version_id=stored.version_id,
        is_latest=is_latest,
        last_modified=stored.last_modified,
        etag=stored.etag,
        size_bytes=len(stored.body),
        storage_class=stored.storage_class,
    )
