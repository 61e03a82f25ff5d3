"""Multipart uploads under way: what was said at their creation, and their parts so far.

Law: everything but bytes, conditions and checks of the whole is settled by CreateMultipartUpload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    Encryption,
    WrittenAttributes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPart:
    """A part; another one of its number replaces it."""

    number: int
    body: Body
    etag: str
    uploaded_at: datetime
    checksum: Checksum | None
    """Of this part alone, by the upload's algorithm."""


# Open to change: parts come and go.
@dataclass(slots=True, kw_only=True)
class Upload:
    """A multipart upload that was neither completed nor aborted."""

    key: str
    upload_id: str
    initiated_at: datetime
    sequence: int
    """Rank of the creation among all writes."""
    owner_id: str
    initiator_arn: str
    attributes: WrittenAttributes
    encryption: Encryption
    checksum_algorithm: ChecksumAlgorithm | None
    """None: S3 stores a CRC64NVME of the whole, and takes no checksums of parts at completion."""
    checksum_type: ChecksumType | None
    parts: dict[int, UploadedPart] = field(default_factory=dict)
