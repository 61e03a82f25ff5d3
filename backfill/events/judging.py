"""What was found wrong after the work, and the work that mends it.

The stages `verify`, `repair`.
"""

from dataclasses import dataclass
from typing import ClassVar


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
