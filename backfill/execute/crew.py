"""The copy workers of one run: blocks of neighbouring keys, a slot each, looked back at together.

Entries are taken in blocks of neighbouring keys. The copies of a block are looked back at together
(one listing of each side serves the range) before any of them is concluded.
Never takes a row of Batch Replication, and never two rows of one key at a time.
Law: an outcome is counted only after the journal has it on disk.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType

from backfill.errors import (
    BackfillError,
    BugError,
    Disposition,
    FailureRateError,
    StoreFault,
)
from backfill.events import EntryFailed
from backfill.execute.bench import AbandonedError, Bench, ExecutePorts
from backfill.execute.breaker import Breaker
from backfill.execute.chains import read_chains
from backfill.execute.views import Chain
from backfill.execute.worker import Chains, Worker
from backfill.manifest.entries import ManifestEntry
from backfill.model.escaping import visible_text
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.pauses import RetryBudget
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import Intent, ProgressCounts
from backfill.settings import Settings

BLOCK_ENTRIES = 100
"""Entries that are looked back at together: two listings a hundred copies, and never more than
this many copies wait, written and not yet concluded, for the slowest of them."""
LATE_MAX = 1000
"""Keys that may be waited for at a time while others are copied; beyond it their blocks wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyJob:
    """The rows of one manifest that copy workers carry out, in order, and how many they are.

    `allows_hiding`: the campaign allows hiding; rules that replicate delete markers imply it for
    their keys.
    """

    header: PlanHeader
    entries: Iterable[ManifestEntry]
    rows: int
    allows_hiding: bool
    settings: Settings


def _is_read_first(entry: ManifestEntry) -> bool:
    return entry.has_other_writers and entry.route is not Route.HIDE_EXTRA


@dataclass(slots=True, kw_only=True)  # filled listing by listing
class _Listed:
    """Chains of a range of keys, by side."""

    source: dict[str, Chain] = field(default_factory=dict)
    destinations: dict[int, dict[str, Chain]] = field(default_factory=dict)

    def get(self, entry: ManifestEntry) -> Chains | None:
        """Return source and destination chain of an entry's key, None if they were not read."""
        if entry.key not in self.source:
            return None
        return self.source[entry.key], self.destinations[entry.destination][entry.key]


