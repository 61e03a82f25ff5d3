"""What the restores of archived versions say: what was asked for, and what is waited for.

The stage `execute`.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoresAsked:
    """S3 was asked for restores, so many in all so far; the estimate is of requests and bytes."""

    name: ClassVar[str] = "execute.restores_asked"
    level: ClassVar[str] = "info"
    restores: int
    size_bytes: int
    tier: str
    days: int
    left_out: int
    estimated_usd: float
    prices_as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoresWaiting:
    """So many archived versions cannot be read yet; the first was asked for at `since`."""

    name: ClassVar[str] = "execute.restores_waiting"
    level: ClassVar[str] = "info"
    versions: int
    size_bytes: int
    since: str
    next_look_s: float
