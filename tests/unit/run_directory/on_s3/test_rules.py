"""The rules of the lease and of working copies, as tables and against generated input."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.model.objects import ETag
from backfill.run_directory.on_s3 import lease as rules
from backfill.run_directory.on_s3.catalogue import Entry
from backfill.run_directory.on_s3.head import CatalogueRef, Head
from backfill.run_directory.on_s3.lease import Observation, Standing, standing
from backfill.run_directory.on_s3.mending import (
    Marker,
    decoded_marker,
    encoded_marker,
    is_last_holders,
    mending,
)

LEASE_S = 60.0
HEAD = Head(
    fence=3, beat=9, nonce="n", holder="h", lease_s=LEASE_S, is_released=False, catalogue=None
)
URL, PLACE = "s3://b/p", "boot 1 2"
MARKER = Marker(url=URL, fence=3, nonce="n", place=PLACE, is_whole=True)


def seen(
    at_s: float, etag: str = "e", age_s: float | None = None, *, head: Head = HEAD
) -> Observation:
    return Observation(head=head, etag=ETag(etag), age_s=age_s, at_s=at_s)


@pytest.mark.parametrize(
    ("first", "now", "expected"),
    [
        (None, None, Standing.FREE),
        (seen(0), None, Standing.FREE),
        (None, seen(0, head=replace(HEAD, is_released=True)), Standing.FREE),
        (None, seen(0), Standing.UNKNOWN),
        (None, seen(0, age_s=59), Standing.UNKNOWN),
        (None, seen(0, age_s=119), Standing.UNKNOWN),
        (None, seen(0, age_s=120), Standing.FREE),
        (seen(0), seen(59.9), Standing.UNKNOWN),
        (seen(0), seen(60), Standing.FREE),
        (seen(0), seen(30, "f"), Standing.HELD),
        (seen(0), seen(600, "f"), Standing.HELD),
        (seen(0), seen(600, "f", age_s=1e6), Standing.HELD),
        (seen(0), seen(30, "f", head=replace(HEAD, is_released=True)), Standing.FREE),
        # The lease is the holder's own, whatever the contender would like.
        (None, seen(0, age_s=10, head=replace(HEAD, lease_s=5.0)), Standing.FREE),
        (seen(0), seen(60, head=replace(HEAD, lease_s=300.0)), Standing.UNKNOWN),
    ],
)
def test_how_a_lease_stands(
    first: Observation | None, now: Observation | None, expected: Standing
) -> None:
    """If this fails, a living holder is overtaken, or a dead one waited for in vain."""
    assert standing(first, now) is expected


@given(st.floats(0, 1e6), st.floats(1, 3600), st.floats(0, 1e6))
def test_a_holder_has_stopped_acting_before_anybody_may_take_over(
    sent_s: float, lease_s: float, wait_s: float
) -> None:
    """If this fails, two processes write at the same time."""
    acts_until_s = rules.acts_until_s(sent_s, lease_s)
    head = replace(HEAD, lease_s=lease_s)
    # The earliest first look at what was sent then, by a perfect clock.
    first = seen(sent_s, head=head)
    now = seen(sent_s + wait_s, head=head)
    if standing(first, now) is Standing.FREE:
        assert now.at_s >= acts_until_s + lease_s / 2 - 1e-6


def test_heads_follow_each_other_by_number() -> None:
    """If this fails, two holders have one fencing number, or a catalogue is forgotten."""
    ref = CatalogueRef(fence=3, sha256="0" * 64, size_bytes=1, number=4)
    kept = replace(HEAD, catalogue=ref)
    taken = rules.taken_head(kept, nonce="m", holder="x", lease_s=5.0)
    assert (taken.fence, taken.beat, taken.catalogue, taken.lease_s) == (4, 10, ref, 5.0)
    assert rules.taken_head(None, nonce="m", holder="x", lease_s=5.0).fence == 1
    following = rules.next_head(taken, beat=11)
    assert (following.fence, following.beat, following.catalogue) == (4, 11, ref)
    assert rules.next_head(taken, beat=12, is_released=True).is_released
    with pytest.raises(AssertionError, match="never goes backwards"):
        rules.next_head(taken, beat=13, catalogue=ref)


@pytest.mark.parametrize(
    ("change", "is_ours"),
    [
        ({}, True),
        ({"is_whole": False}, False),
        ({"fence": 2}, False),
        ({"nonce": "another run's"}, False),
        ({"place": "another disk"}, False),
        ({"url": "s3://b/q"}, False),
    ],
)
def test_only_the_last_holders_own_folder_is_ahead_of_s3(
    change: dict[str, object], *, is_ours: bool
) -> None:
    """If this fails, an old or foreign working copy overwrites what others found out since."""
    fields = {name: getattr(MARKER, name) for name in Marker.__dataclass_fields__}
    marker = Marker(**{**fields, **change})
    assert is_last_holders(marker, HEAD, url=URL, place=PLACE) is is_ours
    assert not is_last_holders(marker, None, url=URL, place=PLACE)
    assert not is_last_holders(None, HEAD, url=URL, place=PLACE)


def test_where_nothing_tells_machines_apart_no_copy_is_believed() -> None:
    """If this fails, a copy of a copy passes for the last holder's where the kernel has no boot."""
    nowhere = replace(MARKER, place="")
    assert not is_last_holders(nowhere, HEAD, url=URL, place="")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b'"x"', b"\xff", b'{"url": 1}', encoded_marker(MARKER)[:-9]],
)
def test_a_marker_that_cannot_be_read_is_none(data: bytes) -> None:
    """If this fails, half a file keeps a run from going on, or is believed."""
    assert decoded_marker(data) is None
    assert decoded_marker(encoded_marker(MARKER)) == MARKER
    assert decoded_marker(encoded_marker(MARKER).replace(b"true", b'"yes"')) is None


