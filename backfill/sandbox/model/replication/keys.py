"""The two KMS keys of a replication: the source's to decrypt with, the replica's to encrypt with.

Never asks about objects that no KMS key encrypts.
Law: a key is used through S3 in its own Region, for the object's ARN, or the bucket's where an S3
Bucket Key is used on that side (UG: replication-config-for-kms-objects, bucket-key).
"""

from __future__ import annotations

from backfill.sandbox.model.access import is_allowed
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.encryption import key_context
from backfill.sandbox.model.kms import is_aws_managed, key_arn, region_of
from backfill.sandbox.model.replication import codes
from backfill.sandbox.model.replication.codes import Obstacle
from backfill.sandbox.model.replication.permissions import Journey
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.roles import account_of
from backfill.sandbox.model.values import Encryption
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World


def replica_encryption(
    world: World, source: Bucket, destination: Bucket, version: ObjectVersion, rule: Rule
) -> Encryption:
    """How the replica is encrypted: as the source, under the rule's key where KMS does it.

    A key without an account is the source owner's, in the destination's Region.
    """
    encryption = version.encryption
    if not encryption.is_kms or rule.replica_kms_key is None:
        return encryption
    named = key_arn(rule.replica_kms_key, account_id=source.owner_id, region=destination.region)
    return Encryption(
        algorithm=encryption.algorithm,
        kms_key_arn=world.keys.resolved(named),
        is_bucket_key_enabled=destination.encryption.is_bucket_key_enabled,
    )


def obstacle_of_source_key(journey: Journey, version: ObjectVersion) -> Obstacle | None:
    """What keeps the role from decrypting the source, if anything."""
    encryption = version.encryption
    if encryption.kms_key_arn is None:
        return None
    if not journey.world.keys.is_enabled(encryption.kms_key_arn):
        return codes.SOURCE_KEY
    is_decrypted = _may_use(journey, journey.source, encryption, "kms:Decrypt")
    return None if is_decrypted else codes.NO_READ


def obstacle_of_replica_key(journey: Journey, encryption: Encryption) -> Obstacle | None:
    """What keeps the role from encrypting the replica, if anything."""
    arn = encryption.kms_key_arn
    if arn is None:
        return None
    keys = journey.world.keys
    if region_of(arn) != journey.destination.region or keys.is_missing(arn):
        return codes.NO_REPLICA_KEY
    if not keys.is_enabled(arn):
        return codes.REPLICA_KEY
    actions = ["kms:Encrypt"]
    if encryption.is_bucket_key_enabled:
        actions += ["kms:GenerateDataKey", "kms:Decrypt"]
    for action in actions:
        if not _may_use(journey, journey.destination, encryption, action):
            return codes.NO_WRITE
    return None


def _may_use(journey: Journey, bucket: Bucket, encryption: Encryption, action: str) -> bool:
    """Whether identity policy and key policy let the role do this with the key."""
    arn = encryption.kms_key_arn
    assert arn is not None, "asked of KMS only"
    caller = journey.caller(bucket.region)
    if is_aws_managed(arn):  # for everyone in its account who may use S3, and for nobody else
        return account_of(arn) == caller.account_id
    if not journey.world.keys.is_known(arn):
        return True  # nobody made it: as a role that nobody made
    return is_allowed(
        journey.world,
        caller,
        action,
        bucket,
        journey.entry.key,
        kms_key_arn=arn,
        conditions=key_context(bucket, encryption),
    )
