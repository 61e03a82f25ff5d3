"""GetObjectAttributes and RestoreObject: what else can be asked of one version.

Law: parts are told only with the checksums that belong to them: of COMPOSITE objects
(API: GetObjectAttributes).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket
from backfill.sandbox.model.encryption import check_customer_key, check_decryption
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import action_on, find_version, version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.listing import page_size
from backfill.sandbox.model.operations.objects import (
    GetObjectAttributesRequest,
    GetObjectAttributesResult,
    PartAttributes,
    PartsPage,
    RestoreObjectRequest,
    RestoreObjectResult,
)
from backfill.sandbox.model.values import ChecksumType, Restore
from backfill.sandbox.model.versions import ARCHIVE_CLASSES, ObjectVersion
from backfill.sandbox.model.world import World

_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


def get_object_attributes(
    world: World, caller: Caller, request: GetObjectAttributesRequest
) -> GetObjectAttributesResult:
    """The attributes asked for; the others stay None."""
    asked = frozenset(request.attributes)
    if not asked:
        raise S3Error(refusals.NO_ATTRIBUTES)
    if not asked <= _ATTRIBUTES:
        unknown = min(asked - _ATTRIBUTES)
        raise S3Error(refusals.UNKNOWN_ATTRIBUTE, fields=(("ArgumentValue", unknown),))
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    version_id = request.version_id
    actions = (
        action_on("s3:GetObject", version_id),
        action_on("s3:GetObjectAttributes", version_id),
    )
    version = find_version(world, caller, bucket, request.key, version_id, *actions)
    check_customer_key(version.encryption, request.customer_key)
    check_decryption(world, caller, bucket, version)
    has_parts = "ObjectParts" in asked and bool(version.parts)
    return GetObjectAttributesResult(
        version_id=version_id_told(bucket, version),
        last_modified=version.last_modified,
        etag=version.etag if "ETag" in asked else None,
        checksum=version.checksum if "Checksum" in asked else None,
        parts=_parts_page(world, version, request) if has_parts else None,
        storage_class=version.storage_class if "StorageClass" in asked else None,
        size_bytes=version.size_bytes if "ObjectSize" in asked else None,
    )


def _parts_page(
    world: World, version: ObjectVersion, request: GetObjectAttributesRequest
) -> PartsPage:
    total = len(version.parts)
    if version.checksum is None or version.checksum.type is not ChecksumType.COMPOSITE:
        return PartsPage(total_parts_count=total)
    size = page_size(request.max_parts, world)
    after = [part for part in version.parts if part.number > request.part_number_marker]
    told = after[:size]
    return PartsPage(
        total_parts_count=total,
        parts=tuple(
            PartAttributes(number=part.number, size_bytes=part.size_bytes, checksum=part.checksum)
            for part in told
        ),
        max_parts=size,
        part_number_marker=request.part_number_marker,
        next_part_number_marker=told[-1].number if told else 0,
        is_truncated=size > 0 and len(after) > size,
    )


def restore_object(
    world: World, caller: Caller, request: RestoreObjectRequest
) -> RestoreObjectResult:
    """Bring an archived version back: at once, since waiting is not what is modelled."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    version = find_version(
        world, caller, bucket, request.key, request.version_id, "s3:RestoreObject"
    )
    if version.restore is not None and version.restore.is_ongoing:
        raise S3Error(refusals.RESTORE_IN_PROGRESS)
    now = world.clock()
    if version.storage_class in ARCHIVE_CLASSES:
        if request.days is None or request.days < 1:
            raise S3Error(refusals.MALFORMED_XML)
        restore = Restore(is_ongoing=False, expires_at=_expiry(now, request.days))
        is_new = version.is_archived(now)
        bucket.swap(replace(version, restore=restore))
        return RestoreObjectResult(status=202 if is_new else 200)
    if version.archive_status is None:
        raise S3Error(
            refusals.RESTORE_NOT_ALLOWED, fields=(("StorageClass", version.storage_class),)
        )
    if request.days is not None:  # it comes back for good (API: RestoreObject)
        raise S3Error(refusals.MALFORMED_XML)
    bucket.swap(replace(version, archive_status=None))
    return RestoreObjectResult(status=202)


def _expiry(now: datetime, days: int) -> datetime:
    """The next midnight UTC after so many days (UG: restoring-objects)."""
    end = now + timedelta(days=days)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == end else midnight + timedelta(days=1)
