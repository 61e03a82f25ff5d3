"""List buckets to the end, at the same time, into sorted artefacts; read them back joined.

Never sorts (S3 lists in order, and the laws check it) and never writes to a bucket.
Law: an inventory artefact exists only if every page of its listing was lawful.

A finished listing is reused by the same run. One that was interrupted starts again at the
beginning of its bucket; the other buckets' finished listings stand.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.errors import ArtifactDamagedError
from backfill.events import BucketListed
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.listing_laws import ListingLaws
from backfill.inventory.prefixes import disjoint_prefixes
from backfill.inventory.rows import COLUMNS, entries_of, row_of
from backfill.inventory.totals import InventoryTotals, summary_of
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.ports import (
    ArtifactIndex,
    ArtifactStore,
    Events,
    ObjectStore,
    ProgressCounts,
    RowWriter,
)
from backfill.settings import LIST_PAGE_MAX

SOURCE: Final = "inventory/source"
ALL_KEYS: Final = ("",)
LISTINGS_MAX: Final = 8
"""Buckets listed at the same time. Most campaigns have two; eight keep one core busy."""


def destination_name(number: int) -> str:
    """Return the artefact name of a destination's inventory."""
    return f"inventory/destination-{number:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketListing:
    """A bucket to list, the identity's view to list it with, and the artefact to list it into."""

    name: str
    place: BucketPlace
    store: ObjectStore


async def take_inventory(
    listings: Sequence[BucketListing],
    *,
    artifacts: ArtifactStore,
    events: Events,
    run_id: str,
    prefixes: tuple[str, ...] = ALL_KEYS,
    page_max: int = LIST_PAGE_MAX,
) -> tuple[ArtifactIndex, ...]:
    """List all buckets and return the index of each artefact, in the order given.

    `run_id` says which run's listings may be reused; a later look (verify) names another one.

    Raises:
        ListingStuckError: a server breaks the laws of listing.
        StoreFault: a bucket cannot be listed; the finished listings of others stand.
        RefusedError: the run directory cannot be written.
    """
    assert prefixes == disjoint_prefixes(prefixes), "prefixes are disjoint and sorted"
    job = _Inventory(
        artifacts=artifacts, events=events, run_id=run_id, prefixes=prefixes, page_max=page_max
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job.index_of(listing)) for listing in listings]
    except BaseExceptionGroup as failures:
        # The first failure cancelled the others, so it is the one to tell.
        raise failures.exceptions[0] from None
    return tuple(task.result() for task in tasks)


def listed_entries(artifacts: ArtifactStore, name: str) -> Iterator[ListedEntry]:
    """Stream the entries of one inventory.

    Raises:
        ArtifactDamagedError: it is missing, damaged, or not an inventory.
    """
    rows = artifacts.rows(name)
    index = artifacts.index(name)
    if index is None or index.columns != COLUMNS:
        raise ArtifactDamagedError(
            f"{name} is no inventory of this version of backfill",
            hint="delete the inventory folder of the run directory and run it again",
        )
    return entries_of(rows)


def joined_inventory(artifacts: ArtifactStore, *, destinations: int) -> Iterator[KeyGroup]:
    """Stream the campaign's inventory by key: the source with each destination."""
    return key_groups(
        listed_entries(artifacts, SOURCE),
        [listed_entries(artifacts, destination_name(number)) for number in range(destinations)],
    )


class _Inventory:
    """One taking of inventories: what its listings share."""

    def __init__(
        self,
        *,
        artifacts: ArtifactStore,
        events: Events,
        run_id: str,
        prefixes: tuple[str, ...],
        page_max: int,
    ) -> None:
        self._artifacts = artifacts
        self._events = events
        self._run_id = run_id
        self._prefixes = prefixes
        self._page_max = page_max
        self._turns = asyncio.Semaphore(LISTINGS_MAX)
        self._listed = 0

    async def index_of(self, listing: BucketListing) -> ArtifactIndex:
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
        async with self._turns:
            with self._artifacts.writer(listing.name, columns=COLUMNS, inputs=inputs) as writer:
                totals = await self._list(listing, writer)
                index = writer.commit(summary_of(totals))
        assert index.rows == totals.rows, "what was counted is what was written"
        self._events.emit(
            BucketListed(
                bucket=place.bucket,
                versions=totals.versions,
                delete_markers=totals.delete_markers,
                pages=totals.pages,
            )
        )
        return index

    async def _list(self, listing: BucketListing, writer: RowWriter) -> InventoryTotals:
        totals = InventoryTotals()
        for prefix in self._prefixes:
            laws = ListingLaws(listing.place.bucket, prefix)
            is_truncated = True
            # Finite: the laws admit only pages that advance.
            while is_truncated:
                page = await listing.store.list_object_versions(
                    listing.place, prefix=prefix, after=laws.position, max_keys=self._page_max
                )
                entries = laws.admit(page)
                for entry in entries:
                    writer.write(row_of(entry))
                totals = totals.with_page(entries)
                self._count(len(entries))
                is_truncated = page.next_position is not None
        return totals

    def _count(self, entries: int) -> None:
        self._listed += entries
        self._events.progress(ProgressCounts(stage="inventory", done=self._listed))
