"""Why a replica cannot be made: one noun for each of S3's failure codes that the engine meets.

Never decides anything.
Law: codes are those of the User Guide (replication-metrics-events), never ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why S3 cannot make a replica."""

    code: str
    http_status: int
    message: str


def _forbidden(code: str, message: str) -> Obstacle:
    return Obstacle(code=code, http_status=403, message=message)


def _wrong(code: str, message: str) -> Obstacle:
    return Obstacle(code=code, http_status=400, message=message)


def _absent(code: str, message: str) -> Obstacle:
    return Obstacle(code=code, http_status=404, message=message)


# The role and the source
ROLE_NOT_ASSUMED = _forbidden(
    "AssumeRoleNotPermitted", "Amazon S3 cannot assume the replication role"
)
CONFIGURATION_NOT_READ = _absent(
    "SrcBucketReplicationConfigMissing", "Amazon S3 finds no replication configuration"
)
"""Also for a role without s3:GetReplicationConfiguration: S3 does not say which code that has."""
NO_HEAD = _forbidden("SrcHeadObjectNotPermitted", "Amazon S3 may not look at the source object")
NO_READ = _forbidden("SrcGetObjectNotPermitted", "Amazon S3 may not read the source object")
NO_ACL = _forbidden("SrcGetAclNotPermitted", "Amazon S3 may not read the ACL of the source object")
NO_RETENTION = _forbidden(
    "SrcGetRetentionNotPermitted", "Amazon S3 may not read the retention of the source object"
)
NO_LEGAL_HOLD = _forbidden(
    "SrcGetLegalHoldNotPermitted", "Amazon S3 may not read the legal hold of the source object"
)
SOURCE_KEY = _wrong("SrcKmsKeyInvalidState", "The KMS key of the source object cannot be used")

# The destination
NO_BUCKET = _absent("DstBucketNotFound", "The destination bucket does not exist")
UNVERSIONED = _wrong("DstBucketUnversioned", "Versioning is not enabled on the destination bucket")
NO_LOCK = _wrong(
    "DstBucketObjectLockConfigMissing", "The destination bucket has no Object Lock configuration"
)
NO_WRITE = _forbidden(
    "DstPutObjectNotPermitted", "Amazon S3 may not replicate objects to the destination bucket"
)
NO_DELETE = _forbidden(
    "DstDelObjNotPermitted", "Amazon S3 may not replicate delete markers to the destination bucket"
)
NO_VERSION = _absent(
    "DstVersionNotFound", "The replica whose attributes changed is not at the destination"
)
REPLICA_KEY = _wrong("DstKmsKeyInvalidState", "The KMS key of the destination cannot be used")
NO_REPLICA_KEY = _absent("DstKmsKeyNotFound", "The KMS key of the destination does not exist")
