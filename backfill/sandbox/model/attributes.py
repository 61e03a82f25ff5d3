"""GetObjectAttributes: what else can be asked of one version.

Law: parts are told only with the checksums that belong to them: of COMPOSITE objects
(API: GetObjectAttributes).
"""

from __future__ import annotations

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
)
from backfill.sandbox.model.values import ChecksumType
from backfill.sandbox.model.versions import ObjectVersion
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
