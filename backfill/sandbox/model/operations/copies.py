"""Requests and results of CopyObject and UploadPartCopy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.values import (
    PLAIN_ATTRIBUTES,
    UNCONDITIONAL_READ,
    UNCONDITIONAL_WRITE,
    Checksum,
    CustomerKey,
    Encryption,
    ReadConditions,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """`x-amz-copy-source`, decoded, with the conditions and the owner that go with it."""

    bucket: str
    key: str
    version_id: str | None = None
    conditions: ReadConditions = UNCONDITIONAL_READ
    customer_key: CustomerKey | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyObjectRequest:
    """CopyObject.

    `attributes.content` and `.metadata` count only with metadata directive REPLACE, `.tags` only
    with tagging directive REPLACE; storage class, encryption, lock, ACL and website redirect are
    never copied, so what the request says about them always counts.
    """

    bucket: str
    key: str
    source: CopySource
    metadata_directive: str | None = None
    """COPY (the default) or REPLACE."""
    tagging_directive: str | None = None
    attributes: WrittenAttributes = PLAIN_ATTRIBUTES
    checksum_algorithm: str | None = None
    conditions: WriteConditions = UNCONDITIONAL_WRITE
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyObjectResult:
    """What CopyObject answers."""

    etag: str
    last_modified: datetime
    version_id: str | None
    source_version_id: str | None
    """`x-amz-copy-source-version-id`: absent for a source bucket that was never versioned."""
    checksum: Checksum | None
    encryption: Encryption


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPartCopyRequest:
    """What UploadPartCopy is asked."""

    bucket: str
    key: str
    upload_id: str
    part_number: int
    source: CopySource
    range: str | None = None
    """`x-amz-copy-source-range` as sent: `bytes=a-b`, both ends inclusive."""
    customer_key: CustomerKey | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPartRequest:
    """What UploadPart is asked."""

    bucket: str
    key: str
    upload_id: str
    part_number: int
    body: bytes
    content_md5: str | None = None
    checksum: SentChecksum | None = None
    customer_key: CustomerKey | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """Of UploadPart and UploadPartCopy."""

    etag: str
    last_modified: datetime
    checksum: Checksum | None
    """With the upload's algorithm; None where CreateMultipartUpload named none."""
    encryption: Encryption
    source_version_id: str | None = None
