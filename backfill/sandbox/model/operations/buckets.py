"""Requests and results of the operations on buckets and on their configurations.

Configurations travel as parsed values, except for the documents that S3 hands back as they were
put (replication configuration, bucket policy): those are kept as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.values import Encryption, RequestedEncryption, Versioning


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRequest:
    """All that HeadBucket, GetBucketLocation and every Get or Delete of a configuration need."""

    bucket: str
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBucketRequest:
    """CreateBucket; the bucket is made in `location`, which must be the endpoint's Region."""

    bucket: str
    location: str | None = None
    """LocationConstraint; None means us-east-1, legal only at that endpoint."""
    is_object_lock_enabled: bool = False
    object_ownership: str = "BucketOwnerEnforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadBucketResult:
    """What HeadBucket answers."""

    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSummary:
    """A row of ListBuckets."""

    name: str
    created_at: datetime
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBucketsResult:
    """What ListBuckets answers."""

    owner_id: str
    buckets: tuple[BucketSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketVersioningRequest:
    """What PutBucketVersioning is asked."""

    bucket: str
    status: str
    """`Enabled` or `Suspended`."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketVersioningResult:
    """What GetBucketVersioning answers."""

    status: Versioning | None
    """None for a bucket that was never versioned: the answer has no Status then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketReplicationRequest:
    """What PutBucketReplication is asked."""

    bucket: str
    document: str
    """The ReplicationConfiguration XML as sent; the model parses it with a parser of its own."""
    token: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketPolicyRequest:
    """What PutBucketPolicy is asked."""

    bucket: str
    document: str
    """The policy's JSON text."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentResult:
    """A configuration handed back word for word."""

    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketEncryptionRequest:
    """What PutBucketEncryption is asked."""

    bucket: str
    encryption: RequestedEncryption
    blocks_sse_c: bool = True
    """BlockedEncryptionTypes holds SSE-C, as for every new bucket since April 2026."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketEncryptionResult:
    """What GetBucketEncryption answers."""

    encryption: Encryption
    blocks_sse_c: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucketOwnershipControlsRequest:
    """What PutBucketOwnershipControls is asked."""

    bucket: str
    object_ownership: str
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketOwnershipControlsResult:
    """What GetBucketOwnershipControls answers."""

    object_ownership: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRetention:
    """An Object Lock rule of a bucket; exactly one of days and years."""

    mode: str
    days: int | None = None
    years: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectLockConfigurationRequest:
    """What PutObjectLockConfiguration is asked."""

    bucket: str
    default_retention: DefaultRetention | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectLockConfigurationResult:
    """What GetObjectLockConfiguration answers."""

    default_retention: DefaultRetention | None
