"""What stands between a version and its replica: the first obstacle, by S3's failure code.

Asked by live replication when a replica's time has come, and by Batch Replication when a task is
carried out; what both know is one list.
Law: codes are those of the User Guide (replication-metrics-events); nothing is changed here.
"""

from __future__ import annotations

from dataclasses import dataclass

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.identities import AccessQuestion, Caller
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.roles import REPLICATION
from backfill.sandbox.model.values import ServerSideEncryption, Versioning
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why S3 cannot make a replica."""

    code: str
    http_status: int
    message: str


ROLE_NOT_ASSUMED = Obstacle(
    code="AssumeRoleNotPermitted",
    http_status=403,
    message="Amazon S3 cannot assume the replication role",
)
_NO_BUCKET = Obstacle(
    code="DstBucketNotFound", http_status=404, message="The destination bucket does not exist"
)
_UNVERSIONED = Obstacle(
    code="DstBucketUnversioned",
    http_status=400,
    message="Versioning is not enabled on the destination bucket",
)
_NO_WRITE = Obstacle(
    code="DstPutObjectNotPermitted",
    http_status=403,
    message="Amazon S3 may not replicate objects to the destination bucket",
)
_NO_DELETE = Obstacle(
    code="DstDelObjNotPermitted",
    http_status=403,
    message="Amazon S3 may not replicate delete markers to the destination bucket",
)
_NO_LOCK = Obstacle(
    code="DstBucketObjectLockConfigMissing",
    http_status=400,
    message="The destination bucket has no Object Lock configuration",
)
_SOURCE_KEY = Obstacle(
    code="SrcKmsKeyInvalidState",
    http_status=400,
    message="The KMS key of the source object cannot be used",
)
_REPLICA_KEY = Obstacle(
    code="DstKmsKeyInvalidState",
    http_status=400,
    message="The KMS key of the destination cannot be used",
)
_NO_REPLICA_KEY = Obstacle(
    code="DstKmsKeyNotFound",
    http_status=404,
    message="The KMS key of the destination does not exist",
)


def obstacle(world: World, source: Bucket, entry: Entry, rule: Rule, role: str) -> Obstacle | None:
    """The first thing in the way of this version to the rule's destination, if any is."""
    about = (("aws:SourceAccount", source.owner_id), ("aws:SourceArn", source.arn))
    if not world.roles.trusts(role, REPLICATION, about):
        return ROLE_NOT_ASSUMED
    destination = world.buckets.get(rule.destination_bucket)
    if destination is None:
        return _NO_BUCKET
    if destination.versioning is not Versioning.ENABLED:
        return _UNVERSIONED
    is_marker = isinstance(entry, DeleteMarker)
    action = "s3:ReplicateDelete" if is_marker else "s3:ReplicateObject"
    question = AccessQuestion(
        caller=Caller(account_id=source.owner_id, arn=role, region=destination.region),
        action=action,
        bucket=destination.name,
        bucket_owner=destination.owner_id,
        key=entry.key,
    )
    if not world.authorize(question):
        return _NO_DELETE if is_marker else _NO_WRITE
    if isinstance(entry, ObjectVersion):
        return _obstacle_to_bytes(world, destination, entry, rule)
    return None


def _obstacle_to_bytes(
    world: World, destination: Bucket, version: ObjectVersion, rule: Rule
) -> Obstacle | None:
    if version.lock is not None and not destination.is_object_lock_enabled:
        return _NO_LOCK
    kind = version.encryption.algorithm
    if kind is ServerSideEncryption.CUSTOMER:
        return _NO_WRITE if destination.blocks_sse_c else None
    if not version.encryption.is_kms:
        return None
    keys = world.keys
    if version.encryption.kms_key_arn and not keys.is_enabled(version.encryption.kms_key_arn):
        return _SOURCE_KEY
    replica_key = keys.resolved(rule.replica_kms_key or "")
    if keys.is_missing(replica_key):
        return _NO_REPLICA_KEY
    return None if keys.is_enabled(replica_key) else _REPLICA_KEY
