"""Buckets: making them, finding them, and their configurations.

Law: what cannot go together is refused when it is set, not when it first hurts.
"""

from __future__ import annotations

import json
import re

from backfill.sandbox.model import bucket_refusals, refusals
from backfill.sandbox.model.access import asked_bucket, require_of_account, require_of_resource
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.documents.public_access import check_public_policy
from backfill.sandbox.model.documents.refusals import NO_OWNERSHIP_CONTROLS
from backfill.sandbox.model.encryption import encryption_named
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.locking import MODES
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    BucketSummary,
    CreateBucketRequest,
    DefaultRetention,
    DocumentResult,
    GetBucketEncryptionResult,
    GetBucketOwnershipControlsResult,
    GetBucketVersioningResult,
    GetObjectLockConfigurationResult,
    HeadBucketResult,
    ListBucketsResult,
    PutBucketEncryptionRequest,
    PutBucketOwnershipControlsRequest,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
    PutObjectLockConfigurationRequest,
)
from backfill.sandbox.model.replication import refusals as replication_refusals
from backfill.sandbox.model.replication.configuration import validated_configuration
from backfill.sandbox.model.roles import account_of
from backfill.sandbox.model.values import Versioning
from backfill.sandbox.model.world import World

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+\Z", re.ASCII)
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_OWNERSHIPS = frozenset({"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"})
_FIRST_REGION = "us-east-1"
_RETENTION_DAYS_MAX = 36_500
_RETENTION_YEARS_MAX = 100


def is_bucket_name(name: str) -> bool:
    """Whether a new bucket may have that name (UG: bucketnamingrules)."""
    return (
        _NAME.match(name) is not None
        and ".." not in name
        and _ADDRESS.match(name) is None
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )


def list_buckets(world: World, caller: Caller) -> ListBucketsResult:
    """The caller's buckets, by name."""
    require_of_account(world, caller, "s3:ListAllMyBuckets")
    own = (bucket for bucket in world.buckets.values() if bucket.owner_id == caller.account_id)
    return ListBucketsResult(
        owner_id=caller.account_id,
        buckets=tuple(
            BucketSummary(name=bucket.name, created_at=bucket.created_at, region=bucket.region)
            for bucket in sorted(own, key=lambda bucket: bucket.name)
        ),
    )


def create_bucket(world: World, caller: Caller, request: CreateBucketRequest) -> None:
    """Make a bucket in the Region of the endpoint."""
    if not is_bucket_name(request.bucket):
        raise S3Error(bucket_refusals.INVALID_BUCKET_NAME, fields=(("BucketName", request.bucket),))
    if request.object_ownership not in _OWNERSHIPS:
        raise S3Error(bucket_refusals.UNKNOWN_OWNERSHIP)
    require_of_account(world, caller, "s3:CreateBucket", request.bucket)
    if request.location == _FIRST_REGION:
        raise S3Error(bucket_refusals.INVALID_LOCATION)
    if (request.location or _FIRST_REGION) != caller.region:
        said = request.location or "unspecified"
        message = (
            f"The {said} location constraint is incompatible for the region specific endpoint "
            "this request was sent to."
        )
        raise S3Error(bucket_refusals.ILLEGAL_LOCATION, message=message)
    existing = world.buckets.get(request.bucket)
    if existing is not None:
        own = existing.owner_id == caller.account_id
        raise S3Error(
            bucket_refusals.BUCKET_OWNED_BY_YOU if own else bucket_refusals.BUCKET_EXISTS,
            fields=(("BucketName", request.bucket),),
        )
    world.buckets[request.bucket] = Bucket(
        name=request.bucket,
        region=caller.region,
        owner_id=caller.account_id,
        created_at=world.clock(),
        versioning=Versioning.ENABLED if request.is_object_lock_enabled else None,
        object_ownership=request.object_ownership,
        is_object_lock_enabled=request.is_object_lock_enabled,
    )


def head_bucket(world: World, caller: Caller, request: BucketRequest) -> HeadBucketResult:
    """The bucket's Region, to those who may list it."""
    return HeadBucketResult(region=asked_bucket(world, caller, request, "s3:ListBucket").region)


def get_bucket_location(world: World, caller: Caller, request: BucketRequest) -> HeadBucketResult:
    """The bucket's Region."""
    return HeadBucketResult(
        region=asked_bucket(world, caller, request, "s3:GetBucketLocation").region
    )


def put_bucket_versioning(
    world: World, caller: Caller, request: PutBucketVersioningRequest
) -> None:
    """Enable or suspend versioning."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketVersioning")
    if request.status not in set(Versioning):
        raise S3Error(refusals.MALFORMED_XML)
    versioning = Versioning(request.status)
    if versioning is Versioning.SUSPENDED:
        if bucket.replication is not None:
            raise S3Error(bucket_refusals.REPLICATION_NEEDS_VERSIONING)
        if bucket.is_object_lock_enabled:
            raise S3Error(bucket_refusals.LOCK_NEEDS_VERSIONING)
    bucket.versioning = versioning


def get_bucket_versioning(
    world: World, caller: Caller, request: BucketRequest
) -> GetBucketVersioningResult:
    """The bucket's versioning."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketVersioning")
    return GetBucketVersioningResult(status=bucket.versioning)


def put_bucket_replication(
    world: World, caller: Caller, request: PutBucketReplicationRequest
) -> None:
    """Replace the replication configuration."""
    action = "s3:PutReplicationConfiguration"
    bucket = asked_bucket(world, caller, request, action)
    configuration = validated_configuration(request.document, source=bucket, world=world)
    if account_of(configuration.role) != bucket.owner_id:
        raise S3Error(replication_refusals.CROSS_ACCOUNT_ROLE)
    require_of_resource(world, caller, "iam:PassRole", configuration.role)
    bucket.replication = configuration


