"""Block Public Access of a bucket, and whether its policy is public.

A new bucket blocks everything (since April 2023). Access points and the account's own block are
not carried.
Law: BlockPublicPolicy refuses a public policy when it is put; what was there before stays.
"""

from __future__ import annotations

from backfill.sandbox.model.access import asked_bucket
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.documents import refusals
from backfill.sandbox.model.documents.public_policies import is_public
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.buckets import BucketRequest
from backfill.sandbox.model.operations.documents import (
    PolicyStatusResult,
    PublicAccessBlockResult,
    PutPublicAccessBlockRequest,
)
from backfill.sandbox.model.world import World


def put_public_access_block(
    world: World, caller: Caller, request: PutPublicAccessBlockRequest
) -> None:
    """Replace all four settings."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketPublicAccessBlock")
    bucket.public_access_block = request.block


def get_public_access_block(
    world: World, caller: Caller, request: BucketRequest
) -> PublicAccessBlockResult:
    """The four settings."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketPublicAccessBlock")
    if bucket.public_access_block is None:
        raise S3Error(refusals.NO_PUBLIC_ACCESS_BLOCK, fields=(("BucketName", bucket.name),))
    return PublicAccessBlockResult(block=bucket.public_access_block)


def delete_public_access_block(world: World, caller: Caller, request: BucketRequest) -> None:
    """Drop the settings: nothing is blocked then. IAM has no action of its own for it."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketPublicAccessBlock")
    bucket.public_access_block = None


def get_policy_status(world: World, caller: Caller, request: BucketRequest) -> PolicyStatusResult:
    """Whether the bucket's policy is public."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketPolicyStatus")
    if bucket.policy is None:
        raise S3Error(refusals.NO_BUCKET_POLICY, fields=(("BucketName", bucket.name),))
    return PolicyStatusResult(is_public=is_public(bucket.policy))


def check_public_policy(bucket: Bucket, document: str, caller: Caller) -> None:
    """Refuse to put a public policy where that is blocked."""
    block = bucket.public_access_block
    if block is not None and block.is_public_policy_blocked and is_public(document):
        message = (
            f"User: {caller.arn} is not authorized to perform: s3:PutBucketPolicy on resource:"
            f' "{bucket.arn}" because public policies are prevented by the BlockPublicPolicy'
            " setting in S3 Block Public Access."
        )
        raise S3Error(refusals.PUBLIC_POLICY, message=message)
