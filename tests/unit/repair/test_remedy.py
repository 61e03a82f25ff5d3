"""The table of remedies: what repair writes, over what, and what it leaves to a person."""

from dataclasses import dataclass

import pytest

from backfill.execute.codes import SENTENCES, Code
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Reason, Route
from backfill.repair.remedy import BadRow, Person, remedy
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.two_buckets import HORIZON, PLAIN, Marker, Stored, copied, planned

KEY = "a key"
ENTRY = planned(7, KEY, Stored(version_id="v", data=b"data"))
MARKER = planned(7, KEY, Marker(version_id="m"))._replace(has_other_writers=False)
SEEN, ETAG = VersionId("there"), ETag("its-etag")
OVER = IfReplaces(etag=ETAG)
COPIED = copied(0, "there", ETAG)
FAILED = Outcome(number=0, kind=OutcomeKind.FAILED, code="SlowDown")
SKIPPED = Outcome(number=0, kind=OutcomeKind.SKIPPED)


def verdict(
    content: Verdict, *fields: Field, entry: PlanEntry | None = ENTRY, is_there: bool = True
) -> VerdictRow:
    is_fidelity = content in {Verdict.EQUAL, Verdict.UNVERIFIED} and bool(fields)
    return VerdictRow(
        number=None if entry is None else entry.number,
        key=KEY,
        version_id=None if entry is None else entry.version_id,
        destination=0,
        content=content,
        evidence=Evidence.LISTING,
        fidelity=Fidelity.DIFFERENT if is_fidelity else Fidelity.NOT_LOOKED_AT,
        fields=fields,
        destination_version_id=SEEN if is_there else None,
        destination_etag=ETAG if is_there else None,
    )


def hidden(content_row: VerdictRow) -> VerdictRow:
    return content_row._replace(destination_etag=None, destination_is_delete_marker=True)


MISSING = verdict(Verdict.MISSING, is_there=False)
ALTERED = verdict(Verdict.DIFFERENT, Field.CONTENT)
TAGS = verdict(Verdict.EQUAL, Field.TAGS)
STALE = verdict(Verdict.DIFFERENT, Field.CURRENT_VERSION)
HIDDEN = hidden(verdict(Verdict.DIFFERENT, Field.DELETE_MARKER))
SHOWN = verdict(Verdict.DIFFERENT, Field.DELETE_MARKER, entry=MARKER)
UNMARKED = verdict(Verdict.DIFFERENT, Field.DELETE_MARKER, entry=MARKER, is_there=False)
EXTRA = verdict(Verdict.EXTRA, entry=None)


@dataclass(frozen=True)
class Case:
    name: str
    bad: BadRow
    route: Route
    precondition: Precondition | None
    allows_hiding: bool = False


WORK = [
    Case("missing", BadRow(verdict=MISSING, entry=ENTRY), Route.COPY_OBJECT, IfAbsent()),
    Case("failed and missing", BadRow(verdict=MISSING, entry=ENTRY, outcome=FAILED),
         Route.COPY_OBJECT, IfAbsent()),
    Case("raced and missing", BadRow(verdict=MISSING, entry=ENTRY, outcome=SKIPPED._replace(
         code=Code.IN_FLIGHT.value)), Route.COPY_OBJECT, IfAbsent()),
    Case("large and missing", BadRow(verdict=MISSING,
         entry=ENTRY._replace(route=Route.MULTIPART_COPY)), Route.MULTIPART_COPY, IfAbsent()),
    Case("altered", BadRow(verdict=ALTERED, entry=ENTRY, outcome=COPIED), Route.COPY_OBJECT, OVER),
    Case("failed over a stranger", BadRow(verdict=ALTERED, entry=ENTRY, outcome=FAILED),
         Route.COPY_OBJECT, OVER),
    Case("tags", BadRow(verdict=TAGS, entry=ENTRY, outcome=COPIED), Route.COPY_OBJECT, OVER),
    Case("unproven with other metadata",
         BadRow(verdict=verdict(Verdict.UNVERIFIED, Field.METADATA), entry=ENTRY),
         Route.COPY_OBJECT, OVER),
    Case("stale", BadRow(verdict=STALE, entry=ENTRY, outcome=COPIED._replace(
         version_id=VersionId("buried"))), Route.COPY_OBJECT, OVER),
    Case("under an older source marker",
         BadRow(verdict=HIDDEN, entry=ENTRY, source_markers=frozenset({SEEN})),
         Route.COPY_OBJECT, IfAbsent()),
    Case("the marker is missing", BadRow(verdict=SHOWN, entry=MARKER), Route.DELETE_MARKER, OVER),
    Case("the marker is missing on an absent, quiet key", BadRow(verdict=UNMARKED, entry=MARKER),
         Route.DELETE_MARKER, None),
    Case("extra, and hiding allowed", BadRow(verdict=EXTRA), Route.HIDE_EXTRA, OVER,
         allows_hiding=True),
    Case("extra, and hiding allowed again", BadRow(verdict=EXTRA, outcome=SKIPPED._replace(
         code=Code.HIDING_NOT_ALLOWED.value)), Route.HIDE_EXTRA, OVER, allows_hiding=True),
    Case("our copy on a later marker, hiding not allowed before and allowed now",
         BadRow(verdict=verdict(Verdict.DIFFERENT, Field.DELETE_MARKER), entry=ENTRY,
                outcome=SKIPPED._replace(code=Code.HIDING_NOT_ALLOWED.value)),
         Route.HIDE_EXTRA, OVER, allows_hiding=True),
    Case("our copy on a later marker, and hiding allowed",
         BadRow(verdict=verdict(Verdict.DIFFERENT, Field.DELETE_MARKER), entry=ENTRY,
                outcome=COPIED), Route.HIDE_EXTRA, OVER, allows_hiding=True),
]  # fmt: skip


