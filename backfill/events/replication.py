"""Live replication itself: set up, and looked after.

The stages `setup`, `watch`.
"""

from dataclasses import dataclass
from typing import ClassVar


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
