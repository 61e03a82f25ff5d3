"""Which jobs a person may confirm or cancel: only those of the run, and only where it helps."""

from datetime import UTC, datetime

import pytest

from backfill.batch_operations.explaining import STATUS_TEXTS
from backfill.batch_operations.known_jobs import Job, KnownBy, chosen, has_effect
from backfill.batch_operations.task_results import (
    TASK_COLUMNS,
    TaskResult,
    TaskState,
    task_result_of,
    task_row_of,
)
from backfill.batch_operations.task_tally import TaskTally
from backfill.errors import RefusedError
from backfill.model.jobs import JobPlace, JobProgress, JobStatus, JobSummary, RequestedStatus

READY, CANCELLED = RequestedStatus.READY, RequestedStatus.CANCELLED
PLACE = JobPlace(account_id="111122223333", region="eu-west-1")
UNDER_WAY = {
    *(JobStatus.NEW, JobStatus.PREPARING, JobStatus.SUSPENDED, JobStatus.READY),
    *(JobStatus.ACTIVE, JobStatus.PAUSING, JobStatus.PAUSED),
}
"""What a person can still stop; what is completing, cancelling or failing ends by itself."""


def job(
    status: JobStatus | None,
    job_id: str = "j1",
    known_by: KnownBy = KnownBy.LEDGER,
    *,
    is_forgotten: bool = False,
) -> Job:
    summary = None
    if status is not None:
        summary = JobSummary(
            job_id=job_id,
            status=status,
            operation="S3ReplicateObject",
            priority=10,
            description="",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            progress=JobProgress(total=3, succeeded=1, failed=1),
        )
    return Job(
        name="00-1-0001",
        job_id=job_id,
        known_by=known_by,
        place=PLACE,
        summary=summary,
        is_forgotten=is_forgotten,
    )


@pytest.mark.parametrize("status", JobStatus)
def test_only_what_can_be_asked_for_is(status: JobStatus) -> None:
    """If this fails, a job that nobody confirmed is started, or one cannot be stopped."""
    one = job(status)
    expected = {READY: status is JobStatus.SUSPENDED, CANCELLED: status in UNDER_WAY}
    for requested, can in expected.items():
        assert chosen("run", [one], [], requested) == ((one,) if can else ())
        if can:
            assert chosen("run", [one], ["j1"], requested) == (one,)
            continue
        with pytest.raises(RefusedError, match=f"job j1 is {status.value}: only a"):
            chosen("run", [one], ["j1"], requested)


@pytest.mark.parametrize("known_by", KnownBy)
def test_only_jobs_of_the_run_are_asked(known_by: KnownBy) -> None:
    """If this fails, somebody else's job is confirmed or cancelled."""
    one = job(JobStatus.SUSPENDED, known_by=known_by)
    is_ours = known_by in (KnownBy.LEDGER, KnownBy.DIGEST, KnownBy.TAG)
    assert one.is_ours is is_ours
    assert chosen("run", [one], [], READY) == ((one,) if is_ours else ())
    if not is_ours:
        with pytest.raises(RefusedError, match="j1 is no job of run run"):
            chosen("run", [one], ["j1"], READY)


def test_what_s3_does_not_show_cannot_be_asked() -> None:
    """If this fails, a job that S3 has forgotten is cancelled by an ID that may be another's."""
    nowhere, forgotten = job(None), job(JobStatus.ACTIVE, "j2", is_forgotten=True)
    assert (nowhere.status, nowhere.progress) == (None, JobProgress())
    assert forgotten.progress.done == 2
    assert chosen("run", [nowhere, forgotten], [], CANCELLED) == ()
    with pytest.raises(RefusedError, match="no job of run"):
        chosen("run", [nowhere], ["j1"], CANCELLED)
    with pytest.raises(RefusedError, match="under way"):
        chosen("run", [forgotten], ["j2"], CANCELLED)


def test_jobs_are_asked_once_each_in_the_order_named() -> None:
    """If this fails, a job that is named twice is confirmed twice."""
    one, two = job(JobStatus.SUSPENDED), job(JobStatus.SUSPENDED, "j2")
    assert chosen("run", [one, two], ["j2", "j1", "j2"], READY) == (two, one)


@pytest.mark.parametrize("status", JobStatus)
def test_a_status_shows_whether_it_was_asked_for(status: JobStatus) -> None:
    """If this fails, a confirmation that arrived is sent again, or a lost one is believed."""
    confirmed = {"Ready", "Active", "Pausing", "Paused", "Completing", "Complete"}
    assert has_effect(READY, status) is (status.value in confirmed)
    assert has_effect(CANCELLED, status) is (status.value in {"Cancelling", "Cancelled"})


def test_every_status_has_its_words() -> None:
    """If this fails, a person sees a job whose status nobody explains."""
    assert set(STATUS_TEXTS) == set(JobStatus)


RESULTS = (
    TaskResult(number=0, state=TaskState.SUCCEEDED, http_status=200),
    TaskResult(0, TaskState.FAILED, 503, "SlowDown", "Slow."),
    TaskResult(2, TaskState.FAILED, 503, "SlowDown"),
    TaskResult(3, TaskState.FAILED, 403, "AccessDenied", "No."),
    TaskResult(4, TaskState.NOT_ATTEMPTED),
)


def test_each_result_counts_once_and_is_passed_on() -> None:
    """If this fails, a report tells more or fewer failed tasks than there were, or loses some."""
    tally = TaskTally()
    assert tuple(tally.counted(RESULTS)) == RESULTS
    assert sum(tally.codes.values()) == 3
    assert max(tally.codes.values()) == 2
    summary = tally.summary(["j1", "j2"])
    assert summary == {
        "jobs": [{"job_id": "j1"}, {"job_id": "j2"}],
        "states": {"succeeded": 1, "failed": 3, "not-attempted": 1},
        "codes": dict(sorted(tally.codes.items())),
    }
    assert list(summary) == ["jobs", "states", "codes"]


def test_a_task_result_comes_back_as_it_was() -> None:
    """If this fails, a resumed run believes another end of a task than its report told."""
    assert TASK_COLUMNS == ("number", "state", "http_status", "code", "message")
    for result in RESULTS:
        assert task_result_of(list(task_row_of(result))) == result
