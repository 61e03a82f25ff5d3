"""Which rules a write meets: one rule for each destination bucket, the highest priority first.

Never looks at the destination.
Law: what S3 skips silently (archive classes, SSE-KMS without the opt-in, delete markers of rules
that do not want them or that lifecycle made) gets no rule, hence no status
(UG: replication-what-is-isnot-replicated).
"""

from __future__ import annotations

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.replication.rules import ReplicationConfiguration, Rule
from backfill.sandbox.model.values import ServerSideEncryption
from backfill.sandbox.model.versions import ARCHIVE_CLASSES, DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.model.world import World

_KMS = (ServerSideEncryption.SSE_KMS, ServerSideEncryption.DSSE_KMS)


def rules_for(configuration: ReplicationConfiguration, entry: Entry) -> tuple[Rule, ...]:
    """The rules by which a fresh version or marker is replicated, one a destination."""
    tags: Pairs = entry.tags if isinstance(entry, ObjectVersion) else ()
    winners: dict[str, Rule] = {}
    for rule in configuration.rules:
        if not (rule.is_enabled and rule.matches_key(entry.key) and rule.matches_tags(tags)):
            continue
        rival = winners.get(rule.destination_bucket)
        if rival is None or (rule.priority or 0) > (rival.priority or 0):
            winners[rule.destination_bucket] = rule
    return tuple(rule for rule in winners.values() if _is_wanted(rule, entry))


def modification_rules_for(
    world: World, bucket: Bucket, version: ObjectVersion
) -> tuple[Rule, ...]:
    """The rules by which a change of a replica goes back: both sides must want it.

    (UG: replication-for-metadata-changes.)
    """
    if bucket.replication is None:
        return ()
    return tuple(
        rule
        for rule in rules_for(bucket.replication, version)
        if rule.replicates_modifications and _is_wanted_back(world, bucket, rule)
    )


def _is_wanted_back(world: World, bucket: Bucket, rule: Rule) -> bool:
    """Whether the other side has such a rule for this bucket."""
    there = world.buckets.get(rule.destination_bucket)
    if there is None or there.replication is None:
        return False
    return any(
        back.is_enabled and back.replicates_modifications and back.destination_bucket == bucket.name
        for back in there.replication.rules
    )


def _is_wanted(rule: Rule, entry: Entry) -> bool:
    if isinstance(entry, DeleteMarker):
        return rule.replicates_delete_markers and not entry.is_made_by_lifecycle
    if entry.storage_class in ARCHIVE_CLASSES or entry.archive_status is not None:
        return False
    return entry.encryption.algorithm not in _KMS or rule.selects_kms
