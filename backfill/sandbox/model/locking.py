"""Object Lock: retention and legal holds of versions.

Law: what is locked is not removed and its retention never grows weaker, but for governance mode
with s3:BypassGovernanceRetention (UG: object-lock).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from backfill.sandbox.model import protection_refusals as refusals
from backfill.sandbox.model.access import find_bucket, is_allowed, require
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Refusal, S3Error
from backfill.sandbox.model.finding import find_version
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.objects import PutObjectLockRequest, VersionRequest
from backfill.sandbox.model.values import ObjectLock
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World

MODES = frozenset({"GOVERNANCE", "COMPLIANCE"})
_NO_LOCK = ObjectLock()


def check_lock(
    bucket: Bucket,
    lock: ObjectLock | None,
    now: datetime,
    *,
    refusal: Refusal = refusals.BUCKET_HAS_NO_LOCK,
) -> None:
    """Refuse a lock that a write or PutObjectRetention cannot ask for.

    `refusal` is for a bucket without Object Lock: writes are told so in words of their own.
    """
    if lock is None:
        return
    if not bucket.is_object_lock_enabled:
        raise S3Error(refusal)
    if (lock.mode is None) is not (lock.retain_until is None):
        raise S3Error(refusals.INVALID_LOCK)
    if lock.mode is not None and lock.mode not in MODES:
        raise S3Error(refusals.INVALID_LOCK, message="Unknown wormMode directive.")
    if lock.retain_until is not None and lock.retain_until <= now:
        message = "The retain until date must be in the future!"
        raise S3Error(refusals.INVALID_LOCK, message=message)


def lock_of_write(bucket: Bucket, lock: ObjectLock | None, now: datetime) -> ObjectLock | None:
    """The lock of a new version: as asked, retention else by the bucket's default."""
    default = bucket.default_retention
    if default is None or (lock is not None and lock.mode is not None):
        return lock
    # A year counts 365 days; S3 does not say whether leap years count.
    days = default.days if default.days is not None else 365 * (default.years or 0)
    return replace(lock or _NO_LOCK, mode=default.mode, retain_until=now + timedelta(days=days))


def _is_retained(lock: ObjectLock, now: datetime) -> bool:
    return lock.retain_until is not None and lock.retain_until > now


def _may_bypass(
    world: World, caller: Caller, bucket: Bucket, version: ObjectVersion, *, is_asked: bool
) -> bool:
    action = "s3:BypassGovernanceRetention"
    return is_asked and is_allowed(world, caller, action, bucket, version.key, version.version_id)


def check_bypass(bucket: Bucket, *, is_bypassed: bool) -> None:
    """Refuse the bypass header where there is nothing to bypass."""
    if is_bypassed and not bucket.is_object_lock_enabled:
        raise S3Error(refusals.BYPASS_WITHOUT_LOCK)


def check_removal(
    world: World, caller: Caller, bucket: Bucket, version: ObjectVersion, *, is_bypassed: bool
) -> None:
    """Refuse to remove a version that is locked."""
    check_bypass(bucket, is_bypassed=is_bypassed)
    lock = version.lock
    if lock is None:
        return
    if lock.has_legal_hold:
        raise S3Error(refusals.LOCKED)
    if not _is_retained(lock, world.clock()):
        return
    is_governed = lock.mode == "GOVERNANCE"
    if not is_governed or not _may_bypass(world, caller, bucket, version, is_asked=is_bypassed):
        raise S3Error(refusals.LOCKED)


def _found(
    world: World, caller: Caller, request: VersionRequest, action: str
) -> tuple[Bucket, ObjectVersion]:
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    if not bucket.is_object_lock_enabled:
        raise S3Error(refusals.BUCKET_HAS_NO_LOCK)
    return bucket, version


def get_object_retention(world: World, caller: Caller, request: VersionRequest) -> ObjectLock:
    """A version's retention."""
    _, version = _found(world, caller, request, "s3:GetObjectRetention")
    if version.lock is None or version.lock.mode is None:
        raise S3Error(refusals.OBJECT_HAS_NO_LOCK)
    return version.lock


def get_object_legal_hold(world: World, caller: Caller, request: VersionRequest) -> ObjectLock:
    """A version's legal hold."""
    _, version = _found(world, caller, request, "s3:GetObjectLegalHold")
    if version.lock is None or version.lock.has_legal_hold is None:
        raise S3Error(refusals.OBJECT_HAS_NO_LOCK)
    return version.lock


def put_object_lock(world: World, caller: Caller, request: PutObjectLockRequest) -> None:
    """Set retention or legal hold; neither given takes the retention away."""
    is_hold = request.has_legal_hold is not None
    action = "s3:PutObjectLegalHold" if is_hold else "s3:PutObjectRetention"
    where = VersionRequest(
        bucket=request.bucket,
        key=request.key,
        version_id=request.version_id,
        expected_bucket_owner=request.expected_bucket_owner,
    )
    bucket, version = _found(world, caller, where, action)
    before = version.lock or _NO_LOCK
    after = before
    if request.has_legal_hold is not None:
        after = replace(before, has_legal_hold=request.has_legal_hold)
    if not is_hold or request.mode is not None or request.retain_until is not None:
        after = replace(after, mode=request.mode, retain_until=request.retain_until)
        if is_hold:
            require(world, caller, "s3:PutObjectRetention", bucket, version.key, version.version_id)
        _check_retention_change(
            world, caller, bucket, version, after, is_bypassed=request.is_governance_bypassed
        )
    changed = replace(version, lock=after)
    bucket.swap(changed)
    world.on_attributes_changed(bucket, changed)


def _check_retention_change(
    world: World,
    caller: Caller,
    bucket: Bucket,
    version: ObjectVersion,
    after: ObjectLock,
    *,
    is_bypassed: bool,
) -> None:
    now = world.clock()
    check_lock(bucket, after, now)
    before = version.lock or _NO_LOCK
    if not _is_retained(before, now):
        return
    assert before.retain_until is not None
    is_longer = after.retain_until is not None and after.retain_until >= before.retain_until
    is_as_strict = after.mode in (before.mode, "COMPLIANCE")
    if is_longer and is_as_strict:
        return
    if before.mode == "COMPLIANCE" or not _may_bypass(
        world, caller, bucket, version, is_asked=is_bypassed
    ):
        raise S3Error(refusals.LOCKED)
