"""The theatre of replication with jobs: a source with two destinations, and a batch bucket."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from backfill.sandbox.model.batch_operations.job import Job
from backfill.sandbox.model.identities import AccessQuestion, Caller
from backfill.sandbox.model.operations.buckets import CreateBucketRequest
from backfill.sandbox.model.operations.jobs import (
    COMPUTE_CHECKSUM,
    REPLICATE,
    ComputeObjectChecksum,
    CreateJobRequest,
    JobDescriptor,
    JobManifest,
    JobManifestGeneratorFilter,
    JobManifestLocation,
    JobManifestSpec,
    JobOperation,
    JobReport,
    JobRequest,
    S3JobManifestGenerator,
    UpdateJobStatusRequest,
)
from backfill.sandbox.model.operations.objects import (
    DeleteObjectRequest,
    PutObjectRequest,
    ReadObjectRequest,
)
from backfill.sandbox.model.values import RequestedEncryption, SentChecksum, WrittenAttributes
from tests.unit.sandbox.model.replicating import FAR, NEAR, OTHER, OWN, SOURCE, Theatre

BATCH = "batch"
ROLE = f"arn:aws:iam::{OWN}:role/batch"
FIELDS = ("Bucket", "Key", "VersionId")
CSV_FORMAT = "S3BatchOperations_CSV_20180820"
INVENTORY_FORMAT = "S3InventoryReport_CSV_20161130"
REPORT = JobReport(
    is_enabled=True,
    bucket=f"arn:aws:s3:::{BATCH}",
    format="Report_CSV_20180820",
    prefix="reports",
    report_scope="AllTasks",
    expected_bucket_owner=OWN,
)
REPLICATING = JobOperation(names=(REPLICATE,))
MANIFEST = JobManifest(
    spec=JobManifestSpec(format=CSV_FORMAT, fields=FIELDS),
    location=JobManifestLocation(object_arn=f"arn:aws:s3:::{BATCH}/manifest.csv", etag="0" * 32),
)
CREATE = CreateJobRequest(
    account_id=OWN,
    operation=REPLICATING,
    report=REPORT,
    client_request_token="token-0",
    priority=10,
    role_arn=ROLE,
    manifest=MANIFEST,
)


class Works(Theatre):
    """Jobs at work; what a policy would deny is said by action and caller."""

    def __init__(self) -> None:
        self.asked: list[AccessQuestion] = []
        self.denied_to: set[tuple[str, str]] = set()
        self.made = 0
        super().__init__()
        self.model.create_bucket(self.own, CreateBucketRequest(bucket=BATCH))
        self.asked.clear()
        self.jobs = self.model.batch_operations

    def _authorize(self, question: AccessQuestion) -> bool:
        self.asked.append(question)
        is_denied = (question.caller.arn, question.action) in self.denied_to
        return not is_denied and super()._authorize(question)

    def set(self, **settings: Any) -> None:
        self.jobs.settings = replace(self.jobs.settings, **settings)

    def upload(
        self, data: bytes, key: str = "manifest.csv", bucket: str = BATCH, **encryption: Any
    ) -> str:
        """Store a file; its ETag."""
        request = PutObjectRequest(
            bucket=bucket,
            key=key,
            body=data,
            checksum=SentChecksum(algorithm="CRC64NVME"),  # the bucket may lock what it gets
            attributes=WrittenAttributes(encryption=RequestedEncryption(**encryption)),
        )
        return self.model.put_object(self.own, request).etag

    def create(self, request: CreateJobRequest, by: Caller | None = None) -> str:
        return self.jobs.create_job(by or self.own, request).job_id

    def request(self, data: bytes | None = None, /, **changes: Any) -> CreateJobRequest:
        """A request with a token of its own, and a CSV manifest that is uploaded if it is given."""
        self.made += 1
        changes.setdefault("client_request_token", f"token-{self.made}")
        request = replace(CREATE, **changes)
        if data is None:
            return request
        assert request.manifest is not None
        location = replace(request.manifest.location, etag=self.upload(data))
        return replace(request, manifest=replace(request.manifest, location=location))

    def job_of(self, *rows: tuple[str, ...], **changes: Any) -> str:
        """Make a job of these (key, version ID) rows of the source."""
        lines = "".join(",".join((SOURCE, *row)) + "\n" for row in rows)
        return self.create(self.request(lines.encode(), **changes))

    def generator_job(self, wanted: JobManifestGeneratorFilter, **changes: Any) -> str:
        generator = S3JobManifestGenerator(
            source_bucket=f"arn:aws:s3:::{SOURCE}",
            is_manifest_output_enabled=False,
            expected_bucket_owner=OWN,
            filter=wanted,
        )
        changes |= {"manifest": None, "manifest_generator": generator}
        return self.create(self.request(**changes))

    def run(self, job_id: str, seconds: float = 0.0) -> JobDescriptor:
        """Let time pass for all jobs, and look at one."""
        self.now += timedelta(seconds=seconds)
        self.jobs.advance(self.now)
        return self.describe(job_id)

    def confirm(self, job_id: str) -> None:
        request = UpdateJobStatusRequest(
            account_id=OWN, job_id=job_id, requested_job_status="Ready"
        )
        self.jobs.update_job_status(self.own, request)

    def describe(self, job_id: str) -> JobDescriptor:
        request = JobRequest(account_id=OWN, job_id=job_id)
        return self.jobs.describe_job(self.own, request).job

    def job(self, job_id: str) -> Job:
        return self.jobs.job(job_id)

    def rows(self, job_id: str) -> list[list[str]]:
        """What the report that manifest.json leads to says, sorted."""
        found = json.loads(self.read(f"reports/job-{job_id}/manifest.json"))
        rows: list[list[str]] = []
        for result in found["Results"]:
            text = self.read(result["Key"]).decode()
            rows += csv.reader(io.StringIO(text, newline=""))
        return sorted(rows)

    def outcome(self, *row: str, **changes: Any) -> tuple[str, str, str]:
        """Status, HTTP status and code of a job of one row."""
        job_id = self.job_of(row, **changes)
        job = self.run(job_id)
        assert job.status == "Complete", job.failure_reasons
        ((_, _, _, status, http_status, code, _),) = self.rows(job_id)
        return status, http_status, code

    def failure(self, job_id: str) -> tuple[str, str]:
        """Why the job failed."""
        job = self.run(job_id)
        assert job.status == "Failed", job.status
        (reason,) = job.failure_reasons
        return reason.failure_code, reason.failure_reason

    def read(self, key: str, bucket: str = BATCH) -> bytes:
        request = ReadObjectRequest(bucket=bucket, key=key)
        return self.model.get_object(self.own, request).body

    def remove(self, bucket: str, key: str, version_id: str) -> None:
        request = DeleteObjectRequest(bucket=bucket, key=key, version_id=version_id)
        self.model.delete_object(self.own, request)

    def stored_keys(self, bucket: str = BATCH) -> list[str]:
        return list(self.model.world.buckets[bucket].keys)


def checksumming(algorithm: str | None = "SHA256", kind: str | None = "FULL_OBJECT") -> Any:
    return JobOperation(
        names=(COMPUTE_CHECKSUM,),
        compute_checksum=ComputeObjectChecksum(checksum_algorithm=algorithm, checksum_type=kind),
    )


__all__ = ["BATCH", "FAR", "NEAR", "OTHER", "OWN", "ROLE", "SOURCE", "Works", "checksumming"]
