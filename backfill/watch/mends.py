"""The statements whose lack a failure reason can mean, for the very buckets and role of a rule.

Never reads a policy and never judges one: an event says only which call was denied, so each of
these may be the one that lacks, or a Deny stands against it (`backfill preflight` finds out).
Law: what is needed comes from the one table of `policies.needs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backfill.model.places import BucketPlace
from backfill.plan.rules import Rule
from backfill.policies.asking import Pair
from backfill.policies.missing import Missing, missing_after
from backfill.policies.need import Feature, Party
from backfill.policies.needs import explained
from backfill.policies.request import Place

_PARTIES: Final = frozenset({Party.REPLICATION_ROLE, Party.REPLICATION_SERVICE})
"""Who is at work in live replication; a job's failures are explained where the job is."""
_ALWAYS: Final = frozenset({Feature.TAGS, Feature.OBJECT_LOCK, Feature.ANNOTATIONS})
"""What a version may have, whatever its rule; a reason tells which of them it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingStatement:
    """A statement that a policy must have.

    Attributes:
        document: The policy that it belongs into.
        account_id: Whose policy that is.
        statement: The statement as it stands there.
    """

    document: str
    account_id: str
    statement: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From a source to a destination bucket, with what its rules use."""

    pair: Pair
    features: frozenset[Feature]


def way_of(
    rules: tuple[Rule, ...], *, role_arn: str, source: BucketPlace, destination: BucketPlace
) -> Way | None:
    """Return the way of the rules to one destination; None where the role is none."""
    parts = role_arn.split(":")
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        return None
    key_arns = dict.fromkeys(
        rule.destination.replica_kms_key
        for rule in rules
        if ":key/" in rule.destination.replica_kms_key
    )
    pair = Pair(
        source=source,
        destination=destination,
        replication_role_arn=role_arn,
        destination_key_arns=tuple(key_arns),
        partition=parts[1],
    )
    return Way(pair=pair, features=_ALWAYS.union(*map(_features, rules)))


def missing_statements(code: str, way: Way) -> tuple[MissingStatement, ...]:
    """Return the statements one of which may lack; none for reasons that no permission causes."""
    # Jobs may fail for the same reason: what they need asks for features that no way has.
    if not any(need.party in _PARTIES for need in explained(code)):
        return ()
    return tuple(
        MissingStatement(document=_document(lack), account_id=lack.account_id, statement=statement)
        for lack in missing_after(code, way.pair, way.features)
        for statement in lack.statements
    )


def _document(lack: Missing) -> str:
    arn = lack.attached_to
    if lack.place is not Place.RESOURCE:
        return f"a policy of the role {arn}"
    kinds = {"s3": "bucket policy", "kms": "key policy", "iam": "trust policy"}
    return f"the {kinds.get(arn.split(':')[2], 'resource policy')} of {arn}"


def _features(rule: Rule) -> frozenset[Feature]:
    used = {
        Feature.DELETE_MARKERS: rule.replicates_delete_markers,
        Feature.OWNER_OVERRIDE: rule.destination.is_owner_translated,
        Feature.SSE_KMS: rule.selects_kms,
        # Whether the destination has one is its owner's to say: kms:Decrypt harms nobody there.
        Feature.DESTINATION_BUCKET_KEY: rule.selects_kms,
    }
    return frozenset(feature for feature, is_used in used.items() if is_used)
