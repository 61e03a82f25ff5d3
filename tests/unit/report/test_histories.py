"""What the report says of histories: how many keys, what is proven, and where the map is."""

import json

from backfill.model.outcome import Outcome
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Handling, Route
from backfill.plan.rows import row_of as plan_row_of
from backfill.plan.totals import NOT_KEPT
from backfill.report.csv_rows import COLUMNS, csv_cells
from backfill.report.histories import Histories
from backfill.report.lines import Lines, Streams
from backfill.report.run import REPORT_HTML, REPORT_JSON, ROWS_CSV
from backfill.report.tally import ReportRow
from backfill.verify.rows import row_of as verdict_row_of
from backfill.verify.verdicts import Field, Verdict, VerdictRow
from tests.unit.report.rows import entry, outcome, verdict
from tests.unit.report.test_report import written


def part(number: int, key: str, *, is_marker: bool = False, destination: int = 0) -> PlanEntry:
    """Return one version of a history."""
    route = Route.DELETE_MARKER if is_marker else Route.COPY_OBJECT
    row = entry(number, key, route, is_delete_marker=is_marker, destination=destination)
    return row._replace(handling=Handling.HISTORY | Handling.READ_SOURCE)


def run_of(
    plan: list[PlanEntry], wrong: tuple[int, ...] = ()
) -> tuple[list[PlanEntry], list[tuple[int, Outcome]], list[VerdictRow]]:
    outcomes = [(row.number, outcome(row.number)) for row in plan]
    verdicts = [
        verdict(row.number, row.key, Verdict.DIFFERENT, (Field.VERSION_ORDER,))
        if row.number in wrong
        else verdict(row.number, row.key)
        for row in plan
    ]
    return plan, outcomes, verdicts


PLAN = [
    entry(0, "a"),
    part(1, "b"),
    part(2, "b", is_marker=True),
    part(3, "b"),
    part(4, "c"),
    part(5, "c"),
    entry(6, "d"),
]


def test_histories_are_counted_by_key_and_proven_only_as_a_whole() -> None:
    """If this fails, a history with one wrong version is reported as proven."""
    report, files = written(*run_of(PLAN, wrong=(3,)), 4)
    assert report.histories == Histories(
        keys=2,
        proven_keys=1,
        versions=4,
        delete_markers=1,
        not_kept=f"{NOT_KEPT}; rows.csv has both version IDs of each version",
    )
    assert json.loads(files[REPORT_JSON])["histories"]["proven_keys"] == 1
    page = files[REPORT_HTML].decode()
    assert "2 keys went with all of their versions" in page
    assert NOT_KEPT in page


def test_a_key_that_goes_to_two_destinations_is_a_history_at_each() -> None:
    """If this fails, what is wrong at one destination takes the other one's proof, or hides."""
    plan = [
        part(2 * turn + number, "b", destination=number) for turn in range(3) for number in (0, 1)
    ]
    entries, outcomes, verdicts = run_of(plan, wrong=(2,))
    lines = Lines(("to-bucket", "other-bucket"))
    streams = Streams(
        plan=[list(plan_row_of(each)) for each in entries],
        outcomes=[list(each) for _, each in outcomes],
        verdicts=[list(verdict_row_of(each)) for each in verdicts],
        unjudged=[],
    )
    assert len(b"".join(lines.of(streams)).splitlines()) == 1 + len(plan)
    total = lines.histories.total()
    assert (total.keys, total.proven_keys) == (2, 1)


def test_without_histories_the_page_says_nothing_of_them() -> None:
    """If this fails, whoever copies current versions is told about version IDs nobody asked for."""
    report, files = written(*run_of([entry(0, "a")]), 0)
    assert report.histories == Histories(
        keys=0, proven_keys=0, versions=0, delete_markers=0, not_kept=""
    )
    assert "Histories" not in files[REPORT_HTML].decode()


def test_the_map_from_old_to_new_is_in_each_line() -> None:
    """If this fails, nobody can tell which version at the destination was which at the source."""
    _, files = written(*run_of(PLAN), 0)
    lines = [line.split(",") for line in files[ROWS_CSV].decode().splitlines()]
    old, new = COLUMNS.index("version_id"), COLUMNS.index("destination_version_id")
    assert [(line[old], line[new]) for line in lines[1:]] == [(f"v{n}", f"d{n}") for n in range(7)]


def test_an_extra_delete_marker_is_called_one() -> None:
    """If this fails, a person looks for an object version that is none."""
    told = verdict(None, "b", Verdict.EXTRA)._replace(destination_is_delete_marker=True)
    row = ReportRow(key="b", destination=0, entry=None, outcome=None, verdict=told)
    cells = dict(zip(COLUMNS, csv_cells(row, ("to-bucket",)), strict=True))
    assert (cells["type"], cells["destination_version_id"]) == ("delete marker", "dNone")