@pytest.mark.parametrize("case", WORK, ids=lambda case: case.name)
def test_work_is_guarded_by_what_verify_saw(case: Case) -> None:
    """If this fails, repair writes over a version that nobody looked at, or does nothing."""
    found = remedy(case.bad, number=3, horizon=HORIZON, allows_hiding=case.allows_hiding)
    assert isinstance(found, ManifestEntry)
    assert (found.number, found.route, found.precondition) == (3, case.route, case.precondition)
    assert found.seen_version_id == case.bad.verdict.destination_version_id
    assert found.plan_number == case.bad.verdict.number
    if found.route in {Route.COPY_OBJECT, Route.MULTIPART_COPY}:
        assert (found.version_id, found.etag) == ("v", ENTRY.etag)
        assert (found.storage_class, found.encryption) == ("STANDARD", PLAIN)


FOREIGN = planned(7, KEY, Stored(version_id="v", data=b"data"), reason=Reason.ALREADY_COPIED)
LEFT = [
    (BadRow(verdict=verdict(Verdict.IN_FLIGHT), entry=ENTRY), "Live replication"),
    (BadRow(verdict=verdict(Verdict.UNVERIFIED), entry=ENTRY), "--deep"),
    (BadRow(verdict=verdict(Verdict.UNVERIFIED)._replace(evidence=Evidence.NOT_READ), entry=ENTRY),
     "mend the permissions"),
    (BadRow(verdict=MISSING, entry=ENTRY._replace(is_latest=False)), "noncurrent"),
    (BadRow(verdict=HIDDEN, entry=ENTRY), "delete marker that the source does not have"),
    (BadRow(verdict=HIDDEN, entry=ENTRY, source_markers=frozenset({VersionId("other")})),
     "delete marker that the source does not have"),
    (BadRow(verdict=SHOWN, entry=MARKER._replace(replicates_delete_markers=False)), "No rule"),
    (BadRow(verdict=UNMARKED, entry=MARKER._replace(has_other_writers=True)), "conditional"),
    (BadRow(verdict=EXTRA), "allows hiding"),
    (BadRow(verdict=verdict(Verdict.DIFFERENT, Field.DELETE_MARKER), entry=ENTRY), "allows hiding"),
    (BadRow(verdict=EXTRA._replace(version_id=VersionId("v"))), "harms nobody"),
    (BadRow(verdict=STALE, entry=ENTRY, outcome=COPIED), "new run"),
    (BadRow(verdict=ALTERED._replace(version_id=VersionId("newer")), entry=ENTRY), "new run"),
    *((BadRow(verdict=SHOWN, entry=MARKER._replace(route=None, reason=reason)), "before this run")
      for reason in (Reason.DESTINATION_DIFFERS, Reason.DESTINATION_NEWER)),
    (BadRow(verdict=MISSING, entry=FOREIGN), "new run"),
    (BadRow(verdict=ALTERED, entry=FOREIGN), "before this run"),
    (BadRow(verdict=MISSING, entry=ENTRY, outcome=SKIPPED._replace(code=Code.ARCHIVED.value)),
     SENTENCES[Code.ARCHIVED]),
    (BadRow(verdict=ALTERED, entry=ENTRY, outcome=COPIED, was_repaired=True), "before"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "says"), LEFT)
def test_what_repair_cannot_mend_is_left_to_a_person_with_a_reason(bad: BadRow, says: str) -> None:
    """If this fails, repair resurrects, hides or overwrites what it must not, or says nothing."""
    found = remedy(bad, number=0, horizon=HORIZON, allows_hiding=False)
    assert isinstance(found, Person)
    assert says in found.sentence


def test_hiding_allowed_does_not_hide_what_lies_twice() -> None:
    """If this fails, a sound current copy is hidden for having a double below it."""
    bad = BadRow(verdict=EXTRA._replace(version_id=VersionId("v")))
    found = remedy(bad, number=0, horizon=HORIZON, allows_hiding=True)
    assert isinstance(found, Person)
