"""Behind S3's back, for how bytes are stored: cut, summed and encrypted otherwise, or twice.

For damage tests, beside `raw_edits`, which has what is done to bytes and attributes. Nothing here
asks for permission or wakes live replication.
Law: what is left is what another upload of the same object would have left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.raw_digests import etag_of, summed
from backfill.sandbox.model.raw_edits import bucket_of, version_of
from backfill.sandbox.model.values import ChecksumAlgorithm, Encryption
from backfill.sandbox.model.versions import ObjectVersion, StoredPart


def encrypt_anew(model: S3Model, bucket: str, key: str, encryption: Encryption) -> None:
    """Let the current version be encrypted otherwise: its ETag is no digest then, or is again."""
    old = version_of(model, bucket, key)
    _place(model, bucket, replace(old, encryption=encryption))


def sum_anew(model: S3Model, bucket: str, key: str, algorithm: ChecksumAlgorithm) -> None:
    """Let the current version have been written with another checksum algorithm."""
    old = version_of(model, bucket, key)
    assert old.checksum is not None, "it has one to change"
    bucket_of(model, bucket).swap(summed(old, algorithm, old.checksum.type))


def cut_anew(model: S3Model, bucket: str, key: str, data: bytes, cuts: Sequence[int]) -> None:
    """Let the current version have been uploaded as these bytes, in parts that end at `cuts`.

    The last part ends at the end. The checksum algorithm stays, if there is one.
    """
    old = version_of(model, bucket, key)
    sizes = [end - start for start, end in pairwise((0, *cuts, len(data)))]
    parts = tuple(
        StoredPart(number=number, size_bytes=size_bytes, checksum=None)
        for number, size_bytes in enumerate(sizes, 1)
    )
    new = replace(old, body=Body(data), parts=parts)
    if old.checksum is not None:
        new = summed(new, old.checksum.algorithm, old.checksum.type)
    _place(model, bucket, new)


def write_again(model: S3Model, bucket: str, key: str) -> None:
    """Add a current version that is the one below it, written a second time."""
    old, world = version_of(model, bucket, key), model.world
    twin = replace(
        old,
        version_id=world.new_id(),
        created_at=world.clock(),
        sequence=world.next_sequence(),
        etag=world.opaque_etag() if old.encryption.has_opaque_etag else old.etag,
        replication_status=None,
    )
    bucket_of(model, bucket).place(twin)


def _place(model: S3Model, bucket: str, version: ObjectVersion) -> None:
    """Put a version in its place, with the ETag that its encryption lets it have."""
    is_opaque = version.encryption.has_opaque_etag
    etag = model.world.opaque_etag() if is_opaque else etag_of(version.body.data, version.parts)
    bucket_of(model, bucket).swap(replace(version, etag=etag))
