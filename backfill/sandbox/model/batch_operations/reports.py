r"""The completion report, with the quirks of the real one (UG: batch-ops-examples-reports).

Rows have HTTPStatusCode before ErrorCode although ReportSchema says the opposite; keys stay as the
manifest encodes them; an empty version ID becomes `\N`; a prefix that ends in a slash gives `//`;
succeeded and failed tasks have files of their own.
Law: manifest.json is written last but for its MD5: who finds it finds everything that it names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from itertools import islice

from backfill.sandbox.model.batch_operations import failures
from backfill.sandbox.model.batch_operations.faults import ReportFault
from backfill.sandbox.model.batch_operations.job import Job
from backfill.sandbox.model.batch_operations.tasks import TaskResult
from backfill.sandbox.model.batch_operations.validation import REPORT_FORMAT, bucket_named
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.objects import PutObjectRequest
from backfill.sandbox.model.values import (
    RequestedEncryption,
    ServerSideEncryption,
    WrittenAttributes,
)
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import put_object

_SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
_WRITTEN = WrittenAttributes(encryption=RequestedEncryption(algorithm=ServerSideEncryption.SSE_S3))
"""Reports are always SSE-S3 (UG: batch-ops-examples-reports)."""


def write_report(world: World, job: Job, rows_per_file: int) -> None:
    """Write the report of a job that ran at least one task.

    Raises:
        JobFailedError: the report bucket does not take it.
    """
    fault = job.faults.report
    _check_bucket(world, job)
    if fault is ReportFault.MISSING:
        return
    base = f"job-{job.job_id}"
    if job.report.prefix is not None:
        base = f"{job.report.prefix}/{base}"
    told: list[dict[str, str]] = []
    for status, results in _files(job, rows_per_file):
        name = f"{base}/results/{world.random.getrandbits(160):040x}.csv"
        is_first = not told
        data, md5 = _file(results, fault if is_first else None)
        _put(world, job, name, data)
        told.append(
            {
                "TaskExecutionStatus": status,
                "Bucket": _bucket(job),
                "MD5Checksum": md5,
                "Key": name,
            }
        )
    if fault is ReportFault.NO_MANIFEST:
        return
    if fault is ReportFault.FOREIGN_MANIFEST:
        told = [{**one, "Key": one["Key"].replace(job.job_id, job.job_id[::-1])} for one in told]
    document = {
        "Format": REPORT_FORMAT,
        "ReportCreationDate": job.due_at.isoformat(timespec="milliseconds")[:23] + "Z",
        "Results": told,
        "ReportSchema": _SCHEMA,
    }
    manifest = json.dumps(document, indent=4).encode("utf-8")
    _put(world, job, f"{base}/manifest.json", manifest)
    _put(world, job, f"{base}/manifest.json.md5", _md5(manifest).encode("ascii"))


def _bucket(job: Job) -> str:
    name = bucket_named(job.report.bucket or "")
    assert name is not None, "validation has seen the ARN"
    return name


def _check_bucket(world: World, job: Job) -> None:
    bucket = world.buckets.get(_bucket(job))
    if bucket is None or bucket.default_retention is not None:
        raise failures.report_not_written()  # (UG: troubleshooting-batch-operations)


def _files(job: Job, rows_per_file: int) -> Iterator[tuple[str, list[TaskResult]]]:
    """The results of each file, with what its tasks ended as."""
    for is_success, status in ((True, "succeeded"), (False, "failed")):
        if is_success and job.report.report_scope == "FailedTasksOnly":
            continue
        rest = (one for one in job.results if one.is_success is is_success)
        while page := list(islice(rest, rows_per_file)):
            yield status, page


def _file(results: list[TaskResult], fault: ReportFault | None) -> tuple[bytes, str]:
    """The bytes of a file and the MD5 that is told of it."""
    if fault is ReportFault.DUPLICATE_ROWS:
        results = [*results, results[-1]]
    elif fault is ReportFault.MISSING_ROWS:
        results = results[:-1]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(_row(one) for one in results)
    data = text.getvalue().encode("utf-8")
    md5 = _md5(data)
    if fault is ReportFault.BAD_MD5:
        md5 = _md5(md5.encode("ascii"))
    elif fault is ReportFault.TRUNCATED:
        data = data[:-5]
    return data, md5


def _row(result: TaskResult) -> tuple[str, ...]:
    task = result.task
    version_id = {None: "", "": "\\N"}.get(task.version_id, task.version_id)
    return (
        task.bucket,
        task.encoded_key,
        version_id or "",
        "succeeded" if result.is_success else "failed",
        str(result.http_status),
        result.error_code,
        result.message,
    )


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _put(world: World, job: Job, key: str, data: bytes) -> None:
    request = PutObjectRequest(
        bucket=_bucket(job),
        key=key,
        body=data,
        attributes=_WRITTEN,
        expected_bucket_owner=job.report.expected_bucket_owner,
    )
    try:
        put_object(world, job.role, request)
    except S3Error as error:
        raise failures.report_not_written() from error
