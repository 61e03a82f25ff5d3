"""S3 Control and the batch bucket on the sandbox's model: what the product's own adapters send.

Stands where `backfill.aws.calls` stands, so that `S3BatchOperations` and `S3BatchBucket` themselves
are at work: their parameters become requests of the model, its results answers of the SDK.
`JobsWorld` holds what S3 promises nothing about: how long a token is remembered, when a new job is
listed, and when a report can be seen.
Law: what is not in the parameters does not reach the model.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import IO, Self, TypeVar, cast

from aiobotocore.response import StreamingBody

from backfill.aws.calls import Call
from backfill.aws.replies import Reply
from backfill.sandbox.model import refusals
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations import jobs
from backfill.sandbox.model.operations.objects import PutObjectRequest, ReadObjectRequest
from backfill.sandbox.model.values import SentChecksum, WrittenAttributes
from tests.doubles import model_requests as translated
from tests.doubles.model_requests import Parameters
from tests.doubles.simulated_s3 import SimulatedS3, Wire

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class JobsWorld:
    """How S3 Batch Operations is in this world, for all processes."""

    s3: SimulatedS3
    token_memory_s: float = float("inf")
    listing_lag_s: float = 0.0
    """How long a new job is missing from ListJobs."""
    report_lag_s: float = 0.0
    """How long after its job's end a completion report cannot be read."""
    page_max: int = 1000
    on_created: Callable[[], None] = lambda: None
    """Told of every CreateJob that S3 has carried out, before anybody hears of it."""
    _asked_at: dict[str, datetime] = field(default_factory=dict)
    _forgotten: dict[str, int] = field(default_factory=dict)

    def remembered(self, token: str) -> str:
        """Return a token as S3 knows it: one that was forgotten is as good as another."""
        now = self.s3.clock.now()
        asked_at = self._asked_at.setdefault(token, now)
        if (now - asked_at).total_seconds() > self.token_memory_s:
            self._forgotten[token] = self._forgotten.get(token, 0) + 1
            self._asked_at[token] = now
        times = self._forgotten.get(token, 0)
        return hashlib.sha256(f"{token} {times}".encode()).hexdigest() if times else token

    def is_listed(self, job: jobs.JobListDescriptor) -> bool:
        return self._is_over(job.creation_time, self.listing_lag_s)

    def is_seen(self, key: str) -> bool:
        """Return whether an object of the batch bucket can be read yet."""
        for job in self.s3.model.batch_operations.jobs():
            if f"job-{job.job_id}" in key.split("/") and job.ended_at is not None:
                return self._is_over(job.ended_at, self.report_lag_s)
        return True

    def _is_over(self, since: datetime, pause_s: float) -> bool:
        return self.s3.clock.now() >= since + timedelta(seconds=pause_s)


