"""A listing that is cancelled, or fails, keeps what it has listed for whoever resumes."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

from backfill.errors import StoreFault
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import SOURCE, destination_name, listed_entries, take_inventory
from backfill.inventory.stretches import stretch_of
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.stretches import LOG_FILE
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from tests.doubles import known_versions
from tests.doubles.key_spaces import SHAPES, SlowBucket, entry, single
from tests.doubles.listings import KeptEvents, place

NAMES = (SOURCE, destination_name(0))
CONCURRENCY = 8
PAGE_MAX = 50


class Asked(SlowBucket):
    """Keeps behind which key each page was asked for; the first one is behind the empty string."""

    def __init__(self, entries: Sequence[ListedEntry]) -> None:
        super().__init__(entries)
        self.behind: list[str] = []

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        self.behind.append(after.key if after is not None else "")
        return await super().list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )


def was_cancelled(
    buckets: Sequence[SlowBucket], folder: Path, events: KeptEvents, *, at_round: int | None
) -> bool:
    """List buckets, and return whether the listing was cancelled, in that round of the loop."""
    loop = VirtualTimeLoop(random=Random(at_round))
    listing = loop.create_task(
        take_inventory(
            [
                BucketListing(name=name, place=place(name), store=bucket.port)
                for name, bucket in zip(NAMES, buckets, strict=False)
            ],
            artifacts=LocalArtifacts(folder),
            events=events,
            run_id="RUN",
            page_max=PAGE_MAX,
            concurrency=CONCURRENCY,
        )
    )

    def cancel() -> None:
        listing.cancel()

    if at_round is not None:
        loop.after_steps(at_round, cancel)
    try:
        loop.run_until_complete(listing)
    except asyncio.CancelledError:
        return True
    finally:
        loop.close()
        assert not loop.unhandled, "whatever else a task raised"
    return False


def kept_of(folder: Path, name: str) -> tuple[list[tuple[str, str | None]], int]:
    """Return behind which key and up to which one a cancelled listing is kept, and its rows."""
    index = LocalArtifacts(folder).index(name)
    if index is not None:
        return [("", None)], index.rows
    log = folder / name / LOG_FILE
    lines = log.read_bytes().splitlines()[1:] if log.exists() else []
    entered = [json.loads(line[9:]) for line in lines]
    stretches = [stretch_of(note) for _, _, note in entered]
    rows = sum(cells[0] for _, cells, _ in entered if cells)
    return [(one.start_key or "", one.end_key) for one in stretches], rows


def test_a_listing_of_two_buckets_is_cancelled_at_any_moment(tmp_path: Path) -> None:
    """Ctrl-C would be told as a bug, and what every open range holds would be listed again."""
    shapes = [SHAPES["hexadecimal"](2_000), SHAPES["hexadecimal"](1_500)]
    at_round = 1
    while True:
        folder, events = tmp_path / str(at_round), KeptEvents()
        if not was_cancelled([Asked(one) for one in shapes], folder, events, at_round=at_round):
            break
        kept = [kept_of(folder, name) for name in NAMES]
        told = events.newest.done if events.newest is not None else 0
        # Each open range holds back the last key of its last page.
        assert sum(rows for _, rows in kept) >= told - CONCURRENCY
        resumed = [Asked(one) for one in shapes]
        assert not was_cancelled(resumed, folder, KeptEvents(), at_round=None)
        for name, entries, bucket, (spans, _) in zip(NAMES, shapes, resumed, kept, strict=True):
            assert list(listed_entries(LocalArtifacts(folder), name)) == entries
            for first, upto in spans:
                assert not [b for b in bucket.behind if first <= b and (upto is None or b < upto)]
        at_round += 3
    assert at_round > 30, "it was cancelled at its beginning, on its way and near its end"


class Failing(Asked):
    """Fails at one page, for good."""

    def __init__(self, entries: Sequence[ListedEntry], *, at_page: int) -> None:
        super().__init__(entries)
        self._pages_left = at_page

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        self._pages_left -= 1
        if self._pages_left == 0:
            raise known_versions.fault("InternalError", 500, "ListObjectVersions")
        return await super().list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )


def test_a_listing_that_fails_at_any_page_keeps_what_its_ranges_hold(tmp_path: Path) -> None:
    """If this fails, one bad minute of the store lists again what the failing range had read."""
    entries = SHAPES["hexadecimal"](2_000)
    at_page = 1
    while True:
        folder, events = tmp_path / str(at_page), KeptEvents()
        try:
            was_cancelled([Failing(entries, at_page=at_page)], folder, events, at_round=None)
        except StoreFault:
            spans, rows = kept_of(folder, SOURCE)
        else:
            break
        told = events.newest.done if events.newest is not None else 0
        assert rows >= told - CONCURRENCY
        resumed = Asked(entries)
        assert not was_cancelled([resumed], folder, KeptEvents(), at_round=None)
        assert list(listed_entries(LocalArtifacts(folder), SOURCE)) == entries
        for first, upto in spans:
            assert not [b for b in resumed.behind if first <= b and (upto is None or b < upto)]
        at_page += 1
    assert at_page > 30, "it failed at its beginning, on its way and near its end"


def test_a_chain_too_long_to_be_held_is_resumed_whole(tmp_path: Path) -> None:
    """Its written head would pass for all of it: the versions behind that are lost for good."""
    chain = [entry("m", depth) for depth in range(2_400)]
    entries = [*single(["a", "b"]), *chain, *single(["x", "y"])]
    at_round, longest = 1, 0
    while True:
        folder, events = tmp_path / str(at_round), KeptEvents()
        if not was_cancelled([SlowBucket(entries)], folder, events, at_round=at_round):
            break
        longest = max(longest, kept_of(folder, SOURCE)[1])
        assert not was_cancelled([SlowBucket(entries)], folder, KeptEvents(), at_round=None)
        assert list(listed_entries(LocalArtifacts(folder), SOURCE)) == entries
        at_round += 4
    assert longest > 1_000, "it was cancelled amid what was written of the chain"
