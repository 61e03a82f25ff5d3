"""The closed list of typed log events, each named `<stage>.<what happened>`.

Never formats, never prints: `observe` renders them, escapes keys and redacts secrets.
Law: an event has a name, a level and typed fields; free text is for people, fields for machines.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run began or resumed."""

    name: ClassVar[str] = "run.started"
    level: ClassVar[str] = "info"
    source_bucket: str
    run_directory: str
    is_resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished:
    """A stage ended; `rows` is the size of its artefact."""

    name: ClassVar[str] = "run.stage_finished"
    level: ClassVar[str] = "info"
    stage: str
    rows: int
    elapsed_s: float
    is_reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadsUnproven:
    """Nothing was there on which an identity could show that it may read what HEAD hides."""

    name: ClassVar[str] = "preflight.reads_unproven"
    level: ClassVar[str] = "info"
    bucket: str
    identity: str
    reads: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFinished:
    """Every check was made, before anything is listed or written."""

    name: ClassVar[str] = "preflight.finished"
    level: ClassVar[str] = "info"
    blockers: int
    warnings: int
    cannot_tell: int
    ok: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightWarned:
    """A check found something that does not stop this run; the run directory has its mend."""

    name: ClassVar[str] = "preflight.warned"
    level: ClassVar[str] = "warning"
    check: str
    about: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryWritten:
    """A canary lies in the source bucket now; nothing deletes it."""

    name: ClassVar[str] = "preflight.canary_written"
    level: ClassVar[str] = "info"
    bucket: str
    key: str
    version_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketListed:
    """A bucket's versions were listed to the end."""

    name: ClassVar[str] = "inventory.bucket_listed"
    level: ClassVar[str] = "info"
    bucket: str
    versions: int
    delete_markers: int
    pages: int
    ranges: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSerially:
    """Ranges of a listing did not meet, so the bucket is listed again from its beginning."""

    name: ClassVar[str] = "inventory.listed_serially"
    level: ClassVar[str] = "warning"
    bucket: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsForecast:
    """How many requests planning will take beyond the listings."""

    name: ClassVar[str] = "plan.requests_forecast"
    level: ClassVar[str] = "info"
    head_requests: int
    tagging_requests_max: int
    acl_requests_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRetried:
    """An entry is tried again."""

    name: ClassVar[str] = "execute.retried"
    level: ClassVar[str] = "debug"
    number: int
    key: str
    operation: str
    code: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFailed:
    """An entry failed for good."""

    name: ClassVar[str] = "execute.failed"
    level: ClassVar[str] = "warning"
    number: int
    key: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResumed:
    """An upload that an earlier process left open is gone on with; it holds `parts_found` parts."""

    name: ClassVar[str] = "execute.upload_resumed"
    level: ClassVar[str] = "info"
    number: int
    key: str
    parts_found: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsNotListed:
    """The parts of open uploads may not be listed, so such uploads are begun anew; told once."""

    name: ClassVar[str] = "execute.parts_not_listed"
    level: ClassVar[str] = "warning"
    bucket: str
    code: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """A signal arrived: no new work, running copies end."""

    name: ClassVar[str] = "execute.draining"
    level: ClassVar[str] = "warning"
    signal: str
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesStarted:
    """Several processes copy, each a shard of the manifest."""

    name: ClassVar[str] = "execute.processes_started"
    level: ClassVar[str] = "info"
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardsKept:
    """Work on a manifest was begun by another number of processes; it stays cut as it was."""

    name: ClassVar[str] = "execute.shards_kept"
    level: ClassVar[str] = "warning"
    shards: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreated:
    """S3 took a Batch Operations job; `order` is our name for it, `rows` its tasks by the plan."""

    name: ClassVar[str] = "batch_operations.job_created"
    level: ClassVar[str] = "info"
    order: str
    job_id: str
    operation: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFound:
    """A job of ours was found again by the digest of its token, instead of being created."""

    name: ClassVar[str] = "batch_operations.job_found"
    level: ClassVar[str] = "info"
    order: str
    job_id: str
    found_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """A job has another status than when it was last asked about."""

    name: ClassVar[str] = "batch_operations.job_changed"
    level: ClassVar[str] = "debug"
    order: str
    job_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWaits:
    """A job is Suspended: it does nothing until a person confirms it."""

    name: ClassVar[str] = "batch_operations.job_waits"
    level: ClassVar[str] = "warning"
    order: str
    job_id: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded:
    """A job is Complete, Failed or Cancelled; `reasons` are about the job, not about its tasks."""

    name: ClassVar[str] = "batch_operations.job_ended"
    level: ClassVar[str] = "info"
    order: str
    job_id: str
    status: str
    succeeded: int
    failed: int
    reasons: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCallFailed:
    """A call about jobs failed and is made up for after a pause; a CreateJob by looking it up."""

    name: ClassVar[str] = "batch_operations.call_failed"
    level: ClassVar[str] = "warning"
    operation: str
    code: str
    order: str
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResumed:
    """Verify goes on with jobs about what an earlier process saw: nothing is listed anew."""

    name: ClassVar[str] = "verify.resumed"
    level: ClassVar[str] = "info"
    verification: int
    unproven: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceFound:
    """Verify found something wrong after settling."""

    name: ClassVar[str] = "verify.difference"
    level: ClassVar[str] = "warning"
    key: str
    verdict: str
    fields: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlanned:
    """Repair wrote a new manifest."""

    name: ClassVar[str] = "repair.planned"
    level: ClassVar[str] = "info"
    round: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationLooked:
    """Watch looked; `rules` are counted by verdict, messages left in the queue by why."""

    name: ClassVar[str] = "watch.looked"
    level: ClassVar[str] = "info"
    verdict: str
    rules: dict[str, int]
    pending_operations: int | None
    pending_bytes: int | None
    failed_versions: int
    messages: int
    messages_left: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresNoted:
    """Events named failures that were not known; `versions` counts all that stand failed."""

    name: ClassVar[str] = "watch.failures_noted"
    level: ClassVar[str] = "warning"
    versions: int
    reasons: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchManifestWritten:
    """A file of the repair manifest was written, or written anew."""

    name: ClassVar[str] = "watch.manifest_written"
    level: ClassVar[str] = "info"
    file: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupDocumentWritten:
    """A document of an account was written, and read again as it was written."""

    name: ClassVar[str] = "setup.document_written"
    level: ClassVar[str] = "info"
    document: str
    parts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupWaits:
    """AWS has not settled yet, or throttles: the same document is tried again after a pause."""

    name: ClassVar[str] = "setup.waits"
    level: ClassVar[str] = "info"
    document: str
    why: str
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRetried:
    """A read failed and is asked again after a pause."""

    name: ClassVar[str] = "aws.read_retried"
    level: ClassVar[str] = "debug"
    operation: str
    code: str
    attempt: int
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceLowered:
    """The store throttles; fewer requests a second go to a part of the bucket from now on."""

    name: ClassVar[str] = "aws.pace_lowered"
    level: ClassVar[str] = "info"
    operation: str
    code: str
    bucket: str
    requests_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewed:
    """A token had expired, and the SDK's chain gave another one."""

    name: ClassVar[str] = "aws.credentials_renewed"
    level: ClassVar[str] = "info"
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkUsed:
    """The lean client leaves these requests to the SDK, which takes more CPU; told once."""

    name: ClassVar[str] = "aws.sdk_used"
    level: ClassVar[str] = "info"
    bucket: str
    operation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCorrected:
    """S3's clock is that far ahead of this machine's; requests are dated by S3's from now on."""

    name: ClassVar[str] = "aws.clock_corrected"
    level: ClassVar[str] = "warning"
    operation: str
    ahead_s: int
