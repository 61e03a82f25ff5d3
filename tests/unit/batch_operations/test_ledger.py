"""The ledger gives back what it was given, and no bytes but its own pass."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from backfill.batch_operations.ledger import JobRecord, decoded, encoded, records_of
from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.model.jobs import JobFailure, JobStatus
from tests.unit.batch_operations.ordering import NOW, description, order

FRESH = JobRecord(name="00-1-0000", token=order(0).request.token)
OPEN = JobRecord(
    name="00-1-0001",
    token=order(1).request.token,
    intended_at=NOW,
    sent_at=NOW + timedelta(seconds=90, microseconds=1),
)
ACTIVE = replace(OPEN, name="00-1-0002", job_id="job-2", status=JobStatus.ACTIVE)
REASON = JobFailure(code="InvalidManifestContent", reason='Unexpected number: "é"\n\x1b')
FAILED = replace(
    OPEN,
    name="00-1-0003",
    job_id="job-3",
    status=JobStatus.FAILED,
    ended=replace(
        description(order(3), "job-3", JobStatus.FAILED, done=7, failures=(REASON,)),
        role_arn="arn:aws:iam::111111111111:role/batch",
        status_reason="because",
        report=None,
    ),
)
COMPLETE = replace(
    FAILED,
    name="00-1-0004",
    status=JobStatus.COMPLETE,
    ended=description(order(4), "job-3", JobStatus.COMPLETE, done=100),
)
RECORDS = (FRESH, OPEN, ACTIVE, FAILED, COMPLETE)
DOCUMENT = encoded(RECORDS)


def test_a_ledger_is_read_as_it_was_written() -> None:
    """If this fails, a resumed run forgets what it knew of its jobs."""
    assert decoded(DOCUMENT, "jobs.json") == RECORDS
    assert decoded(encoded([]), "jobs.json") == ()
    assert [record.is_open for record in RECORDS] == [False, True, False, False, False]


@pytest.mark.parametrize("step", range(7))
def test_no_altered_byte_passes(step: int) -> None:
    """If this fails, a ledger that somebody edited decides which jobs are ours."""
    for place in range(step, len(DOCUMENT), 7):
        altered = bytearray(DOCUMENT)
        altered[place] ^= 1
        with pytest.raises((ArtifactDamagedError, ForeignRunDirectoryError)):
            decoded(bytes(altered), "jobs.json")
    with pytest.raises(ArtifactDamagedError):
        decoded(DOCUMENT[: -1 - step], "jobs.json")


def resealed(change: dict[str, object]) -> bytes:
    """Return a ledger of one changed record whose digest fits."""
    document = json.loads(encoded([FAILED]))
    document.pop("digest")
    document["jobs"][0] |= change
    inner = json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
    document["digest"] = hashlib.sha256(inner).hexdigest()
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "Sleeping"},
        {"sent_at": None},
        {"sent_at": "yesterday"},
        {"job_id": ""},
        {"ended": {"status": "Failed"}},
        {"extra": 1},
        {"name": [["00-1-0001"]]},
    ],
)
def test_a_ledger_that_makes_no_sense_is_damaged_whatever_its_digest(
    change: dict[str, object],
) -> None:
    """If this fails, a record that no run writes leads to a traceback or to a wrong step."""
    assert decoded(resealed({}), "jobs.json") == (FAILED,)
    with pytest.raises(ArtifactDamagedError):
        decoded(resealed(change), "jobs.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b'{"schema": 1}', b"\xff"])
def test_what_is_no_ledger_is_damaged(data: bytes) -> None:
    """If this fails, a cut file ends in a traceback."""
    with pytest.raises(ArtifactDamagedError) as raised:
        decoded(data, "jobs.json")
    assert "jobs.json" in raised.value.message
    assert raised.value.hint


def test_one_name_stands_once() -> None:
    """If this fails, an order has two records, and one of its jobs is lost."""
    with pytest.raises(ArtifactDamagedError):
        decoded(encoded([FRESH, FRESH]), "jobs.json")


def test_a_newer_ledger_is_not_guessed_at() -> None:
    """If this fails, an older backfill misreads what a newer one wrote."""
    with pytest.raises(ForeignRunDirectoryError, match="schema 2"):
        decoded(DOCUMENT.replace(b'"schema": 1', b'"schema": 2'), "jobs.json")


def test_records_follow_the_orders_and_tokens_must_agree() -> None:
    """If this fails, a job of other work is taken for this order's."""
    orders = [order(2), order(1)]
    kept = replace(OPEN, name=orders[1].name, token=orders[1].request.token)
    records = records_of(orders, [FRESH, kept], "jobs.json")
    assert [record.name for record in records] == [one.name for one in orders]
    assert records[1] == kept
    assert not records[0].is_open
    with pytest.raises(ForeignRunDirectoryError, match="00-1-0001"):
        records_of(orders, [replace(kept, token=FRESH.token)], "jobs.json")
