"""What judging a plan row by the listings comes to: a verdict, a look, or no verdict at all.

Never holds what a HEAD told (see `looks`).
Law: a row that is not judged carries the reason that says why.
"""

import enum
from datetime import datetime
from typing import NamedTuple

from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.chains import IndexedChain
from backfill.plan.entries import PlanEntry
from backfill.verify.fidelity import ANY, Expected
from backfill.verify.verdicts import Field, VerdictRow

SUPERSEDED = "superseded"
"""The source moved on after the plan, and the destination with it: there is nothing to judge."""
VANISHED = "vanished"
"""The source no longer has the version, so there is nothing to compare with."""
AFTER_HORIZON = "after-horizon"
"""Live replication wrote it after the horizon."""


class PlannedRow(NamedTuple):
    """A plan row and how work on it ended: its outcomes in the order of the rounds."""

    entry: PlanEntry
    outcomes: tuple[Outcome, ...] = ()

    @property
    def own_version_ids(self) -> tuple[VersionId, ...]:
        """Return the destination versions that backfill made for this row, the last one first."""
        made = (outcome.version_id for outcome in reversed(self.outcomes))
        return tuple(version_id for version_id in made if version_id is not None)

    @property
    def delivered_version_ids(self) -> tuple[VersionId, ...]:
        """Return those of them that hold the planned version.

        What a SUPERSEDED outcome made may hold a newer one: the worker copied what had become
        current.
        """
        return tuple(
            outcome.version_id
            for outcome in reversed(self.outcomes)
            if outcome.version_id is not None and outcome.kind is not OutcomeKind.SUPERSEDED
        )


class KeyView(NamedTuple):
    """What the fresh listings show of one key at one destination."""

    key: str
    destination: int
    source_chain: IndexedChain
    destination_chain: IndexedChain
    horizon: datetime

    @property
    def is_visible(self) -> bool:
        """Return whether a reader of the destination sees an object under the key."""
        return isinstance(self.destination_chain.current, ObjectVersion)

    def at_source(self, entry: PlanEntry) -> ListedEntry | None:
        """Return the planned version if the source still has it.

        A null version may have been overwritten in place, so its time must be the planned one.
        """
        found = self.source_chain.by_version_id.get(entry.version_id)
        if found is not None and found.version_id == NULL_VERSION_ID:
            return found if found.last_modified == entry.last_modified else None
        return found

    def at_destination(self, row: PlannedRow) -> ListedEntry | None:
        """Return what delivers the row: the replica that has its version ID, else our own copy."""
        held = self.destination_chain.by_version_id
        if row.entry.version_id != NULL_VERSION_ID and row.entry.version_id in held:
            return held[row.entry.version_id]
        own = (held.get(version_id) for version_id in row.delivered_version_ids)
        return next((version for version in own if version is not None), None)


class SourceSeen(NamedTuple):
    """What HEAD told of the source version of a row whose bytes nothing stored could prove."""

    etag: ETag
    replication_status: ReplicationStatus


class Judged(NamedTuple):
    """A verdict. `unproven`: checksums computed of both versions could still decide content."""

    row: VerdictRow
    unproven: SourceSeen | None = None


class Unjudged(NamedTuple):
    """No verdict, for a reason: of the plan, or one of those above. `number` None: no plan row."""

    number: int | None
    key: str
    destination: int
    reason: str


class LookKind(enum.StrEnum):
    """What has to be read before a row can be judged."""

    COMPARE = "compare"
    """HEAD both sides, and whatever else may decide."""
    SOURCE_STATUS = "source-status"
    """HEAD the source: PENDING means that live replication is still at it."""
    DESTINATION_STATUS = "destination-status"
    """HEAD the destination: REPLICA means that live replication made it."""


class Look(NamedTuple):
    """A look that is needed. `row` is what the listings say if nothing can be read.

    `is_stale`: another version than the one that delivers the row is current, so that content
    which is not proven equal means a wrong current version. `placement`: what is wrong with the
    version's place in its chain, whatever its bytes are.
    """

    kind: LookKind
    row: VerdictRow
    expected: Expected = ANY
    is_stale: bool = False
    placement: tuple[Field, ...] = ()


Decision = Judged | Unjudged | Look
