"""Listing by ranges equals a serial listing, for few requests more, whatever fails on the way.

Stores are simulated in virtual time: requests and rounds are exact, and nothing sleeps.
"""

import asyncio
import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import Disposition, ListingStuckError, StoreFault
from backfill.events.runs import BucketListed, ListedSerially
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import SOURCE, destination_name, listed_entries, take_inventory
from backfill.inventory.totals import totals_of
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.ports import ArtifactStore
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.stretches import LOG_FILE
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from tests.doubles.key_spaces import SHAPES, SlowBucket, entry, single
from tests.doubles.listings import KeptEvents, page_of, place, random_chains
from tests.doubles.memory_artifacts import MemoryArtifacts


def listed(
    *buckets: SlowBucket,
    artifacts: ArtifactStore,
    page_max: int = 100,
    concurrency: int = 128,
    prefixes: tuple[str, ...] = ("",),
) -> tuple[KeptEvents, float]:
    """List buckets in virtual time; return what was told, and the seconds that it took."""
    events = KeptEvents()
    names = [SOURCE, *(destination_name(number) for number in range(len(buckets) - 1))]
    loop = VirtualTimeLoop(random=Random(1), steps_max=2_000_000)
    try:
        loop.run_until_complete(
            take_inventory(
                [
                    BucketListing(name=name, place=place(name), store=bucket.port)
                    for name, bucket in zip(names, buckets, strict=True)
                ],
                artifacts=artifacts,
                events=events,
                run_id="RUN",
                prefixes=prefixes,
                page_max=page_max,
                concurrency=concurrency,
            )
        )
        return events, loop.time()
    finally:
        loop.close()


def entries_in(artifacts: ArtifactStore, name: str = SOURCE) -> list[ListedEntry]:
    return list(listed_entries(artifacts, name))


