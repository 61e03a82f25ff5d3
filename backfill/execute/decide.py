"""What to do next for one entry, given what was read: safe copying as one pure function.

Never reads or writes; asks for a look (Compare, LookAtSource) where a decision needs evidence.
Law: a write is proposed only over exactly what was seen, and only of what the source shows now.

Why the key is looked at after a write (architecture decision 3): a replica of a source version
stamped before our copy may land below it, and a delete marker may have arrived unseen. What is
stamped later than our copy lands above it, whether replicas are ordered by arrival or by time.
So a younger newcomer is left to live replication. An older one is waited for: on top of our copy
all is well, below it the newcomer is copied over our copy, or our copy is hidden. Acting at once
would be wrong where replicas are ordered by arrival: those still on their way land on top.
"""

from dataclasses import replace

from backfill.execute.codes import Code
from backfill.execute.settle import settled_attempt
from backfill.execute.views import (
    Compare,
    Copy,
    End,
    Hide,
    Likeness,
    LookAtSource,
    Made,
    MarkAbsent,
    SourceLook,
    Step,
    View,
    Wait,
    is_known_older,
    position,
)
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry, ObjectVersion
from backfill.model.outcome import OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.routes import Route


def planned_step(entry: ManifestEntry) -> Step | None:
    """Return the write that the manifest prepared, None where a fresh reading must come first."""
    if entry.route in (Route.COPY_OBJECT, Route.MULTIPART_COPY):
        assert entry.version_id is not None, "a copy has a source version"
        assert entry.etag is not None, "a copy has a source version"
        assert entry.precondition is not None, "every copy is conditional"
        return Copy(
            version_id=entry.version_id,
            etag=entry.etag,
            size_bytes=entry.size_bytes,
            precondition=entry.precondition,
            seen_version_id=entry.seen_version_id,
            handling=entry.handling,
        )
    if entry.route is Route.DELETE_MARKER and isinstance(entry.precondition, IfReplaces):
        return Hide(etag=entry.precondition.etag, seen_version_id=entry.seen_version_id)
    return None


def next_step(entry: ManifestEntry, view: View) -> Step:
    """Return the next step. Total: every view leads to exactly one."""
    settled = settled_attempt(entry, view, has_moved_on=_source_moved_on(entry, view) is not None)
    if settled is not None:
        return settled
    if view.made is not None:
        return _after_write(entry, view, view.made)
    if entry.route is Route.HIDE_EXTRA:
        return _before_hiding(entry, view)
    moved_on = _source_moved_on(entry, view)
    if entry.route is Route.DELETE_MARKER:
        return moved_on or _before_marker(entry, view)
    return _already_there(entry, view) or moved_on or _before_copy(entry, view)


def first_step(entry: ManifestEntry, view: View) -> Step:
    """Decide by chains read since the plan; the status of the version is the plan's word.

    Only the listings go stale in the hours between: a version that S3 did not choose to
    replicate when it was written is not chosen later.
    """
    assert entry.version_id is not None, "hiding an extra object begins with a reading"
    planned = {entry.version_id: SourceLook(status=ReplicationStatus.NONE)}
    return next_step(entry, replace(view, looks=planned))


def surrendered(entry: ManifestEntry, view: View, ended: End, unfinished: Code) -> End:
    """End without another write; a write of ours that stands is reported as standing."""
    if view.made is None:
        if view.attempts:
            # One that was refused may have met itself, delivered twice, and nobody can look now.
            detail = f"{ended.detail} An attempt may have been applied.".strip()
            return replace(ended, detail=detail)
        return ended
    if ended.code == Code.KEEPS_CHANGING:
        return as_it_stands(entry, view, ended.code)
    return as_it_stands(entry, view, unfinished, ended.code)


def as_it_stands(entry: ManifestEntry, view: View, code: str, detail: str = "") -> End:
    """Return how an entry ends whose newest write of ours is not touched any more."""
    made = view.made
    assert made is not None, "only a write of ours can stand"
    is_marker = made.source_version_id is None
    ended = End(kind=OutcomeKind.COPIED, code=code, detail=detail, made=made)
    if entry.route in (Route.DELETE_MARKER, Route.HIDE_EXTRA) and is_marker:
        return replace(ended, kind=OutcomeKind.MARKED)
    if is_marker:
        # What a person wants to find is the copy; it lies right below the marker that hides it.
        hidden = replace(made, version_id=made.seen_version_id, etag=None, checksum="")
        return replace(ended, kind=OutcomeKind.HIDDEN, made=hidden)
    if made.source_version_id != entry.version_id:
        return replace(ended, kind=OutcomeKind.SUPERSEDED, code=code or Code.NEWER_VERSION_COPIED)
    return ended


# --- Before a write ---


def _already_there(entry: ManifestEntry, view: View) -> End | None:
    """The source version's own ID is current: replication delivered it.

    Not where the manifest means to replace exactly that version, because repair found it damaged.
    """
    current = view.destination_current
    if not isinstance(current, ObjectVersion) or _is_as_seen(entry, current):
        return None
    if current.version_id == entry.version_id != NULL_VERSION_ID:
        return End(kind=OutcomeKind.ALREADY_THERE)
    return None


