"""What the stages ask of the world: stores, control plane, artefacts, journal, clock, events.

Never implements anything; adapters (aws, journal, run_directory, observe) and tests' doubles do.
Law: a stage imports ports and nouns, never an adapter.

Faults: every call of ObjectStore and ControlPlane raises `errors.StoreFault` when it fails, after
reads were retried within their budget. Writes are never retried below this port: only the worker,
who can settle an ambiguous attempt, may send a write again.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from backfill.model.attributes import Encryption, ObjectHead, Pairs
from backfill.model.jobs import (
    JobDescription,
    JobPlace,
    JobRequest,
    JobStatus,
    JobSummary,
    JobTags,
    RequestedStatus,
    Uploaded,
)
from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome
from backfill.model.places import BucketFacts, BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    HideRequest,
    MarkAbsentRequest,
    MarkerResult,
    MultipartUpload,
    ObjectAcl,
    PartsPage,
    RestoreRequest,
    UploadPartCopyRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.ports.artifacts import ArtifactIndex as ArtifactIndex
from backfill.ports.artifacts import ArtifactStore as ArtifactStore
from backfill.ports.artifacts import DocumentWriter as DocumentWriter
from backfill.ports.artifacts import RowWriter as RowWriter
from backfill.ports.artifacts import StretchedWriter as StretchedWriter


class ObjectStore(Protocol):
    """The S3 data plane as one identity sees it, in the Region of each place it is given."""

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        """Return one page, in S3's order, versions and delete markers truly interleaved."""
        ...

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        """Return the head of one version (the current one if None), checksums included.

        With `part_number`, `size_bytes` is that part's size and `parts_count` the number of parts.
        """
        ...

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        """Return the object tags, sorted."""
        ...

    async def object_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectAcl:
        """Return the owner and all grants; BucketOwnerEnforced shows the default ACL."""
        ...

    async def has_retention(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Return whether Object Lock retention is set; HEAD hides it from who may not ask this."""
        ...

    async def has_legal_hold(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Return whether a legal hold is on; HEAD hides it from who may not ask this."""
        ...

    def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        """Stream the bytes of one version; chunks of at most 1 MiB."""
        ...

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        """Carry out CopyObject; only a CopyObjectResult with an ETag is a success."""
        ...

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest
    ) -> MultipartUpload:
        """Open a multipart upload."""
        ...

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        """Copy one part."""
        ...

    async def list_parts(
        self, upload: MultipartUpload, *, after: int = 0, max_parts: int = 1000
    ) -> PartsPage:
        """Return one page of the parts that an open upload holds, behind part `after`.

        Code NoSuchUpload where it was completed or aborted.
        """
        ...

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest
    ) -> WriteResult:
        """Complete, conditionally; only a result with an ETag is a success."""
        ...

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """Abort one upload of ours; gone already is fine."""
        ...

    async def restore_object(self, request: RestoreRequest) -> bool:
        """Have an archived version restored: whether that begins now.

        False: it was restored before, and its copy stays for these days from now on.
        """
        ...

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        """Write a delete marker over exactly the version that carries the ETag."""
        ...

    async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
        """Write a delete marker onto a key without an object (unconditional)."""
        ...


class ControlPlane(Protocol):
    """Bucket-level questions as one identity sees them. It only reads."""

    async def account_id(self) -> str:
        """Return the account of the identity (STS GetCallerIdentity)."""
        ...

    async def bucket_region(self, bucket: str) -> str:
        """Return the Region of a bucket, its own or another account's."""
        ...

    async def server_time(self, bucket: str) -> datetime | None:
        """Return S3's own time now, to the second; None where the store does not tell.

        What S3 stamps on a version is this clock's, so a horizon must be, too.
        """
        ...

    async def store_name(self, bucket: str) -> str:
        """Return what the store calls itself (header Server); empty where it does not tell."""
        ...

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        """Return versioning, Object Lock and ownership."""
        ...

    async def versioning(self, place: BucketPlace) -> str:
        """Return Enabled, Suspended or an empty string."""
        ...

    async def require_owner(self, place: BucketPlace) -> None:
        """Ask for a bucket by its expected owner: a fault where another account owns it."""
        ...

    async def has_default_retention(self, place: BucketPlace) -> bool:
        """Return whether Object Lock retains new objects by itself; False where it is not told."""
        ...

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        """Return the raw GetBucketReplication document, None when the bucket has none."""
        ...


