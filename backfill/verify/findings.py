"""What the listings let one say of a plan row: a verdict, what to read for one, or why none.

Never weighs (`judge` and `histories` do) and never reads a store.
Law: a finding names the destination version that it is about, so that repair can guard its write.
"""

from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry, ObjectVersion
from backfill.plan.routes import Handling, Route
from backfill.verify.decisions import Judged, KeyView, Look, LookKind, PlannedRow, Unjudged
from backfill.verify.fidelity import Expected
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow

_COPIED = frozenset({Route.COPY_OBJECT, Route.MULTIPART_COPY})
"""Routes whose result we promise more of than S3 does of its own replicas."""


def finding(
    row: PlannedRow,
    seen: ListedEntry | None,
    *,
    content: Verdict,
    evidence: Evidence = Evidence.LISTING,
    fidelity: Fidelity = Fidelity.NOT_LOOKED_AT,
    detail: str = "",
) -> VerdictRow:
    """Return a verdict on a row and the destination version that was seen for it, if any."""
    entry = row.entry
    return VerdictRow(
        number=entry.number,
        key=entry.key,
        version_id=entry.version_id,
        destination=entry.destination,
        content=content,
        evidence=evidence,
        fidelity=fidelity,
        detail=detail,
        destination_version_id=None if seen is None else seen.version_id,
        destination_etag=seen.etag if isinstance(seen, ObjectVersion) else None,
        destination_is_delete_marker=isinstance(seen, DeleteMarker),
    )


def different(
    row: PlannedRow, seen: ListedEntry | None, field: Field, detail: str, *more: Field
) -> VerdictRow:
    """Return `different`, as the listings show it, in these fields."""
    found = finding(row, seen, content=Verdict.DIFFERENT, detail=detail)
    return found._replace(fields=(field, *more))


def equal_marker(row: PlannedRow, seen: ListedEntry | None, detail: str = "") -> VerdictRow:
    """Return `equal`: a delete marker has no bytes and no attributes that could differ."""
    return finding(row, seen, content=Verdict.EQUAL, fidelity=Fidelity.EQUAL, detail=detail)


def unjudged(row: PlannedRow, reason: str) -> Unjudged:
    """Return that a row gets no verdict, and why."""
    entry = row.entry
    return Unjudged(
        number=entry.number, key=entry.key, destination=entry.destination, reason=reason
    )


def missing(row: PlannedRow, detail: str = "The destination has no version for it.") -> Look:
    """Return `missing`, unless live replication is still at it."""
    detail = with_ending(row, detail)
    return by_source_status(finding(row, None, content=Verdict.MISSING, detail=detail))


def with_ending(row: PlannedRow, detail: str) -> str:
    """Return a sentence on what is missing, and how the work on it ended."""
    if not row.outcomes:
        return detail
    outcome = row.outcomes[-1]
    return f"{detail} The copy ended as {outcome.kind}: {outcome.code}."


def by_source_status(row: VerdictRow) -> Look:
    """Return a verdict that holds unless HEAD shows PENDING at the source."""
    return Look(kind=LookKind.SOURCE_STATUS, row=row)


def compare(
    row: PlannedRow,
    version: ObjectVersion,
    *,
    otherwise: VerdictRow | None = None,
    is_stale: bool = False,
) -> Look:
    """Return that both versions must be read. `otherwise`: what holds if they cannot be.

    Without it that is what two sizes tell, if they differ, and else nothing.
    """
    entry = row.entry
    # A row without a route carries no wish: what it found was made under a rule of an earlier day.
    expected = Expected(
        storage_class=entry.storage_class or None,
        encryption=entry.encryption,
        keeps_acl=bool(entry.handling & (Handling.GRANTS | Handling.DEFAULT_ACL)),
        checksum_algorithm="" if entry.route in _COPIED else None,
    )
    if otherwise is None:
        otherwise = finding(row, version, content=Verdict.UNVERIFIED, evidence=Evidence.NONE)
        if version.size_bytes != entry.size_bytes:
            field = Field.CURRENT_VERSION if is_stale else Field.SIZE
            otherwise = otherwise._replace(
                content=Verdict.DIFFERENT, evidence=Evidence.SIZE, fields=(field,)
            )
    return Look(
        kind=LookKind.COMPARE,
        row=otherwise,
        expected=expected,
        is_stale=is_stale,
    )


def delivered(row: PlannedRow, delivery: ListedEntry, *, is_deep: bool) -> Judged | Look:
    """Judge by the version that delivers the row: a replica by the listings, our copy by HEAD."""
    entry = row.entry
    if entry.is_delete_marker or isinstance(delivery, DeleteMarker):
        if entry.is_delete_marker and isinstance(delivery, DeleteMarker):
            return Judged(row=equal_marker(row, delivery))
        detail = "One side has a delete marker where the other has an object version."
        return Judged(row=different(row, delivery, Field.DELETE_MARKER, detail))
    if delivery.version_id != entry.version_id or entry.version_id == NULL_VERSION_ID:
        return compare(row, delivery)
    evidence = Evidence.VERSION_ID_AND_ETAG
    proven = finding(row, delivery, content=Verdict.EQUAL, evidence=evidence)
    if delivery.size_bytes == entry.size_bytes and delivery.etag == entry.etag:
        if not is_deep:
            return Judged(row=proven)
        return compare(row, delivery, otherwise=proven)
    return compare(row, delivery)


def buried(row: PlannedRow, delivery: ListedEntry, view: KeyView) -> VerdictRow | None:
    """Return a difference where what the source wrote later lies below what we delivered.

    Live replication has done its part then, and nothing but a person or a new run mends it.
    """
    newest = view.source_chain.current
    if delivery is not view.destination_chain.current or newest is None:
        return None
    below = view.destination_chain.identified(newest)
    if below is None or below is delivery:
        return None
    is_marker = isinstance(newest, DeleteMarker)
    detail = "What the source wrote after the plan lies below this version at the destination."
    field = Field.DELETE_MARKER if is_marker else Field.CURRENT_VERSION
    return different(row, delivery, field, detail)
