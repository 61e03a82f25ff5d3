"""Extra versions: what a destination has that no source version and no plan row explains.

Never calls noncurrent versions extra, but for those that the same copy made twice, and where all
versions of a key were asked for and nobody else writes it.
Law: a key that the source has, or that the plan had, is not extra; what live replication wrote
after the horizon is live replication's.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from backfill.model.objects import (
    NULL_VERSION_ID,
    DeleteMarker,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.outcome import OutcomeKind
from backfill.plan.chains import content_of
from backfill.verify.decisions import Judged, KeyView, Look, LookKind, PlannedRow
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow

_COPIES = frozenset({OutcomeKind.COPIED, OutcomeKind.SUPERSEDED, OutcomeKind.HIDDEN})
"""Outcomes whose version is a copy; SUPERSEDED has one where the newer version was copied."""


def extra_versions(
    rows: Sequence[PlannedRow], view: KeyView, *, is_claimed: bool, is_alone: bool = False
) -> Iterator[Judged | Look]:
    """Yield the extra versions of a key at one destination.

    `rows` are the plan rows of this key and destination. `is_claimed` says that a rule of the
    destination covers the key: if none does, what only the destination has is somebody else's.
    `is_alone`: the one version of the key should be all that is there.
    """
    if is_claimed:
        yield from _extra_key(rows, view)
    twins = [twin for row in rows for twin in _written_twice(row, view)]
    yield from twins
    if is_alone:
        known = {twin.row.destination_version_id for twin in twins}
        yield from _strangers_below(rows[0], view, known)


def _extra_key(rows: Sequence[PlannedRow], view: KeyView) -> Iterator[Judged | Look]:
    """Yield the destination's current object if the source has no such key and never had."""
    current = view.destination_chain.current
    if view.source_chain.entries or not isinstance(current, ObjectVersion):
        return
    if any(_accounts_for(row, current) for row in rows):
        return
    detail = "The source has no version under this key."
    yield _extra(view, current, None, detail)


def _written_twice(row: PlannedRow, view: KeyView) -> Iterator[Judged | Look]:
    """Yield destination versions beyond the one that we know to have made from this row.

    A copy over bytes with the very same ETag can be applied twice by an ambiguous attempt
    (architecture decision 7); so can a copy onto an absent key, if a delete marker comes between.
    Which of the two is the extra one is open; the older is named. Where a newer version was copied
    over ours, the copy below it may have the same bytes: that one is no extra.
    """
    own = row.own_version_ids
    made = next((o for o in reversed(row.outcomes) if o.kind in _COPIES and o.version_id), None)
    if made is None:
        return
    # A hidden copy's outcome has no ETag: it is of the planned version.
    content = made.etag or row.entry.etag, row.entry.size_bytes
    intended = 1 if made.kind is OutcomeKind.SUPERSEDED else 0
    copies = [
        v
        for v in view.destination_chain.entries
        if isinstance(v, ObjectVersion)
        and content_of(v) == content
        and view.source_chain.identified(v) is None
        and (v.version_id in own or v.last_modified >= view.horizon)
    ]
    unknown = max(sum(v.version_id not in own for v in copies) - intended, 0)
    for copy in copies[len(copies) - unknown :]:
        if copy is not view.destination_chain.current:
            yield _extra(view, copy, row, "The same content was written twice after the horizon.")


def _strangers_below(
    row: PlannedRow, view: KeyView, known: AbstractSet[VersionId | None]
) -> Iterator[Judged | Look]:
    """Yield what lies below the current version; what is current is judged with the row itself.

    But a marker on top of our own: readers see no difference, and the row does not tell.
    """
    own = {*known, row.entry.version_id, *row.own_version_ids} - {NULL_VERSION_ID}
    has_own_marker = row.entry.is_delete_marker and bool(row.own_version_ids)
    for place, entry in enumerate(view.destination_chain.entries):
        is_judged = not place and not (has_own_marker and isinstance(entry, DeleteMarker))
        is_known = entry.version_id in own or view.source_chain.identified(entry) is not None
        if not (is_judged or is_known):
            yield stranger(view, place)


def stranger(view: KeyView, place: int) -> Judged | Look:
    """Return that an entry of the destination's chain belongs to no version of the source."""
    chain = view.destination_chain.entries
    entry = chain[place]
    is_marker = isinstance(entry, DeleteMarker)
    words = "This delete marker" if is_marker else "This version"
    detail = (
        f"{words} is number {place + 1} of {len(chain)} at the destination, counted from the"
        " newest; the source's history does not have it."
    )
    if isinstance(entry, ObjectVersion):
        return _extra(view, entry, None, detail)
    return Judged(row=_extra_row(view, entry, None, detail))


def _extra(
    view: KeyView, version: ObjectVersion, row: PlannedRow | None, detail: str
) -> Judged | Look:
    found = _extra_row(view, version, row, detail)
    if version.last_modified < view.horizon:
        return Judged(row=found)
    return Look(kind=LookKind.DESTINATION_STATUS, row=found)


def _extra_row(
    view: KeyView, entry: ListedEntry, row: PlannedRow | None, detail: str
) -> VerdictRow:
    return VerdictRow(
        number=None,
        key=view.key,
        version_id=None if row is None else row.entry.version_id,
        destination=view.destination,
        content=Verdict.EXTRA,
        evidence=Evidence.LISTING,
        fidelity=Fidelity.NOT_LOOKED_AT,
        detail=detail,
        destination_version_id=entry.version_id,
        destination_etag=entry.etag if isinstance(entry, ObjectVersion) else None,
        destination_is_delete_marker=isinstance(entry, DeleteMarker),
    )


def _accounts_for(row: PlannedRow, version: ObjectVersion) -> bool:
    """Return whether a planned version, gone from the source since, explains the destination's."""
    entry = row.entry
    if version.version_id in row.own_version_ids:
        return True
    if version.version_id == entry.version_id != NULL_VERSION_ID:
        return True
    return content_of(version) == (entry.etag, entry.size_bytes)
