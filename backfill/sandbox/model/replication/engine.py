"""Interface first: the engine follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReplication:
    """A replication that is under way."""

    due_at: datetime
    source_bucket: str
    key: str
    version_id: str
    destination_bucket: str


class ReplicationEngine:
    """Live replication of all buckets, moved on by `advance`."""

    def __init__(self, world: World, settings: ReplicationSettings) -> None:
        self._world = world
        self.settings = settings

    def version_written(self, bucket: object, entry: object) -> None:
        """See what a client's write calls for."""

    def attributes_changed(self, bucket: object, version: object) -> None:
        """See what a change of tags or lock calls for."""

    def pending(self) -> tuple[PendingReplication, ...]:
        """What is under way, soonest first."""
        raise NotImplementedError

    def next_due_at(self) -> datetime | None:
        """When `advance` will next have something to do; None with nothing under way."""
        raise NotImplementedError

    def advance(self, now: datetime) -> int:
        """Carry out everything due by `now`; the number of replications carried out."""
        raise NotImplementedError
