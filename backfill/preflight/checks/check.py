"""A check as a row of the catalogue, and the four ways in which it says what it found.

Never looks at anything itself.
Law: an id is for ever: scripts and the documentation know a check by it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backfill.model.accounts import Unread
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Mend, Part, Verdict, found
from backfill.preflight.mends import mend_of_unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        id: Its name for good.
        part: What does not work while it blocks.
        asks: The question that it answers.
        why: What happens where the answer is no, with AWS's own words for it.
        look: The check; it says nothing about what is not there at all, for which another check
            speaks.
    """

    id: str
    part: Part
    asks: str
    why: str
    look: Callable[[Gathered], Iterable[Finding]]


def ok(check: str, subject: str, what: str, *evidence: str) -> Finding:
    """Say that all is as it must be."""
    return found(check, Verdict.OK, what, subject=subject, evidence=evidence)


def warned(check: str, subject: str, what: str, mend: Mend | None, *evidence: str) -> Finding:
    """Say what suffers beside replication."""
    return found(check, Verdict.WARNING, what, subject=subject, evidence=evidence, mend=mend)


def blocked(check: str, subject: str, what: str, mend: Mend, *evidence: str) -> Finding:
    """Say what keeps replication or the backfill from working."""
    return found(check, Verdict.BLOCKER, what, subject=subject, evidence=evidence, mend=mend)


def untold(
    check: str, subject: str, what: str, *evidence: str, mend: Mend | None = None
) -> Finding:
    """Say what could not be decided, and what would decide it."""
    return found(check, Verdict.CANNOT_TELL, what, subject=subject, evidence=evidence, mend=mend)


def unread(check: str, subject: str, what: str, why: Unread, resource: str) -> Finding:
    """Say what could not be read; `resource` is the ARN that reading it is asked of."""
    said = f"{why.operation}: {why.code}" if why.operation else why.code
    evidence = f"{said}: {why.message}" if why.message else said
    return untold(check, subject, what, evidence, mend=mend_of_unread(why, resource))
