"""S3's replication metrics in CloudWatch: what is asked for, where, and what its values show.

Never asks CloudWatch, and never takes missing data for zero: S3 reports on a best-effort basis, and
most of all while it replicates.
Law: no values are `None`, whatever they would have been.

Source: S3 User Guide, repl-metrics and viewing-replication-metrics. Pending operations, bytes and
latency are published in the destination's Region and follow live replication only; failures in the
source's Region, those of Batch Replication included.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from backfill.model.accounts import Datapoint, MetricQuery
from backfill.plan.rules import Rule

WINDOW: Final = timedelta(minutes=60)
"""How far back a look goes. Long enough to show a trend at a value a minute, short enough for what
was mended to go by."""
PERIOD_S: Final = 60
"""S3 publishes a value a minute."""
VALUES_MIN: Final = 4
"""Fewer values show no trend."""
RISE: Final = 1.1
"""By how much the later half of the values must exceed the earlier one: a tenth is noise."""


class Metric(enum.StrEnum):
    """The metrics of a rule, by their names in CloudWatch."""

    PENDING = "OperationsPendingReplication"
    PENDING_BYTES = "BytesPendingReplication"
    LATENCY = "ReplicationLatency"
    FAILED = "OperationsFailedReplication"


class Trend(enum.StrEnum):
    """Where the values of a metric went within the last hour."""

    RISING = "rising"
    """The later half is above the earlier one by more than a tenth."""
    FALLING = "falling"
    """It is below it by as much."""
    STEADY = "steady"
    """Neither."""
    UNKNOWN = "unknown"
    """Too few values for a trend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the values of a metric show: the newest and its time, all together, and the trend."""

    newest: float
    at: datetime
    total: float
    trend: Trend


def queries_of(
    rule: Rule, *, source_bucket: str, source_region: str, destination_region: str
) -> Mapping[Metric, MetricQuery]:
    """Return what to ask for a rule that has metrics."""
    dimensions = (
        ("SourceBucket", source_bucket),
        ("DestinationBucket", rule.destination.bucket),
        ("RuleId", rule.id),
    )
    return {
        metric: MetricQuery(
            region=source_region if metric is Metric.FAILED else destination_region,
            name=metric.value,
            dimensions=dimensions,
            statistic="Sum" if metric is Metric.FAILED else "Maximum",
            period_s=PERIOD_S,
        )
        for metric in Metric
    }


def measured(points: Sequence[Datapoint]) -> Measured | None:
    """Return what values show; None where there are none."""
    if not points:
        return None
    ordered = sorted(points, key=lambda point: point.at)
    return Measured(
        newest=ordered[-1].value,
        at=ordered[-1].at,
        total=sum(point.value for point in ordered),
        trend=trend_of([point.value for point in ordered]),
    )


def trend_of(values: Sequence[float]) -> Trend:
    """Compare the medians of both halves, so that one odd value is no trend."""
    if len(values) < VALUES_MIN:
        return Trend.UNKNOWN
    half = len(values) // 2
    earlier, later = median(values[:half]), median(values[-half:])
    if later > earlier * RISE:
        return Trend.RISING
    return Trend.FALLING if earlier > later * RISE else Trend.STEADY
