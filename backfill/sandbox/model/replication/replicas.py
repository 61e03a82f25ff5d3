"""Replicas: what of a version arrives, and where in the destination's chain.

Law: a replica has its source's version ID, creation time and rank; among replicas the source's
order always holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.locking import lock_of_write
from backfill.sandbox.model.replication.keys import replica_encryption
from backfill.sandbox.model.replication.permissions import Journey, are_tags_readable
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.replication.settings import Placement
from backfill.sandbox.model.values import ReplicationStatus
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion

IsReplica = Callable[[Bucket, Entry], bool]


def replica_of(journey: Journey) -> Entry:
    """What arrives of the journey's version."""
    entry = journey.entry
    if isinstance(entry, DeleteMarker):
        return replace(
            entry,
            replication_status=ReplicationStatus.REPLICA,
            owner_id=journey.destination.owner_id,
        )
    return _replica_of_object(journey, entry)


def _replica_of_object(journey: Journey, version: ObjectVersion) -> ObjectVersion:
    source, destination, rule = journey.source, journey.destination, journey.rule
    is_translated = _is_translated(destination, rule)
    encryption = replica_encryption(journey.world, source, destination, version, rule)
    return replace(
        version,
        owner_id=destination.owner_id if is_translated else source.owner_id,
        acl=None if is_translated else version.acl,
        lock=lock_of_write(destination, version.lock, journey.world.clock()),
        storage_class=rule.storage_class or version.storage_class,
        tags=version.tags if version.tags and are_tags_readable(journey) else (),
        encryption=encryption,
        etag=journey.world.opaque_etag() if encryption.is_kms else version.etag,
        replication_status=ReplicationStatus.REPLICA,
    )


def _is_translated(destination: Bucket, rule: Rule) -> bool:
    """Whether the destination's owner owns the replica; then ACLs do not follow."""
    return rule.overrides_owner or destination.object_ownership == "BucketOwnerEnforced"


def updated(there: ObjectVersion, journey: Journey, version: ObjectVersion) -> ObjectVersion:
    """The other side's version with the tags, the lock and the ACL of this one."""
    tags = version.tags if are_tags_readable(journey) else there.tags
    acl = there.acl if _is_translated(journey.destination, journey.rule) else version.acl
    return replace(there, tags=tags, lock=version.lock or there.lock, acl=acl)


def position_of(
    replica: Entry, destination: Bucket, placement: Placement, is_replica: IsReplica
) -> int:
    """Where in the chain (oldest first) a replica lands."""
    chain = destination.chain(replica.key)
    by_time = placement is Placement.ORIGINAL_TIME
    for index, there in enumerate(chain):
        if is_replica(destination, there):
            is_later = there.sequence > replica.sequence
        else:
            is_later = by_time and there.created_at > replica.created_at
        if is_later:
            return index
    return len(chain)
