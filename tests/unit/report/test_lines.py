"""Rows written in runs are the rows written one by one, and count the same."""

from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import TotalsError
from backfill.execute.outcome_rows import row_of as outcome_row_of
from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import PLAIN, Handling, Reason, Route
from backfill.plan.rows import row_of as plan_row_of
from backfill.report import lines as lines_module
from backfill.report.csv_rows import COLUMNS, csv_cells, csv_lines
from backfill.report.histories import HistoryCount, went_as_history
from backfill.report.lines import Lines, Streams
from backfill.report.tally import Tally, is_trouble, joined_rows
from backfill.verify.rows import row_of
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.report.rows import entry, outcome, verdict

BUCKETS = ("to-bucket", "other-bucket")
KEYS = ["a", "a/b-c_d.bin", "-a", "a,b", 'a"b', "a\nb", "=A1", "ü", "a b", ""]
IDS = ["v", "null", "v,1", "-v", "+v", "3/L4kqtJlcpXroDTDmJ+rmSpXd3d", "v\x1b"]
DETAILS = ["", "", "", "one, two", "=A1"]


@st.composite
def whole_runs(
    draw: st.DrawFn,
) -> tuple[list[PlanEntry], list[Outcome], list[VerdictRow], list[tuple[int, str]]]:
    """Rows of a few blocks: mostly alike, with all that may happen to a row in between."""
    random = Random(draw(st.integers(0, 2**32)))
    oddity = draw(st.sampled_from([0.0, 0.02, 0.3]))

    def odd() -> bool:
        return random.random() < oddity

    plan, outcomes, verdicts, unjudged = [], [], [], []
    for number in range(draw(st.integers(0, 40))):
        decided: Route | Reason = Reason.ARCHIVED if odd() else Route.COPY_OBJECT
        key = f"{number:03}{random.choice(KEYS) if odd() else ''}"
        row = entry(number, key, decided, is_delete_marker=odd(), size_bytes=number)
        plan.append(
            row._replace(
                version_id=VersionId(random.choice(IDS)) if odd() else row.version_id,
                destination=int(odd()),
                detail=random.choice(DETAILS) if odd() else "",
                rule_id="a, b" if odd() else "all",
                handling=Handling.HISTORY if odd() and row.route is not None else PLAIN,
            )
        )
        for _ in range(random.choice([0, 2]) if odd() else 1):
            kind = random.choice(list(OutcomeKind)) if odd() else OutcomeKind.COPIED
            made = outcome(number, kind, "Busy" if odd() else "")
            outcomes.append(made._replace(version_id=None) if odd() else made)
        if odd():
            unjudged.append((number, "superseded"))
        elif not odd():
            content = random.choice(list(Verdict)) if odd() else Verdict.EQUAL
            told = verdict(number, key, content, (Field.TAGS,) if odd() else ())
            made_id = random.choice([*IDS, None]) if odd() else "made"
            verdicts.append(
                told._replace(
                    destination_version_id=VersionId(made_id) if made_id else None,
                    detail=random.choice(DETAILS) if odd() else "",
                )
            )
        if odd():
            verdicts.append(verdict(None, key, Verdict.EXTRA))
    return plan, outcomes, verdicts, unjudged


def streams(
    plan: list[PlanEntry],
    outcomes: list[Outcome],
    verdicts: list[VerdictRow],
    unjudged: list[tuple[int, str]],
) -> Streams:
    return Streams(
        plan=[list(plan_row_of(row)) for row in plan],
        outcomes=[list(outcome_row_of(row)) for row in outcomes],
        verdicts=[list(row_of(row)) for row in verdicts],
        unjudged=unjudged,
    )


