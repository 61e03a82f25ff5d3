"""S3 Batch Operations of one account for Compute checksum, over buckets in memory.

Reads the manifests that were put, computes over the bytes that lie there, and writes reports as S3
lays them out. Any call can be the last one of a process: `deaths` says how many are left.
"""

import base64
import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import cast
from urllib.parse import quote, unquote

from backfill.aws.faults import error_of
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.workplace import Workplace
from backfill.campaign import BatchOptions
from backfill.errors import Disposition, StoreFault
from backfill.execute.stop import StopRequest
from backfill.model.attributes import Encryption
from backfill.model.jobs import (
    JobDescription,
    JobFailure,
    JobPlace,
    JobProgress,
    JobRequest,
    JobStatus,
    JobSummary,
    JobTags,
    ManifestLocation,
    Uploaded,
)
from backfill.model.objects import ETag
from backfill.model.places import BucketPlace
from backfill.ports import BatchBucket, BatchOperations
from backfill.verify.checksum_jobs import ChecksumJobs
from tests.unit.verify.two_buckets import HORIZON, Bucket, Stored, World

REGION = "eu-west-1"


class DeathError(Exception):
    """The process ended at this call."""


@dataclass
class Life:
    """Calls until the end of the process; None: it lives."""

    calls_left: int | None = None

    def tick(self) -> None:
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise DeathError


