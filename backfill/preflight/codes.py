"""From a failure code of live or Batch Replication to what mends it in these very accounts.

Never reads: the findings are given. What a code means at large stands in
`batch_operations.failure_codes`.
Law: what was found wrong comes first; only where nothing was, every statement whose lack can cause
the code is named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from backfill.batch_operations.failure_codes import Failure, failure_of
from backfill.model.escaping import visible_text
from backfill.policies import missing
from backfill.policies.missing import Missing
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Findings, Mend, Verdict
from backfill.preflight.lines import lines_of, mend_lines
from backfill.preflight.mends import as_json
from backfill.preflight.permissions import features_of, pair_of

_SOURCE_READS: Final = (
    *("role-at-source", "source-policy-deny", "source-key", "source-key-policy", "role-at-keys"),
)
_WRITES: Final = (
    *("destination-policy", "destination-principal", "destination-policy-deny", "public-access"),
    *("role-at-destination", "replica-key", "replica-key-policy", "role-at-keys"),
    *("replication-account", "requester-pays", "sse-c"),
)
_STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "AssumeRoleNotPermitted": ("role", "role-trust", "batch-role", "batch-role-trust"),
    "InitiateReplicationNotPermitted": ("batch-role-policy", "source-policy-deny"),
    "SrcBucketReplicationConfigMissing": ("replication-configuration", "role-at-source"),
    "SrcBucketNotFound": ("bucket",),
    "DstBucketNotFound": ("bucket", "replication-account"),
    "DstBucketUnversioned": ("versioning",),
    "DstBucketObjectLockConfigMissing": ("object-lock",),
    "DstBucketInvalidRegion": ("regions", "batch-bucket"),
    "SrcKmsKeyInvalidState": ("source-key",),
    "DstKmsKeyNotFound": ("replica-key",),
    "DstKmsKeyInvalidState": ("replica-key",),
    "SrcObjectNotEligible": (
        *("replication-rules", "replication-scope", "kms-selection", "archived-objects"),
    ),
}


def checks_for(code: str) -> tuple[str, ...]:
    """Return the checks that can explain a code; none for one that no set-up causes."""
    if code in _STATES:
        return _STATES[code]
    if code.endswith("NotPermitted"):
        return _SOURCE_READS if code.startswith("Src") else _WRITES
    if code == "AccessDenied":
        jobs = ("batch-role-policy", "batch-bucket-policy", "batch-role-trust")
        return (*jobs, *_SOURCE_READS, *_WRITES)
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMend:
    """A code, explained for these accounts.

    Attributes:
        failure: What the code means, and its mend at large.
        causes: What the checks found that can cause it, the blockers first.
        possible: Where none found anything: the statements whose lack can cause it, by document.
    """

    failure: Failure
    causes: tuple[Finding, ...]
    possible: tuple[Missing, ...]

    @property
    def mends(self) -> tuple[Mend, ...]:
        """What to do, the surest first."""
        return tuple(cause.mend for cause in self.causes if cause.mend is not None)


def mend_for_code(code: str, seen: Gathered, findings: Findings) -> CodeMend:
    """Return what mends a failure code of live or Batch Replication here."""
    wanted = checks_for(code)
    ordered = (*findings.of(Verdict.BLOCKER), *findings.of(Verdict.WARNING))
    causes = tuple(finding for finding in ordered if finding.check in wanted)
    undecided = tuple(f for f in findings.of(Verdict.CANNOT_TELL) if f.check in wanted)
    return CodeMend(
        failure=failure_of(code, None, ""),
        causes=causes or undecided,
        possible=() if causes else _possible(code, seen),
    )


def _possible(code: str, seen: Gathered) -> tuple[Missing, ...]:
    """Return the statements that the code can mean, each document's once."""
    if seen.role is None:
        return ()
    found: dict[tuple[str, str], Missing] = {}
    for destination in seen.destinations:
        for rule in seen.rules_to(destination.name):
            pair = pair_of(seen, seen.role, destination, rule)
            if pair is None:
                continue
            features = features_of(seen, destination, rule)
            for lack in missing.missing_after(code, pair, features):
                found.setdefault((lack.place.value, lack.attached_to), lack)
    return tuple(found.values())


def code_document(told: CodeMend) -> dict[str, object]:
    """Return an explained code as JSON has it."""
    return {
        "code": told.failure.code,
        "class": told.failure.cls.value,
        "sentence": told.failure.sentence,
        "mend": told.failure.mend,
        "causes": [
            {
                "check": cause.check,
                "verdict": cause.verdict.value,
                "subject": cause.subject,
                "what": cause.what,
                "commands": list(cause.mend.lines) if cause.mend is not None else [],
            }
            for cause in told.causes
        ],
        "possible": [
            {
                "document": lack.place.value,
                "account": lack.account_id,
                "of": lack.attached_to,
                "statements": [dict(each) for each in lack.statements],
            }
            for lack in told.possible
        ],
    }


def code_lines(told: CodeMend) -> Iterator[str]:
    """Give an explained code for people."""
    yield f"{visible_text(told.failure.code)}: {visible_text(told.failure.sentence)}"
    for cause in told.causes:
        yield from lines_of(cause)
    if not any(cause.verdict is not Verdict.CANNOT_TELL for cause in told.causes):
        if told.failure.mend:
            yield from mend_lines(Mend(says=told.failure.mend))
        for lack in told.possible:
            where = f"{lack.place.value} of {visible_text(lack.attached_to)}"
            yield f"can be missing in the {where} (account {lack.account_id}):"
            yield from (f"  {as_json(statement)}" for statement in lack.statements)