class SimulatedCalls:
    """The `Calls` of one identity of one process, for Batch Operations and its bucket."""

    def __init__(self, wire: Wire, world: JobsWorld) -> None:
        self._wire = wire
        self._world = world
        self._model = wire.s3.model
        self._acts: Mapping[str, Callable[[Parameters], Reply]] = {
            "CreateJob": self._create_job,
            "DescribeJob": self._describe_job,
            "ListJobs": self._list_jobs,
            "GetJobTagging": self._job_tagging,
            "PutObject": self._put_object,
            "HeadObject": self._head_object,
            "GetObject": self._get_object,
        }

    async def send(self, call: Call, parse: Callable[[Reply], T]) -> T:
        """Send once and parse the answer; raises StoreFault."""
        return parse(await self._reply(call))

    @asynccontextmanager
    async def opened(self, call: Call) -> AsyncIterator[Reply]:
        """Send once and lend the answer."""
        yield await self._reply(call)

    async def _reply(self, call: Call) -> Reply:
        parameters = dict(call.parameters)
        if (body := parameters.get("Body")) is not None:
            assert isinstance(body, BytesIO) or hasattr(body, "read"), "a body is a file"
            parameters["Body"] = body.read()
        return await self._wire.send(call.operation, parameters, self._acts[call.operation])

    # --- S3 Control ---

    def _create_job(self, parameters: Parameters) -> Reply:
        request = _create_job_request(parameters, self._world)
        made = self._model.batch_operations.create_job(self._wire.caller, request)
        self._wire.s3.expect_jobs()
        self._world.on_created()
        return {"JobId": made.job_id}

    def _describe_job(self, parameters: Parameters) -> Reply:
        found = self._model.batch_operations.describe_job(self._wire.caller, _job(parameters))
        return {"Job": _described(found.job)}

    def _list_jobs(self, parameters: Parameters) -> Reply:
        page = self._model.batch_operations.list_jobs(
            self._wire.caller,
            jobs.ListJobsRequest(
                account_id=translated.text(parameters, "AccountId"),
                next_token=translated.optional(parameters, "NextToken"),
                max_results=min(translated.number(parameters, "MaxResults"), self._world.page_max),
            ),
        )
        listed = [_listed(job) for job in page.jobs if self._world.is_listed(job)]
        return {"Jobs": listed, "NextToken": page.next_token}

    def _job_tagging(self, parameters: Parameters) -> Reply:
        found = self._model.batch_operations.get_job_tagging(self._wire.caller, _job(parameters))
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.tags]}

    # --- the bucket ---

    def _put_object(self, parameters: Parameters) -> Reply:
        body = parameters["Body"]
        assert isinstance(body, bytes), "the file was read when it was sent"
        made = self._model.put_object(
            self._wire.caller,
            PutObjectRequest(
                bucket=translated.text(parameters, "Bucket"),
                key=translated.text(parameters, "Key"),
                body=body,
                attributes=WrittenAttributes(encryption=translated.encryption(parameters)),
                content_md5=translated.text(parameters, "ContentMD5"),
                checksum=SentChecksum(
                    algorithm="SHA256", value=translated.text(parameters, "ChecksumSHA256")
                ),
                conditions=translated.write_conditions(parameters),
                expected_bucket_owner=translated.optional(parameters, "ExpectedBucketOwner"),
            ),
        )
        return {"ETag": f'"{made.etag}"', "VersionId": made.version_id}

    def _head_object(self, parameters: Parameters) -> Reply:
        told = self._model.head_object(self._wire.caller, _read_request(parameters))
        headers = {
            "etag": f'"{told.etag}"',
            "content-length": str(told.size_bytes),
            "last-modified": format_datetime(told.last_modified, usegmt=True),
            "x-amz-server-side-encryption": told.encryption.algorithm.value,
        }
        if told.version_id is not None:
            headers["x-amz-version-id"] = told.version_id
        if told.checksum is not None:
            name = told.checksum.algorithm.value.lower()
            headers[f"x-amz-checksum-{name}"] = told.checksum.value
            headers["x-amz-checksum-type"] = told.checksum.type.value
        return {"ResponseMetadata": {"HTTPHeaders": headers}}

    def _get_object(self, parameters: Parameters) -> Reply:
        request = _read_request(parameters)
        if not self._world.is_seen(request.key):
            raise S3Error(refusals.NO_SUCH_KEY)
        found = self._model.get_object(self._wire.caller, request)
        body = StreamingBody(cast("IO[bytes]", _Raw(found.body)), len(found.body))
        return {"ETag": f'"{found.description.etag}"', "Body": body}


class _Raw:
    """The body of an answer, whole, as aiohttp would stream it."""

    def __init__(self, data: bytes) -> None:
        self.content = self
        self._file = BytesIO(data)

    async def read(self, size: int) -> bytes:
        await asyncio.sleep(0)
        return self._file.read(size)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._file.close()


def _read_request(parameters: Parameters) -> ReadObjectRequest:
    return ReadObjectRequest(
        bucket=translated.text(parameters, "Bucket"),
        key=translated.text(parameters, "Key"),
        is_checksum_mode_enabled=True,
        expected_bucket_owner=translated.optional(parameters, "ExpectedBucketOwner"),
    )


def _job(parameters: Parameters) -> jobs.JobRequest:
    return jobs.JobRequest(
        account_id=translated.text(parameters, "AccountId"),
        job_id=translated.text(parameters, "JobId"),
    )