@pytest.mark.parametrize("block_rows", [1, 7, 64])
def test_runs_are_written_and_counted_as_their_rows_are(
    block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a row of rows.csv says something else than what is known of it."""
    monkeypatch.setattr(lines_module, "BLOCK_ROWS", block_rows)

    @given(case=whole_runs())
    @settings(max_examples=150, deadline=None)
    def holds(
        case: tuple[list[PlanEntry], list[Outcome], list[VerdictRow], list[tuple[int, str]]],
    ) -> None:
        plan, outcomes, verdicts, unjudged = case
        told = [(each.number, each) for each in outcomes]
        rows = list(joined_rows(plan, told, verdicts, unjudged))
        tally, histories = Tally(), HistoryCount()
        for row in rows:
            tally.add(row)
            if went_as_history(row.entry):
                histories.add(row, row.key)
        lines = Lines(BUCKETS)
        text = b"".join(lines.of(streams(*case)))
        cells = (csv_cells(row, BUCKETS) for row in rows)
        assert text == b"".join(csv_lines([COLUMNS, *cells]))
        assert lines.kinds.tally() == tally
        assert lines.histories.total() == histories.total()
        assert lines.troubles_total == len(lines.troubles) == sum(map(is_trouble, rows))

    holds()


def test_more_shapes_than_are_kept_are_written_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a run with thousands of different sentences has no report."""
    monkeypatch.setattr(lines_module, "SHAPES_MAX", 2)
    details = count()
    plan = [entry(n, f"{n}", Reason.ARCHIVED)._replace(detail=f"{next(details)}") for n in range(9)]
    lines = Lines(BUCKETS)
    text = b"".join(lines.of(streams(plan, [], [], []))).decode()
    assert [line.rpartition(",")[2] for line in text.splitlines()[1:]] == list("012345678")
    assert lines.kinds.tally().rows == 9


@pytest.mark.parametrize("number", [-1, 1, 9])
@pytest.mark.parametrize("stream", ["outcomes", "verdicts", "unjudged"])
def test_what_belongs_to_no_plan_row_stops_the_report(stream: str, number: int) -> None:
    """If this fails, the totals leave out what was done."""
    plan = [list(plan_row_of(entry(n, f"k{n}"))) for n in (0, 2)]
    outcomes = [list(outcome_row_of(outcome(number)))] if stream == "outcomes" else []
    verdicts = [list(row_of(verdict(number, "k")))] if stream == "verdicts" else []
    unjudged = [(number, "superseded")] if stream == "unjudged" else []
    found = Streams(plan=plan, outcomes=outcomes, verdicts=verdicts, unjudged=unjudged)
    with pytest.raises(TotalsError, match="belongs to no row"):
        list(Lines(BUCKETS).of(found))


PLANNED = entry(0, "k")
APART: list[tuple[dict[str, object], dict[str, object] | None, dict[str, object] | None]] = [
    ({"is_delete_marker": True, "etag": None, "size_bytes": 0}, {}, {}),
    ({"is_latest": False}, {}, {}),
    ({"destination": 1}, {}, {}),
    ({"route": Route.MULTIPART_COPY}, {}, {}),
    ({"route": None, "reason": Reason.NO_RULE, "precondition": None}, None, None),
    ({"route": None, "reason": Reason.TAG_MISMATCH, "precondition": None}, None, None),
    ({"detail": "why"}, {}, {}),
    ({"rule_id": "r"}, {}, {}),
    ({"handling": Handling.HISTORY}, {}, {}),
    ({}, {"kind": OutcomeKind.ALREADY_THERE}, {}),
    ({}, {"code": "Odd"}, {}),
    ({}, {"detail": "what"}, {}),
    ({}, {}, {"evidence": Evidence.BYTES}),
    ({}, {}, {"fidelity": Fidelity.NOT_LOOKED_AT}),
    ({}, {}, {"fields": (Field.TAGS,)}),
    ({}, {}, {"content": Verdict.UNVERIFIED}),
    ({}, {}, {"detail": "seen"}),
    ({}, {}, {"destination_version_id": None}),
    ({}, {"version_id": None}, {"destination_version_id": None}),
    ({}, {"version_id": "a,b"}, {"destination_version_id": None}),
    ({}, {}, {"destination_version_id": "a,b"}),
    ({"version_id": "a,b"}, {}, {}),
    ({}, None, {}),
    ({}, {}, None),
]


@pytest.mark.parametrize("changed", range(len(APART)))
def test_neighbours_that_differ_in_one_thing_are_not_written_alike(changed: int) -> None:
    """If this fails, a row of rows.csv is written as its neighbour, and counted as it, too."""
    plan_changes, outcome_changes, verdict_changes = APART[changed]
    plan, outcomes, verdicts = [], [], []
    for number in range(3):
        is_odd = number == 1
        of_plan = plan_changes if is_odd else {}
        row = PLANNED._replace(number=number, key=f"k{number}", version_id=VersionId(f"v{number}"))
        plan.append(row._replace(**of_plan))  # type: ignore[arg-type] # by name
        of_outcome = outcome_changes if is_odd else {}
        if of_outcome is not None:
            outcomes.append(outcome(number)._replace(**of_outcome))  # type: ignore[arg-type] # by name
        of_verdict = verdict_changes if is_odd else {}
        if of_verdict is not None:
            told = verdict(number, f"k{number}")
            verdicts.append(told._replace(**of_verdict))  # type: ignore[arg-type] # by name
    rows = list(joined_rows(plan, [(each.number, each) for each in outcomes], verdicts))
    tally = Tally()
    for each in rows:
        tally.add(each)
    lines = Lines(BUCKETS)
    text = b"".join(lines.of(streams(plan, outcomes, verdicts, [])))
    assert text == b"".join(csv_lines([COLUMNS, *(csv_cells(row, BUCKETS) for row in rows)]))
    assert lines.kinds.tally() == tally
    assert lines.troubles_total == sum(map(is_trouble, rows))
    assert lines.histories.total().keys == (PLANNED.handling != plan[1].handling)


def test_neighbours_of_two_reasons_are_written_apart() -> None:
    """If this fails, a version is counted under its neighbour's reason."""
    reasons = [Reason.NO_RULE, Reason.TAG_MISMATCH, Reason.NO_RULE]
    plan = [entry(number, f"k{number}", reason) for number, reason in enumerate(reasons)]
    lines = Lines(BUCKETS)
    text = b"".join(lines.of(streams(plan, [], [], []))).decode()
    decided = [line.split(",")[COLUMNS.index("decision")] for line in text.splitlines()[1:]]
    assert decided == [reason.value for reason in reasons]
    assert lines.kinds.tally().total("reason", "no-rule").rows == 2
