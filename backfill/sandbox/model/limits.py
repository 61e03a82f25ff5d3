"""The limits that S3 states; tests shrink some of them to reach them cheaply.

Law: a limit is a number of S3's own documentation, named where it is set.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """S3's limits; the defaults are AWS's."""

    copy_size_bytes: int = 5 * GIB
    """CopyObject's and UploadPartCopy's largest source or range (S3 API: CopyObject)."""
    put_size_bytes: int = 5 * GIB
    """A single PutObject or part (UG: qfacts)."""
    minimum_part_size_bytes: int = 5 * MIB
    """Every part but the last (UG: qfacts)."""
    parts_count: int = 10_000
    key_size_bytes: int = 1024
    metadata_size_bytes: int = 2048
    """Names and values of user metadata together, in UTF-8 (UG: UsingMetadata)."""
    tags_count: int = 10
    page_size: int = 1000
    """Entries of a page, DeleteObjects included."""
    replication_rules_count: int = 1000
    policy_size_bytes: int = 20 * 1024


AWS_LIMITS = Limits()
