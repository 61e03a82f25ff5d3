"""Listed entries as cells: what an inventory keeps of each, and what a page makes without a noun.

Never decodes anything: a key is as it was listed, and a time is its text.
Law: `entry_of(cells_of(entry)) == entry`.

| cell | meaning |
| --- | --- |
| key | as listed, after the listing's own URL encoding was taken off once |
| version_id | opaque; `null` for the null version |
| is_latest | S3's IsLatest: the current version, or the current delete marker |
| last_modified | UTC, ISO 8601 |
| etag | without quotes; None for a delete marker |
| size_bytes | 0 for a delete marker |
| storage_class | as listed; empty for a delete marker |
| checksum_algorithms | names joined by commas, in the order listed; empty when S3 lists none |
| checksum_type | FULL_OBJECT, COMPOSITE, or None when S3 lists none |
"""

from datetime import UTC, datetime
from typing import Final

from backfill.model.objects import ChecksumType, DeleteMarker, ListedEntry, ObjectVersion

Cells = tuple[str, str, bool, str, str | None, int, str, str, str | None]
"""The cells of one entry, in the order of the table above."""

CHECKSUM_TYPES: Final = {kind.value: kind for kind in ChecksumType} | {None: None}

_ALGORITHMS_MAX: Final = 1024
"""Lists of algorithms remembered. S3 knows a dozen names, and a version has one or two."""
_algorithms: dict[str, tuple[str, ...]] = {"": ()}
_new = tuple.__new__


def cells_of(entry: ListedEntry) -> Cells:
    """Return the cells of an entry. `last_modified` must be aware of its time zone."""
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


def entry_of(cells: Cells) -> ListedEntry:
    """Return the entry of its cells."""
    # Fields come in the order of cells: a call with names would cost more than all else of reading.
    key, version_id, is_latest, modified, etag, size, storage_class, algorithms, kind = cells
    time = datetime.fromisoformat(modified)
    if etag is None:
        return _new(DeleteMarker, (key, version_id, is_latest, time))
    names = _algorithms.get(algorithms)
    if names is None:
        names = _remembered(algorithms)
    checksum_type = CHECKSUM_TYPES[kind]
    return _new(
        ObjectVersion,
        (key, version_id, is_latest, time, etag, size, storage_class, names, checksum_type),
    )


def _remembered(text: str) -> tuple[str, ...]:
    algorithms = tuple(text.split(","))
    if len(_algorithms) < _ALGORITHMS_MAX:
        _algorithms[text] = algorithms
    return algorithms
