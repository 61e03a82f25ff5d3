"""List buckets to the end, at the same time, into sorted artefacts; read them back joined.

Never sorts (S3 lists in order, and the laws check it) and never writes to a bucket.
Law: an inventory artefact exists only if every page of its listing was lawful.

A bucket begins with one page. While it goes on, whoever is idle takes the upper half of the range
with the most left to list. A finished listing is reused by the same run; of one that was
interrupted the sealed stretches stand, and only the gaps between them are listed.
"""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

from backfill.errors import ArtifactDamagedError, ListingStuckError
from backfill.events.runs import BucketListed, ListedSerially
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.lister import BucketLister, BucketListing
from backfill.inventory.prefixes import disjoint_prefixes
from backfill.inventory.ranges import OpenRange
from backfill.inventory.rows import COLUMNS, entries_of
from backfill.inventory.totals import InventoryTotals
from backfill.model.objects import ListedEntry
from backfill.model.rows import Scalar
from backfill.ports import ArtifactIndex, ArtifactStore, Events, ProgressCounts
from backfill.settings import LIST_PAGE_MAX, Settings

SOURCE: Final = "inventory/source"
ALL_KEYS: Final = ("",)
CONCURRENCY: Final = Settings().listing_concurrency


def destination_name(number: int) -> str:
    """Return the artefact name of a destination's inventory."""
    return f"inventory/destination-{number:02d}"


async def take_inventory(
    listings: Sequence[BucketListing],
    *,
    artifacts: ArtifactStore,
    events: Events,
    run_id: str,
    prefixes: tuple[str, ...] = ALL_KEYS,
    page_max: int = LIST_PAGE_MAX,
    concurrency: int = CONCURRENCY,
) -> tuple[ArtifactIndex, ...]:
    """List all buckets and return the index of each artefact, in the order given.

    `run_id` says which run's listings may be reused; a later look (verify) names another one.
    `concurrency` is how many pages may be in flight, over all buckets.

    Raises:
        ListingStuckError: a server breaks the laws of listing.
        StoreFault: a bucket cannot be listed; the finished listings of others stand.
        RefusedError: the run directory cannot be written.
    """
    assert prefixes == disjoint_prefixes(prefixes), "prefixes are disjoint and sorted"
    assert concurrency > 0, "there is a page in flight"
    inventory = _Inventory(
        artifacts=artifacts,
        events=events,
        run_id=run_id,
        prefixes=prefixes,
        page_max=page_max,
        turns=concurrency,
    )
    try:
        return await inventory.indexes_of(listings)
    except BaseExceptionGroup as failures:
        # The first failure cancelled the others, so it is the one to tell.
        raise failures.exceptions[0] from None


def listed_entries(artifacts: ArtifactStore, name: str) -> Iterator[ListedEntry]:
    """Stream the entries of one inventory.

    Raises:
        ArtifactDamagedError: it is missing, damaged, or not an inventory.
    """
    rows = artifacts.rows(name)
    _require_inventory(artifacts, name)
    return entries_of(rows)


def _require_inventory(artifacts: ArtifactStore, name: str) -> None:
    index = artifacts.index(name)
    if index is None or index.columns != COLUMNS:
        raise ArtifactDamagedError(
            f"{name} is no inventory of this version of backfill",
            hint="delete the inventory folder of the run directory and run it again",
        )


def listed_blocks(artifacts: ArtifactStore, name: str) -> Iterator[list[list[Scalar]]]:
    """Stream the rows of one inventory in blocks; raises what `listed_entries` raises."""
    blocks = artifacts.row_blocks(name)
    _require_inventory(artifacts, name)
    return blocks


def joined_inventory(artifacts: ArtifactStore, *, destinations: int) -> Iterator[KeyGroup]:
    """Stream the campaign's inventory by key: the source with each destination."""
    return key_groups(
        listed_entries(artifacts, SOURCE),
        [listed_entries(artifacts, destination_name(number)) for number in range(destinations)],
    )


