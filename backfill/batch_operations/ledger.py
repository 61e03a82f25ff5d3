"""The ledger of a set of jobs: one small document that survives every crash.

An intent is durable before CreateJob is sent, the job ID right after its answer. How a job ended is
kept whole, because S3 forgets a job 90 days after its end (S3 User Guide: batch-ops-job-status).
Never files or clocks: the driver reads and writes it.
Law: `decoded(encoded(records)) == records`, and no other bytes pass.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict, cast

from backfill.batch_operations.orders import JobOrder
from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.model.jobs import (
    JobDescription,
    JobFailure,
    JobProgress,
    JobStatus,
    JobSummary,
    ReportLocation,
)
from backfill.model.json_values import json_value

SCHEMA: Final = 1
_HINT: Final = (
    "`backfill jobs` shows the jobs that run all the same; begin anew with another --run-dir"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """What is durable of one order.

    `intended_at` is when CreateJob was first about to be sent, `sent_at` when last; None: it never
    was. `job_id` is empty until S3 told it. `status` is the last one seen. `ended` is set once the
    job is terminal, and never changes again.
    """

    name: str
    token: str
    intended_at: datetime | None = None
    sent_at: datetime | None = None
    job_id: str = ""
    status: JobStatus | None = None
    ended: JobDescription | None = None

    def __post_init__(self) -> None:
        assert (self.intended_at is None) == (self.sent_at is None), "an intent is about to be sent"
        assert self.ended is None or self.job_id, "only a job that is known can have ended"

    @property
    def is_open(self) -> bool:
        """Return whether CreateJob may have been carried out without our knowing the job ID."""
        return self.sent_at is not None and not self.job_id


class _Description(TypedDict):
    arn: str
    created_at: str
    description: str
    ended_at: str | None
    failures: list[list[str]]
    operation: str
    priority: int
    progress: list[int]
    report: list[str] | None
    role_arn: str
    status: str
    status_reason: str
    suspended_cause: str


class _Record(TypedDict):
    name: str
    token: str
    intended_at: str | None
    sent_at: str | None
    job_id: str
    status: str | None
    ended: _Description | None


def encoded(records: Iterable[JobRecord]) -> bytes:
    """Return the document of a ledger."""
    jobs = [_record_document(record) for record in records]
    content: dict[str, object] = {"schema": SCHEMA, "jobs": jobs}
    return _canonical({**content, "digest": hashlib.sha256(_canonical(content)).hexdigest()})


def decoded(data: bytes, file: str) -> tuple[JobRecord, ...]:
    """Return the records of a ledger; `file` is its name for people.

    Raises:
        ArtifactDamagedError: it is not, byte for byte, what `encoded` wrote.
        ForeignRunDirectoryError: a newer backfill wrote it.
    """
    try:
        document: dict[str, object] = json_value(data)
        _refuse_newer(document["schema"], file)
        # Bytes that do not encode to themselves again, digest included, are refused below.
        records = tuple(_record(job) for job in cast("list[_Record]", document["jobs"]))
        is_intact = encoded(records) == data
        is_each_once = len({record.name for record in records}) == len(records)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as fault:
        raise ArtifactDamagedError(f"{file} is cut or altered", hint=_HINT) from fault
    if not is_intact or not is_each_once:
        raise ArtifactDamagedError(f"{file} was altered: its digest does not fit", hint=_HINT)
    return records


def records_of(
    orders: Iterable[JobOrder], kept: Iterable[JobRecord], file: str
) -> tuple[JobRecord, ...]:
    """Return the record of each order, as kept or new, in the orders' order.

    Raises:
        ForeignRunDirectoryError: an order was kept with another token, so it is other work.
    """
    by_name = {record.name: record for record in kept}
    records = []
    for order in orders:
        token = order.request.token
        record = by_name.get(order.name, JobRecord(name=order.name, token=token))
        if record.token != token:
            raise ForeignRunDirectoryError(
                f"{file} knows job {order.name} for another plan or another manifest",
                hint="choose another --run-dir, or ask for what this one was begun with",
            )
        records.append(record)
    return tuple(records)


def _refuse_newer(schema: object, file: str) -> None:
    if isinstance(schema, int) and schema > SCHEMA:
        raise ForeignRunDirectoryError(
            f"{file} has schema {schema}; this backfill reads up to {SCHEMA}",
            hint="use the version of backfill that wrote the run directory",
        )


def _canonical(value: Mapping[str, object]) -> bytes:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=1)
    return text.encode("ascii") + b"\n"


def _record_document(record: JobRecord) -> _Record:
    return _Record(
        name=record.name,
        token=record.token,
        intended_at=_text(record.intended_at),
        sent_at=_text(record.sent_at),
        job_id=record.job_id,
        status=record.status.value if record.status is not None else None,
        ended=_description_document(record.ended) if record.ended is not None else None,
    )


def _record(document: _Record) -> JobRecord:
    status, ended = document["status"], document["ended"]
    return JobRecord(
        name=document["name"],
        token=document["token"],
        intended_at=_moment(document["intended_at"]),
        sent_at=_moment(document["sent_at"]),
        job_id=document["job_id"],
        status=JobStatus(status) if status is not None else None,
        ended=_description(document["job_id"], ended) if ended is not None else None,
    )


def _description_document(ended: JobDescription) -> _Description:
    summary, report = ended.summary, ended.report
    progress = summary.progress
    return _Description(
        arn=ended.arn,
        created_at=summary.created_at.isoformat(),
        description=summary.description,
        ended_at=_text(summary.ended_at),
        failures=[[failure.code, failure.reason] for failure in ended.failures],
        operation=summary.operation,
        priority=summary.priority,
        progress=[progress.total, progress.succeeded, progress.failed],
        report=[report.bucket, report.prefix, report.expected_owner] if report else None,
        role_arn=ended.role_arn,
        status=summary.status.value,
        status_reason=ended.status_reason,
        suspended_cause=ended.suspended_cause,
    )


def _description(job_id: str, document: _Description) -> JobDescription:
    total, succeeded, failed = document["progress"]
    return JobDescription(
        summary=JobSummary(
            job_id=job_id,
            status=JobStatus(document["status"]),
            operation=document["operation"],
            priority=document["priority"],
            description=document["description"],
            created_at=datetime.fromisoformat(document["created_at"]),
            progress=JobProgress(total=total, succeeded=succeeded, failed=failed),
            ended_at=_moment(document["ended_at"]),
        ),
        arn=document["arn"],
        role_arn=document["role_arn"],
        failures=tuple(JobFailure(code=code, reason=why) for code, why in document["failures"]),
        status_reason=document["status_reason"],
        suspended_cause=document["suspended_cause"],
        report=_report(document["report"]),
    )


def _report(document: list[str] | None) -> ReportLocation | None:
    if document is None:
        return None
    bucket, prefix, expected_owner = document
    return ReportLocation(bucket=bucket, prefix=prefix, expected_owner=expected_owner)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
