"""Which object goes to which destination as a canary, and what its arrival shows. Pure.

Never writes (see `canary`).
Law: a canary's key is below a prefix of its own, matches a rule that wins for it, and is random.
"""

import enum
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.model.attributes import (
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.plan.evaluation import winning_rule
from backfill.plan.rules import Rule
from backfill.policies.quoting import shown
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Findings, Mend, Verdict, found
from backfill.preflight.permissions import place_of
from backfill.verify.fidelity import Expected, TagPair, differing_fields

FOLDER: Final = "backfill-canary/"
"""Below the rule's own prefix; a lifecycle rule on it can clear the canaries away."""
CHECK: Final = "canary"
DEFAULT_STORAGE_CLASS: Final = "STANDARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """Where a canary shall arrive, and by which rule."""

    rule: Rule
    destination: BucketPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One object to write, where it is waited for, and all that its key and tags replicate to."""

    key: str
    tags: Pairs
    landings: tuple[Landing, ...]
    reaches: tuple[str, ...]
    """Every destination with a rule for it, also those that another canary is waited for at."""


def canaries(seen: Gathered, name: str) -> Iterator[Canary | Finding]:
    """Give as few canaries as try every destination, or why none can be tried there.

    `name` is the random part of the key, safe in keys.
    """
    planned: dict[tuple[str, Pairs], list[Landing]] = {}
    for destination in seen.destinations:
        place, rules = place_of(destination), _rules_to(seen, destination.name)
        sent = next((each for each in planned if _winner(rules, *each)), None)
        sent = sent or _chosen(rules, seen.campaign.scope.prefix, f"{name}-{len(planned)}")
        rule = _winner(rules, *sent) if sent else None
        if place is None or sent is None or rule is None or not seen.follows_rules:
            what = "no rule can be tried for this destination"
            yield found(CHECK, Verdict.CANNOT_TELL, what, subject=destination.name)
            continue
        planned.setdefault(sent, []).append(Landing(rule=rule, destination=place))
    names = [each.name for each in seen.destinations]
    for (key, tags), landings in planned.items():
        reaches = tuple(each for each in names if _winner(_rules_to(seen, each), key, tags))
        yield Canary(key=key, tags=tags, landings=tuple(landings), reaches=reaches)


def _rules_to(seen: Gathered, bucket: str) -> Sequence[Rule]:
    return seen.rules.for_destination(bucket) if seen.rules else ()


def _winner(rules: Sequence[Rule], key: str, tags: Pairs) -> Rule | None:
    rule = winning_rule(rules, key, tags)
    return rule if isinstance(rule, Rule) else None


def _chosen(rules: Sequence[Rule], prefix: str, name: str) -> tuple[str, Pairs] | None:
    """Return key and tags for which a rule wins, of the first such, preferring the prefix."""
    for rule in rules:
        longer = prefix if prefix.startswith(rule.prefix) else rule.prefix
        key = f"{longer}{FOLDER}{name}"
        if len(key.encode()) <= KEY_BYTES_MAX and _winner(rules, key, rule.tags) is rule:
            return key, rule.tags
    return None


KEY_BYTES_MAX: Final = 1024
"""S3 User Guide: object-keys."""


class Arrival(enum.StrEnum):
    """How a canary ended."""

    ARRIVED = "arrived"
    FAILED = "failed"
    SKIPPED = "skipped"
    """S3 gave it no replication status: no rule took it."""
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Both ends of a canary that arrived. `is_same` is whether the very bytes came back."""

    source: ObjectHead
    destination: ObjectHead
    tags: TagPair
    is_same: bool | None


def differences(landing: Landing, seen: Seen) -> tuple[str, ...]:
    """Return what differs between the canary and its replica."""
    rule = landing.rule.destination
    storage_class = rule.storage_class or seen.source.storage_class
    expected = Expected(
        storage_class=storage_class,
        encryption=_expected_encryption(seen.source, rule.replica_kms_key),
    )
    fields = differing_fields(seen.source, seen.destination, expected, seen.tags)
    told = [field.value for field in fields]
    if seen.is_same is False or seen.source.size_bytes != seen.destination.size_bytes:
        told.append("bytes")
    if set(seen.source.checksums) != set(seen.destination.checksums):
        told.append("checksums")
    if seen.destination.replication_status is not ReplicationStatus.REPLICA:
        told.append("replication status")
    return tuple(told)


def _expected_encryption(source: ObjectHead, replica_key: str) -> Encryption | None:
    is_kms = source.encryption.kind in {EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS}
    if is_kms and replica_key.startswith("arn:"):
        return Encryption(kind=source.encryption.kind, kms_key_arn=replica_key)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a canary ended at one destination, `elapsed_s` after it was written."""

    landing: Landing
    arrival: Arrival
    elapsed_s: float
    differing: tuple[str, ...] = ()


def left_behind(
    canary: Canary, version_id: VersionId, source: str, lies_at: Collection[str]
) -> tuple[str, ...]:
    """Return where a canary lies: the source, where it was seen, and where it may yet arrive."""
    name = f"{shown(canary.key)}, version {version_id}"
    folder = shown(canary.key.rpartition("/")[0])
    return (
        *(
            f"left behind: s3://{each}/{name}"
            for each in (source, *canary.reaches)
            if each == source or each in lies_at
        ),
        *(
            f"perhaps left behind, not seen there: s3://{each}/{name}"
            for each in canary.reaches
            if each not in lies_at
        ),
        f"nothing deletes them; a lifecycle rule on the prefix {folder}/ can",
    )


def canary_finding(ended: Ended, left: Sequence[str], findings: Findings) -> Finding:
    """Return what a canary showed; `findings` explain why one failed."""
    arrival, elapsed_s, differing = ended.arrival, ended.elapsed_s, ended.differing
    bucket = ended.landing.destination.bucket
    rule = f"rule {shown(ended.landing.rule.id)}"
    if arrival is Arrival.ARRIVED:
        what = f"a canary arrived after {elapsed_s:.1f} s by {rule}"
        if not differing:
            return found(
                CHECK, Verdict.OK, f"{what}, equal in everything", subject=bucket, evidence=left
            )
        what = f"{what}, and differs: {', '.join(differing)}"
        return found(CHECK, Verdict.WARNING, what, subject=bucket, evidence=left)
    if arrival is Arrival.LATE:
        what = f"a canary is under way for {elapsed_s:.0f} s and has neither arrived nor failed"
        return found(CHECK, Verdict.CANNOT_TELL, what, subject=bucket, evidence=left)
    said = (
        f"S3 gave the canary the replication status FAILED after {elapsed_s:.1f} s"
        if arrival is Arrival.FAILED
        else "S3 gave the canary no replication status, so no rule took it"
    )
    mend = _mend(findings)
    return found(CHECK, Verdict.BLOCKER, said, subject=bucket, evidence=(rule, *left), mend=mend)


def _mend(findings: Findings) -> Mend:
    causes = findings.of(Verdict.BLOCKER)
    if causes:
        named = ", ".join(dict.fromkeys(finding.check for finding in causes))
        return Mend(says=f"Mend what these checks name, each as it says, then try again: {named}")
    unknown = ", ".join(dict.fromkeys(each.check for each in findings.of(Verdict.CANNOT_TELL)))
    return Mend(
        says="No check explains it. Look at what could not be decided"
        + (f" ({unknown})" if unknown else "")
        + ", at service and resource control policies, and at the events of failed replication"
        " (backfill watch)"
    )
