"""Keys of a manifest that have archived versions, apart from the others, and which they are.

Never asks S3.
Law: a key's rows are all among the archived, or none of them is.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from typing import Final, NamedTuple

from backfill.execute.history.cutting import HistoryRows
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import VersionId
from backfill.plan.routes import Handling
from backfill.ports import Journal

Entries = Callable[[], Iterable[ManifestEntry]]
"""Gives rows in order, anew at every call."""

_key_of: Final = itemgetter(ManifestEntry._fields.index("key"))
_RESTORE: Final = Handling.RESTORE


class ArchivedVersion(NamedTuple):
    """A version to restore, by the first of its rows."""

    number: int
    version_id: VersionId
    size_bytes: int


@dataclass(slots=True, kw_only=True)  # filled row by row
class ArchivedKey:
    """A key with its rows, held packed, and the versions to restore that have no outcome yet."""

    key: str
    rows: HistoryRows = field(default_factory=HistoryRows)
    versions: list[ArchivedVersion] = field(default_factory=list)


def rows_apart(entries: Entries, *, archived: bool) -> Iterator[ManifestEntry]:
    """Give the rows of keys that have an archived version, or those of all other keys.

    Two readers go over the rows: one looks through a key of any length, the other gives it.
    """
    behind = iter(entries())
    for _, of_key in groupby(entries(), _key_of):
        count, is_archived = 0, False
        for row in of_key:
            count += 1
            is_archived = is_archived or bool(row.handling & _RESTORE)
        taken = islice(behind, count)
        if is_archived is archived:
            yield from taken
        else:
            for _ in taken:
                pass


def archived_bytes(entries: Iterable[ManifestEntry]) -> int:
    """Return how many bytes the archived versions of rows have; each version counts once."""
    total, last = 0, ("", VersionId(""))
    for row in entries:
        if row.handling & _RESTORE and row.version_id is not None:
            this = (row.key, row.version_id)
            total += row.size_bytes if this != last else 0
            last = this
    return total


def archived_keys(entries: Entries, journal: Journal) -> Iterator[ArchivedKey]:
    """Give the keys that have an archived version, in order."""
    for key, of_key in groupby(rows_apart(entries, archived=True), _key_of):
        found = ArchivedKey(key=key)
        for row in of_key:
            found.rows.add(row)
            if not row.handling & _RESTORE or journal.outcome(row.number) is not None:
                continue
            assert row.version_id is not None, "only a version can be archived"
            version = ArchivedVersion(row.number, row.version_id, row.size_bytes)
            # Rows of one version, a destination each, stand together.
            if not found.versions or found.versions[-1].version_id != version.version_id:
                found.versions.append(version)
        yield found
