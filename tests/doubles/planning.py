"""Builders for plans: entries, heads, rules and terms, each with one obvious default."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from backfill.campaign import Scope
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.objects import DeleteMarker, ETag, ObjectVersion, VersionId
from backfill.plan.rules import Rule, RuleDestination
from backfill.plan.terms import DestinationTerms, Terms

HORIZON = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = HORIZON - timedelta(days=30)
DESTINATION = "destination-bucket"
ENCRYPTIONS = {kind: Encryption(kind=kind) for kind in EncryptionKind}


def version(key: str, version_id: str, etag: str, size_bytes: int, **changes: Any) -> ObjectVersion:
    plain = ObjectVersion(
        key=key,
        version_id=VersionId(version_id),
        is_latest=False,
        last_modified=BEFORE,
        etag=ETag(etag),
        size_bytes=size_bytes,
        storage_class="STANDARD",
    )
    return replace(plain, **changes)


def marker(key: str, version_id: str, **changes: Any) -> DeleteMarker:
    plain = DeleteMarker(
        key=key, version_id=VersionId(version_id), is_latest=False, last_modified=BEFORE
    )
    return replace(plain, **changes)


def head_of(entry: ObjectVersion, **changes: Any) -> ObjectHead:
    """Return the head that a store would give for a listed version, SSE-S3 and without tags."""
    plain = ObjectHead(
        version_id=entry.version_id,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        last_modified=entry.last_modified,
        storage_class=entry.storage_class,
        metadata=(),
        content_headers=ContentHeaders(),
        tag_count=0,
        checksums=(),
        encryption=ENCRYPTIONS[EncryptionKind.SSE_S3],
        replication_status=ReplicationStatus.NONE,
    )
    return replace(plain, **changes)


def rule(rule_id: str = "all", *, bucket: str = DESTINATION, **changes: Any) -> Rule:
    destination = {
        name: changes.pop(name)
        for name in ("storage_class", "replica_kms_key", "is_owner_translated")
        if name in changes
    }
    plain = Rule(
        id=rule_id,
        is_enabled=True,
        prefix="",
        tags=(),
        priority=1,
        destination=RuleDestination(bucket=bucket, **destination),
        replicates_delete_markers=False,
    )
    return replace(plain, **changes)


def terms(*rules: Rule, has_acls: bool = False, tags: Pairs = (), **changes: Any) -> Terms:
    """Return the terms of a plan under these rules, live themselves, one order of destinations."""
    buckets = list(dict.fromkeys(each.destination.bucket for each in rules)) or [DESTINATION]
    destinations = []
    for bucket in buckets:
        mine = [each for each in rules if each.destination.bucket == bucket]
        ordered = tuple(sorted(mine, key=lambda each: -(each.priority or 0)))
        destinations.append(
            DestinationTerms(bucket=bucket, rules=ordered, live_rules=ordered, has_acls=has_acls)
        )
    plain = Terms(scope=Scope(tags=tags), horizon=HORIZON, destinations=tuple(destinations))
    return replace(plain, **changes)
