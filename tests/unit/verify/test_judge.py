"""The judge, by named cases of what two listings show."""

from dataclasses import dataclass, replace

import pytest

from backfill.inventory.join import KeyGroup
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.routes import Reason
from backfill.verify.decisions import (
    SUPERSEDED,
    VANISHED,
    Decision,
    Judged,
    Look,
    LookKind,
    PlannedRow,
    Unjudged,
)
from backfill.verify.judge import JUDGED_REASONS, judged_key
from backfill.verify.keys import views_of
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict
from tests.unit.verify.two_buckets import (
    AFTER,
    BEFORE,
    HORIZON,
    Lying,
    Marker,
    Stored,
    copied,
    kms,
    listed,
    planned,
)

KEY = "a key"
V1 = Stored(version_id="v1", data=b"the first version")
V2 = Stored(version_id="v2", data=b"the second version")
V3 = Stored(version_id="v3", data=b"the third version", last_modified=AFTER)
GONE = Marker(version_id="m1")
GONE_LATER = Marker(version_id="m2", last_modified=AFTER)
COPY = replace(V2, version_id="copy", last_modified=AFTER)
OURS = copied(0, "copy", COPY.etag)
STRANGER = Stored(version_id="x", data=b"nobody knows this one")
COPIED = PlannedRow(entry=planned(0, KEY, V2), outcomes=(OURS,))
ROUTED = PlannedRow(entry=planned(0, KEY, V2))


def reasoned(reason: Reason, lying: Lying = V2, *, is_latest: bool = True) -> PlannedRow:
    return PlannedRow(entry=planned(0, KEY, lying, reason=reason, is_latest=is_latest))


V4 = replace(V3, version_id="v4")
COPY_OF_V3 = replace(V3, version_id="copy of v3")
SWITCHED = PlannedRow(
    entry=planned(0, KEY, V2),
    outcomes=(copied(0, "copy of v3")._replace(kind=OutcomeKind.SUPERSEDED),),
)
MINE = Marker(version_id="mine", last_modified=AFTER)
UNDONE = PlannedRow(
    entry=planned(0, KEY, V2),
    outcomes=(copied(0, "mine")._replace(kind=OutcomeKind.SUPERSEDED),),
)
REPLICATED = reasoned(Reason.ALREADY_REPLICATED)
MARKED = PlannedRow(
    entry=planned(0, KEY, GONE),
    outcomes=(Outcome(number=0, kind=OutcomeKind.MARKED),),
)


def decisions(
    rows: list[PlannedRow],
    source: list[Lying],
    destination: list[Lying],
    *,
    is_deep: bool = False,
    is_claimed: bool = True,
) -> list[Decision]:
    group = KeyGroup(
        key=KEY,
        source_chain=listed(KEY, source),
        destination_chains=(listed(KEY, destination),),
    )
    claimed = frozenset({0} if is_claimed else ())
    return list(judged_key(rows, views_of(group, HORIZON), is_deep=is_deep, claimed=claimed))


def said(decision: Decision) -> tuple[object, ...]:
    """Return the gist of a decision."""
    match decision:
        case Unjudged(reason=reason):
            return (reason,)
        case Judged(row=row):
            return (row.content, *row.fields)
        case Look(kind=kind, is_stale=is_stale, row=row):
            return (kind, row.content, *(("stale",) if is_stale else ()))


@dataclass(frozen=True)
class Case:
    name: str
    row: PlannedRow
    source: list[Lying]
    destination: list[Lying]
    says: tuple[object, ...]


COMPARE, STATUS = LookKind.COMPARE, LookKind.SOURCE_STATUS
UNKNOWN = Verdict.UNVERIFIED
DIFFERENT = Verdict.DIFFERENT
V2_OTHER_ETAG = replace(V2, encryption=kms("k"))
V2_CUT = replace(V2, data=b"short")
NULL = replace(V2, version_id="null")
NULL_LATER = replace(V2, version_id="null", last_modified=AFTER)

