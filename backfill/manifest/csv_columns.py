"""Which column of a CSV file is which, by the names that were given and by its first rows.

Never looks at more than two rows.
Law: a first row that may be a key `key` in a bucket `bucket` is a row, as S3 would take it: the
next row is of that bucket as well, or there is none and the name has no capitals, which buckets
have not had since 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from backfill.errors import ManifestError
from backfill.manifest.operations_rows import Columns, Oddity, column_name, columns_of

_HEADER_WORDS: Final = frozenset({"bucket", "key"})

Cells = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the first rows tell. `fault` says why the first can be neither row nor header."""

    columns: Columns
    has_header: bool = False
    fault: str = ""
    oddities: tuple[Oddity, ...] = ()


def settled_columns(
    first: Cells, second: Cells | None, *, declared: Columns, bucket: str | None
) -> Settled:
    """Return the columns, declared as `declared`, of a file that begins with these rows.

    `bucket` is the one that the file must be about, where that is known.
    """
    if len(first) != declared.width:
        return Settled(columns=declared)
    names = [column_name(cell) for cell in first]
    if set(names) >= _HEADER_WORDS and _is_header(first, second, names, bucket):
        return _named(names, declared)
    is_swapped = first[declared.key] == bucket != first[declared.bucket].strip()
    if not is_swapped:
        return Settled(columns=declared)
    swapped = replace(declared, bucket=declared.key, key=declared.bucket)
    return Settled(columns=swapped, oddities=(Oddity.COLUMN_ORDER,))


def _is_header(first: Cells, second: Cells | None, names: Cells, bucket: str | None) -> bool:
    """Return whether the first row cannot be one of objects: its bucket is not the others'."""
    at = names.index("bucket")
    if bucket is not None:
        return first[at].strip() != bucket
    if second is None or len(second) != len(first):
        return not first[at].islower()
    return second[at].strip() != first[at].strip()


def _named(names: Cells, declared: Columns) -> Settled:
    try:
        columns = columns_of(names)
    except ManifestError:
        return Settled(columns=declared, fault="it is a header, and names a column twice")
    if (columns.version_id is None) != (declared.version_id is None):
        fault = "it is a header, and names other columns than were declared"
        return Settled(columns=declared, fault=fault)
    if columns == declared:
        return Settled(columns=columns, has_header=True, oddities=(Oddity.HEADER,))
    oddities = (Oddity.HEADER, Oddity.COLUMN_ORDER)
    return Settled(columns=columns, has_header=True, oddities=oddities)
