"""Bringing two sequences together in order, held against the slowest way there is."""

from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.verify import alignment
from backfill.verify.alignment import Place, by_kind, in_order, out_of_order

PLACES = st.permutations(range(7)).flatmap(
    lambda order: st.lists(st.booleans(), min_size=7, max_size=7).map(
        lambda there: [
            place if is_there else None for place, is_there in zip(order, there, strict=True)
        ]
    )
)
WORDS = st.lists(st.sampled_from("abc"), max_size=7)


def ascends(places: Sequence[int]) -> bool:
    return all(one < two for one, two in pairwise(places))


def fewest_out_of_order(places: Sequence[Place]) -> int:
    """Try every choice of what stays, the largest first."""
    there = [place for place in places if place is not None]
    for size in range(len(there), -1, -1):
        if any(ascends(kept) for kept in combinations(there, size)):
            return len(there) - size
    raise AssertionError("nothing at all ascends")


def most_in_order(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Try every choice of what is paired, the largest first."""
    for size in range(min(len(wanted), len(found)), 0, -1):
        theirs = set(combinations(found, size))
        if any(ours in theirs for ours in combinations(wanted, size)):
            return size
    return 0


@given(places=PLACES)
@settings(max_examples=200, deadline=None)
def test_as_few_as_can_be_are_called_out_of_order(places: list[Place]) -> None:
    """If this fails, one version that moved makes verify accuse versions that did not."""
    accused = out_of_order(places)
    rest = [p for n, p in enumerate(places) if p is not None and n not in accused]
    assert ascends(rest)
    assert len(accused) == fewest_out_of_order(places)
    assert all(places[number] is not None for number in accused)


@given(wanted=WORDS, found=WORDS)
@settings(max_examples=200, deadline=None)
def test_as_many_as_can_be_are_paired_in_order(wanted: list[str], found: list[str]) -> None:
    """If this fails, one lost version of a history without a map makes others look lost."""
    places = in_order(wanted, found)
    paired = [(n, place) for n, place in enumerate(places) if place is not None]
    assert len(places) == len(wanted)
    assert ascends([place for _, place in paired])
    assert all(wanted[n] == found[place] for n, place in paired)
    assert len(paired) == most_in_order(wanted, found)


@given(wanted=WORDS, found=WORDS)
@settings(max_examples=100, deadline=None)
def test_too_many_to_weigh_are_still_paired_in_order_and_alike(
    wanted: list[str], found: list[str]
) -> None:
    """If this fails, a key with very many versions is paired across its order, or not by kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "CELLS_MAX", 0)
        places = in_order(wanted, found)
    paired = [(n, place) for n, place in enumerate(places) if place is not None]
    assert ascends([place for _, place in paired])
    assert all(wanted[n] == found[place] for n, place in paired)
    if wanted == found:
        assert places == list(range(len(wanted)))


@given(wanted=WORDS, found=WORDS)
def test_the_nth_of_a_kind_meets_the_nth_of_that_kind(wanted: list[str], found: list[str]) -> None:
    """If this fails, a place is given to two versions, or a version that is there finds none."""
    places = [place for place in by_kind(wanted, found) if place is not None]
    assert len(set(places)) == len(places)
    common = sum(min(wanted.count(kind), found.count(kind)) for kind in "abc")
    assert len(places) == common


def test_a_hundred_thousand_in_order_take_one_pass() -> None:
    """If this fails, a key with very many versions is never done."""
    many = list(range(100_000))
    assert in_order(many, many) == many
    assert not out_of_order(many)
    assert in_order(many, many[:50_000] + many[50_001:]).count(None) == 1
