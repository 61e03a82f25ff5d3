"""Requests and results of the listings of objects and versions.

Keys travel as they are: `encoding-type=url` is the HTTP layer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.values import ChecksumAlgorithm, ChecksumType, Restore


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectVersionsRequest:
    """What ListObjectVersions is asked."""

    bucket: str
    prefix: str = ""
    delimiter: str | None = None
    key_marker: str | None = None
    version_id_marker: str | None = None
    max_keys: int = 1000
    """More than 1,000 is taken for 1,000."""
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVersion:
    """A row of ListObjectVersions: a version, or a delete marker (then the rest is None)."""

    key: str
    version_id: str
    """`null` for the null version."""
    is_latest: bool
    is_delete_marker: bool
    last_modified: datetime
    owner_id: str
    etag: str | None = None
    size_bytes: int | None = None
    storage_class: str | None = None
    checksum_algorithm: ChecksumAlgorithm | None = None
    checksum_type: ChecksumType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectVersionsResult:
    """What ListObjectVersions answers."""

    entries: tuple[ListedVersion, ...]
    """Versions and delete markers interleaved: keys ascending, newest first within a key."""
    common_prefixes: tuple[str, ...]
    max_keys: int
    is_truncated: bool
    next_key_marker: str | None
    next_version_id_marker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectsV2Request:
    """What ListObjectsV2 is asked."""

    bucket: str
    prefix: str = ""
    delimiter: str | None = None
    start_after: str | None = None
    continuation_token: str | None = None
    max_keys: int = 1000
    is_restore_status_asked: bool = False
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectsRequest:
    """ListObjects, version 1."""

    bucket: str
    prefix: str = ""
    delimiter: str | None = None
    marker: str | None = None
    max_keys: int = 1000
    is_restore_status_asked: bool = False
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """A row of ListObjects."""

    key: str
    etag: str
    size_bytes: int
    last_modified: datetime
    storage_class: str
    owner_id: str
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None
    restore: Restore | None = None
    """Only where it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectsResult:
    """Of both versions of ListObjects; KeyCount is `len(objects) + len(common_prefixes)`."""

    objects: tuple[ListedObject, ...]
    common_prefixes: tuple[str, ...]
    max_keys: int
    is_truncated: bool
    next_marker: str | None
    """V1: given when truncated (S3 itself says it only with a delimiter)."""
    next_continuation_token: str | None
    """V2: opaque."""
