"""A run directory on S3: who holds it, and what is kept there.

The stage `run`.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAwaited:
    """Another process held the run directory and may be dead: one lease decides."""

    name: ClassVar[str] = "run.lease_awaited"
    level: ClassVar[str] = "warning"
    holder: str
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTaken:
    """This process holds the run directory; `is_after_another`: one that did not give it back."""

    name: ClassVar[str] = "run.lease_taken"
    level: ClassVar[str] = "info"
    run_directory: str
    fence: int
    is_after_another: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRenewalFailed:
    """The lease could not be renewed; while it is not, nothing is written to a destination."""

    name: ClassVar[str] = "run.lease_renewal_failed"
    level: ClassVar[str] = "warning"
    code: str
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCopyMended:
    """The working copy was brought into step with S3: files fetched now, and files that went."""

    name: ClassVar[str] = "run.working_copy_mended"
    level: ClassVar[str] = "info"
    fetched: int
    fetched_later: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDirectoryKept:
    """What the run knows is on S3: so many files of so many bytes went up for that."""

    name: ClassVar[str] = "run.directory_kept"
    level: ClassVar[str] = "debug"
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDirectoryUnkept:
    """What is new could not be put up; it stays on this disk, and is tried again."""

    name: ClassVar[str] = "run.directory_unkept"
    level: ClassVar[str] = "warning"
    code: str
