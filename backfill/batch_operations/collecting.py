"""Fetches the completion report of a job that has ended, checks it, and leaves its rows sorted.

Never retries and never waits: a report that is not there yet is the caller's to ask for again.
Law: either every check holds and the whole report is given, or nothing of it is.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Self

from backfill.batch_operations.completion_report import (
    MANIFEST_BYTES_MAX,
    ResultFile,
    check_totals,
    manifest_keys,
    refused_report,
    result_files,
)
from backfill.batch_operations.report_rows import TaskRow, task_rows
from backfill.batch_operations.sorting import WRITE_ROWS, RowSorter, merged_lines, row_of
from backfill.errors import RefusedError, ReportMissingError, ReportRefusedError, StoreFault
from backfill.model.escaping import visible_text
from backfill.model.jobs import JobDescription
from backfill.model.places import BucketPlace
from backfill.ports import BatchBucket

CHUNK_BYTES: Final = 256 * 1024
"""Read at once from a file on disk, about five times that as rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedReport:
    """A whole report, checked. `folder` holds its sorted rows until it is closed."""

    succeeded: int
    failed: int
    folder: Path

    @property
    def path(self) -> Path:
        """Return the file of sorted lines."""
        return self.folder / "rows"

    def rows(self) -> Iterator[TaskRow]:
        """Stream the rows by key, then version ID, in the order of Python strings."""
        return map(row_of, merged_lines([self.path]))

    def close(self) -> None:
        """Remove the files; closing twice is fine."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def merge_reports(*reports: CollectedReport) -> Iterator[TaskRow]:
    """Merge the rows of several jobs of one attempt, sorted as `CollectedReport.rows` are."""
    return map(row_of, merged_lines([report.path for report in reports]))


async def collect_report(
    bucket: BatchBucket,
    place: BucketPlace,
    job: JobDescription,
    *,
    expected_bucket: str,
    scratch: Path,
) -> CollectedReport | None:
    """Fetch and check the report of a job that has ended; None where no task was carried out.

    `expected_bucket` is the bucket that the job's tasks are about. Files are made below `scratch`,
    which exists, in a folder of this job's own; what an earlier call left there is removed.

    Raises:
        ReportMissingError: tasks were carried out, and there is no report (yet).
        ReportRefusedError: the report does not add up.
        RefusedError: the disk does not take it.
        StoreFault: the batch bucket cannot be read.
    """
    assert job.summary.status.is_terminal, "a report is complete when its job has ended"
    key, document = await _manifest(bucket, place, job)
    if document is None:
        if job.summary.progress.done == 0:
            return None
        raise ReportMissingError(
            f"job {visible_text(job.summary.job_id)} carried out"
            f" {job.summary.progress.done} tasks, and there is no completion report at"
            f" s3://{place.bucket}/{visible_text(key)}",
            hint="a report may come some minutes after its job; run the same command again",
        )
    files = result_files(document, key=key, expected_bucket=place.bucket, job_id=job.summary.job_id)
    # A job ID comes from outside: it names no path.
    name = hashlib.sha256(job.summary.job_id.encode()).hexdigest()[:32]
    folder = scratch / f"report-{name}"
    report = CollectedReport(
        succeeded=job.summary.progress.succeeded, failed=job.summary.progress.failed, folder=folder
    )
    report.close()
    try:
        # Keys may be confidential: a directory that we make is its owner's alone.
        folder.mkdir(mode=0o700)
        sorter = RowSorter(folder)
        rows = {True: 0, False: 0}
        for file in files:
            path = await _downloaded(bucket, place, file, folder)
            rows[file.is_succeeded] += await _sorted_in(sorter, path, file, expected_bucket)
            path.unlink()
        check_totals(job.summary.progress, succeeded=rows[True], failed=rows[False], key=key)
        for _ in sorter.finish(report.path):
            await asyncio.sleep(0)
    except BaseException as fault:
        report.close()
        if isinstance(fault, OSError):
            raise RefusedError(
                f"cannot keep a completion report in {visible_text(str(scratch))}:"
                f" {fault.strerror or fault}",
                hint="make room on that disk and let this user write there; the same command"
                " reads the report again",
            ) from fault
        raise
    return report


async def _manifest(
    bucket: BatchBucket, place: BucketPlace, job: JobDescription
) -> tuple[str, bytes | None]:
    """Return where the report's manifest.json lies, and what it says; None where there is none."""
    location = job.report
    if location is None or location.bucket != place.bucket:
        raise ReportRefusedError(
            f"job {visible_text(job.summary.job_id)} writes no completion report to"
            f" s3://{place.bucket}",
            hint="it is no job of this campaign, or the campaign's batch bucket was changed",
        )
    keys = manifest_keys(location, job.summary.job_id)
    for key in keys:
        document = bytearray()
        try:
            async for chunk in bucket.read_file(place, key):
                document += chunk
                if len(document) > MANIFEST_BYTES_MAX:
                    raise refused_report(key, f"has more than {MANIFEST_BYTES_MAX} bytes")
        except StoreFault as fault:
            if fault.status != 404:
                raise
        else:
            return key, bytes(document)
    return keys[0], None


async def _downloaded(
    bucket: BatchBucket, place: BucketPlace, file: ResultFile, folder: Path
) -> Path:
    path = folder / "results.csv"
    md5 = hashlib.md5(usedforsecurity=False)  # what S3 states of the file: damage, not an attacker
    try:
        with path.open("wb") as copy:
            async for chunk in bucket.read_file(place, file.key):
                md5.update(chunk)
                copy.write(chunk)
    except StoreFault as fault:
        if fault.status != 404:
            raise
        raise refused_report(file.key, "is missing, though its manifest.json names it") from fault
    if md5.hexdigest() != file.md5:
        raise refused_report(
            file.key, f"is damaged: its MD5 is {md5.hexdigest()}, its manifest.json says {file.md5}"
        )
    return path


async def _sorted_in(sorter: RowSorter, path: Path, file: ResultFile, expected_bucket: str) -> int:
    """Hand the rows of a result file to the sorter and return how many there were."""
    rows = task_rows(
        _chunks(path),
        file=file.key,
        expected_bucket=expected_bucket,
        is_succeeded=file.is_succeeded,
    )
    count = 0
    while block := list(islice(rows, WRITE_ROWS)):
        for row in block:
            sorter.add(row)
        count += len(block)
        await asyncio.sleep(0)
    return count


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