def _source_moved_on(entry: ManifestEntry, view: View) -> End | None:
    """Only what the source shows now may become current at the destination."""
    current = view.source_current
    place = position(view.source, entry.version_id)
    if place is None or current is None:
        return End(kind=OutcomeKind.SKIPPED, code=Code.VANISHED)
    if place > 0:
        is_deleted = isinstance(current, DeleteMarker)
        code = Code.SOURCE_DELETED if is_deleted else Code.NEWER_VERSION
        return End(kind=OutcomeKind.SUPERSEDED, code=code)
    if isinstance(current, ObjectVersion) and current.etag != entry.etag:
        # A null version is overwritten in place.
        return End(kind=OutcomeKind.SUPERSEDED, code=Code.NEWER_VERSION)
    return None


def _before_copy(entry: ManifestEntry, view: View) -> Step:
    assert entry.version_id is not None, "a copy has a source version"
    current = view.destination_current
    if isinstance(current, DeleteMarker) and not _may_cover(entry, view, current):
        return End(kind=OutcomeKind.SKIPPED, code=Code.DESTINATION_DELETED)
    if isinstance(current, ObjectVersion) and not _may_replace(entry, view, current):
        return _before_stranger(entry, view, current)
    if entry.has_other_writers:
        look = view.looks.get(entry.version_id)
        if look is None:
            return LookAtSource(version_id=entry.version_id)
        if look.status is ReplicationStatus.PENDING:
            return End(kind=OutcomeKind.SKIPPED, code=Code.IN_FLIGHT)
    assert entry.etag is not None, "a copy has a source version"
    return Copy(
        version_id=entry.version_id,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        precondition=_guard_over(current),
        seen_version_id=None if current is None else current.version_id,
        handling=entry.handling,
    )


def _guard_over(current: ListedEntry | None) -> Precondition:
    """Return the precondition that lets a write land on nothing but what was seen."""
    return IfReplaces(etag=current.etag) if isinstance(current, ObjectVersion) else IfAbsent()


def _before_stranger(entry: ManifestEntry, view: View, current: ObjectVersion) -> Step:
    """The destination shows an object that was not there when the manifest was written."""
    assert entry.version_id is not None, "a copy has a source version"
    if current.size_bytes != entry.size_bytes:
        return End(kind=OutcomeKind.SKIPPED, code=Code.DESTINATION_DIFFERS)
    likeness = view.compared.get((current.version_id, entry.version_id))
    if likeness is None:
        return Compare(
            destination_version_id=current.version_id, source_version_id=entry.version_id
        )
    if likeness in (Likeness.SAME, Likeness.REPLICA):
        return End(kind=OutcomeKind.ALREADY_THERE)
    return End(kind=OutcomeKind.SKIPPED, code=Code.DESTINATION_DIFFERS)


def _before_marker(entry: ManifestEntry, view: View) -> Step:
    current = view.destination_current
    if isinstance(current, DeleteMarker):
        return End(kind=OutcomeKind.ALREADY_THERE)
    if current is None:
        if entry.has_other_writers:
            return End(kind=OutcomeKind.SKIPPED, code=Code.MARKER_UNCONDITIONAL)
        return MarkAbsent()
    if _may_replace(entry, view, current):
        return Hide(etag=current.etag, seen_version_id=current.version_id)
    return End(kind=OutcomeKind.SKIPPED, code=Code.DESTINATION_DIFFERS)


def _before_hiding(entry: ManifestEntry, view: View) -> Step:
    current = view.destination_current
    if isinstance(view.source_current, ObjectVersion):
        return End(kind=OutcomeKind.SUPERSEDED, code=Code.SOURCE_HAS_KEY)
    if current is None or isinstance(current, DeleteMarker):
        return End(kind=OutcomeKind.ALREADY_THERE)
    if not _is_as_seen(entry, current):
        return End(kind=OutcomeKind.SKIPPED, code=Code.DESTINATION_DIFFERS)
    if not view.can_hide:
        # The manifest may be older than the campaign's word.
        return End(kind=OutcomeKind.SKIPPED, code=Code.HIDING_NOT_ALLOWED)
    return Hide(etag=current.etag, seen_version_id=current.version_id)


def _is_as_seen(entry: ManifestEntry, current: ObjectVersion) -> bool:
    """The very version that the manifest means to replace, unaltered."""
    return (
        isinstance(entry.precondition, IfReplaces)
        and current.version_id == entry.seen_version_id
        and current.etag == entry.precondition.etag
    )


def _may_replace(entry: ManifestEntry, view: View, current: ObjectVersion) -> bool:
    return _is_as_seen(entry, current) or is_known_older(view, current, entry.version_id)


def _may_cover(entry: ManifestEntry, view: View, current: DeleteMarker) -> bool:
    """A delete marker may be covered if the plan saw it, or the source has it as history."""
    was_planned = (
        isinstance(entry.precondition, IfAbsent) and current.version_id == entry.seen_version_id
    )
    return was_planned or is_known_older(view, current, entry.version_id)


