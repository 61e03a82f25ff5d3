"""Copying: CopyObject, and the source side of UploadPartCopy.

What a copy keeps and what it loses is in `_attributes`: ACL, storage class, encryption, Object Lock
and website redirect never come from the source (API: CopyObject).
Law: bytes are shared, never doubled, and a copy is one new version or nothing.
"""

from __future__ import annotations

from dataclasses import replace

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket, require
from backfill.sandbox.model.access_lists import acl_of_write, owner_of_write
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.checksums import DEFAULT_ALGORITHM, algorithm_named, full_object
from backfill.sandbox.model.conditions import check_copy_source, check_write, check_write_form
from backfill.sandbox.model.encryption import (
    check_customer_key,
    check_decryption,
    encryption_of_write,
)
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import (
    action_on,
    find_version,
    tag_conditions,
    version_id_told,
)
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.locking import lock_of_write
from backfill.sandbox.model.operations.copies import (
    CopyObjectRequest,
    CopyObjectResult,
    CopySource,
)
from backfill.sandbox.model.values import ChecksumAlgorithm, WrittenAttributes
from backfill.sandbox.model.versions import ARCHIVE_CLASSES, ObjectVersion
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import (
    STANDARD,
    authorize_write,
    check_attributes,
    check_key,
    etag_of,
    fresh_version_id,
    put_in_place,
)

_DIRECTIVES = frozenset({None, "COPY", "REPLACE"})


def find_source(world: World, caller: Caller, source: CopySource) -> tuple[Bucket, ObjectVersion]:
    """The version to copy, which the caller may read, as it is expected and not archived."""
    bucket = find_bucket(world, source.bucket, source.expected_bucket_owner)
    version = find_version(
        world,
        caller,
        bucket,
        source.key,
        source.version_id,
        action_on("s3:GetObject", source.version_id),
        marker_refusal=refusals.COPY_OF_MARKER,
    )
    check_customer_key(version.encryption, source.customer_key)
    check_copy_source(source.conditions, version)
    check_decryption(world, caller, bucket, version)
    if version.is_archived(world.clock()):
        if version.storage_class in ARCHIVE_CLASSES:
            fields = (("StorageClass", version.storage_class),)
            raise S3Error(refusals.ARCHIVED, fields=fields)
        raise S3Error(refusals.ARCHIVED_TIER)
    return bucket, version


def check_copied_size(world: World, size_bytes: int) -> None:
    """Refuse more than one copy can carry."""
    limit = world.limits.copy_size_bytes
    if size_bytes > limit:
        message = f"{refusals.COPY_SOURCE_TOO_LARGE.message}: {limit}"
        raise S3Error(refusals.COPY_SOURCE_TOO_LARGE, message=message)


def _check_directives(request: CopyObjectRequest) -> None:
    for directive in (request.metadata_directive, request.tagging_directive):
        if directive not in _DIRECTIVES:
            fields = (("ArgumentValue", str(directive)),)
            raise S3Error(refusals.UNKNOWN_DIRECTIVE, fields=fields)


def _check_change_in_place(request: CopyObjectRequest) -> None:
    """Refuse a copy of the current version onto itself that would change nothing.

    A version named by its ID may be copied onto its own key: that is how an earlier version is
    made current again (UG: RestoringPreviousVersions).
    """
    source, asked = request.source, request.attributes
    if (source.bucket, source.key) != (request.bucket, request.key):
        return
    is_changed = (
        source.version_id is not None
        or request.metadata_directive == "REPLACE"
        or asked.storage_class is not None
        or asked.website_redirect_location is not None
        or asked.encryption.algorithm is not None
        or asked.encryption.customer_key is not None
    )
    if not is_changed:
        raise S3Error(refusals.COPY_TO_ITSELF)


def _attributes(request: CopyObjectRequest, version: ObjectVersion) -> WrittenAttributes:
    """What the copy will be, out of the source and the request."""
    asked = request.attributes
    if request.metadata_directive != "REPLACE":
        asked = replace(asked, content=version.content, metadata=version.metadata)
    if request.tagging_directive != "REPLACE":
        asked = replace(asked, tags=version.tags)
    return asked


def _authorize(
    world: World,
    caller: Caller,
    request: CopyObjectRequest,
    buckets: tuple[Bucket, Bucket],
    version: ObjectVersion,
    attributes: WrittenAttributes,
) -> None:
    """Ask for what a copy needs beyond reading its source; tags are read only to be copied."""
    source_bucket, bucket = buckets
    source = request.source
    if request.tagging_directive != "REPLACE" and version.tags:
        action = action_on("s3:GetObjectTagging", source.version_id)
        where = (source_bucket, source.key, source.version_id)
        require(world, caller, action, *where, conditions=tag_conditions(version))
    also = (
        ("s3:x-amz-copy-source", f"/{source.bucket}/{source.key}"),
        ("s3:x-amz-metadata-directive", request.metadata_directive or "COPY"),
    )
    authorize_write(world, caller, bucket, request.key, attributes, request.conditions, also=also)


def _algorithm(request: CopyObjectRequest, version: ObjectVersion) -> ChecksumAlgorithm:
    """As asked, else the source's, else S3's own (UG: copy-object)."""
    if request.checksum_algorithm is not None:
        return algorithm_named(request.checksum_algorithm)
    return DEFAULT_ALGORITHM if version.checksum is None else version.checksum.algorithm


def copy_object(world: World, caller: Caller, request: CopyObjectRequest) -> CopyObjectResult:
    """Make a copy of a version the new current version of a key."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    check_key(request.key, world.limits)
    _check_directives(request)
    check_write_form(request.conditions)
    source_bucket, source = find_source(world, caller, request.source)
    attributes = _attributes(request, source)
    check_attributes(world, bucket, attributes)
    _authorize(world, caller, request, (source_bucket, bucket), source, attributes)
    check_copied_size(world, source.size_bytes)
    _check_change_in_place(request)
    checksum = full_object(source.body, _algorithm(request, source))
    check_write(request.conditions, request.key, bucket.current(request.key))
    encryption = encryption_of_write(world, caller, bucket, request.key, attributes.encryption)
    now = world.clock()
    owner_id = owner_of_write(bucket, caller, attributes.acl)
    version = ObjectVersion(
        key=request.key,
        version_id=fresh_version_id(world, bucket),
        created_at=now,
        sequence=world.next_sequence(),
        owner_id=owner_id,
        body=source.body,
        etag=etag_of(world, source.body, encryption),
        checksum=checksum,
        content=attributes.content,
        metadata=attributes.metadata,
        tags=attributes.tags,
        storage_class=attributes.storage_class or STANDARD,
        encryption=encryption,
        lock=lock_of_write(bucket, attributes.lock, now),
        acl=acl_of_write(bucket, owner_id, attributes),
        website_redirect_location=attributes.website_redirect_location,
    )
    put_in_place(world, bucket, version)
    return CopyObjectResult(
        etag=version.etag,
        last_modified=version.last_modified,
        version_id=version_id_told(bucket, version),
        source_version_id=version_id_told(source_bucket, source),
        checksum=checksum,
        encryption=encryption,
    )
