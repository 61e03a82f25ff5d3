"""What verbs print: JSON that parses, and lines on which a hostile name stays harmless."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backfill.cli.output import print_json, print_lines
from backfill.cli.report_lines import report_lines
from backfill.compose import machine
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Reason, Route
from backfill.report.document import Count, Node, Report
from backfill.report.run import report_json
from backfill.run_directory.identity import RunIdentity
from backfill.status import status_lines, status_of
from tests.unit.report.test_report import asked

HOSTILE = "\x1b[2J\r\nforged: line\u202e\u2028=1+1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def report() -> Report:
    """Return a report with a hostile name wherever a name from outside can stand."""
    leaf = Node(name="copied", sentence=HOSTILE, rows=2, size_bytes=10, tone="plain")
    return Report(
        schema="backfill.report/1",
        asked=asked(),
        headline=f"Not in parity: {HOSTILE}",
        tone="bad",
        exit_code=4,
        next_steps=(f"look at {HOSTILE}",),
        totals=Node(
            name="versions", sentence="all", rows=2, size_bytes=10, tone="plain", children=(leaf,)
        ),
        verdicts=(),
        evidence=(
            Count(name="bytes", sentence="", rows=1),
            Count(name="size", sentence="", rows=1),
        ),
        fidelity=(),
        differences=(Count(name="tags", sentence="", rows=1),),
        codes=(),
        ways=(Count(name=f"copied ({HOSTILE})", sentence="", rows=2),),
        troubles=(),
        troubles_total=0,
        listed=(),
    )


def test_a_report_in_a_terminal_is_lines_of_visible_text() -> None:
    """If this fails, a name from a bucket can clear the screen or forge a line of the report."""
    lines = list(report_lines(report(), Path("run")))
    assert all(line.isprintable() for line in lines), lines
    assert lines[1:] == [
        "2 versions, 10 B: all",
        r"  2 copied, 10 B: \x1b[2J\r\nforged: line\u202e\u2028=1+1",
        r"which way: copied (\x1b[2J\r\nforged: line\u202e\u2028=1+1) 2",
        "evidence: bytes 1, size 1",
        "differences: tags 1",
        r"1. look at \x1b[2J\r\nforged: line\u202e\u2028=1+1",
        "report: run/report/report.html",
    ]


def test_json_on_stdout_is_what_report_json_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, a script reads something else from --json than from the file."""
    print_json(report())
    assert json.loads(capsys.readouterr().out) == json.loads(report_json(report()))


def test_json_knows_the_values_of_results(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, --json ends in a stack trace where the text works."""
    print_json({"at": NOON, "kinds": {OutcomeKind.COPIED: 1}, "way": Route.COPY_OBJECT})
    print_json([Reason.ACL, Count(name=HOSTILE, sentence="", rows=1)])
    first, second = capsys.readouterr().out.split("\n[", 1)
    assert json.loads(first) == {
        "at": "2026-11-22T12:00:00+00:00",
        "kinds": {"copied": 1},
        "way": "copy-object",
    }
    assert json.loads("[" + second)[1]["name"] == HOSTILE


def test_lines_are_printed_one_each(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, `grep` and `wc -l` count something else than results."""
    print_lines(iter(["a", "b"]))
    assert capsys.readouterr().out == "a\nb\n"


def write(root: Path, name: str, rows: int) -> None:
    artifacts = machine(root).artifacts
    with artifacts.writer(name, columns=("n",), inputs={}) as writer:
        for number in range(rows):
            writer.write([number])
        writer.commit({})


def test_status_says_what_stands_and_what_is_next(tmp_path: Path) -> None:
    """If this fails, a person waits for a stage that is done, or takes a half run for a whole."""
    identity = RunIdentity(
        run_id="01RUN", horizon=NOON, campaign={"source bucket": f"old{HOSTILE}"}
    )
    at_first = list(status_lines(status_of(identity, machine(tmp_path))))
    assert at_first == [
        r"run 01RUN of old\x1b[2J\r\nforged: line\u202e\u2028=1+1, begun 2026-11-22 12:00:00+00:00",
        "  inventory/source: not yet",
        "  inventory/destination-00: not yet",
        "  plan: not yet",
        "  manifest/00: not yet",
        "  outcomes/00: not yet",
        "  verify/01: not yet",
        "next: inventory/source",
    ]
    for name, rows in [("inventory/source", 3), ("inventory/destination-00", 0), ("plan", 3)]:
        write(tmp_path, name, rows)
    later = list(status_lines(status_of(identity, machine(tmp_path))))
    assert later[1:4] == [
        "  inventory/source: 3 rows",
        "  inventory/destination-00: 0 rows",
        "  plan: 3 rows",
    ]
    assert later[-1] == "next: manifest/00"
    for name in ("manifest/00", "outcomes/00", "verify/01"):
        write(tmp_path, name, 1)
    assert list(status_lines(status_of(identity, machine(tmp_path))))[-1] == "every stage stands"
