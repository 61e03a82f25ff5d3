"""Behind S3's back: damage and history that no S3 request can make, and reading without a request.

For tests, checkers and the demo. Nothing here asks for permission, makes a version ID of S3's own
accord or wakes live replication. Checksums and ETags of replaced bytes are derived as S3 would.
Law: what is left is always a state that S3 itself could show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.raw_digests import etag_of, summed, whole_checksum
from backfill.sandbox.model.values import (
    SSE_S3,
    ArchiveStatus,
    ChecksumAlgorithm,
    ContentHeaders,
    Encryption,
    ReplicationStatus,
    Restore,
)
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion, StoredPart


def bucket_of(model: S3Model, bucket: str) -> Bucket:
    """The bucket, which exists."""
    return model.world.buckets[bucket]


def snapshot(model: S3Model, bucket: str) -> Iterator[Entry]:
    """Everything in a bucket: keys ascending, newest first within a key."""
    return bucket_of(model, bucket).entries()


def version_of(
    model: S3Model, bucket: str, key: str, version_id: str | None = None
) -> ObjectVersion:
    """A version that exists; the current one without a version ID."""
    there = bucket_of(model, bucket)
    entry = there.current(key) if version_id is None else there.find(key, version_id)
    assert isinstance(entry, ObjectVersion), f"no such version: {key!r} {version_id}"
    return entry


def replace_bytes(
    model: S3Model, bucket: str, key: str, data: bytes, *, version_id: str | None = None
) -> ObjectVersion:
    """Put other bytes in a version, with the ETag and checksums that S3 would have stored.

    A version made of parts keeps its part sizes while the length stays; a shorter or longer one
    becomes an object of one part.
    """
    old = version_of(model, bucket, key, version_id)
    parts = old.parts
    if parts and len(data) != old.size_bytes:
        parts = (StoredPart(number=1, size_bytes=len(data), checksum=None),)
    etag = model.world.opaque_etag() if old.encryption.has_opaque_etag else etag_of(data, parts)
    new = replace(old, body=Body(data), etag=etag, parts=parts)
    if old.checksum is not None:
        new = summed(new, old.checksum.algorithm, old.checksum.type)
    return _swap(model, bucket, new)


def change_attributes(  # noqa: PLR0913 - each attribute may be damaged by itself
    model: S3Model,
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    metadata: Pairs | None = None,
    tags: Pairs | None = None,
    content: ContentHeaders | None = None,
    storage_class: str | None = None,
    encryption: Encryption | None = None,
    website_redirect_location: str | None = None,
) -> ObjectVersion:
    """Change what is given and leave the rest, bytes included, as it is."""
    old = version_of(model, bucket, key, version_id)
    return _swap(
        model,
        bucket,
        replace(
            old,
            metadata=old.metadata if metadata is None else metadata,
            tags=old.tags if tags is None else tags,
            content=old.content if content is None else content,
            storage_class=old.storage_class if storage_class is None else storage_class,
            encryption=old.encryption if encryption is None else encryption,
            website_redirect_location=old.website_redirect_location
            if website_redirect_location is None
            else website_redirect_location,
        ),
    )


def strip_checksum(
    model: S3Model, bucket: str, key: str, *, version_id: str | None = None
) -> ObjectVersion:
    """Make a version as old as from before S3 stored checksums of its own."""
    return _swap(model, bucket, replace(version_of(model, bucket, key, version_id), checksum=None))


def set_archived(
    model: S3Model,
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    storage_class: str = "GLACIER",
    archive_status: ArchiveStatus | None = None,
) -> ObjectVersion:
    """Move a version to an archive class or tier, as lifecycle does; no restore outlives that."""
    old = version_of(model, bucket, key, version_id)
    changed = replace(old, storage_class=storage_class, archive_status=archive_status, restore=None)
    return _swap(model, bucket, changed)


def set_restore(
    model: S3Model, bucket: str, key: str, restore: Restore | None, *, version_id: str | None = None
) -> ObjectVersion:
    """Give a version another restore, or none, as time does."""
    return _swap(
        model, bucket, replace(version_of(model, bucket, key, version_id), restore=restore)
    )


def set_times(model: S3Model, bucket: str, key: str, version_id: str, created_at: datetime) -> None:
    """Give a version or marker another creation time; its place in the chain stays."""
    entry = bucket_of(model, bucket).find(key, version_id)
    assert entry is not None, "the version exists"
    bucket_of(model, bucket).swap(replace(entry, created_at=created_at))


def set_replication_status(
    model: S3Model, bucket: str, key: str, version_id: str, status: ReplicationStatus | None
) -> None:
    """Change what HEAD says of a version's replication."""
    entry = bucket_of(model, bucket).find(key, version_id)
    assert entry is not None, "the version exists"
    bucket_of(model, bucket).swap(replace(entry, replication_status=status))


def honest_version(model: S3Model, bucket: str, key: str, body: Body) -> ObjectVersion:
    """A version as a plain PutObject of these bytes would make it now, not placed anywhere yet."""
    world = model.world
    return ObjectVersion(
        key=key,
        version_id=world.new_id(),
        created_at=world.clock(),
        sequence=world.next_sequence(),
        owner_id=bucket_of(model, bucket).owner_id,
        body=body,
        etag=body.md5.hex(),
        checksum=whole_checksum(ChecksumAlgorithm.CRC64NVME, body.data),
        content=ContentHeaders(),
        metadata=(),
        tags=(),
        storage_class="STANDARD",
        encryption=SSE_S3,
    )


def add_version(model: S3Model, bucket: str, key: str, data: bytes) -> ObjectVersion:
    """Add a current version that nobody wrote; `raw_histories` puts one in between."""
    version = honest_version(model, bucket, key, Body(data))
    bucket_of(model, bucket).place(version)
    return version


def add_delete_marker(
    model: S3Model, bucket: str, key: str, *, is_made_by_lifecycle: bool = False
) -> DeleteMarker:
    """Add a current delete marker that nobody wrote; one of lifecycle's is never replicated."""
    world = model.world
    marker = DeleteMarker(
        key=key,
        version_id=world.new_id(),
        created_at=world.clock(),
        sequence=world.next_sequence(),
        owner_id=bucket_of(model, bucket).owner_id,
        is_made_by_lifecycle=is_made_by_lifecycle,
    )
    bucket_of(model, bucket).place(marker)
    return marker


def remove_version(model: S3Model, bucket: str, key: str, version_id: str | None = None) -> None:
    """Take a version or marker out for good; the current one without a version ID."""
    there = bucket_of(model, bucket)
    entry = there.current(key) if version_id is None else there.find(key, version_id)
    assert entry is not None, "the version exists"
    there.remove(entry)


def plant_document(
    model: S3Model,
    bucket: str,
    kind: Literal["replication", "notification", "lifecycle"],
    document: str,
) -> None:
    """Let a configuration be told in other words, as if S3 had learnt elements since.

    What it does stays as it is: replication and notifications were put before.
    """
    there = bucket_of(model, bucket)
    if kind == "replication":
        assert there.replication is not None, "put one first"
        there.replication = replace(there.replication, document=document)
    elif kind == "notification":
        assert there.notifications is not None, "put one first"
        there.notifications = replace(there.notifications, document=document)
    else:
        there.lifecycle = document


def _swap(model: S3Model, bucket: str, version: ObjectVersion) -> ObjectVersion:
    bucket_of(model, bucket).swap(version)
    return version
