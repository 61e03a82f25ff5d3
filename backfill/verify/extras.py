"""Extra versions: what a destination has that no source version and no plan row explains.

Never calls noncurrent versions extra, but for those that the same copy made twice.
Law: a key that the source has, or that the plan had, is not extra; what live replication wrote
after the horizon is live replication's.
"""

from collections.abc import Iterator, Sequence

from backfill.model.objects import NULL_VERSION_ID, ObjectVersion
from backfill.model.outcome import OutcomeKind
from backfill.plan.chains import content_of
from backfill.verify.decisions import Judged, KeyView, Look, LookKind, PlannedRow
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow

_COPIES = frozenset({OutcomeKind.COPIED, OutcomeKind.SUPERSEDED, OutcomeKind.HIDDEN})
"""Outcomes whose version is a copy; SUPERSEDED has one where the newer version was copied."""


def extra_versions(
    rows: Sequence[PlannedRow], view: KeyView, *, is_claimed: bool
) -> Iterator[Judged | Look]:
    """Yield the extra versions of a key at one destination.

    `rows` are the plan rows of this key and destination. `is_claimed` says that a rule of the
    destination covers the key: if none does, what only the destination has is somebody else's.
    """
    if is_claimed:
        yield from _extra_key(rows, view)
    for row in rows:
        yield from _written_twice(row, view)


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


def _extra(
    view: KeyView, version: ObjectVersion, row: PlannedRow | None, detail: str
) -> Judged | Look:
    found = VerdictRow(
        number=None,
        key=view.key,
        version_id=None if row is None else row.entry.version_id,
        destination=view.destination,
        content=Verdict.EXTRA,
        evidence=Evidence.LISTING,
        fidelity=Fidelity.NOT_LOOKED_AT,
        detail=detail,
        destination_version_id=version.version_id,
        destination_etag=version.etag,
    )
    if version.last_modified < view.horizon:
        return Judged(row=found)
    return Look(kind=LookKind.DESTINATION_STATUS, row=found)


def _accounts_for(row: PlannedRow, version: ObjectVersion) -> bool:
    """Return whether a planned version, gone from the source since, explains the destination's."""
    entry = row.entry
    if version.version_id in row.own_version_ids:
        return True
    if version.version_id == entry.version_id != NULL_VERSION_ID:
        return True
    return content_of(version) == (entry.etag, entry.size_bytes)
