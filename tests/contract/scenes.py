"""What several cases start from: bytes, sums of them, sources and small histories."""

import hashlib
from base64 import b64encode
from binascii import crc32

from tests.contract.vocabulary import UNGUARDED, Driver, Guard, Part, Source, Sum, Written

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes, the last one aside."""
FIRST_PART = bytes(range(256)) * (PART_BYTES // 256)
LAST_PART = b"the last part has any size"
UNKNOWN_ETAG = "0123456789abcdef0123456789abcdef"
WRONG_OWNER = "999999999999"
KMS_KEY = "arn:aws:kms:us-east-1:111111111111:key/11111111-2222-3333-4444-555555555555"


def md5(body: bytes) -> str:
    """The ETag of a single PUT."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def multipart_etag(*bodies: bytes) -> str:
    """The ETag of a multipart upload."""
    digests = [hashlib.md5(body, usedforsecurity=False).digest() for body in bodies]
    return f"{md5(b''.join(digests))}-{len(bodies)}"


def digest(algorithm: str, body: bytes) -> bytes:
    """The bytes of a checksum that Python can take."""
    if algorithm == "CRC32":
        return crc32(body).to_bytes(4, "big")
    return hashlib.new(algorithm, body, usedforsecurity=False).digest()


def full(algorithm: str, body: bytes, *, told: str | None = "FULL_OBJECT") -> Sum:
    """The checksum of all bytes, with what is told of its type."""
    value = b64encode(digest(algorithm, body)).decode()
    return Sum(algorithm=algorithm, value=value, type=told)


def composite(algorithm: str, *bodies: bytes, is_suffixed: bool = True) -> Sum:
    """The checksum of the parts' checksums."""
    whole = digest(algorithm, b"".join(digest(algorithm, body) for body in bodies))
    suffix = f"-{len(bodies)}" if is_suffixed else ""
    value = b64encode(whole).decode() + suffix
    return Sum(algorithm=algorithm, value=value, type="COMPOSITE")


def source_of(
    bucket: str,
    written: Written,
    key: str = "key",
    *,
    guard: Guard = UNGUARDED,
    owner: str | None = None,
) -> Source:
    """Pin a copy to what was written."""
    version_id = written.version_id
    return Source(bucket=bucket, key=key, version_id=version_id, guard=guard, owner=owner)


def put_twice(s3: Driver, bucket: str, key: str = "key") -> tuple[Written, Written]:
    """Two versions of a key, the older one first."""
    return s3.put(bucket, key, b"first"), s3.put(bucket, key, b"second")


def uploaded_in_parts(
    s3: Driver,
    bucket: str,
    key: str = "key",
    *,
    algorithm: str | None = None,
    checksum_type: str | None = None,
    bodies: tuple[bytes, ...] = (FIRST_PART, LAST_PART),
) -> Written:
    """An object made of parts."""
    upload_id = s3.begin(bucket, key, checksum_algorithm=algorithm, checksum_type=checksum_type)
    parts = [
        s3.upload(
            bucket,
            key,
            upload_id,
            number,
            body,
            checksum=full(algorithm, body, told=None) if algorithm else None,
        )
        for number, body in enumerate(bodies, start=1)
    ]
    return s3.complete(bucket, key, upload_id, parts, checksum_type=checksum_type)


def one_part(s3: Driver, bucket: str, key: str, body: bytes = b"body") -> tuple[str, list[Part]]:
    """An upload that is ready to be completed."""
    upload_id = s3.begin(bucket, key)
    return upload_id, [s3.upload(bucket, key, upload_id, 1, body)]
