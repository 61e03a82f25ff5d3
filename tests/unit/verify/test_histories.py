"""The version-graph comparison: what two chains and the map between them make of a history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.inventory.join import KeyGroup
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.routes import Handling, Reason
from backfill.verify.decisions import (
    VANISHED,
    Decision,
    Judged,
    Look,
    LookKind,
    PlannedRow,
    Unjudged,
)
from backfill.verify.histories import BY_PLACE, Chains, is_history
from backfill.verify.judge import judged_key
from backfill.verify.keys import views_of
from backfill.verify.verdicts import Field, Verdict, VerdictRow
from tests.unit.verify.copied_histories import (
    Carried,
    carried,
    copy_of,
    history_entry,
    hostile,
    outcome_of,
)
from tests.unit.verify.two_buckets import (
    AFTER,
    HORIZON,
    Lying,
    Marker,
    Stored,
    listed,
    planned,
)

KEY = "a key"
V1 = Stored(version_id="v1", data=b"one")
V2 = Stored(version_id="v2", data=b"the second")
V3 = Stored(version_id="v3", data=b"the third one")
GONE = Marker(version_id="m")
FOREIGN = Stored(version_id="x", data=b"nobody knows this one", last_modified=AFTER)
FOREIGN_MARKER = Marker(version_id="xm", last_modified=AFTER)

ORDER, CURRENT, MARKER = Field.VERSION_ORDER, Field.CURRENT_VERSION, Field.DELETE_MARKER
COMPARE = LookKind.COMPARE


def decisions(
    rows: Sequence[PlannedRow],
    source: Sequence[Lying],
    destination: Sequence[Lying],
    *,
    chains: Chains = Chains.OF_HISTORIES,
) -> list[Decision]:
    group = KeyGroup(
        key=KEY,
        source_chain=listed(KEY, source),
        destination_chains=(listed(KEY, destination),),
    )
    return list(
        judged_key(
            rows,
            views_of(group, HORIZON),
            is_deep=False,
            claimed=frozenset({0}),
            chains=chains,
        )
    )


def row_of(decision: Decision) -> VerdictRow:
    assert isinstance(decision, Judged | Look)
    return decision.row


def said(decision: Decision) -> tuple[object, ...]:
    """Return the gist: what is read, what holds if nothing can be, which fields, of what there."""
    if isinstance(decision, Unjudged):
        return (decision.reason,)
    row = decision.row
    kind = (decision.kind,) if isinstance(decision, Look) else ()
    return (*kind, row.content, *row.fields, row.destination_version_id)


@dataclass(frozen=True)
class Case:
    name: str
    source: list[Lying]
    turns: list[int | Lying]
    """The destination's chain, newest first: the number of a copy, or something foreign."""
    says: list[tuple[object, ...]]
    already: int = 0


def equal(copy: str) -> tuple[object, ...]:
    return (COMPARE, Verdict.UNVERIFIED, copy)


def marked(copy: str) -> tuple[object, ...]:
    return (Verdict.EQUAL, copy)


def moved(copy: str, *fields: Field) -> tuple[object, ...]:
    return (COMPARE, Verdict.DIFFERENT, *fields, copy)


LOST = (LookKind.SOURCE_STATUS, Verdict.MISSING, None)
EXTRA = (LookKind.DESTINATION_STATUS, Verdict.EXTRA, "x")
EXTRA_MARKER = (Verdict.EXTRA, "xm")
C1, C2, C3 = "copy-0-1", "copy-0-2", "copy-0-3"
THREE: list[Lying] = [V3, V2, V1]
MIXED: list[Lying] = [V3, GONE, V1]
ENDED: list[Lying] = [GONE, V2, V1]

