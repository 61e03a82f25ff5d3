"""The lister of one bucket: carries out ranges, seals stretches, and proves that they meet.

Never decides when a range is listed or cut (`run` does), and never cuts a version chain.
Law: what is committed equals one serial listing; where that cannot be shown, one is made.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from backfill.errors import ListingStuckError, StoreFault
from backfill.inventory.columns import Columns
from backfill.inventory.effort import Effort
from backfill.inventory.listing_laws import ListingLaws, unbelievable
from backfill.inventory.ranges import OpenRange
from backfill.inventory.stretches import (
    Stretch,
    bad_junctions,
    laid_out,
    resumable_layout,
    stretch_of,
)
from backfill.inventory.totals import InventoryTotals, summary_of
from backfill.model.listed import Cells
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.ports import ArtifactIndex, ObjectStore, StretchedWriter

_SAMPLES: Final = 16
"""Keys of a page that teach the alphabet: it needs characters, not keys."""
_LOOKS_MAX: Final = 3
"""At a junction that does not fit. In a bucket in use one look is enough, but for bad luck."""
_LOOK_PAGES_MAX: Final = 10
"""Pages of keys that came between the two sides of a junction since it was listed."""

_HELD_MAX: Final = 1000
"""Rows of one key that wait for its end: a page of them, in each of a hundred ranges."""

_key_of = itemgetter(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketListing:
    """A bucket to list, the identity's view to list it with, and the artefact to list it into."""

    name: str
    place: BucketPlace
    store: ObjectStore


# Not frozen: it grows by every page.
@dataclass(slots=True, kw_only=True)
class _Draft:
    """A stretch being written; the rows that are `held` are those of the last key seen."""

    number: int
    start: VersionsPosition | None
    is_first: bool
    totals: InventoryTotals = field(default_factory=InventoryTotals)
    last: VersionsPosition | None = None
    held: Sequence[Cells] = ()

    def admit(self, rows: Sequence[Cells], *, is_last: bool) -> Sequence[Cells]:
        """Take rows, and return those to be written now: all but the last key's, which may go on.

        A stretch that ends amid a key could only be followed from a version, and that may be
        deleted before a successor comes. A key of very many versions is not held.
        """
        rows = [*self.held, *rows]
        written = len(rows)
        if rows and not is_last:
            key = rows[-1][0]
            begun = {
                self.last and self.last.key,
                self.start and self.start.version_id and self.start.key,
            }
            first = bisect_left(rows, key, key=_key_of)
            if key not in begun and written - first <= _HELD_MAX:
                written = first
        self.held, rows = rows[written:], rows[:written]
        self.totals = self.totals.with_page(rows)
        if rows:
            self.last = VersionsPosition(rows[-1][0], VersionId(rows[-1][1]))
        return rows

    @property
    def end(self) -> VersionsPosition | None:
        """Return what it holds up to: all versions of a key, or one of a key that goes on."""
        assert self.last is not None, "what is sealed amid a range holds something"
        return VersionsPosition(self.last.key) if self.held else self.last