CASES = [
    # The version is the source's current one, and was to be copied.
    Case("our copy always gets a HEAD", COPIED, [V2], [COPY], (COMPARE, UNKNOWN)),
    Case("live replication delivered it first", ROUTED, [V2], [V2], (Verdict.EQUAL,)),
    Case("nothing there", ROUTED, [V2], [], (STATUS, Verdict.MISSING)),
    Case("a marker hides it", COPIED, [V2], [GONE, COPY], (STATUS, DIFFERENT)),
    Case("an older source version is current", COPIED, [V2, V1], [V1],
         (COMPARE, DIFFERENT, "stale")),
    Case("old content under a new ID is current", COPIED, [V2, V1],
         [replace(V1, version_id="raw"), COPY], (COMPARE, DIFFERENT, "stale")),
    Case("something stands above our copy", COPIED, [V2], [STRANGER, COPY],
         (COMPARE, DIFFERENT, "stale")),
    Case("something stands in its place", ROUTED, [V2], [STRANGER], (COMPARE, DIFFERENT)),
    Case("something of its size stands in its place", ROUTED, [V2],
         [replace(STRANGER, data=bytes(len(V2.data)))], (COMPARE, UNKNOWN)),
    Case("null on both sides is no identity", PlannedRow(entry=planned(0, KEY, NULL)), [NULL],
         [NULL], (COMPARE, UNKNOWN)),
    # The source moved on after the plan.
    Case("the newer one is there", ROUTED, [V3, V2], [V3], (SUPERSEDED,)),
    Case("the newer one is not there yet", ROUTED, [V3, V2], [V1], (Verdict.IN_FLIGHT,)),
    Case("our copy lies below the newer one", COPIED, [V3, V2], [V3, COPY], (COMPARE, UNKNOWN)),
    Case("our copy is there, the newer one not yet", COPIED, [V3, V2], [COPY], (COMPARE, UNKNOWN)),
    Case("our copy buried the newer one", COPIED, [V3, V2], [COPY, V3],
         (DIFFERENT, Field.CURRENT_VERSION)),
    Case("our copy buried a replicated marker", COPIED, [GONE_LATER, V2], [COPY, GONE_LATER],
         (DIFFERENT, Field.DELETE_MARKER)),
    Case("the worker copied the newer one instead", SWITCHED, [V3, V2], [COPY_OF_V3],
         (COMPARE, UNKNOWN)),
    Case("the worker's copy of a newer one was overtaken", SWITCHED, [V4, V3, V2],
         [V4, COPY_OF_V3], (SUPERSEDED,)),
    Case("the worker's copy of the newer one lies on its replica", SWITCHED, [V3, V2],
         [COPY_OF_V3, V3], (COMPARE, UNKNOWN)),
    Case("the worker's copy buried a replicated marker", SWITCHED, [GONE_LATER, V3, V2],
         [COPY_OF_V3, GONE_LATER], (DIFFERENT, Field.DELETE_MARKER)),
    Case("a newer copy of ours, and deleted since", SWITCHED, [GONE_LATER, V3, V2], [COPY_OF_V3],
         (Verdict.IN_FLIGHT,)),
    Case("a marker of ours in a newer one's place", UNDONE, [V3, V2], [MINE],
         (Verdict.IN_FLIGHT,)),
    Case("deleted since, and never there", ROUTED, [GONE_LATER, V2], [], (SUPERSEDED,)),
    Case("deleted since, the marker under way", ROUTED, [GONE_LATER, V2], [V1],
         (Verdict.IN_FLIGHT,)),
    Case("deleted since, and our copy stays until the marker comes", COPIED, [GONE_LATER, V2],
         [COPY], (COMPARE, UNKNOWN)),
    Case("removed for good since", COPIED, [V1], [COPY], (VANISHED,)),
    Case("the null version was overwritten since", PlannedRow(entry=planned(0, KEY, NULL)),
         [NULL_LATER], [NULL], (VANISHED,)),
    # The plan said that it was there.
    Case("a replica as it was", REPLICATED, [V2], [V2], (Verdict.EQUAL,)),
    Case("a replica with another ETag", REPLICATED, [V2], [V2_OTHER_ETAG], (COMPARE, UNKNOWN)),
    Case("a replica of another size", REPLICATED, [V2], [V2_CUT], (COMPARE, DIFFERENT)),
    Case("the replica is gone", REPLICATED, [V2], [], (STATUS, Verdict.MISSING)),
    Case("a noncurrent replica as it was",
         reasoned(Reason.ALREADY_REPLICATED, V1, is_latest=False), [V2, V1], [V2, V1],
         (Verdict.EQUAL,)),
    Case("a noncurrent replica is gone",
         reasoned(Reason.ALREADY_REPLICATED, V1, is_latest=False), [V2, V1], [V2],
         (STATUS, Verdict.MISSING)),
    Case("a noncurrent null replica is compared",
         reasoned(Reason.ALREADY_REPLICATED, NULL, is_latest=False), [V3, NULL], [V3, NULL],
         (COMPARE, UNKNOWN)),
    Case("a marker where the replica was", REPLICATED, [V2], [Marker(version_id="v2")],
         (STATUS, DIFFERENT)),
    Case("an earlier copy", reasoned(Reason.ALREADY_COPIED), [V2], [COPY], (COMPARE, UNKNOWN)),
    Case("an earlier copy is gone", reasoned(Reason.ALREADY_COPIED), [V2], [],
         (STATUS, Verdict.MISSING)),
    Case("pending at the plan, there now", reasoned(Reason.IN_FLIGHT), [V2], [V2],
         (Verdict.EQUAL,)),
    Case("pending at the plan, and not there", reasoned(Reason.IN_FLIGHT), [V2], [],
         (STATUS, Verdict.MISSING)),
    # The rules wanted it, and the destination forbade it.
    Case("a stranger instead", reasoned(Reason.DESTINATION_DIFFERS), [V2], [STRANGER],
         (COMPARE, DIFFERENT)),
    Case("what looked strange is a replica now", reasoned(Reason.DESTINATION_DIFFERS), [V2], [V2],
         (Verdict.EQUAL,)),
    Case("equal size and nothing stored tells", reasoned(Reason.DESTINATION_UNPROVEN), [V2],
         [COPY], (COMPARE, UNKNOWN)),
    Case("a damaged replica", reasoned(Reason.DESTINATION_DIFFERS, V1, is_latest=False), [V2, V1],
         [V2, replace(V1, data=b"cut")], (COMPARE, DIFFERENT)),
    Case("a stranger after the horizon", reasoned(Reason.DESTINATION_NEWER), [V2],
         [replace(STRANGER, last_modified=AFTER)], (COMPARE, DIFFERENT)),
    Case("somebody deleted it", reasoned(Reason.DESTINATION_DELETED), [V2],
         [Marker(version_id="theirs")], (STATUS, DIFFERENT)),
    Case("a stranger where the source is deleted", reasoned(Reason.DESTINATION_DIFFERS, GONE),
         [GONE, V2], [STRANGER], (DIFFERENT, Field.DELETE_MARKER)),
    Case("denied at the plan", reasoned(Reason.NOT_READABLE), [V2], [V1], (UNKNOWN,)),
    Case("denied at the plan, and a replica is there", reasoned(Reason.NOT_READABLE), [V2], [V2],
         (Verdict.EQUAL,)),
    Case("denied at the plan, and gone", reasoned(Reason.NOT_READABLE), [V1], [], (VANISHED,)),
    # Delete markers.
    Case("our marker stands", MARKED, [GONE, V2], [Marker(version_id="d"), V2], (Verdict.EQUAL,)),
    Case("the marker is missing", MARKED, [GONE, V2], [V2], (DIFFERENT, Field.DELETE_MARKER)),
    Case("the marker is missing on an absent key", MARKED, [GONE, V2], [],
         (DIFFERENT, Field.DELETE_MARKER)),
    Case("deleted at the plan, deleted now", reasoned(Reason.ALREADY_DELETED, GONE), [GONE], [],
         (Verdict.EQUAL,)),
    Case("deleted at the plan, shown now", reasoned(Reason.ALREADY_DELETED, GONE), [GONE, V2], [V2],
         (DIFFERENT, Field.DELETE_MARKER)),
    Case("a replicated marker", reasoned(Reason.ALREADY_REPLICATED, GONE, is_latest=False),
         [V2, GONE], [V2, GONE], (Verdict.EQUAL,)),
    Case("a replicated marker is gone",
         reasoned(Reason.ALREADY_REPLICATED, GONE, is_latest=False), [V2, GONE], [V2],
         (DIFFERENT, Field.DELETE_MARKER)),
    Case("an object where a marker was replicated",
         reasoned(Reason.ALREADY_REPLICATED, GONE, is_latest=False), [V2, GONE],
         [V2, replace(V1, version_id="m1")], (DIFFERENT, Field.DELETE_MARKER)),
    Case("written again after the marker", MARKED, [V3, GONE], [V3], (SUPERSEDED,)),
    Case("a marker that needed none", reasoned(Reason.MARKER_UNCONDITIONAL, GONE), [GONE], [],
         ("marker-unconditional",)),
    Case("a marker that needed none, and now does", reasoned(Reason.MARKER_UNCONDITIONAL, GONE),
         [GONE, V1], [V1], (DIFFERENT, Field.DELETE_MARKER)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_is_judged_by_what_the_listings_show(case: Case) -> None:
    """If this fails, a difference goes unseen, or what live replication does is called one."""
    found = decisions([case.row], case.source, case.destination)
    assert [said(decision) for decision in found] == [case.says]


@pytest.mark.parametrize(
    "reason", sorted(set(Reason) - JUDGED_REASONS - {Reason.MARKER_UNCONDITIONAL})
)
@pytest.mark.parametrize("destination", [[], [V1], [STRANGER], [GONE]], ids=len)
def test_a_version_that_was_not_wanted_is_counted_by_its_reason_and_never_missing(
    reason: Reason, destination: list[Lying]
) -> None:
    """If this fails, verify calls missing or extra what the plan said would not be moved."""
    assert decisions([reasoned(reason)], [V2, V1], destination) == [
        Unjudged(number=0, key=KEY, destination=0, reason=reason.value)
    ]


def test_what_the_plan_could_not_read_says_so_with_the_code_of_the_plan() -> None:
    """If this fails, --allow-unverified forgives a version that nobody ever read."""
    denied = reasoned(Reason.NOT_READABLE)
    denied = denied._replace(entry=denied.entry._replace(detail="AccessDenied"))
    (row,) = decisions([denied], [V2], [])
    assert isinstance(row, Judged)
    assert row.row.evidence is Evidence.NOT_READ
    assert "AccessDenied" in row.row.detail


def test_a_deep_look_reads_replicas_that_the_listings_prove() -> None:
    """If this fails, --deep leaves the fidelity of replicas unseen."""
    (look,) = decisions([REPLICATED], [V2], [V2], is_deep=True)
    assert said(look) == (COMPARE, Verdict.EQUAL)
    (row,) = decisions([REPLICATED], [V2], [V2])
    assert isinstance(row, Judged)
    assert row.row.evidence is Evidence.VERSION_ID_AND_ETAG
    assert row.row.fidelity is Fidelity.NOT_LOOKED_AT


def test_a_newer_version_that_the_worker_copied_is_compared_with_itself() -> None:
    """If this fails, a copy of the newer version is called damaged."""
    (look,) = decisions([SWITCHED], [V3, V2], [COPY_OF_V3])
    assert isinstance(look, Look)
    assert (look.row.number, look.row.version_id) == (0, "v3")


def test_what_was_looked_at_is_named_so_that_repair_can_guard_its_write() -> None:
    """If this fails, repair replaces another version than the one that verify saw."""
    (look,) = decisions([COPIED], [V2], [COPY])
    assert isinstance(look, Look)
    assert (look.row.destination_version_id, look.row.destination_etag) == ("copy", COPY.etag)
    (marker,) = decisions([COPIED], [V2], [GONE, COPY])
    assert isinstance(marker, Look)
    assert marker.row.destination_is_delete_marker
    assert marker.row.fields == (Field.DELETE_MARKER,)


EARLIER = replace(STRANGER, last_modified=BEFORE)
LATER = replace(STRANGER, last_modified=AFTER)


@pytest.mark.parametrize(
    ("rows", "source", "destination", "is_claimed", "says"),
    [
        ([], [], [EARLIER], True, [(Verdict.EXTRA,)]),
        ([], [], [LATER], True, [(LookKind.DESTINATION_STATUS, Verdict.EXTRA)]),
        ([], [], [EARLIER], False, []),
        ([], [], [GONE, EARLIER], True, []),
        ([], [V3], [EARLIER], True, []),
        ([], [GONE_LATER], [EARLIER], True, []),
        ([COPIED], [], [COPY], True, [(VANISHED,)]),
        ([REPLICATED], [], [V2], True, [(VANISHED,)]),
        ([COPIED], [], [EARLIER], True, [(VANISHED,), (Verdict.EXTRA,)]),
    ],
)
def test_extra_is_what_neither_source_nor_plan_explains(
    rows: list[PlannedRow],
    source: list[Lying],
    destination: list[Lying],
    is_claimed: bool,
    says: list[tuple[object, ...]],
) -> None:
    """If this fails, repair may hide what belongs there, or an extra object goes unseen."""
    found = decisions(rows, source, destination, is_claimed=is_claimed)
    assert [said(decision) for decision in found] == says


TWIN = replace(COPY, version_id="twin")


def test_the_same_copy_written_twice_is_reported_as_ours_and_never_the_current_one() -> None:
    """If this fails, a replace that was applied twice (equal ETags) leaves no trace."""
    for chain in ([COPY, TWIN], [TWIN, COPY]):
        compared, extra = decisions([COPIED], [V2], [*chain])
        assert said(compared)[0] is COMPARE
        assert said(extra) == (LookKind.DESTINATION_STATUS, Verdict.EXTRA)
        assert isinstance(extra, Look)
        assert extra.row.number is None
        assert extra.row.destination_version_id == chain[1].version_id


@pytest.mark.parametrize(
    "below", [replace(TWIN, last_modified=BEFORE), replace(TWIN, data=b"else"), V2]
)
def test_what_was_there_before_or_is_replicated_is_not_ours_twice(below: Stored) -> None:
    """If this fails, an honest older version is reported as our double."""
    assert len(decisions([COPIED], [V2], [COPY, below])) == 1


def test_two_rounds_of_repair_are_not_a_double() -> None:
    """If this fails, every repaired key is reported as extra."""
    row = COPIED._replace(outcomes=(copied(0, "twin", TWIN.etag), OURS))
    assert len(decisions([row], [V2], [COPY, TWIN])) == 1


def test_a_current_version_is_never_called_the_double_of_a_copy_that_is_gone() -> None:
    """If this fails, the one sound version is reported as extra."""
    assert len(decisions([COPIED], [V2], [TWIN])) == 1


def test_what_lies_below_a_single_copy_is_nobodys_business_unless_all_is_asked_for() -> None:
    """If this fails, noncurrent versions that were there before the run are called extra."""
    alone = COPIED._replace(entry=COPIED.entry._replace(has_other_writers=False, seen=None))
    assert len(decisions([alone], [V2], [COPY, STRANGER])) == 1
