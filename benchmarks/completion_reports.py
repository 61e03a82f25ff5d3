"""What reading the completion report of a job takes: fetched, checked, sorted and joined.

    python -m benchmarks.completion_reports [--rows 1000000]

Writes a report as S3 does (two files, rows in no order), and its manifest's entries, to disk; then
a process of its own collects and joins them. Prints rows/s, CPU seconds per million rows and the
peak of that process's memory, each step's share of the CPU, and a fixed piece of work beside them.
The entries are made anew where the join asks for them: that is part of what is measured.

Law: exits 1 where the process exceeds 250 MiB or a result is not what the report says.
"""

import argparse
import asyncio
import hashlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from backfill.batch_operations.collecting import collect_report
from backfill.batch_operations.joining import joined
from backfill.batch_operations.task_results import TaskState
from backfill.manifest.csv_format import encoded_key
from backfill.manifest.entries import ManifestEntry
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
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.routes import Route

MEMORY_MAX_MIB = 250
ADDITIONS = 5_000_000
"""A fixed piece of work, timed beside the rest: CPU seconds of busy machines compare by it."""
SOURCE = "benchmark-source"
ACCOUNT = "111122223333"
JOB_ID = "0f0e0d0c-0b0a-4900-8000-000000000001"
FAILED_EVERY = 50
NOW = datetime(2026, 11, 1, tzinfo=UTC)
FOLDER = f"reports/job-{JOB_ID}"


def key_of(number: int) -> str:
    """Return the key of a row; every hundredth needs encoding."""
    name = "a b+c,\N{SNOWMAN}" if number % 100 == 0 else "photo"
    return f"archive/2024/{number // 1000:07d}/{name}-{number:010d}.jpeg"


def version_of(number: int) -> str:
    """Return a version ID as long as S3's."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def write_report(folder: Path, rows: int) -> None:
    """Write a report's files as they lie in a bucket."""
    order = list(range(rows))
    random.Random(7).shuffle(order)
    results = []
    for status, tail in (
        ("succeeded", "200,,Successful"),
        ("failed", '500,SrcObjectNotEligible,"Object is not eligible, for replication"'),
    ):
        key = f"{FOLDER}/results/{status}.csv"
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("wb") as file:
            for number in order:
                if (number % FAILED_EVERY == 0) is (status == "failed"):
                    key_text = encoded_key(key_of(number))
                    line = f"{SOURCE},{key_text},{version_of(number)},{status},{tail}\n".encode()
                    digest.update(line)
                    file.write(line)
        results.append(
            {
                "TaskExecutionStatus": status,
                "Bucket": "benchmark-batch",
                "MD5Checksum": digest.hexdigest(),
                "Key": key,
            }
        )
    document = {"Format": "Report_CSV_20180820", "Results": results, "ReportSchema": "Bucket, Key"}
    (folder / FOLDER / "manifest.json").write_text(json.dumps(document))


class FolderBucket:
    """A batch bucket whose objects are the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put_file(
        self, place: BucketPlace, key: str, path: Path, *, encryption: Encryption
    ) -> Uploaded:
        """Refuse: a report is only read."""
        raise AssertionError((place, key, path, encryption))

    async def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
        """Stream a file."""
        assert place.bucket == "benchmark-batch"
        with (self._folder / key).open("rb") as file:
            while chunk := file.read(1024 * 1024):
                yield chunk


def entries(rows: int) -> Iterator[ManifestEntry]:
    """Make the entries of the job's manifest, in the order of their keys."""
    by_key = sorted(range(min(rows, 1000)), key=key_of)
    for thousand in range(0, rows, 1000):
        for place in by_key:
            if (number := thousand + place) < rows:
                yield ManifestEntry(
                    number=number,
                    plan_number=number,
                    key=key_of(number),
                    version_id=VersionId(version_of(number)),
                    etag=ETag("0123456789abcdef0123456789abcdef"),
                    size_bytes=1000,
                    last_modified=NOW,
                    destination=0,
                    route=Route.BATCH_REPLICATION,
                )


def described_job(rows: int) -> JobDescription:
    """Return the job that wrote the report."""
    failed = len(range(0, rows, FAILED_EVERY))
    return JobDescription(
        summary=JobSummary(
            job_id=JOB_ID,
            status=JobStatus.COMPLETE,
            operation=JobOperation.REPLICATE.value,
            priority=10,
            description="benchmark",
            created_at=NOW,
            progress=JobProgress(total=rows, succeeded=rows - failed, failed=failed),
        ),
        report=ReportLocation(bucket="benchmark-batch", prefix="reports", expected_owner=ACCOUNT),
    )


def read_report(folder: Path, rows: int) -> None:
    """Collect and join a report, look at every result, and print what it took as JSON."""
    place = BucketPlace(
        bucket="benchmark-batch", region="eu-west-1", expected_owner=ACCOUNT, owner_origin="flag"
    )
    marks = [time.process_time()]
    began_s = time.monotonic()
    report = asyncio.run(
        collect_report(
            FolderBucket(folder), place, described_job(rows), expected_bucket=SOURCE, scratch=folder
        )
    )
    assert report is not None, "the job carried out tasks"
    marks.append(time.process_time())
    seen = 0
    with report:
        for result in joined(entries(rows), report.rows(), allows_foreign=False):
            seen += 1
            is_failed = result.number % FAILED_EVERY == 0
            assert result.state is (TaskState.FAILED if is_failed else TaskState.SUCCEEDED), result
    marks.append(time.process_time())
    wall_s = time.monotonic() - began_s
    for _ in entries(rows):
        pass
    marks.append(time.process_time())
    # Not ru_maxrss: that begins with what the parent held when it started this process.
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    steps = [after - before for before, after in itertools.pairwise(marks)]
    print(json.dumps({"rows": seen, "wall_s": wall_s, "steps_s": steps, "kib": peak_kib}))


def fixed_work_s() -> float:
    """Return how long this machine takes now for a fixed piece of work."""
    began_s = time.process_time()
    total = 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began_s


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.read:
        read_report(words.read, words.rows)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write_report(Path(folder), words.rows)
        command = [sys.executable, "-m", "benchmarks.completion_reports"]
        told = subprocess.run(
            [*command, "--rows", str(words.rows), "--read", folder],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    measured = json.loads(told)
    millions, peak_mib = words.rows / 1e6, measured["kib"] / 1024
    collected_s, joined_s, made_s = measured["steps_s"]
    own_s = collected_s + joined_s - made_s
    print(f"{words.rows:,} rows, {words.rows / measured['wall_s']:,.0f} rows/s, {peak_mib:.0f} MiB")
    print(f"CPU-s per million rows: {own_s / millions:.1f}, without making the entries")
    print(f"  fetch, check, sort {collected_s / millions:.1f}")
    print(f"  join {(joined_s - made_s) / millions:.1f} (entries {made_s / millions:.1f})")
    print(f"fixed piece of work: {fixed_work_s():.2f} s")
    is_right = measured["rows"] == words.rows and peak_mib < MEMORY_MAX_MIB
    print("all results are right" if is_right else "FAILED: memory or results")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
