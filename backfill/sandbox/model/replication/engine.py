"""Live replication: what a write calls for is queued, and carried out when its time has come.

Never retries: a replication that fails is FAILED until somebody runs Batch Replication
(UG: replication-status). Never carries permanent deletions, nor what lifecycle does; of replicas
only changes of tags, ACL and lock, where both sides' rules say so.
Law: a version is PENDING while anything of it is under way, and then what all of it came to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heappop, heappush

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.replication import codes
from backfill.sandbox.model.replication.evaluation import modification_rules_for, rules_for
from backfill.sandbox.model.replication.obstacles import obstacle
from backfill.sandbox.model.replication.permissions import Journey
from backfill.sandbox.model.replication.replicas import position_of, replica_of, updated
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.replication.tasks import PendingReplication, ReplicationTask
from backfill.sandbox.model.replication.watching import Watching
from backfill.sandbox.model.values import ReplicationStatus
from backfill.sandbox.model.versions import Entry, ObjectVersion
from backfill.sandbox.model.world import World

Name = tuple[str, str, str]
"""Bucket, key and version ID."""


class ReplicationEngine:
    """Live replication of all buckets, moved on by `advance`."""

    def __init__(self, world: World, settings: ReplicationSettings) -> None:
        self._world = world
        self.settings = settings
        self._watching = Watching(world)
        self._queue: list[tuple[datetime, int, ReplicationTask]] = []
        self._queued = 0
        self._open: dict[Name, list[str]] = {}
        """Replications under way of a version, by destination, "" for mere changes of attributes:
        it is PENDING until none is left."""
        self._failed: set[Name] = set()
        self._replicas: set[Name] = set()
        """Replicas that do not say so: their own changes are under way, or failed."""

    def version_written(self, bucket: Bucket, entry: Entry) -> None:
        """See what a client's write calls for."""
        if bucket.replication is None:
            return
        rules = rules_for(bucket.replication, entry)
        if rules:
            name = _name(bucket, entry)
            self._failed.discard(name)
            self._replicas.discard(name)
            self._enqueue(bucket, entry, rules, is_live=True, is_attributes_only=False)

    def attributes_changed(self, bucket: Bucket, version: ObjectVersion) -> None:
        """See what a change of tags, ACL or lock calls for.

        Only versions that were replicated take their changes along; one that a tag makes eligible
        now is left to Batch Replication (UG: replication-what-is-isnot-replicated). A replica's
        changes go back where replica modification sync is on, on both sides
        (UG: replication-for-metadata-changes).
        """
        if bucket.replication is None or version.replication_status is None:
            return
        if self._is_replica(bucket, version):
            rules = modification_rules_for(self._world, bucket, version)
        else:
            rules = rules_for(bucket.replication, version)
        if not rules:
            return
        name = _name(bucket, version)
        if version.replication_status is ReplicationStatus.REPLICA:
            self._replicas.add(name)
        if not self._open.get(name):
            self._failed.discard(name)
        self._enqueue(bucket, version, rules, is_live=True, is_attributes_only=True)

    def is_under_way(self, bucket: Bucket, entry: Entry, destination_bucket: str) -> bool:
        """Whether the version itself, not a change of it, is on its way to that destination."""
        return destination_bucket in self._open.get(_name(bucket, entry), ())

    def initiate(
        self,
        bucket: Bucket,
        entry: Entry,
        rules: tuple[Rule, ...],
        *,
        failures: Sequence[tuple[Rule, str]],
    ) -> None:
        """Send an existing version on its way by these rules, as Batch Replication does.

        `failures`: rules whose destinations cannot be reached, with their codes; so the version
        will be FAILED when nothing is under way any more.
        """
        name = _name(bucket, entry)
        is_under_way = bool(self._open.get(name))
        if not is_under_way:
            self._failed.discard(name)
        if rules:
            self._enqueue(bucket, entry, rules, is_live=False, is_attributes_only=False)
        if failures and (rules or is_under_way):
            self._failed.add(name)
        elif failures:
            bucket.swap(replace(entry, replication_status=ReplicationStatus.FAILED))
        for rule, code in failures:
            self._watching.refused(bucket, entry, rule, code, self._world.clock(), self.settings)

    def pending(self) -> tuple[PendingReplication, ...]:
        """What is under way, soonest first."""
        return tuple(task.pending for _, _, task in sorted(self._queue, key=lambda item: item[:2]))

    def next_due_at(self) -> datetime | None:
        """When `advance` will next have something to do; None with nothing under way."""
        return self._queue[0][0] if self._queue else None

    def advance(self, now: datetime) -> int:
        """Carry out everything due by `now`; the number of replications carried out."""
        self._watching.advance(now, (task for _, _, task in self._queue))
        done = 0
        while self._queue and self._queue[0][0] <= now:
            self._miss_thresholds(self._queue[0][0])
            self._carry_out(heappop(self._queue)[2])
            done += 1
        self._miss_thresholds(now)
        return done

    def _miss_thresholds(self, until: datetime) -> None:
        """Tell of what is under way for longer than Replication Time Control promises."""
        while (at := self._watching.next_threshold_at()) is not None and at < until:
            self._watching.miss(self.settings)

    def _enqueue(
        self,
        bucket: Bucket,
        entry: Entry,
        rules: tuple[Rule, ...],
        *,
        is_live: bool,
        is_attributes_only: bool,
    ) -> None:
        assert bucket.replication is not None
        settings = self.settings
        for rule in rules:
            lag_s = self._world.random.uniform(settings.shortest_lag_s, settings.longest_lag_s)
            now = self._world.clock()
            self._queued += 1
            task = ReplicationTask(
                number=self._queued,
                requested_at=now,
                due_at=now + timedelta(seconds=lag_s),
                source_bucket=bucket.name,
                entry=entry,
                rule=rule,
                role=bucket.replication.role,
                is_live=is_live,
                is_attributes_only=is_attributes_only,
            )
            heappush(self._queue, (task.due_at, self._queued, task))
            self._open.setdefault(task.name, []).append(task.label)
            self._watching.begun(task)
        bucket.swap(replace(entry, replication_status=ReplicationStatus.PENDING))

    def _carry_out(self, task: ReplicationTask) -> None:
        name = task.name
        source = self._world.buckets.get(task.source_bucket)
        entry = source.find(task.entry.key, task.entry.version_id) if source else None
        self._open[name].remove(task.label)
        if source is None or entry is None or entry.sequence != task.entry.sequence:
            self._watching.lost(task, self.settings)
            self._forget(name)
            return  # deleted for good, or overwritten, before its turn
        code = self._deliver(source, entry, task)
        if code is None:
            self._watching.delivered(task, self.settings)
        else:
            self._failed.add(name)
            self._watching.failed(task, code, self.settings)
        if not self._open[name]:
            source.swap(replace(entry, replication_status=self._final_status(name)))
            self._forget(name)

    def _final_status(self, name: Name) -> ReplicationStatus:
        """What a version says when nothing of it is under way any more."""
        if name in self._failed:
            return ReplicationStatus.FAILED
        if name in self._replicas:
            self._replicas.discard(name)
            return ReplicationStatus.REPLICA
        return ReplicationStatus.COMPLETED

    def _forget(self, name: Name) -> None:
        if not self._open[name]:
            del self._open[name]
            self._failed.discard(name)

    def _deliver(self, source: Bucket, entry: Entry, task: ReplicationTask) -> str | None:
        """Carry it over; the code of what was in the way, if anything was."""
        found = obstacle(self._world, source, entry, task.rule, task.role)
        if found is not None:
            return found.code
        destination = self._world.buckets[task.rule.destination_bucket]
        journey = Journey(
            world=self._world,
            source=source,
            destination=destination,
            entry=entry,
            rule=task.rule,
            role=task.role,
        )
        if task.is_attributes_only:
            return _updated(journey)
        replica = replica_of(journey)
        place = position_of(replica, destination, self.settings.placement, self._is_replica)
        destination.place(replica, place)
        return None

    def _is_replica(self, bucket: Bucket, entry: Entry) -> bool:
        is_said = entry.replication_status is ReplicationStatus.REPLICA
        return is_said or _name(bucket, entry) in self._replicas


def _updated(journey: Journey) -> str | None:
    """Let tags, ACL and lock follow; the code for a version that is not there to be changed."""
    version = journey.entry
    there = journey.destination.find(version.key, version.version_id)
    if not (isinstance(there, ObjectVersion) and isinstance(version, ObjectVersion)):
        return codes.NO_VERSION.code  # deleted there: changes have nothing to change
    journey.destination.swap(updated(there, journey, version))
    return None


def _name(bucket: Bucket, entry: Entry) -> Name:
    return bucket.name, entry.key, entry.version_id
