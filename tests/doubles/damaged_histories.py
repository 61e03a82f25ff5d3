"""Damage to one history, done behind S3's back in each way that a chain can be wrong.

Law: what is left is a chain that S3 could show, and the words tell which finding would name it.
"""

from collections.abc import Callable, Sequence
from random import Random

from backfill.sandbox.model import raw_edits, raw_histories
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion

LOST = frozenset({"missing", "different: delete-marker"})

Spot = tuple[S3Model, str, str]
"""A model, a bucket and a key in it."""
Damage = Callable[[Spot, Random], frozenset[str]]
"""Damages a chain and returns what may be said of it; nothing where it has no such thing."""

NOTHING = frozenset[str]()


def chain_at(spot: Spot) -> Sequence[Entry]:
    return raw_histories.chain_of(*spot)


def one_of(spot: Spot, chance: Random, kind: type[ObjectVersion | DeleteMarker]) -> str | None:
    found = [entry.version_id for entry in chain_at(spot) if isinstance(entry, kind)]
    return chance.choice(found) if found else None


def exchange_places(spot: Spot, chance: Random) -> frozenset[str]:
    chain = chain_at(spot)
    if len(chain) < 2:
        return NOTHING
    one, other = chance.sample([entry.version_id for entry in chain], 2)
    raw_histories.exchange_places(*spot, one, other)
    return frozenset({"version-order"})


def drop(spot: Spot, chance: Random) -> frozenset[str]:
    raw_edits.remove_version(*spot, chance.choice(chain_at(spot)).version_id)
    return LOST


def drop_newest(spot: Spot, _: Random) -> frozenset[str]:
    raw_edits.remove_version(*spot)
    return LOST


def drop_marker(spot: Spot, chance: Random) -> frozenset[str]:
    if (marker := one_of(spot, chance, DeleteMarker)) is None:
        return NOTHING
    raw_edits.remove_version(*spot, marker)
    return LOST


def insert_marker(spot: Spot, chance: Random) -> frozenset[str]:
    raw_histories.insert_marker(*spot, position=chance.randint(0, len(chain_at(spot))))
    return frozenset({"extra"})


def insert_stranger(spot: Spot, chance: Random) -> frozenset[str]:
    position = chance.randint(0, len(chain_at(spot)))
    raw_histories.insert_version(*spot, chance.randbytes(5), position=position)
    return frozenset({"extra"})


def insert_twin(spot: Spot, chance: Random) -> frozenset[str]:
    chain = chain_at(spot)
    place = chance.randrange(len(chain))
    twin = chain[place]
    if not isinstance(twin, ObjectVersion):
        return NOTHING
    raw_histories.insert_version(*spot, twin.body.data, position=place)
    return frozenset({"extra"})


def stranger_on_top(spot: Spot, _: Random) -> frozenset[str]:
    raw_edits.add_version(*spot, b"nobody asked for this")
    return frozenset({"extra"})


def rename(spot: Spot, chance: Random) -> frozenset[str]:
    raw_histories.rename_version(*spot, chance.choice(chain_at(spot)).version_id)
    return frozenset({"extra"})


def other_bytes(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, ObjectVersion)) is None:
        return NOTHING
    data = raw_edits.version_of(*spot, version_id).body.data
    flipped = bytes([data[0] ^ 1]) + data[1:] if data else b"!"
    raw_edits.replace_bytes(*spot, flipped, version_id=version_id)
    return frozenset({"content", "size"})


def cut(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, ObjectVersion)) is None:
        return NOTHING
    data = raw_edits.version_of(*spot, version_id).body.data
    raw_edits.replace_bytes(*spot, data[:-1] or b"!!", version_id=version_id)
    return frozenset({"size", "content"})


def other_metadata(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, ObjectVersion)) is None:
        return NOTHING
    raw_edits.change_attributes(*spot, version_id=version_id, metadata=(("by", "somebody"),))
    return frozenset({"metadata"})


def other_tags(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, ObjectVersion)) is None:
        return NOTHING
    raw_edits.change_attributes(*spot, version_id=version_id, tags=(("by", "somebody"),))
    return frozenset({"tags"})


def other_class(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, ObjectVersion)) is None:
        return NOTHING
    raw_edits.change_attributes(*spot, version_id=version_id, storage_class="STANDARD_IA")
    return frozenset({"storage-class"})


def into_marker(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, ObjectVersion)) is None:
        return NOTHING
    raw_histories.turn_into_marker(*spot, version_id)
    return frozenset({"delete-marker"})


def into_version(spot: Spot, chance: Random) -> frozenset[str]:
    if (version_id := one_of(spot, chance, DeleteMarker)) is None:
        return NOTHING
    raw_histories.turn_into_version(*spot, version_id, b"was deleted")
    return frozenset({"delete-marker"})


DAMAGES: Sequence[Damage] = (
    exchange_places, drop, drop_newest, drop_marker, insert_marker, insert_stranger, insert_twin,
    stranger_on_top, rename, other_bytes, cut, other_metadata, other_tags, other_class,
    into_marker, into_version,
)  # fmt: skip
