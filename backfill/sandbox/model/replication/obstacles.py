"""What stands between a version and its replica: the first obstacle, by S3's failure code.

Asked by live replication when a replica's time has come, and by Batch Replication when a task is
carried out; what both know is one list.
Law: nothing is changed here, and the order is fixed: role, destination bucket, source, source key,
destination, replica key.
"""

from __future__ import annotations

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.replication import codes
from backfill.sandbox.model.replication.codes import Obstacle
from backfill.sandbox.model.replication.keys import (
    obstacle_of_replica_key,
    obstacle_of_source_key,
    replica_encryption,
)
from backfill.sandbox.model.replication.permissions import (
    Journey,
    obstacle_at_destination,
    obstacle_at_source,
)
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.roles import REPLICATION
from backfill.sandbox.model.values import Versioning
from backfill.sandbox.model.versions import Entry, ObjectVersion
from backfill.sandbox.model.world import World


def obstacle(world: World, source: Bucket, entry: Entry, rule: Rule, role: str) -> Obstacle | None:
    """The first thing in the way of this version to the rule's destination, if any is."""
    about = (("aws:SourceAccount", source.owner_id), ("aws:SourceArn", source.arn))
    if not world.roles.trusts(role, REPLICATION, about):
        return codes.ROLE_NOT_ASSUMED
    destination = world.buckets.get(rule.destination_bucket)
    if destination is None:
        return codes.NO_BUCKET
    if destination.versioning is not Versioning.ENABLED:
        return codes.UNVERSIONED
    journey = Journey(
        world=world, source=source, destination=destination, entry=entry, rule=rule, role=role
    )
    if isinstance(entry, ObjectVersion):
        return _obstacle_to_object(journey, entry)
    return obstacle_at_source(journey) or obstacle_at_destination(journey, None)


def _obstacle_to_object(journey: Journey, version: ObjectVersion) -> Obstacle | None:
    has_lock = version.lock is not None or journey.source.is_object_lock_enabled
    if has_lock and not journey.destination.is_object_lock_enabled:
        return codes.NO_LOCK
    encryption = replica_encryption(
        journey.world, journey.source, journey.destination, version, journey.rule
    )
    return (
        obstacle_at_source(journey)
        or obstacle_of_source_key(journey, version)
        or obstacle_at_destination(journey, encryption)
        or obstacle_of_replica_key(journey, encryption)
    )
