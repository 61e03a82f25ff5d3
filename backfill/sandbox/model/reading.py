"""Reading: GetObject and HeadObject, whole, by range or by part.

Law: a reader is told the ETag of the object, never of a part, and a checksum only of exactly the
bytes that it is given.
"""

from __future__ import annotations

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket, is_allowed
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.conditions import check_read
from backfill.sandbox.model.encryption import check_customer_key, check_decryption
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import action_on, find_version, version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.objects import (
    GetObjectResult,
    ObjectDescription,
    ReadObjectRequest,
)
from backfill.sandbox.model.ranges import Span, read_span
from backfill.sandbox.model.values import Checksum, ChecksumType, ObjectLock, Restore
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import STANDARD


def _found(
    world: World, caller: Caller, request: ReadObjectRequest
) -> tuple[Bucket, ObjectVersion]:
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on("s3:GetObject", request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    check_customer_key(version.encryption, request.customer_key)
    check_read(request.conditions, version)
    return bucket, version


def get_object(world: World, caller: Caller, request: ReadObjectRequest) -> GetObjectResult:
    """Describe a version and give its bytes, or a range or part of them."""
    bucket, version = _found(world, caller, request)
    check_decryption(world, caller, bucket, version)
    if version.is_archived(world.clock()):
        fields = (("StorageClass", version.storage_class),)
        raise S3Error(refusals.ARCHIVED, fields=fields)
    span = _span(version, request)
    description = _described(world, caller, bucket, version, request, span)
    data = version.body.data
    return GetObjectResult(
        description=description, body=data if span is None else data[span[0] : span[1]]
    )


def head_object(world: World, caller: Caller, request: ReadObjectRequest) -> ObjectDescription:
    """Describe a version; its bytes may be archived."""
    bucket, version = _found(world, caller, request)
    if request.is_checksum_mode_enabled:
        check_decryption(world, caller, bucket, version)
    span = _span(version, request)
    return _described(world, caller, bucket, version, request, span)


def _span(version: ObjectVersion, request: ReadObjectRequest) -> Span | None:
    """What of the object is meant; None for all of it."""
    if request.part_number is None:
        return None if request.range is None else read_span(request.range, version.size_bytes)
    if request.range is not None:
        raise S3Error(refusals.RANGE_AND_PART)
    spans = part_spans(version)
    if request.part_number not in spans:
        fields = (
            ("PartNumberRequested", str(request.part_number)),
            ("ActualPartCount", str(len(spans))),
        )
        raise S3Error(refusals.INVALID_PART_NUMBER, fields=fields)
    return spans[request.part_number]


def part_spans(version: ObjectVersion) -> dict[int, Span]:
    """Where each part lies; an object that was not uploaded in parts is part 1 of itself."""
    if not version.parts:
        return {1: (0, version.size_bytes)}
    spans = {}
    start = 0
    for part in version.parts:
        spans[part.number] = (start, start + part.size_bytes)
        start += part.size_bytes
    return spans


def _checksum_told(
    version: ObjectVersion, request: ReadObjectRequest, span: Span | None
) -> Checksum | None:
    """The checksum of the bytes given: of the object, or of a part of a COMPOSITE one."""
    if not request.is_checksum_mode_enabled or version.checksum is None:
        return None
    is_part = request.part_number is not None and bool(version.parts)
    if span is None or (span == (0, version.size_bytes) and not is_part):
        return version.checksum
    if version.checksum.type is not ChecksumType.COMPOSITE:
        return None
    for part, where in zip(version.parts, part_spans(version).values(), strict=True):
        if where == span:
            return part.checksum
    return None


def _lock_told(
    world: World, caller: Caller, bucket: Bucket, version: ObjectVersion
) -> ObjectLock | None:
    """The lock, as far as the caller may see it (API: HeadObject)."""
    lock = version.lock
    if lock is None:
        return None
    place = (bucket, version.key, version.version_id)
    if lock.mode is not None and not is_allowed(world, caller, "s3:GetObjectRetention", *place):
        lock = ObjectLock(has_legal_hold=lock.has_legal_hold)
    has_hold = lock.has_legal_hold is not None
    if has_hold and not is_allowed(world, caller, "s3:GetObjectLegalHold", *place):
        lock = ObjectLock(mode=lock.mode, retain_until=lock.retain_until)
    return lock


def _tag_count_told(
    world: World, caller: Caller, bucket: Bucket, version: ObjectVersion, version_id: str | None
) -> int:
    if not version.tags:
        return 0
    action = action_on("s3:GetObjectTagging", version_id)
    may = is_allowed(world, caller, action, bucket, version.key, version_id)
    return len(version.tags) if may else 0


def restore_told(world: World, version: ObjectVersion) -> Restore | None:
    """The restore, unless it has run out."""
    return version.restore_at(world.clock())


def _described(
    world: World,
    caller: Caller,
    bucket: Bucket,
    version: ObjectVersion,
    request: ReadObjectRequest,
    span: Span | None,
) -> ObjectDescription:
    size_bytes = version.size_bytes
    content_range = None
    if span is not None and span[1] > span[0]:
        content_range = f"bytes {span[0]}-{span[1] - 1}/{size_bytes}"
    has_parts = request.part_number is not None and bool(version.parts)
    return ObjectDescription(
        status=200 if content_range is None else 206,
        etag=version.etag,
        size_bytes=size_bytes if span is None else span[1] - span[0],
        content_range=content_range,
        last_modified=version.last_modified,
        version_id=version_id_told(bucket, version),
        content=version.content,
        metadata=version.metadata,
        checksum=_checksum_told(version, request, span),
        storage_class=None if version.storage_class == STANDARD else version.storage_class,
        encryption=version.encryption,
        replication_status=version.replication_status,
        tag_count=_tag_count_told(world, caller, bucket, version, request.version_id),
        parts_count=len(version.parts) if has_parts else None,
        restore=restore_told(world, version),
        archive_status=version.archive_status_at(world.clock()),
        lock=_lock_told(world, caller, bucket, version),
        website_redirect_location=version.website_redirect_location,
    )
