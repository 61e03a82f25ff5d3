"""A run as a whole, and what it knows before anything is written: checks, listings, the plan.

The stages `run`, `preflight`, `inventory`, `plan`.
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
class MemoryGiven:
    """What memory the run may have, who says so, and what its limits need at most.

    `limit_bytes` is None where nothing limits it but the machine.
    """

    name: ClassVar[str] = "run.memory"
    level: ClassVar[str] = "info"
    limit_bytes: int | None
    told_by: str
    needed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryHigh:
    """The process holds nearly all that it may have; told once, before the kernel ends it."""

    name: ClassVar[str] = "run.memory_high"
    level: ClassVar[str] = "warning"
    resident_bytes: int
    limit_bytes: int
    hint: str


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
