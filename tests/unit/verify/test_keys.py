"""Joining plan rows, outcomes and listings key by key."""

import pytest

from backfill.errors import TotalsError
from backfill.execute.outcome_rows import outcomes_of
from backfill.inventory.join import KeyGroup
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of, numbers_of, row_of
from backfill.plan.routes import Reason, Route
from backfill.verify.keys import (
    merged_outcomes,
    numbered_outcomes,
    pairing_plan,
    planned_rows,
    rows_by_key,
    rows_of_keys,
    unlisted,
    work_by_key,
)
from tests.unit.verify.two_buckets import (
    AFTER,
    BEFORE,
    HORIZON,
    Lying,
    Marker,
    Stored,
    copied,
    listed,
    planned,
)

V = Stored(version_id="v", data=b"data")
PLAN = [planned(0, "a", V), planned(1, "a", V), planned(2, "c", V), planned(3, "d", V)]


WORK = [
    ManifestEntry(
        number=number,
        plan_number=plan_number,
        key="k",
        version_id=None,
        etag=None,
        size_bytes=0,
        last_modified=BEFORE,
        destination=0,
        route=Route.HIDE_EXTRA if plan_number is None else Route.COPY_OBJECT,
    )
    for number, plan_number in enumerate([1, None, 2, 3])
]


def test_outcomes_meet_their_plan_rows_through_the_manifest() -> None:
    """If this fails, a row is judged with another row's copy."""
    entries = [entry_of(list(row_of(work))) for work in WORK]
    numbers = list(numbers_of(list(row_of(work)) for work in WORK))
    assert numbers == [(work.number, work.plan_number) for work in entries]
    outcomes = [copied(0, "x"), copied(1, "hidden"), copied(3, "z")]
    found = list(outcomes_of(numbered_outcomes(numbers, map(list, outcomes))))
    assert [(told.number, told.version_id) for told in found] == [(1, "x"), (3, "z")]
    rows = list(planned_rows(PLAN, ((told.number, told) for told in found)))
    assert [len(row.outcomes) for row in rows] == [0, 1, 0, 1]


@pytest.mark.parametrize("number", [-1, 7])
def test_an_outcome_that_belongs_to_nothing_is_a_bug_and_said_so(number: int) -> None:
    """If this fails, totals of plan and journal may differ unseen."""
    with pytest.raises(TotalsError):
        list(planned_rows(PLAN, [(number, copied(0, "x"))]))
    with pytest.raises(TotalsError):
        list(numbered_outcomes([(0, 0)], [list(copied(number, "x"))]))


def test_outcomes_of_several_rounds_come_in_the_order_of_the_rounds() -> None:
    """If this fails, a repaired copy is forgotten for the one it replaced."""
    first = [list(copied(0, "one")), list(copied(2, "two"))]
    second = [list(copied(2, "again"))]
    merged = outcomes_of(merged_outcomes(first, second))
    row = list(planned_rows(PLAN, ((told.number, told) for told in merged)))[2]
    assert row.own_version_ids == ("again", "two")


def test_every_row_and_every_listed_key_is_in_exactly_one_piece_of_work() -> None:
    """If this fails, a key is judged twice or not at all."""
    groups = [
        KeyGroup(key=key, source_chain=(), destination_chains=(listed(key, [V]),))
        for key in ("a", "b", "d", "e")
    ]
    work = list(work_by_key(planned_rows(PLAN, []), groups, destinations=1))
    assert [item.group.key for item in work] == ["a", "b", "c", "d", "e"]
    assert [len(item.rows.rows) for item in work] == [2, 0, 1, 1, 0]
    assert work[2].group == unlisted("c", destinations=1)


def test_rows_of_keys_gives_exactly_the_keys_asked_for() -> None:
    """If this fails, the second look judges another key's rows."""
    found = list(rows_of_keys(planned_rows(PLAN, []), ["a", "b", "d", "e"]))
    assert [(item.key, len(item.rows)) for item in found] == [
        ("a", 2),
        ("b", 0),
        ("d", 1),
        ("e", 0),
    ]
    assert [item.key for item in rows_by_key(planned_rows(PLAN, []))] == ["a", "c", "d"]


def test_the_plan_of_two_buckets_has_one_row_for_every_current_version() -> None:
    """If this fails, verify without a run leaves keys out or invents some."""
    new = Stored(version_id="n", data=b"x", last_modified=AFTER)
    chains: dict[str, tuple[list[Lying], list[Lying]]] = {
        "a": ([V], [V]),
        "b": ([V], []),
        "c": ([new], []),
        "d": ([Marker(version_id="m")], [V]),
        "e": ([], [V]),
    }
    groups = [
        KeyGroup(key=key, source_chain=listed(key, ours), destination_chains=(listed(key, theirs),))
        for key, (ours, theirs) in chains.items()
    ]

    def reasons(*, wants_markers: bool) -> list[Reason | None]:
        plan = pairing_plan(groups, horizon=HORIZON, replicates_delete_markers=wants_markers)
        return [row.reason for row in plan]

    head = [Reason.ALREADY_REPLICATED, Reason.ALREADY_COPIED, Reason.AFTER_HORIZON]
    assert reasons(wants_markers=True) == [*head, Reason.ALREADY_DELETED]
    assert reasons(wants_markers=False) == [*head, Reason.DELETE_MARKER_NOT_REPLICATED]


def test_two_buckets_with_histories_imply_a_row_for_every_version() -> None:
    """If this fails, noncurrent versions are compared unasked, or left out where all are."""
    older = Stored(version_id="o", data=b"older")
    groups = [
        KeyGroup(
            key="a",
            source_chain=listed("a", [V, older]),
            destination_chains=(listed("a", [V]), listed("a", [older])),
        )
    ]

    def rows(*, has_histories: bool) -> list[tuple[int, str, int, Reason | None]]:
        plan = pairing_plan(
            groups,
            horizon=HORIZON,
            replicates_delete_markers=True,
            has_histories=has_histories,
        )
        return [(row.number, row.version_id, row.destination, row.reason) for row in plan]

    there, copied_before = Reason.ALREADY_REPLICATED, Reason.ALREADY_COPIED
    current = [(0, V.version_id, 0, there), (1, V.version_id, 1, copied_before)]
    assert rows(has_histories=False) == current
    assert rows(has_histories=True) == [*current, (2, "o", 0, copied_before), (3, "o", 1, there)]


def test_the_outcomes_of_one_round_are_those() -> None:
    """If this fails, nothing of a run without repairs is known to be delivered."""
    assert list(merged_outcomes([[1], [2]])) == [[1], [2]]
