"""Bytes of objects, shared by all versions that have them, with their digests computed once.

Never changed after it is made.
Law: two versions copied from one another hold the very same `Body`.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode

from awscrt import checksums as crt  # type: ignore[import-untyped] # awscrt ships no types

from backfill.sandbox.model.values import ChecksumAlgorithm


def _crc32(data: bytes) -> bytes:
    value: int = crt.crc32(data)
    return value.to_bytes(4, "big")


def _crc32c(data: bytes) -> bytes:
    value: int = crt.crc32c(data)
    return value.to_bytes(4, "big")


def _crc64nvme(data: bytes) -> bytes:
    value: int = crt.crc64nvme(data)
    return value.to_bytes(8, "big")


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


_DIGESTS = {
    ChecksumAlgorithm.CRC32: _crc32,
    ChecksumAlgorithm.CRC32C: _crc32c,
    ChecksumAlgorithm.CRC64NVME: _crc64nvme,
    ChecksumAlgorithm.SHA1: _sha1,
    ChecksumAlgorithm.SHA256: _sha256,
}


def digest(algorithm: ChecksumAlgorithm, data: bytes) -> bytes:
    """The raw checksum of some bytes."""
    return _DIGESTS[algorithm](data)


class Body:
    """Immutable bytes with their MD5 and checksums remembered."""

    __slots__ = ("_checksums", "_md5", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._md5: bytes | None = None
        self._checksums: dict[ChecksumAlgorithm, str] = {}

    @property
    def md5(self) -> bytes:
        """The raw MD5."""
        if self._md5 is None:
            self._md5 = hashlib.md5(self.data, usedforsecurity=False).digest()
        return self._md5

    def checksum(self, algorithm: ChecksumAlgorithm) -> str:
        """The checksum of all bytes, base64."""
        known = self._checksums.get(algorithm)
        if known is None:
            known = b64encode(digest(algorithm, self.data)).decode("ascii")
            self._checksums[algorithm] = known
        return known
