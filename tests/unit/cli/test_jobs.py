"""`backfill jobs` as it is typed and as it reads, also for names that want to do harm."""

import argparse
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from backfill.batch_operations.failure_codes import failure_of
from backfill.batch_operations.known_jobs import Job, Jobs, KnownBy
from backfill.cli.job_lines import (
    list_document,
    list_lines,
    show_document,
    show_lines,
    update_document,
)
from backfill.cli.jobs import ACTIONS, spelled_out
from backfill.cli.main import build_parser
from backfill.cli.output import print_json
from backfill.jobs_of_run import ReportRead, View
from backfill.model.jobs import JobDescription, JobFailure, JobProgress, JobStatus, ReportLocation
from tests.doubles.listed_jobs import ListedJobs
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.unit.batch_operations.ordering import NOW, PLACE, description, order

HOSTILE = "\x1b[2J\u202ename\r\n<b>"
JOB_FIELDS = {
    *("name", "job_id", "is_of_this_run", "known_by", "account_id", "region", "status"),
}
SUMMARY_FIELDS = {
    *("status_words", "is_forgotten_by_s3", "operation", "priority", "description"),
    *("created_at", "ended_at", "tasks", "tasks_done", "tasks_succeeded", "tasks_failed"),
}
SHOWN_FIELDS = {
    *("meaning", "next", "todo", "arn", "role_arn", "status_reason", "suspended_cause"),
    *("failures", "report", "results"),
}
VIEW = View(
    run_id="RUN",
    source_bucket="source-bucket",
    begun_at=NOW,
    artifacts=MemoryArtifacts(),
    sides={PLACE: ListedJobs(PLACE)},
    destinations=1,
)


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        (["jobs"], ["jobs", "list"]),
        (["jobs", "some-bucket"], ["jobs", "list", "some-bucket"]),
        (["jobs", "--run-dir", "x"], ["jobs", "list", "--run-dir", "x"]),
        (["jobs", "--all"], ["jobs", "list", "--all"]),
        (["jobs", "show", "J"], ["jobs", "show", "J"]),
        (["jobs", "--help"], ["jobs", "--help"]),
        (["run", "jobs"], ["run", "jobs"]),
        ([], []),
    ],
)
def test_an_action_that_is_left_out_is_list(words: list[str], spelled: list[str]) -> None:
    """If this fails, the `backfill jobs` of our own hints is a usage error, or help is a list."""
    assert spelled_out(words) == spelled