class BucketLister:
    """Lists one bucket; its ranges are run by whoever made it, as many at once as it likes."""

    def __init__(
        self,
        listing: BucketListing,
        writer: StretchedWriter,
        *,
        prefixes: tuple[str, ...],
        page_max: int,
        on_page: Callable[[int], None],
    ) -> None:
        self._listing = listing
        self._writer = writer
        self._prefixes = prefixes
        self._page_max = page_max
        self._on_page = on_page
        self._columns = Columns()
        self._effort = Effort()
        self._open: dict[OpenRange, None] = {}
        self._is_serial = False
        self.is_cut = False
        """Whether it is not one serial listing, so that a serial one may do better."""
        self._ended = asyncio.Event()
        self.fault: ListingStuckError | None = None
        """Why its ranges cannot be believed; all of them end then."""
        self.ranges = 0

    def begin(self) -> Sequence[OpenRange]:
        """Return the ranges that are still to be listed; the stretches that stand are kept."""
        stretches = self._sealed()
        layout = resumable_layout(stretches, prefixes=len(self._prefixes))
        self.is_cut = bool(stretches)
        for gap in layout.gaps:
            prefix = self._prefixes[gap.prefix]
            self._open[OpenRange(prefix=prefix, start=gap.start, upto=gap.upto)] = None
        self._end_if_done()
        return tuple(self._open)

    def begin_serially(self) -> Sequence[OpenRange]:
        """Forget everything, and return a range for each prefix that is not to be cut."""
        self.forget()
        self._is_serial, self.fault = True, None
        self._ended.clear()
        return self.begin()

    def forget(self) -> None:
        """Leave nothing of a listing that cannot be believed."""
        self._writer.discard()

    @property
    def listed_rows(self) -> int:
        """Return the rows of the stretches that stand."""
        return sum(stretch.totals.rows for stretch in self._sealed().values())

    def most_left(self) -> tuple[float, OpenRange | None]:
        """Return the range with the most to be listed, if it is worth another request to cut it."""
        best, value = None, 0.0
        if not self._is_serial and self._effort.allows(len(self._open)):
            for one in self._open:
                its_value = one.value(self._columns, self._effort.page_rows)
                if its_value > value:
                    best, value = one, its_value
        return value, best

    def cut(self, open_range: OpenRange) -> OpenRange | None:
        """Cut a range and return the upper part, to be listed by another; None: it cannot be."""
        upper = open_range.cut(self._columns)
        if upper is not None:
            self._open[upper] = None
            self.is_cut = True
        return upper

    async def list_range(self, open_range: OpenRange) -> None:
        """List a range to its end, or until `fault` is set.

        Raises:
            StoreFault: the bucket cannot be listed.
        """
        try:
            await self._scan(open_range)
        except ListingStuckError as fault:
            self.fault = self.fault or fault
        finally:
            self._open.pop(open_range, None)
            self._end_if_done()

    async def all_ended(self) -> None:
        """Return when no range is open."""
        await self._ended.wait()

    async def finish(self) -> tuple[ArtifactIndex, InventoryTotals]:
        """Prove that the ranges meet, and commit.

        Raises:
            ListingStuckError: they do not.
        """
        stretches = self._sealed()
        layout = laid_out(stretches, prefixes=len(self._prefixes))
        assert not layout.gaps, "every range was listed"
        in_order = [stretches[number] for number in layout.order]
        totals = InventoryTotals()
        for stretch in in_order:
            totals += stretch.totals
        for left, right in bad_junctions(in_order):
            await self._look_again(left, right)
        index = self._writer.commit(layout.order, summary_of(totals))
        assert index.rows == totals.rows, "what was counted is what was written"
        self.ranges = sum(stretch.is_first for stretch in in_order)
        return index, totals

    async def _scan(self, open_range: OpenRange) -> None:
        start = open_range.start
        laws = ListingLaws(self._listing.place.bucket, open_range.prefix, start)
        # Behind a version, not a cut, it goes on with what was listed before.
        is_first = start is None or start.version_id is None
        draft = _Draft(number=self._writer.begin(), start=start, is_first=is_first)
        # Finite: the laws admit only pages that advance.
        while self.fault is None:
            try:
                page = await self._page(open_range.prefix, laws.position)
            except (asyncio.CancelledError, StoreFault):
                # Whoever resumes need not list it again.
                if draft.last is not None:
                    self._seal(draft, open_range, is_last=False)
                raise
            entries = laws.admit(page)
            kept = _up_to(entries, open_range.upto)
            is_last = len(kept) < len(entries) or page.next_position is None
            self._note(open_range, entries, len(kept))
            rows = draft.admit(kept, is_last=is_last)
            is_full = bool(rows) and self._writer.write(draft.number, rows)
            if is_last or is_full:
                self._seal(draft, open_range, is_last=is_last)
            if is_last:
                # Before anybody is given a turn: what has ended is not cut any more.
                self._open.pop(open_range)
            self._answer(open_range, len(kept))
            self._on_page(len(kept))
            if is_last:
                return
            if is_full:
                draft = _Draft(
                    number=self._writer.begin(), start=draft.end, is_first=False, held=draft.held
                )

    def _note(self, open_range: OpenRange, entries: Sequence[Cells], kept: int) -> None:
        """Learn from a page, of which so many entries are of the range."""
        self._effort.note(given=len(entries), kept=kept)
        first = entries[0][0] if entries else None
        open_range.advance(first, entries[kept - 1][0] if kept else None, kept)
        if kept < len(entries):
            open_range.beyond = entries[kept][0]
        if kept:
            self._columns.learn(entry[0] for entry in entries[:: len(entries) // _SAMPLES + 1])

    def _seal(self, draft: _Draft, open_range: OpenRange, *, is_last: bool) -> None:
        start, last, totals = draft.start, draft.last, draft.totals
        if not is_last:
            end = draft.end
        else:
            end = VersionsPosition(open_range.upto) if open_range.upto is not None else None
        note = Stretch(
            prefix=self._prefixes.index(open_range.prefix),
            start_key=start.key if start else None,
            start_version_id=start.version_id if start else None,
            end_key=end.key if end else None,
            end_version_id=end.version_id if end else None,
            last_key=last.key if last else None,
            last_version_id=last.version_id if last else None,
            is_first=draft.is_first,
            is_last=is_last,
            first=open_range.first,
            beyond=open_range.beyond,
            keys=totals.keys,
            keys_current=totals.keys_current,
            versions=totals.versions,
            delete_markers=totals.delete_markers,
            size_bytes=totals.size_bytes,
            pages=totals.pages,
        )
        self._writer.seal(draft.number, note)

    def _answer(self, open_range: OpenRange, kept: int) -> None:
        """Tell the range that gave this one away, at its first page, whether that was worth it."""
        if open_range.parent is not None:
            is_worth = 2 * kept > self._effort.page_rows
            open_range.parent.answer(is_worth=is_worth, is_outward=open_range.is_outward)
            # A chain of parents would keep every range in memory.
            open_range.parent = None

    async def _look_again(self, left: Stretch, right: Stretch) -> None:
        """Show that two neighbours meet now: what follows the one is what the other begins with.

        Where only keys came or went since, they do.
        """
        prefix, upto = self._prefixes[left.prefix], right.start_key
        assert upto is not None, "a cut lies between"
        for _ in range(_LOOKS_MAX):
            before = await self._first_beyond(prefix, left.seen_to, upto)
            if before == await self._first_beyond(prefix, VersionsPosition(upto), upto):
                return
        raise unbelievable(self._listing.place.bucket, left.last_key)

    async def _first_beyond(
        self, prefix: str, start: VersionsPosition | None, upto: str
    ) -> str | None:
        laws = ListingLaws(self._listing.place.bucket, prefix, start)
        for _ in range(_LOOK_PAGES_MAX):
            page = await self._page(prefix, laws.position)
            entries = laws.admit(page)
            inside = len(_up_to(entries, upto))
            if inside < len(entries):
                return entries[inside][0]
            if page.next_position is None:
                return None
        raise unbelievable(self._listing.place.bucket, upto)

    async def _page(self, prefix: str, after: VersionsPosition | None) -> VersionsPage:
        listing = self._listing
        return await listing.store.list_object_versions(
            listing.place, prefix=prefix, after=after, max_keys=self._page_max
        )

    def _sealed(self) -> dict[int, Stretch]:
        return {number: stretch_of(note) for number, note in self._writer.sealed().items()}

    def _end_if_done(self) -> None:
        if not self._open:
            self._ended.set()


def _up_to(entries: Sequence[Cells], upto: str | None) -> Sequence[Cells]:
    if upto is None or not entries or entries[-1][0] <= upto:
        return entries
    return entries[: bisect_right(entries, upto, key=_key_of)]
