"""The ways that replicas take: from one bucket, under one role, into its destination buckets.

Never words a policy. Replica modification sync is a second lane back, so forward and reverse are
made by the same code.
Law: a lane has one role, since a replication configuration names one for all its rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backfill.model.places import BucketPlace
from backfill.setup.spec import Ground, Owner, RoleSpec, RuleSpec, Spec
from backfill.setup.wanted import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The rules of a lane with one destination bucket."""

    place: BucketPlace
    rules: tuple[RuleSpec, ...]
    is_across_accounts: bool

    @property
    def overrides_owner(self) -> bool:
        """Whether replicas change hands: across accounts only, else S3 refuses it."""
        return self.is_across_accounts and any(
            rule.owner is Owner.DESTINATION for rule in self.rules
        )

    @property
    def has_delete_markers(self) -> bool:
        """Whether some rule replicates delete markers."""
        return any(rule.replicates_delete_markers for rule in self.rules)

    @property
    def key_arns(self) -> tuple[str, ...]:
        """The replica keys."""
        return tuple(dict.fromkeys(rule.kms_key_arn for rule in self.rules if rule.kms_key_arn))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One source bucket of replication, its role, and where its replicas go.

    `side` is the owner of the bucket and of the role; `is_reverse` marks the way back of replica
    modification sync; `key_arns` are keys of the objects that are read.
    """

    side: Side
    is_reverse: bool
    source: BucketPlace
    role: RoleSpec
    role_arn: str
    key_arns: tuple[str, ...]
    routes: tuple[Route, ...]


def side_of(account: str, ground: Ground) -> Side:
    """Return whose side an account is: what the source's account owns is the source's to write.

    Accounts that are neither's, of a queue or a key, are told with the destination's; who owns a
    document stands in the resource.
    """
    return Side.SOURCE if account == ground.source.expected_owner else Side.DESTINATION


def lanes_of(spec: Spec, ground: Ground) -> tuple[Lane, ...]:
    """Return the forward lane, then one back from each destination that syncs modifications."""
    forward = Lane(
        side=Side.SOURCE,
        is_reverse=False,
        source=ground.source,
        role=spec.role,
        role_arn=spec.role.arn_in(ground.partition, ground.source.expected_owner),
        key_arns=spec.source.kms_key_arns if any(rule.kms_key_arn for rule in spec.rules) else (),
        routes=tuple(
            Route(
                place=place,
                rules=spec.rules_for(place.bucket),
                is_across_accounts=ground.is_across_accounts(place),
            )
            for place in ground.destinations
        ),
    )
    return (forward, *_lanes_back(spec, ground))


def _lanes_back(spec: Spec, ground: Ground) -> Iterator[Lane]:
    for place in ground.destinations:
        if not (rules := spec.synced_for(place.bucket)):
            continue
        is_across = ground.is_across_accounts(place)
        back = tuple(_reversed(rule, spec, ground.source) for rule in rules)
        yield Lane(
            side=side_of(place.expected_owner, ground),
            is_reverse=True,
            source=place,
            role=spec.reverse_role,
            role_arn=spec.reverse_role.arn_in(ground.partition, place.expected_owner),
            key_arns=tuple(dict.fromkeys(rule.kms_key_arn for rule in rules if rule.kms_key_arn)),
            routes=(Route(place=ground.source, rules=back, is_across_accounts=is_across),),
        )


def _reversed(rule: RuleSpec, spec: Spec, source: BucketPlace) -> RuleSpec:
    # Delete markers never go back: a deletion on the destination is no modification of a replica.
    # Class and time control are the forward rule's; metrics stay, so that failures are seen.
    return replace(
        rule,
        destination=source.bucket,
        kms_key_arn=spec.source.kms_key_arns[0] if rule.kms_key_arn else "",
        kms_readers=(),
        storage_class="",
        has_time_control=False,
        replicates_delete_markers=False,
    )
