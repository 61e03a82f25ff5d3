"""What a person asks of replication: the spec of setup, checked and complete.

Never holds what is in an account; `desired` makes documents out of it.
Law: every option that S3's replication console offers has a field here, named in AWS's words.
"""

import enum
from dataclasses import dataclass
from typing import Final

from backfill.model.attributes import Pairs
from backfill.model.places import BucketPlace

DEFAULT_PATH: Final = "/service-role/"
"""Where S3's console makes its replication roles: rights to pass roles are often granted on that
path alone, and every policy here names the whole ARN, so nobody has to remember it."""


class Owner(enum.StrEnum):
    """Who owns replicas in another account (S3 User Guide: replication-change-owner)."""

    SOURCE = "source"
    DESTINATION = "destination"


class ReplicationEvent(enum.StrEnum):
    """What S3 tells about replication (S3 User Guide: replication-metrics-events)."""

    FAILED = "failed"
    MISSED_THRESHOLD = "missed-threshold"
    REPLICATED_AFTER_THRESHOLD = "replicated-after-threshold"
    NOT_TRACKED = "not-tracked"

    @property
    def event_name(self) -> str:
        """The name in a notification configuration."""
        return _EVENT_NAMES[self]

    @property
    def needs_time_control(self) -> bool:
        """Whether S3 sends it for rules with Replication Time Control alone."""
        return self is not ReplicationEvent.FAILED


_EVENT_NAMES = {
    ReplicationEvent.FAILED: "s3:Replication:OperationFailedReplication",
    ReplicationEvent.MISSED_THRESHOLD: "s3:Replication:OperationMissedThreshold",
    ReplicationEvent.REPLICATED_AFTER_THRESHOLD: "s3:Replication:OperationReplicatedAfterThreshold",
    ReplicationEvent.NOT_TRACKED: "s3:Replication:OperationNotTracked",
}

