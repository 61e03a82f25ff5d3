"""Chains and the merge join, against a join by dictionaries."""

from collections.abc import Iterator
from itertools import groupby
from random import Random

import pytest

from backfill.errors import ArtifactDamagedError, RefusedError
from backfill.inventory.chains import Chain, KeyChain, key_chains
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.prefixes import disjoint_prefixes
from backfill.inventory.totals import InventoryTotals, summary_of, totals_of
from backfill.model.listed import cells_of
from backfill.model.objects import DeleteMarker, ListedEntry
from tests.doubles.listings import computed_entry, random_chains

ALPHABET = ["a", "b", "/", "\n", "\x01", "\x7f", "é", "\uff5e", "\U00010000", "\U0010ffff"]


def random_keys(chance: Random) -> list[str]:
    count = chance.choice((0, 1, 5, 40))
    return list({"".join(chance.choices(ALPHABET, k=chance.randint(1, 3))) for _ in range(count)})


def by_key(entries: list[ListedEntry]) -> dict[str, Chain]:
    chains: dict[str, Chain] = {}
    for entry in entries:
        chains[entry.key] = (*chains.get(entry.key, ()), entry)
    return chains


@pytest.mark.parametrize("seed", range(200))
def test_the_join_agrees_with_dictionaries(seed: int) -> None:
    """A key lost, doubled or paired with another's chain is a wrong plan."""
    chance = Random(seed)
    source = random_chains(chance, random_keys(chance))
    destinations = [
        random_chains(chance, random_keys(chance)) for _ in range(chance.choice((0, 1, 1, 3)))
    ]
    wanted_source, wanted = by_key(source), [by_key(entries) for entries in destinations]
    all_keys = sorted({*wanted_source, *(key for chains in wanted for key in chains)})
    assert list(key_groups(iter(source), [iter(entries) for entries in destinations])) == [
        KeyGroup(
            key=key,
            source_chain=wanted_source.get(key, ()),
            destination_chains=tuple(chains.get(key, ()) for chains in wanted),
        )
        for key in all_keys
    ]


def test_chains_follow_utf8_byte_order() -> None:
    """Python's order of strings must be S3's, or a join of two listings loses keys."""
    keys = random_keys(Random(5)) + ALPHABET
    assert sorted(keys) == [key.decode() for key in sorted(key.encode() for key in keys)]


@pytest.mark.parametrize("keys", ["ba", "aba", "abcb"])
def test_an_unsorted_stream_is_refused(keys: str) -> None:
    """A key that comes back would have two half chains."""
    entries = [random_chains(Random(1), [key])[0] for key in keys]
    with pytest.raises(ArtifactDamagedError, match="not sorted"):
        list(key_chains(entries))


def test_a_chain_longer_than_memory_allows_is_refused_by_name() -> None:
    """One key must not take the whole run down without a word."""
    entries = random_chains(Random(3), ["a", "b\n"])
    longest = max(len(list(chain)) for _, chain in groupby(entries, key=lambda entry: entry.key))
    assert len(list(key_chains(entries, entries_max=longest))) == 2
    with pytest.raises(RefusedError, match="has more than 0 versions"):
        list(key_chains(entries, entries_max=0))


def test_chains_are_made_as_they_are_asked_for() -> None:
    """Reading ahead more than one key would make memory grow with the bucket."""
    read = 0

    def entries() -> Iterator[ListedEntry]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield computed_entry(number)

    chains = key_chains(entries())
    first = next(chains)
    assert isinstance(first, KeyChain)
    assert (len(first.entries), read) == (2, 3)


@pytest.mark.parametrize(
    ("prefixes", "disjoint"),
    [
        ([], ()),
        (["", "a"], ("",)),
        (["b", "a", "a/b", "ab", "b"], ("a", "b")),
        (["a/b", "a!", "a/"], ("a!", "a/")),
        (["\U00010000", "\uff5e"], ("\uff5e", "\U00010000")),
    ],
)
def test_prefixes_cover_every_key_once(prefixes: list[str], disjoint: tuple[str, ...]) -> None:
    """Overlapping prefixes would list keys twice, unsorted ones out of order."""
    assert disjoint_prefixes(prefixes) == disjoint


def test_totals_count_what_is_there() -> None:
    """Totals are printed as evidence."""
    entries = random_chains(Random(9), [f"key {number}" for number in range(50)])
    cells = list(map(cells_of, entries))
    totals = InventoryTotals().with_page(cells[:60]).with_page(cells[60:])
    markers = [entry for entry in entries if isinstance(entry, DeleteMarker)]
    assert totals == InventoryTotals(
        keys=50,
        keys_current=50 - sum(entry.is_latest for entry in markers),
        versions=len(entries) - len(markers),
        delete_markers=len(markers),
        size_bytes=sum(e.size_bytes for e in entries if not isinstance(e, DeleteMarker)),
        pages=2,
    )
    assert totals.rows == len(entries)
    assert totals_of(summary_of(totals)) == totals
    with pytest.raises(ArtifactDamagedError):
        totals_of({"horizon": "now"})
