"""RestoreObject: archived versions come back, after a while, for a while.

Nothing runs in the background: how far a restore is follows from the time of the question.
Law: an archived version is readable only between the end of its restore and its expiry.

Sources: UG restoring-objects and restoring-objects-retrieval-options, API RestoreObject.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import find_version
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.objects import RestoreObjectRequest, RestoreObjectResult
from backfill.sandbox.model.values import ArchiveStatus, Restore
from backfill.sandbox.model.versions import ARCHIVE_CLASSES, ObjectVersion
from backfill.sandbox.model.world import World

EXPEDITED: Final = "Expedited"
_TIERS: Final = ("Bulk", "Standard", EXPEDITED)
_LONGEST: Final = {
    (False, EXPEDITED): timedelta(minutes=5),
    (False, "Standard"): timedelta(hours=5),
    (False, "Bulk"): timedelta(hours=12),
    (True, "Standard"): timedelta(hours=12),
    (True, "Bulk"): timedelta(hours=48),
}
"""The longest that S3 calls typical, of a deep archive (True) and of others; no Expedited there."""


def restore_object(
    world: World, caller: Caller, request: RestoreObjectRequest
) -> RestoreObjectResult:
    """Begin a restore, or give a restored copy more days."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    version = find_version(
        world, caller, bucket, request.key, request.version_id, "s3:RestoreObject"
    )
    now = world.clock()
    is_class = version.storage_class in ARCHIVE_CLASSES
    if not is_class and version.archive_status_at(now) is None:
        fields = (("StorageClass", version.storage_class),)
        raise S3Error(refusals.RESTORE_NOT_ALLOWED, fields=fields)
    restore = version.restore_at(now)
    if restore is not None and restore.is_ongoing:
        raise S3Error(refusals.RESTORE_IN_PROGRESS)
    # Only a copy beside the archive has days; from a tier a version comes back for good.
    if is_class != (request.days is not None) or (request.days is not None and request.days < 1):
        raise S3Error(refusals.MALFORMED_XML)
    if is_class and not version.is_archived(now):
        begun = Restore(is_ongoing=False, expires_at=_expiry(now, request.days or 1))
        bucket.swap(replace(version, restore=begun))
        return RestoreObjectResult(status=200)
    ready_at = now + _duration(world, version, request.tier or "Standard")
    bucket.swap(_begun(version, ready_at, now, request.days))
    return RestoreObjectResult(status=202)


def _begun(
    version: ObjectVersion, ready_at: datetime, now: datetime, days: int | None
) -> ObjectVersion:
    if days is None and ready_at <= now:
        return replace(version, archive_status=None, restore=None)
    expires_at = None if days is None else _expiry(ready_at, days)
    restore = Restore(is_ongoing=True, expires_at=expires_at, ready_at=ready_at)
    return replace(version, restore=restore)


def _duration(world: World, version: ObjectVersion, tier: str) -> timedelta:
    if tier not in _TIERS:
        raise S3Error(refusals.MALFORMED_XML)
    is_deep = (
        version.storage_class == "DEEP_ARCHIVE"
        or version.archive_status is ArchiveStatus.DEEP_ARCHIVE_ACCESS
    )
    longest = _LONGEST.get((is_deep, tier))
    if longest is None:
        raise S3Error(refusals.TIER_NOT_SUPPORTED)
    if tier == EXPEDITED and not world.restores.is_expedited_available:
        raise S3Error(refusals.EXPEDITED_NOT_AVAILABLE)
    return longest * world.restores.scale


def _expiry(now: datetime, days: int) -> datetime:
    """The next midnight UTC after so many days (UG: restoring-objects)."""
    end = now + timedelta(days=days)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == end else midnight + timedelta(days=1)
