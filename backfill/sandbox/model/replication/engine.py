"""Live replication: what a write calls for is queued, and carried out when its time has come.

Never retries: a replication that fails is FAILED until somebody runs Batch Replication
(UG: replication-status). Never carries permanent deletions, nor what replicas or lifecycle do.
Law: a replica has its source's version ID, creation time and rank.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.replication.evaluation import rules_for
from backfill.sandbox.model.replication.keys import replica_encryption
from backfill.sandbox.model.replication.obstacles import obstacle
from backfill.sandbox.model.replication.permissions import Journey, are_tags_readable
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.replication.settings import Placement, ReplicationSettings
from backfill.sandbox.model.values import ReplicationStatus
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReplication:
    """A replication that is under way."""

    due_at: datetime
    source_bucket: str
    key: str
    version_id: str
    destination_bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    pending: PendingReplication
    sequence: int
    """Of the source entry: a null version may have been overwritten meanwhile."""
    rule: Rule
    role: str
    is_attributes_only: bool = False

    @property
    def label(self) -> str:
        """How it is known while it is under way."""
        return "" if self.is_attributes_only else self.rule.destination_bucket


class ReplicationEngine:
    """Live replication of all buckets, moved on by `advance`."""

    def __init__(self, world: World, settings: ReplicationSettings) -> None:
        self._world = world
        self.settings = settings
        self._queue: list[tuple[datetime, int, _Task]] = []
        self._queued = 0
        self._open: dict[tuple[str, str, str], list[str]] = {}
        """Replications under way of a version, by destination, "" for mere changes of attributes:
        it is PENDING until none is left."""
        self._failed: set[tuple[str, str, str]] = set()

    def version_written(self, bucket: Bucket, entry: Entry) -> None:
        """See what a client's write calls for."""
        if bucket.replication is None:
            return
        rules = rules_for(bucket.replication, entry)
        if rules:
            self._failed.discard((bucket.name, entry.key, entry.version_id))
            self._enqueue(bucket, entry, rules, is_attributes_only=False)

    def attributes_changed(self, bucket: Bucket, version: ObjectVersion) -> None:
        """See what a change of tags or lock calls for.

        Only versions that were replicated take their changes along; one that a tag makes eligible
        now is left to Batch Replication (UG: replication-what-is-isnot-replicated).
        """
        status = version.replication_status
        if bucket.replication is None or status in (None, ReplicationStatus.REPLICA):
            return
        rules = rules_for(bucket.replication, version)
        if rules:
            self._enqueue(bucket, version, rules, is_attributes_only=True)

    def is_under_way(self, bucket: Bucket, entry: Entry, destination_bucket: str) -> bool:
        """Whether the version itself, not a change of it, is on its way to that destination."""
        name = (bucket.name, entry.key, entry.version_id)
        return destination_bucket in self._open.get(name, ())

    def initiate(
        self, bucket: Bucket, entry: Entry, rules: tuple[Rule, ...], *, has_failed: bool
    ) -> None:
        """Send an existing version on its way by these rules, as Batch Replication does.

        `has_failed`: another rule's destination cannot be reached, so the version will be FAILED
        when nothing is under way any more.
        """
        name = (bucket.name, entry.key, entry.version_id)
        is_under_way = bool(self._open.get(name))
        if not is_under_way:
            self._failed.discard(name)
        if rules:
            self._enqueue(bucket, entry, rules, is_attributes_only=False)
        if has_failed and (rules or is_under_way):
            self._failed.add(name)
        elif has_failed:
            bucket.swap(replace(entry, replication_status=ReplicationStatus.FAILED))

    def pending(self) -> tuple[PendingReplication, ...]:
        """What is under way, soonest first."""
        return tuple(task.pending for _, _, task in sorted(self._queue, key=lambda item: item[:2]))

    def next_due_at(self) -> datetime | None:
        """When `advance` will next have something to do; None with nothing under way."""
        return self._queue[0][0] if self._queue else None

    def advance(self, now: datetime) -> int:
        """Carry out everything due by `now`; the number of replications carried out."""
        done = 0
        while self._queue and self._queue[0][0] <= now:
            self._carry_out(heappop(self._queue)[2])
            done += 1
        return done

    def _enqueue(
        self, bucket: Bucket, entry: Entry, rules: tuple[Rule, ...], *, is_attributes_only: bool
    ) -> None:
        assert bucket.replication is not None
        settings = self.settings
        for rule in rules:
            lag_s = self._world.random.uniform(settings.shortest_lag_s, settings.longest_lag_s)
            due_at = self._world.clock() + timedelta(seconds=lag_s)
            pending = PendingReplication(
                due_at=due_at,
                source_bucket=bucket.name,
                key=entry.key,
                version_id=entry.version_id,
                destination_bucket=rule.destination_bucket,
            )
            task = _Task(
                pending=pending,
                sequence=entry.sequence,
                rule=rule,
                role=bucket.replication.role,
                is_attributes_only=is_attributes_only,
            )
            self._queued += 1
            heappush(self._queue, (due_at, self._queued, task))
            name = (bucket.name, entry.key, entry.version_id)
            self._open.setdefault(name, []).append(task.label)
        bucket.swap(replace(entry, replication_status=ReplicationStatus.PENDING))

    def _carry_out(self, task: _Task) -> None:
        pending = task.pending
        source = self._world.buckets.get(pending.source_bucket)
        entry = source.find(pending.key, pending.version_id) if source else None
        name = (pending.source_bucket, pending.key, pending.version_id)
        self._open[name].remove(task.label)
        if source is None or entry is None or entry.sequence != task.sequence:
            self._forget(name)
            return  # deleted for good, or overwritten, before its turn
        if not self._deliver(source, entry, task):
            self._failed.add(name)
        if not self._open[name]:
            has_failed = name in self._failed
            status = ReplicationStatus.FAILED if has_failed else ReplicationStatus.COMPLETED
            source.swap(replace(entry, replication_status=status))
            self._forget(name)

    def _forget(self, name: tuple[str, str, str]) -> None:
        if not self._open[name]:
            del self._open[name]
            self._failed.discard(name)

    def _deliver(self, source: Bucket, entry: Entry, task: _Task) -> bool:
        if obstacle(self._world, source, entry, task.rule, task.role) is not None:
            return False
        destination = self._world.buckets[task.rule.destination_bucket]
        if isinstance(entry, DeleteMarker):
            owner_id = destination.owner_id
            replica: Entry = replace(
                entry, replication_status=ReplicationStatus.REPLICA, owner_id=owner_id
            )
        else:
            replica = self._replica(source, destination, entry, task)
        if task.is_attributes_only:
            return self._update(destination, replica)
        destination.place(replica, self._position(destination, replica))
        return True

    def _update(self, destination: Bucket, replica: Entry) -> bool:
        there = destination.find(replica.key, replica.version_id)
        if not (isinstance(there, ObjectVersion) and isinstance(replica, ObjectVersion)):
            return False  # deleted there: changes have nothing to change
        destination.swap(replace(there, tags=replica.tags, lock=replica.lock))
        return True

    def _replica(
        self, source: Bucket, destination: Bucket, version: ObjectVersion, task: _Task
    ) -> ObjectVersion:
        rule = task.rule
        is_enforced = destination.object_ownership == "BucketOwnerEnforced"
        is_translated = rule.overrides_owner or is_enforced
        journey = Journey(
            world=self._world,
            source=source,
            destination=destination,
            entry=version,
            rule=rule,
            role=task.role,
        )
        encryption = replica_encryption(self._world, source, destination, version, rule)
        return replace(
            version,
            owner_id=destination.owner_id if is_translated else source.owner_id,
            acl="private" if is_translated else version.acl,
            storage_class=rule.storage_class or version.storage_class,
            tags=version.tags if version.tags and are_tags_readable(journey) else (),
            encryption=encryption,
            etag=self._world.opaque_etag() if encryption.is_kms else version.etag,
            replication_status=ReplicationStatus.REPLICA,
        )

    def _position(self, destination: Bucket, replica: Entry) -> int:
        """Where in the chain (oldest first) a replica lands."""
        chain = destination.chain(replica.key)
        by_time = self.settings.placement is Placement.ORIGINAL_TIME
        for index, there in enumerate(chain):
            if there.replication_status is ReplicationStatus.REPLICA:
                is_later = there.sequence > replica.sequence
            else:
                is_later = by_time and there.created_at > replica.created_at
            if is_later:
                return index
        return len(chain)
