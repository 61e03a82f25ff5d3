"""What CloudWatch is told about replication, once in a minute of the sandbox's clock.

Pending operations, pending bytes and latency go to the destination's Region and know live
replication only; failures go to the source's Region, those of Batch Replication included
(UG: viewing-replication-metrics). Nothing is told of rules without metrics.
Law: a rule that is idle is silent: after a last zero its data are missing, as on AWS.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.measurements import Measurement
from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.replication.tasks import ReplicationTask
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World

_RuleName = tuple[str, str]
"""Source bucket and rule ID."""


# Open to change: it adds up.
@dataclass(slots=True, kw_only=True)
class _Load:
    """What waits by one rule."""

    operations: int = 0
    size_bytes: int = 0
    oldest: datetime | None = None

    def add(self, task: ReplicationTask) -> None:
        self.operations += 1
        if isinstance(task.entry, ObjectVersion) and not task.is_attributes_only:
            self.size_bytes += task.entry.size_bytes
        requested_at = task.requested_at
        self.oldest = requested_at if self.oldest is None else min(self.oldest, requested_at)


class Meter:
    """Counts failures and measures what waits."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._minute: datetime | None = None
        self._failed: Counter[_RuleName] = Counter()
        self._busy: set[_RuleName] = set()
        """Rules by which something waited when they were measured last."""

    def count_failure(self, source_bucket: str, rule: Rule) -> None:
        """Take note of a replication that failed."""
        self._failed[source_bucket, rule.rule_id] += 1

    def advance(self, now: datetime, tasks: Iterable[ReplicationTask]) -> None:
        """Tell CloudWatch, if another minute has begun since it was told last."""
        minute = now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return
        self._minute = minute
        loads: defaultdict[_RuleName, _Load] = defaultdict(_Load)
        for task in tasks:
            if task.is_live and task.rule.has_metrics:
                loads[task.source_bucket, task.rule.rule_id].add(task)
        for bucket in self._world.buckets.values():
            if bucket.replication is None:
                continue
            for rule in bucket.replication.rules:
                if rule.has_metrics and rule.is_enabled:
                    self._measure_rule(bucket, rule, loads[bucket.name, rule.rule_id], now)
        self._failed.clear()
        self._busy = {name for name, load in loads.items() if load.operations}

    def _measure_rule(self, source: Bucket, rule: Rule, load: _Load, now: datetime) -> None:
        name = (source.name, rule.rule_id)
        if self._failed[name]:
            failed = float(self._failed[name])
            self._tell(source, rule, source.region, "OperationsFailedReplication", failed, now)
        destination = self._world.buckets.get(rule.destination_bucket)
        if destination is None or not (load.operations or name in self._busy):
            return
        behind_s = 0.0 if load.oldest is None else (now - load.oldest).total_seconds()
        for metric, value in (
            ("OperationsPendingReplication", float(load.operations)),
            ("BytesPendingReplication", float(load.size_bytes)),
            ("ReplicationLatency", max(behind_s, 0.0)),
        ):
            self._tell(source, rule, destination.region, metric, value, now)

    def _tell(
        self, source: Bucket, rule: Rule, region: str, metric: str, value: float, now: datetime
    ) -> None:
        self._world.measure(
            Measurement(
                metric=metric,
                unit=_UNITS[metric],
                region=region,
                account_id=source.owner_id,
                dimensions=(
                    ("SourceBucket", source.name),
                    ("DestinationBucket", rule.destination_bucket),
                    ("RuleId", rule.rule_id),
                ),
                value=value,
                at=now,
            )
        )


_UNITS = {
    "OperationsFailedReplication": "Count",
    "OperationsPendingReplication": "Count",
    "BytesPendingReplication": "Bytes",
    "ReplicationLatency": "Seconds",
}
