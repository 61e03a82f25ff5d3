"""S3 Batch Operations jobs: what is asked of S3, and what S3 says of a job.

Never sends anything and never decides; names and values are those of the s3control API.
Law: a request holds everything that its job depends on, its idempotency token included.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from backfill.model.attributes import Pairs
from backfill.model.objects import ETag


class JobOperation(enum.StrEnum):
    """What a job does with each object version of its manifest (S3 API: JobOperation)."""

    REPLICATE = "S3ReplicateObject"
    """Batch Replication by the source bucket's own replication configuration, all of its rules."""
    COMPUTE_CHECKSUM = "S3ComputeObjectChecksum"
    """A checksum of the stored bytes; the completion report is its only result."""


class JobStatus(enum.StrEnum):
    """Where a job stands (S3 API: JobStatus; the User Guide's list omits Completing)."""

    NEW = "New"
    PREPARING = "Preparing"
    SUSPENDED = "Suspended"
    """Waits for a person's confirmation; Failed after 30 days."""
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

    @property
    def is_terminal(self) -> bool:
        """Return whether nothing happens any more; S3 deletes such jobs after 90 days."""
        return self in _TERMINAL


_TERMINAL = frozenset({JobStatus.COMPLETE, JobStatus.CANCELLED, JobStatus.FAILED})


class RequestedStatus(enum.StrEnum):
    """What may be asked of a job (S3 API: RequestedJobStatus)."""

    READY = "Ready"
    CANCELLED = "Cancelled"


class ManifestFormat(enum.StrEnum):
    """The format of a manifest of our own (S3 API: JobManifestFormat)."""

    CSV = "S3BatchOperations_CSV_20180820"
    """One CSV object, unencrypted or SSE-S3; columns Bucket, Key, VersionId."""
    INVENTORY = "S3InventoryReport_CSV_20161130"
    """A manifest.json that names gzipped CSV files; may be under SSE-KMS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlace:
    """The account and Region that a job lives in."""

    account_id: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestLocation:
    """A manifest that was uploaded. `etag` is what the upload answered: S3 refuses another."""

    format: ManifestFormat
    bucket: str
    key: str
    etag: ETag
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedManifest:
    """A manifest that S3 makes itself (S3JobManifestGenerator with EligibleForReplication).

    `statuses` are of NONE, FAILED, COMPLETED and REPLICA; the filter has no PENDING. Versions
    created at or after `created_before` are left out; None: there is no such limit.
    """

    source_bucket: str
    expected_owner: str
    statuses: tuple[str, ...]
    prefix: str = ""
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLocation:
    """Where a job's completion report goes. `prefix` has no trailing slash: S3 would double it."""

    bucket: str
    prefix: str
    expected_owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One CreateJob.

    `token` is the ClientRequestToken, the same for the same work for ever. `description` carries
    its digest, because S3 never returns the token. `checksum_algorithm` is for COMPUTE_CHECKSUM
    only, which is asked for FULL_OBJECT. With `needs_confirmation` the job stays Suspended.
    """

    place: JobPlace
    operation: JobOperation
    manifest: ManifestLocation | GeneratedManifest
    report: ReportLocation
    role_arn: str
    priority: int
    token: str
    description: str
    tags: Pairs = ()
    needs_confirmation: bool = False
    checksum_algorithm: str = ""

    def __post_init__(self) -> None:
        assert 1 <= len(self.token) <= 64, "a ClientRequestToken has 1 to 64 characters"
        assert len(self.description) <= 256, "a description has at most 256 characters"
        is_checksum = self.operation is JobOperation.COMPUTE_CHECKSUM
        assert is_checksum == bool(self.checksum_algorithm), "only checksum jobs name an algorithm"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """A job's ProgressSummary. `total` is 0 until the manifest was read."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """Return how many tasks have ended."""
        return self.succeeded + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """One job as ListJobs shows it. `operation` as S3 names it: other people's jobs are listed."""

    job_id: str
    status: JobStatus
    operation: str
    priority: int
    description: str
    created_at: datetime
    progress: JobProgress
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """One of a job's FailureReasons: about the job as a whole, not about a task."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescription:
    """One job as DescribeJob shows it.

    `status_reason` is StatusUpdateReason; `suspended_cause` says why it is Suspended; `report` is
    None where none was asked for; `arn` is the job's.
    """

    summary: JobSummary
    arn: str = ""
    role_arn: str = ""
    failures: tuple[JobFailure, ...] = ()
    status_reason: str = ""
    suspended_cause: str = ""
    report: ReportLocation | None = None

    @property
    def failure_words(self) -> str:
        """Return what failed the job as a whole, in S3's words; empty where nothing did."""
        return "; ".join(f"{failure.code}: {failure.reason}" for failure in self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that the batch bucket took: its ETag as the answer to the upload said it."""

    etag: ETag
    version_id: str | None = None


JobTags = Mapping[str, str]
"""A job's tags by key."""
