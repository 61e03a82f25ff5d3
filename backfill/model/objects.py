"""Object versions, delete markers, ETags and checksums, as S3 lists and returns them.

Never holds what only a HEAD tells (see `attributes`).
Law: keys are compared as Python strings, whose code-point order equals S3's UTF-8 byte order.
"""

import enum
from datetime import datetime
from typing import NamedTuple, NewType

ETag = NewType("ETag", str)
"""An entity tag without its quotes. Opaque for SSE-KMS, DSSE-KMS and SSE-C objects."""

VersionId = NewType("VersionId", str)
"""A version ID, `null` for the null version."""

NULL_VERSION_ID = VersionId("null")


class ChecksumType(enum.StrEnum):
    """How a stored checksum covers a multipart object (S3 API: ChecksumType)."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


class Checksum(NamedTuple):
    """One stored checksum, normalised. Make it with keywords.

    `value` is base64 without the `-N` suffix that HeadObject shows for COMPOSITE and
    GetObjectAttributes does not (S3 User Guide: checking-object-integrity); N is `part_count`.
    """

    algorithm: str
    value: str
    type: ChecksumType
    part_count: int | None = None


class ObjectVersion(NamedTuple):
    """One object version as ListObjectVersions shows it.

    A named tuple, as a delete marker is: a listing makes one for each row, and a frozen dataclass
    takes five times as long to make.
    """

    key: str
    version_id: VersionId
    is_latest: bool
    last_modified: datetime
    etag: ETag
    size_bytes: int
    storage_class: str
    checksum_algorithms: tuple[str, ...] = ()
    checksum_type: ChecksumType | None = None


class DeleteMarker(NamedTuple):
    """One delete marker as ListObjectVersions shows it."""

    key: str
    version_id: VersionId
    is_latest: bool
    last_modified: datetime


ListedEntry = ObjectVersion | DeleteMarker
"""An element of a key's chain; chains run newest first, versions and markers interleaved truly."""


def multipart_part_count(etag: ETag) -> int | None:
    """Return N of an ETag `<md5>-N`, or None when it has no part suffix.

    Source: S3 API reference, "Object": a multipart ETag is the MD5 of part MD5s, a dash, and N.
    """
    head, dash, tail = etag.rpartition("-")
    if not dash or not head or not tail.isascii() or not tail.isdigit():
        return None
    return int(tail)