CASES = [
    Case("as it was carried", THREE, [0, 1, 2], [equal(C3), equal(C2), equal(C1)]),
    Case("with a marker in the middle", MIXED, [0, 1, 2], [equal(C3), marked(C2), equal(C1)]),
    Case("two changed places", THREE, [0, 2, 1],
         [equal(C3), moved(C2, ORDER), equal(C1)]),
    Case("the newest fell behind", THREE, [1, 0, 2],
         [moved(C3, ORDER, CURRENT), equal(C2), equal(C1)]),
    Case("the oldest rose to the top", THREE, [2, 0, 1],
         [moved(C3, CURRENT), equal(C2), moved(C1, ORDER)]),
    Case("the middle one is gone", THREE, [0, 2], [equal(C3), LOST, equal(C1)]),
    Case("the newest one is gone", THREE, [1, 2], [LOST, equal(C2), equal(C1)]),
    Case("everything is gone", THREE, [], [LOST, LOST, LOST]),
    Case("the marker is gone", MIXED, [0, 2],
         [equal(C3), (Verdict.DIFFERENT, MARKER, None), equal(C1)]),
    Case("a foreign one in the middle", THREE, [0, FOREIGN, 1, 2],
         [equal(C3), equal(C2), equal(C1), EXTRA]),
    Case("a foreign one on top", THREE, [FOREIGN, 0, 1, 2],
         [moved(C3, CURRENT), equal(C2), equal(C1), EXTRA]),
    Case("a foreign one below", THREE, [0, 1, 2, FOREIGN],
         [equal(C3), equal(C2), equal(C1), EXTRA]),
    Case("a foreign marker in the middle", THREE, [0, 1, FOREIGN_MARKER, 2],
         [equal(C3), equal(C2), equal(C1), EXTRA_MARKER]),
    Case("a foreign marker on top", THREE, [FOREIGN_MARKER, 0, 1, 2],
         [moved(C3, MARKER), equal(C2), equal(C1), EXTRA_MARKER]),
    Case("a second marker on top of ours", ENDED, [FOREIGN_MARKER, 0, 1, 2],
         [marked(C3), equal(C2), equal(C1), EXTRA_MARKER]),
    Case("a foreign object on top of our marker", ENDED, [FOREIGN, 0, 1, 2],
         [(Verdict.DIFFERENT, MARKER, C3), equal(C2), equal(C1), EXTRA]),
    Case("our marker fell behind", ENDED, [1, 0, 2],
         [(Verdict.DIFFERENT, ORDER, MARKER, C3), equal(C2), equal(C1)]),
    Case("a copy is a marker now", THREE, [0, Marker(version_id=C2), 2],
         [equal(C3), (Verdict.DIFFERENT, MARKER, C2), equal(C1)]),
    Case("a marker is an object now", MIXED, [0, replace(FOREIGN, version_id=C2), 2],
         [equal(C3), (Verdict.DIFFERENT, MARKER, C2), equal(C1)]),
    Case("the older half was there before", THREE, [0, 1, 2], [equal(C3), equal(C2), equal(C1)],
         already=2),
    Case("one that was there before is gone", THREE, [0, 2], [equal(C3), LOST, equal(C1)],
         already=2),
    Case("all was there before, and two changed places", THREE, [0, 2, 1],
         [equal(C3), moved(C2, ORDER), equal(C1)], already=3),
    Case("all was there before, and one is foreign", THREE, [0, 1, FOREIGN, 2],
         [equal(C3), equal(C2), equal(C1), EXTRA], already=3),
    Case("a replica of ours by its own version ID", THREE, [0, replace(V2, last_modified=AFTER), 2],
         [equal(C3), (Verdict.EQUAL, "v2"), equal(C1)]),
]  # fmt: skip


def chain_of(case: Case) -> tuple[Carried, list[Lying]]:
    made = carried(KEY, case.source, already=case.already)
    chain = [made.destination[turn] if isinstance(turn, int) else turn for turn in case.turns]
    return made, chain


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_history_is_judged_as_a_chain(case: Case) -> None:
    """If this fails, a damaged history passes, or a sound version of it is accused."""
    made, chain = chain_of(case)
    found = decisions(made.rows, made.source, chain)
    assert [said(each) for each in found] == case.says


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_finding_has_a_sentence(case: Case) -> None:
    """If this fails, a person is told that a history is wrong, and not how."""
    made, chain = chain_of(case)
    for decision in decisions(made.rows, made.source, chain):
        row = row_of(decision)
        assert row.detail or row.content in {Verdict.EQUAL, Verdict.UNVERIFIED}


def test_what_is_missing_says_whether_newer_ones_are_there() -> None:
    """If this fails, a person takes a gap, which nobody can fill, for an end to be appended."""
    made = carried(KEY, [V3, GONE, V1])
    rows = [row_of(each) for each in decisions(made.rows, made.source, made.destination[:1])]
    assert ["has newer ones" in row.detail for row in rows] == [False, True, True]
    rows = [row_of(each) for each in decisions(made.rows, made.source, made.destination[2:])]
    assert ["ends before it" in row.detail for row in rows] == [True, True, False]


