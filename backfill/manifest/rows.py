"""Rows of a manifest artefact: one for each piece of work.

Never decodes a key: it is stored as it was listed, and JSON's escapes keep it inert.
Law: `entry_of(row_of(entry)) == entry`.

The columns mean what they mean in a plan (`backfill.plan.rows`); `version_id` and `etag` are null
where an extra object is hidden, and `plan_number` is null there too.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final, cast

from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ETag, VersionId
from backfill.model.rows import Row, Scalar
from backfill.plan.routes import HANDLINGS, Route
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import (
    encryption_cells,
    encryption_of,
    precondition_cell,
    precondition_of,
    time_cell,
)

COLUMNS: Final = (
    "number",
    "plan_number",
    "key",
    "version_id",
    "etag",
    "size_bytes",
    "last_modified",
    "destination",
    "route",
    "rule_id",
    "storage_class",
    "encryption",
    "kms_key_arn",
    "is_bucket_key_enabled",
    "precondition",
    "seen_version_id",
    "has_other_writers",
    "replicates_delete_markers",
    "handling",
)

_ROUTES: Final = {route.value: route for route in Route}
"""By value: calling the enumeration takes ten times as long."""

_new: Final = tuple.__new__
"""Without the call of Python that a named tuple's own has."""
_OF_PLAN: Final = itemgetter(
    *map(PLAN_COLUMNS.index, ("number" if c == "plan_number" else c for c in COLUMNS[1:]))
)
"""The cells of a plan's row that the work it asks for takes over, `plan_number` from `number`."""

_Cells = tuple[
    int, int | None, str, VersionId | None, ETag | None, int, str, int, str, str, str,
    str | None, str | None, bool, str | None, VersionId | None, bool, bool, int,
]  # fmt: skip


def row_of(entry: ManifestEntry) -> Row:
    """Return the row of an entry."""
    return (
        entry.number,
        entry.plan_number,
        entry.key,
        entry.version_id,
        entry.etag,
        entry.size_bytes,
        time_cell(entry.last_modified),
        entry.destination,
        entry.route,
        entry.rule_id,
        entry.storage_class,
        *encryption_cells(entry.encryption),
        precondition_cell(entry.precondition),
        entry.seen_version_id,
        entry.has_other_writers,
        entry.replicates_delete_markers,
        int(entry.handling),
    )


def rows_of_planned(first_number: int, planned: Sequence[list[Scalar]]) -> list[Row]:
    """Return the rows of the work that a plan's routed rows ask for, cells as they are.

    What `row_of(manifest_entry(number, entry))` gives, without the entries between.
    """
    return [(number, *cells) for number, cells in enumerate(map(_OF_PLAN, planned), first_number)]


def entry_of(row: list[Scalar]) -> ManifestEntry:
    """Return the entry of a row that `row_of` made."""
    # As in a plan, the artefact's digest and columns vouch for the cells' types. What calls less
    # is written out: millions of rows are decoded, each of them several times.
    (
        number, plan_number, key, version_id, etag, size_bytes, modified, destination, route,
        rule_id, storage_class, kind, kms_key_arn, is_bucket_key_enabled, precondition,
        seen_version_id, has_other_writers, replicates_delete_markers, handling,
    ) = cast("_Cells", row)  # fmt: skip
    encryption = None if kind is None else encryption_of((kind, kms_key_arn, is_bucket_key_enabled))
    guard = None if precondition is None else precondition_of(precondition)
    cells = (
        number, plan_number, key, version_id, etag, size_bytes, datetime.fromisoformat(modified),
        destination, _ROUTES[route], rule_id, storage_class, encryption, guard,
        seen_version_id, has_other_writers, replicates_delete_markers, HANDLINGS[handling],
    )  # fmt: skip
    return _new(ManifestEntry, cells)


def numbers_of(rows: Iterable[list[Scalar]]) -> Iterator[tuple[int, int | None]]:
    """Stream each row's number and that of the plan row it comes from, and decode no more of it."""
    for row in rows:
        number, plan_number, *_ = cast("_Cells", row)
        yield number, plan_number


def key_of(row: list[Scalar]) -> str:
    """Return the key of a row that `row_of` made."""
    key = row[2]
    assert isinstance(key, str), "the third cell of a row is its key"
    return key
