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

from backfill.model.objects import ChecksumType, DeleteMarker, ETag, ListedEntry, ObjectVersion
from backfill.model.objects import VersionId as Id
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


def row_of(entry: ListedEntry) -> Row:
    """Return the row of an entry. `last_modified` must be aware of its time zone."""
    assert entry.last_modified.tzinfo is not None, "times are aware"
    time = entry.last_modified
    modified = (time if time.tzinfo is UTC else time.astimezone(UTC)).isoformat()
    if isinstance(entry, DeleteMarker):
        return (entry.key, entry.version_id, entry.is_latest, modified, None, 0, "", "", None)
    return (
        entry.key,
        entry.version_id,
        entry.is_latest,
        modified,
        entry.etag,
        entry.size_bytes,
        entry.storage_class,
        ",".join(entry.checksum_algorithms),
        entry.checksum_type,
    )


def entry_of(row: list[Scalar]) -> ListedEntry:
    """Return the entry of a row that `row_of` made."""
    # The artefact's digest and columns vouch for the cells' types; a check of each would cost
    # more than all the rest of reading.
    key, version_id, is_latest, modified, etag, size, storage_class, algorithms, kind = cast(
        "_Cells", row
    )
    last_modified = datetime.fromisoformat(modified)
    if etag is None:
        return DeleteMarker(
            key=key, version_id=Id(version_id), is_latest=is_latest, last_modified=last_modified
        )
    return ObjectVersion(
        key=key,
        version_id=Id(version_id),
        is_latest=is_latest,
        last_modified=last_modified,
        etag=ETag(etag),
        size_bytes=size,
        storage_class=storage_class,
        checksum_algorithms=tuple(algorithms.split(",")) if algorithms else (),
        checksum_type=ChecksumType(kind) if kind is not None else None,
    )


def entries_of(rows: Iterable[list[Scalar]]) -> Iterator[ListedEntry]:
    """Stream the entries of an inventory artefact's rows."""
    return map(entry_of, rows)