@dataclass
class Desk:
    """One account: its jobs by ID, and its batch bucket's objects by key.

    `refused` maps keys to the code that their tasks fail with; `ends_as` is how jobs end;
    `tells` changes what a task's message says.
    """

    account: str
    buckets: dict[str, Bucket]
    life: Life
    jobs: dict[str, JobRequest] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    ends_as: JobStatus = JobStatus.COMPLETE
    is_suspending: bool = False
    tells: Callable[[dict[str, str]], dict[str, str]] = lambda told: told

    @property
    def place(self) -> BucketPlace:
        return BucketPlace(
            bucket=f"batch-{self.account}",
            region=REGION,
            expected_owner=self.account,
            owner_origin="flag",
        )

    # --- port BatchBucket ---

    async def put_file(
        self, place: BucketPlace, key: str, path: Path, *, encryption: Encryption
    ) -> Uploaded:
        assert (place, encryption.kind.value) == (self.place, "AES256"), "said outright for a CSV"
        self.life.tick()
        data = _bytes_of(path)
        assert self.objects.setdefault(key, data) == data, "what a job reads is never overwritten"
        return Uploaded(etag=_etag(data))

    async def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
        assert place == self.place, "each side's reports lie in its own bucket"
        self.life.tick()
        if key not in self.objects:
            raise StoreFault(
                operation="GetObject", code="NoSuchKey", status=404, disposition=Disposition.FAIL
            )
        yield self.objects[key]

    # --- port BatchOperations ---

    async def create_job(self, request: JobRequest) -> str:
        assert request.role_arn == f"arn:aws:iam::{self.account}:role/batch"
        self._admit(request.place)
        job_id = next((i for i, one in self.jobs.items() if one.token == request.token), "")
        job_id = job_id or f"job-{self.account[-1]}-{len(self.jobs)}"
        self.jobs.setdefault(job_id, request)
        self.life.tick()  # the answer may be lost, too
        return job_id

    async def describe_job(self, place: JobPlace, job_id: str) -> JobDescription:
        self._admit(place)
        request = self.jobs[job_id]
        if self.is_suspending:
            return self._described(job_id, JobStatus.SUSPENDED, JobProgress())
        if self.ends_as is not JobStatus.COMPLETE:
            failure = JobFailure(code="InvalidManifest", reason="planted")
            return replace(
                self._described(job_id, self.ends_as, JobProgress()), failures=(failure,)
            )
        return self._described(job_id, JobStatus.COMPLETE, self._carried_out(job_id, request))

    async def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        self._admit(place)
        for job_id in self.jobs:
            yield self._described(job_id, JobStatus.ACTIVE, JobProgress()).summary

    async def job_tags(self, place: JobPlace, job_id: str) -> JobTags:
        self._admit(place)
        return dict(self.jobs[job_id].tags)

    def _admit(self, place: JobPlace) -> None:
        assert place == JobPlace(account_id=self.account, region=REGION), "asked where jobs live"
        self.life.tick()

    def rows_of(self, request: JobRequest) -> list[list[str]]:
        """Return the rows of a job's manifest, whose ETag must be the upload's."""
        manifest = request.manifest
        assert isinstance(manifest, ManifestLocation)
        data = self.objects[manifest.key]
        assert manifest.etag == _etag(data)
        return [
            [bucket, unquote(key), version_id]
            for bucket, key, version_id in csv.reader(io.StringIO(data.decode()))
        ]

    def _described(self, job_id: str, status: JobStatus, progress: JobProgress) -> JobDescription:
        request = self.jobs[job_id]
        summary = JobSummary(
            job_id=job_id,
            status=status,
            operation=request.operation.value,
            priority=request.priority,
            description=request.description,
            created_at=HORIZON,
            progress=progress,
        )
        return JobDescription(summary=summary, report=request.report)

    def _carried_out(self, job_id: str, request: JobRequest) -> JobProgress:
        lines: dict[str, list[str]] = {"succeeded": [], "failed": []}
        for bucket, key, version_id in self.rows_of(request):
            status, code, message = self._task(bucket, key, version_id, request)
            fields = (bucket, quote(key), version_id, status, "200", code, message)
            lines[status].append(_csv(fields))
        results = []
        folder = f"{request.report.prefix}/job-{job_id}"
        for status, rows in lines.items():
            if rows:
                data = "".join(rows).encode()
                key = f"{folder}/results/{_etag(data)}.csv"
                self.objects[key] = data
                results.append(
                    {
                        "TaskExecutionStatus": status,
                        "Bucket": self.place.bucket,
                        "MD5Checksum": _etag(data),
                        "Key": key,
                    }
                )
        document = {
            "Format": "Report_CSV_20180820",
            "ReportCreationDate": "2026-11-05T17:48:39.725Z",
            "Results": results,
            "ReportSchema": "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode,"
            " ResultMessage",
        }
        self.objects[f"{folder}/manifest.json"] = json.dumps(document).encode()
        done, failed = len(lines["succeeded"]), len(lines["failed"])
        return JobProgress(total=done + failed, succeeded=done, failed=failed)

    def _task(
        self, bucket: str, key: str, version_id: str, request: JobRequest
    ) -> tuple[str, str, str]:
        if key in self.refused:
            return "failed", self.refused[key], "refused"
        (version,) = (
            lying
            for lying in self.buckets[bucket].chains[key]
            if lying.version_id == version_id and isinstance(lying, Stored)
        )
        value = hashlib.new(request.checksum_algorithm, version.data).digest()
        told = {
            "checksum_base64": base64.b64encode(value).decode(),
            "etag": str(version.etag),
            "checksumAlgorithm": request.checksum_algorithm,
            "checksumType": "FULL_OBJECT",
            "checksum_hex": value.hex().upper(),
        }
        return "succeeded", "", json.dumps(self.tells(told))


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def _etag(data: bytes) -> ETag:
    return ETag(hashlib.md5(data, usedforsecurity=False).hexdigest())


def _csv(fields: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue()


def workplace(world: World, desk: Desk, scratch: Path) -> Workplace:
    """Return the workplace of an account for a world's verification."""
    return Workplace(
        run_id="RUN",
        place=JobPlace(account_id=desk.account, region=REGION),
        role_arn=f"arn:aws:iam::{desk.account}:role/batch",
        bucket=desk.place,
        files=cast("BatchBucket", desk),
        driver=DriverPorts(
            batch=cast("BatchOperations", desk),
            artifacts=world.artifacts,
            events=world.events,
            clock=world.clock,
            random=Random(1),
            error_of=error_of,
        ),
        options=BatchOptions(prefix="files"),
        settings=world.settings,
        scratch=scratch,
    )


def checksum_jobs(
    world: World, source: Desk, destination: Desk, scratch: Path, *, algorithm: str = "SHA256"
) -> ChecksumJobs:
    """Return how a world's verification has checksums computed."""
    return ChecksumJobs(
        algorithm=algorithm,
        source=workplace(world, source, scratch),
        destination=workplace(world, destination, scratch),
        draining=lambda: nullcontext(StopRequest()),
    )
