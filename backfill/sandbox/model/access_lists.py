"""ACLs, canned or as grants, and who owns what is written.

ACLs are kept, handed back, replicated and refused as S3 does; what they grant is not carried out:
authorization is by policies. Law: with BucketOwnerEnforced the bucket's owner owns everything and
has full control of it, whatever was said before (UG: about-object-ownership).
"""

from __future__ import annotations

import re
from dataclasses import replace

from backfill.sandbox.model import protection_refusals as refusals
from backfill.sandbox.model.access import find_bucket
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import action_on, find_version, version_id_told
from backfill.sandbox.model.identities import Caller, canonical_id
from backfill.sandbox.model.operations.objects import (
    GetObjectAclResult,
    PutObjectAclRequest,
    VersionRequest,
)
from backfill.sandbox.model.values import Grant, WrittenAttributes
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World

_GROUPS = "http://acs.amazonaws.com/groups/"
ALL_USERS = f"{_GROUPS}global/AllUsers"
AUTHENTICATED_USERS = f"{_GROUPS}global/AuthenticatedUsers"
LOG_DELIVERY = f"{_GROUPS}s3/LogDelivery"
_PUBLIC = frozenset({ALL_USERS, AUTHENTICATED_USERS})
_EC2 = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
"""Amazon EC2's canonical user ID, as objects with `aws-exec-read` show it."""
_OWNER_CONTROLS = "bucket-owner-full-control"
_FULL = "FULL_CONTROL"
_PERMISSIONS = frozenset({_FULL, "READ", "WRITE", "READ_ACP", "WRITE_ACP"})
_ENFORCED = "BucketOwnerEnforced"
_CANONICAL_ID = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
GRANTS_MAX = 100

_CANNED: dict[str, tuple[Grant, ...]] = {
    "private": (),
    "public-read": (Grant(grantee=ALL_USERS, permission="READ"),),
    "public-read-write": (
        Grant(grantee=ALL_USERS, permission="READ"),
        Grant(grantee=ALL_USERS, permission="WRITE"),
    ),
    "authenticated-read": (Grant(grantee=AUTHENTICATED_USERS, permission="READ"),),
    "aws-exec-read": (Grant(grantee=_EC2, permission="READ"),),
}
"""What a canned ACL grants beside the owner's full control (UG: acl-overview, canned ACL)."""
_OF_BUCKET_OWNER = {"bucket-owner-read": "READ", _OWNER_CONTROLS: _FULL}


def full_control(account_id: str) -> Grant:
    """An account's full control."""
    return Grant(grantee=canonical_id(account_id), permission=_FULL)


def grants_of_canned(acl: str, owner_id: str, bucket_owner_id: str) -> tuple[Grant, ...]:
    """All lines that a canned ACL stands for."""
    owner = full_control(owner_id)
    right = _OF_BUCKET_OWNER.get(acl)
    if right is None:
        return (owner, *_CANNED[acl])
    if owner_id == bucket_owner_id:
        return (owner,)
    return owner, Grant(grantee=canonical_id(bucket_owner_id), permission=right)


def check_acl(bucket: Bucket, acl: str | None, grants: tuple[Grant, ...]) -> None:
    """Refuse an ACL that is wrong in itself, or that the bucket does not take."""
    if acl is not None and grants:
        raise S3Error(refusals.TWO_ACLS)
    if acl is not None and acl not in _CANNED | _OF_BUCKET_OWNER:
        raise S3Error(refusals.UNKNOWN_ACL, fields=(("ArgumentValue", acl),))
    if len(grants) > GRANTS_MAX:
        raise S3Error(refusals.MALFORMED_ACL)
    for grant in grants:
        _check_grant(grant)
    if bucket.object_ownership == _ENFORCED:
        is_owners = acl in (None, _OWNER_CONTROLS) and set(grants) <= {
            full_control(bucket.owner_id)
        }
        if not is_owners:
            raise S3Error(refusals.ACL_NOT_SUPPORTED)
    block = bucket.public_access_block
    if block is not None and block.are_public_acls_blocked:
        said = (*grants, *_CANNED.get(acl or "", ()))
        if any(grant.grantee in _PUBLIC for grant in said):
            raise S3Error(refusals.PUBLIC_ACL_BLOCKED)


def _check_grant(grant: Grant) -> None:
    if "@" in grant.grantee:
        raise S3Error(refusals.EMAIL_GRANTEE)
    if grant.permission not in _PERMISSIONS:
        raise S3Error(refusals.MALFORMED_ACL)
    named = (("ArgumentValue", grant.grantee),)
    if grant.is_of_group:
        if grant.grantee not in (*_PUBLIC, LOG_DELIVERY):
            raise S3Error(refusals.UNKNOWN_GROUP, fields=(("ArgumentName", "uri"), *named))
    elif _CANONICAL_ID.match(grant.grantee) is None:
        name = (("ArgumentName", "CanonicalUser/ID"),)
        raise S3Error(refusals.UNKNOWN_GRANTEE, fields=(*name, *named))


def owner_of_write(bucket: Bucket, caller: Caller, acl: str | None) -> str:
    """The account that owns what the caller writes."""
    if bucket.object_ownership == _ENFORCED:
        return bucket.owner_id
    if bucket.object_ownership == "BucketOwnerPreferred" and acl == _OWNER_CONTROLS:
        return bucket.owner_id
    return caller.account_id


def acl_of_write(
    bucket: Bucket, owner_id: str, attributes: WrittenAttributes
) -> tuple[Grant, ...] | None:
    """The ACL of a new version; None where nobody but its owner is in it.

    Grants are taken as they are said: the owner is not added (API: PutObject, x-amz-grant-*).
    """
    return _kept(bucket, owner_id, attributes.acl, attributes.grants)


def _kept(
    bucket: Bucket, owner_id: str, acl: str | None, grants: tuple[Grant, ...]
) -> tuple[Grant, ...] | None:
    if bucket.object_ownership == _ENFORCED:
        return None
    said = grants or grants_of_canned(acl or "private", owner_id, bucket.owner_id)
    return None if said == (full_control(owner_id),) else said


def has_full_control(version: ObjectVersion, account_id: str) -> bool:
    """Whether the version's ACL lets this account do everything."""
    if version.acl is None:
        return version.owner_id == account_id
    return full_control(account_id) in version.acl


def get_object_acl(world: World, caller: Caller, request: VersionRequest) -> GetObjectAclResult:
    """A version's owner and grants."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on("s3:GetObjectAcl", request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    is_enforced = bucket.object_ownership == _ENFORCED
    owner_id = bucket.owner_id if is_enforced else version.owner_id
    is_private = is_enforced or version.acl is None
    return GetObjectAclResult(
        owner_id=owner_id,
        grants=(full_control(owner_id),) if is_private else version.acl or (),
        version_id=version_id_told(bucket, version),
    )


def put_object_acl(world: World, caller: Caller, request: PutObjectAclRequest) -> None:
    """Replace a version's ACL."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on("s3:PutObjectAcl", request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    check_acl(bucket, request.acl, request.grants)
    if request.owner is not None and request.owner != canonical_id(version.owner_id):
        raise S3Error(refusals.ACL_OF_ANOTHER_OWNER)
    if bucket.object_ownership == _ENFORCED:
        return
    if request.is_empty:
        acl: tuple[Grant, ...] | None = ()
    else:
        acl = _kept(bucket, version.owner_id, request.acl, request.grants)
    changed = replace(version, acl=acl)
    bucket.swap(changed)
    world.on_attributes_changed(bucket, changed)
