"""The totals are those of the rows, and no row is lost, doubled or out of place."""

from collections import Counter
from random import Random

import pytest

from backfill.errors import TotalsError
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Reason, Route
from backfill.report.tally import Kinds, Tally, branch_of, is_trouble, joined_rows
from backfill.verify.verdicts import Field, Verdict
from tests.unit.report.rows import entry, outcome, verdict


def test_rows_are_joined_by_plan_number_and_extras_stand_at_their_key() -> None:
    rows = list(
        joined_rows(
            [entry(0, "a"), entry(1, "c", Reason.NO_RULE), entry(2, "e")],
            [(0, outcome(0)), (2, outcome(2))],
            [
                verdict(0, "a"),
                verdict(None, "b", Verdict.EXTRA),
                verdict(2, "e", Verdict.DIFFERENT, (Field.TAGS,)),
                verdict(None, "z", Verdict.EXTRA),
            ],
        )
    )
    assert [(row.key, row.decision) for row in rows] == [
        ("a", "copy-object"),
        ("b", "extra"),
        ("c", "no-rule"),
        ("e", "copy-object"),
        ("z", "extra"),
    ]
    assert rows[0].outcome is not None
    assert rows[2].outcome is None
    assert [is_trouble(row) for row in rows] == [False, True, False, True, True]


@pytest.mark.parametrize("is_before", [True, False])
def test_an_extra_beside_rows_of_its_own_key_is_kept(is_before: bool) -> None:
    extra = verdict(None, "a", Verdict.EXTRA)
    numbered = [verdict(0, "a"), verdict(1, "b")]
    verdicts = [extra, *numbered] if is_before else [numbered[0], extra, numbered[1]]
    rows = list(joined_rows([entry(0, "a"), entry(1, "b")], [], verdicts))
    assert Counter(row.decision for row in rows) == {"copy-object": 2, "extra": 1}


@pytest.mark.parametrize(
    ("outcomes", "verdicts"),
    [([(9, outcome(9))], []), ([], [verdict(9, "z")])],
    ids=["outcome", "verdict"],
)
def test_what_belongs_to_no_plan_row_stops_the_report(outcomes: list, verdicts: list) -> None:  # type: ignore[type-arg] # shapes as parametrized above
    with pytest.raises(TotalsError, match="belongs to no row"):
        list(joined_rows([entry(0, "a")], outcomes, verdicts))


def test_of_several_rounds_the_last_outcome_counts() -> None:
    entries = [entry(number, f"k{number}") for number in range(3)]
    outcomes = [
        (0, outcome(0)),
        (1, outcome(1, OutcomeKind.FAILED)),
        (1, outcome(1, OutcomeKind.COPIED)),
    ]
    rows = list(joined_rows(entries, outcomes, []))
    assert [row.outcome.kind if row.outcome else None for row in rows] == [
        OutcomeKind.COPIED,
        OutcomeKind.COPIED,
        None,
    ]


def test_a_row_that_the_source_left_behind_is_no_trouble() -> None:
    rows = list(
        joined_rows([entry(0, "a"), entry(1, "b")], [(0, outcome(0))], [], [(0, "superseded")])
    )
    assert [is_trouble(row) for row in rows] == [False, True]
    assert branch_of(rows[0])[-1] == "superseded"


def test_a_failure_that_was_proven_equal_since_is_none() -> None:
    failed = [(n, outcome(n, OutcomeKind.FAILED)) for n in range(2)]
    tally = Tally()
    for row in joined_rows([entry(0, "a"), entry(1, "b")], failed, [verdict(1, "b")]):
        tally.add(row)
    assert tally.failed == 1


def test_totals_equal_a_naive_count_over_generated_rows() -> None:
    random = Random(11)
    choices: list[Route | Reason] = [*Route, *Reason]
    entries = [entry(n, f"k{n:05}", random.choice(choices), size_bytes=n) for n in range(2_000)]
    routed = [e for e in entries if e.route is not None]
    outcomes = [(e.number, outcome(e.number, random.choice(list(OutcomeKind)))) for e in routed]
    verdicts = [
        verdict(e.number, e.key, random.choice(list(Verdict))) for e in routed if e.number % 3
    ]
    tally = Tally()
    for row in joined_rows(entries, outcomes, verdicts):
        tally.add(row)
    assert tally.rows == 2_000
    assert tally.total("routed").rows == len(routed)
    assert tally.total("reason").size_bytes == sum(e.size_bytes for e in entries if e.reason)
    for reason in Reason:
        assert tally.total("reason", reason.value).rows == sum(e.reason is reason for e in entries)
    assert tally.verdicts == Counter(v.content.value for v in verdicts)
    kinds = Kinds()
    for row in joined_rows(entries, outcomes, verdicts):
        kinds.add(row)
    assert kinds.tally() == tally