def test_one_version_there_does_not_stand_for_two() -> None:
    """If this fails, a map that names one copy twice hides that a version never arrived."""
    made = carried(KEY, [V2, replace(V2, version_id="v1")])
    rows = [row._replace(outcomes=made.rows[0].outcomes) for row in made.rows]
    found = decisions(rows, made.source, made.destination[:1])
    assert [said(each) for each in found] == [equal(C2), LOST]


def test_what_has_no_id_is_met_by_its_place_and_says_so() -> None:
    """If this fails, a reader takes a pairing by position for one by the journal's map."""
    made = carried(KEY, [V3, GONE, V1], already=2)
    unnamed = [row._replace(entry=row.entry._replace(seen=None)) for row in made.rows]
    rows = [row_of(each) for each in decisions(unnamed, made.source, made.destination)]
    assert [row.detail for row in rows] == ["", BY_PLACE, BY_PLACE]
    rows = [row_of(each) for each in decisions(made.rows, made.source, made.destination)]
    assert [row.detail for row in rows] == ["", "", ""]


def test_a_write_whose_answer_was_lost_is_found_where_it_landed() -> None:
    """If this fails, a copy that S3 made and nobody heard of is called missing, and extra, too."""
    made = carried(KEY, [V3, V2, V1])
    failed = Outcome(number=1, kind=OutcomeKind.FAILED, code="InternalError")
    rows = [made.rows[0], made.rows[1]._replace(outcomes=(failed,)), made.rows[2]]
    found = decisions(rows, made.source, made.destination)
    assert [said(each) for each in found] == [equal(C3), equal(C2), equal(C1)]
    assert row_of(found[1]).detail == BY_PLACE


def test_what_is_gone_at_the_source_is_not_judged_and_its_copy_is_not_extra() -> None:
    """If this fails, lifecycle at the source makes a sound destination look wrong."""
    made = carried(KEY, [V3, V2, V1])
    found = decisions(made.rows, [V3], made.destination)
    assert [said(each) for each in found] == [equal(C3), (VANISHED,), (VANISHED,)]


def test_what_the_rules_left_out_is_neither_missing_nor_extra() -> None:
    """If this fails, a marker that no rule replicates makes every history of its key wrong."""
    made = carried(KEY, [GONE, V2, V1])
    left_out = made.rows[0].entry._replace(
        route=None, reason=Reason.DELETE_MARKER_NOT_REPLICATED, handling=Handling(0)
    )
    rows = [PlannedRow(left_out), *made.rows[1:]]
    found = decisions(rows, made.source, made.destination[1:])
    assert [said(each) for each in found] == [
        (Reason.DELETE_MARKER_NOT_REPLICATED.value,),
        equal(C2),
        equal(C1),
    ]


NEWER = Stored(version_id="v4", data=b"written since", last_modified=AFTER)


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        # The source moved on: what the plan promised is judged, and what came by its ID belongs.
        ([0, 1, 2], [equal(C3), equal(C2), equal(C1)]),
        ([NEWER, 0, 1, 2], [equal(C3), equal(C2), equal(C1)]),
        ([0, NEWER, 1, 2], [(Verdict.DIFFERENT, CURRENT, C3), equal(C2), equal(C1)]),
    ],
)
def test_what_live_replication_brought_since_belongs_above_the_history(
    chain: list[int | Lying], says: list[tuple[object, ...]]
) -> None:
    """If this fails, a rule that was switched on later makes every history look damaged."""
    made = carried(KEY, THREE)
    there = [made.destination[turn] if isinstance(turn, int) else turn for turn in chain]
    assert [said(each) for each in decisions(made.rows, [NEWER, *THREE], there)] == says


def test_two_destinations_of_a_key_are_each_compared_with_their_own_chain() -> None:
    """If this fails, damage at one destination is charged to another, or hidden by it."""
    made = carried(KEY, THREE)
    rows = [
        row._replace(
            entry=row.entry._replace(number=2 * turn + destination, destination=destination)
        )
        for turn, row in enumerate(made.rows)
        for destination in (0, 1)
    ]
    group = KeyGroup(
        key=KEY,
        source_chain=listed(KEY, made.source),
        destination_chains=(listed(KEY, made.destination), listed(KEY, made.destination[:2])),
    )
    views = views_of(group, HORIZON)
    found = list(judged_key(rows, views, is_deep=False, claimed=frozenset({0, 1})))
    ours, theirs = [equal(C3), equal(C2), equal(C1)], [equal(C3), equal(C2), LOST]
    assert [said(each) for each in found[::2]] == [*ours]
    assert [said(each) for each in found[1::2]] == [*theirs]


