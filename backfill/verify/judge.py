"""The judge: what the fresh listings say of every plan row of a key, and what must be looked at.

Never reads a store. Rows that the rules did not want moved, or that no copy can carry whole (no
rule, archived, written after the horizon ...) are not parity-checked: they get no verdict and are
counted by their reason. What the rules wanted and the destination forbade is judged as any other.
Law: a row is called different, missing or extra only for what the plan promised; what came after
the plan is live replication's.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ObjectVersion
from backfill.plan.chains import content_of
from backfill.plan.routes import Reason
from backfill.verify.decisions import (
    SUPERSEDED,
    VANISHED,
    Decision,
    Judged,
    KeyView,
    Look,
    PlannedRow,
)
from backfill.verify.extras import extra_versions
from backfill.verify.fidelity import ANY
from backfill.verify.findings import (
    buried,
    by_source_status,
    compare,
    delivered,
    different,
    equal_marker,
    finding,
    missing,
    unjudged,
)
from backfill.verify.histories import Chains, History, is_alone, is_history
from backfill.verify.verdicts import Evidence, Field, Verdict, VerdictRow

JUDGED_REASONS: Final = frozenset(
    {
        Reason.ALREADY_REPLICATED,
        Reason.ALREADY_COPIED,
        Reason.ALREADY_DELETED,
        Reason.IN_FLIGHT,
        Reason.DESTINATION_DIFFERS,
        Reason.DESTINATION_UNPROVEN,
        Reason.DESTINATION_NEWER,
        Reason.DESTINATION_DELETED,
        Reason.NOT_READABLE,
    }
)
"""Reasons that say that the destination has it, or will, or should and shows something else."""


def judged_key(
    rows: Sequence[PlannedRow],
    views: Sequence[KeyView],
    *,
    is_deep: bool,
    claimed: frozenset[int],
    chains: Chains = Chains.OF_HISTORIES,
) -> Iterator[Decision]:
    """Yield one decision a plan row of a key, in plan order, then one for each extra version.

    `views` has one view for each destination, in the order of the plan header. `is_deep` looks at
    replicas, too, that the listings prove. `claimed` are the destinations whose rules cover the
    key: elsewhere, what only the destination has is somebody else's, not extra.
    `chains` says which of them are compared as a whole.
    """
    histories = dict[int, History]()
    for view in views:
        own_rows = [row for row in rows if row.entry.destination == view.destination]
        if own_rows and (chains is Chains.ALL or is_history(own_rows)):
            histories[view.destination] = History(own_rows, view, is_deep=is_deep)
    for row in rows:
        history = histories.get(row.entry.destination)
        if history is not None and history.has(row):
            yield history.decision(row)
        else:
            yield _judged(row, views[row.entry.destination], is_deep=is_deep)
    for view in views:
        history = histories.get(view.destination)
        if history is not None and not history.is_empty:
            yield from history.extras()
            continue
        own_rows = [row for row in rows if row.entry.destination == view.destination]
        yield from extra_versions(
            own_rows,
            view,
            is_claimed=view.destination in claimed,
            is_alone=chains is Chains.OF_QUIET_KEYS and is_alone(own_rows),
        )


def _judged(row: PlannedRow, view: KeyView, *, is_deep: bool) -> Decision:
    entry = row.entry
    is_marker_gap = entry.reason is Reason.MARKER_UNCONDITIONAL and view.is_visible
    if entry.reason is not None and entry.reason not in JUDGED_REASONS and not is_marker_gap:
        return unjudged(row, entry.reason.value)
    found = view.at_source(entry)
    if found is None:
        return unjudged(row, VANISHED)
    if entry.reason is Reason.NOT_READABLE and view.at_destination(row) is None:
        return _not_read(row, view)
    if found is view.source_chain.current:
        if entry.is_delete_marker:
            return _current_marker(row, view)
        return _current_object(row, view, is_deep=is_deep)
    return _noncurrent(row, view, is_deep=is_deep)


def _current_marker(row: PlannedRow, view: KeyView) -> Decision:
    """A delete marker is the source's current entry: a reader of the destination must see none."""
    current = view.destination_chain.current
    if isinstance(current, DeleteMarker):
        return Judged(row=equal_marker(row, current))
    if current is not None:
        detail = "The source is deleted, and the destination still shows an object."
        return Judged(row=different(row, current, Field.DELETE_MARKER, detail))
    if row.entry.route is None and row.entry.reason is not Reason.ALREADY_REPLICATED:
        return Judged(row=equal_marker(row, None))
    detail = "The delete marker is missing at the destination."
    return Judged(row=different(row, None, Field.DELETE_MARKER, detail))


