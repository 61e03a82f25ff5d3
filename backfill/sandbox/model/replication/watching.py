"""What becomes known about replications: events of S3 and numbers for CloudWatch.

Never replicates anything: the engine tells it what happened, and when.
Law: failures are told for rules with metrics, thresholds for rules with Replication Time Control,
and of all others nothing (UG: replication-metrics-events).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from heapq import heappop, heappush

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.notifications import events
from backfill.sandbox.model.notifications.delivery import Announcer
from backfill.sandbox.model.notifications.events import ReplicationEvent
from backfill.sandbox.model.replication.metrics import Meter
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.replication.tasks import ReplicationTask
from backfill.sandbox.model.versions import DeleteMarker, Entry
from backfill.sandbox.model.world import World

THRESHOLD = timedelta(minutes=15)
"""Of Replication Time Control: there is no other (API: ReplicationTimeValue)."""
_SAID = (("threshold", str(int(THRESHOLD.total_seconds()))),)


class Watching:
    """Knows which replications are timed, and tells what becomes of all."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._announcer = Announcer(world)
        self._meter = Meter(world)
        self._timed: dict[int, ReplicationTask] = {}
        self._thresholds: list[tuple[datetime, int]] = []

    def begun(self, task: ReplicationTask) -> None:
        """A task is under way from now on."""
        if task.is_timed and not isinstance(task.entry, DeleteMarker):
            self._timed[task.number] = task
            heappush(self._thresholds, (task.requested_at + THRESHOLD, task.number))

    def next_threshold_at(self) -> datetime | None:
        """When the next task that is still under way misses its threshold."""
        while self._thresholds and self._thresholds[0][1] not in self._timed:
            heappop(self._thresholds)
        return self._thresholds[0][0] if self._thresholds else None

    def miss(self, settings: ReplicationSettings) -> None:
        """Tell of the task whose threshold is the next."""
        at, number = heappop(self._thresholds)
        self._tell(events.MISSED, self._timed[number], at, _SAID, settings)

    def delivered(self, task: ReplicationTask, settings: ReplicationSettings) -> None:
        """A task is done; timed ones that took too long are told."""
        if self._timed.pop(task.number, None) is None:
            return
        took = task.due_at - task.requested_at
        if not self._is_still_timed(task):
            self._tell(events.NOT_TRACKED, task, task.due_at, (), settings)
        elif took > THRESHOLD:
            said = (*_SAID, ("replicationTime", str(int(took.total_seconds()))))
            self._tell(events.LATE, task, task.due_at, said, settings)

    def lost(self, task: ReplicationTask, settings: ReplicationSettings) -> None:
        """Its version was removed or overwritten before its turn."""
        if self._timed.pop(task.number, None) is not None:
            self._tell(events.NOT_TRACKED, task, task.due_at, (), settings)

    def failed(self, task: ReplicationTask, code: str, settings: ReplicationSettings) -> None:
        """A task has failed."""
        self._timed.pop(task.number, None)
        source = self._world.buckets[task.source_bucket]
        self.refused(source, task.entry, task.rule, code, task.due_at, settings, task.requested_at)

    def refused(
        self,
        source: Bucket,
        entry: Entry,
        rule: Rule,
        code: str,
        at: datetime,
        settings: ReplicationSettings,
        requested_at: datetime | None = None,
    ) -> None:
        """A version could not be replicated by a rule."""
        if not rule.has_metrics:
            return
        self._meter.count_failure(source.name, rule)
        self._announcer.announce(
            ReplicationEvent(
                event=events.FAILED,
                bucket=source,
                entry=entry,
                rule_id=rule.rule_id,
                destination_bucket=rule.destination_bucket,
                requested_at=requested_at or at,
                at=at,
                more=(("failureReason", code),),
            ),
            settings,
        )

    def advance(self, now: datetime, tasks: Iterable[ReplicationTask]) -> None:
        """Hand over events that are due, and the numbers of another minute."""
        self._announcer.advance(now)
        self._meter.advance(now, tasks)

    def _is_still_timed(self, task: ReplicationTask) -> bool:
        """Whether the rule is still there and under Replication Time Control."""
        bucket = self._world.buckets.get(task.source_bucket)
        if bucket is None or bucket.replication is None:
            return False
        return any(
            rule.rule_id == task.rule.rule_id and rule.is_enabled and rule.has_time_control
            for rule in bucket.replication.rules
        )

    def _tell(
        self,
        event: str,
        task: ReplicationTask,
        at: datetime,
        more: Pairs,
        settings: ReplicationSettings,
    ) -> None:
        bucket = self._world.buckets.get(task.source_bucket)
        if bucket is None:
            return
        said = ReplicationEvent(
            event=event,
            bucket=bucket,
            entry=task.entry,
            rule_id=task.rule.rule_id,
            destination_bucket=task.rule.destination_bucket,
            requested_at=task.requested_at,
            at=at,
            more=more,
        )
        self._announcer.announce(said, settings)
