"""Totals of one bucket's inventory; they are the `summary` of its artefact.

Never estimated: counted from the rows that were written.
Law: `versions + delete_markers` is the number of rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from backfill.errors import ArtifactDamagedError
from backfill.model.objects import ListedEntry, ObjectVersion


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

    def with_page(self, entries: Iterable[ListedEntry]) -> "InventoryTotals":
        """Return the totals with one more page."""
        keys, keys_current, versions, markers, size_bytes = 0, 0, 0, 0, 0
        for entry in entries:
            keys += entry.is_latest
            if isinstance(entry, ObjectVersion):
                versions += 1
                keys_current += entry.is_latest
                size_bytes += entry.size_bytes
            else:
                markers += 1
        return replace(
            self,
            keys=self.keys + keys,
            keys_current=self.keys_current + keys_current,
            versions=self.versions + versions,
            delete_markers=self.delete_markers + markers,
            size_bytes=self.size_bytes + size_bytes,
            pages=self.pages + 1,
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
