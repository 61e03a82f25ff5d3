"""Deleting: delete markers, and versions removed for good.

Law: a delete without a version ID removes no bytes of a bucket with versioning; a delete with one
is never replicated (UG: DeletingObjectVersions, delete-marker-replication).
"""

from __future__ import annotations

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket, require
from backfill.sandbox.model.access_lists import owner_of_write
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.conditions import check_delete
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import check_version_id, tag_conditions
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.locking import check_removal
from backfill.sandbox.model.operations.objects import (
    DeletedEntry,
    DeleteEntry,
    DeleteFailure,
    DeleteObjectRequest,
    DeleteObjectResult,
    DeleteObjectsRequest,
    DeleteObjectsResult,
)
from backfill.sandbox.model.versions import NULL_VERSION_ID, DeleteMarker, ObjectVersion
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import check_key, fresh_version_id, put_in_place


def delete_object(world: World, caller: Caller, request: DeleteObjectRequest) -> DeleteObjectResult:
    """Hide a key, or remove one version."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    entry = DeleteEntry(key=request.key, version_id=request.version_id, if_match=request.if_match)
    return _delete(world, caller, bucket, entry, is_bypassed=request.is_governance_bypassed)


def delete_objects(
    world: World, caller: Caller, request: DeleteObjectsRequest
) -> DeleteObjectsResult:
    """Delete each entry as DeleteObject would; failures stay their own."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    if not 1 <= len(request.entries) <= world.limits.page_size:
        raise S3Error(refusals.MALFORMED_XML)
    deleted: list[DeletedEntry] = []
    failures: list[DeleteFailure] = []
    is_bypassed = request.is_governance_bypassed
    for entry in request.entries:
        try:
            result = _delete(world, caller, bucket, entry, is_bypassed=is_bypassed)
        except S3Error as error:
            failures.append(
                DeleteFailure(
                    key=entry.key,
                    version_id=entry.version_id,
                    code=error.code,
                    message=error.message,
                )
            )
        else:
            deleted.append(_told(entry, result))
    return DeleteObjectsResult(deleted=tuple(deleted), failures=tuple(failures))


def _told(entry: DeleteEntry, result: DeleteObjectResult) -> DeletedEntry:
    return DeletedEntry(
        key=entry.key,
        version_id=entry.version_id,
        is_delete_marker=result.is_delete_marker,
        delete_marker_version_id=result.version_id if result.is_delete_marker else None,
    )


def _delete(
    world: World, caller: Caller, bucket: Bucket, entry: DeleteEntry, *, is_bypassed: bool
) -> DeleteObjectResult:
    check_key(entry.key, world.limits)
    _authorize(world, caller, bucket, entry)
    check_delete(entry.if_match, entry.key, entry.version_id, bucket.current(entry.key))
    if entry.version_id is not None:
        return _remove(world, caller, bucket, entry.key, entry.version_id, is_bypassed=is_bypassed)
    if bucket.versioning is None:
        null = bucket.find(entry.key, NULL_VERSION_ID)
        if null is not None:
            bucket.remove(null)
        return DeleteObjectResult(version_id=None, is_delete_marker=False)
    marker = DeleteMarker(
        key=entry.key,
        version_id=fresh_version_id(world, bucket),
        created_at=world.clock(),
        sequence=world.next_sequence(),
        owner_id=owner_of_write(bucket, caller, None),
    )
    put_in_place(world, bucket, marker)
    return DeleteObjectResult(version_id=marker.version_id, is_delete_marker=True)


def _authorize(world: World, caller: Caller, bucket: Bucket, entry: DeleteEntry) -> None:
    key, version_id = entry.key, entry.version_id
    if version_id is not None:
        conditions = tag_conditions(bucket.find(key, version_id))
        action = "s3:DeleteObjectVersion"
        require(world, caller, action, bucket, key, version_id, conditions=conditions)
        return
    conditions = tag_conditions(bucket.current(key))
    if entry.if_match is not None:
        conditions = (*conditions, ("s3:if-match", entry.if_match))
    require(world, caller, "s3:DeleteObject", bucket, key, conditions=conditions)
    if entry.if_match is not None and entry.if_match.strip() != "*":
        require(world, caller, "s3:GetObject", bucket, key)  # UG: conditional-deletes


def _remove(
    world: World, caller: Caller, bucket: Bucket, key: str, version_id: str, *, is_bypassed: bool
) -> DeleteObjectResult:
    """Remove one version for good; one that is not there is removed already."""
    found = bucket.find(key, version_id)
    if found is None:
        check_version_id(version_id)
        return DeleteObjectResult(version_id=version_id, is_delete_marker=False)
    if isinstance(found, ObjectVersion):
        check_removal(world, caller, bucket, found, is_bypassed=is_bypassed)
    bucket.remove(found)
    return DeleteObjectResult(
        version_id=version_id, is_delete_marker=isinstance(found, DeleteMarker)
    )
