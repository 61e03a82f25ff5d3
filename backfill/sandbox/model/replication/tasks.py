"""A replication under way: one version, one rule, one destination.

Law: a task is a value; what became of it is the engine's to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.replication.rules import Rule
from backfill.sandbox.model.versions import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReplication:
    """A replication that is under way, as tests look at it."""

    due_at: datetime
    source_bucket: str
    key: str
    version_id: str
    destination_bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationTask:
    """A replication that is under way."""

    number: int
    """Rank among all tasks."""
    requested_at: datetime
    due_at: datetime
    source_bucket: str
    entry: Entry
    """As it was when it was sent on its way; by its turn it may be gone or another null version."""
    rule: Rule
    role: str
    is_live: bool
    """A client's write, not a job, sent it: only then it is pending in metrics and under RTC."""
    is_attributes_only: bool = False

    @property
    def label(self) -> str:
        """How it is known while it is under way."""
        return "" if self.is_attributes_only else self.rule.destination_bucket

    @property
    def name(self) -> tuple[str, str, str]:
        """The version that it carries."""
        return self.source_bucket, self.entry.key, self.entry.version_id

    @property
    def is_timed(self) -> bool:
        """Whether Replication Time Control watches it; not for markers (UG: replication-rtc)."""
        return self.is_live and self.rule.has_time_control

    @property
    def pending(self) -> PendingReplication:
        """The task as tests look at it."""
        return PendingReplication(
            due_at=self.due_at,
            source_bucket=self.source_bucket,
            key=self.entry.key,
            version_id=self.entry.version_id,
            destination_bucket=self.rule.destination_bucket,
        )
