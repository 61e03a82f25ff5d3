"""Taking inventories: complete, lawful, reused by the same run only."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from backfill.errors import (
    ArtifactDamagedError,
    Disposition,
    ListingStuckError,
    StoreFault,
)
from backfill.events.runs import BucketListed
from backfill.inventory.join import key_groups
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import (
    SOURCE,
    destination_name,
    joined_inventory,
    listed_entries,
    take_inventory,
)
from backfill.inventory.totals import totals_of
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.ports import ArtifactIndex
from backfill.run_directory.artifacts import LocalArtifacts
from tests.doubles.listings import KeptEvents, ListedBuckets, page_of, place, random_chains

KEYS = [f"{folder}/{name}" for folder in ("a", "b", "c") for name in ("\x01", "+", "x\ny", "é")]
BUCKETS = {
    "source": random_chains(Random(1), KEYS),
    "one": random_chains(Random(2), KEYS[3:]),
    "two": [],
}


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path)


async def taken(
    artifacts: LocalArtifacts,
    store: ListedBuckets,
    *,
    run_id: str = "RUN",
    prefixes: tuple[str, ...] = ("",),
    page_max: int = 3,
    events: KeptEvents | None = None,
) -> tuple[ArtifactIndex, ...]:
    names = [SOURCE, destination_name(0), destination_name(1)]
    return await take_inventory(
        [
            BucketListing(name=name, place=place(bucket), store=store.port)
            for name, bucket in zip(names, BUCKETS, strict=True)
        ],
        artifacts=artifacts,
        events=events or KeptEvents(),
        run_id=run_id,
        prefixes=prefixes,
        page_max=page_max,
    )


@pytest.mark.parametrize(
    ("page_max", "given_max"), [(1, 1), (2, 2), (3, 3), (7, 7), (1000, 1000), (1000, 2)]
)
async def test_every_entry_is_listed_whatever_the_page_size(
    artifacts: LocalArtifacts, page_max: int, given_max: int
) -> None:
    """Pages that split a key, or that S3 cuts short, must neither lose nor double versions."""
    store = ListedBuckets(BUCKETS, given_max=given_max)
    indexes = await taken(artifacts, store, page_max=page_max)
    for index, entries in zip(indexes, BUCKETS.values(), strict=True):
        assert list(listed_entries(artifacts, index.name)) == entries
        assert totals_of(index.summary).rows == index.rows == len(entries)
    assert list(joined_inventory(artifacts, destinations=2)) == list(
        key_groups(BUCKETS["source"], [BUCKETS["one"], BUCKETS["two"]])
    )


async def test_prefixes_limit_a_listing(artifacts: LocalArtifacts) -> None:
    """What no rule covers need not be listed, and nothing else may be left out."""
    await taken(artifacts, ListedBuckets(BUCKETS), prefixes=("a/", "c/"))
    wanted = [entry for entry in BUCKETS["source"] if not entry.key.startswith("b/")]
    assert list(listed_entries(artifacts, SOURCE)) == wanted


async def test_overlapping_prefixes_are_a_programmers_error(artifacts: LocalArtifacts) -> None:
    """They would list keys twice."""
    with pytest.raises(AssertionError, match="disjoint"):
        await taken(artifacts, ListedBuckets(BUCKETS), prefixes=("a/", "a/b"))


async def test_a_finished_inventory_is_reused_by_its_run_only(artifacts: LocalArtifacts) -> None:
    """A resume must not list again, and another run or scope must not see old listings."""
    store, events = ListedBuckets(BUCKETS), KeptEvents()
    first = await taken(artifacts, store)
    listed = len(store.pages_given)
    assert await taken(artifacts, store, events=events) == first
    assert len(store.pages_given) == listed
    assert events.emitted == []
    assert events.newest is not None
    assert events.newest.done == sum(map(len, BUCKETS.values()))
    for run_id, prefixes in (("OTHER", ("",)), ("OTHER", ("a/",))):
        store.pages_given.clear()
        await taken(artifacts, store, run_id=run_id, prefixes=prefixes)
        assert set(store.pages_given) == set(BUCKETS)


async def test_totals_are_told(artifacts: LocalArtifacts) -> None:
    """Who watches must see how much was listed, bucket by bucket."""
    events, store = KeptEvents(), ListedBuckets(BUCKETS)
    await taken(artifacts, store, events=events)
    listed = {event.bucket: event for event in events.emitted if isinstance(event, BucketListed)}
    assert {bucket: e.versions + e.delete_markers for bucket, e in listed.items()} == {
        bucket: len(entries) for bucket, entries in BUCKETS.items()
    }
    assert {bucket: e.pages for bucket, e in listed.items()} == Counter(store.pages_given)


class Repeating(ListedBuckets):
    """Gives the second page for ever, as servers do whose markers are encoded wrongly."""

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        del prefix
        assert len(self.pages_given) < 100, "a listing that never ends"
        self.pages_given.append(place.bucket)
        entries: list[ListedEntry] = BUCKETS["source"]
        first = max_keys if after is not None else 0
        return page_of(entries[first : first + max_keys], is_truncated=True)


async def test_a_listing_that_does_not_advance_stops(
    artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    """It would run for ever; and a half listing must not be taken for a whole one."""
    with pytest.raises(ListingStuckError) as caught:
        await taken(artifacts, Repeating(BUCKETS))
    assert caught.value.exit_code == 20
    assert artifacts.index(SOURCE) is None
    assert not list((tmp_path / SOURCE).glob("rows-*"))


class Failing(ListedBuckets):
    """Fails on the third page of bucket `one`."""

    def __init__(self, code: str) -> None:
        super().__init__(BUCKETS)
        self._code = code

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        if place.bucket == "one" and self.pages_given.count("one") == 2:
            raise StoreFault(
                operation="ListObjectVersions",
                code=self._code,
                status=403,
                disposition=Disposition.FAIL,
            )
        await asyncio.sleep(0)
        return await super().list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )


async def test_the_fault_of_one_bucket_ends_the_stage(artifacts: LocalArtifacts) -> None:
    """Who translates faults for a person needs the fault, not a group of exceptions."""
    with pytest.raises(StoreFault) as caught:
        await taken(artifacts, Failing("AccessDenied"))
    assert caught.value.code == "AccessDenied"
    assert artifacts.index(destination_name(0)) is None


async def test_a_resume_lists_only_what_was_not_finished(artifacts: LocalArtifacts) -> None:
    """Hours of listing must not be repeated because the other bucket failed."""
    with pytest.raises(StoreFault):
        await taken(artifacts, Failing("SlowDown"), page_max=4)
    assert artifacts.index(destination_name(1)) is not None
    store = ListedBuckets(BUCKETS)
    await taken(artifacts, store)
    assert set(store.pages_given) == {"source", "one"}


def test_another_artefact_is_no_inventory(artifacts: LocalArtifacts) -> None:
    """Rows of other columns would be decoded into wrong fields."""
    with artifacts.writer(SOURCE, columns=("key",), inputs={}) as writer:
        writer.write(("a",))
        writer.commit({})
    with pytest.raises(ArtifactDamagedError, match="no inventory"):
        listed_entries(artifacts, SOURCE)
