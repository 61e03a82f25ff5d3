"""The rows of one key and destination that are written as a history, held packed.

A manifest has them newest first, and they are written oldest first: so all of a key are held, and
what a version takes is some hundred bytes.
Never reads a store.
Law: the rows that come out are those that were put in, in either order.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of, row_of
from backfill.model.outcome import Outcome
from backfill.plan.routes import Handling, Route
from backfill.ports import Journal

PACK_ROWS: Final = 256
"""Rows packed together: most keys have fewer and are never packed, and unpacking takes about a
millisecond."""
_QUICK: Final = 1
"""Of zlib's levels. What is left are version IDs and ETags, which no level makes smaller."""


class HistoryRows:
    """The rows of a history. Added newest first, as the manifest has them."""

    def __init__(self) -> None:
        self._packs: list[bytes] = []
        self._last: list[ManifestEntry] = []
        self.count = 0

    def add(self, entry: ManifestEntry) -> None:
        """Add the next older row."""
        self._last.append(entry)
        self.count += 1
        if len(self._last) == PACK_ROWS:
            text = json.dumps([row_of(each) for each in self._last], separators=(",", ":"))
            self._packs.append(zlib.compress(text.encode(), _QUICK))
            self._last = []

    def newest_first(self) -> Iterator[ManifestEntry]:
        """Give all rows, newest first."""
        for pack in self._packs:
            yield from _unpacked(pack)
        yield from self._last

    def oldest_first(self) -> Iterator[ManifestEntry]:
        """Give all rows, oldest first."""
        yield from reversed(self._last)
        for pack in reversed(self._packs):
            yield from reversed(_unpacked(pack))

    @property
    def oldest(self) -> ManifestEntry:
        """Return the row that is written first."""
        return next(self.oldest_first())


def _unpacked(pack: bytes) -> list[ManifestEntry]:
    return [entry_of(row) for row in json.loads(zlib.decompress(pack))]


@dataclass(slots=True, kw_only=True)  # grows row by row
class History:
    """One key's work for one destination. `newest` is its last write."""

    newest: ManifestEntry
    rows: HistoryRows = field(default_factory=HistoryRows)
    has_large: bool = False

    @property
    def key(self) -> str:
        """Return the key."""
        return self.newest.key

    @property
    def destination(self) -> int:
        """Return the destination's number."""
        return self.newest.destination

    def add(self, entry: ManifestEntry) -> None:
        """Take the next older row."""
        self.has_large = self.has_large or entry.route is Route.MULTIPART_COPY
        # One string for all of them: a key takes more than the rest of its row may.
        self.rows.add(entry._replace(key=self.key))


@dataclass(slots=True)  # grows row by row
class Histories:
    """Takes rows in a manifest's order and gives the histories of each key once it has ended.

    `is_large`, `count`: as of `blocks.Cutter`.
    """

    journal: Journal
    is_large: bool | None
    count: Callable[[Outcome], None]
    _open: dict[int, History] = field(default_factory=dict)
    _ended: list[History] = field(default_factory=list)
    rows_ended: int = 0

    def take(self, rows: Sequence[ManifestEntry]) -> list[ManifestEntry]:
        """Take the rows of histories; return the others."""
        others: list[ManifestEntry] = []
        for row in rows:
            self.end_before(row.key)
            if not row.handling & Handling.HISTORY:
                others.append(row)
                continue
            history = self._open.get(row.destination)
            if history is None:
                history = self._open[row.destination] = History(newest=row)
            history.add(row)
        return others

    def end_before(self, key: str | None) -> None:
        """End the histories of any other key: its rows have all been passed."""
        if not self._open or next(iter(self._open.values())).key == key:
            return
        for _, history in sorted(self._open.items()):
            # Whose history it is tell all of its rows, whatever has come of them meanwhile.
            if self.is_large is None or self.is_large is history.has_large:
                self._end(history)
        self._open.clear()

    def ended(self, *, end_all: bool = False) -> list[History]:
        """Return the histories that ended since this was asked; `end_all`: no row follows."""
        if end_all:
            self.end_before(None)
        ended, self._ended, self.rows_ended = self._ended, [], 0
        return ended

    def _end(self, history: History) -> None:
        left = history.rows.count
        if self.journal.has_outcome(history.newest.number, history.rows.oldest.number + 1):
            for row in history.rows.newest_first():
                outcome = self.journal.outcome(row.number)
                if outcome is not None:
                    left -= 1
                    self.count(outcome)
        if left:
            self._ended.append(history)
            self.rows_ended += left


def is_of_history(row: ManifestEntry) -> bool:
    """Return whether a row is written as one version of a history."""
    return bool(row.handling & Handling.HISTORY)
