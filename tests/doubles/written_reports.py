"""Completion reports as S3 lays them out, written by code of the tests' own, in a bucket in memory.

The layout and the order of the columns are those of real reports (S3 User Guide:
batch-ops-examples-reports), not of the ReportSchema that they declare.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from hypothesis import strategies as st

from backfill.batch_operations.report_rows import TaskRow
from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import Encryption
from backfill.model.jobs import (
    JobDescription,
    JobOperation,
    JobProgress,
    JobStatus,
    JobSummary,
    ReportLocation,
    Uploaded,
)
from backfill.model.places import BucketPlace

SOURCE = "the-source"
BATCH = "the-batch-bucket"
JOB_ID = "f8fb9d89-a3aa-461d-bddc-ea6a1b131955"
FOLDER = f"reports/job-{JOB_ID}"
PLACE = BucketPlace(
    bucket=BATCH, region="eu-west-1", expected_owner="111122223333", owner_origin="flag"
)

texts = st.text(st.characters(codec="utf-8"), max_size=12)
rows_of_tasks = st.builds(
    TaskRow,
    key=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
    | st.sampled_from(["a", "a\0", "a\x01", "a\n", "a/b+c%2F", "\U0010ffff", "\ue000"]),
    version_id=st.none() | st.sampled_from(["null", "3HL4kqtJlcpXroDTDmJ", "a.b_C-d"]),
    is_succeeded=st.booleans(),
    http_status=st.none() | st.integers(100, 599),
    code=st.sampled_from(["", "SrcObjectNotEligible", "NewCode"]),
    message=texts,
)


def unique(rows: Iterable[TaskRow]) -> list[TaskRow]:
    return list({(row.key, row.version_id): row for row in rows}.values())


def in_order(rows: Iterable[TaskRow]) -> list[TaskRow]:
    return sorted(rows, key=lambda row: (row.key, row.version_id or ""))


def written(rows: Iterable[TaskRow]) -> bytes:
    """Write rows as S3 does: HTTP status before error code, keys as the manifest had them."""
    return "".join(
        ",".join(
            (
                SOURCE,
                quote(row.key, safe="/"),
                r"\N" if row.version_id is None else row.version_id,
                "succeeded" if row.is_succeeded else "failed",
                "" if row.http_status is None else str(row.http_status),
                quoted(row.code),
                quoted(row.message),
            )
        )
        + "\n"
        for row in rows
    ).encode()


def quoted(text: str) -> str:
    """Quote a field of CSV where it must be (RFC 4180)."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if set(text) & set(',"\r\n') else text


@dataclass(slots=True)
class ReportBucket:
    """The port BatchBucket over objects in memory, read in pieces of `chunk_bytes`."""

    objects: dict[str, bytes] = field(default_factory=dict)
    chunk_bytes: int = 7
    denied: frozenset[str] = frozenset()
    place: BucketPlace = PLACE

    async def put_file(
        self, place: BucketPlace, key: str, path: Path, *, encryption: Encryption
    ) -> Uploaded:
        raise AssertionError(f"a report is only read: {place} {key} {path} {encryption}")

    async def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
        assert place == self.place
        if key in self.denied or key not in self.objects:
            is_denied = key in self.denied
            raise StoreFault(
                operation="GetObject",
                code="AccessDenied" if is_denied else "NoSuchKey",
                status=403 if is_denied else 404,
                disposition=Disposition.FAIL,
                bucket=place.bucket,
            )
        data = self.objects[key]
        for start in range(0, len(data), self.chunk_bytes):
            yield data[start : start + self.chunk_bytes]

    def put_report(self, rows: Sequence[TaskRow], *, folder: str = FOLDER) -> None:
        """Write a whole report, a file for each status that occurs."""
        results: list[dict[str, str]] = []
        for is_succeeded, word in ((True, "succeeded"), (False, "failed")):
            if any(row.is_succeeded is is_succeeded for row in rows):
                data = written(row for row in rows if row.is_succeeded is is_succeeded)
                results.append(self.put_results(word, data, folder=folder))
        self.put_manifest(results, folder=folder)

    def put_results(self, status: str, data: bytes, *, folder: str = FOLDER) -> dict[str, str]:
        """Write one result file and return what manifest.json says of it."""
        key = f"{folder}/results/{hashlib.sha1(data, usedforsecurity=False).hexdigest()}.csv"
        self.objects[key] = data
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return {"TaskExecutionStatus": status, "Bucket": BATCH, "MD5Checksum": md5, "Key": key}

    def put_manifest(self, results: Sequence[dict[str, str]], *, folder: str = FOLDER) -> None:
        """Write manifest.json."""
        document = {
            "Format": "Report_CSV_20180820",
            "ReportCreationDate": "2026-11-05T17:48:39.725Z",
            "Results": results,
            "ReportSchema": "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode,"
            " ResultMessage",
        }
        self.objects[f"{folder}/manifest.json"] = json.dumps(document).encode()


def ended_job(rows: Iterable[TaskRow], *, prefix: str = "reports") -> JobDescription:
    """Describe the job whose tasks ended so."""
    ends = [row.is_succeeded for row in rows]
    return described_job(succeeded=ends.count(True), failed=ends.count(False), prefix=prefix)


def described_job(*, succeeded: int, failed: int, prefix: str = "reports") -> JobDescription:
    return JobDescription(
        summary=JobSummary(
            job_id=JOB_ID,
            status=JobStatus.COMPLETE,
            operation=JobOperation.REPLICATE.value,
            priority=10,
            description="",
            created_at=datetime(2026, 11, 5, tzinfo=UTC),
            progress=JobProgress(total=succeeded + failed, succeeded=succeeded, failed=failed),
        ),
        report=ReportLocation(bucket=BATCH, prefix=prefix, expected_owner="111122223333"),
    )
