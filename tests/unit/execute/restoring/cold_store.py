"""A source bucket of archived versions, a clock that moves where somebody rests, and a shard."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import cast

from backfill.aws.faults import store_fault
from backfill.campaign import RestoreOptions
from backfill.execute.bench import Bench, ExecutePorts, kept_already
from backfill.execute.conclusions import Conclusions
from backfill.execute.restoring.engine import RestoreWork, Restoring
from backfill.execute.restoring.ledger import Ledger, decoded, ledger_name
from backfill.manifest.entries import ManifestEntry
from backfill.model.archives import Archive
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind, ObjectHead
from backfill.model.attributes import ReplicationStatus as Status
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome
from backfill.model.pauses import RetryBudget
from backfill.model.places import BucketPlace
from backfill.model.store import IfAbsent, RestoreRequest
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Handling, Route
from backfill.ports import ArtifactStore, ControlPlane, Journal, ObjectStore, Random
from backfill.settings import Settings
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.unit.execute.campaign_double import MemoryJournal, Talk, as_refusal

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLACE = BucketPlace(bucket="src", region="r", expected_owner="1" * 12, owner_origin="flag")
POLL_S = 900.0


class MovingClock:
    """Time passes only where somebody rests."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.on_rest: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.passed_s)

    def monotonic_s(self) -> float:
        return self.passed_s

    async def sleep(self, duration_s: float) -> None:
        self.passed_s += duration_s
        self.on_rest()
        await asyncio.sleep(0)


@dataclass(slots=True)
class Cold:
    """An archived version: where it lies, and when its restore is done and over."""

    archive: Archive = Archive.GLACIER
    takes_s: float = 3600.0
    ready_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(slots=True)
class ColdStore:
    """What the engine asks of the source. `refusals` are given in order, then it does as asked.

    A refusal is a code and a status; `was_done` with it: the restore began all the same.
    """

    clock: MovingClock
    versions: dict[tuple[str, str], Cold] = field(default_factory=dict)
    refusals: list[tuple[str, int, bool]] = field(default_factory=list)
    head_refusals: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[tuple[str, str, int | None]] = field(default_factory=list)

    async def head_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId
    ) -> ObjectHead:
        assert place is PLACE
        await asyncio.sleep(0)
        if key in self.head_refusals:
            code, status = self.head_refusals[key]
            raise store_fault(operation="HeadObject", code=code, status=status, bucket="src")
        cold, now = self.versions[key, version_id], self.clock.now()
        is_class = cold.archive in (Archive.GLACIER, Archive.DEEP_ARCHIVE)
        is_done = cold.ready_at is not None and cold.ready_at <= now
        restore, status_told = None, None if is_class or is_done else cold.archive.value
        if cold.ready_at is not None and not is_done:
            restore = 'ongoing-request="true"'
        elif is_class and is_done and cold.expires_at is not None and now < cold.expires_at:
            until = format_datetime(cold.expires_at, usegmt=True)
            restore = f'ongoing-request="false", expiry-date="{until}"'
        return ObjectHead(
            version_id, ETag("e"), 10, BEGIN,
            cold.archive.value if is_class else "INTELLIGENT_TIERING",
            (), ContentHeaders(), 0, (), Encryption(kind=EncryptionKind.SSE_S3), Status.NONE,
            archive_status=status_told, restore=restore,
        )  # fmt: skip

    async def restore_object(self, request: RestoreRequest) -> bool:
        assert request.place is PLACE
        self.asked.append((request.key, request.tier, request.days))
        await asyncio.sleep(0)
        cold, now = self.versions[request.key, request.version_id], self.clock.now()
        if self.refusals:
            code, status, was_done = self.refusals.pop(0)
            if was_done:
                self._begin(cold, request, now)
            raise store_fault(operation="RestoreObject", code=code, status=status, bucket="src")
        is_readable = cold.expires_at is not None and cold.expires_at > now
        if is_readable and request.days is not None:
            cold.expires_at = now + timedelta(days=request.days)
            return False
        self._begin(cold, request, now)
        return True

    def _begin(self, cold: Cold, request: RestoreRequest, now: datetime) -> None:
        cold.ready_at = now + timedelta(seconds=cold.takes_s)
        days = request.days
        cold.expires_at = None if days is None else cold.ready_at + timedelta(days=days)


@dataclass(slots=True)
class Shard:
    """Rows with archived versions, and the processes that work on them one after the other."""

    options: RestoreOptions = field(default_factory=lambda: RestoreOptions(bytes_max=1000))
    clock: MovingClock = field(default_factory=MovingClock)
    entries: list[ManifestEntry] = field(default_factory=list)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    talk: Talk = field(default_factory=Talk)
    keep: Callable[[], Awaitable[None]] = kept_already
    store: ColdStore = field(init=False)
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.store = ColdStore(self.clock)

    def add(
        self,
        key: str,
        cold: Cold | None,
        *,
        version: str = "v",
        size_bytes: int = 10,
        handling: Handling | None = None,
        destination: int = 0,
    ) -> None:
        """Add a row; `cold` None: its version is not archived."""
        own = Handling.RESTORE if cold else Handling(0)
        if cold is not None:
            self.store.versions[key, version] = cold
        self.entries.append(
            ManifestEntry(
                len(self.entries),
                len(self.entries),
                key,
                VersionId(version),
                ETag("e"),
                size_bytes,
                BEGIN,
                destination,
                Route.COPY_OBJECT,
                precondition=IfAbsent(),
                handling=own if handling is None else own | handling,
            )
        )

    def process(self) -> Restoring:
        """Begin a process."""
        ports = ExecutePorts(
            source=cast("ObjectStore", self.store),
            destination=cast("ObjectStore", None),
            control=cast("ControlPlane", None),
            journal=cast("Journal", self.journal),
            artifacts=cast("ArtifactStore", self.artifacts),
            events=self.talk,
            clock=self.clock,
            random=cast("Random", None),
            error_of=as_refusal,
            keep=self.keep,
        )
        self.bench = Bench(
            ports=ports,
            header=PlanHeader(source=PLACE, destinations=(PLACE, PLACE), horizon=BEGIN),
            settings=Settings(restore_poll_s=POLL_S),
            allows_hiding=False,
            budget=RetryBudget(ratio=1, floor=1),
        )
        work = RestoreWork(
            entries=lambda: iter(self.entries),
            manifest="manifest/00",
            shard=0,
            options=self.options,
        )
        return Restoring(work, self.bench, Conclusions(self.bench, len(self.entries)))

    async def run(self, *, stops: bool = False) -> list[list[str]]:
        """Work to the end; return the keys as they were given away. `stops`: in the first rest."""
        restoring = self.process()
        self.clock.on_rest = self.bench.halt.set if stops else lambda: None
        given = [[row.key for row in rows] async for rows in restoring.ready()]
        await asyncio.sleep(0)
        return given

    @property
    def ledger(self) -> Ledger:
        """What is durable now."""
        name = ledger_name("manifest/00")
        return decoded(self.artifacts.documents[name], name)

    def outcomes(self) -> Sequence[tuple[str, Outcome]]:
        """Return the outcomes told, with their keys."""
        return [(self.entries[number].key, each) for number, each in self.journal.done.items()]