def get_bucket_replication(world: World, caller: Caller, request: BucketRequest) -> DocumentResult:
    """The replication configuration, word for word."""
    bucket = asked_bucket(world, caller, request, "s3:GetReplicationConfiguration")
    if bucket.replication is None:
        raise S3Error(replication_refusals.NO_CONFIGURATION)
    return DocumentResult(document=bucket.replication.document)


def delete_bucket_replication(world: World, caller: Caller, request: BucketRequest) -> None:
    """Drop the replication configuration."""
    asked_bucket(world, caller, request, "s3:PutReplicationConfiguration").replication = None


def put_bucket_policy(world: World, caller: Caller, request: PutBucketPolicyRequest) -> None:
    """Replace the policy; what it means is the authorization hook's."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketPolicy")
    _require_own(bucket, caller)
    if len(request.document.encode("utf-8")) > world.limits.policy_size_bytes:
        raise S3Error(bucket_refusals.POLICY_TOO_LARGE)
    try:
        is_object = isinstance(json.loads(request.document), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise S3Error(bucket_refusals.MALFORMED_POLICY)
    check_public_policy(bucket, request.document, caller)
    bucket.policy = request.document


def _require_own(bucket: Bucket, caller: Caller) -> None:
    if caller.account_id != bucket.owner_id:
        raise S3Error(bucket_refusals.POLICY_OF_ANOTHER_ACCOUNT)


def get_bucket_policy(world: World, caller: Caller, request: BucketRequest) -> DocumentResult:
    """The policy's text."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketPolicy")
    _require_own(bucket, caller)
    if bucket.policy is None:
        raise S3Error(bucket_refusals.NO_BUCKET_POLICY, fields=(("BucketName", bucket.name),))
    return DocumentResult(document=bucket.policy)


def delete_bucket_policy(world: World, caller: Caller, request: BucketRequest) -> None:
    """Drop the policy."""
    bucket = asked_bucket(world, caller, request, "s3:DeleteBucketPolicy")
    _require_own(bucket, caller)
    bucket.policy = None


def put_bucket_encryption(
    world: World, caller: Caller, request: PutBucketEncryptionRequest
) -> None:
    """Set the default encryption; KMS is not asked whether the key exists."""
    action = "s3:PutEncryptionConfiguration"
    bucket = asked_bucket(world, caller, request, action)
    if request.encryption.algorithm is None or request.encryption.customer_key is not None:
        raise S3Error(refusals.MALFORMED_XML)
    bucket.encryption = encryption_named(
        request.encryption, account_id=bucket.owner_id, region=bucket.region
    )
    bucket.blocks_sse_c = request.blocks_sse_c


def get_bucket_encryption(
    world: World, caller: Caller, request: BucketRequest
) -> GetBucketEncryptionResult:
    """The default encryption."""
    bucket = asked_bucket(world, caller, request, "s3:GetEncryptionConfiguration")
    return GetBucketEncryptionResult(encryption=bucket.encryption, blocks_sse_c=bucket.blocks_sse_c)


def put_bucket_ownership_controls(
    world: World, caller: Caller, request: PutBucketOwnershipControlsRequest
) -> None:
    """Set Object Ownership."""
    action = "s3:PutBucketOwnershipControls"
    bucket = asked_bucket(world, caller, request, action)
    if request.object_ownership not in _OWNERSHIPS:
        raise S3Error(refusals.MALFORMED_XML)
    bucket.object_ownership = request.object_ownership
    bucket.has_ownership_controls = True


def get_bucket_ownership_controls(
    world: World, caller: Caller, request: BucketRequest
) -> GetBucketOwnershipControlsResult:
    """Object Ownership."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketOwnershipControls")
    if not bucket.has_ownership_controls:
        raise S3Error(NO_OWNERSHIP_CONTROLS, fields=(("BucketName", bucket.name),))
    return GetBucketOwnershipControlsResult(object_ownership=bucket.object_ownership)


def put_object_lock_configuration(
    world: World, caller: Caller, request: PutObjectLockConfigurationRequest
) -> None:
    """Switch Object Lock on and set or drop the default retention."""
    action = "s3:PutBucketObjectLockConfiguration"
    bucket = asked_bucket(world, caller, request, action)
    if bucket.versioning is not Versioning.ENABLED:
        raise S3Error(bucket_refusals.LOCK_BEFORE_VERSIONING)
    if request.default_retention is not None:
        _check_default_retention(request.default_retention)
    bucket.is_object_lock_enabled = True
    bucket.default_retention = request.default_retention


def _check_default_retention(retention: DefaultRetention) -> None:
    if retention.mode not in MODES or (retention.days is None) is (retention.years is None):
        raise S3Error(refusals.MALFORMED_XML)
    if (retention.days or retention.years or 0) < 1:
        raise S3Error(bucket_refusals.INVALID_DEFAULT_RETENTION)
    if (retention.days or 0) > _RETENTION_DAYS_MAX or (retention.years or 0) > _RETENTION_YEARS_MAX:
        raise S3Error(bucket_refusals.DEFAULT_RETENTION_TOO_LONG)


def get_object_lock_configuration(
    world: World, caller: Caller, request: BucketRequest
) -> GetObjectLockConfigurationResult:
    """The bucket's Object Lock."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketObjectLockConfiguration")
    if not bucket.is_object_lock_enabled:
        raise S3Error(bucket_refusals.NO_LOCK_CONFIGURATION, fields=(("BucketName", bucket.name),))
    return GetObjectLockConfigurationResult(default_retention=bucket.default_retention)
