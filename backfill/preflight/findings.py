"""What preflight says: a finding has a verdict, its evidence, and the mend that makes it green.

Never reads anything and never decides: checks do (`checks`), over what was gathered (`evidence`).
Law: what cannot be decided is `cannot tell`, never `ok`; a blocker comes with its mend.
"""

import enum
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SCHEMA: Final = "backfill.preflight/1"
DOCS: Final = "docs/reference/checks.md"
"""The page that explains every check; a check's id is its anchor."""


class Verdict(enum.StrEnum):
    """What a check found."""

    OK = "ok"
    """Looked at, and as it must be."""
    WARNING = "warning"
    """Replication and the backfill work; something else suffers, or will."""
    BLOCKER = "blocker"
    """Replication or the backfill fails for everything or for some."""
    CANNOT_TELL = "cannot tell"
    """Not decided: something may not be read, or says what only AWS can evaluate."""


WORST_FIRST: Final = (Verdict.BLOCKER, Verdict.CANNOT_TELL, Verdict.WARNING, Verdict.OK)


class Part(enum.StrEnum):
    """What a check is about; a run stops on blockers of what it works with."""

    ALL = "all"
    """Both ways to deliver."""
    REPLICATION = "replication"
    """What S3 replicates itself: live replication, and Batch Replication, which follows it."""
    JOBS = "jobs"
    """S3 Batch Operations: the batch role, the batch bucket, and whoever makes jobs."""
    COPIES = "copies"
    """Copy workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """What makes a finding green.

    Attributes:
        says: One instruction for a person.
        account_id: The account whose owner does it; empty: whoever looks.
        commands: Words of AWS CLI commands, complete as they stand: documents are merged with what
            is there now.
        statements: What the commands add to a policy, alone, for whose policies come from
            elsewhere than the command line.
    """

    says: str
    account_id: str = ""
    commands: tuple[tuple[str, ...], ...] = ()
    statements: tuple[Mapping[str, object], ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The commands as they are pasted into a shell."""
        return tuple(shlex.join(words) for words in self.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check says of one thing.

    `subject` names the thing: a bucket, a role's or key's ARN, a rule. `what` is one sentence.
    """

    check: str
    verdict: Verdict
    what: str
    subject: str = ""
    evidence: tuple[str, ...] = ()
    mend: Mend | None = None

    def __post_init__(self) -> None:
        assert self.verdict is not Verdict.BLOCKER or self.mend is not None, "a blocker has a mend"

    @property
    def is_ok(self) -> bool:
        """Whether nothing is to be done or to be known."""
        return self.verdict is Verdict.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that preflight found, and what it never can see."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """Return how many findings have a verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)

    def of(self, *verdicts: Verdict) -> tuple[Finding, ...]:
        """Return the findings with one of these verdicts."""
        return tuple(finding for finding in self.findings if finding.verdict in verdicts)

    @property
    def is_green(self) -> bool:
        """Whether nothing blocks, and something was seen; warnings and unknowns are allowed."""
        return not self.count(Verdict.BLOCKER) and bool(self.count(Verdict.OK))


def found(
    check: str,
    verdict: Verdict,
    what: str,
    *,
    subject: str = "",
    evidence: Iterable[str] = (),
    mend: Mend | None = None,
) -> Finding:
    """Return a finding."""
    return Finding(
        check=check,
        verdict=verdict,
        what=what,
        subject=subject,
        evidence=tuple(evidence),
        mend=mend,
    )


def findings_document(findings: Findings) -> dict[str, object]:
    """Return findings as JSON has them: `docs/reference/checks.md` says what each field means."""
    return {
        "schema": SCHEMA,
        "verdict": "blocked" if not findings.is_green else "green",
        "counts": {verdict.value: findings.count(verdict) for verdict in Verdict},
        "findings": [_finding_document(finding) for finding in findings.findings],
        "notes": list(findings.notes),
    }


FINDING_FIELDS: Final = (
    ("`check`", "the id of the check"),
    ("`verdict`", "`ok`, `warning`, `blocker` or `cannot tell`"),
    ("`subject`", "the bucket, role, key, rule or receiver that it is about; may be empty"),
    ("`what`", "one sentence for people; it may be worded otherwise in another release"),
    ("`evidence`", "what was read, a line each"),
    (
        "`mend`",
        "null, or `says`, `account` (whose owner does it), `commands`, `statements` (added ones)",
    ),
    ("`docs`", "where the check is explained"),
)
"""For the reference page."""


def findings_bytes(findings: Findings) -> bytes:
    """Return findings as they are kept in the run directory."""
    return json.dumps(findings_document(findings), indent=2, sort_keys=True).encode()


def _finding_document(finding: Finding) -> dict[str, object]:
    mend = finding.mend
    return {
        "check": finding.check,
        "verdict": finding.verdict.value,
        "subject": finding.subject,
        "what": finding.what,
        "evidence": list(finding.evidence),
        "mend": None
        if mend is None
        else {
            "says": mend.says,
            "account": mend.account_id,
            "commands": list(mend.lines),
            "statements": [dict(statement) for statement in mend.statements],
        },
        "docs": f"{DOCS}#{finding.check}",
    }
