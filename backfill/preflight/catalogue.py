"""The catalogue: every check in the order of the report, and all of them carried out.

Never reads an account: the evidence is given.
Law: ids are unique, and `docs/reference/checks.md` is made from this table.
"""

from typing import Final

from backfill.campaign import Engine
from backfill.model.accounts import Unread
from backfill.preflight.checks import (
    accounts,
    buckets,
    callers,
    copies,
    destination_policy,
    encryption,
    extras,
    jobs,
    key_policies,
    lifecycle,
    locks,
    notifications,
    objects,
    ownership,
    roles,
    rules,
)
from backfill.preflight.checks.check import Check
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Findings, Part, Verdict

CATALOGUE: Final[tuple[Check, ...]] = (
    *accounts.CHECKS,
    *buckets.CHECKS,
    *rules.CHECKS,
    *roles.CHECKS,
    *destination_policy.CHECKS,
    *ownership.CHECKS,
    *encryption.CHECKS,
    *key_policies.CHECKS,
    *locks.CHECKS,
    *lifecycle.CHECKS,
    *notifications.CHECKS,
    *jobs.CHECKS,
    *callers.CHECKS,
    *copies.CHECKS,
    *extras.CHECKS,
    *objects.CHECKS,
)
PART_OF: Final = {check.id: check.part for check in CATALOGUE}

CONTROLS: Final = (
    "Not looked at: service and resource control policies of an organization, account-wide block"
    " public access, VPC endpoint policies and KMS grants. A canary goes through all of them."
)
"""What no document of either account shows, said once."""


COPIES: Final = (
    "Not decided: whether the destination identity may read the source and write copies. A run"
    " tries a read before its first copy, and a denied write is counted, by code, as failed."
)
"""No check asks for the rights of copies."""


def findings_of(seen: Gathered) -> Findings:
    """Carry out every check."""
    found = tuple(finding for check in CATALOGUE for finding in check.look(seen))
    # All words but the document itself name what a command puts.
    written = {
        tuple(word for word in words if not word.startswith("{")): None
        for finding in found
        if finding.mend is not None
        for words in finding.mend.commands
    }
    every = {words for f in found if f.mend is not None for words in f.mend.commands}
    return Findings(findings=found, notes=tuple(_notes(seen, is_crowded=len(every) > len(written))))


def stopping(findings: Findings, *, has_batch: bool, has_copy: bool) -> tuple[Finding, ...]:
    """Return the blockers of what a run works with.

    A run by copies alone does not stop because live replication is broken: it says so.
    """
    parts = {Part.ALL}
    parts |= {Part.COPIES} if has_copy else set()
    parts |= {Part.REPLICATION, Part.JOBS} if has_batch else set()
    blockers = findings.of(Verdict.BLOCKER)
    return tuple(each for each in blockers if PART_OF.get(each.check, Part.ALL) in parts)


def _notes(seen: Gathered, *, is_crowded: bool) -> list[str]:
    notes = [CONTROLS] if seen.is_aws else []
    if seen.follows_rules and seen.counts is None:
        notes.append(
            "Not counted: versions in archive classes, which S3 does not replicate. The plan gives"
            " each its reason."
        )
    if seen.campaign.engine is Engine.COPY or not seen.follows_rules:
        notes.append(COPIES)
    if not seen.copies_for_certain:
        notes.append(
            "Not looked at: what copy workers may read and write. `--engine copy` has it checked,"
            " and so does a run that has settled on copies alone."
        )
    if is_crowded:
        notes.append(
            "Several mends put the same document, each with its own change: carry one out, then run"
            " preflight again for the next."
        )
    simulated = "IAM's simulator" if seen.simulations else "backfill's own reading of the policies"
    if seen.role is not None and not isinstance(seen.role.role, Unread):
        notes.append(f"What roles may do was decided by {simulated}.")
    return notes