EFFORT = {
    # Shape: requests at most, and rounds of 0.1 s at most, for 20,000 entries in 200 pages. One
    # lister takes 200 rounds; the chain of 10,000 versions cannot be listed in fewer than 100.
    "hexadecimal": (216, 30),
    "uuid": (216, 30),
    "counters": (234, 30),
    "decimal": (222, 25),
    "dates": (236, 60),
    "skewed": (236, 40),
    "deep": (234, 30),
    "tenants": (238, 50),
    "unicode": (236, 50),
    "versions": (234, 25),
    "one long chain": (232, 112),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_bucket_is_listed_fast_and_with_few_requests(shape: str) -> None:
    """A shape that is not cut is listed for hours; one cut at the wrong places costs requests."""
    entries = SHAPES[shape](20_000)
    bucket, artifacts = SlowBucket(entries), MemoryArtifacts()
    events, elapsed_s = listed(bucket, artifacts=artifacts)
    assert entries_in(artifacts) == entries
    requests, rounds = EFFORT[shape]
    assert bucket.requests <= requests
    assert round(elapsed_s / 0.1) <= rounds
    (told,) = events.emitted
    assert isinstance(told, BucketListed)
    assert told.pages == bucket.requests
    assert told.ranges > 10


@pytest.mark.parametrize(("entries", "requests"), [(0, 1), (1, 1), (100, 1), (101, 3), (250, 5)])
def test_a_small_bucket_costs_what_it_costs_serially(entries: int, requests: int) -> None:
    """Most buckets are small: requests for nothing would be most of theirs."""
    bucket = SlowBucket(single([f"key/{number:04d}" for number in range(entries)]))
    listed(bucket, artifacts=MemoryArtifacts())
    assert bucket.requests == requests


def test_concurrency_bounds_the_pages_in_flight_over_all_buckets() -> None:
    """The option is a promise to whoever shares the bucket."""
    entries = SHAPES["hexadecimal"](20_000)
    for concurrency in (1, 2, 7):
        buckets, artifacts = [SlowBucket(entries), SlowBucket(entries[:9_000])], MemoryArtifacts()
        flights = _watched(buckets)
        listed(*buckets, artifacts=artifacts, concurrency=concurrency)
        assert max(flights) == concurrency
        assert entries_in(artifacts, destination_name(0)) == entries[:9_000]


def _watched(buckets: Sequence[SlowBucket]) -> list[int]:
    """Note at every answer how many requests are in flight over all buckets, itself included."""
    flights: list[int] = []
    for bucket in buckets:
        bucket.before_page = lambda: flights.append(1 + sum(b.in_flight for b in buckets))
    return flights


hostile = st.text(
    st.sampled_from("aé/0+\n\x01\x7f\ud7ff\ue000\U00010000\U0010ffff")
    | st.characters(codec="utf-8"),
    min_size=1,
    max_size=6,
)


@given(
    st.lists(hostile, max_size=60, unique=True),
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.integers(1, 20),
    st.sampled_from([("",), ("a", "é"), ("/", "0", "a\n")]),
)
@settings(max_examples=300, deadline=None)
def test_ranges_equal_a_serial_listing(
    keys: list[str], seed: int, page_max: int, concurrency: int, prefixes: tuple[str, ...]
) -> None:
    """A version lost or doubled between two ranges is a wrong plan."""
    chance = Random(seed)
    bucket = SlowBucket(
        random_chains(chance, keys),
        latency_s=lambda: chance.uniform(0.01, 1.0),
        given_max=chance.choice((1, 3, 1000)),
    )
    artifacts = MemoryArtifacts(stretch_rows_max=chance.choice((1, 5, 1000)))
    listed(
        bucket,
        artifacts=artifacts,
        page_max=page_max,
        concurrency=concurrency,
        prefixes=prefixes,
    )
    assert entries_in(artifacts) == [one for one in bucket.entries if one.key.startswith(prefixes)]


@pytest.mark.parametrize("shape", ["hexadecimal", "versions", "one long chain", "unicode"])
def test_a_crash_at_any_page_is_resumed(shape: str, tmp_path: Path) -> None:
    """Kill -9 must cost what was open: the same entries in the end, and sealed ones not again."""
    entries = SHAPES[shape](1_200)
    folder, bucket = tmp_path / "run", SlowBucket(entries)
    left: list[tuple[Path, int]] = []

    def copy_what_a_kill_would_leave() -> None:
        if bucket.requests % 8 == 1:
            copied = tmp_path / f"killed-{len(left)}"
            shutil.copytree(folder, copied)
            left.append((copied, bucket.in_flight + 1))

    bucket.before_page = copy_what_a_kill_would_leave
    listed(bucket, artifacts=LocalArtifacts(folder, segment_rows_max=40), page_max=20)
    assert len(left) > 5
    for killed, in_flight in left:
        resumed, artifacts = SlowBucket(entries), LocalArtifacts(killed, segment_rows_max=40)
        missing = len(entries) - sealed_rows(killed)
        events, _ = listed(resumed, artifacts=artifacts, page_max=20)
        assert entries_in(artifacts) == entries
        assert resumed.requests <= 1.2 * missing / 20 + 2 * in_flight + 8
        assert [type(event) for event in events.emitted] == [BucketListed]


def sealed_rows(folder: Path) -> int:
    """Return the rows that the log of a dead process names."""
    log = folder / SOURCE / LOG_FILE
    lines = log.read_bytes().splitlines()[1:] if log.exists() else []
    return sum(cells[0] for _, cells, _ in (json.loads(line[9:]) for line in lines) if cells)


class Faulty(SlowBucket):
    """Fails for good at its n-th page."""

    def __init__(self, entries: Sequence[ListedEntry], fails_at: int) -> None:
        super().__init__(entries)
        self._fails_at = fails_at
        self.before_page = self._fail

    def _fail(self) -> None:
        if self.requests >= self._fails_at:
            raise StoreFault(
                operation="ListObjectVersions",
                code="AccessDenied",
                status=403,
                disposition=Disposition.FAIL,
            )


@pytest.mark.parametrize("fails_at", [1, 2, 30, 60])
def test_what_was_listed_before_a_fault_is_not_listed_again(fails_at: int) -> None:
    """Whoever mends a permission in the middle of a long listing goes on from there."""
    entries = SHAPES["hexadecimal"](6_000)
    artifacts, failing = MemoryArtifacts(), Faulty(entries, fails_at)
    with pytest.raises(StoreFault, match="AccessDenied"):
        listed(failing, artifacts=artifacts)
    resumed = SlowBucket(entries)
    events, _ = listed(resumed, artifacts=artifacts)
    assert entries_in(artifacts) == entries
    # Pages in flight at the fault are listed again, and each range's last one.
    assert resumed.requests <= 60 - fails_at + 2 * failing.in_flight_most + 10
    assert events.newest is not None
    assert events.newest.done == len(entries)


class Forgetful(SlowBucket):
    """Where an earlier process stopped amid a key, that version is gone: no marker any more."""

    def __init__(self, entries: Sequence[ListedEntry]) -> None:
        super().__init__(entries)
        self.shown: set[tuple[str, str]] = set()

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        if after is not None and after.version_id is not None:
            assert (after.key, after.version_id) in self.shown, "a version that may be deleted"
        page = await super().list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )
        self.shown.update((entry.key, entry.version_id) for entry in page.entries)
        return page


@pytest.mark.parametrize("shape", ["versions", "one long chain"])
@pytest.mark.parametrize("fails_at", [12, 40, 55])
@pytest.mark.parametrize("stretch_rows_max", [1, 90, 10_000])
def test_a_resume_begins_behind_whole_keys(
    shape: str, fails_at: int, stretch_rows_max: int
) -> None:
    """If this fails, versions behind a marker that was deleted meanwhile are lost or doubled."""
    entries = SHAPES[shape](6_000)
    artifacts = MemoryArtifacts(stretch_rows_max=stretch_rows_max)
    with pytest.raises(StoreFault):
        listed(Faulty(entries, fails_at), artifacts=artifacts)
    assert artifacts.stretched[SOURCE].sealed()
    events, _ = listed(Forgetful(entries), artifacts=artifacts)
    assert entries_in(artifacts) == entries
    assert [type(event) for event in events.emitted] == [BucketListed]


