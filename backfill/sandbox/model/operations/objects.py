"""Requests and results of the operations on one object or object version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.values import (
    PLAIN_ATTRIBUTES,
    UNCONDITIONAL_READ,
    UNCONDITIONAL_WRITE,
    ArchiveStatus,
    Checksum,
    ContentHeaders,
    CustomerKey,
    Encryption,
    Grant,
    ObjectLock,
    ReadConditions,
    ReplicationStatus,
    Restore,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectRequest:
    """What PutObject is asked."""

    bucket: str
    key: str
    body: bytes
    attributes: WrittenAttributes = PLAIN_ATTRIBUTES
    content_md5: str | None = None
    """Base64, checked against the body."""
    checksum: SentChecksum | None = None
    """None: S3 computes a CRC64NVME of its own (UG: checking-object-integrity-upload)."""
    conditions: WriteConditions = UNCONDITIONAL_WRITE
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectResult:
    """What PutObject answers."""

    etag: str
    version_id: str | None
    """None in a bucket that never had versioning: the answer has no such header."""
    checksum: Checksum | None
    encryption: Encryption


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadObjectRequest:
    """GetObject and HeadObject."""

    bucket: str
    key: str
    version_id: str | None = None
    range: str | None = None
    """The Range header as sent, e.g. `bytes=0-9`; one that S3 cannot read is ignored."""
    part_number: int | None = None
    is_checksum_mode_enabled: bool = False
    conditions: ReadConditions = UNCONDITIONAL_READ
    customer_key: CustomerKey | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDescription:
    """All that a GetObject or HeadObject answer says in its headers."""

    status: int
    """200, or 206 for a range or a part."""
    etag: str
    size_bytes: int
    """Of what is returned: the whole object, the range or the part (Content-Length)."""
    content_range: str | None
    last_modified: datetime
    """Whole seconds, UTC."""
    version_id: str | None
    content: ContentHeaders
    metadata: Pairs
    checksum: Checksum | None
    """Only with checksum mode on, and never for a range that is not a whole part."""
    storage_class: str | None
    """None for STANDARD: S3 leaves the header out."""
    encryption: Encryption
    replication_status: ReplicationStatus | None
    tag_count: int
    """0: S3 leaves the header out; so it does for callers that may not read tags."""
    parts_count: int | None
    restore: Restore | None
    archive_status: ArchiveStatus | None
    lock: ObjectLock | None
    website_redirect_location: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectResult:
    """What GetObject answers."""

    description: ObjectDescription
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectAttributesRequest:
    """What GetObjectAttributes is asked."""

    bucket: str
    key: str
    attributes: tuple[str, ...]
    """Of ETag, Checksum, ObjectParts, StorageClass, ObjectSize."""
    version_id: str | None = None
    max_parts: int = 1000
    part_number_marker: int = 0
    customer_key: CustomerKey | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAttributes:
    """A part, as GetObjectAttributes tells it."""

    number: int
    size_bytes: int
    checksum: Checksum | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPage:
    """ObjectParts; `parts` is None where S3 tells only the count (no composite checksum)."""

    total_parts_count: int
    parts: tuple[PartAttributes, ...] | None = None
    max_parts: int = 1000
    part_number_marker: int = 0
    next_part_number_marker: int = 0
    is_truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectAttributesResult:
    """Attributes that were not asked for are None; the ETag goes out without quotes here."""

    version_id: str | None
    last_modified: datetime
    etag: str | None
    checksum: Checksum | None
    parts: PartsPage | None
    storage_class: str | None
    """STANDARD is said here, unlike in HeadObject."""
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRequest:
    """What GetObjectTagging, DeleteObjectTagging, GetObjectAcl, GetObjectRetention are asked."""

    bucket: str
    key: str
    version_id: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectTaggingRequest:
    """What PutObjectTagging is asked."""

    bucket: str
    key: str
    tags: Pairs
    version_id: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggingResult:
    """What Tagging answers."""

    tags: Pairs
    version_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectAclRequest:
    """What PutObjectAcl is asked."""

    bucket: str
    key: str
    acl: str | None = None
    """Canned ACL."""
    grants: tuple[Grant, ...] = ()
    """Of headers or of a document; not beside a canned ACL."""
    owner: str | None = None
    """Canonical user ID that a document names: the object's owner cannot be changed."""
    is_empty: bool = False
    """A document without a grant: then nobody has any, not even the owner."""
    version_id: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetObjectAclResult:
    """What GetObjectAcl answers."""

    owner_id: str
    """Account ID of the object's owner."""
    grants: tuple[Grant, ...]
    version_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObjectLockRequest:
    """PutObjectRetention and PutObjectLegalHold: None leaves the other half as it is."""

    bucket: str
    key: str
    version_id: str | None = None
    mode: str | None = None
    retain_until: datetime | None = None
    has_legal_hold: bool | None = None
    is_governance_bypassed: bool = False
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObjectRequest:
    """What DeleteObject is asked."""

    bucket: str
    key: str
    version_id: str | None = None
    if_match: str | None = None
    is_governance_bypassed: bool = False
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObjectResult:
    """What DeleteObject answers."""

    version_id: str | None
    """Of the delete marker made, or of the version removed."""
    is_delete_marker: bool
    """A delete marker was made or removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEntry:
    """A key or version for DeleteObjects to delete."""

    key: str
    version_id: str | None = None
    if_match: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObjectsRequest:
    """DeleteObjects: up to 1,000 entries, each with an outcome of its own."""

    bucket: str
    entries: tuple[DeleteEntry, ...]
    is_governance_bypassed: bool = False
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedEntry:
    """What DeleteObjects deleted."""

    key: str
    version_id: str | None
    """The version asked for."""
    is_delete_marker: bool
    delete_marker_version_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFailure:
    """What DeleteObjects could not delete."""

    key: str
    version_id: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObjectsResult:
    """What DeleteObjects answers."""

    deleted: tuple[DeletedEntry, ...]
    failures: tuple[DeleteFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreObjectRequest:
    """What RestoreObject is asked."""

    bucket: str
    key: str
    version_id: str | None = None
    days: int | None = None
    """None for INTELLIGENT_TIERING, needed for the archive classes."""
    tier: str | None = None
    """`Bulk`, `Standard` or `Expedited`; None: `Standard` (API: RestoreObject)."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreObjectResult:
    """What RestoreObject answers."""

    status: int
    """202 for a new restore, 200 where a restored copy is there already."""
