"""Behind S3's back, for whole chains: entries in another order, put in between, changed in kind.

For damage tests of histories, beside `raw_edits`, which has what is done to one entry and how one
is taken out. Positions count from the oldest entry, as chains are held; a negative one counts from
the newest. Nothing here asks for permission or wakes live replication.
Law: what is left is a chain that S3 itself could show: times never fall from older to newer, and
ETags and checksums are those of the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.raw_edits import bucket_of, honest_version, version_of
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion

E = TypeVar("E", ObjectVersion, DeleteMarker)


def chain_of(model: S3Model, bucket: str, key: str) -> tuple[Entry, ...]:
    """The key's versions and markers, oldest first; empty without any."""
    return tuple(bucket_of(model, bucket).chain(key))


def reorder(model: S3Model, bucket: str, key: str, version_ids: Sequence[str]) -> None:
    """Put the entries in this order, oldest first; times and ranks stay with the places."""
    places = chain_of(model, bucket, key)
    known = {entry.version_id: entry for entry in places}
    assert sorted(version_ids) == sorted(known), "every entry has one place in the new order"
    bucket_of(model, bucket).chains[key] = [
        replace(known[version_id], created_at=place.created_at, sequence=place.sequence)
        for version_id, place in zip(version_ids, places, strict=True)
    ]


def exchange_places(model: S3Model, bucket: str, key: str, one: str, other: str) -> None:
    """Let two entries, named by version ID, stand in each other's place."""
    turned = {one: other, other: one}
    ids = [entry.version_id for entry in chain_of(model, bucket, key)]
    assert turned.keys() <= set(ids), "both are there"
    reorder(model, bucket, key, [turned.get(version_id, version_id) for version_id in ids])


def exchange_contents(model: S3Model, bucket: str, key: str, one: str, other: str) -> None:
    """Let two versions have each other's bytes; version IDs, places and attributes stay."""
    first, second = (version_of(model, bucket, key, each) for each in (one, other))
    for keeps, gives in ((first, second), (second, first)):
        bucket_of(model, bucket).swap(
            replace(
                keeps, body=gives.body, etag=gives.etag, checksum=gives.checksum, parts=gives.parts
            )
        )


def insert_version(
    model: S3Model, bucket: str, key: str, data: bytes, *, position: int
) -> ObjectVersion:
    """Add a version that nobody wrote; it stands at this position of the longer chain."""
    version = honest_version(model, bucket, key, Body(data))
    return _inserted(model, bucket, version, position)


def insert_marker(model: S3Model, bucket: str, key: str, *, position: int) -> DeleteMarker:
    """Add a delete marker that nobody made; it stands at this position of the longer chain."""
    world = model.world
    marker = DeleteMarker(
        key=key,
        version_id=world.new_id(),
        created_at=world.clock(),
        sequence=world.next_sequence(),
        owner_id=bucket_of(model, bucket).owner_id,
    )
    return _inserted(model, bucket, marker, position)


def turn_into_marker(model: S3Model, bucket: str, key: str, version_id: str) -> DeleteMarker:
    """Let a delete marker stand where a version stood, with its version ID and time."""
    old = version_of(model, bucket, key, version_id)
    marker = DeleteMarker(
        key=key,
        version_id=version_id,
        created_at=old.created_at,
        sequence=old.sequence,
        owner_id=old.owner_id,
        replication_status=old.replication_status,
    )
    bucket_of(model, bucket).swap(marker)
    return marker


def turn_into_version(
    model: S3Model, bucket: str, key: str, version_id: str, data: bytes
) -> ObjectVersion:
    """Let a version of these bytes stand where a delete marker stood."""
    marker = bucket_of(model, bucket).find(key, version_id)
    assert isinstance(marker, DeleteMarker), "there is a marker to turn"
    version = replace(
        honest_version(model, bucket, key, Body(data)),
        version_id=version_id,
        created_at=marker.created_at,
        sequence=marker.sequence,
        replication_status=marker.replication_status,
    )
    bucket_of(model, bucket).swap(version)
    return version


def rename_version(model: S3Model, bucket: str, key: str, version_id: str) -> Entry:
    """Give an entry another version ID, as if another write had made it; its place stays."""
    there = bucket_of(model, bucket)
    chain = there.chains[key]
    index = next(i for i, entry in enumerate(chain) if entry.version_id == version_id)
    chain[index] = replace(chain[index], version_id=model.world.new_id())
    return chain[index]


def _inserted(model: S3Model, bucket: str, entry: E, position: int) -> E:
    """Place an entry that is as old as its elder neighbour, or its younger one without an elder."""
    chain = chain_of(model, bucket, entry.key)
    index = position if position >= 0 else len(chain) + 1 + position
    assert 0 <= index <= len(chain), "the position is in the longer chain"
    if chain:
        neighbour = chain[index - 1] if index else chain[0]
        entry = replace(entry, created_at=neighbour.created_at, sequence=neighbour.sequence)
    bucket_of(model, bucket).place(entry, index)
    return entry