def _current_object(row: PlannedRow, view: KeyView, *, is_deep: bool) -> Decision:
    """The version is the source's current one: the destination's current one must deliver it."""
    current = view.destination_chain.current
    if current is None:
        return missing(row)
    if isinstance(current, DeleteMarker):
        detail = "The destination shows no object: a delete marker is its current version."
        return by_source_status(different(row, current, Field.DELETE_MARKER, detail))
    delivery = view.at_destination(row)
    if delivery is current:
        return delivered(row, current, is_deep=is_deep)
    if view.source_chain.identified(current) is not None:
        detail = "The destination's current version is an older one of the source."
        return compare(row, current, otherwise=_stale(row, current, detail), is_stale=True)
    is_stale = delivery is not None or _looks_older(row, current, view)
    return compare(row, current, is_stale=is_stale)


def _noncurrent(row: PlannedRow, view: KeyView, *, is_deep: bool) -> Decision:
    """The version is not the source's current one: planned so, or the source moved on since."""
    delivery = view.at_destination(row)
    if delivery is None and row.entry.version_id == NULL_VERSION_ID and not row.entry.is_latest:
        delivery = view.destination_chain.by_version_id.get(NULL_VERSION_ID)
    if delivery is not None:
        if (below := buried(row, delivery, view)) is not None:
            return Judged(row=below)
        return delivered(row, delivery, is_deep=is_deep)
    if row.entry.is_latest:
        return _moved_on(row, view)
    if row.entry.is_delete_marker:
        detail = "The delete marker is missing from the destination's version chain."
        return Judged(row=different(row, None, Field.DELETE_MARKER, detail))
    return missing(row)


def _moved_on(row: PlannedRow, view: KeyView) -> Decision:
    """The source has a newer current entry, and nothing at the destination delivers the row."""
    newest, current = view.source_chain.current, view.destination_chain.current
    assert newest is not None, "a noncurrent version has a newer one"
    if current is not None and current.version_id in row.own_version_ids:
        is_newer_copy = current.version_id not in row.delivered_version_ids
        both_objects = isinstance(newest, ObjectVersion) and isinstance(current, ObjectVersion)
        below = buried(row, current, view)
        # A copy of what had become current may well lie on the replica of the same version.
        if below is not None and not (is_newer_copy and both_objects):
            return Judged(row=below)
        if isinstance(newest, ObjectVersion) and isinstance(current, ObjectVersion):
            return _compare_newer(row, newest, current)
    is_delivered = current is not None and view.destination_chain.identified(newest) is current
    if isinstance(newest, DeleteMarker):
        is_delivered |= not view.is_visible or not row.entry.replicates_delete_markers
    if is_delivered:
        return unjudged(row, SUPERSEDED)
    detail = "The source changed after the plan, and the destination does not show it yet."
    return Judged(
        row=finding(
            row,
            current,
            content=Verdict.IN_FLIGHT,
            detail=detail,
        )
    )


def _looks_older(row: PlannedRow, current: ObjectVersion, view: KeyView) -> bool:
    """Return whether the destination's current version has an older source version's content."""
    content = content_of(current)
    is_planned = content == (row.entry.etag, row.entry.size_bytes)
    return not is_planned and content in view.source_chain.older_contents


def _not_read(row: PlannedRow, view: KeyView) -> Judged:
    """Return `unverified` for what the plan was not allowed to read: rules may well want it."""
    why = f": {row.entry.detail}" if row.entry.detail else ""
    told = finding(
        row,
        view.destination_chain.current,
        content=Verdict.UNVERIFIED,
        evidence=Evidence.NOT_READ,
        detail=f"The source version could not be read when the plan was made{why}.",
    )
    return Judged(row=told)


def _stale(row: PlannedRow, version: ObjectVersion, detail: str) -> VerdictRow:
    return different(row, version, Field.CURRENT_VERSION, detail)


def _compare_newer(row: PlannedRow, newest: ObjectVersion, copy: ObjectVersion) -> Look:
    """Compare the newer version that the worker copied, in place of the planned one."""
    detail = "The source had moved on, so its newer version was copied; that is judged here."
    unknown = finding(row, copy, content=Verdict.UNVERIFIED, evidence=Evidence.NONE, detail=detail)
    look = compare(row, copy, otherwise=unknown._replace(version_id=newest.version_id))
    return look._replace(expected=ANY)
