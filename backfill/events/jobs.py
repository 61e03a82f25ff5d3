"""What is said of S3 Batch Operations jobs, from the request to their end.

The stage `batch_operations`.
"""

from dataclasses import dataclass
from typing import ClassVar


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
