"""Canned ACLs and who owns what is written.

Grants are not modelled: a canned ACL is kept and handed back, authorization is by policies.
Law: with BucketOwnerEnforced the bucket's owner owns everything (UG: about-object-ownership).
"""

from __future__ import annotations

from dataclasses import replace

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import action_on, find_version, version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.objects import (
    GetObjectAclResult,
    PutObjectAclRequest,
    VersionRequest,
)
from backfill.sandbox.model.world import World

_CANNED = frozenset(
    {
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
    }
)
_OWNER_CONTROLS = "bucket-owner-full-control"


def check_acl(bucket: Bucket, acl: str | None) -> None:
    """Refuse an ACL that is unknown, or that Object Ownership forbids."""
    if acl is None:
        return
    if acl not in _CANNED:
        raise S3Error(refusals.UNKNOWN_ACL, fields=(("ArgumentValue", acl),))
    if bucket.object_ownership == "BucketOwnerEnforced" and acl != _OWNER_CONTROLS:
        raise S3Error(refusals.ACL_NOT_SUPPORTED)


def owner_of_write(bucket: Bucket, caller: Caller, acl: str | None) -> str:
    """The account that owns what the caller writes."""
    if bucket.object_ownership == "BucketOwnerEnforced":
        return bucket.owner_id
    if bucket.object_ownership == "BucketOwnerPreferred" and acl == _OWNER_CONTROLS:
        return bucket.owner_id
    return caller.account_id


def get_object_acl(world: World, caller: Caller, request: VersionRequest) -> GetObjectAclResult:
    """A version's owner and canned ACL."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on("s3:GetObjectAcl", request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    return GetObjectAclResult(
        owner_id=version.owner_id, acl=version.acl, version_id=version_id_told(bucket, version)
    )


def put_object_acl(world: World, caller: Caller, request: PutObjectAclRequest) -> None:
    """Replace a version's canned ACL."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on("s3:PutObjectAcl", request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    check_acl(bucket, request.acl)
    changed = replace(version, acl=request.acl)
    bucket.swap(changed)
    world.on_attributes_changed(bucket, changed)
