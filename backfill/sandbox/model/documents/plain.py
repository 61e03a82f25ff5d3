"""Bucket tags, who pays, what is taken back to its default, and deleting a bucket.

Law: taking a configuration away is allowed whether or not it is there (API: Delete operations).
"""

from __future__ import annotations

from backfill.sandbox.model.access import asked_bucket
from backfill.sandbox.model.access_lists import full_control
from backfill.sandbox.model.documents import refusals
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.buckets import BucketRequest
from backfill.sandbox.model.operations.documents import (
    BucketTaggingResult,
    PutBucketTaggingRequest,
    PutRequestPaymentRequest,
    RequestPaymentResult,
)
from backfill.sandbox.model.operations.objects import GetObjectAclResult
from backfill.sandbox.model.tagging import check_bucket_tags
from backfill.sandbox.model.values import SSE_S3
from backfill.sandbox.model.world import World

_OWNER, _REQUESTER = "BucketOwner", "Requester"


def put_request_payment(world: World, caller: Caller, request: PutRequestPaymentRequest) -> None:
    """Say who pays for requests (UG: RequesterPaysBuckets). Requests are not charged here."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketRequestPayment")
    if request.payer not in {_OWNER, _REQUESTER}:
        raise S3Error(refusals.MALFORMED)
    bucket.is_requester_pays = request.payer == _REQUESTER


def get_request_payment(
    world: World, caller: Caller, request: BucketRequest
) -> RequestPaymentResult:
    """Who pays."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketRequestPayment")
    return RequestPaymentResult(payer=_REQUESTER if bucket.is_requester_pays else _OWNER)


def put_bucket_tagging(world: World, caller: Caller, request: PutBucketTaggingRequest) -> None:
    """Replace the bucket's tags."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketTagging")
    check_bucket_tags(request.tags)
    bucket.tags = request.tags


def get_bucket_tagging(world: World, caller: Caller, request: BucketRequest) -> BucketTaggingResult:
    """The bucket's tags."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketTagging")
    if not bucket.tags:
        raise S3Error(refusals.NO_TAGS, fields=(("BucketName", bucket.name),))
    return BucketTaggingResult(tags=bucket.tags)


def delete_bucket_tagging(world: World, caller: Caller, request: BucketRequest) -> None:
    """Drop the bucket's tags. IAM has no action of its own for it."""
    asked_bucket(world, caller, request, "s3:PutBucketTagging").tags = ()


def delete_bucket_encryption(world: World, caller: Caller, request: BucketRequest) -> None:
    """Go back to SSE-S3: every bucket has a default (UG: default-bucket-encryption)."""
    bucket = asked_bucket(world, caller, request, "s3:PutEncryptionConfiguration")
    bucket.encryption = SSE_S3


def get_bucket_acl(world: World, caller: Caller, request: BucketRequest) -> GetObjectAclResult:
    """A bucket's owner, who alone is in its ACL: no other bucket ACL is modelled."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketAcl")
    grants = (full_control(bucket.owner_id),)
    return GetObjectAclResult(owner_id=bucket.owner_id, grants=grants, version_id=None)


def delete_ownership_controls(world: World, caller: Caller, request: BucketRequest) -> None:
    """Drop Object Ownership: the bucket is then as those made before there was such a thing."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketOwnershipControls")
    bucket.object_ownership = "ObjectWriter"
    bucket.has_ownership_controls = False


def delete_bucket(world: World, caller: Caller, request: BucketRequest) -> None:
    """Delete a bucket in which nothing is left, noncurrent versions and markers included."""
    bucket = asked_bucket(world, caller, request, "s3:DeleteBucket")
    if bucket.keys:
        raise S3Error(refusals.BUCKET_NOT_EMPTY, fields=(("BucketName", bucket.name),))
    del world.buckets[bucket.name]
