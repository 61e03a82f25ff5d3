"""Which write a version of a history is, given what lies on top: one pure function.

Never decides whether to write (the walks and the writer do).
Law: a write lands on nothing but what we know to be there, as far as S3 has a precondition for it.
"""

from typing import NamedTuple

from backfill.execute.views import Copy, Hide, MarkAbsent, Write
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.routes import Route


class Top(NamedTuple):
    """What is current at the destination; `etag` is None for a delete marker."""

    version_id: VersionId
    etag: ETag | None


def top_of(entry: ListedEntry) -> Top:
    """Return a listed entry as what lies on top."""
    return Top(entry.version_id, entry.etag if isinstance(entry, ObjectVersion) else None)


def write_over(row: ManifestEntry, top: Top | None) -> Write:
    """Return the write of a row over what is current; None: nothing is.

    `If-None-Match: *` passes over a delete marker, and for a marker onto a marker or onto nothing
    S3 has no precondition (S3 User Guide: conditional-writes, conditional-deletes): both need the
    key to be quiet, and its chains are read before and after.
    """
    assert not row.has_other_writers, "a history needs a quiet key"
    etag = None if top is None else top.etag
    seen_version_id = None if top is None else top.version_id
    if row.route is Route.DELETE_MARKER:
        return MarkAbsent() if etag is None else Hide(etag=etag, seen_version_id=seen_version_id)
    assert row.version_id is not None, "a copy has a source version"
    assert row.etag is not None, "a copy has a source version"
    return Copy(
        version_id=row.version_id,
        etag=row.etag,
        size_bytes=row.size_bytes,
        precondition=IfAbsent() if etag is None else IfReplaces(etag=etag),
        seen_version_id=seen_version_id,
        handling=row.handling,
    )
