"""The completion report of a job as a whole: where it lies, what its manifest names, its totals.

Never reads rows (`report_rows` does) and never opens a file.
Law: a report adds up, or it is refused with what does not; a part of one is never believed.
"""

import re
from dataclasses import dataclass
from typing import Final

from backfill.batch_operations.report_rows import HINT
from backfill.errors import ReportRefusedError
from backfill.model.escaping import visible_text
from backfill.model.jobs import JobProgress, ReportLocation
from backfill.model.json_values import json_value

FORMAT: Final = "Report_CSV_20180820"
MANIFEST_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of manifest.json: some 250 bytes for each result file, so tens of thousands of files."""

_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")
_STATUSES: Final = {"succeeded": True, "failed": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """One result file as manifest.json names it. `md5` is in lower-case hexadecimal."""

    key: str
    md5: str
    is_succeeded: bool


def manifest_keys(location: ReportLocation, job_id: str) -> tuple[str, ...]:
    """Return where the report's manifest.json may lie, the likeliest first.

    S3 puts a slash of its own behind the prefix, even behind one that ends in a slash.
    """
    folder = f"job-{job_id}/manifest.json"
    bare = location.prefix.rstrip("/")
    plain = f"{bare}/{folder}" if bare else folder
    return tuple(dict.fromkeys((plain, f"{location.prefix}/{folder}", f"{bare}//{folder}")))


def result_files(
    document: bytes, *, key: str, expected_bucket: str, job_id: str
) -> tuple[ResultFile, ...]:
    """Return the result files that a report's manifest.json names.

    `key` is where the document lies; the files lie in the same bucket, and belong to the same job.

    Raises:
        ReportRefusedError: the document is cut, of another format, or of another job.
    """
    try:
        manifest: object = json_value(document)
        return _result_files(manifest, expected_bucket, job_id)
    except ValueError as fault:
        raise refused_report(key, f"is no report manifest: {visible_text(str(fault))}") from fault


def refused_report(key: str, what: str) -> ReportRefusedError:
    """Return the error of a report's file that cannot be believed."""
    return ReportRefusedError(f"completion report {visible_text(key)} {what}", hint=HINT)


def _result_files(manifest: object, expected_bucket: str, job_id: str) -> tuple[ResultFile, ...]:
    match manifest:
        case {"Format": str(form), "Results": [*results]}:
            if form != FORMAT:
                raise ValueError(f"its Format is {form}, not {FORMAT}")
        case _:
            raise ValueError("Format or Results is missing")
    files = tuple(_result_file(result, expected_bucket, job_id) for result in results)
    if len({file.key for file in files}) != len(files):
        raise ValueError("it names a result file twice")
    return files


def _result_file(result: object, expected_bucket: str, job_id: str) -> ResultFile:
    match result:
        case {
            "TaskExecutionStatus": str(status),
            "Bucket": str(bucket),
            "MD5Checksum": str(md5),
            "Key": str(key),
        }:
            pass
        case _:
            raise ValueError("a result lacks TaskExecutionStatus, Bucket, MD5Checksum or Key")
    if status not in _STATUSES:
        raise ValueError(f"a result has the TaskExecutionStatus {status}")
    if bucket != expected_bucket:
        raise ValueError(f"a result file lies in bucket {bucket} instead of {expected_bucket}")
    if f"job-{job_id}" not in key.split("/"):
        raise ValueError(f"result file {key} belongs to another job than {job_id}")
    if not _MD5.fullmatch(md5):
        raise ValueError(f"the MD5Checksum of {key} is none")
    return ResultFile(key=key, md5=md5.lower(), is_succeeded=_STATUSES[status])


def check_totals(progress: JobProgress, *, succeeded: int, failed: int, key: str) -> None:
    """Compare the rows of a report with what DescribeJob says of its job.

    Raises:
        ReportRefusedError: there are too few or too many rows of either kind.
    """
    if (succeeded, failed) != (progress.succeeded, progress.failed):
        raise refused_report(
            key,
            f"has {succeeded} succeeded and {failed} failed rows, but its job counts"
            f" {progress.succeeded} succeeded and {progress.failed} failed tasks",
        )
