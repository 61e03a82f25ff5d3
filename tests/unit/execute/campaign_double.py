"""A whole run of execute on the tiny store: ports, entries from the store, and what came out."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import cast

from backfill.errors import BackfillError, RefusedError, StoreFault
from backfill.execute.bench import ExecutePorts
from backfill.execute.outcome_rows import outcome_of
from backfill.execute.run import ExecuteJob, execute
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.model.extras import Abilities
from backfill.model.objects import ETag
from backfill.model.outcome import Outcome
from backfill.model.pauses import RetryBudget
from backfill.model.rows import Row, Scalar
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import (
    ArtifactIndex,
    ArtifactStore,
    ControlPlane,
    Event,
    Intent,
    OpenIntent,
    ProgressCounts,
)
from backfill.settings import Settings
from tests.unit.execute.versioned_store import DESTINATION, PLAIN, SOURCE, Stored, VersionedStore


class MemoryJournal:
    """The Journal port in memory; `reopened` is what the next process finds."""

    def __init__(self) -> None:
        self.done: dict[int, Outcome] = {}
        self.found: list[Intent] = []
        self.intents: list[Intent] = []
        self.log: list[Intent | Outcome] = []

    def intend(self, *intents: Intent) -> asyncio.Future[None]:
        assert intents, "a commit holds something"
        return asyncio.ensure_future(self._intend(intents))

    async def _intend(self, intents: Sequence[Intent]) -> None:
        assert self.done.keys().isdisjoint(intent.number for intent in intents)
        self.intents += intents
        self.log += intents

    def conclude(self, outcome: Outcome) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._conclude(outcome))

    async def _conclude(self, outcome: Outcome) -> None:
        assert outcome.number not in self.done, "an entry has one outcome"
        self.done[outcome.number] = outcome
        self.log.append(outcome)

    def outcome(self, number: int) -> Outcome | None:
        return self.done.get(number)

    def has_outcome(self, first: int, end: int) -> bool:
        return any(number in self.done for number in range(first, end))

    def open_intents(self) -> Iterator[OpenIntent]:
        return (OpenIntent(intent=intent) for intent in self.found)

    def outcomes(self) -> Iterator[Outcome]:
        return (self.done[number] for number in sorted(self.done))

    def reopened(self) -> "MemoryJournal":
        journal = MemoryJournal()
        journal.done = dict(self.done)
        journal.found = [item for item in self.found + self.intents if item.number not in self.done]
        return journal


class MemoryArtifacts:
    def __init__(self) -> None:
        self.made: dict[str, list[list[Scalar]]] = {}
        self.summaries: dict[str, Mapping[str, object]] = {}

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator["MemoryWriter"]:
        assert columns
        assert inputs
        yield MemoryWriter(self, name)


@dataclass
class MemoryWriter:
    store: MemoryArtifacts
    name: str
    rows: list[list[Scalar]] = field(default_factory=list)

    def write(self, row: Row) -> None:
        self.rows.append(list(row))

    def write_rows(self, rows: Sequence[Row]) -> None:
        self.rows += map(list, rows)

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        self.store.made[self.name] = self.rows
        self.store.summaries[self.name] = summary
        return ArtifactIndex(
            name=self.name, columns=(), rows=len(self.rows), digest="d", inputs={}, summary=summary
        )


class Control:
    versioning_status = "Enabled"

    async def versioning(self, _place: object) -> str:
        return self.versioning_status


class Talk:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.counts: list[ProgressCounts] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        self.counts.append(counts)


class NoTime:
    """Pauses take no time; how long they would have been is kept."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        self.pauses.append(duration_s)
        await asyncio.sleep(0)


def as_refusal(fault: StoreFault) -> BackfillError:
    return RefusedError(str(fault))