class BatchOperations(Protocol):
    """S3 Batch Operations (s3control) as one identity sees it. Reads are retried, writes never."""

    async def create_job(self, request: JobRequest) -> str:
        """Create a job and return its ID; the same token again gives the same job."""
        ...

    async def describe_job(self, place: JobPlace, job_id: str) -> JobDescription:
        """Return what S3 says of one job."""
        ...

    def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        """Give every job of the last 90 days, all pages, whoever made it."""
        ...

    async def job_tags(self, place: JobPlace, job_id: str) -> JobTags:
        """Return the tags of a job."""
        ...

    async def update_job_status(
        self, place: JobPlace, job_id: str, requested: RequestedStatus, *, reason: str
    ) -> JobStatus:
        """Confirm (Ready) or cancel a job, and return its status then."""
        ...

    async def update_job_priority(self, place: JobPlace, job_id: str, priority: int) -> None:
        """Set a job's priority; higher goes first."""
        ...


class BatchBucket(Protocol):
    """The bucket that manifests are put into and completion reports come out of."""

    async def put_file(
        self, place: BucketPlace, key: str, path: Path, *, encryption: Encryption
    ) -> Uploaded:
        """Upload a file under a key that is absent; if it holds the very same bytes, all is well.

        Raises StoreFault; code PreconditionFailed where something else is there.
        """
        ...

    def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
        """Stream an object; chunks of at most 1 MiB. Raises StoreFault, 404 where it is absent."""
        ...


class Intent(NamedTuple):
    """What is about to be written for an entry, durable before the write is sent.

    `seen_version_id` is the destination's current version ID before the write (None: absent).
    `upload_id` is set once a multipart upload is open, so that a successor can go on with it or
    abort it; `upload_digest` is of all that it was made of: another one is another upload.
    `source_version_id` is what is copied, None for a delete marker. Those of a history come many at
    a time, ahead of their writes: all of them name what was current then.
    """

    number: int
    attempt: int
    seen_version_id: VersionId | None
    source_version_id: VersionId | None = None
    upload_id: str = ""
    upload_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntent:
    """An intent without an outcome, found at resume: the write may or may not have happened."""

    intent: Intent


class Journal(Protocol):
    """Durable run state of one manifest: intent before, outcome after, durable before counted."""

    def intend(self, *intents: Intent) -> Awaitable[None]:
        """Give intents to the next group commit: done when they are on disk, or raises."""
        ...

    def conclude(self, outcome: Outcome) -> Awaitable[None]:
        """Give an outcome to the next group commit: done, in order, when it is on disk."""
        ...

    def outcome(self, number: int) -> Outcome | None:
        """Return the outcome of an entry that was concluded before this process started."""
        ...

    def has_outcome(self, first: int, end: int) -> bool:
        """Return whether any of the entries `first` to `end`, not included, has an outcome."""
        ...

    def open_intents(self) -> Iterable[OpenIntent]:
        """Return the intents that had no outcome when this process started."""
        ...

    def outcomes(self) -> Iterator[Outcome]:
        """Stream all outcomes in entry order."""
        ...


class Clock(Protocol):
    """Time. `now` is for horizons and people, `monotonic_s` for every duration."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never jump."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Pause."""
        ...


class Random(Protocol):
    """Chance, for jitter and sampling."""

    def uniform(self, a: float, b: float) -> float:
        """Return a float between a and b."""
        ...

    def random(self) -> float:
        """Return a float in [0, 1)."""
        ...


class Event(Protocol):
    """A typed log event, a dataclass; see `backfill.events` for the closed list."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]
    name: ClassVar[str]
    level: ClassVar[str]


class Events(Protocol):
    """Talk: log events, progress, metrics. Never data."""

    def emit(self, event: Event) -> None:
        """Log one event."""
        ...

    def progress(self, counts: "ProgressCounts") -> None:
        """Take the newest totals of a stage; how often they are shown is the adapter's choice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressCounts:
    """Totals of a stage so far. `total` is None while it is unknown. `errors` is by code.

    `waiting` are archived versions whose restore is waited for, the first asked at `waiting_since`.
    """

    stage: str
    done: int
    total: int | None = None
    bytes_done: int = 0
    bytes_total: int | None = None
    errors: Mapping[str, int] | None = None
    waiting: int = 0
    waiting_since: datetime | None = None