# --- After a write ---


def _after_write(entry: ManifestEntry, view: View, made: Made) -> Step:
    listed, current = view.destination_current, view.source_current
    if listed is None or listed.version_id != made.version_id:
        is_listed = position(view.destination, made.version_id) is not None
        return as_it_stands(entry, view, Code.OVERTAKEN if is_listed else Code.GONE)
    is_news = current is not None and _is_news(entry, view, made, current)
    covers_marker = _covers_unseen_marker(entry, view, made)
    if covers_marker and not (is_news and _is_delivered(view)):
        # A deleted key came back by our copy: first of all it goes again.
        return _hidden(entry, view, listed, Code.DESTINATION_DELETED)
    if is_news and isinstance(current, ObjectVersion):
        return _after_newcomer(entry, view, current, listed)
    if is_news:
        return _after_deletion(entry, view, listed)
    is_hidden = isinstance(listed, DeleteMarker) and _is_copy(entry)
    return as_it_stands(entry, view, Code.DESTINATION_DELETED if is_hidden else "")


def _after_deletion(entry: ManifestEntry, view: View, listed: ListedEntry) -> Step:
    """The source shows a delete marker younger than what our write stands for."""
    if isinstance(listed, DeleteMarker):
        return as_it_stands(entry, view, Code.SOURCE_DELETED if _is_copy(entry) else "")
    if not entry.replicates_delete_markers and not _is_delivered(view):
        # The rule lets the destination keep what the source deletes.
        return as_it_stands(entry, view, Code.SOURCE_DELETED)
    if not _is_delivered(view) and not view.has_waited:
        return Wait()
    return _hidden(entry, view, listed, Code.SOURCE_DELETED)


def _after_newcomer(
    entry: ManifestEntry, view: View, current: ObjectVersion, listed: ListedEntry
) -> Step:
    """The source shows an object younger than what our write stands for."""
    assert view.made is not None, "there is a write of ours to look back at"
    is_below = _is_delivered(view)
    if current.last_modified > listed.last_modified and not is_below:
        return as_it_stands(entry, view, _code_of_newer(entry, view.made))
    if not is_below and not view.has_waited:
        return Wait()
    look = view.looks.get(current.version_id)
    if look is None:
        return LookAtSource(version_id=current.version_id)
    belongs_here = is_below or (look.is_selected and look.status in _ON_ITS_WAY)
    if belongs_here and not look.refusal:
        return Copy(
            version_id=current.version_id,
            etag=current.etag,
            size_bytes=current.size_bytes,
            precondition=_guard_over(listed),
            seen_version_id=listed.version_id,
            storage_class=look.storage_class,
            handling=look.handling,
        )
    code = Code.STALE if belongs_here else _code_of_newer(entry, view.made)
    return as_it_stands(entry, view, code, look.refusal)


def _is_delivered(view: View) -> bool:
    """Whether the destination holds what the source shows, by its own version ID."""
    current = view.source_current
    if current is None or current.version_id == NULL_VERSION_ID:
        return False
    return position(view.destination, current.version_id) is not None


_ON_ITS_WAY = frozenset({ReplicationStatus.PENDING, ReplicationStatus.FAILED})
"""Of a version that is not listed at the destination. COMPLETED and not there: not meant for it,
because the destination is read again after the status was."""


def _is_news(entry: ManifestEntry, view: View, made: Made, current: ListedEntry) -> bool:
    """Whether the source's current entry is younger than what our write stands for.

    It may also be older: when the newer one was deleted for good, which S3 never replicates.
    """
    stands_for = made.source_version_id or entry.version_id
    if current.version_id == stands_for:
        return False
    if position(view.source, stands_for) is not None:
        return True
    return current.last_modified >= entry.last_modified or entry.version_id is None


def _covers_unseen_marker(entry: ManifestEntry, view: View, made: Made) -> bool:
    """Our copy lies on a delete marker that nobody had seen: it brought a deleted key back."""
    if made.source_version_id is None or len(view.destination) < 2:
        return False
    below = view.destination[1]
    if not isinstance(below, DeleteMarker) or below.version_id == made.seen_version_id:
        return False
    return not is_known_older(view, below, made.source_version_id or entry.version_id)


def _hidden(entry: ManifestEntry, view: View, listed: ListedEntry, code: Code) -> Step:
    if view.can_hide and isinstance(listed, ObjectVersion):
        return Hide(etag=listed.etag, seen_version_id=listed.version_id)
    ended = as_it_stands(entry, view, code, "Hiding our copy was not allowed.")
    return replace(ended, kind=OutcomeKind.SUPERSEDED)


def _is_copy(entry: ManifestEntry) -> bool:
    return entry.route in (Route.COPY_OBJECT, Route.MULTIPART_COPY)


def _code_of_newer(entry: ManifestEntry, made: Made) -> Code:
    is_own = made.source_version_id in (None, entry.version_id)
    return Code.NEWER_VERSION if is_own else Code.NEWER_VERSION_COPIED
