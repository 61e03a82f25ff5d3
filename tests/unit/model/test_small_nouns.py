"""Units, pauses, budgets, JSON, pages, jobs, options: small nouns, each by its own rule."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from backfill.model.accounts import CallerIdentity, EventDestinationKind, event_destination_kind
from backfill.model.jobs import (
    JobDescription,
    JobFailure,
    JobOperation,
    JobPlace,
    JobProgress,
    JobRequest,
    JobStatus,
    JobSummary,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
)
from backfill.model.json_values import json_value
from backfill.model.listed import cells_of, entry_of
from backfill.model.objects import ChecksumType, ETag, multipart_part_count
from backfill.model.options import Kind, Option
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketPlace
from backfill.model.store import Grant, ObjectAcl, VersionsPage, VersionsPosition
from backfill.model.units import counted, readable_duration, readable_size
from tests.doubles.planning import marker, version


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234, "1.23 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (5 * 10**9, "5 GB"),
        (12_345_678_901, "12.3 GB"),
        (2 * 10**12, "2 TB"),
        (3 * 10**15, "3 PB"),
        (4 * 10**18, "4 EB"),
        (5 * 10**21, "5e+03 EB"),
    ],
)
def test_sizes_have_three_digits_and_decimal_units(size_bytes: int, words: str) -> None:
    """If this fails, a person reads another size than AWS bills."""
    assert readable_size(size_bytes) == words


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (48 * 3600 - 1, "47 h 59 min"),
        (48 * 3600, "2 d 00 h"),
        (51 * 3600, "2 d 03 h"),
    ],
)
def test_durations_have_their_two_largest_units(duration_s: float, words: str) -> None:
    """If this fails, a person waits for another time than was said."""
    assert readable_duration(duration_s) == words
    assert counted(1234567) == "1,234,567"


@pytest.mark.parametrize(
    ("attempt", "draw", "retry_after_s", "pause_s"),
    [
        (1, 1.0, None, 0.5),
        (2, 1.0, None, 1.0),
        (4, 1.0, None, 4.0),
        (4, 0.25, None, 1.0),
        (5, 1.0, None, 6.0),
        (9999, 1.0, None, 6.0),
        (1, 0.0, None, 0.0),
        (1, 0.0, 3.0, 3.0),
        (4, 1.0, 3.0, 4.0),
        (1, 0.0, 60.0, 6.0),
    ],
)
def test_pauses_grow_are_drawn_and_have_a_cap(
    attempt: int, draw: float, retry_after_s: float | None, pause_s: float
) -> None:
    """If this fails, retries storm a store that is down, or a run stalls."""
    pauses = Pauses(base_s=0.5, cap_s=6.0)
    assert pauses.pause_s(attempt, draw=draw, retry_after_s=retry_after_s) == pause_s


@pytest.mark.parametrize(("attempt", "draw"), [(0, 0.5), (1, -0.1), (1, 1.1)])
def test_what_is_no_attempt_or_draw_is_refused(attempt: int, draw: float) -> None:
    """If this fails, a caller's mistake becomes a pause without sense."""
    with pytest.raises(AssertionError):
        Pauses(base_s=0.5, cap_s=6.0).pause_s(attempt, draw=draw)


