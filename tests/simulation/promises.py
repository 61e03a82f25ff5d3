"""What is promised, and what a checker says of a promise that was broken."""

from dataclasses import dataclass
from enum import StrEnum


class Promise(StrEnum):
    """What is promised."""

    P1 = "P1 never backwards"
    P2 = "P2 nothing lost"
    P3 = "P3 nothing twice"
    P4 = "P4 the report is true"
    P9 = "P9 it ends"
    GUARDED = "guarded"
    JOBS = "jobs once"
    RETRIES = "retries exact"
    ENGINE = "one engine a key"
    ONE_HOLDER = "P16 one holder"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    promise: Promise
    key: str
    what: str
