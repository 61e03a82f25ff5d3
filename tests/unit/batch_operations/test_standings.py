"""How an order stands at a resume and after each answer; which jobs of a list are ours."""

from dataclasses import replace
from datetime import timedelta

import pytest

from backfill.batch_operations.finding import TAG_READS_MAX, Search
from backfill.batch_operations.standings import (
    Standing,
    about_to_send,
    created,
    limits_of,
    may_have_created,
    poll_pause_s,
    polled,
    sending_in_doubt,
    sending_refused,
    standing_of,
)
from backfill.model.jobs import JobProgress, JobStatus, JobSummary
from backfill.settings import Settings
from tests.doubles.model_batch import fault
from tests.unit.batch_operations.ordering import LIMITS, NOW, description, fresh


def opened(shard: int = 0) -> Standing:
    return about_to_send(fresh(shard), now=NOW, now_s=100.0)


@pytest.mark.parametrize(
    ("ago_s", "sent_s"), [(45.0, 955.0), (0.0, 1000.0), (-86_400.0, 1000.0), (7200.0, -6200.0)]
)
def test_a_sending_is_as_long_ago_as_the_clocks_say_and_never_to_come(
    ago_s: float, sent_s: float
) -> None:
    """If this fails, a clock that was set back makes a resumed run wait for a day."""
    now = NOW + timedelta(seconds=ago_s)
    standing = standing_of(opened().order, opened().record, now=now, now_s=1000.0)
    assert standing.sent_s == sent_s
    assert standing.due_s == 1000.0


def test_the_first_intent_stays_and_the_last_sending_counts() -> None:
    """If this fails, a job of the first sending is too old to be found by its tags."""
    again = about_to_send(opened(), now=NOW + timedelta(minutes=2), now_s=220.0)
    assert again.record.intended_at == NOW
    assert again.record.sent_at == NOW + timedelta(minutes=2)
    assert again.sendings == 2
    doubtful = sending_in_doubt(again, fault("CreateJob", "InternalError", 500), now_s=280.0)
    assert doubtful.sent_s == 280.0, "the request may have been carried out until its fault came"


def test_a_refused_sending_takes_its_intent_back_but_not_an_earlier_one() -> None:
    """If this fails, a job that an earlier sending made is never looked for again."""
    assert not sending_refused(opened()).record.is_open
    again = about_to_send(opened(), now=NOW + timedelta(minutes=2), now_s=220.0)
    assert sending_refused(again).record.is_open


@pytest.mark.parametrize(
    ("code", "status", "is_open"),
    [
        ("ConnectionClosedError", 0, True),
        ("InternalServiceException", 500, True),
        ("TooManyRequestsException", 400, True),
        ("IdempotencyException", 400, True),
        ("AccessDenied", 403, False),
        ("InvalidRequest", 400, False),
        ("ExpiredToken", 400, False),
    ],
)
def test_what_a_failed_creation_may_have_done(code: str, status: int, *, is_open: bool) -> None:
    """If this fails, an ambiguous CreateJob ends the run, or a refused one is sent again."""
    assert may_have_created(fault("CreateJob", code, status)) == is_open


@pytest.mark.parametrize(
    ("status", "done", "quiet"),
    [(JobStatus.ACTIVE, 5, 3), (JobStatus.ACTIVE, 6, 0), (JobStatus.PAUSED, 5, 0)],
)
def test_any_change_brings_polls_back_to_their_first_pause(
    status: JobStatus, done: int, quiet: int
) -> None:
    """If this fails, a job that moves is looked at every five minutes, or one that stands often."""
    standing = created(fresh(), "job-0", due_s=0.0)
    seen = description(standing.order, "job-0", JobStatus.ACTIVE, done=5)
    before = polled(standing, seen, now_s=0.0, draw=0.0, limits=LIMITS)
    now = description(standing.order, "job-0", status, done=done)
    after = polled(replace(before, quiet_polls=2), now, now_s=30.0, draw=0.5, limits=LIMITS)
    assert after.quiet_polls == quiet
    assert after.due_s == 30.0 + poll_pause_s(quiet, draw=0.5, poll_s=30.0)
    assert after.progress == JobProgress(total=100, succeeded=done)


def test_pauses_between_polls_stay_within_their_bounds() -> None:
    """If this fails, S3 is asked more often than every 30 s, or a job is forgotten for hours."""
    pauses = [
        poll_pause_s(quiet, draw=draw, poll_s=30.0)
        for quiet in (0, 1, 2, 3, 5, 8, 100, 100_000)
        for draw in (0.0, 0.5, 0.999)
    ]
    assert min(pauses) == 30.0
    assert max(pauses) == 300.0
    assert pauses[0::3] == sorted(pauses[0::3])
    assert pauses[1] > pauses[0], "chance adds"


def test_limits_come_from_the_settings() -> None:
    """If this fails, settings of a loopback store are not obeyed."""
    limits = limits_of(Settings(active_jobs_max=3, job_poll_s=0.5))
    assert (limits.active_jobs_max, limits.poll_s, limits.listing_lag_s) == (3, 0.5, 1.0)


def listed(of: Standing, job_id: str, *, text: str | None = None, minutes: float = 0) -> JobSummary:
    summary = description(of.order, job_id, JobStatus.READY).summary
    words = summary.description if text is None else text
    at = NOW + timedelta(minutes=minutes)
    return replace(summary, description=words, created_at=at)


def test_of_several_jobs_with_one_digest_the_first_is_ours() -> None:
    """If this fails, a job that a person cloned in the console is taken for the original."""
    search = Search([fresh(0), fresh(1)])
    for minutes, job_id in ((5, "cloned"), (1, "ours"), (9, "cloned again")):
        search.take(listed(fresh(1), job_id, minutes=minutes))
    (found,) = search.found
    assert (found.index, found.job_id, found.found_by) == (1, "ours", "description")
    assert found.status is JobStatus.READY
    assert search.candidates == []


def test_only_jobs_that_may_be_the_open_orders_have_their_tags_read() -> None:
    """If this fails, each resume reads the tags of every job of the account, or of too few."""
    search = Search([fresh(0), opened(1)])
    search.take(listed(fresh(0), "before", text="", minutes=-16))
    search.take(listed(fresh(0), "clocks apart", text="", minutes=-14))
    search.take(listed(fresh(0), "another run's", text="backfill-token=" + "0" * 32))
    other = replace(listed(fresh(0), "another operation", text=""), operation="S3PutObjectTagging")
    search.take(other)
    search.take(listed(fresh(0), "after", text="a person's words", minutes=3))
    assert search.candidates == ["clocks apart", "after"]
    assert search.found_by_tags("after", dict(fresh(0).order.request.tags)) is None
    assert search.found_by_tags("after", {}) is None
    found = search.found_by_tags("after", dict(fresh(1).order.request.tags))
    assert found is not None
    assert (found.index, found.found_by, found.status) == (1, "tags", None)


def test_tags_are_read_of_a_stated_number_of_jobs_the_nearest_first() -> None:
    """If this fails, an account with many jobs makes a resume last for hours."""
    search = Search([opened()])
    for number in reversed(range(200)):
        search.take(listed(fresh(), f"job-{number:03d}", text="", minutes=number / 10))
    assert search.candidates == [f"job-{number:03d}" for number in range(TAG_READS_MAX)]
    search.take(listed(opened(), "ours", minutes=30))
    assert search.candidates == [], "its description told"