def test_retries_are_paid_from_one_budget() -> None:
    """If this fails, an outage is answered by many times the requests."""
    budget = RetryBudget(ratio=0.5, floor=2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.count_first_attempt()
    assert [budget.spend() for _ in range(2)] == [True, False]
    budget.count_first_attempt()
    assert (budget.spend(), budget.first_attempts, budget.retries) == (False, 2, 3)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1e999]", "-1e999", "{", "[" * 100_000])
def test_what_json_does_not_have_is_refused(text: str) -> None:
    """If this fails, a document is taken that nobody else can read, or ends in a traceback."""
    with pytest.raises(ValueError, match=r".") as refused:
        json_value(text)
    assert len(str(refused.value)) < 100


def test_json_is_read_as_it_is_written() -> None:
    """If this fails, a number or a repeated name of a document is read as another."""
    assert json_value(b'{"a": [1, 2.5, null, true]}') == {"a": [1, 2.5, None, True]}
    assert json_value('{"a": 1, "a": 2}', pairs_hook=lambda pairs: {"pairs": pairs}) == {
        "pairs": [("a", 1), ("a", 2)]
    }


ENTRY = version(
    "k", "v", "e", 7, checksum_algorithms=("CRC32", "SHA256"), checksum_type=ChecksumType.COMPOSITE
)
GONE = marker("k", "m", is_latest=True)


def test_listed_entries_have_these_cells() -> None:
    """If this fails, an inventory that another release wrote is read as something else."""
    time = "2025-12-02T00:00:00+00:00"
    cells = ("k", "v", False, time, "e", 7, "STANDARD", "CRC32,SHA256", "COMPOSITE")
    assert cells_of(ENTRY) == cells
    assert cells_of(GONE) == ("k", "m", True, time, None, 0, "", "", None)
    plain = ENTRY._replace(checksum_algorithms=(), checksum_type=None)
    assert cells_of(plain)[-2:] == ("", None)
    for entry in (ENTRY, GONE, plain):
        assert entry_of(cells_of(entry)) == entry
        assert type(entry_of(cells_of(entry))) is type(entry)
    east = timezone(timedelta(hours=2))
    elsewhere = ENTRY._replace(last_modified=ENTRY.last_modified.astimezone(east))
    assert cells_of(elsewhere) == cells
    with pytest.raises(AssertionError):
        cells_of(ENTRY._replace(last_modified=datetime(2026, 1, 1)))  # noqa: DTZ001 - the mistake


def test_a_page_is_the_same_of_cells_and_of_entries() -> None:
    """If this fails, one who lists and one who looks at a key see different versions."""
    position = VersionsPosition("k", ENTRY.version_id)
    of_entries = VersionsPage((GONE, ENTRY), position)
    of_cells = VersionsPage.of_cells([cells_of(GONE), cells_of(ENTRY)], position)
    assert of_cells.entries == (GONE, ENTRY)
    assert of_entries.cells == [cells_of(GONE), cells_of(ENTRY)]
    assert of_entries == of_cells
    assert hash(of_entries) == hash(of_cells)
    assert of_entries != VersionsPage((GONE, ENTRY), None)
    assert of_entries != VersionsPage((GONE,), position)
    assert (of_entries == "page") is False
    assert repr(of_cells) == f"VersionsPage({(GONE, ENTRY)!r}, {position!r})"


OWN = Grant("FULL_CONTROL", "id", "me")


@pytest.mark.parametrize(
    ("owner_id", "grants", "is_default"),
    [
        ("me", (OWN,), True),
        ("", (Grant("FULL_CONTROL", "id", ""),), False),
        ("me", (), False),
        ("me", (OWN, OWN), False),
        ("you", (OWN,), False),
        ("me", (Grant("READ", "id", "me"),), False),
        ("me", (Grant("FULL_CONTROL", "uri", "me"),), False),
    ],
)
def test_the_default_acl_grants_its_owner_all_and_nobody_else(
    owner_id: str, grants: tuple[Grant, ...], is_default: bool
) -> None:
    """If this fails, grants are dropped by a copy, or read for every object in vain."""
    assert ObjectAcl(owner_id, grants).is_default is is_default


@pytest.mark.parametrize(
    ("etag", "parts"),
    [("abc-12", 12), ("abc", None), ("-3", None), ("abc-", None), ("abc-x", None), ("a-²", None)],
)
def test_an_etag_tells_its_parts(etag: str, parts: int | None) -> None:
    """If this fails, a multipart object is copied in other parts, and its ETag proves nothing."""
    assert multipart_part_count(ETag(etag)) == parts


def test_a_job_has_ended_in_three_statuses() -> None:
    """If this fails, a job is waited for that is over, or given up while it works."""
    ended = {JobStatus.COMPLETE, JobStatus.CANCELLED, JobStatus.FAILED}
    assert {status for status in JobStatus if status.is_terminal} == ended


REQUEST: dict[str, Any] = {
    "place": JobPlace(account_id="111122223333", region="eu-west-1"),
    "operation": JobOperation.REPLICATE,
    "manifest": ManifestLocation(format=ManifestFormat.CSV, bucket="b", key="k", etag=ETag("e")),
    "report": ReportLocation(bucket="b", prefix="p", expected_owner="111122223333"),
    "role_arn": "arn",
    "priority": 1,
    "token": "t" * 64,
    "description": "d" * 256,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"token": ""},
        {"token": "t" * 65},
        {"description": "d" * 257},
        {"checksum_algorithm": "SHA256"},
        {"operation": JobOperation.COMPUTE_CHECKSUM},
    ],
)
def test_a_job_that_s3_would_refuse_is_not_asked_for(changes: dict[str, Any]) -> None:
    """If this fails, CreateJob is refused after everything else was done."""
    assert JobRequest(**REQUEST).needs_confirmation is False
    assert JobRequest(**{**REQUEST, "token": "t"})
    with pytest.raises(AssertionError):
        JobRequest(**{**REQUEST, **changes})


