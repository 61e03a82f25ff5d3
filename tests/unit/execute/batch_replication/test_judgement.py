"""A row of Batch Replication ends as what was seen of it, never as what its job said."""

from datetime import UTC, datetime
from itertools import product

import pytest

from backfill.batch_operations.failure_codes import FailureClass, failure_of
from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.execute.batch_replication.judgement import (
    LOOKS_WITHOUT_STATUS_MAX,
    Standing,
    arrived,
    is_expected,
    is_tried_again,
    not_arrived,
    refused,
    standing_of,
)
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Route

CODES = {
    FailureClass.BENIGN: "SrcReplicationNotPending",
    FailureClass.GONE: "SrcVersionNotFound",
    FailureClass.AGAIN: "SlowDown",
    FailureClass.AFTER_MEND: "InitiateReplicationNotPermitted",
    FailureClass.OTHER_ROUTE: "DstObjectHardDeleted",
    FailureClass.UNKNOWN: "NeverHeardOfIt",
}


def entry(*, is_marker: bool = False, size_bytes: int = 7) -> ManifestEntry:
    return ManifestEntry(
        number=3,
        plan_number=5,
        key="k",
        version_id=VersionId("v1"),
        etag=None if is_marker else ETag("e"),
        size_bytes=0 if is_marker else size_bytes,
        last_modified=datetime(2026, 1, 1, tzinfo=UTC),
        destination=0,
        route=Route.BATCH_REPLICATION,
    )


def failed(code: str, status: int | None = None) -> TaskResult:
    return TaskResult(number=3, state=TaskState.FAILED, http_status=status, code=code)


SUCCEEDED = TaskResult(number=3, state=TaskState.SUCCEEDED, http_status=200)
NOT_ATTEMPTED = TaskResult(number=3, state=TaskState.NOT_ATTEMPTED)


@pytest.mark.parametrize(("cls", "code"), CODES.items())
def test_the_codes_of_this_table_are_of_their_classes(cls: FailureClass, code: str) -> None:
    assert failure_of(code, None, "").cls is cls


@pytest.mark.parametrize(
    ("result", "again", "again_after_a_stop"),
    [
        (SUCCEEDED, False, False),
        (NOT_ATTEMPTED, True, True),
        (failed(CODES[FailureClass.AGAIN]), True, True),
        (failed(CODES[FailureClass.AFTER_MEND]), False, True),
        (failed(CODES[FailureClass.BENIGN]), False, False),
        (failed(CODES[FailureClass.GONE]), False, False),
        (failed(CODES[FailureClass.OTHER_ROUTE]), False, False),
        (failed(CODES[FailureClass.UNKNOWN]), False, False),
        (failed("", 503), True, True),
    ],
)
def test_a_retry_manifest_holds_only_rows_that_can_succeed(
    result: TaskResult, *, again: bool, again_after_a_stop: bool
) -> None:
    assert is_tried_again(result, was_stopped=False) is again
    assert is_tried_again(result, was_stopped=True) is again_after_a_stop


@pytest.mark.parametrize("result", [SUCCEEDED, failed(CODES[FailureClass.BENIGN])])
def test_what_was_started_or_done_before_is_looked_for_and_not_believed(
    result: TaskResult,
) -> None:
    assert is_expected(result)
    missing = not_arrived(result, entry(), Standing.UNTOLD, LOOKS_WITHOUT_STATUS_MAX - 1, 1)
    assert missing.outcome.kind is OutcomeKind.SKIPPED
    assert missing.outcome.code == "not-delivered"
    assert not missing.is_waiting


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CODES[FailureClass.GONE], OutcomeKind.SKIPPED),
        (CODES[FailureClass.OTHER_ROUTE], OutcomeKind.SKIPPED),
        (CODES[FailureClass.AFTER_MEND], OutcomeKind.FAILED),
        (CODES[FailureClass.AGAIN], OutcomeKind.FAILED),
        (CODES[FailureClass.UNKNOWN], OutcomeKind.FAILED),
    ],
)
def test_a_refused_task_keeps_s3s_code_and_carries_the_sentence_and_the_mend(
    code: str, kind: OutcomeKind
) -> None:
    ended = refused(failed(code), attempts=2)
    failure = failure_of(code, None, "")
    assert (ended.outcome.kind, ended.outcome.code) == (kind, code)
    assert failure.sentence in ended.outcome.detail
    assert failure.mend in ended.outcome.detail
    assert ended.outcome.attempts == 2
    assert not ended.is_waiting


def test_a_row_that_no_job_got_to_failed_and_says_so() -> None:
    ended = refused(NOT_ATTEMPTED, attempts=3)
    assert (ended.outcome.kind, ended.outcome.code) == (OutcomeKind.FAILED, "not-attempted")
    assert ended.outcome.detail


def test_an_arrival_is_ours_only_where_our_task_started_it() -> None:
    ours = arrived(SUCCEEDED, entry(), 1).outcome
    theirs = arrived(failed(CODES[FailureClass.BENIGN]), entry(), 1).outcome
    assert (ours.kind, ours.bytes_copied, ours.version_id) == (OutcomeKind.REPLICATED, 7, "v1")
    assert (theirs.kind, theirs.bytes_copied) == (OutcomeKind.ALREADY_THERE, 0)


@pytest.mark.parametrize(("standing", "look"), list(product(Standing, range(5))))
def test_waiting_ends_by_itself_but_for_what_s3_is_still_at(standing: Standing, look: int) -> None:
    for is_marker in (False, True):
        ended = not_arrived(SUCCEEDED, entry(is_marker=is_marker), standing, look, 1)
        if standing in {Standing.PENDING, Standing.NOT_READ}:
            assert ended.is_waiting
            assert ended.outcome.code == "in-flight"
        elif standing is Standing.UNTOLD:
            assert ended.is_waiting is (look + 1 < LOOKS_WITHOUT_STATUS_MAX)
        else:
            assert not ended.is_waiting
        assert ended.outcome.kind in {OutcomeKind.SKIPPED, OutcomeKind.FAILED}


def test_a_marker_that_s3_leaves_out_is_a_reason_and_no_failure() -> None:
    ended = not_arrived(SUCCEEDED, entry(is_marker=True), Standing.UNTOLD, 9, 1)
    assert ended.outcome.kind is OutcomeKind.SKIPPED
    assert ended.outcome.code == "marker-not-replicated"


@pytest.mark.parametrize("status", ReplicationStatus)
def test_only_pending_and_failed_say_anything_about_what_is_absent(
    status: ReplicationStatus,
) -> None:
    expected = {
        ReplicationStatus.PENDING: Standing.PENDING,
        ReplicationStatus.FAILED: Standing.FAILED,
    }
    assert standing_of(status) is expected.get(status, Standing.UNTOLD)