def test_a_key_is_a_history_by_its_rows_alone() -> None:
    """If this fails, ordinary keys are accused of what lies below them, or histories are not."""
    made = carried(KEY, [V3, V1], already=2)
    assert is_history(made.rows)
    assert not is_history([made.rows[0]])
    assert is_history(carried(KEY, [V3]).rows)
    assert not is_history([PlannedRow(planned(0, KEY, V3))])


ALONE = history_entry(0, KEY, V1, is_latest=True)._replace(handling=Handling(0))
OURS = copy_of(V1, "ours", 1)
EARLIER = Stored(version_id="earlier", data=b"a failed attempt", last_modified=AFTER)


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        ([OURS], []),
        ([OURS, FOREIGN], [EXTRA]),
        ([OURS, FOREIGN_MARKER], [EXTRA_MARKER]),
        ([OURS, EARLIER], []),
    ],
)
def test_what_lies_below_a_single_version_is_extra_where_all_are_asked_for(
    chain: list[Lying], says: list[tuple[object, ...]]
) -> None:
    """If this fails, a stranger in the history of a key with one version goes unseen."""
    outcomes = (outcome_of(0, EARLIER), outcome_of(0, OURS))  # a repair has made it anew
    rows = [PlannedRow(ALONE, outcomes)]
    found = decisions(rows, [V1], chain, chains=Chains.OF_QUIET_KEYS)
    assert [said(each) for each in found] == [equal("ours"), *says]
    assert len(decisions(rows, [V1], chain)) == 1
    others = ALONE._replace(has_other_writers=True)
    assert len(decisions([PlannedRow(others, outcomes)], [V1], chain)) == 1


def test_a_second_marker_on_top_of_ours_is_extra() -> None:
    """If this fails, a chain of one marker may grow markers that nobody sees."""
    ours = copy_of(GONE, "ours", 1)
    entry = history_entry(0, KEY, GONE, is_latest=True)._replace(handling=Handling(0))
    rows = [PlannedRow(entry, (outcome_of(0, ours),))]
    for chain, extras in (([ours], []), ([FOREIGN_MARKER, ours], [EXTRA_MARKER])):
        found = decisions(rows, [GONE], chain, chains=Chains.OF_QUIET_KEYS)
        assert [said(each) for each in found[1:]] == extras
        assert row_of(found[0]).content is Verdict.EQUAL


def test_what_was_written_twice_is_named_once() -> None:
    """If this fails, one double of a copy is counted as two extra versions."""
    rows = [PlannedRow(ALONE, (outcome_of(0, OURS),))]
    twin = replace(FOREIGN, data=V1.data)
    for chains in Chains.OF_HISTORIES, Chains.OF_QUIET_KEYS:
        found = decisions(rows, [V1], [OURS, twin], chains=chains)
        assert [said(each) for each in found] == [equal("ours"), EXTRA]


