"""Builders for plans: entries, heads, rules and terms, each with one obvious default; and worlds.

A world is inventories of a source and its destinations, and a store that knows their versions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

from backfill.campaign import ManifestWay, Scope
from backfill.inventory.rows import row_of
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.rows import Scalar
from backfill.plan.header import PlanHeader
from backfill.plan.rules import Rule, RuleDestination, Rules
from backfill.plan.run import PlanWork
from backfill.plan.stretches import Listings
from backfill.plan.terms import COPY_ONLY, Delivery, DestinationTerms, Terms
from tests.doubles.known_versions import KnownVersions
from tests.doubles.listings import ListedBuckets, place, random_chains

HORIZON = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = HORIZON - timedelta(days=30)
DESTINATION = "destination-bucket"
ENCRYPTIONS = {kind: Encryption(kind=kind) for kind in EncryptionKind}
SOURCE = "source-bucket"
TAG = (("t", "1"),)


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
    return plain._replace(**changes)


def marker(key: str, version_id: str, **changes: Any) -> DeleteMarker:
    plain = DeleteMarker(
        key=key, version_id=VersionId(version_id), is_latest=False, last_modified=BEFORE
    )
    return plain._replace(**changes)


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
    return plain._replace(**changes)


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


TO_X = rule("to-x", bucket="x", replicates_delete_markers=True)
TO_Y = rule("to-y", bucket="y", prefix="a", priority=2)
TAGGED_Y = rule("tagged-y", bucket="y", tags=TAG, priority=1)


def blocks_of(entries: Iterable[ListedEntry]) -> Iterator[list[list[Scalar]]]:
    """Give the rows of an inventory, in blocks that end amid whatever a stage takes together."""
    rows = (list(row_of(entry)) for entry in entries)
    while block := list(islice(rows, 7)):
        yield block


@dataclass(slots=True, kw_only=True)
class World:
    """Inventories of a source and its destinations, and stores that know their versions."""

    rules: tuple[Rule, ...]
    source: list[ListedEntry]
    destinations: list[list[ListedEntry]]
    store: KnownVersions
    has_acls: bool = False
    delivery: Delivery = COPY_ONLY
    manifest: ManifestWay = ManifestWay.OWN

    def listings(self) -> Listings:
        return Listings(blocks_of(self.source), [blocks_of(each) for each in self.destinations])

    def work(self, concurrency: int = 5) -> PlanWork:
        made = terms(
            *self.rules, has_acls=self.has_acls, delivery=self.delivery, manifest=self.manifest
        )
        return PlanWork(
            header=PlanHeader(
                source=place(SOURCE),
                destinations=tuple(place(each.bucket) for each in made.destinations),
                horizon=HORIZON,
            ),
            terms=made,
            rules=Rules(rules=self.rules),
            listings=self.listings,
            inventories={"inventory/source": "digest"},
            source_store=self.store.port,
            destination_store=self.store.port,
            concurrency=concurrency,
        )

    def know(self, bucket: str, entry: ObjectVersion, tags: int = 0) -> None:
        name = bucket, entry.key, entry.version_id
        self.store.heads[name] = head_of(entry, tag_count=tags)
        if tags:
            self.store.tags[name] = TAG


def world_of(
    *rules: Rule, source: list[ListedEntry], destinations: list[list[ListedEntry]]
) -> World:
    made = World(rules=rules, source=source, destinations=destinations, store=KnownVersions())
    for entry in source:
        if isinstance(entry, ObjectVersion):
            made.know(SOURCE, entry)
    return made


def random_world(seed: int) -> World:
    """Return a source with chains and two destinations with some of them, some replaced."""
    chance = Random(seed)
    source = random_chains(chance, [f"{letter}{n}" for letter in "ab" for n in range(40)])
    destinations = [
        random_chains(chance, [f"{letter}{n}" for n in range(10, 20)]) for letter in "ab"
    ]
    kept = {f"a{n}" for n in range(20, 30)}
    destinations[0] = sorted(
        [*destinations[0], *(each for each in source if each.key in kept)],
        key=lambda each: each.key,
    )
    made = world_of(TO_X, TO_Y, TAGGED_Y, source=source, destinations=destinations)
    for entry in source:
        if isinstance(entry, ObjectVersion) and chance.random() < 0.5:
            made.know(SOURCE, entry, tags=1)
    for bucket, entries in zip("xy", destinations, strict=True):
        for entry in entries:
            if isinstance(entry, ObjectVersion):
                made.know(bucket, entry)
    return made


class ReadableBuckets(ListedBuckets):
    """Buckets that can be listed and read: entries by bucket, and what is known of each."""

    def __init__(
        self, buckets: Mapping[str, Sequence[ListedEntry]], known: KnownVersions, **limits: int
    ) -> None:
        super().__init__(buckets, **limits)
        self.head_object = known.head_object
        self.get_object_tagging = known.get_object_tagging
        self.object_acl = known.object_acl
