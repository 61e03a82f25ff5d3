"""The table of damage is whole, and what verify does not tell is written down here by name."""

import pytest

from tests.damage.edits import EDITS
from tests.doubles.damage_table import (
    TRAITS,
    Damage,
    Kind,
    Way,
    can_have,
    cells,
    expected,
    markdown_table,
)

ALLOWED = frozenset({Damage.STRANGER_BELOW, Damage.RETENTION_ADDED})
"""What is below the current version is for whole histories; a bucket may lock more by default."""
ALIKE = frozenset({Damage.OTHER_PARTS, Damage.TWIN})
"""The bytes are the source's, and readers see no difference."""
OF_ITS_OWN_DAY = frozenset(
    {
        *(Damage.STORAGE_CLASS, Damage.KMS_KEY, Damage.ENCRYPTION, Damage.ALGORITHM),
        *(Damage.ACL_CHANGED, Damage.ACL_ADDED, Damage.RETENTION_LOST),
    }
)
"""What a replica has by the rule and the request of its day, which nobody knows any more."""
OF_BYTES = frozenset(
    {Damage.BIT_FLIPPED, Damage.OTHER_BYTES, Damage.SWAPPED, Damage.OTHER_PARTS_AND_BYTES}
)


def test_every_damage_can_be_done_and_is_in_the_reference() -> None:
    """If this fails, a row of the reference was never tried, or a damage is in no row."""
    assert set(EDITS) == set(Damage) == {damage for _, damage in cells()}
    assert set(TRAITS) == set(Kind)
    text = markdown_table().casefold()
    assert all(damage.value.casefold() in text for damage in Damage)
    assert all(f"## {kind.value}".casefold() in text for kind in Kind)


@pytest.mark.parametrize("kind", Kind)
def test_what_verify_cannot_tell_from_a_sound_copy_is_listed(kind: Kind) -> None:
    """If this fails, damage that passes for right has come into the table without a reason."""
    traits = TRAITS[kind]
    for way in Way:
        unseen = {
            damage
            for damage in Damage
            if can_have(kind, damage) and expected(kind, damage, way) == expected(kind, None, way)
        }
        excused = ALLOWED | ALIKE
        if traits.is_replica:
            excused |= OF_ITS_OWN_DAY
        if expected(kind, None, way).content == "unverified":
            excused |= OF_BYTES
        if not expected(kind, None, way).is_looked_at:
            # Of a replica that two listings prove, the ETag alone is seen.
            excused |= set(Damage) - OF_BYTES - {Damage.GONE, Damage.COVERED, Damage.HIDDEN}
        assert unseen <= excused, (way, unseen - excused)


def test_bytes_are_unverified_only_where_nothing_common_is_stored() -> None:
    """If this fails, `unverified` has become a way out where evidence exists."""
    without = {
        kind
        for kind in Kind
        if can_have(kind, Damage.BIT_FLIPPED)
        and expected(kind, Damage.BIT_FLIPPED, Way.STORED).content == "unverified"
    }
    assert without == {Kind.KMS_UNSUMMED, Kind.KMS_COMPOSITE, Kind.REPLICA_CUSTOMER_KEY}
    deep = {
        kind
        for kind in without
        if expected(kind, Damage.BIT_FLIPPED, Way.DEEP).content == "unverified"
    }
    assert deep == {Kind.REPLICA_CUSTOMER_KEY}, "bytes are read, but for a key that is not at hand"
