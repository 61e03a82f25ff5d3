"""What checkers look at: the history, the model's last state, and what the product claims.

Decodes, indexes and counts; judges nothing. A *rank* is the place of a source version in the order
of all writes (the model's sequence), so that null versions and equal bytes are told apart.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from backfill.execute.outcome_rows import outcome_of
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of as manifest_entry_of
from backfill.manifest.run import manifest_name
from backfill.model.outcome import Outcome
from backfill.plan.entries import PlanEntry
from backfill.plan.rows import entry_of as plan_entry_of
from backfill.plan.run import PLAN
from backfill.sandbox.model.values import ReplicationStatus
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.verify.rows import verdict_of, verdicts_name
from backfill.verify.verdicts import VerdictRow
from backfill.work_done import outcomes_name
from tests.doubles.history import Chain, Changed, Damaged, History, Reopened, Retagged, Sent
from tests.simulation.runs import Run
from tests.simulation.scenario import DESTINATION, SOURCE, Scenario


@dataclass(frozen=True, slots=True)
class Window:
    """A write of ours that landed on something newer, which its writer had not been shown.

    A delete marker, which `If-None-Match` does not see; or a version with the very ETag that
    `If-Match` named, because the source has had the same bytes twice.
    """

    key: str
    position: int
    change: Changed
    covered: Entry

    @property
    def is_of_marker(self) -> bool:
        return isinstance(self.covered, DeleteMarker)


class Evidence:
    """One run, indexed."""

    def __init__(self, run: Run, destination: str = DESTINATION, number: int = 0) -> None:
        """`destination` is looked at, which is the plan's of that `number`."""
        self.run = run
        self.destination = destination
        self.number = number
        self.round_number = 0
        self.scenario: Scenario = run.scenario
        self.history: History = run.history
        artifacts = run.artifacts
        plan = map(plan_entry_of, artifacts.held.get(PLAN, []))
        self.plan: list[PlanEntry] = [row for row in plan if row.destination == number]
        self.manifest: list[ManifestEntry] = [
            manifest_entry_of(row) for row in artifacts.held.get(manifest_name(0), [])
        ]
        rows = artifacts.held.get(outcomes_name(0), [])
        self.outcomes: list[Outcome] = [outcome_of(row) for row in rows]
        verdicts = map(verdict_of, artifacts.held.get(verdicts_name(1), []))
        self.verdicts: list[VerdictRow] = [v for v in verdicts if v.destination == number]
        self.ours: dict[tuple[str, str], Changed] = {}
        """Destination versions and markers that a process made, by key and version ID."""
        self.changed: dict[str, list[tuple[int, Changed]]] = defaultdict(list)
        self.source_changed: dict[str, list[tuple[int, Changed]]] = defaultdict(list)
        for position, change in self.history.changes(SOURCE):
            self.source_changed[change.key].append((position, change))
        self.retagged = [event for event in self.history.events if isinstance(event, Retagged)]
        for position, change in self.history.changes(destination):
            self.changed[change.key].append((position, change))
            if change.is_ours and change.made is not None:
                self.ours[change.key, change.made.version_id] = change

    @property
    def worked(self) -> list[tuple[ManifestEntry, Outcome]]:
        """Return every row that has an outcome, with it."""
        numbered = {outcome.number: outcome for outcome in self.outcomes}
        return [
            (entry, numbered[entry.number]) for entry in self.manifest if entry.number in numbered
        ]

    @property
    def by_key(self) -> dict[str, tuple[ManifestEntry, Outcome]]:
        """Return the work on each key; a manifest has one row a key where nothing is a history."""
        return {entry.key: (entry, outcome) for entry, outcome in self.worked}

    def final_outcome(self, key: str) -> Outcome | None:
        """Return what the run says last of the version that was current when it planned."""
        return self.by_key[key][1] if key in self.by_key else None

    @property
    def planned(self) -> dict[str, PlanEntry]:
        """Return the plan row of each key's current entry, as it was at the inventory."""
        return {row.key: row for row in self.plan if row.is_latest}

    def final(self, bucket: str, key: str) -> Chain:
        """Return a key's chain at the end, newest first."""
        return self.run.s3.chain(bucket, key)

    def current(self, bucket: str, key: str) -> Entry | None:
        """Return what is current at the end."""
        chain = self.final(bucket, key)
        return chain[0] if chain else None

    def rank(self, entry: Entry | None) -> int | None:
        """Return the rank of the source version that a destination entry stands for."""
        if entry is None:
            return None
        if entry.replication_status is ReplicationStatus.REPLICA:
            return entry.sequence
        change = self.ours.get((entry.key, entry.version_id))
        return change.source.sequence if change is not None and change.source else None

    def meant(self, entry: ManifestEntry) -> Entry | None:
        """Return the source version that a row is about."""
        chains = [self.history.origins.get((SOURCE, entry.key), ())]
        chains += [change.after for _, change in self.source_changed[entry.key]]
        return next(
            (
                one
                for chain in chains
                for one in chain
                if one.version_id == entry.version_id
                and one.last_modified == entry.last_modified
                and getattr(one, "etag", None) == entry.etag
            ),
            None,
        )

    def is_ours(self, entry: Entry | None) -> bool:
        """Return whether a process of this run made a destination entry."""
        return entry is not None and (entry.key, entry.version_id) in self.ours

    def origin(self, key: str) -> Chain:
        """Return what the destination held of a key before anything happened."""
        return self.history.origins.get((self.destination, key), ())

    def seen(self, key: str) -> set[str | None]:
        """Return the destination versions of a key that the manifest names as seen."""
        return {entry.seen_version_id for entry in self.manifest if entry.key == key}

    def is_strange(self, entry: Entry | None) -> bool:
        """Return whether somebody whom no rule binds made a destination entry during the run."""
        if entry is None:
            return False
        made = [c.made for _, c in self.changed[entry.key] if c.actor in ("stranger", "lifecycle")]
        return any(one is not None and one.version_id == entry.version_id for one in made)

    @cached_property
    def damaged(self) -> set[str]:
        """Return the keys that somebody has damaged at the destination."""
        return {event.key for event in self.history.events if isinstance(event, Damaged)}

    def last_deletion(self, key: str, position: int) -> int:
        """Return the rank of the newest delete marker that the source had by a position."""
        chains = [self.history.origins.get((SOURCE, key), ())]
        chains += [change.after for at, change in self.source_changed[key] if at < position]
        entries = (entry for chain in chains for entry in chain)
        return max((e.sequence for e in entries if isinstance(e, DeleteMarker)), default=-1)

    def tags_over_time(self, version: ObjectVersion) -> set[tuple[tuple[str, str], ...]]:
        """Return every set of object tags that a source version had."""
        chains = [self.history.origins.get((SOURCE, version.key), ())]
        for _, change in self.source_changed[version.key]:
            chains += [change.before, change.after]
        seen = [version, *(event.version for event in self.retagged)]
        seen += [entry for chain in chains for entry in chain if isinstance(entry, ObjectVersion)]
        return {tuple(sorted(one.tags)) for one in seen if one.sequence == version.sequence}

    def tags_when_uploaded(self, change: Changed) -> set[tuple[tuple[str, str], ...]]:
        """Return the object tags that the source of an upload had while its process lived.

        Whoever completes an upload has read them itself, also where another one created it.
        """
        assert change.source is not None, "an upload has a source"
        events = self.history.events
        at = next(n for n, event in enumerate(events) if event is change)
        ends = [n for n in range(at) if isinstance(events[n], Reopened)]
        begun = ends[-1] if ends else 0
        retagged = [
            (n, tuple(sorted(event.version.tags)))
            for n, event in enumerate(events[:at])
            if isinstance(event, Retagged) and event.version.sequence == change.source.sequence
        ]
        before = [tags for n, tags in retagged if n < begun]
        since = {tags for n, tags in retagged if n >= begun}
        return since | ({before[-1]} if before else self._tags_at_first(change.source))

    def _tags_at_first(self, version: ObjectVersion) -> set[tuple[tuple[str, str], ...]]:
        chains = [self.history.origins.get((SOURCE, version.key), ())]
        chains += [change.after for _, change in self.source_changed[version.key]]
        written = (
            entry
            for chain in chains
            for entry in chain
            if isinstance(entry, ObjectVersion) and entry.sequence == version.sequence
        )
        return {tuple(sorted(next(written, version).tags))}

    def windows(self) -> list[Window]:
        """Return the writes that no precondition could have kept from what they cover."""
        return [
            Window(key, position, change, covered)
            for key, changes in self.changed.items()
            for position, change in changes
            if (covered := self._covered(position, change)) is not None
            and not self.was_shown(covered, position, change)
        ]

    def has_marker_window(self) -> bool:
        """Return whether a copy landed on a delete marker that nobody had seen."""
        return any(window.is_of_marker for window in self.windows())

    def _covered(self, position: int, change: Changed) -> Entry | None:
        """Return what a write of ours covers though it is newer; None if nothing is."""
        below = change.before[0] if change.before else None
        if not change.is_ours or below is None or self.is_ours(below):
            return None
        rank = self.rank(below)
        if isinstance(below, DeleteMarker):
            is_older = rank is not None and change.source and rank < change.source.sequence
            return None if is_older or change.source is None else below
        bound = (
            change.source.sequence if change.source else self.last_deletion(change.key, position)
        )
        has_twin = change.parameters.get("IfMatch") == f'"{below.etag}"'
        return below if has_twin and rank is not None and rank > bound else None

    def was_shown(self, entry: Entry, position: int, change: Changed) -> bool:
        """Return whether a process had been shown an entry before it sent a write.

        What it was shown while the request was under way can have changed nothing: the page of a
        neighbour's reading may cover the key.
        """
        key, sent = change.key, self._sent(position, change)
        shown = self.history.last_reading(self.destination, key, sent, change.actor)
        origin = self.history.origins.get((self.destination, key), ())
        if any(one.version_id == entry.version_id for one in origin):
            return True
        arrived = next(
            at
            for at, c in self.changed[key]
            if any(e.version_id == entry.version_id for e in c.after)
        )
        return arrived < shown

    def _sent(self, position: int, change: Changed) -> int:
        """Return the position at which the request that changed a chain was sent."""
        for at in range(position - 1, -1, -1):
            event = self.history.events[at]
            if (
                isinstance(event, Sent)
                and event.actor == change.actor
                and event.operation == change.operation
                and event.parameters == change.parameters
            ):
                return at
        raise AssertionError(f"a write to {change.key!r} that nobody sent")
