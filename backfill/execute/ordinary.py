"""What is ordinary about a copy, so that it may go straight: recognised, never decided.

Each answer here is one that `decide` would give as well, for a case so plain that building its
views is most of the work. Whatever is not recognised goes the way of `worker`.
Never reads or writes.
Law: `is_as_planned` implies that the next step is the planned one, and `is_settled` that there is
none but to end as copied (a test holds both to `decide`).
"""

from typing import Final

from backfill.execute.endings import proof_of
from backfill.execute.views import Chain
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ObjectVersion, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces, WriteResult
from backfill.plan.routes import PLAIN, Handling, Route

ORDINARY_HANDLINGS: Final = frozenset({PLAIN, Handling.DEFAULT_ACL})
"""What asks for nothing beyond one CopyObject: it leaves the default ACL by itself."""


def is_ordinary(entry: ManifestEntry, *, copy_object_bytes_max: int) -> bool:
    """Return whether one CopyObject, as it was planned, may be all that the entry takes."""
    is_one_write = entry.route is Route.COPY_OBJECT and entry.handling in ORDINARY_HANDLINGS
    return is_one_write and entry.size_bytes <= copy_object_bytes_max


def is_as_planned(entry: ManifestEntry, source: Chain, destination: Chain) -> bool:
    """Return whether chains read just now show what the plan saw, on both sides."""
    current = source[0] if source else None
    if not isinstance(current, ObjectVersion):
        return False
    if current.version_id != entry.version_id or current.etag != entry.etag:
        return False
    guard, seen = entry.precondition, destination[0] if destination else None
    if seen is None:
        return entry.seen_version_id is None and isinstance(guard, IfAbsent)
    if seen.version_id != entry.seen_version_id:
        return False
    if isinstance(seen, ObjectVersion):
        return isinstance(guard, IfReplaces) and seen.etag == guard.etag
    return isinstance(guard, IfAbsent)


def is_settled(
    entry: ManifestEntry, source: Chain, destination: Chain, version_id: VersionId
) -> bool:
    """Return whether chains read after the write show our version on what the plan saw.

    `version_id` is our copy's. What lies below it is then no delete marker but the planned one.
    """
    if not source or not destination:
        return False
    is_current = (
        destination[0].version_id == version_id and source[0].version_id == entry.version_id
    )
    if not is_current or not isinstance(destination[0], ObjectVersion):
        return False
    if len(destination) == 1:
        return True
    below = destination[1]
    return below.version_id == entry.seen_version_id or isinstance(below, ObjectVersion)


def copied(entry: ManifestEntry, result: WriteResult) -> Outcome:
    """Return the outcome of a first write that stands as it was planned."""
    return Outcome(  # by position: twice as fast, once a copy
        entry.number,
        OutcomeKind.COPIED,
        "",
        "",
        result.version_id,
        result.etag,
        1,
        entry.size_bytes,
        proof_of(result),
    )
