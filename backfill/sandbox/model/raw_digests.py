"""ETags and checksums of a version, derived from its bytes and parts as S3 would have stored them.

For `raw_edits` and its neighbours, which put bytes where no request did.
Law: what is derived here is what an upload of these bytes in these parts would have shown.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace

from backfill.sandbox.model.bodies import digest
from backfill.sandbox.model.values import Checksum, ChecksumAlgorithm, ChecksumType
from backfill.sandbox.model.versions import ObjectVersion, StoredPart

_OF_PARTS_ONLY = frozenset({ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256})
_OF_WHOLE_ONLY = frozenset({ChecksumAlgorithm.CRC64NVME})


def pieces_of(data: bytes, parts: Sequence[StoredPart]) -> Iterator[bytes]:
    """The bytes of each part."""
    start = 0
    for part in parts:
        yield data[start : start + part.size_bytes]
        start += part.size_bytes


def etag_of(data: bytes, parts: Sequence[StoredPart]) -> str:
    """The ETag, where it is a digest (S3 API: Object)."""
    if not parts:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    whole = hashlib.md5(usedforsecurity=False)
    for piece in pieces_of(data, parts):
        whole.update(hashlib.md5(piece, usedforsecurity=False).digest())
    return f"{whole.hexdigest()}-{len(parts)}"


def whole_checksum(algorithm: ChecksumAlgorithm, data: bytes) -> Checksum:
    """The FULL_OBJECT checksum."""
    value = b64encode(digest(algorithm, data)).decode("ascii")
    return Checksum(algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=value)


def composite_checksum(algorithm: ChecksumAlgorithm, pieces: Sequence[bytes]) -> Checksum:
    """The COMPOSITE checksum of these parts."""
    digests = b"".join(digest(algorithm, piece) for piece in pieces)
    return Checksum(
        algorithm=algorithm,
        type=ChecksumType.COMPOSITE,
        value=b64encode(digest(algorithm, digests)).decode("ascii"),
        parts_count=len(pieces),
    )


def summed(
    version: ObjectVersion, algorithm: ChecksumAlgorithm, type_: ChecksumType
) -> ObjectVersion:
    """The version with checksums of this algorithm and, where the algorithm has it, this type.

    A part has one where it had one, or where S3 makes the whole out of them. Of parts, SHA-1 and
    SHA-256 have COMPOSITE checksums alone, and CRC64NVME FULL_OBJECT ones; what came in one part
    has FULL_OBJECT ones (UG: checking-object-integrity).
    """
    data, pieces = version.body.data, list(pieces_of(version.body.data, version.parts))
    is_composite = algorithm in _OF_PARTS_ONLY or type_ is ChecksumType.COMPOSITE
    is_composite &= bool(pieces) and algorithm not in _OF_WHOLE_ONLY
    checksum = (
        composite_checksum(algorithm, pieces) if is_composite else whole_checksum(algorithm, data)
    )
    parts = tuple(
        replace(part, checksum=whole_checksum(algorithm, piece))
        if is_composite or part.checksum
        else part
        for part, piece in zip(version.parts, pieces, strict=True)
    )
    return replace(version, checksum=checksum, parts=parts)
