"""Chains of single keys and of ranges: whole, of exactly their key, and cheap on dense ranges."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import ListingStuckError
from backfill.execute.chains import Density, position_before, read_chain, read_chains
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from tests.unit.execute.versioned_store import SOURCE, VersionedStore

HOSTILE = (
    "",
    "a",
    "a/",
    "a//b",
    "a\x01",
    "a\n",
    "a%2F",
    "a+",
    "b",
    "\ud7ff",
    "\ue000",
    "\U0010ffff",
)
keys = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
    min_size=1,
    max_size=4,
)


def filled(names: tuple[str, ...], versions: int) -> VersionedStore:
    store = VersionedStore()
    for number in range(versions):
        for name in names:
            if number % 3 == 1:
                store.mark("src", name)
            else:
                store.put("src", name, b"%d" % number)
    return store


@pytest.mark.parametrize("page_max", [1, 2, 3, 7, 1000])
async def test_chains_are_whole_whatever_the_pages(page_max: int) -> None:
    """A page may split a key: if this fails, a decision sees half a chain."""
    names = tuple(name for name in HOSTILE if name)
    store = filled(names, 4)
    store.page_max = page_max
    expected = {name: [s.version_id for s in store.chain("src", name)] for name in names}
    listed = await read_chains(store, SOURCE, sorted(names))
    assert {key: [e.version_id for e in chain] for key, chain in listed.items()} == expected
    for name in names:
        chain = await read_chain(store, SOURCE, name)
        assert [e.version_id for e in chain] == expected[name]
        assert {e.key for e in chain} == {name}


async def test_an_absent_key_has_an_empty_chain() -> None:
    """If this fails, a neighbour's versions are taken for a key's own."""
    store = filled(("a/b", "c"), 2)
    assert await read_chain(store, SOURCE, "a/") == ()
    assert await read_chains(store, SOURCE, ["a", "a/", "d"]) == {"a": (), "a/": (), "d": ()}


async def test_a_sparse_range_costs_no_more_than_its_keys() -> None:
    """If this fails, a few keys among millions make a run list everything."""
    store = filled(tuple(f"k{number:04d}" for number in range(2000)), 1)
    store.page_max = 10
    wanted = [f"k{number:04d}" for number in range(0, 2000, 100)]
    listed = await read_chains(store, SOURCE, wanted)
    assert all(len(chain) == 1 for chain in listed.values())
    assert store.calls["list:src"] <= len(wanted)


class Counted(VersionedStore):
    """A store that knows how many entries it was asked for, page by page."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        self.asked.append(max_keys)
        return await super().list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )


@pytest.mark.parametrize(("every", "pages"), [(1, [391]), (3, [391]), (11, [391, 1000])])
async def test_neighbours_take_one_small_page_and_gaps_a_full_one_more(
    every: int, pages: list[int]
) -> None:
    """If this fails, reading pages takes more CPU than the copies that they are read for."""
    store = Counted()
    store.chains = filled(tuple(f"k{number:04d}" for number in range(1200)), 1).chains
    wanted = [f"k{number:04d}" for number in range(0, 100 * every, every)]
    listed = await read_chains(store, SOURCE, wanted)
    assert all(len(chain) == 1 for chain in listed.values())
    assert store.asked == pages


@pytest.mark.parametrize(
    ("versions", "every", "pages"),
    [(1, 1, [391, 141]), (4, 1, [391, 1000, 516]), (1, 10, [391, 1000, 1000]), (0, 1, [391, 16])],
)
async def test_the_next_range_is_asked_for_as_the_last_one_was_found(
    versions: int, every: int, pages: list[int]
) -> None:
    """If this fails, each block of copies parses pages of entries that nobody asked for."""
    store, density = Counted(), Density()
    names = [f"k{number:04d}" for number in range(200 * every)]
    store.chains = filled(tuple(names), versions).chains
    for begin in (0, 100 * every):
        wanted = names[begin : begin + 100 * every : every]
        listed = await read_chains(store, SOURCE, wanted, density)
        assert all(len(chain) == versions for chain in listed.values())
    assert store.asked == pages


@settings(deadline=None, max_examples=300)
@given(keys, keys)
def test_the_position_before_a_key_is_before_it_and_after_every_smaller_neighbour(
    key: str, other: str
) -> None:
    """If this fails, a range begins too late and a version goes unseen."""
    position = position_before(key)
    marker = "" if position is None else position.key
    assert marker < key
    if other < marker:
        assert other < key


@settings(deadline=None, max_examples=150)
@given(st.sets(keys, min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 10**6))
async def test_any_keys_any_pages(names: set[str], page_max: int, seed: int) -> None:
    """Against the store itself: if this fails, some key cannot be looked back at."""
    store = filled(tuple(names), 2)
    store.page_max = page_max
    wanted = sorted(Random(seed).sample(sorted(names), k=max(1, len(names) // 2)))
    listed = await read_chains(store, SOURCE, wanted)
    assert {key: len(chain) for key, chain in listed.items()} == dict.fromkeys(wanted, 2)


async def test_a_listing_that_does_not_advance_stops() -> None:
    """If this fails, a broken server makes a run loop for ever."""

    class Stuck(VersionedStore):
        async def list_object_versions(
            self,
            place: BucketPlace,
            *,
            prefix: str = "",
            after: VersionsPosition | None = None,
            max_keys: int = 1000,
        ) -> VersionsPage:
            page = await super().list_object_versions(place, prefix=prefix, max_keys=1)
            assert after is None or max_keys
            return page

    store = Stuck()
    store.chains = filled(("a", "b"), 3).chains
    with pytest.raises(ListingStuckError):
        await read_chain(store, SOURCE, "a")
    with pytest.raises(ListingStuckError):
        await read_chains(store, SOURCE, ["a", "b"])
