"""Requests and results of multipart uploads (UploadPart and UploadPartCopy are in `copies.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.values import (
    PLAIN_ATTRIBUTES,
    UNCONDITIONAL_WRITE,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CustomerKey,
    Encryption,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMultipartUploadRequest:
    """What CreateMultipartUpload is asked."""

    bucket: str
    key: str
    attributes: WrittenAttributes = PLAIN_ATTRIBUTES
    checksum_algorithm: str | None = None
    checksum_type: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMultipartUploadResult:
    """What CreateMultipartUpload answers."""

    upload_id: str
    encryption: Encryption
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedPart:
    """A part that CompleteMultipartUpload names."""

    number: int
    etag: str
    """With or without quotes."""
    checksum: SentChecksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteMultipartUploadRequest:
    """What CompleteMultipartUpload is asked."""

    bucket: str
    key: str
    upload_id: str
    parts: tuple[CompletedPart, ...]
    conditions: WriteConditions = UNCONDITIONAL_WRITE
    checksum: SentChecksum | None = None
    """A checksum of the whole object for S3 to check."""
    checksum_type: str | None = None
    object_size_bytes: int | None = None
    """`x-amz-mp-object-size`, checked when given."""
    customer_key: CustomerKey | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteMultipartUploadResult:
    """What CompleteMultipartUpload answers."""

    etag: str
    version_id: str | None
    checksum: Checksum | None
    encryption: Encryption
    location_region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortMultipartUploadRequest:
    """What AbortMultipartUpload is asked."""

    bucket: str
    key: str
    upload_id: str
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPartsRequest:
    """What ListParts is asked."""

    bucket: str
    key: str
    upload_id: str
    max_parts: int = 1000
    part_number_marker: int = 0
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPart:
    """A row of ListParts."""

    number: int
    etag: str
    size_bytes: int
    last_modified: datetime
    checksum: Checksum | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPartsResult:
    """What ListParts answers."""

    parts: tuple[ListedPart, ...]
    max_parts: int
    part_number_marker: int
    next_part_number_marker: int
    is_truncated: bool
    storage_class: str
    owner_id: str
    initiator_arn: str
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMultipartUploadsRequest:
    """What ListMultipartUploads is asked."""

    bucket: str
    prefix: str = ""
    delimiter: str | None = None
    max_uploads: int = 1000
    key_marker: str | None = None
    upload_id_marker: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUpload:
    """A row of ListMultipartUploads."""

    key: str
    upload_id: str
    initiated_at: datetime
    storage_class: str
    owner_id: str
    initiator_arn: str
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMultipartUploadsResult:
    """What ListMultipartUploads answers."""

    uploads: tuple[ListedUpload, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    next_key_marker: str | None
    next_upload_id_marker: str | None
