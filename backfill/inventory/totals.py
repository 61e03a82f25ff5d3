"""Totals of one bucket's inventory; they are the `summary` of its artefact.

Never estimated: counted from the rows that were written.
Law: `versions + delete_markers` is the number of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter, itemgetter

from backfill.errors import ArtifactDamagedError
from backfill.model.objects import ListedEntry, ObjectVersion

_is_latest = itemgetter(2)
_size_bytes = attrgetter("size_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryTotals:
    """Counts of one bucket. `keys` counts chains, `keys_current` those that are not deleted.

    `size_bytes` is of all versions, current or not; `pages` counts listing requests.
    """

    keys: int = 0
    keys_current: int = 0
    versions: int = 0
    delete_markers: int = 0
    size_bytes: int = 0
    pages: int = 0

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self.versions + self.delete_markers

    def with_page(self, entries: Sequence[ListedEntry]) -> "InventoryTotals":
        """Return the totals with one more page."""
        versions = [entry for entry in entries if isinstance(entry, ObjectVersion)]
        return InventoryTotals(
            keys=self.keys + sum(map(_is_latest, entries)),
            keys_current=self.keys_current + sum(map(_is_latest, versions)),
            versions=self.versions + len(versions),
            delete_markers=self.delete_markers + len(entries) - len(versions),
            size_bytes=self.size_bytes + sum(map(_size_bytes, versions)),
            pages=self.pages + 1,
        )

    def __add__(self, other: "InventoryTotals") -> "InventoryTotals":
        """Return the totals of two parts of a listing."""
        return InventoryTotals(
            keys=self.keys + other.keys,
            keys_current=self.keys_current + other.keys_current,
            versions=self.versions + other.versions,
            delete_markers=self.delete_markers + other.delete_markers,
            size_bytes=self.size_bytes + other.size_bytes,
            pages=self.pages + other.pages,
        )


def summary_of(totals: InventoryTotals) -> Mapping[str, object]:
    """Return the artefact's summary."""
    return asdict(totals)


def totals_of(summary: Mapping[str, object]) -> InventoryTotals:
    """Return the totals of an artefact's summary.

    Raises:
        ArtifactDamagedError: it is the summary of something else.
    """
    counts = {name: count for name, count in summary.items() if isinstance(count, int)}
    if counts.keys() != set(InventoryTotals.__dataclass_fields__):
        raise ArtifactDamagedError(
            "the summary of an inventory is not one",
            hint="delete the inventory folder of the run directory and run it again",
        )
    return InventoryTotals(**counts)
