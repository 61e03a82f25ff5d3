"""What two Compute checksum tasks prove: only both values make a match, all else says why not."""

import base64
import json
from collections.abc import Mapping

import pytest

from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ETag, VersionId
from backfill.verify.checksums import (
    CHECKSUM_COLUMNS,
    ChecksumProof,
    Reading,
    decided,
    proof_of,
    proof_of_row,
    proof_row_of,
    reading_of,
)
from backfill.verify.decisions import Judged, SourceSeen, Unjudged
from backfill.verify.looks import NOTHING_COMMON
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow

ETAG = ETag("0f343b0931126a20f133d67c2b018a3b")
ONE = base64.b64encode(bytes(32)).decode()
OTHER = base64.b64encode(bytes(31) + b"\1").decode()
GOOD: Mapping[str, str] = {
    "checksum_base64": ONE,
    "etag": ETAG,
    "checksumAlgorithm": "SHA256",
    "checksumType": "FULL_OBJECT",
    "checksum_hex": bytes(32).hex(),
}
"""A ResultMessage as the S3 User Guide shows it (batch-ops-compute-checksums)."""


def told(**changes: str) -> TaskResult:
    return TaskResult(0, TaskState.SUCCEEDED, 200, "", json.dumps({**GOOD, **changes}))


def reading(result: TaskResult, *, etag: ETag | None = ETAG, ending: str = "") -> Reading:
    return reading_of(result, algorithm="SHA256", etag=etag, ending=ending)


def test_a_checksum_of_the_version_that_was_looked_at_counts() -> None:
    """If this fails, no job can ever prove anything."""
    assert reading(told()) == Reading(checksum=ONE)
    assert reading(told(etag=f'"{ETAG}"')) == Reading(checksum=ONE)


DENIED = TaskResult(0, TaskState.FAILED, 403, "AccessDenied", "Access Denied")
LACKS = [
    ("another algorithm", told(checksumAlgorithm="SHA1"), "SHA256 FULL_OBJECT was asked for"),
    ("a checksum of checksums", told(checksumType="COMPOSITE"), "SHA256 COMPOSITE"),
    ("another version's ETag", told(etag="f" * 32), "of other bytes"),
    ("no ETag", told(etag=""), "of other bytes"),
    ("base64 and hex apart", told(checksum_hex="00" * 31 + "02"), "gives none"),
    ("no value", told(checksum_base64="", checksum_hex=""), "gives none"),
    ("no JSON", TaskResult(0, TaskState.SUCCEEDED, 200, "", "done"), "gives none"),
    ("a refused task", DENIED, "AccessDenied (Access Denied): A role may not do"),
    ("its mend", DENIED, "kms:Decrypt"),
    ("throttling", TaskResult(0, TaskState.FAILED, 503, "SlowDown", ""), "Verify again."),
    (
        "SSE-C",
        TaskResult(0, TaskState.FAILED, 400, "InvalidRequest", "SSE-C\x1b[31m is not supported"),
        r"InvalidRequest (SSE-C\x1b[31m is not supported)",
    ),
    ("no row", TaskResult(0, TaskState.NOT_ATTEMPTED), "leaves it out"),
]


@pytest.mark.parametrize(("name", "result", "words"), LACKS, ids=[lack[0] for lack in LACKS])
def test_whatever_is_no_such_checksum_is_none_and_says_why(
    name: str, result: TaskResult, words: str
) -> None:
    """If this fails, a value of other bytes, or of no bytes, decides about a version."""
    found = reading(result)
    assert not found.checksum, name
    assert words in found.lack


def test_a_version_whose_etag_nobody_knows_is_not_decided() -> None:
    """If this fails, a report without an ETag matches a version without one."""
    assert reading(told(etag=""), etag=None).lack


def test_a_row_whose_job_broke_off_says_how_the_job_ended() -> None:
    """If this fails, a person reads that a report is short, and not that the role was refused."""
    result = TaskResult(0, TaskState.NOT_ATTEMPTED)
    assert reading(result, ending="job X is Failed (No role).").lack == "job X is Failed (No role)."


FOUND, LACKING = Reading(checksum=ONE), Reading(lack="denied.")


