"""Did an attempt whose answer was lost, or refused on second delivery, succeed? From the chain.

Never by silence and never by ETag alone: what is ours was not there before, is no replica, and
holds what was sent (architecture decision 7).
Law: what is adopted lies above the version that was seen before the attempt.
"""

from typing import Final

from backfill.execute.views import (
    Adopt,
    Attempt,
    Chain,
    Compare,
    Likeness,
    Made,
    Step,
    View,
    position,
)
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry, ObjectVersion

CANDIDATES_MAX: Final = 16
"""Versions above the one seen that are compared with what we sent. Each costs two HEADs; more
strangers than this on one key within one attempt means that it keeps changing."""


def settled_attempt(entry: ManifestEntry, view: View, *, has_moved_on: bool) -> Step | None:
    """Return the adoption of an attempt that has succeeded, or the look that this question needs.

    None: no attempt has, as far as the chain tells. The newest is asked about first.
    """
    for attempt in reversed(view.attempts):
        if attempt.was_refused and not (has_moved_on or _needs_mending(view, attempt)):
            continue  # whoever wrote it, it is there
        fresh = _strangers_above(view, attempt)
        if attempt.source_version_id is None:
            marker = next((e for e in reversed(fresh) if isinstance(e, DeleteMarker)), None)
            if marker is not None:
                return Adopt(made=_made_by(attempt, marker))
            continue
        step = _settled_copy(entry, view, attempt, fresh)
        if step is not None:
            return step
    return None


def _needs_mending(view: View, attempt: Attempt) -> bool:
    """Whether it matters that a refused attempt may have landed by its first delivery.

    It does, besides where the source has moved on, where a copy lies on a marker that was not
    seen, where somebody has written over what may be ours, and where the attempt was to mend an
    earlier write of ours.
    """
    if view.made is not None:
        return True
    if attempt.source_version_id is None:
        return False
    is_covered = any(
        isinstance(entry, ObjectVersion) and entry is not view.destination[0]
        for entry in _strangers_above(view, attempt)
    )
    return is_covered or any(
        isinstance(below, DeleteMarker) and below.version_id != attempt.seen_version_id
        for below in view.destination[1:2]
    )


def _settled_copy(
    entry: ManifestEntry, view: View, attempt: Attempt, fresh: Chain
) -> Adopt | Compare | None:
    """A version that was not there before, is no replica, and holds what we sent, is ours."""
    assert attempt.source_version_id is not None, "a marker is settled by its place"
    size = _size_of(entry, view, attempt)
    candidates = [e for e in fresh if isinstance(e, ObjectVersion) and e.size_bytes == size]
    for candidate in candidates[:CANDIDATES_MAX]:
        likeness = view.compared.get((candidate.version_id, attempt.source_version_id))
        if likeness is None:
            return Compare(
                destination_version_id=candidate.version_id,
                source_version_id=attempt.source_version_id,
            )
        if likeness is Likeness.SAME or (likeness is Likeness.UNKNOWN and not attempt.was_refused):
            return Adopt(made=_made_by(attempt, candidate))
    return None


def _strangers_above(view: View, attempt: Attempt) -> Chain:
    """Return what lies above the version seen before the attempt, replicas left out.

    A replica carries a source version's own ID (S3 User Guide: replication), a write of ours never.
    """
    seen = position(view.destination, attempt.seen_version_id)
    above = view.destination if seen is None else view.destination[:seen]
    return tuple(
        entry
        for entry in above
        if entry.version_id != NULL_VERSION_ID and position(view.source, entry.version_id) is None
    )


def _made_by(attempt: Attempt, entry: ListedEntry) -> Made:
    return Made(
        version_id=entry.version_id,
        etag=entry.etag if isinstance(entry, ObjectVersion) else None,
        source_version_id=attempt.source_version_id,
        seen_version_id=attempt.seen_version_id,
    )


def _size_of(entry: ManifestEntry, view: View, attempt: Attempt) -> int | None:
    if attempt.source_version_id == entry.version_id:
        return entry.size_bytes
    found = position(view.source, attempt.source_version_id)
    source = None if found is None else view.source[found]
    return source.size_bytes if isinstance(source, ObjectVersion) else None
