"""Rows of an inventory artefact: one for each listed version or delete marker.

Never decodes a key: it is stored as it was listed, and JSON's escapes keep it inert. What the
columns mean is said where their cells are made (`model.listed`).
Law: `entry_of(row_of(entry)) == entry`.
"""

from collections.abc import Iterable, Iterator
from typing import Final, cast

from backfill.model.listed import Cells, cells_of
from backfill.model.listed import entry_of as entry_of_cells
from backfill.model.objects import ListedEntry
from backfill.model.rows import Row, Scalar

COLUMNS: Final = (
    "key",
    "version_id",
    "is_latest",
    "last_modified",
    "etag",
    "size_bytes",
    "storage_class",
    "checksum_algorithms",
    "checksum_type",
)


def row_of(entry: ListedEntry) -> Row:
    """Return the row of an entry. `last_modified` must be aware of its time zone."""
    return cells_of(entry)


def entry_of(row: list[Scalar]) -> ListedEntry:
    """Return the entry of a row that `row_of` made."""
    return entry_of_cells(cast("Cells", row))


def entries_of(rows: Iterable[list[Scalar]]) -> Iterator[ListedEntry]:
    """Stream the entries of an inventory artefact's rows.

    The artefact's digest and columns vouch for the types of cells: a check of each would cost more
    than all else of reading.
    """
    return map(entry_of_cells, cast("Iterable[Cells]", rows))
