"""Plan entries, outcomes and verdicts for the report's tests; what is not named has a default."""

from datetime import UTC, datetime

from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Reason, Route
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow

WHEN = datetime(2026, 11, 1, tzinfo=UTC)


def entry(
    number: int,
    key: str,
    decided: Route | Reason = Route.COPY_OBJECT,
    *,
    size_bytes: int = 10,
    is_delete_marker: bool = False,
    destination: int = 0,
) -> PlanEntry:
    return PlanEntry(
        number=number,
        key=key,
        version_id=VersionId(f"v{number}"),
        is_delete_marker=is_delete_marker,
        is_latest=True,
        last_modified=WHEN,
        etag=None if is_delete_marker else ETag("e" * 32),
        size_bytes=0 if is_delete_marker else size_bytes,
        destination=destination,
        route=decided if isinstance(decided, Route) else None,
        reason=decided if isinstance(decided, Reason) else None,
        precondition=IfAbsent()
        if isinstance(decided, Route) and decided is not Route.BATCH_REPLICATION
        else None,
    )


def outcome(number: int, kind: OutcomeKind = OutcomeKind.COPIED, code: str = "") -> Outcome:
    return Outcome(number=number, kind=kind, code=code, version_id=VersionId(f"d{number}"))


def verdict(
    number: int | None,
    key: str,
    content: Verdict = Verdict.EQUAL,
    fields: tuple[Field, ...] = (),
) -> VerdictRow:
    return VerdictRow(
        number=number,
        key=key,
        version_id=VersionId(f"v{number}") if number is not None else None,
        destination=0,
        content=content,
        evidence=Evidence.FULL_OBJECT_CHECKSUM,
        fidelity=Fidelity.DIFFERENT if fields else Fidelity.EQUAL,
        fields=fields,
        destination_version_id=VersionId(f"d{number}"),
    )
