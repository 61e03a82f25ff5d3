"""Rows of an inventory artefact: one for each listed version or delete marker.

Never decodes a key: it is stored as it was listed, and JSON's escapes keep it inert.
Law: `entry_of(row_of(entry)) == entry`.

| column | meaning |
| --- | --- |
| key | as listed, after the listing's own URL encoding was taken off once |
| version_id | opaque; `null` for the null version |
| is_latest | S3's IsLatest: the current version, or the current delete marker |
| last_modified | UTC, ISO 8601 |
| etag | without quotes; null for a delete marker |
| size_bytes | 0 for a delete marker |
| storage_class | as listed; empty for a delete marker |
| checksum_algorithms | names joined by commas, in the order listed; empty when S3 lists none |
| checksum_type | FULL_OBJECT, COMPOSITE, or null when S3 lists none |
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, cast

from backfill.model.objects import ChecksumType, DeleteMarker, ListedEntry, ObjectVersion
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

_Cells = tuple[str, str, bool, str, str | None, int, str, str, str | None]
_CHECKSUM_TYPES: Final = {kind.value: kind for kind in ChecksumType} | {None: None}
_ALGORITHMS_MAX: Final = 1024
"""Lists of algorithms remembered. S3 knows a dozen names, and a version has one or two."""
_algorithms: dict[str, tuple[str, ...]] = {"": ()}
_new = tuple.__new__


def row_of(entry: ListedEntry) -> Row:
    """Return the row of an entry. `last_modified` must be aware of its time zone."""
    time = entry[3]
    if time.tzinfo is not UTC:
        assert time.tzinfo is not None, "times are aware"
        time = time.astimezone(UTC)
    if isinstance(entry, DeleteMarker):
        return (entry[0], entry[1], entry[2], time.isoformat(), None, 0, "", "", None)
    key, version_id, is_latest, _, etag, size_bytes, storage_class, algorithms, kind = entry
    return (
        key,
        version_id,
        is_latest,
        time.isoformat(),
        etag,
        size_bytes,
        storage_class,
        ",".join(algorithms) if algorithms else "",
        kind,
    )


def entry_of(row: list[Scalar]) -> ListedEntry:
    """Return the entry of a row that `row_of` made."""
    # The artefact's digest and columns vouch for the cells' types, and fields come in the order of
    # columns: a check of each cell, or a call with names, would cost more than all else of reading.
    key, version_id, is_latest, modified, etag, size, storage_class, algorithms, kind = cast(
        "_Cells", row
    )
    time = datetime.fromisoformat(modified)
    if etag is None:
        return _new(DeleteMarker, (key, version_id, is_latest, time))
    names = _algorithms.get(algorithms)
    if names is None:
        names = _remembered(algorithms)
    checksum_type = _CHECKSUM_TYPES[kind]
    return _new(
        ObjectVersion,
        (key, version_id, is_latest, time, etag, size, storage_class, names, checksum_type),
    )


def entries_of(rows: Iterable[list[Scalar]]) -> Iterator[ListedEntry]:
    """Stream the entries of an inventory artefact's rows."""
    return map(entry_of, rows)


def _remembered(text: str) -> tuple[str, ...]:
    algorithms = tuple(text.split(","))
    if len(_algorithms) < _ALGORITHMS_MAX:
        _algorithms[text] = algorithms
    return algorithms