def test_every_argument_of_every_action_is_explained() -> None:
    """If this fails, a person must read the code to learn what an option of an action does."""
    (verbs,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    jobs = verbs.choices["jobs"]
    (actions,) = (a for a in jobs._actions if isinstance(a, argparse._SubParsersAction))
    assert tuple(actions.choices) == tuple(ACTIONS)
    for name, parser in actions.choices.items():
        unexplained = [a.dest for a in parser._actions if not a.help and a.dest != "source_bucket"]
        assert unexplained == [], name
    asks = {name for name, parser in actions.choices.items() if "--yes" in parser.format_help()}
    assert asks == {"confirm", "cancel"}


def job_of(made: JobDescription, known_by: KnownBy = KnownBy.LEDGER) -> Job:
    name = "00-1-0000" if known_by is not KnownBy.NOTHING else ""
    summary = made.summary
    return Job(name=name, job_id=summary.job_id, known_by=known_by, place=PLACE, summary=summary)


def shown(
    made: JobDescription, read: ReportRead | None = None, known_by: KnownBy = KnownBy.LEDGER
) -> str:
    job = job_of(made, known_by)
    now = NOW + timedelta(hours=2)
    return "\n".join(show_lines(job, made, read, now=now, naming=" --run-dir 'my run'"))


def listed(*jobs: Job, others: tuple[Job, ...] = ()) -> list[str]:
    seen = Jobs(jobs=jobs, others=others)
    return list(list_lines(VIEW, seen, now=NOW + timedelta(hours=2), naming=" --run-dir x"))


def waiting() -> JobDescription:
    return description(order(), "job-0", JobStatus.SUSPENDED)


def test_a_waiting_job_says_how_it_is_started() -> None:
    """If this fails, a person who sees that a job waits must search for how to go on."""
    text = shown(waiting())
    assert text.startswith("Job job-0: Suspended, waits for a person to confirm it\n")
    one_line = " ".join(text.split())
    assert "backfill jobs confirm job-0 --run-dir 'my run'" in one_line
    assert "backfill jobs cancel job-0 --run-dir 'my run'" in one_line
    lines = listed(job_of(waiting()))
    assert "1 waits for a person: backfill jobs confirm --all --run-dir x" in lines


def test_what_s3_says_in_others_words_does_no_harm() -> None:
    """If this fails, whoever names a job in the account writes to our reader's terminal."""
    made = description(order(), "job-0", JobStatus.FAILED)
    made = replace(
        made,
        summary=replace(made.summary, description=HOSTILE, operation=HOSTILE, job_id=HOSTILE),
        failures=(JobFailure(code=HOSTILE, reason=HOSTILE),),
        role_arn=HOSTILE,
        status_reason=HOSTILE,
        suspended_cause=HOSTILE,
        report=ReportLocation(bucket=HOSTILE, prefix=HOSTILE, expected_owner="1" * 12),
    )
    text = shown(made, known_by=KnownBy.NOTHING)
    other = replace(job_of(made, KnownBy.NOTHING), job_id=HOSTILE)
    text += "\n".join(listed(others=(other,)))
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert text.count(r"\x1b[2J\u202ename\r\n<b>") >= 8


def test_a_job_of_others_is_shown_without_an_invitation() -> None:
    """If this fails, a person is told to cancel what belongs to a colleague."""
    text = shown(description(order(), "job-0", JobStatus.ACTIVE), known_by=KnownBy.NOTHING)
    assert "not of this run" in text
    assert "backfill jobs cancel" not in text


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (JobProgress(), "tasks not counted yet"),
        (JobProgress(total=5000), "0 of 5,000 tasks done;"),
        (
            JobProgress(total=5000, succeeded=4990, failed=9),
            "4,999 of 5,000 tasks done (99 %): 4,990 succeeded, 9 failed",
        ),
        (JobProgress(total=5000, succeeded=5000), "5,000 of 5,000 tasks done: 5,000 succeeded"),
    ],
)
def test_progress_reads_as_it_is(progress: JobProgress, words: str) -> None:
    """If this fails, a job with tasks to go reads 100 %."""
    made = description(order(), "job-0", JobStatus.ACTIVE)
    lines = listed(job_of(replace(made, summary=replace(made.summary, progress=progress))))
    assert any(words in line for line in lines), lines


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job(name="n", job_id="", known_by=KnownBy.LEDGER, place=PLACE), "not created it yet"),
        (
            Job(name="n", job_id="", known_by=KnownBy.LEDGER, place=PLACE, sent_at=NOW),
            "CreateJob was sent 2 h 00 min ago and its answer never came",
        ),
        (Job(name="n", job_id="j", known_by=KnownBy.LEDGER, place=PLACE), "90 days"),
        (replace(job_of(waiting()), is_forgotten=True), "S3 has forgotten it"),
        (job_of(waiting(), KnownBy.COPY), "somebody's copy"),
    ],
)
def test_what_is_odd_about_a_job_is_said(job: Job, words: str) -> None:
    """If this fails, a job that is not there looks like one that is."""
    assert any(words in line for line in listed(job)), listed(job)


def test_a_report_that_was_read_is_told_code_by_code() -> None:
    """If this fails, a person knows that tasks failed, and not why."""
    read = ReportRead(
        artifact="replication/00-tasks-1",
        jobs=2,
        states={"failed": 3, "not-attempted": 1, "succeeded": 96},
        failures=((2, failure_of("SrcObjectNotEligible", None, "")), (1, failure_of("", 503, ""))),
    )
    made = description(order(), "job-0", JobStatus.COMPLETE, done=96)
    text = shown(made, read)
    assert "of the 2 jobs of one attempt together (replication/00-tasks-1)\n" in text
    assert "  96 succeeded, 3 failed, 1 not attempted\n" in text
    assert "  2 x SrcObjectNotEligible: never by Batch Replication\n" in text
    assert "  1 x HTTP503: passing, tried again by itself\n" in text
    assert "then: backfill repair" in text
    assert "has not read" in shown(made)


def test_json_is_stable_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, a script that watches jobs breaks with the next release."""
    made = description(
        order(), "job-0", JobStatus.FAILED, failures=(JobFailure(code="a", reason="b"),)
    )
    job = job_of(made)
    nothing = Job(name="n", job_id="", known_by=KnownBy.LEDGER, place=PLACE)
    documents = (
        list_document(VIEW, Jobs(jobs=(job, nothing), damaged=("ledger",))),
        show_document(VIEW, job, made, None),
        update_document("cancel", [(job, JobStatus.CANCELLING)]),
    )
    for document in documents:
        print_json(document)
        assert json.loads(capsys.readouterr().out)["schema"] == document["schema"]
    listing, one, updates = (json.loads(json.dumps(d, default=str)) for d in documents)
    whole, absent = listing["jobs"]
    assert set(absent) == JOB_FIELDS
    assert set(whole) == JOB_FIELDS | SUMMARY_FIELDS
    assert set(one) == {"schema", "run_id"} | JOB_FIELDS | SUMMARY_FIELDS | SHOWN_FIELDS
    assert listing["damaged_ledgers"] == ["ledger"]
    assert updates["jobs"] == [
        {"name": "00-1-0000", "job_id": "job-0", "status_before": "Failed", "status": "Cancelling"}
    ]
