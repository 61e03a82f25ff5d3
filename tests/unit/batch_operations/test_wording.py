"""What a person reads at the end of a run that left jobs behind: which, and what to do."""

from dataclasses import replace

from backfill.batch_operations.standings import Standing
from backfill.batch_operations.wording import (
    JOBS_NAMED_MAX,
    conflicting,
    interrupted,
    unlistable,
    vanished,
    waiting,
)
from backfill.errors import MissingPermissionError
from backfill.model.jobs import JobStatus
from tests.unit.batch_operations.ordering import NOW, description, fresh


def standing(shard: int, status: JobStatus | None, *, is_ended: bool = False) -> Standing:
    """A standing whose job was created, or only intended where the status is None."""
    one = fresh(shard)
    intended = replace(one.record, intended_at=NOW, sent_at=NOW)
    if status is None:
        return replace(one, record=intended)
    told = description(one.order, f"job-{shard}", status)
    record = replace(
        intended, job_id=f"job-{shard}", status=status, ended=told if is_ended else None
    )
    return replace(one, record=record, description=told)


def test_jobs_that_wait_are_named_with_their_rows_and_the_command() -> None:
    """If this fails, a person does not know which job to confirm, or how."""
    one = standing(0, JobStatus.SUSPENDED)
    error = waiting([one])
    assert error.message == (
        "1 job is Suspended until a person confirms: job-0 (00-1-0000, 100 rows: Awaiting"
        " confirmation)"
    )
    assert str(error.hint) == (
        "`backfill jobs confirm job-0`, then the same command again; S3 fails a job that stays"
        " Suspended for 30 days"
    )
    quiet = waiting([replace(one, description=None), standing(1, JobStatus.SUSPENDED)])
    assert quiet.message.startswith(
        "2 jobs are Suspended until a person confirms: job-0 (00-1-0000, 100 rows); job-1 ("
    )
    assert "`backfill jobs confirm job-0`; `backfill jobs confirm job-1`, then" in str(quiet.hint)
    assert "lists them all" not in str(quiet.hint)


def test_no_more_jobs_are_named_than_a_terminal_shows() -> None:
    """If this fails, a hundred jobs scroll the reason away, or one is left out unsaid."""
    many = [standing(shard, JobStatus.SUSPENDED) for shard in range(JOBS_NAMED_MAX + 2)]
    error = waiting(many)
    assert error.message.startswith(f"{JOBS_NAMED_MAX + 2} jobs are")
    assert error.message.endswith("; and 2 more")
    assert "job-9 " in error.message
    assert "job-10" not in error.message + str(error.hint)
    assert "(`backfill jobs` lists them all)" in str(error.hint)
    exact = waiting(many[:JOBS_NAMED_MAX])
    assert "more" not in exact.message
    left = interrupted("SIGTERM", 15, many).message
    assert left.endswith("job-8, job-9 and 2 more")
    assert interrupted("SIGTERM", 15, many[:JOBS_NAMED_MAX]).message.endswith("job-8, job-9")


def test_a_run_that_was_stopped_says_which_jobs_go_on() -> None:
    """If this fails, jobs go on and are charged, and nobody knows."""
    running = standing(0, JobStatus.ACTIVE)
    over = standing(1, JobStatus.COMPLETE, is_ended=True)
    error = interrupted("SIGINT", 2, [running, over, fresh(2)])
    assert error.message == "stopped by SIGINT; jobs go on in AWS: job-0"
    assert error.signal_number == 2
    assert "`backfill jobs cancel JOB_ID` stops one" in str(error.hint)
    assert interrupted("SIGINT", 2, [over]).message == "stopped by SIGINT; no job is under way"
    perhaps = interrupted("SIGINT", 2, [standing(3, None)])
    assert perhaps.message == (
        "stopped by SIGINT; no job is under way; one more may have been created, and will be"
        " looked for"
    )


def test_a_job_that_s3_does_not_know_as_we_do_is_named() -> None:
    """If this fails, a person cannot tell which job is gone, or what differs."""
    one = standing(0, JobStatus.ACTIVE)
    assert "no job job-0 (00-1-0000)" in vanished(one).message
    assert "another --run-dir" in str(vanished(one).hint)
    assert "the token of job 00-1-0000" in conflicting(one).message
    assert "another --run-dir" in str(conflicting(one).hint)
    denied = MissingPermissionError("s3:ListJobs was denied", hint="grant it")
    refused = unlistable(denied)
    assert refused.message.endswith("so none is created: s3:ListJobs was denied")
    assert refused.hint == denied.hint