class Crew:
    """All workers of one run."""

    def __init__(self, job: CopyJob, ports: ExecutePorts) -> None:
        settings = job.settings
        self.bench = Bench(
            ports=ports,
            header=job.header,
            settings=settings,
            allows_hiding=job.allows_hiding,
            budget=ports.budget
            or RetryBudget(ratio=settings.retry_budget_ratio, floor=settings.retry_budget_floor),
        )
        self.in_flight = 0
        self._job = job
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._breaker = Breaker(
            window=settings.breaker_window, failure_ratio=settings.breaker_failure_ratio
        )
        self._kinds: Counter[OutcomeKind] = Counter()
        self._bytes = 0
        self._open: dict[int, list[Intent]] = {}
        self._fatal: BackfillError | None = None
        self._bug: BugError | None = None
        self._broken_keys: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._late = asyncio.Semaphore(LATE_MAX)

    @property
    def is_complete(self) -> bool:
        """Return whether every entry has its outcome."""
        return self._kinds.total() == self._job.rows

    async def work(self) -> None:
        """Carry out every entry that has no outcome yet."""
        for found in self.bench.ports.journal.open_intents():
            self._open.setdefault(found.intent.number, []).append(found.intent)
        # Two blocks more than fill the slots, so that a slow copy does not leave them empty.
        blocks_max = self._job.settings.concurrency // BLOCK_ENTRIES + 3
        gate = asyncio.Semaphore(blocks_max)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for block in _blocks(self._unfinished()):
                    await gate.acquire()
                    if self.bench.halt.is_set():
                        break
                    group.create_task(self._work_block(block, gate))
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        if (error := self._bug or self._fatal) is not None:
            raise error

    def _unfinished(self) -> Iterator[ManifestEntry]:
        for entry in self._job.entries:
            outcome = self.bench.ports.journal.outcome(entry.number)
            if outcome is None:
                yield entry
            else:
                self._count(outcome)

    async def _work_block(self, block: list[ManifestEntry], gate: asyncio.Semaphore) -> None:
        try:
            waiting: list[Worker] = []
            # Keys with other writers are read again right before their copies: what the plan saw
            # may be hours old, and a delete marker that came since is no obstacle to a copy.
            chains = await self._read([entry for entry in block if _is_read_first(entry)])
            async with asyncio.TaskGroup() as group:
                for _, rows in groupby(block, key=lambda entry: entry.key):
                    group.create_task(self._work_key(list(rows), chains, waiting))
            if waiting:
                await self._review_block(waiting)
        finally:
            gate.release()

    async def _work_key(
        self, rows: list[ManifestEntry], chains: _Listed, waiting: list[Worker]
    ) -> None:
        """Work on the rows of one key, in sequence."""
        # A second row for the same destination must find the first one finished.
        defers = len({row.destination for row in rows}) == len(rows)
        async with self._slots:
            for row in rows:
                if self.bench.halt.is_set() or row.key in self._broken_keys:
                    return
                worker = Worker(row, self.bench, tuple(self._open.pop(row.number, ())))
                self.in_flight += 1
                known = chains.get(row) if defers else None
                is_open = await self._attend(worker, worker.deliver(known, defers_review=defers))
                self.in_flight -= 1
                if is_open and defers:
                    waiting.append(worker)
                elif is_open:
                    await self._look_later(worker)

    async def _attend(self, worker: Worker, work: Awaitable[Outcome | None]) -> bool:
        """Make the outcome of `work` durable and counted; whether the key needs another look."""
        try:
            outcome = await work
            if outcome is None:
                return True
            await self._conclude(worker.entry, outcome)
        except AbandonedError:
            return False
        except StoreFault as fault:
            self._stop(self.bench.ports.error_of(fault))
        except BackfillError as error:
            self._stop(error)
        # Whatever it is, it is of this entry, and must not take the others with it at every resume.
        except Exception as error:  # noqa: BLE001 - as said above
            self._keep_bug(worker.entry, error)
        return False

    def _keep_bug(self, entry: ManifestEntry, error: Exception) -> None:
        """Let the other keys go on, unless almost all fail; the run ends with the first bug."""
        self._broken_keys.add(entry.key)
        if self._bug is None:
            self._bug = BugError(
                f"entry {entry.number}, key '{visible_text(entry.key)}': "
                f"{visible_text(repr(error))}",
                hint="please report it; this entry stays open, and the others have their outcomes",
            )
            self._bug.__cause__ = error
        self.bench.errors[type(error).__name__] += 1
        self._note(is_failure=True)

    async def _look_later(self, worker: Worker) -> None:
        """Look at a key again while live replication is at it, less and less often."""
        is_open = True
        while is_open:
            pause_s = self._job.settings.settle_delay_s * 2**worker.looks
            try:
                await self.bench.rest(pause_s)
            except AbandonedError:
                return
            is_open = await self._attend(worker, worker.review(None))

    async def _look_later_beside(self, worker: Worker) -> None:
        try:
            await self._look_later(worker)
        finally:
            self._late.release()

    async def _read(self, entries: list[ManifestEntry]) -> _Listed:
        """List both sides of a range; nothing where that failed, and each key is read by itself.

        The destination first: what the source shows afterwards is at least as new.
        """
        listed = _Listed()
        ports, header = self.bench.ports, self.bench.header
        keys = sorted({entry.key for entry in entries})
        try:
            for number in sorted({entry.destination for entry in entries}):
                place = header.destinations[number]
                listed.destinations[number] = await read_chains(ports.destination, place, keys)
            listed.source = await read_chains(ports.source, header.source, keys)
        except StoreFault as fault:
            self.bench.errors[fault.code] += 1
            listed.source.clear()
            if fault.disposition is Disposition.STOP:
                self._stop(ports.error_of(fault))
        except BackfillError as error:
            listed.source.clear()
            self._stop(error)
        return listed

    async def _review_block(self, waiting: list[Worker]) -> None:
        """Look back at the keys just written, both sides read after the last of the writes."""
        chains = await self._read([worker.entry for worker in waiting])
        async with asyncio.TaskGroup() as group:
            reviews = [
                group.create_task(self._review(worker, chains.get(worker.entry)))
                for worker in waiting
            ]
        assert self._group is not None, "blocks are worked on inside the run's group"
        for worker, review in zip(waiting, reviews, strict=True):
            if review.result():
                await self._late.acquire()
                self._group.create_task(self._look_later_beside(worker))

    async def _review(self, worker: Worker, chains: Chains | None) -> bool:
        if worker.is_waiting:
            return True  # read a moment ago: it is looked at again after a pause
        async with self._slots:
            return await self._attend(worker, worker.review(chains))

    def _stop(self, error: BackfillError) -> None:
        """No new entry starts; running ones end; then the run ends with the first such error."""
        self._fatal = self._fatal or error
        self.bench.halt.set()

    async def _conclude(self, entry: ManifestEntry, outcome: Outcome) -> None:
        await self.bench.ports.journal.conclude(outcome)
        self._count(outcome)
        is_failure = outcome.kind is OutcomeKind.FAILED
        if is_failure:
            self.bench.ports.events.emit(
                EntryFailed(
                    number=entry.number, key=entry.key, code=outcome.code, detail=outcome.detail
                )
            )
        self._report_progress()
        self._note(is_failure=is_failure)

    def _note(self, *, is_failure: bool) -> None:
        self._breaker.note(is_failure=is_failure)
        if self._breaker.is_open:
            worst = ", ".join(f"{code} {count}" for code, count in self.bench.errors.most_common(3))
            self._stop(
                FailureRateError(
                    f"{self._job.settings.breaker_failure_ratio:.0%} of the last "
                    f"{self._job.settings.breaker_window} entries failed: {worst}",
                    hint="mend the cause; then run the same command and repair what failed",
                )
            )

    def _count(self, outcome: Outcome) -> None:
        self._kinds[outcome.kind] += 1
        self._bytes += outcome.bytes_copied

    def _report_progress(self) -> None:
        self.bench.ports.events.progress(
            ProgressCounts(
                stage="execute",
                done=self._kinds.total(),
                total=self._job.rows,
                bytes_done=self._bytes,
                errors=MappingProxyType(self.bench.errors),
            )
        )


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure to tell: the first one, which cancelled the others."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _blocks(entries: Iterable[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
    """Cut a stream into blocks of neighbouring keys; the rows of one key stay together."""
    block: list[ManifestEntry] = []
    for _, rows in groupby(entries, key=lambda entry: entry.key):
        block += rows
        if len(block) >= BLOCK_ENTRIES:
            yield block
            block = []
    if block:
        yield block