@pytest.mark.parametrize(
    ("source", "destination", "content"),
    [
        (FOUND, FOUND, Verdict.EQUAL),
        (FOUND, Reading(checksum=OTHER), Verdict.DIFFERENT),
        (FOUND, LACKING, Verdict.UNVERIFIED),
        (LACKING, FOUND, Verdict.UNVERIFIED),
        (LACKING, LACKING, Verdict.UNVERIFIED),
        (FOUND, Reading(checksum="AAAA"), Verdict.UNVERIFIED),
    ],
)
def test_only_two_values_decide(source: Reading, destination: Reading, content: Verdict) -> None:
    """If this fails, one side's silence passes for agreement, or for a difference."""
    proof = proof_of(7, source, destination, algorithm="SHA256")
    assert proof.content is content
    assert proof_of_row(list(proof_row_of(proof))) == proof
    assert len(proof_row_of(proof)) == len(CHECKSUM_COLUMNS)
    for side, one in (("source", source), ("destination", destination)):
        assert (f"No checksum of the {side} version" in proof.detail) == bool(one.lack)


def unproven(
    *,
    fidelity: Fidelity = Fidelity.EQUAL,
    fields: tuple[Field, ...] = (),
    status: ReplicationStatus = ReplicationStatus.NONE,
) -> Judged:
    row = VerdictRow(
        number=7,
        key="k",
        version_id=VersionId("v"),
        destination=0,
        content=Verdict.UNVERIFIED,
        evidence=Evidence.NONE,
        fidelity=fidelity,
        fields=fields,
        detail=f"Before. {NOTHING_COMMON} After.",
        destination_version_id=VersionId("w"),
        destination_etag=ETAG,
    )
    return Judged(row=row, unproven=SourceSeen(etag=ETAG, replication_status=status))


def proved(judged: Judged, content: Verdict) -> VerdictRow:
    proof = ChecksumProof(
        number=7,
        content=content,
        algorithm="SHA256",
        source_checksum="",
        destination_checksum="",
        detail="" if content is Verdict.EQUAL else "Told.",
    )
    decision = decided(judged, iter([proof]))
    assert isinstance(decision, Judged)
    return decision.row


def test_a_proof_changes_content_and_leaves_fidelity_as_it_was() -> None:
    """If this fails, equal bytes excuse lost metadata, or a doubt that is settled is still told."""
    judged = unproven(fidelity=Fidelity.DIFFERENT, fields=(Field.METADATA,))
    equal = proved(judged, Verdict.EQUAL)
    assert (equal.content, equal.evidence) == (Verdict.EQUAL, Evidence.CHECKSUM_JOBS)
    assert (equal.fidelity, equal.fields) == (Fidelity.DIFFERENT, (Field.METADATA,))
    assert equal.detail == "Before. After."
    different = proved(judged, Verdict.DIFFERENT)
    assert different.detail == "Before. Told. After."
    assert (different.content, different.evidence) == (Verdict.DIFFERENT, Evidence.CHECKSUM_JOBS)
    assert different.fields == (Field.CONTENT, Field.METADATA)
    assert different.destination_version_id == VersionId("w")


def test_without_a_proof_the_row_stays_what_it_was_and_says_more() -> None:
    """If this fails, a refused task counts as evidence."""
    row = proved(unproven(), Verdict.UNVERIFIED)
    assert (row.content, row.evidence) == (Verdict.UNVERIFIED, Evidence.NONE)
    assert row.detail == f"Before. {NOTHING_COMMON} After. Told."


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (ReplicationStatus.PENDING, Verdict.IN_FLIGHT),
        (ReplicationStatus.FAILED, Verdict.DIFFERENT),
        (ReplicationStatus.NONE, Verdict.DIFFERENT),
    ],
)
def test_a_difference_that_live_replication_is_at_is_in_flight(
    status: ReplicationStatus, content: Verdict
) -> None:
    """If this fails, repair is sent after what S3 is about to bring."""
    row = proved(unproven(status=status), Verdict.DIFFERENT)
    assert row.content is content
    assert ("FAILED" in row.detail) == (status is ReplicationStatus.FAILED)
    assert proved(unproven(status=status), Verdict.EQUAL).content is Verdict.EQUAL


def test_decisions_that_need_no_proof_take_none() -> None:
    """If this fails, every proof after the first decided row is another row's."""
    proofs = iter([proof_of(7, FOUND, FOUND, algorithm="SHA256")])
    settled = Judged(row=unproven().row)
    left = Unjudged(number=1, key="k", destination=0, reason="superseded")
    assert decided(settled, proofs) is settled
    assert decided(left, proofs) is left
    assert next(proofs).number == 7
