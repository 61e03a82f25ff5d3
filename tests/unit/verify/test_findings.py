"""What listings alone let one say of a row, to the last field, and what nobody explains."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from backfill.inventory.join import KeyGroup
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.routes import HANDLINGS, Handling, Route
from backfill.verify.decisions import Judged, KeyView, Look, LookKind, PlannedRow
from backfill.verify.extras import extra_versions, stranger
from backfill.verify.findings import (
    buried,
    compare,
    delivered,
    different,
    equal_marker,
    finding,
    missing,
    unjudged,
)
from backfill.verify.keys import views_of
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.two_buckets import (
    AFTER,
    HORIZON,
    PLAIN,
    Lying,
    Marker,
    Stored,
    copied,
    listed,
    planned,
)

KEY = "a key"
V1 = Stored(version_id="v1", data=b"the first version")
V2 = Stored(version_id="v2", data=b"the second version", last_modified=AFTER)
COPY = replace(V1, version_id="copy", last_modified=AFTER)
GONE = Marker(version_id="m1")
ROW = PlannedRow(entry=planned(5, KEY, V1)._replace(destination=2))
MARKER_ROW = PlannedRow(entry=planned(5, KEY, GONE)._replace(destination=2))
BARE = VerdictRow(
    number=5,
    key=KEY,
    version_id=VersionId("v1"),
    destination=2,
    content=Verdict.EQUAL,
    evidence=Evidence.LISTING,
    fidelity=Fidelity.NOT_LOOKED_AT,
)


def entry_of(lying: Lying) -> ListedEntry:
    return listed(KEY, [lying])[0]


def version_of(lying: Stored) -> ObjectVersion:
    entry = entry_of(lying)
    assert isinstance(entry, ObjectVersion)
    return entry


def view(source: Sequence[Lying], destination: Sequence[Lying]) -> KeyView:
    group = KeyGroup(
        key=KEY,
        source_chain=listed(KEY, source),
        destination_chains=(listed(KEY, destination),),
    )
    return views_of(group, HORIZON)[0]


def test_a_finding_names_the_row_and_the_version_that_was_seen() -> None:
    """If this fails, repair guards its write by another version than was judged."""
    seen = BARE._replace(destination_version_id=VersionId("copy"), destination_etag=COPY.etag)
    assert finding(ROW, entry_of(COPY), content=Verdict.EQUAL) == seen
    assert finding(ROW, None, content=Verdict.EQUAL) == BARE
    marked = BARE._replace(
        destination_version_id=VersionId("m1"),
        destination_is_delete_marker=True,
        content=Verdict.MISSING,
    )
    assert finding(ROW, entry_of(GONE), content=Verdict.MISSING) == marked
    unlike = different(ROW, entry_of(COPY), Field.SIZE, "Why.", Field.TAGS)
    assert unlike == seen._replace(
        content=Verdict.DIFFERENT, fields=(Field.SIZE, Field.TAGS), detail="Why."
    )
    assert equal_marker(ROW, entry_of(GONE)) == marked._replace(
        content=Verdict.EQUAL, fidelity=Fidelity.EQUAL
    )
    assert unjudged(ROW, "vanished") == (5, KEY, 2, "vanished")


@pytest.mark.parametrize(
    ("outcomes", "ending"),
    [
        ((), ""),
        (
            (Outcome(5, OutcomeKind.COPIED), Outcome(5, OutcomeKind.FAILED, "SlowDown")),
            " The copy ended as failed: SlowDown.",
        ),
    ],
)
def test_what_is_missing_says_how_the_work_on_it_ended(
    outcomes: tuple[Outcome, ...], ending: str
) -> None:
    """If this fails, a person looks for a copy that failed and said so."""
    found = missing(ROW._replace(outcomes=outcomes))
    assert found == Look(
        kind=LookKind.SOURCE_STATUS,
        row=BARE._replace(
            content=Verdict.MISSING, detail=f"The destination has no version for it.{ending}"
        ),
    )


@pytest.mark.parametrize(
    ("route", "algorithm"),
    [
        (Route.COPY_OBJECT, ""),
        (Route.MULTIPART_COPY, ""),
        (Route.BATCH_REPLICATION, None),
        (None, None),
    ],
)
def test_a_copy_of_ours_promises_its_checksums_algorithm_and_a_replica_does_not(
    route: Route | None, algorithm: str | None
) -> None:
    """If this fails, replicas are called different for what S3 never promised, or copies not."""
    row = ROW._replace(entry=ROW.entry._replace(route=route))
    expected = compare(row, version_of(COPY)).expected
    assert expected.checksum_algorithm == algorithm
    assert (expected.storage_class, expected.encryption) == ("STANDARD", PLAIN)
    none = ROW.entry._replace(storage_class="", encryption=None)
    found = compare(ROW._replace(entry=none), version_of(COPY)).expected
    assert (found.storage_class, found.encryption) == (None, None)


@pytest.mark.parametrize("handling", HANDLINGS)
def test_an_acl_is_compared_where_it_was_promised(handling: Handling) -> None:
    """If this fails, verify pays for ACLs of every object, or misses those that it promised."""
    row = ROW._replace(entry=ROW.entry._replace(handling=handling))
    keeps = Handling.GRANTS in handling or Handling.DEFAULT_ACL in handling
    assert compare(row, version_of(COPY)).expected.keeps_acl is keeps


@pytest.mark.parametrize(
    ("data", "is_stale", "verdict", "evidence", "fields"),
    [
        (V1.data, False, Verdict.UNVERIFIED, Evidence.NONE, ()),
        (V1.data, True, Verdict.UNVERIFIED, Evidence.NONE, ()),
        (b"short", False, Verdict.DIFFERENT, Evidence.SIZE, (Field.SIZE,)),
        (b"short", True, Verdict.DIFFERENT, Evidence.SIZE, (Field.CURRENT_VERSION,)),
    ],
)
def test_what_cannot_be_read_is_told_by_its_size_or_not_at_all(
    data: bytes, is_stale: bool, verdict: Verdict, evidence: Evidence, fields: tuple[Field, ...]
) -> None:
    """If this fails, a denied HEAD makes a difference of what nobody has seen."""
    seen = replace(COPY, data=data)
    found = compare(ROW, version_of(seen), is_stale=is_stale)
    assert (found.kind, found.is_stale, found.placement) == (LookKind.COMPARE, is_stale, ())
    assert found.row == BARE._replace(
        content=verdict,
        evidence=evidence,
        fields=fields,
        destination_version_id=VersionId("copy"),
        destination_etag=seen.etag,
    )


def test_a_replica_is_proven_by_its_id_and_etag_and_our_copy_by_looking() -> None:
    """If this fails, a replaced null version or a damaged replica is called equal unseen."""
    proven = BARE._replace(
        evidence=Evidence.VERSION_ID_AND_ETAG,
        destination_version_id=VersionId("v1"),
        destination_etag=V1.etag,
    )
    assert delivered(ROW, entry_of(V1), is_deep=False) == Judged(row=proven)
    deep = delivered(ROW, entry_of(V1), is_deep=True)
    assert isinstance(deep, Look)
    assert deep.row == proven
    for other in (replace(V1, data=b"the first versioX"), replace(V1, data=b"short"), COPY):
        found = delivered(ROW, entry_of(other), is_deep=False)
        assert isinstance(found, Look)
        assert found.row.content is not Verdict.EQUAL
    null = replace(V1, version_id="null")
    row = PlannedRow(entry=planned(5, KEY, null))
    assert isinstance(delivered(row, entry_of(null), is_deep=False), Look)


def test_a_marker_is_delivered_by_a_marker_alone() -> None:
    """If this fails, a deleted object is called equal to one that is there."""
    both = delivered(MARKER_ROW, entry_of(GONE), is_deep=True)
    assert isinstance(both, Judged)
    assert (both.row.content, both.row.fidelity) == (Verdict.EQUAL, Fidelity.EQUAL)
    for row, lying in ((ROW, GONE), (MARKER_ROW, V1)):
        found = delivered(row, entry_of(lying), is_deep=False)
        assert isinstance(found, Judged)
        assert (found.row.content, found.row.fields) == (
            Verdict.DIFFERENT,
            (Field.DELETE_MARKER,),
        )


@pytest.mark.parametrize(
    ("source", "destination", "field"),
    [
        ([V2, V1], [COPY, V2], Field.CURRENT_VERSION),
        ([GONE, V1], [COPY, GONE], Field.DELETE_MARKER),
        ([V2, V1], [COPY], None),
        ([V2, V1], [V2, COPY], None),
        ([V1], [V1], None),
        ([], [COPY, V2], None),
    ],
)
def test_what_the_source_wrote_later_and_lies_below_ours_is_told(
    source: list[Lying], destination: list[Lying], field: Field | None
) -> None:
    """If this fails, readers of the destination see an old version, and verify is content."""
    seen = view(source, destination)
    place = next(
        entry for entry in seen.destination_chain.entries if entry.version_id in {"copy", "v1"}
    )
    found = buried(ROW, place, seen)
    assert (None if found is None else found.fields) == (None if field is None else (field,))
    assert found is None or found.destination_version_id == "copy"


@pytest.mark.parametrize(("chain", "is_visible"), [([V1], True), ([GONE, V1], False), ([], False)])
def test_a_reader_sees_an_object_where_one_is_current(chain: list[Lying], is_visible: bool) -> None:
    """If this fails, a hidden object is taken for one that everybody reads."""
    assert view([V1], chain).is_visible is is_visible


NULL = replace(V1, version_id="null")


def test_a_null_version_is_the_planned_one_only_with_its_time() -> None:
    """If this fails, a version that was overwritten in place is compared with its successor."""
    row = planned(5, KEY, NULL)
    assert view([NULL], []).at_source(row) is not None
    assert view([replace(NULL, last_modified=AFTER)], []).at_source(row) is None
    # Another version ID is never another version, whatever the time says.
    assert view([replace(V1, last_modified=AFTER)], []).at_source(ROW.entry) is not None
    assert view([V2], []).at_source(ROW.entry) is None


def test_a_row_is_delivered_by_its_replica_before_our_copy() -> None:
    """If this fails, a copy is judged that replication has overtaken."""
    ours = PlannedRow(
        entry=ROW.entry,
        outcomes=(
            copied(5, "older"),
            copied(5, "copy"),
            copied(5, "newer")._replace(kind=OutcomeKind.SUPERSEDED),
            Outcome(5, OutcomeKind.FAILED),
        ),
    )
    assert ours.own_version_ids == ("newer", "copy", "older")
    assert ours.delivered_version_ids == ("copy", "older")
    older, newer = (replace(COPY, version_id=word) for word in ("older", "newer"))

    def found(row: PlannedRow, *destination: Lying) -> str | None:
        entry = view([V1], destination).at_destination(row)
        return None if entry is None else entry.version_id

    assert found(ours, older, COPY, V1) == "v1"
    assert found(ours, older, COPY) == "copy"
    assert found(ours, newer, older) == "older"
    assert found(ours, newer) is None
    null = PlannedRow(entry=planned(5, KEY, NULL), outcomes=ours.outcomes)
    assert found(null, NULL, COPY) == "copy"


# --- What nobody explains ---

AT_HORIZON = replace(COPY, version_id="x1", last_modified=HORIZON)
OTHER = replace(COPY, version_id="x2")
EARLIER = replace(V1, version_id="x3", last_modified=HORIZON - timedelta(seconds=1))


def made(kind: OutcomeKind, etag: ETag | None = V1.etag) -> PlannedRow:
    outcome = copied(5, "copy", etag)._replace(kind=kind)
    return PlannedRow(entry=ROW.entry, outcomes=(outcome,))


def extras(
    row: PlannedRow,
    source: list[Lying],
    destination: list[Lying],
    *,
    is_claimed: bool = True,
    is_alone: bool = False,
) -> list[str | None]:
    seen = view(source, destination)
    found = extra_versions([row], seen, is_claimed=is_claimed, is_alone=is_alone)
    return [each.row.destination_version_id for each in found]


@pytest.mark.parametrize(
    ("row", "destination", "named"),
    [
        (made(OutcomeKind.COPIED), [COPY], []),
        (made(OutcomeKind.COPIED), [COPY, OTHER], ["x2"]),
        (made(OutcomeKind.COPIED), [COPY, OTHER, AT_HORIZON], ["x2", "x1"]),
        (made(OutcomeKind.COPIED), [COPY, EARLIER], []),
        (made(OutcomeKind.COPIED), [COPY, V1], []),
        (made(OutcomeKind.COPIED), [COPY, replace(OTHER, data=b"another content.")], []),
        (made(OutcomeKind.COPIED), [OTHER, COPY], ["copy"]),
        # A hidden copy's outcome has no ETag: it is of the planned version.
        (made(OutcomeKind.HIDDEN, None), [COPY, OTHER], ["x2"]),
        # Where a newer version was copied over ours, one below may have the same bytes.
        (made(OutcomeKind.SUPERSEDED), [COPY, OTHER], []),
        (made(OutcomeKind.SUPERSEDED), [COPY, OTHER, AT_HORIZON], ["x1"]),
        (made(OutcomeKind.FAILED), [COPY, OTHER], []),
        (ROW, [COPY, OTHER], []),
    ],
)
def test_the_same_content_written_twice_is_extra_once(
    row: PlannedRow, destination: list[Lying], named: list[str]
) -> None:
    """If this fails, a doubled write goes unseen, or what we meant to write is called extra."""
    assert extras(row, [V1], destination) == named


@pytest.mark.parametrize(
    ("row", "source", "destination", "named"),
    [
        (ROW, [], [V2], ["v2"]),
        (ROW, [], [V1], []),
        (ROW, [], [replace(V1, version_id="x")], []),
        (made(OutcomeKind.MARKED), [], [replace(V2, version_id="copy")], []),
        (PlannedRow(entry=planned(5, KEY, NULL)), [], [replace(V2, version_id="null")], ["null"]),
        (ROW, [], [GONE], []),
        (ROW, [], [], []),
        (ROW, [GONE], [V2], []),
    ],
)
def test_an_object_that_the_source_never_had_is_extra(
    row: PlannedRow, source: list[Lying], destination: list[Lying], named: list[str]
) -> None:
    """If this fails, what was deleted at the source since the plan is called a stranger."""
    assert extras(row, source, destination) == named
    assert extras(row, source, destination, is_claimed=False) == []


@pytest.mark.parametrize(
    ("row", "destination", "named"),
    [
        (made(OutcomeKind.COPIED), [COPY, V2, Marker(version_id="m2")], ["v2", "m2"]),
        (made(OutcomeKind.COPIED), [COPY, V1], []),
        (made(OutcomeKind.COPIED), [GONE, COPY], []),
        (made(OutcomeKind.COPIED), [COPY, OTHER], ["x2"]),
        (MARKER_ROW, [Marker(version_id="top")], []),
        (
            MARKER_ROW._replace(outcomes=(copied(5, "mine")._replace(kind=OutcomeKind.MARKED),)),
            [Marker(version_id="top"), Marker(version_id="mine")],
            ["top"],
        ),
        (
            MARKER_ROW._replace(outcomes=(copied(5, "mine")._replace(kind=OutcomeKind.MARKED),)),
            [V2, Marker(version_id="mine")],
            [],
        ),
    ],
)
def test_below_a_single_version_nothing_else_may_lie(
    row: PlannedRow, destination: list[Lying], named: list[str]
) -> None:
    """If this fails, a key that was asked for alone has a history that nobody wanted."""
    source: list[Lying] = [GONE] if row.entry.is_delete_marker else [V1]
    assert extras(row, source, destination, is_alone=True) == named


def test_a_stranger_is_judged_at_once_if_it_was_there_before_the_horizon() -> None:
    """If this fails, live replication's own version is called extra, or a look is paid for."""
    seen = view([V1], [AT_HORIZON, EARLIER, GONE])
    late, early, marker = (stranger(seen, place) for place in range(3))
    assert isinstance(late, Look)
    assert late.kind is LookKind.DESTINATION_STATUS
    assert late.row == VerdictRow(
        number=None,
        key=KEY,
        version_id=None,
        destination=0,
        content=Verdict.EXTRA,
        evidence=Evidence.LISTING,
        fidelity=Fidelity.NOT_LOOKED_AT,
        detail="This version is number 1 of 3 at the destination, counted from the newest; the"
        " source's history does not have it.",
        destination_version_id=VersionId("x1"),
        destination_etag=V1.etag,
    )
    assert isinstance(early, Judged)
    assert early.row.detail.startswith("This version is number 2 of 3")
    assert isinstance(marker, Judged)
    assert marker.row.detail.startswith("This delete marker is number 3 of 3")
    assert (marker.row.destination_is_delete_marker, marker.row.destination_etag) == (True, None)
