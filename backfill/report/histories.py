"""Histories that copies carried: how many, what is proven of them, and what no copy keeps.

Never holds more of a key than whether all of it is proven so far.
Law: a history is proven when nothing is wrong with any version of it that went.
"""

from dataclasses import dataclass, field
from typing import Final

from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Handling
from backfill.plan.totals import NOT_KEPT
from backfill.report.tally import ReportRow

MAP: Final = "rows.csv has both version IDs of each version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """Keys that went with all of their versions, each for every destination.

    Attributes:
        keys: How many such keys.
        proven_keys: Those of which every version that went is proven equal.
        versions: Their object versions that had to go.
        delete_markers: Their delete markers that had to go.
        not_kept: What a copy cannot keep; empty where no history went.
    """

    keys: int
    proven_keys: int
    versions: int
    delete_markers: int
    not_kept: str


@dataclass(slots=True)  # grows row by row
class HistoryCount:
    """Counts the rows of histories, in plan order: those of a key stand together."""

    _keys: int = 0
    _proven: int = 0
    _versions: int = 0
    _markers: int = 0
    _open: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """Of each destination the last key that is a history, and whether it is proven so far."""

    def add(self, row: ReportRow, key: str) -> None:
        """Count a row of this key that is like the one given."""
        entry = row.entry
        assert entry is not None, "an extra version is of no history"
        is_proven = row.verdict is not None and row.verdict.is_good
        known = self._open.get(entry.destination)
        if known is None or known[0] != key:
            self._close(known)
            self._keys += 1
            known = (key, True)
        self._open[entry.destination] = (key, known[1] and is_proven)
        self._versions += not entry.is_delete_marker
        self._markers += entry.is_delete_marker

    def _close(self, known: tuple[str, bool] | None) -> None:
        self._proven += known is not None and known[1]

    def total(self) -> Histories:
        """Return the counts, once all rows were given."""
        for known in self._open.values():
            self._close(known)
        self._open.clear()
        return Histories(
            keys=self._keys,
            proven_keys=self._proven,
            versions=self._versions,
            delete_markers=self._markers,
            not_kept=f"{NOT_KEPT}; {MAP}" if self._keys else "",
        )


def went_as_history(entry: PlanEntry | None) -> bool:
    """Return whether a row is carried as part of a history."""
    return entry is not None and bool(entry.handling) and Handling.HISTORY in entry.handling
