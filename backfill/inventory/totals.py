"""Totals of one bucket's inventory; they are the `summary` of its artefact.

Never estimated: counted from the rows that were written.
Law: `versions + delete_markers` is the number of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from backfill.errors import ArtifactDamagedError
from backfill.model.listed import Cells


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

    def with_page(self, entries: Sequence[Cells]) -> "InventoryTotals":
        """Return the totals with one more page."""
        keys = [entry[2] for entry in entries].count(True)
        # A delete marker is what has no ETag.
        markers = [entry[4] for entry in entries].count(None)
        hidden = sum(entry[2] and entry[4] is None for entry in entries) if markers else 0
        return InventoryTotals(
            keys=self.keys + keys,
            keys_current=self.keys_current + keys - hidden,
            versions=self.versions + len(entries) - markers,
            delete_markers=self.delete_markers + markers,
            size_bytes=self.size_bytes + sum([entry[5] for entry in entries]),
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