def _create_job_request(parameters: Parameters, world: JobsWorld) -> jobs.CreateJobRequest:
    report = translated.mapping(parameters, "Report")
    tags = parameters.get("Tags", [])
    assert isinstance(tags, list), "tags are a list"
    return jobs.CreateJobRequest(
        account_id=translated.text(parameters, "AccountId"),
        operation=jobs.JobOperation(names=tuple(translated.mapping(parameters, "Operation"))),
        report=jobs.JobReport(
            is_enabled=bool(report["Enabled"]),
            bucket=translated.text(report, "Bucket"),
            format=translated.text(report, "Format"),
            prefix=translated.optional(report, "Prefix"),
            report_scope=translated.text(report, "ReportScope"),
            expected_bucket_owner=translated.optional(report, "ExpectedBucketOwner"),
        ),
        client_request_token=world.remembered(translated.text(parameters, "ClientRequestToken")),
        priority=translated.number(parameters, "Priority"),
        role_arn=translated.text(parameters, "RoleArn"),
        manifest=_manifest(parameters) if "Manifest" in parameters else None,
        manifest_generator=_generator(parameters) if "ManifestGenerator" in parameters else None,
        is_confirmation_required=bool(parameters["ConfirmationRequired"]),
        description=translated.optional(parameters, "Description"),
        tags=tuple((str(tag["Key"]), str(tag["Value"])) for tag in tags),
    )


def _manifest(parameters: Parameters) -> jobs.JobManifest:
    manifest = translated.mapping(parameters, "Manifest")
    spec = translated.mapping(manifest, "Spec")
    location = translated.mapping(manifest, "Location")
    fields = spec.get("Fields")
    return jobs.JobManifest(
        spec=jobs.JobManifestSpec(
            format=translated.text(spec, "Format"),
            fields=tuple(map(str, fields)) if isinstance(fields, list) else None,
        ),
        location=jobs.JobManifestLocation(
            object_arn=translated.text(location, "ObjectArn"),
            etag=translated.text(location, "ETag"),
            object_version_id=translated.optional(location, "ObjectVersionId"),
        ),
    )


def _generator(parameters: Parameters) -> jobs.S3JobManifestGenerator:
    asked = translated.mapping(
        translated.mapping(parameters, "ManifestGenerator"), "S3JobManifestGenerator"
    )
    narrowing = translated.mapping(asked, "Filter")
    statuses, before = narrowing.get("ObjectReplicationStatuses"), narrowing.get("CreatedBefore")
    prefixes = translated.mapping(narrowing, "KeyNameConstraint").get("MatchAnyPrefix")
    assert before is None or isinstance(before, datetime), "a moment, if any"
    names = tuple(map(str, prefixes)) if isinstance(prefixes, list) else ()
    return jobs.S3JobManifestGenerator(
        source_bucket=translated.text(asked, "SourceBucket"),
        is_manifest_output_enabled=bool(asked["EnableManifestOutput"]),
        expected_bucket_owner=translated.optional(asked, "ExpectedBucketOwner"),
        filter=jobs.JobManifestGeneratorFilter(
            is_eligible_for_replication=bool(narrowing["EligibleForReplication"]),
            created_before=before,
            object_replication_statuses=tuple(map(str, statuses))
            if isinstance(statuses, list)
            else (),
            key_name_constraint=jobs.KeyNameConstraint(match_any_prefix=names) if names else None,
        ),
    )


def _listed(job: jobs.JobListDescriptor) -> Reply:
    return {
        "JobId": job.job_id,
        "Description": job.description,
        "Operation": job.operation,
        "Priority": job.priority,
        "Status": job.status.value,
        "CreationTime": job.creation_time,
        "TerminationDate": job.termination_date,
        "ProgressSummary": _progress(job.progress_summary),
    }


def _described(job: jobs.JobDescriptor) -> Reply:
    report = job.report
    return {
        "JobId": job.job_id,
        "JobArn": job.job_arn,
        "Description": job.description,
        "Operation": {name: {} for name in job.operation.names},
        "Priority": job.priority,
        "Status": job.status.value,
        "CreationTime": job.creation_time,
        "TerminationDate": job.termination_date,
        "ProgressSummary": _progress(job.progress_summary),
        "RoleArn": job.role_arn,
        "FailureReasons": [
            {"FailureCode": one.failure_code, "FailureReason": one.failure_reason}
            for one in job.failure_reasons
        ],
        "StatusUpdateReason": job.status_update_reason,
        "SuspendedCause": job.suspended_cause,
        "Report": {
            "Enabled": report.is_enabled,
            "Bucket": report.bucket,
            "Prefix": report.prefix,
            "ExpectedBucketOwner": report.expected_bucket_owner,
        },
    }


def _progress(progress: jobs.JobProgressSummary) -> Reply:
    return {
        "TotalNumberOfTasks": progress.total_number_of_tasks,
        "NumberOfTasksSucceeded": progress.number_of_tasks_succeeded,
        "NumberOfTasksFailed": progress.number_of_tasks_failed,
    }