@pytest.mark.parametrize("lost", range(4))
def test_a_segment_that_a_power_cut_took_is_listed_again(lost: int, tmp_path: Path) -> None:
    """Later ones may outlive it: if this fails, every resume breaks on them."""
    entries = SHAPES["counters"](400)
    artifacts = LocalArtifacts(tmp_path, segment_rows_max=40)
    with pytest.raises(StoreFault):
        listed(Faulty(entries, fails_at=12), artifacts=artifacts, page_max=20, concurrency=1)
    segments = sorted((tmp_path / SOURCE).glob("*.gz"))
    assert len(segments) > 4
    segments[lost].write_bytes(b"")
    resumed = LocalArtifacts(tmp_path, segment_rows_max=40)
    listed(SlowBucket(entries), artifacts=resumed, page_max=20, concurrency=1)
    assert entries_in(resumed) == entries


class EncodedOrder(SlowBucket):
    """Lists by another order than that of bytes, as a server does that sorts what it encodes."""

    def __init__(self, entries: Sequence[ListedEntry], order: Callable[[str], str]) -> None:
        super().__init__(entries)
        self._sorted = sorted(entries, key=lambda one: order(one.key))
        self._by = order

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        del place, prefix
        self.requests += 1
        await asyncio.sleep(0.1)
        rest = [one for one in self._sorted if not after or self._by(one.key) > self._by(after.key)]
        return page_of(rest[:max_keys], is_truncated=len(rest) > max_keys)


def test_a_server_with_another_order_is_not_believed() -> None:
    """Between two ranges its keys would be lost without a word; serially it is found out."""
    # By this order the keys with a bracket come last, yet no range of plain keys shows them.
    keys = [f"{letter}{number:03d}" for letter in "ab[cd" for number in range(300)]
    bucket = EncodedOrder(single(keys), lambda key: key.replace("[", "~"))
    artifacts = MemoryArtifacts()
    with pytest.raises(ListingStuckError, match="went back"):
        listed(bucket, artifacts=artifacts, page_max=10)
    assert artifacts.index(SOURCE) is None
    assert not artifacts.stretched[SOURCE].sealed()


class Inclusive(SlowBucket):
    """Takes a cut for a page's last entry, as servers do to whom a marker is a key that exists."""

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        if after is not None and after.version_id is None:
            # It begins a few keys too late: what lies between would be lost.
            places = [n for n, one in enumerate(self.entries) if one.key > after.key]
            if len(places) > 5:
                skipped = self.entries[places[4]]
                after = VersionsPosition(skipped.key, skipped.version_id)
        return await super().list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )


def test_a_server_that_misreads_cuts_is_listed_serially() -> None:
    """It pages well from its own markers: nothing may be lost, and whoever waits is told why."""
    entries = SHAPES["hexadecimal"](2_000)
    bucket, artifacts = Inclusive(entries), MemoryArtifacts()
    events, _ = listed(bucket, artifacts=artifacts, page_max=50)
    assert entries_in(artifacts) == entries
    told = [event for event in events.emitted if isinstance(event, ListedSerially)]
    assert len(told) == 1
    assert "other keys" in told[0].cause


def test_a_bucket_in_use_is_not_taken_for_a_broken_server() -> None:
    """Keys come and go at a cut between two pages of its neighbours; that is no one's mistake."""
    chance = Random(11)
    entries = SHAPES["hexadecimal"](4_000)
    bucket, artifacts = SlowBucket(entries), MemoryArtifacts()
    stable = entries[::2]
    passing = entries[1::2]

    pages = itertools.count(1)

    def change() -> None:
        if next(pages) % 20 == 0:
            bucket.hold(stable + chance.sample(passing, len(passing) // 2))

    bucket.before_page = change
    told, _ = listed(bucket, artifacts=artifacts)
    found = entries_in(artifacts)
    assert set(stable) <= set(found)
    assert all(one.key < two.key for one, two in pairwise(found))
    assert totals_of(artifacts.indexes[SOURCE].summary).rows == len(found)
    assert not any(isinstance(event, ListedSerially) for event in told.emitted)


def test_versions_of_a_key_are_never_cut() -> None:
    """A chain listed by two would have two latest versions, or none."""
    entries = [entry(f"k{number:02d}", depth) for number in range(30) for depth in range(50)]
    artifacts = MemoryArtifacts(stretch_rows_max=20)
    bucket = SlowBucket(entries, given_max=7)
    listed(bucket, artifacts=artifacts, page_max=7)
    assert entries_in(artifacts) == entries
