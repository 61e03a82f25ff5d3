"""How live replication behaves where S3 promises nothing: its lag and the place of replicas."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Placement(StrEnum):
    """Where a replica lands among versions of its key that were stamped later.

    S3 does not say. Among replicas the source's order always holds.
    """

    ARRIVAL = "arrival"
    """On top of what was written at the destination itself."""
    ORIGINAL_TIME = "original_time"
    """Below versions whose creation time is later than the replica's original one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationSettings:
    """Each replication of a version to a destination takes between the two lags, drawn evenly."""

    shortest_lag_s: float = 0.0
    longest_lag_s: float = 0.0
    placement: Placement = Placement.ORIGINAL_TIME
    longest_event_lag_s: float = 0.0
    """Each event is on its way for up to so long, drawn evenly: so events come unordered."""
    doubled_events: float = 0.0
    """The share of events that come twice: S3 promises at least once (UG: EventNotifications)."""


NO_LAG = ReplicationSettings()
"""Replicas are due at once (but still wait for `advance`): the simplest for tests."""
