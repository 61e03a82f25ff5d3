"""What the replication role may do with the two buckets, asked action by action as S3 does.

(UG: setting-repl-config-perm-overview, replication-config-for-kms-objects.) Never assumes a
permission: identity policy, bucket policy and every Deny are authorization's to weigh.
Law: each action that is taken away gives exactly the code that S3 documents for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from backfill.sandbox.model.access import is_allowed
from backfill.sandbox.model.access_lists import has_full_control
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.finding import tag_conditions
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.replication import codes
from backfill.sandbox.model.replication.codes import Obstacle
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.roles import account_of
from backfill.sandbox.model.values import Encryption, ServerSideEncryption
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.model.world import World

_ENFORCED = "BucketOwnerEnforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One version on its way from a bucket to another, by a rule and under a role."""

    world: World
    source: Bucket
    destination: Bucket
    entry: Entry
    rule: Rule
    role: str

    def caller(self, region: str) -> Caller:
        """The role, as S3 acts in its name in a Region."""
        account_id = account_of(self.role) or self.source.owner_id
        return Caller(account_id=account_id, arn=self.role, region=region)

    def may_read(self, action: str) -> bool:
        """Whether the role may do this with the version at the source."""
        entry = self.entry
        return is_allowed(
            self.world,
            self.caller(self.source.region),
            action,
            self.source,
            entry.key,
            entry.version_id,
            conditions=tag_conditions(entry),
        )

    def may_look_into(self, action: str) -> bool:
        """Whether the role may do this with the source bucket itself."""
        return is_allowed(self.world, self.caller(self.source.region), action, self.source)

    def may_write(self, action: str, conditions: Pairs = ()) -> bool:
        """Whether the role may do this with the key at the destination."""
        caller = self.caller(self.destination.region)
        return is_allowed(
            self.world, caller, action, self.destination, self.entry.key, conditions=conditions
        )


def obstacle_at_source(journey: Journey) -> Obstacle | None:
    """What the role may not read at the source, if anything."""
    if not journey.may_look_into("s3:GetReplicationConfiguration"):
        return codes.CONFIGURATION_NOT_READ
    entry = journey.entry
    if isinstance(entry, DeleteMarker):
        return None if journey.may_look_into("s3:ListBucket") else codes.NO_HEAD
    if not _may_read_bytes(journey, entry):
        return codes.NO_READ
    if _is_of_another_owner(journey.source, entry):
        return codes.NO_ACL
    asked = [("s3:GetObjectVersionAcl", codes.NO_ACL)]
    if entry.lock is not None or journey.source.is_object_lock_enabled:
        asked += [
            ("s3:GetObjectRetention", codes.NO_RETENTION),
            ("s3:GetObjectLegalHold", codes.NO_LEGAL_HOLD),
        ]
    return next((missing for action, missing in asked if not journey.may_read(action)), None)


def _may_read_bytes(journey: Journey, version: ObjectVersion) -> bool:
    """Whether it may; s3:GetObjectVersion does for what no KMS key encrypts."""
    if journey.may_read("s3:GetObjectVersionForReplication"):
        return True
    is_plain = version.encryption.algorithm is ServerSideEncryption.SSE_S3
    return is_plain and journey.may_read("s3:GetObjectVersion")


def _is_of_another_owner(source: Bucket, version: ObjectVersion) -> bool:
    """Whether the bucket's owner has no say in the object (UG: replication-requirements)."""
    if source.object_ownership == _ENFORCED or version.owner_id == source.owner_id:
        return False
    return not has_full_control(version, source.owner_id)


def are_tags_readable(journey: Journey) -> bool:
    """Whether the tags go along; without the permission the replica silently has none."""
    return journey.may_read("s3:GetObjectVersionTagging")


def obstacle_at_destination(journey: Journey, encryption: Encryption | None) -> Obstacle | None:
    """What the role may not write at the destination, if anything.

    `encryption` is the replica's; None for a delete marker.
    """
    rule, destination = journey.rule, journey.destination
    if rule.account_id is not None and rule.account_id != destination.owner_id:
        return codes.NO_WRITE  # made anew by another account after the rule was put
    if encryption is None:
        return None if journey.may_write("s3:ReplicateDelete") else codes.NO_DELETE
    if not journey.may_write("s3:ReplicateObject", _encryption_conditions(encryption)):
        return codes.NO_WRITE
    if rule.overrides_owner and not journey.may_write("s3:ObjectOwnerOverrideToBucketOwner"):
        return codes.NO_WRITE
    is_customer = encryption.algorithm is ServerSideEncryption.CUSTOMER
    return codes.NO_WRITE if is_customer and destination.blocks_sse_c else None


def _encryption_conditions(encryption: Encryption) -> Pairs:
    """What a policy may ask of ReplicateObject (Service Authorization Reference: Amazon S3)."""
    if encryption.algorithm is ServerSideEncryption.CUSTOMER:
        return (("s3:x-amz-server-side-encryption-customer-algorithm", "AES256"),)
    kind: Pairs = (("s3:x-amz-server-side-encryption", encryption.algorithm.value),)
    if encryption.kms_key_arn is None:
        return kind
    return (*kind, ("s3:x-amz-server-side-encryption-aws-kms-key-id", encryption.kms_key_arn))
