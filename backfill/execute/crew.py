"""The copy workers of one run: long-lived slots, and blocks of neighbouring keys to work off.

The copies of a block are looked back at together (one listing of each side serves the range)
before any of them is concluded, but those of keys that have no other writer. Of a block,
the ordinary copies go straight: their intents are one commit, a slot sends each, and what S3
confirms is concluded. At the first fault, doubt or change a `Worker` takes the entry over, as if it
had sent the copy itself.
Keys that arrive with their history are worked on by `history`, each by one writer.
Never takes a row of Batch Replication, and never two rows of one key and destination at a time.
Law: a write is sent only after its intent is on disk.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from functools import partial

from backfill.errors import BackfillError, Disposition, StoreFault
from backfill.execute.bench import AbandonedError, Bench, ExecutePorts
from backfill.execute.blocks import BLOCK_ENTRIES, Block, Cutter, Line, Listed, Rows
from backfill.execute.chains import Density, read_chains
from backfill.execute.conclusions import Conclusions
from backfill.execute.decide import planned_step
from backfill.execute.endings import is_proven, unproven
from backfill.execute.history.band import Band
from backfill.execute.history.writer import HistoryWriter
from backfill.execute.ordinary import copied, is_as_planned, is_settled
from backfill.execute.request import planned_request
from backfill.execute.restoring.engine import RestoreWork, Restoring
from backfill.execute.views import Copy
from backfill.execute.worker import Chains, Worker
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome
from backfill.model.pauses import RetryBudget
from backfill.model.store import WriteResult
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import Intent
from backfill.settings import Settings

BLOCKS_AWAITED_MAX = 12
"""Blocks beside those that fill the slots: their listings, intents or looks back are under way. At
100 ms a listing they keep the slots busy at 3,500 copies a second, S3's limit for a prefix."""
_SOURCE = -1
"""Beside the numbers of destinations."""
LATE_MAX = 1000
"""Keys that may be waited for at a time while others are copied; beyond it their blocks wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyJob:
    """The rows of one manifest, in order, and how many of them copy workers carry out.

    `large`: beside other rows, all rows of the keys with an object to copy in parts, which are
    begun first; None: they are begun where they stand.
    `has_jobs`: rows of Batch Replication are carried out elsewhere. `allows_hiding`: the campaign
    allows hiding; rules that replicate delete markers imply it for their keys.
    `leaves_newer_out`: the campaign names a horizon, so newer versions at the source are no news.
    """

    header: PlanHeader
    entries: Iterable[ManifestEntry]
    large: Iterable[ManifestEntry] | None
    rows: int
    has_jobs: bool
    allows_hiding: bool
    settings: Settings
    leaves_newer_out: bool = False
    restoring: RestoreWork | None = None
    """Keys with archived versions, which are in none of the rows above."""


def _is_read_first(entry: ManifestEntry) -> bool:
    return entry.has_other_writers and entry.route is not Route.HIDE_EXTRA


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
        self._ends = Conclusions(self.bench, job.rows)
        self._ready = Line()
        self._reviews = asyncio.Semaphore(settings.concurrency)
        # Apart, because what is absent before the copies is there after them.
        self._densities: defaultdict[tuple[int, bool], Density] = defaultdict(Density)
        self._open: dict[int, list[Intent]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._late = asyncio.Semaphore(LATE_MAX)
        leaves_newer_out = job.leaves_newer_out
        self._band = Band(self.bench, self._ends, self._open, leaves_newer_out=leaves_newer_out)
        # Apart from other blocks: a history may take hours, and most keys do not.
        self._histories = asyncio.Semaphore(settings.concurrency + BLOCKS_AWAITED_MAX)

    @property
    def is_complete(self) -> bool:
        """Return whether every entry has its outcome."""
        return self._ends.tally.is_complete

    async def work(self) -> None:
        """Carry out every entry that has no outcome yet."""
        for found in self.bench.ports.journal.open_intents():
            self._open.setdefault(found.intent.number, []).append(found.intent)
        try:
            async with asyncio.TaskGroup() as crew:
                crew.create_task(self._ends.tally.count_durable())
                for _ in range(self._job.settings.concurrency):
                    crew.create_task(self._slot())
                try:
                    await self._work_passes()
                except BaseException:
                    self.bench.halt.set()
                    raise
                finally:
                    # Also where slots are cancelled: a task group that meets an error of its own
                    # at that moment loses the cancellation (CPython issue 116720).
                    self._ready.close()
                    self._ends.tally.close()
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        self._ends.require_none()

    # --- Blocks ---

    async def _work_passes(self) -> None:
        job, concurrency = self._job, self._job.settings.concurrency
        async with asyncio.TaskGroup() as group:
            self._group = group
            if job.large is not None:
                # Half of the slots at most: small objects need not wait for hours.
                cutter = self._cutter(job.large, is_large=True)
                gate = asyncio.Semaphore(max(1, concurrency // 2))
                group.create_task(self._work_blocks(cutter, group, gate))
            if job.restoring is not None:
                group.create_task(self._work_restored(job.restoring, group))
            cutter = self._cutter(job.entries, is_large=None if job.large is None else False)
            blocks = concurrency // BLOCK_ENTRIES + 1 + BLOCKS_AWAITED_MAX
            await self._work_blocks(cutter, group, asyncio.Semaphore(blocks))

    async def _work_restored(self, work: RestoreWork, group: asyncio.TaskGroup) -> None:
        """Work on keys as their archived versions come back, which may take days."""
        gate, ends = asyncio.Semaphore(BLOCKS_AWAITED_MAX), self._ends
        try:
            async for rows in Restoring(work, self.bench, ends).ready():
                await self._work_blocks(self._cutter(rows, is_large=None), group, gate)
        except BackfillError as error:
            ends.stop(error)

    def _cutter(self, entries: Iterable[ManifestEntry], *, is_large: bool | None) -> Cutter:
        return Cutter(
            entries=entries,
            has_jobs=self._job.has_jobs,
            journal=self.bench.ports.journal,
            intents=self._open,
            settings=self._job.settings,
            is_large=is_large,
            count=self._ends.tally.count,
        )

    async def _work_blocks(
        self, cutter: Cutter, group: asyncio.TaskGroup, gate: asyncio.Semaphore
    ) -> None:
        async for block in cutter.blocks():
            turns = self._histories if block.histories else gate
            await turns.acquire()
            if self.bench.halt.is_set():
                break
            work = self._work_histories if block.histories else self._work_block
            group.create_task(work(block, turns))

    async def _work_histories(self, block: Block, gate: asyncio.Semaphore) -> None:
        try:
            writers = await self._band.begun(block.histories)
            block.left = len(writers)
            if writers:
                self._ready.put(block, writers)
                await block.done.wait()
                await self._band.ended(writers)
        finally:
            gate.release()

    async def _work_block(self, block: Block, gate: asyncio.Semaphore) -> None:
        try:
            # Keys with other writers are read again right before their copies: what the plan saw
            # may be hours old, and a delete marker that came since is no obstacle to a copy.
            block.listed = await self._read(filter(_is_read_first, block.entries()), is_after=False)
            straight = await self._begun(block)
            block.left = len(straight) + len(block.others)
            if not block.left:
                return
            self._ready.put(block, [*straight, *block.others])
            await block.done.wait()
            if block.written or block.waiting:
                await self._review_block(block)
        finally:
            gate.release()

    async def _begun(self, block: Block) -> list[ManifestEntry]:
        """Return what goes straight, its intents on disk; the rest joins the others."""
        straight: list[ManifestEntry] = []
        for entry in block.ordinary:
            if not entry.has_other_writers or self._is_as_planned(entry, block.listed):
                straight.append(entry)
            else:
                block.others.append((entry,))
        if not straight or self.bench.halt.is_set():
            return straight
        try:
            await self._intend(straight)
        except BackfillError as error:
            self._ends.stop(error)
        return straight

    async def _intend(self, entries: list[ManifestEntry]) -> None:
        """Make the intents of a block's straight copies durable: one commit, or two."""
        await self.bench.ports.journal.intend(
            *(Intent(entry.number, 1, entry.seen_version_id, entry.version_id) for entry in entries)
        )
        self.bench.budget.first_attempts += len(entries)

    def _is_as_planned(self, entry: ManifestEntry, listed: Listed) -> bool:
        known = listed.get(entry)
        return known is not None and is_as_planned(entry, *known)

    async def _read(self, entries: Iterable[ManifestEntry], *, is_after: bool) -> Listed:
        """List both sides of a range; nothing where that failed, and each key is read by itself.

        The destination first: what the source shows afterwards is at least as new.
        """
        listed = Listed()
        ports, header = self.bench.ports, self.bench.header
        wanted: dict[int, set[str]] = {}
        for entry in entries:
            wanted.setdefault(entry.destination, set()).add(entry.key)
        try:
            for number, keys in sorted(wanted.items()):
                place = header.destinations[number]
                density = self._densities[number, is_after]
                chains = await read_chains(ports.destination, place, sorted(keys), density)
                listed.destinations[number] = chains
            keys = set[str]().union(*wanted.values())
            density = self._densities[_SOURCE, is_after]
            listed.source = await read_chains(ports.source, header.source, sorted(keys), density)
        except StoreFault as fault:
            self.bench.errors[fault.code] += 1
            if fault.disposition is Disposition.STOP:
                self._ends.stop(ports.error_of(fault))
        except BackfillError as error:
            self._ends.stop(error)
        return listed

    async def _review_block(self, block: Block) -> None:
        """Look back at the keys just written, both sides read after the last of the writes."""
        waiting = block.waiting
        before, block.listed = block.listed, Listed()
        written = [entry for entry, _ in block.written]
        entries = [*written, *(worker.entry for worker in waiting)]
        listed = await self._read(entries, is_after=True)
        for entry, result in block.written:
            known = listed.get(entry)
            assert result.version_id is not None, "it was proven"
            if known is not None and is_settled(entry, *known, result.version_id):
                self._ends.tell(entry, copied(entry, result))
            else:
                worker = Worker(entry, self.bench)
                worker.adopt(result, before.get(entry))
                waiting.append(worker)
        async with asyncio.TaskGroup() as group:
            reviews = [
                group.create_task(self._review(worker, listed.get(worker.entry)))
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
        async with self._reviews:
            return await self._attend(worker, worker.review(chains))

    # --- Slots ---

    async def _slot(self) -> None:
        """Work off what is ready, until there is no more.

        Planned copies, whose intents are on disk, go from here; a worker has what is not well.
        """
        ready, halt, header = self._ready.ready, self.bench.halt, self.bench.header
        copy_object = self.bench.ports.destination.copy_object
        planned = partial(planned_request, source=header.source, extras=self.bench.extras)
        while ready or await self._ready.more():
            if not ready:
                continue  # another slot was here first
            work, block = ready.popleft()
            if not halt.is_set():
                self.in_flight += 1
                if isinstance(work, ManifestEntry):
                    place = header.destinations[work.destination]
                    try:
                        result = await copy_object(planned(work, destination=place))
                    except Exception as error:  # noqa: BLE001 - as in `Conclusions`
                        await self._take_failure(work, block, error)
                    else:
                        await self._take_result(work, block, result)
                elif isinstance(work, HistoryWriter):
                    await self._band.write(work)
                else:
                    await self._work_key(work, block)
                self.in_flight -= 1
            block.finish_one()

    async def _take_failure(self, entry: ManifestEntry, block: Block, error: Exception) -> None:
        if isinstance(error, StoreFault):
            await self._hand_over(entry, block, error)
        elif isinstance(error, BackfillError):
            self._ends.stop(error)
        else:
            self._ends.keep_bug(entry, error)

    async def _take_result(self, entry: ManifestEntry, block: Block, result: WriteResult) -> None:
        """Conclude a key without other writers at once, and the others after the look back."""
        if not is_proven(result):
            step = planned_step(entry)
            assert isinstance(step, Copy), "it was just sent"
            await self._hand_over(entry, block, unproven(step))
        elif entry.has_other_writers:
            block.written.append((entry, result))
        else:
            self._ends.tell(entry, copied(entry, result))

    async def _hand_over(self, entry: ManifestEntry, block: Block, fault: StoreFault) -> None:
        worker = Worker(entry, self.bench)
        if await self._attend(worker, worker.take_over(fault, block.listed.get(entry))):
            block.waiting.append(worker)

    async def _work_key(self, rows: Rows, block: Block) -> None:
        """Work on the rows of one key, in sequence."""
        # A second row for the same destination must find the first one finished.
        defers = len({row.destination for row in rows}) == len(rows)
        for row in rows:
            if self.bench.halt.is_set() or row.key in self._ends.broken_keys:
                return
            worker = Worker(row, self.bench, tuple(self._open.pop(row.number, ())))
            known = block.listed.get(row) if defers else None
            is_open = await self._attend(worker, worker.deliver(known, defers_review=defers))
            if is_open and defers:
                block.waiting.append(worker)
            elif is_open:
                await self._look_later(worker)

    async def _attend(self, worker: Worker, work: Awaitable[Outcome | None]) -> bool:
        """Give the outcome of `work` to the journal; whether the key needs another look."""
        return await self._ends.guarded(worker.entry, self._attended(worker, work)) or False

    async def _attended(self, worker: Worker, work: Awaitable[Outcome | None]) -> bool:
        outcome = await work
        if outcome is None:
            return True
        self._ends.tell(worker.entry, outcome)
        return False

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


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure to tell: the first one, which cancelled the others."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
