"""Requests and results of the operations in `documents/`."""

from __future__ import annotations

from dataclasses import dataclass

from backfill.sandbox.model.errors import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class PutNotificationRequest:
    """What PutBucketNotificationConfiguration is asked."""

    bucket: str
    document: str
    """The NotificationConfiguration XML as sent."""
    is_unvalidated: bool = False
    """`x-amz-skip-destination-validation`."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutLifecycleRequest:
    """What PutBucketLifecycleConfiguration is asked."""

    bucket: str
    document: str
    """The LifecycleConfiguration XML as sent."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAccessBlock:
    """The four settings of S3 Block Public Access; what a request leaves out is off."""

    are_public_acls_blocked: bool = False
    are_public_acls_ignored: bool = False
    is_public_policy_blocked: bool = False
    are_public_buckets_restricted: bool = False


EVERYTHING_BLOCKED = PublicAccessBlock(
    are_public_acls_blocked=True,
    are_public_acls_ignored=True,
    is_public_policy_blocked=True,
    are_public_buckets_restricted=True,
)
"""What a new bucket has (UG: access-control-block-public-access)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPublicAccessBlockRequest:
    """What PutPublicAccessBlock is asked."""

    bucket: str
    block: PublicAccessBlock
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAccessBlockResult:
    """What GetPublicAccessBlock answers."""

    block: PublicAccessBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatusResult:
    """What GetBucketPolicyStatus answers."""

    is_public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRequestPaymentRequest:
    """What PutBucketRequestPayment is asked."""

    bucket: str
    payer: str
    """`BucketOwner` or `Requester`."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPaymentResult:
    """What GetBucketRequestPayment answers."""

    payer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketTaggingRequest:
    """What PutBucketTagging is asked."""

    bucket: str
    tags: Pairs
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTaggingResult:
    """What GetBucketTagging answers."""

    tags: Pairs