@dataclass
class Run:
    """One campaign on one store; `go` may be called again, as a person would."""

    store: VersionedStore = field(default_factory=VersionedStore)
    entries: list[ManifestEntry] = field(default_factory=list)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    control: Control = field(default_factory=Control)
    talk: Talk = field(default_factory=Talk)
    clock: NoTime = field(default_factory=NoTime)
    settings: Settings = field(default_factory=Settings)
    stop: StopRequest | None = None
    allows_hiding: bool = False
    destinations: int = 1
    budget: RetryBudget | None = None
    horizon: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    leaves_newer_out: bool = False
    abilities: tuple[Abilities, ...] = ()
    checksum_algorithm: str = ""

    def add(self, source: Stored, **fields: object) -> ManifestEntry:
        """Plan a source entry against what the destination shows now."""
        chain = self.store.chain("dst", source.key)
        seen = chain[0] if chain else None
        guard = IfReplaces(etag=seen.etag) if seen and not seen.is_marker else IfAbsent()
        route = Route.DELETE_MARKER if source.is_marker else Route.COPY_OBJECT
        values: dict[str, object] = {
            "number": len(self.entries),
            "plan_number": len(self.entries),
            "key": source.key,
            "version_id": source.version_id,
            "etag": None if source.is_marker else source.etag,
            "size_bytes": len(source.body),
            "last_modified": source.last_modified,
            "destination": 0,
            "route": route,
            "storage_class": source.storage_class,
            "encryption": None if source.is_marker else PLAIN,
            "precondition": None if source.is_marker and not seen else guard,
            "seen_version_id": seen.version_id if seen else None,
            "replicates_delete_markers": True,
        }
        entry = ManifestEntry(**{**values, **fields})  # type: ignore[arg-type] # named by the test
        self.entries.append(entry)
        return entry

    def add_extra(self, stored: Stored, **fields: object) -> ManifestEntry:
        """Plan to hide a destination object that the source does not have."""
        return self.add(
            stored,
            route=Route.HIDE_EXTRA,
            version_id=None,
            etag=None,
            precondition=IfReplaces(etag=ETag(stored.etag)),
            **fields,
        )

    async def go(self) -> list[Outcome]:
        """Run execute; return the rows of the artefact."""
        ports = ExecutePorts(
            source=self.store,
            destination=self.store,
            control=cast("ControlPlane", self.control),
            journal=self.journal,
            artifacts=cast("ArtifactStore", self.artifacts),
            events=self.talk,
            clock=self.clock,
            random=Random(7),
            error_of=as_refusal,
            budget=self.budget,
        )
        job = ExecuteJob(
            header=PlanHeader(
                source=SOURCE,
                destinations=(DESTINATION,) * self.destinations,
                horizon=self.horizon,
                abilities=self.abilities,
                checksum_algorithm=self.checksum_algorithm,
            ),
            manifest=ArtifactIndex(
                name="manifest/01",
                columns=(),
                rows=len(self.entries),
                digest="m",
                inputs={},
                summary={},
            ),
            entries=lambda: self.entries,
            large_entries=self._large if self._large() else None,
            outcomes_name="outcomes/01",
            allows_hiding=self.allows_hiding,
            settings=self.settings,
            leaves_newer_out=self.leaves_newer_out,
        )
        await execute(job, ports, self.stop or StopRequest())
        return [outcome_of(row) for row in self.artifacts.made["outcomes/01"]]

    def _large(self) -> list[ManifestEntry]:
        """Return all rows of keys with an object to copy in parts, as the manifest notes them."""
        keys = {entry.key for entry in self.entries if entry.route is Route.MULTIPART_COPY}
        return [entry for entry in self.entries if entry.key in keys]

    async def only(self) -> Outcome:
        """Run and return the one outcome."""
        (outcome,) = await self.go()
        return outcome

    def restarted(self) -> "Run":
        """Return the run as the next process finds it."""
        return Run(
            store=self.store,
            entries=self.entries,
            journal=self.journal.reopened(),
            settings=self.settings,
            allows_hiding=self.allows_hiding,
            destinations=self.destinations,
            abilities=self.abilities,
            checksum_algorithm=self.checksum_algorithm,
        )

    def bodies(self, key: str = "k") -> list[bytes | None]:
        """Return the destination chain, newest first; None for a delete marker."""
        return [None if s.is_marker else s.body for s in self.store.chain("dst", key)]
