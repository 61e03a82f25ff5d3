"""Requests and results of S3 Batch Operations (s3control): jobs, their manifests and reports.

Names are those of the s3control API. What AWS validates is raw text here, and None where a client
may leave it out, so that the model does the refusing. ETags are held as sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backfill.sandbox.model.errors import Pairs


class JobStatus(StrEnum):
    """Where a job stands (S3 API: JobStatus; the User Guide's list omits Completing)."""

    NEW = "New"
    PREPARING = "Preparing"
    SUSPENDED = "Suspended"
    READY = "Ready"
    ACTIVE = "Active"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    COMPLETING = "Completing"
    COMPLETE = "Complete"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    FAILING = "Failing"
    FAILED = "Failed"


REPLICATE = "S3ReplicateObject"
COMPUTE_CHECKSUM = "S3ComputeObjectChecksum"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeObjectChecksum:
    """The members of S3ComputeObjectChecksum; S3 has defaults for both."""

    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOperation:
    """What to do with each object; S3 wants exactly one.

    `names` are the operations that the request holds, by their names in the API, in order.
    `parameters` are the names of the members given to S3ReplicateObject, which has none.
    """

    names: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    compute_checksum: ComputeObjectChecksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManifestSpec:
    """The form of a manifest. `fields` None: the request has no Fields."""

    format: str
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManifestLocation:
    """Where a manifest lies."""

    object_arn: str
    etag: str | None
    object_version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManifest:
    """A manifest of the client's own."""

    spec: JobManifestSpec
    location: JobManifestLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNameConstraint:
    """Keys that have any of these, of each kind that is given."""

    match_any_prefix: tuple[str, ...] = ()
    match_any_suffix: tuple[str, ...] = ()
    match_any_substring: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEncryptionFilter:
    """One kind of encryption: SSES3, SSEKMS, DSSEKMS, SSEC or NOTSSE."""

    kind: str
    kms_key_arn: str | None = None
    is_bucket_key_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManifestGeneratorFilter:
    """Which object versions a generated manifest holds; what is None or empty asks for nothing."""

    is_eligible_for_replication: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    object_replication_statuses: tuple[str, ...] = ()
    key_name_constraint: KeyNameConstraint | None = None
    object_size_greater_than_bytes: int | None = None
    object_size_less_than_bytes: int | None = None
    match_any_storage_class: tuple[str, ...] = ()
    match_any_object_encryption: tuple[ObjectEncryptionFilter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ManifestOutputLocation:
    """Where a generated manifest is to be kept.

    ManifestEncryption is SSES3 unless `sse_kms_key_id` is given.
    """

    bucket: str
    """The bucket's ARN."""
    manifest_format: str
    expected_manifest_bucket_owner: str | None = None
    manifest_prefix: str | None = None
    has_sse_s3: bool = False
    sse_kms_key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3JobManifestGenerator:
    """A manifest that S3 makes itself from what is in a bucket."""

    source_bucket: str
    """The bucket's ARN."""
    is_manifest_output_enabled: bool
    expected_bucket_owner: str | None = None
    manifest_output_location: S3ManifestOutputLocation | None = None
    filter: JobManifestGeneratorFilter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """The completion report that is wanted, or that none is."""

    is_enabled: bool
    bucket: str | None = None
    """The bucket's ARN."""
    format: str | None = None
    prefix: str | None = None
    report_scope: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJobRequest:
    """What CreateJob is asked; None: the request has no such member."""

    account_id: str
    operation: JobOperation | None
    report: JobReport | None
    client_request_token: str | None
    priority: int | None
    role_arn: str | None
    manifest: JobManifest | None = None
    manifest_generator: S3JobManifestGenerator | None = None
    is_confirmation_required: bool | None = None
    description: str | None = None
    tags: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJobResult:
    """What CreateJob answers."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What DescribeJob, GetJobTagging and DeleteJobTagging are asked."""

    account_id: str
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressSummary:
    """How far a job is. `total_number_of_tasks` is 0 until the manifest has been read."""

    total_number_of_tasks: int
    number_of_tasks_succeeded: int
    number_of_tasks_failed: int
    elapsed_time_in_active_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job failed."""

    failure_code: str
    failure_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class S3GeneratedManifestDescriptor:
    """The generated manifest that was kept; `location` has its ETag."""

    format: str
    location: JobManifestLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescriptor:
    """All that DescribeJob tells. AWS never tells the ClientRequestToken, nor the tags."""

    job_id: str
    job_arn: str
    is_confirmation_required: bool
    description: str | None
    status: JobStatus
    manifest: JobManifest | None
    operation: JobOperation
    priority: int
    progress_summary: JobProgressSummary
    status_update_reason: str | None
    failure_reasons: tuple[JobFailure, ...]
    report: JobReport
    creation_time: datetime
    termination_date: datetime | None
    role_arn: str
    suspended_date: datetime | None
    suspended_cause: str | None
    manifest_generator: S3JobManifestGenerator | None
    generated_manifest_descriptor: S3GeneratedManifestDescriptor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeJobResult:
    """What DescribeJob answers."""

    job: JobDescriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobsRequest:
    """What ListJobs is asked. `max_results` None is 1,000."""

    account_id: str
    job_statuses: tuple[str, ...] = ()
    """Empty: of any status."""
    next_token: str | None = None
    max_results: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobListDescriptor:
    """A job in a list."""

    job_id: str
    description: str | None
    operation: str
    """The operation's name in the API, e.g. `S3ReplicateObject`."""
    priority: int
    status: JobStatus
    creation_time: datetime
    termination_date: datetime | None
    progress_summary: JobProgressSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobsResult:
    """A page of jobs, newest first."""

    jobs: tuple[JobListDescriptor, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateJobStatusRequest:
    """What UpdateJobStatus is asked: Ready or Cancelled."""

    account_id: str
    job_id: str
    requested_job_status: str
    status_update_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateJobStatusResult:
    """What UpdateJobStatus answers."""

    job_id: str
    status: JobStatus
    status_update_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateJobPriorityRequest:
    """What UpdateJobPriority is asked."""

    account_id: str
    job_id: str
    priority: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateJobPriorityResult:
    """What UpdateJobPriority answers."""

    job_id: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PutJobTaggingRequest:
    """What PutJobTagging is asked: these instead of all tags that there are."""

    account_id: str
    job_id: str
    tags: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class GetJobTaggingResult:
    """What GetJobTagging answers."""

    tags: Pairs
