"""From S3 Control's answers to our nouns.

Never guesses: an answer without what it must have, or with a status of an unknown name, is refused.
Law: other people's jobs are read as readily as ours, whatever their operation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from backfill.aws.replies import Reply, ReplyError, UnknownValueError
from backfill.model.jobs import (
    JobDescription,
    JobFailure,
    JobProgress,
    JobStatus,
    JobSummary,
    JobTags,
    ReportLocation,
)
from backfill.model.redaction import redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """One page of ListJobs; an empty `next_token` ends the list."""

    jobs: tuple[JobSummary, ...]
    next_token: str


def created_job_id(reply: Reply) -> str:
    """Parse CreateJob: only an ID is a success."""
    return _needed(reply, "JobId")


def jobs_page(reply: Reply) -> JobsPage:
    """Parse ListJobs."""
    _refuse_no_document(reply)
    return JobsPage(
        jobs=tuple(_summary(job, _text(job, "Operation")) for job in _items(reply, "Jobs")),
        next_token=_text(reply, "NextToken"),
    )


def job_description(reply: Reply) -> JobDescription:
    """Parse DescribeJob."""
    job = _mapping(reply, "Job")
    return JobDescription(
        # The SDK drops an operation that its model does not know: then there is no name to show.
        summary=_summary(job, next(iter(_mapping(job, "Operation")), "")),
        arn=_text(job, "JobArn"),
        role_arn=_text(job, "RoleArn"),
        failures=tuple(
            JobFailure(code=_text(one, "FailureCode"), reason=redacted(_text(one, "FailureReason")))
            for one in _items(job, "FailureReasons")
        ),
        status_reason=redacted(_text(job, "StatusUpdateReason")),
        suspended_cause=_text(job, "SuspendedCause"),
        report=_report(_mapping(job, "Report")),
    )


def job_tags(reply: Reply) -> JobTags:
    """Parse GetJobTagging."""
    _refuse_no_document(reply)
    return {_text(tag, "Key"): _text(tag, "Value") for tag in _items(reply, "Tags")}


def updated_status(reply: Reply) -> JobStatus:
    """Parse UpdateJobStatus."""
    return _status(reply)


def updated_priority(reply: Reply) -> int:
    """Parse UpdateJobPriority."""
    return _count(reply, "Priority")


def _summary(job: Mapping[str, object], operation: str) -> JobSummary:
    created_at = _time(job, "CreationTime")
    if created_at is None:
        raise ReplyError("a job without its CreationTime")
    progress = _mapping(job, "ProgressSummary")
    return JobSummary(
        job_id=_needed(job, "JobId"),
        status=_status(job),
        operation=operation,
        priority=_count(job, "Priority"),
        description=_text(job, "Description"),
        created_at=created_at,
        progress=JobProgress(
            total=_count(progress, "TotalNumberOfTasks"),
            succeeded=_count(progress, "NumberOfTasksSucceeded"),
            failed=_count(progress, "NumberOfTasksFailed"),
        ),
        ended_at=_time(job, "TerminationDate"),
    )


def _status(job: Mapping[str, object]) -> JobStatus:
    text = _needed(job, "Status")
    try:
        return JobStatus(text)
    except ValueError:
        message = f"job {_text(job, 'JobId')} has the status {text!r}, unknown to this release"
        raise UnknownValueError(message) from None


def _report(report: Mapping[str, object]) -> ReportLocation | None:
    if not report.get("Enabled"):
        return None
    return ReportLocation(
        bucket=_text(report, "Bucket").rpartition(":")[2],
        # As S3 holds it: a slash at its end is doubled in the keys of the report.
        prefix=_text(report, "Prefix"),
        expected_owner=_text(report, "ExpectedBucketOwner"),
    )


def _refuse_no_document(reply: Reply) -> None:
    """Refuse an answer without a body, which the SDK takes for an empty list of whatever."""
    headers = _mapping(_mapping(reply, "ResponseMetadata"), "HTTPHeaders")
    if headers.get("content-length") == "0":
        raise ReplyError("an answer without a document")


def _items(container: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """Return a list of structures; S3 leaves an empty one out."""
    value = container.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ReplyError(f"{name} is no list")
    return value


def _mapping(container: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = container.get(name)
    return value if isinstance(value, Mapping) else {}


def _time(container: Mapping[str, object], name: str) -> datetime | None:
    value = container.get(name)
    return value.astimezone(UTC) if isinstance(value, datetime) else None


def _count(container: Mapping[str, object], name: str) -> int:
    value = container.get(name)
    return value if isinstance(value, int) else 0


def _needed(container: Mapping[str, object], name: str) -> str:
    if not (text := _text(container, name)):
        raise ReplyError(f"a job without its {name}")
    return text


def _text(container: Mapping[str, object], name: str) -> str:
    value = container.get(name)
    return value if isinstance(value, str) else ""
