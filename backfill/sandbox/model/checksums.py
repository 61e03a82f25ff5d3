"""Checksums: which algorithms there are, what a request may send, what S3 computes.

Never changes anything. Types of multipart uploads are judged in `multipart.py`.
Law: a checksum that is stored was computed here from the bytes, whatever the client sent.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode

from backfill.sandbox.model import refusals
from backfill.sandbox.model.bodies import Body, digest
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    SentChecksum,
)

DEFAULT_ALGORITHM = ChecksumAlgorithm.CRC64NVME
"""What S3 adds by itself since December 2024 (UG: checking-object-integrity-upload)."""

_SIZES_BYTES = {
    ChecksumAlgorithm.CRC32: 4,
    ChecksumAlgorithm.CRC32C: 4,
    ChecksumAlgorithm.CRC64NVME: 8,
    ChecksumAlgorithm.SHA1: 20,
    ChecksumAlgorithm.SHA256: 32,
}
_PARTS_SUFFIX = re.compile(r"-(\d+)\Z", re.ASCII)


def algorithm_named(name: str) -> ChecksumAlgorithm:
    """The algorithm of that name, in any case."""
    try:
        return ChecksumAlgorithm(name.upper())
    except ValueError:
        raise S3Error(refusals.UNKNOWN_CHECKSUM_ALGORITHM) from None


def check_value(value: str, algorithm: ChecksumAlgorithm) -> None:
    """Refuse what is not the base64 of that algorithm's length."""
    try:
        size_bytes = len(b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        size_bytes = 0
    if size_bytes != _SIZES_BYTES[algorithm]:
        message = f"Value for x-amz-checksum-{algorithm.lower()} header is invalid."
        raise S3Error(refusals.INVALID_CHECKSUM_VALUE, message=message)


def full_object(body: Body, algorithm: ChecksumAlgorithm) -> Checksum:
    """The checksum of all bytes."""
    return Checksum(
        algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=body.checksum(algorithm)
    )


def checked(body: Body, sent: SentChecksum | None) -> Checksum:
    """The checksum stored for a body: by the algorithm sent, whose value must fit."""
    if sent is None:
        return full_object(body, DEFAULT_ALGORITHM)
    algorithm = algorithm_named(sent.algorithm)
    computed = full_object(body, algorithm)
    if sent.value is not None:
        check_value(sent.value, algorithm)
        if sent.value != computed.value:
            message = f"The {algorithm} you specified did not match the calculated checksum."
            raise S3Error(refusals.BAD_CHECKSUM, message=message)
    return computed


def composite(algorithm: ChecksumAlgorithm, values: list[str]) -> Checksum:
    """The checksum of the parts' checksums (UG: checking-object-integrity-upload)."""
    raw = b"".join(b64decode(value) for value in values)
    return Checksum(
        algorithm=algorithm,
        type=ChecksumType.COMPOSITE,
        value=b64encode(digest(algorithm, raw)).decode("ascii"),
        parts_count=len(values),
    )


def is_said_by(sent: str, computed: Checksum) -> bool:
    """Whether a sent value is this checksum; a composite's `-N` may be left out but not wrong."""
    if computed.type is ChecksumType.COMPOSITE and (suffix := _PARTS_SUFFIX.search(sent)):
        return sent[: suffix.start()] == computed.value and (
            int(suffix.group(1)) == computed.parts_count
        )
    return sent == computed.value


def check_content_md5(body: Body, content_md5: str | None) -> None:
    """Refuse a body that is not what its Content-MD5 says."""
    if content_md5 is None:
        return
    try:
        sent = b64decode(content_md5, validate=True)
    except (binascii.Error, ValueError):
        sent = b""
    if len(sent) != 16:
        raise S3Error(refusals.INVALID_CONTENT_MD5, fields=(("Content-MD5", content_md5),))
    if sent != body.md5:
        fields = (
            ("ExpectedDigest", content_md5),
            ("CalculatedDigest", b64encode(body.md5).decode("ascii")),
        )
        raise S3Error(refusals.BAD_CONTENT_MD5, fields=fields)