STORAGE_CLASSES: Final = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
)
"""Classes that a rule may name (S3 API: Destination). The others are other services' buckets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSpec:
    """A role: made by setup under `name` and `path`, or an existing one by its ARN.

    An existing role keeps its trust policy; `has_policy` adds one inline policy to it.
    """

    name: str = ""
    path: str = DEFAULT_PATH
    arn: str = ""
    has_policy: bool = True

    @property
    def is_made(self) -> bool:
        """Whether setup makes the role."""
        return not self.arn

    def arn_in(self, partition: str, account: str) -> str:
        """Return the role's ARN, its path included, in the account that it belongs to."""
        return self.arn or f"arn:{partition}:iam::{account}:role{self.path}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """The source bucket.

    Attributes:
        bucket: Its name.
        account: Its owner; empty: asked of STS.
        region: Its Region; empty: asked of S3.
        kms_key_arns: KMS keys that its objects are encrypted with.
        has_object_lock: Whether retention and legal holds are replicated, for which every
            destination needs Object Lock, too.
        has_annotations: Whether object annotations are replicated.
    """

    bucket: str
    account: str = ""
    region: str = ""
    kms_key_arns: tuple[str, ...] = ()
    has_object_lock: bool = False
    has_annotations: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSpec:
    """A destination bucket.

    Attributes:
        bucket: Its name.
        account: Its owner; empty: the caller's account on that side.
        region: Its Region; empty: asked of S3.
        has_policy: Whether the bucket policy names the replication role; None: across accounts,
            where it must. Within an account the role's own policy is enough.
        has_bucket_keys: Whether the bucket's default encryption uses an S3 Bucket Key.
        is_guarded: Whether the bucket policy refuses to overwrite unconditionally.
    """

    bucket: str
    account: str = ""
    region: str = ""
    has_policy: bool | None = None
    has_bucket_keys: bool = False
    is_guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """One replication rule.

    Attributes:
        name: Unique within the spec; the rule's ID is made of it.
        destination: The destination bucket's name.
        is_enabled: Whether the rule replicates.
        priority: None: a free one is chosen; two rules for one destination must say theirs.
        prefix: Keys that begin so; empty: all.
        tags: Object tags that must all be there.
        owner: Who owns the replicas.
        kms_key_arn: Replica key; with it SSE-KMS objects are replicated, too.
        kms_readers: ARNs that may decrypt replicas by the key's own policy.
        storage_class: Of replicas; empty: the source object's.
        has_time_control: Replication Time Control, with its metrics.
        has_metrics: Replication metrics without time control.
        replicates_delete_markers: Whether delete markers are carried over.
        syncs_replica_modifications: Replica modification sync, with the reverse rule.
    """

    name: str
    destination: str
    is_enabled: bool = True
    priority: int | None = None
    prefix: str = ""
    tags: Pairs = ()
    # The destination's owner is who reads replicas; those that the source's account owns, it
    # cannot. Under BucketOwnerEnforced it owns them anyway, and this changes nothing.
    owner: Owner = Owner.DESTINATION
    kms_key_arn: str = ""
    kms_readers: tuple[str, ...] = ()
    storage_class: str = ""
    has_time_control: bool = False
    # On: without metrics S3 sends no failed-replication event and `watch` sees nothing. They are
    # billed as custom CloudWatch metrics, some cents a rule and month.
    has_metrics: bool = True
    # Off, as in S3's console: a deletion that is carried over hides data in both accounts.
    replicates_delete_markers: bool = False
    syncs_replica_modifications: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSpec:
    """Events of the source bucket to a queue, topic or function: one that is there, or a new queue.

    Attributes:
        name: Unique within the spec; the notification's Id is made of it.
        events: Which events.
        arn: Of what is there; empty where setup makes a queue.
        queue: Name of the standard queue that setup makes, in the source bucket's account and
            Region; empty where `arn` says what is there.
    """

    name: str
    events: tuple[ReplicationEvent, ...]
    arn: str = ""
    queue: str = ""

    def arn_near(self, source: BucketPlace, partition: str) -> str:
        """Return the ARN of what gets the events; a queue that is made is near the source."""
        return self.arn or (
            f"arn:{partition}:sqs:{source.region}:{source.expected_owner}:{self.queue}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSpec:
    """Roles and buckets of S3 Batch Operations jobs.

    Attributes:
        bucket: Of manifests and completion reports, in the source's account and Region.
        role: What Replicate jobs run as.
        makes_buckets: Whether buckets that are not there are made.
        has_generated_manifests: Whether S3 may generate manifests.
        has_checksums: Whether Compute checksum jobs may run as well, on both sides.
        destination_bucket: As `bucket`, for checksum jobs on the destination.
        destination_role: What checksum jobs on the destination run as.
    """

    bucket: str
    role: RoleSpec
    makes_buckets: bool = True
    has_generated_manifests: bool = True
    has_checksums: bool = False
    destination_bucket: str = ""
    destination_role: RoleSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Everything that setup was asked for. `reverse_role` serves replica modification sync."""

    name: str
    source: SourceSpec
    destinations: tuple[DestinationSpec, ...]
    role: RoleSpec
    reverse_role: RoleSpec
    rules: tuple[RuleSpec, ...]
    notifications: tuple[NotificationSpec, ...] = ()
    batch: BatchSpec | None = None

    def rules_for(self, bucket: str) -> tuple[RuleSpec, ...]:
        """Return the rules with that destination."""
        return tuple(rule for rule in self.rules if rule.destination == bucket)

    def synced_for(self, bucket: str) -> tuple[RuleSpec, ...]:
        """Return the rules with that destination that sync replica modifications."""
        return tuple(rule for rule in self.rules_for(bucket) if rule.syncs_replica_modifications)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where the buckets of a spec really are, as the accounts told or the spec said.

    Attributes:
        source: The source bucket.
        destinations: The destination buckets, in the spec's order.
        partition: `aws`, `aws-cn`, `aws-us-gov`: the second word of every ARN.
    """

    source: BucketPlace
    destinations: tuple[BucketPlace, ...]
    partition: str = "aws"

    def destination(self, bucket: str) -> BucketPlace:
        """Return a destination by its bucket."""
        return next(place for place in self.destinations if place.bucket == bucket)

    def is_across_accounts(self, destination: BucketPlace) -> bool:
        """Whether that destination is another account's."""
        return destination.expected_owner != self.source.expected_owner


def ground_of(spec: Spec, *, partition: str = "aws") -> Ground | None:
    """Return the ground where the spec says all of it; None where an account must be asked."""
    sides: list[SourceSpec | DestinationSpec] = [spec.source, *spec.destinations]
    if not all(side.account and side.region for side in sides):
        return None
    places = [
        BucketPlace(
            bucket=side.bucket,
            region=side.region,
            expected_owner=side.account,
            owner_origin="setup spec",
        )
        for side in sides
    ]
    return Ground(source=places[0], destinations=tuple(places[1:]), partition=partition)
