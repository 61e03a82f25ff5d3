"""Stretches and groups together are what the join gives, whatever the keys and the blocks."""

from collections.abc import Iterator
from random import Random

import pytest

from backfill.errors import ArtifactDamagedError
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.rows import entry_of, row_of
from backfill.model.objects import ListedEntry
from backfill.plan.stretches import (
    JOINED_ROWS,
    LENGTH_MIN,
    ListedRow,
    Listings,
    Stretch,
    stretches,
)
from tests.doubles.listings import random_chains
from tests.doubles.planning import version


def blocks(chance: Random, entries: list[ListedEntry]) -> Iterator[list[ListedRow]]:
    rows = [list(row_of(entry)) for entry in entries]
    while rows:
        length = chance.choice((1, 2, 5, 40))
        yield rows[:length]
        del rows[:length]


def joined(found: Iterator[Stretch | KeyGroup], destinations: int) -> Iterator[KeyGroup]:
    """Give stretches as the groups that they stand for."""
    for each in found:
        if isinstance(each, KeyGroup):
            yield each
            continue
        assert each.rows
        for row in each.rows:
            entry = entry_of(row)
            yield KeyGroup(entry.key, (entry,), ((),) * destinations)


def alone(first: int, end: int) -> list[ListedEntry]:
    return [version(f"k{n:04}", "v", f"e{n}", 1, is_latest=True) for n in range(first, end)]


@pytest.mark.parametrize("seed", range(60))
def test_stretches_and_groups_are_the_join(seed: int) -> None:
    """If this fails, a key is planned as if a destination did not have it, twice, or never."""
    chance = Random(seed)
    keys = [f"k{n:04}" for n in range(chance.choice((0, 1, 30, 300)))]
    share = chance.choice((0, 0, 0.01, 0.3))
    lonely = {key for key in keys if chance.random() < 0.97}
    source: list[ListedEntry] = []
    for key in keys:
        source += alone(int(key[1:]), int(key[1:]) + 1) if key in lonely else []
        source += random_chains(chance, [key]) if key not in lonely else []
    theirs = [
        random_chains(chance, sorted(f"k{n:04}" for n in range(400) if chance.random() < share))
        for _ in range(chance.choice((1, 2)))
    ]
    listings = Listings(blocks(chance, source), [blocks(chance, each) for each in theirs])
    length_max = chance.choice((1, 7, 100))
    found = list(stretches(listings, length_max=length_max))
    assert all(len(each.rows) <= length_max for each in found if isinstance(each, Stretch))
    assert list(joined(iter(found), len(theirs))) == list(key_groups(source, theirs))


def test_keys_that_nothing_joins_go_in_stretches() -> None:
    """If this fails, each object pays for the join of chains, though there is nothing to join."""
    theirs = [alone(500, 501)]
    listings = Listings(blocks(Random(1), alone(0, 1000)), [blocks(Random(1), theirs[0])])
    found = list(stretches(listings, length_max=100))
    rows = sum(len(each.rows) for each in found if isinstance(each, Stretch))
    assert rows >= 1000 - 2 * JOINED_ROWS - LENGTH_MIN


@pytest.mark.parametrize("place", [0, 1, 39, 40, 60, 98])
@pytest.mark.parametrize("is_there", [False, True])
def test_an_inventory_that_is_not_sorted_is_refused(place: int, *, is_there: bool) -> None:
    """If this fails, a damaged inventory joins keys with nothing, and they are copied over."""
    sound, broken = alone(0, 100), alone(0, 100)
    broken[place : place + 2] = broken[place : place + 2][::-1]
    source, theirs = (sound, broken) if is_there else (broken, sound)
    for there in (theirs, []) if not is_there else (theirs,):
        listings = Listings(blocks(Random(2), source), [blocks(Random(2), there)])
        with pytest.raises(ArtifactDamagedError, match="not sorted"):
            list(stretches(listings, length_max=30))
