"""What S3 tells CloudWatch about replication: one datum of one metric.

Never keeps a history: who listens does.
Law: the namespace is always AWS/S3 (UG: viewing-replication-metrics).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.errors import Pairs

NAMESPACE = "AWS/S3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One datum, in the Region and account where a reader finds it."""

    metric: str
    """E.g. `OperationsPendingReplication`."""
    unit: str
    """CloudWatch's: `Count`, `Bytes`, `Seconds` or `None`."""
    region: str
    account_id: str
    dimensions: Pairs
    """`SourceBucket`, `DestinationBucket`, `RuleId`."""
    value: float
    at: datetime


Measure = Callable[[Measurement], None]


def measure_nothing(_measurement: Measurement) -> None:
    """Forget a datum: a world without CloudWatch."""
