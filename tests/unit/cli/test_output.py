"""What verbs print: JSON that parses, and lines on which a hostile name stays harmless."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backfill.batch_operations.ledger import JobRecord, encoded
from backfill.cli.output import print_json, print_lines
from backfill.cli.report_lines import report_lines
from backfill.compose import machine
from backfill.errors import ArtifactDamagedError
from backfill.execute.batch_replication.work import ledger_name
from backfill.model.jobs import JobStatus
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Reason, Route
from backfill.report.document import Count, Node, Report
from backfill.report.histories import Histories
from backfill.report.restored import NONE_RESTORED
from backfill.report.run import report_json
from backfill.run_directory.identity import RunIdentity
from backfill.status import status_lines, status_of
from backfill.verify.rows import checksum_ledger_names
from tests.unit.batch_operations.ordering import description, order
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
        histories=Histories(
            keys=3, proven_keys=2, versions=7, delete_markers=1, not_kept="IDs; rows.csv maps them"
        ),
        restored=replace(
            NONE_RESTORED, restores=1_000, size_bytes=2_000, tier="Bulk", estimate="about 1.00 USD"
        ),
        ways=(Count(name=f"copied ({HOSTILE})", sentence="", rows=2),),
        troubles=(),
        troubles_total=0,
        listed=(),
    )


def test_a_report_in_a_terminal_is_lines_of_visible_text() -> None:
    """If this fails, a name from a bucket can clear the screen or forge a line of the report."""
    lines = list(report_lines(report(), lambda name: f"run/{name}"))
    assert all(line.isprintable() for line in lines), lines
    assert lines[1:] == [
        "2 versions, 10 B: all",
        r"  2 copied, 10 B: \x1b[2J\r\nforged: line\u202e\u2028=1+1",
        r"which way: copied (\x1b[2J\r\nforged: line\u202e\u2028=1+1) 2",
        "histories: 3 keys, 2 of them proven; IDs; rows.csv maps them",
        "restored: 1,000 versions, 2 kB, by Bulk; about 1.00 USD",
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


def job(number: int, status: JobStatus | None) -> JobRecord:
    """Return the record of a job; it has ended if its status says so."""
    wanted, job_id = order(number), f"job-{number}" if status else ""
    has_ended = status is not None and status.is_terminal
    return JobRecord(
        name=wanted.name,
        token=wanted.request.token,
        intended_at=NOON,
        sent_at=NOON,
        job_id=job_id,
        status=status,
        ended=description(wanted, job_id, status) if has_ended and status else None,
    )


WAITS, WORKS, ENDED = JobStatus.SUSPENDED, JobStatus.ACTIVE, JobStatus.COMPLETE


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([ENDED, WAITS, WORKS], "; waits for a person to confirm job job-1: see backfill jobs"),
        ([WAITS] * 5, " confirm jobs job-0, job-1, job-2 and 2 more: see backfill jobs"),
        ([WORKS, ENDED], "; at work at S3 when last seen: job job-0: see backfill jobs"),
        ([None], "; at work at S3 when last seen: job (ID not told yet): see backfill jobs"),
        ([ENDED], "next: outcomes/00"),
    ],
)
def test_status_names_the_jobs_that_the_run_waits_for(
    tmp_path: Path, statuses: list[JobStatus | None], words: str
) -> None:
    """If this fails, a job waits 30 days for a person who reads that a stage is next."""
    for name in ("inventory/source", "inventory/destination-00", "plan", "manifest/00"):
        write(tmp_path, name, 1)
    here = machine(tmp_path)
    records = [job(number, status) for number, status in enumerate(statuses)]
    here.artifacts.write_document(ledger_name(0), encoded(records))
    identity = RunIdentity(run_id="01RUN", horizon=NOON, campaign={})
    told = list(status_lines(status_of(identity, here)))[-1]
    assert told.startswith("next: outcomes/00")
    assert told.endswith(words)
    write(tmp_path, "outcomes/00", 1)
    # The round is over: nobody waits for its jobs, whatever was seen of them last.
    assert list(status_lines(status_of(identity, here)))[-1] == "next: verify/01"
    (ledger, _) = checksum_ledger_names(1, 1)
    here.artifacts.write_document(ledger, encoded([job(0, WAITS)]))
    assert "confirm job job-0" in list(status_lines(status_of(identity, here)))[-1]
    here.artifacts.write_document(ledger, b"{}")
    with pytest.raises(ArtifactDamagedError, match="jobs-source"):
        status_of(identity, here)