def entry(name: str, sha256: str = "a") -> Entry:
    return Entry(name=name, fence=1, size_bytes=1, sha256=sha256)


CATALOGUE = {name: entry(name) for name in ("run.json", "plan/index.json", "plan/rows-a-00000")}


def test_a_working_copy_of_another_past_keeps_only_what_s3_has() -> None:
    """If this fails, files of an older holder pass for the run's."""
    found = {"run.json": "a", "plan/index.json": "b", "scene.json": None}
    steps = mending(found, CATALOGUE, is_ahead=False, later={"plan/rows-a-00000"})
    assert steps.removed == ("plan/index.json", "scene.json")
    assert [each.name for each in steps.fetched] == ["plan/index.json"]


def test_the_last_holders_copy_keeps_all_and_fetches_what_it_lacks() -> None:
    """If this fails, a restart on the same disk forgets the tail of its journal."""
    found = {"plan/index.json": "b", "journal/manifest-00/segment-000001": None}
    steps = mending(found, CATALOGUE, is_ahead=True, later={"plan/rows-a-00000"})
    assert steps.removed == ()
    assert [each.name for each in steps.fetched] == ["run.json"]


names = st.sampled_from(["a", "b", "c", "d", "e", "f"])
digests = st.sampled_from(["1", "2"])


@given(
    st.dictionaries(names, st.none() | digests),
    st.dictionaries(names, digests),
    st.frozensets(names),
)
def test_after_mending_a_copy_is_the_catalogue_but_for_what_comes_later(
    found: dict[str, str | None], kept: dict[str, str], later: frozenset[str]
) -> None:
    """If this fails, some working copy is neither S3's nor the last holder's."""
    catalogue = {name: entry(name, sha256) for name, sha256 in kept.items()}
    steps = mending(found, catalogue, is_ahead=False, later=later)
    here = {name: sha256 for name, sha256 in found.items() if name not in steps.removed}
    assert here.items() <= kept.items()
    here.update({each.name: each.sha256 for each in steps.fetched})
    assert {**{name: kept[name] for name in later & kept.keys()}, **here} == kept