# --- An oracle that tries everything ---


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A chain at the destination of which each entry says which turn of the history it is."""

    made: Carried
    chain: tuple[Lying, ...]
    turns: tuple[int | None, ...]


@st.composite
def damaged(draw: st.DrawFn) -> Damaged:
    """Carry a hostile history, then drop, move and put in between."""
    chance = Random(draw(st.integers(0, 2**32)))
    made = carried(KEY, hostile(chance, draw(st.integers(1, 6))))
    there: list[tuple[int | None, Lying]] = list(enumerate(made.destination))
    for number in range(draw(st.integers(0, 4))):
        act = draw(st.sampled_from(["drop", "move", "foreign"]))
        if act == "foreign":
            twin = copy_of(draw(st.sampled_from([FOREIGN, GONE, V1, *made.source])), "", number)
            foreign = replace(twin, version_id=f"foreign-{number}")
            there.insert(draw(st.integers(0, len(there))), (None, foreign))
        elif there:
            taken = there.pop(draw(st.integers(0, len(there) - 1)))
            if act == "move":
                there.insert(draw(st.integers(0, len(there))), taken)
    turns = tuple(turn for turn, _ in there)
    return Damaged(made=made, chain=tuple(lying for _, lying in there), turns=turns)


def fewest_misplaced(turns: Sequence[int | None]) -> int:
    """Try every choice of what stands as it should, the largest first."""
    there = [turn for turn in turns if turn is not None]
    sizes = range(len(there), -1, -1)
    kept = next(n for n in sizes if any(list(c) == sorted(c) for c in combinations(there, n)))
    return len(there) - kept


@given(case=damaged())
@settings(max_examples=300, deadline=None)
def test_the_comparison_by_the_map_finds_what_trying_everything_finds(case: Damaged) -> None:
    """If this fails, a kind of damage to a history goes unseen, or sound versions are accused."""
    made, chain, turns = case.made, case.chain, case.turns
    found = [row_of(each) for each in decisions(made.rows, made.source, chain)]
    rows, extras = found[: len(made.rows)], found[len(made.rows) :]
    lost = {turn for turn, row in enumerate(rows) if row.destination_version_id is None}
    assert lost == set(range(len(made.rows))) - set(turns)
    for turn, row in enumerate(rows):
        if turn not in lost:
            assert row.destination_version_id == made.destination[turn].version_id
        elif isinstance(made.source[turn], Marker):
            assert (row.content, row.fields) == (Verdict.DIFFERENT, (MARKER,))
        else:
            assert row.content is Verdict.MISSING
    foreign = [each for each, turn in zip(chain, turns, strict=True) if turn is None]
    assert [row.destination_version_id for row in extras] == [each.version_id for each in foreign]
    assert all(row.content is Verdict.EXTRA for row in extras)
    misplaced = {turn for turn, row in enumerate(rows) if ORDER in row.fields}
    assert len(misplaced) == fewest_misplaced(turns)
    rest = [turn for turn in turns if turn is not None and turn not in misplaced]
    assert rest == sorted(rest)
    if 0 not in lost:
        wrong = is_wrong_for_readers(made.source[0], chain[0], is_own=turns[0] == 0)
        assert bool({CURRENT, MARKER} & set(rows[0].fields)) == wrong


def is_wrong_for_readers(wanted: Lying, top: Lying, *, is_own: bool) -> bool:
    """Whether readers see something else than they should: two markers look alike to them."""
    are_markers = isinstance(wanted, Marker) and isinstance(top, Marker)
    return not is_own and not are_markers


def without_map(case: Damaged) -> list[PlannedRow]:
    """Return rows as a later run has them, whose plan found everything there."""
    return [
        PlannedRow(history_entry(turn, KEY, lying, is_latest=not turn, is_old=True))
        for turn, lying in enumerate(case.made.source)
    ]


@given(case=damaged())
@settings(max_examples=300, deadline=None)
def test_without_a_map_nothing_is_met_twice_and_nothing_unlike_is_met(case: Damaged) -> None:
    """If this fails, one version at the destination stands for two, or a marker for an object."""
    made, chain = case.made, listed(KEY, case.chain)
    rows = without_map(case)
    found = decisions(rows, made.source, case.chain, chains=Chains.ALL)
    told = [row_of(each) for each in found]
    own, extras = told[: len(rows)], told[len(rows) :]
    met = [row.destination_version_id for row in own if row.destination_version_id is not None]
    assert len(set(met)) == len(met)
    assert {*met, *(row.destination_version_id for row in extras)} == {e.version_id for e in chain}
    by_id = {lying.version_id: lying for lying in case.chain}
    for lying, row in zip(made.source, own, strict=True):
        if row.destination_version_id is not None:
            other = by_id[row.destination_version_id]
            assert isinstance(other, Marker) is isinstance(lying, Marker)
            if isinstance(lying, Stored) and isinstance(other, Stored):
                assert len(lying.data) == len(other.data)
                assert row.content is not Verdict.EQUAL  # its bytes are yet to be compared
    alike = all(
        copy_of(one, "", 0) == replace(copy_of(two, "", 0), version_id="")
        for one, two in zip(case.chain, made.destination, strict=False)
    )
    if alike and len(case.chain) == len(made.destination):
        assert met == [each.version_id for each in case.chain]
        assert not any(ORDER in row.fields for row in own)