def test_a_job_says_how_far_it_is_and_why_it_failed() -> None:
    """If this fails, progress misses the tasks that failed, or a failure has no words."""
    progress = JobProgress(total=9, succeeded=3, failed=2)
    assert progress.done == 5
    summary = JobSummary(
        job_id="j",
        status=JobStatus.FAILED,
        operation="S3ReplicateObject",
        priority=1,
        description="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        progress=progress,
    )
    assert JobDescription(summary=summary).failure_words == ""
    failures = (JobFailure(code="A", reason="one"), JobFailure(code="B", reason="two"))
    assert JobDescription(summary=summary, failures=failures).failure_words == "A: one; B: two"


def test_an_option_has_one_name_in_every_spelling() -> None:
    """If this fails, a variable that the documentation names sets nothing."""
    option = Option(table="batch", name="role-arn", kind=Kind.TEXT, help="")
    assert option.environment == "BACKFILL_BATCH_ROLE_ARN"
    flagged = Option(table="batch", name="role", kind=Kind.TEXT, help="", flag="--the-role")
    assert flagged.environment == "BACKFILL_THE_ROLE"
    assert (option.minimum, option.maximum) == (1, 2**53 - 1)


@pytest.mark.parametrize("owner", ["", "1111", "1111222233334", "11112222333x"])
def test_a_place_names_its_bucket_and_owner(owner: str) -> None:
    """If this fails, a request is sent without saying whose the bucket is."""
    known: dict[str, str] = {"region": "eu-west-1", "owner_origin": "caller"}
    assert BucketPlace(bucket="b", expected_owner="111122223333", **known)
    with pytest.raises(AssertionError):
        BucketPlace(bucket="b", expected_owner=owner, **known)
    with pytest.raises(AssertionError):
        BucketPlace(bucket="", expected_owner="111122223333", **known)


def test_an_arn_tells_partition_and_service() -> None:
    """If this fails, policies name another partition, or a queue is taken for a topic."""
    who = CallerIdentity(account_id="1", arn="arn:aws-cn:sts::1:assumed-role/r/s")
    assert who.partition == "aws-cn"
    kinds = [event_destination_kind(f"arn:aws:{name}:r:1:x") for name in ("sqs", "sns", "lambda")]
    assert kinds == list(EventDestinationKind)
    with pytest.raises(ValueError, match="events"):
        event_destination_kind("arn:aws:events:r:1:x")
