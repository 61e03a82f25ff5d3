"""What copy workers say: entries tried again, given up and gone on with, processes, the end.

The stage `execute`.
"""

from dataclasses import dataclass
from typing import ClassVar


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
