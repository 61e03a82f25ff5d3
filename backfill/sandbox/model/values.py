"""The values that requests, results and stored versions are made of.

All frozen, so versions and copies share them freely. Requests carry text as the client sent it;
the model parses it once and refuses what S3 refuses.
Law: an ETag is held without quotes, a checksum without its `-N` suffix.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backfill.sandbox.model.errors import Pairs


class ChecksumAlgorithm(StrEnum):
    """The checksum algorithms that the model computes (S3 API: Checksum)."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"


class ChecksumType(StrEnum):
    """What a checksum was taken of: the object's bytes, or its parts' checksums."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


class ReplicationStatus(StrEnum):
    """As HeadObject says it (S3 User Guide: replication-status)."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REPLICA = "REPLICA"


class Versioning(StrEnum):
    """Versioning of a bucket; a bucket that never had any has None (UG: Versioning)."""

    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


class ServerSideEncryption(StrEnum):
    """`x-amz-server-side-encryption`; CUSTOMER stands for SSE-C, which has headers of its own."""

    SSE_S3 = "AES256"
    SSE_KMS = "aws:kms"
    DSSE_KMS = "aws:kms:dsse"
    CUSTOMER = "SSE-C"


class ArchiveStatus(StrEnum):
    """`x-amz-archive-status` of an INTELLIGENT_TIERING object (UG: archived-objects)."""

    ARCHIVE_ACCESS = "ARCHIVE_ACCESS"
    DEEP_ARCHIVE_ACCESS = "DEEP_ARCHIVE_ACCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """A stored checksum: base64, with the part count when it is composite."""

    algorithm: ChecksumAlgorithm
    type: ChecksumType
    value: str
    parts_count: int | None = None

    @property
    def text(self) -> str:
        """As Head, Get and Complete say it: composite values carry `-N` (attributes do not)."""
        if self.type is ChecksumType.COMPOSITE:
            return f"{self.value}-{self.parts_count}"
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class SentChecksum:
    """What a request says about checksums: an algorithm, and perhaps a value to check (base64)."""

    algorithm: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerKey:
    """The SSE-C headers of a request; the model needs no key, only its identity."""

    key_md5: str
    algorithm: str = "AES256"
    size_bytes: int = 32
    """Of the key: AES-256 takes no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedEncryption:
    """The encryption headers of a write. All None: the bucket's default decides."""

    algorithm: str | None = None
    kms_key_id: str | None = None
    is_bucket_key_enabled: bool | None = None
    customer_key: CustomerKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How a version (or a bucket by default) is encrypted."""

    algorithm: ServerSideEncryption = ServerSideEncryption.SSE_S3
    kms_key_arn: str | None = None
    is_bucket_key_enabled: bool = False
    customer_key_md5: str | None = None

    @property
    def is_kms(self) -> bool:
        """SSE-KMS or DSSE-KMS."""
        return self.kms_key_arn is not None

    @property
    def has_opaque_etag(self) -> bool:
        """Whether the ETag is no MD5 (S3 API: Object, ETag)."""
        return self.algorithm is not ServerSideEncryption.SSE_S3


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentHeaders:
    """System metadata that the client controls, returned as it was sent."""

    content_type: str = "binary/octet-stream"
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    expires: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLock:
    """Retention and legal hold of a version (UG: object-lock)."""

    mode: str | None = None
    """`GOVERNANCE` or `COMPLIANCE`."""
    retain_until: datetime | None = None
    has_legal_hold: bool | None = None
    """None: nobody ever spoke of one, which HEAD tells from one that was lifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One line of an ACL (UG: acl-overview)."""

    grantee: str
    """A canonical user ID, or the URI of one of S3's groups."""
    permission: str
    """`FULL_CONTROL`, `READ`, `WRITE`, `READ_ACP` or `WRITE_ACP`."""

    @property
    def is_of_group(self) -> bool:
        """Whether a group, not an account, has the right."""
        return "/" in self.grantee


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """State of a restore from an archive, as `x-amz-restore` says it."""

    is_ongoing: bool
    expires_at: datetime | None = None
    ready_at: datetime | None = None
    """When an ongoing one ends; None: it never does by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAttributes:
    """What a write says about an object beside its bytes."""

    content: ContentHeaders = ContentHeaders()
    metadata: Pairs = ()
    """User metadata, names without `x-amz-meta-`, lower case, in the order sent."""
    tags: Pairs = ()
    storage_class: str | None = None
    encryption: RequestedEncryption = RequestedEncryption()
    lock: ObjectLock | None = None
    acl: str | None = None
    """Canned ACL."""
    grants: tuple[Grant, ...] = ()
    """`x-amz-grant-*`; not beside a canned ACL."""
    website_redirect_location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConditions:
    """Conditions on what is read; ETags with or without quotes."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteConditions:
    """Conditions on the current version that a write would replace (UG: conditional-writes)."""

    if_match: str | None = None
    if_none_match: str | None = None


PLAIN_ATTRIBUTES = WrittenAttributes()
"""A write that says nothing but its bytes."""
UNCONDITIONAL_READ = ReadConditions()
UNCONDITIONAL_WRITE = WriteConditions()
SSE_S3 = Encryption()
"""What every bucket has by default since January 2023 (UG: default-bucket-encryption)."""