class _Inventory:
    """One taking of inventories: its turns go to ranges that wait, then to halves of open ones."""

    def __init__(
        self,
        *,
        artifacts: ArtifactStore,
        events: Events,
        run_id: str,
        prefixes: tuple[str, ...],
        page_max: int,
        turns: int,
    ) -> None:
        self._artifacts = artifacts
        self._events = events
        self._run_id = run_id
        self._prefixes = prefixes
        self._page_max = page_max
        self._turns = turns
        self._listed = 0
        self._listers: list[BucketLister] = []
        self._waiting: deque[tuple[BucketLister, OpenRange]] = deque()
        self._group = asyncio.TaskGroup()
        self._writers = ExitStack()

    async def indexes_of(self, listings: Sequence[BucketListing]) -> tuple[ArtifactIndex, ...]:
        """List all buckets at the same time."""
        # The writers outlive the group: a group cancels its tasks in no order, and a range that is
        # cancelled seals what it has.
        with self._writers:
            async with self._group as group:
                tasks = [group.create_task(self._index_of(listing)) for listing in listings]
        return tuple(task.result() for task in tasks)

    async def _index_of(self, listing: BucketListing) -> ArtifactIndex:
        """Return the finished artefact of a bucket, listed now unless this run has it already."""
        place = listing.place
        inputs = {
            "bucket": f"{place.expected_owner}/{place.region}/{place.bucket}",
            "prefixes": hashlib.sha256(json.dumps(self._prefixes).encode()).hexdigest(),
            "run": self._run_id,
        }
        index = self._artifacts.index(listing.name)
        if index is not None and index.inputs == inputs and index.columns == COLUMNS:
            self._count(index.rows)
            return index
        writer = self._writers.enter_context(
            self._artifacts.stretched_writer(listing.name, columns=COLUMNS, inputs=inputs)
        )
        lister = BucketLister(
            listing,
            writer,
            prefixes=self._prefixes,
            page_max=self._page_max,
            on_page=self._turn,
        )
        index, totals = await self._listed_by(lister, place.bucket)
        self._events.emit(
            BucketListed(
                bucket=place.bucket,
                versions=totals.versions,
                delete_markers=totals.delete_markers,
                pages=totals.pages,
                ranges=lister.ranges,
            )
        )
        return index

    async def _listed_by(
        self, lister: BucketLister, bucket: str
    ) -> tuple[ArtifactIndex, InventoryTotals]:
        """List a bucket by ranges; serially where the server's ranges cannot be believed."""
        try:
            return await self._list(lister, lister.begin())
        except ListingStuckError as fault:
            if not lister.is_cut:
                lister.forget()
                raise
            self._events.emit(ListedSerially(bucket=bucket, cause=str(fault)))
        try:
            return await self._list(lister, lister.begin_serially())
        except ListingStuckError:
            lister.forget()
            raise

    async def _list(
        self, lister: BucketLister, ranges: Sequence[OpenRange]
    ) -> tuple[ArtifactIndex, InventoryTotals]:
        self._count(lister.listed_rows)
        self._waiting.extend((lister, one) for one in ranges)
        self._listers.append(lister)
        try:
            self._give_turns()
            await lister.all_ended()
            if lister.fault is not None:
                raise lister.fault
            return await lister.finish()
        finally:
            self._listers.remove(lister)

    def _turn(self, rows: int) -> None:
        """Count a page, and let what it taught be used."""
        self._count(rows)
        self._give_turns()

    def _give_turns(self) -> None:
        # Finite: each turn of the loops takes a turn of ours, or a range that is not cut again
        # before its next page.
        while self._turns and self._waiting:
            self._start(*self._waiting.popleft())
        while self._turns:
            value, lister, open_range = 0.0, None, None
            for one in self._listers:
                its_value, its_range = one.most_left()
                if its_value > value:
                    value, lister, open_range = its_value, one, its_range
            if lister is None or open_range is None:
                return
            upper = lister.cut(open_range)
            if upper is not None:
                self._start(lister, upper)

    def _start(self, lister: BucketLister, open_range: OpenRange) -> None:
        self._turns -= 1
        self._group.create_task(self._run(lister, open_range))

    async def _run(self, lister: BucketLister, open_range: OpenRange) -> None:
        try:
            await lister.list_range(open_range)
        finally:
            self._turns += 1
        self._give_turns()

    def _count(self, entries: int) -> None:
        self._listed += entries
        self._events.progress(ProgressCounts(stage="inventory", done=self._listed))
