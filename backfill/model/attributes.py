"""The fidelity set of an object version: everything about it but its bytes.

Never compares (verify does) and never chooses what to keep (execute's fidelity table does).
Law: what a store returned and we do not know stays visible, never taken for absent.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from backfill.model.objects import Checksum, ETag, VersionId

Pairs = tuple[tuple[str, str], ...]
"""Sorted (name, value) pairs: metadata or object tags."""


class EncryptionKind(enum.StrEnum):
    """Server-side encryption as x-amz-server-side-encryption names it, SSE-C and none added."""

    NONE = ""
    SSE_S3 = "AES256"
    SSE_KMS = "aws:kms"
    DSSE_KMS = "aws:kms:dsse"
    SSE_C = "SSE-C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How a version is, or shall be, encrypted."""

    kind: EncryptionKind
    kms_key_arn: str | None = None
    customer_key_md5: str | None = None
    """Of SSE-C, base64: which key it is. The key itself is known to the adapter alone."""
    is_bucket_key_enabled: bool = False


class ContentHeaders(NamedTuple):
    """The system-defined metadata that a user sets (S3 User Guide: UsingMetadata).

    A named tuple, so that comparing two, once a verified version, is one call.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    expires: str | None = None


class ReplicationStatus(enum.StrEnum):
    """x-amz-replication-status; `COMPLETE` is read as COMPLETED (both occur in S3's model)."""

    NONE = ""
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REPLICA = "REPLICA"


class ObjectHead(NamedTuple):
    """What HeadObject (ChecksumMode=ENABLED) tells about one version. Sizes in bytes.

    `tag_count` is x-amz-tagging-count (0 when absent). `metadata` keys are lower case, sorted.
    `archive_status` is set for the archive tiers of INTELLIGENT_TIERING; `restore` is the raw
    x-amz-restore. `missing_metadata_count` is x-amz-missing-meta and the headers that are no UTF-8.
    `unmodelled_checksums` holds raw x-amz-checksum-* headers that the SDK's model does not know.
    A named tuple, because plan and verify make one for each version.
    """

    version_id: VersionId
    etag: ETag
    size_bytes: int
    last_modified: datetime
    storage_class: str
    metadata: Pairs
    content_headers: ContentHeaders
    tag_count: int
    checksums: tuple[Checksum, ...]
    encryption: Encryption
    replication_status: ReplicationStatus
    parts_count: int | None = None
    archive_status: str | None = None
    restore: str | None = None
    lock_mode: str | None = None
    lock_retain_until: datetime | None = None
    has_legal_hold: bool = False
    website_redirect: str | None = None
    missing_metadata_count: int = 0
    unmodelled_checksums: Pairs = ()
