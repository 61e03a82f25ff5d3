"""How a row of Batch Replication ended, from its task's result and from what was seen since.

Never reads anything. A task that succeeded says that replication was started, no more; one that
S3 refused is explained by the table of failure codes.
Law: only a version that was seen at the destination is replicated.
"""

import enum
from typing import Final, NamedTuple

from backfill.batch_operations.failure_codes import Failure, FailureClass, failure_of
from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.execute.codes import SENTENCES, Code
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ReplicationStatus
from backfill.model.outcome import Outcome, OutcomeKind

LOOKS_WITHOUT_STATUS_MAX: Final = 7
"""Looks at a version that is absent though S3 shows nothing under way. Six pauses are 17 minutes,
and S3 replicates most objects within 15 (S3 User Guide: replication-time-control). AWS does not say
whether a replica, or what is COMPLETED elsewhere, shows PENDING while a job's task is carried out,
and a marker shows no status at all: called undelivered too soon, they would get a second engine."""

AGAIN: Final = frozenset({FailureClass.AGAIN})
"""Failures that another job overcomes by itself."""
AFTER_STOP: Final = frozenset({FailureClass.AGAIN, FailureClass.AFTER_MEND, FailureClass.STATE})
"""Failures that another job may overcome once a person has mended what stopped the last one."""


class Standing(enum.StrEnum):
    """What the source shows of a version that the destination does not list."""

    GONE = "gone"
    PENDING = "pending"
    FAILED = "failed"
    UNTOLD = "untold"
    """No status, COMPLETED or REPLICA; or a delete marker, which shows none."""
    NOT_READ = "not-read"
    """The source could not be asked just now."""


class Ended(NamedTuple):
    """The row has its outcome; `is_waiting`: what it would be if the waiting ended now."""

    outcome: Outcome
    is_waiting: bool = False


def failure_in(result: TaskResult) -> Failure | None:
    """Return the explained failure of a task; None where it did not fail."""
    if result.state is not TaskState.FAILED:
        return None
    return failure_of(result.code, result.http_status, result.message)


def is_tried_again(result: TaskResult, *, was_stopped: bool) -> bool:
    """Return whether a row belongs into the next attempt's manifest: it can succeed there."""
    if result.state is TaskState.NOT_ATTEMPTED:
        return True
    failure = failure_in(result)
    return failure is not None and failure.cls in (AFTER_STOP if was_stopped else AGAIN)


def is_expected(result: TaskResult) -> bool:
    """Return whether the version should arrive, or be there: it is looked for then."""
    failure = failure_in(result)
    if failure is None:
        return result.state is TaskState.SUCCEEDED
    return failure.cls is FailureClass.BENIGN


def refused(result: TaskResult, attempts: int) -> Ended:
    """Return how a row ended that is not looked for at the destination."""
    assert not is_expected(result), "what is expected is looked for"
    failure = failure_in(result)
    if failure is None:
        detail = result.message or SENTENCES[Code.NOT_ATTEMPTED]
        return _ended(result, OutcomeKind.FAILED, Code.NOT_ATTEMPTED, detail, attempts=attempts)
    is_skipped = failure.cls in {FailureClass.GONE, FailureClass.OTHER_ROUTE}
    kind = OutcomeKind.SKIPPED if is_skipped else OutcomeKind.FAILED
    detail = f"{failure.sentence} {failure.mend}".strip()
    return _ended(result, kind, failure.code, detail, attempts=attempts)


def arrived(result: TaskResult, entry: ManifestEntry, attempts: int) -> Ended:
    """Return the outcome of a row whose version was seen at the destination."""
    is_ours = result.state is TaskState.SUCCEEDED
    return Ended(
        outcome=Outcome(
            number=result.number,
            kind=OutcomeKind.REPLICATED if is_ours else OutcomeKind.ALREADY_THERE,
            version_id=entry.version_id,
            attempts=attempts,
            bytes_copied=entry.size_bytes if is_ours else 0,
        )
    )


def not_arrived(
    result: TaskResult, entry: ManifestEntry, standing: Standing, look: int, attempts: int
) -> Ended:
    """Return how a row stands whose version the destination does not have at a look (from 0)."""
    is_marker = entry.etag is None
    match standing:
        case Standing.GONE:
            return _coded(result, OutcomeKind.SKIPPED, Code.VANISHED, attempts)
        case Standing.FAILED:
            return _coded(result, OutcomeKind.FAILED, Code.REPLICATION_FAILED, attempts)
        case Standing.PENDING | Standing.NOT_READ:
            return _coded(result, OutcomeKind.SKIPPED, Code.IN_FLIGHT, attempts, is_waiting=True)
        case Standing.UNTOLD:
            is_waiting = look + 1 < LOOKS_WITHOUT_STATUS_MAX
            code = Code.MARKER_NOT_REPLICATED if is_marker else Code.NOT_DELIVERED
            return _coded(result, OutcomeKind.SKIPPED, code, attempts, is_waiting=is_waiting)


def standing_of(status: ReplicationStatus) -> Standing:
    """Return the standing that a source version's replication status means."""
    return {
        ReplicationStatus.PENDING: Standing.PENDING,
        ReplicationStatus.FAILED: Standing.FAILED,
    }.get(status, Standing.UNTOLD)


def _coded(
    result: TaskResult, kind: OutcomeKind, code: Code, attempts: int, *, is_waiting: bool = False
) -> Ended:
    return _ended(result, kind, code, SENTENCES[code], attempts=attempts, is_waiting=is_waiting)


def _ended(
    result: TaskResult,
    kind: OutcomeKind,
    code: str,
    detail: str,
    *,
    attempts: int,
    is_waiting: bool = False,
) -> Ended:
    outcome = Outcome(number=result.number, kind=kind, code=code, detail=detail, attempts=attempts)
    return Ended(outcome=outcome, is_waiting=is_waiting)
