"""Looks at the destination, until every version that a job started has arrived or is explained.

Never writes to a bucket, and never takes a job's word for an arrival, or for a failure: a report
may be lost, and what failed for one destination may have reached another. Each look lists the
destinations' versions along the rows that are still open, and asks the source only for what is
missing.
Law: a look is an artefact; a process that comes later goes on with the next one.
"""

import asyncio
import enum
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Final

from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.errors import Disposition, StoreFault
from backfill.execute.batch_replication.judgement import (
    Ended,
    Standing,
    arrived,
    is_expected,
    not_arrived,
    refused,
    standing_of,
)
from backfill.execute.batch_replication.work import (
    LOOK_COLUMNS,
    BatchPorts,
    BatchWork,
    look_name,
    replication_name,
)
from backfill.execute.chains import read_chains
from backfill.execute.crew import first_of
from backfill.execute.outcomes import COLUMNS, outcome_of, row_of
from backfill.execute.stop import StopRequest
from backfill.execute.views import Chain
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker
from backfill.model.outcome import Outcome
from backfill.model.rows import Scalar
from backfill.ports import ArtifactIndex, ProgressCounts

BLOCK_ROWS: Final = 1000
"""Rows that are looked at together: about a page of the destination's listing."""
BLOCKS_MAX: Final = 8
"""Blocks in flight; they are written in their order."""
PAUSE_GROWTH_MAX: Final = 10
"""The pause between looks doubles up to so many times the first: large objects take hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRow:
    """A row to look for: the work, what its task came to, and after how many attempts."""

    entry: ManifestEntry
    result: TaskResult
    attempts: int


class Sight(enum.Enum):
    """What a listing of the destination shows of a version."""

    HELD = enum.auto()
    UNSURE = enum.auto()
    """A null object, or a listing that could not be read."""
    ABSENT = enum.auto()


Results = Callable[[int], Iterator[TaskResult]]


class Arrivals:
    """All looks of one round."""

    def __init__(
        self, work: BatchWork, ports: BatchPorts, *, attempts: int, results: Results
    ) -> None:
        self._work = work
        self._ports = ports
        self._attempts = attempts
        self._results = results
        self._slots = asyncio.Semaphore(work.settings.concurrency)

    async def settle(self, stop: StopRequest) -> ArtifactIndex:
        """Look until all is told or the deadline is over; write and return the outcomes.

        The looks of an earlier process stand, and are not waited for again.
        """
        settings, clock = self._work.settings, self._ports.clock
        deadline_s = clock.monotonic_s() + settings.replication_deadline_s
        pause_s, looks = settings.job_poll_s, self._looks()
        while not looks or (self._waiting(looks) and clock.monotonic_s() < deadline_s):
            if looks:
                await self._pause(min(pause_s, deadline_s - clock.monotonic_s()), stop)
                pause_s = min(pause_s * 2, settings.job_poll_s * PAUSE_GROWTH_MAX)
            try:
                await self._look(looks, stop)
            except BaseExceptionGroup as failures:
                raise first_of(failures) from None
            looks += 1
        return self._conclude(looks)

    def _looks(self) -> int:
        """Return how many looks were taken so far."""
        index = self._ports.artifacts.index
        return next(n for n in count() if index(look_name(self._work.round, n)) is None)

    def _waiting(self, looks: int) -> int:
        """Return how many rows the last look has left to wait for."""
        index = self._ports.artifacts.index(look_name(self._work.round, looks - 1))
        assert index is not None, "a look leaves its artefact"
        waiting = index.summary["waiting"]
        assert isinstance(waiting, int), "a look counts who waits"
        return waiting

    async def _pause(self, duration_s: float, stop: StopRequest) -> None:
        """Wait, unless the run is asked to stop."""
        pause = asyncio.create_task(self._ports.clock.sleep(duration_s))
        stopping = asyncio.create_task(stop.draining.wait())
        try:
            await asyncio.wait({pause, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pause, stopping):
                task.cancel()
            await asyncio.wait({pause, stopping})
        if stop.draining.is_set():
            raise stop.error()

    # --- one look ---

    async def _look(self, look: int, stop: StopRequest) -> None:
        waiting = 0
        done = self._work.rows - self._waiting(look) if look else 0
        window: deque[asyncio.Task[list[Ended]]] = deque()
        with self._ports.artifacts.writer(
            look_name(self._work.round, look), columns=LOOK_COLUMNS, inputs=self._work.inputs
        ) as writer:

            async def write_first() -> None:
                nonlocal waiting, done
                for ended in await window.popleft():
                    writer.write((*row_of(ended.outcome), ended.is_waiting))
                    waiting += ended.is_waiting
                    done += 1
                self._ports.events.progress(
                    ProgressCounts(stage="replicate", done=done - waiting, total=self._work.rows)
                )

            async with asyncio.TaskGroup() as group:
                for block in _blocks(self._rows(look)):
                    if stop.draining.is_set():
                        raise stop.error()
                    window.append(group.create_task(self._seen(block, look)))
                    if len(window) >= BLOCKS_MAX:
                        await write_first()
                while window:
                    await write_first()
            writer.commit({"waiting": waiting})

    def _rows(self, look: int) -> Iterator[OpenRow]:
        """Stream the rows of a look: all at first, later those that were still waited for."""
        numbers = None
        if look:
            rows = self._ports.artifacts.rows(look_name(self._work.round, look - 1))
            numbers = (outcome.number for outcome, is_waiting in map(_looked, rows) if is_waiting)
        rows_of_task = _last_results(
            [self._results(attempt) for attempt in range(1, self._attempts + 1)]
        )
        wanted = next(numbers, None) if numbers is not None else None
        pairs = zip(self._work.entries(), rows_of_task, strict=True)
        for entry, (attempts, result) in pairs:
            assert entry.number == result.number, "every row has its task's result"
            if numbers is None or entry.number == wanted:
                yield OpenRow(entry=entry, result=result, attempts=attempts)
                wanted = next(numbers, None) if numbers is not None else None

    async def _seen(self, block: Sequence[OpenRow], look: int) -> list[Ended]:
        sights = await self._sights([row.entry for row in block])
        async with asyncio.TaskGroup() as group:
            asked = {
                row.entry.number: group.create_task(self._asked(row, sight, look))
                for row, sight in zip(block, sights, strict=True)
                if sight is Sight.UNSURE or (sight is Sight.ABSENT and self._may_come(row))
            }
        return [
            arrived(row.result, row.entry, row.attempts)
            if sight is Sight.HELD
            else asked[row.entry.number].result()
            if row.entry.number in asked
            else refused(row.result, row.attempts)
            for row, sight in zip(block, sights, strict=True)
        ]

    def _may_come(self, row: OpenRow) -> bool:
        """Return whether an absent version may be on its way.

        A task names no destination: one that failed for one may have started the others.
        """
        is_one_of_several = len(self._work.header.destinations) > 1
        return is_expected(row.result) or (
            is_one_of_several and row.result.state is TaskState.FAILED
        )

    async def _sights(self, entries: Sequence[ManifestEntry]) -> list[Sight]:
        """Return what the destinations' listings show of each row's version."""
        chains: dict[int, dict[str, Chain]] = {}
        for number in sorted({entry.destination for entry in entries}):
            keys = sorted({entry.key for entry in entries if entry.destination == number})
            place = self._work.header.destinations[number]
            try:
                chains[number] = await read_chains(self._ports.destination, place, keys)
            except StoreFault as fault:
                self._stop_if_all_is_lost(fault)  # else each is asked for by itself
        return [
            _sight(entry, chains[entry.destination][entry.key])
            if entry.destination in chains
            else Sight.UNSURE
            for entry in entries
        ]

    async def _asked(self, row: OpenRow, sight: Sight, look: int) -> Ended:
        """Ask both sides about one version that the listing did not show for certain."""
        async with self._slots:
            is_there = await self._is_replica(row.entry) if sight is Sight.UNSURE else False
            if is_there:
                return arrived(row.result, row.entry, row.attempts)
            standing = Standing.NOT_READ
            if is_there is False and self._may_come(row):
                standing = await self._standing(row.entry)
        if is_expected(row.result) or standing is Standing.PENDING:
            return not_arrived(row.result, row.entry, standing, look, row.attempts)
        return refused(row.result, row.attempts)

    async def _is_replica(self, entry: ManifestEntry) -> bool | None:
        """Return whether the destination has the version; None: it could not be asked just now."""
        place = self._work.header.destinations[entry.destination]
        is_named = entry.version_id != NULL_VERSION_ID
        try:
            head = await self._ports.destination.head_object(
                place, entry.key, version_id=entry.version_id
            )
        except StoreFault as fault:
            self._stop_if_all_is_lost(fault)
            if fault.status == 404:
                return False
            # 405: a delete marker has this version ID there.
            return is_named and entry.etag is None if fault.status == 405 else None
        if is_named or entry.etag is None:
            return entry.etag is not None
        # `null` may be the replica of an earlier null version: a replica keeps its source's time.
        is_same = head.etag == entry.etag or head.last_modified == entry.last_modified
        is_theirs = head.replication_status is ReplicationStatus.REPLICA
        return is_theirs and is_same and head.size_bytes == entry.size_bytes

    async def _standing(self, entry: ManifestEntry) -> Standing:
        try:
            head = await self._ports.source.head_object(
                self._work.header.source, entry.key, version_id=entry.version_id
            )
        except StoreFault as fault:
            self._stop_if_all_is_lost(fault)
            if fault.status == 405:
                return Standing.UNTOLD
            return Standing.GONE if fault.status == 404 else Standing.NOT_READ
        if entry.version_id == NULL_VERSION_ID and head.etag != entry.etag:
            return Standing.GONE  # overwritten in place
        return standing_of(head.replication_status)

    def _stop_if_all_is_lost(self, fault: StoreFault) -> None:
        if fault.disposition is Disposition.STOP:
            raise self._ports.driver.error_of(fault) from fault

    # --- the end ---

    def _conclude(self, looks: int) -> ArtifactIndex:
        name = replication_name(self._work.round)
        names = [look_name(self._work.round, look) for look in range(looks)]
        # Of one row the earlier look comes first: a merge keeps the order of its streams.
        merged = heapq.merge(
            *(map(_looked, self._ports.artifacts.rows(each)) for each in names),
            key=lambda looked: looked[0].number,
        )
        with self._ports.artifacts.writer(
            name, columns=COLUMNS, inputs=self._work.inputs
        ) as writer:
            rows = 0
            for _, group in groupby(merged, key=lambda looked: looked[0].number):
                *_, (outcome, _) = group
                writer.write(row_of(outcome))
                rows += 1
            assert rows == self._work.rows, "every row of Batch Replication has its outcome"
            return writer.commit({"looks": looks})


def _looked(row: list[Scalar]) -> tuple[Outcome, bool]:
    return outcome_of(row[:-1]), bool(row[-1])


def _sight(entry: ManifestEntry, chain: Chain) -> Sight:
    """Return what a chain shows of a version: it is held as the same kind of thing, or it is not.

    `null` is everybody's version ID. A null delete marker is known by its time, which a replica
    keeps; a null object must be asked whose it is.
    """
    for there in chain:
        if there.version_id != entry.version_id:
            continue
        is_marker = isinstance(there, DeleteMarker)
        if is_marker is not (entry.etag is None):
            return Sight.ABSENT
        if entry.version_id != NULL_VERSION_ID:
            return Sight.HELD
        if not is_marker:
            return Sight.UNSURE
        return Sight.HELD if there.last_modified == entry.last_modified else Sight.ABSENT
    return Sight.ABSENT


def _last_results(
    attempts: Sequence[Iterable[TaskResult]],
) -> Iterator[tuple[int, TaskResult]]:
    """Give each row's result of the last attempt that had it, and how many attempts had it."""
    # Of one row the earlier attempt comes first: a merge keeps the order of its streams.
    merged = heapq.merge(*attempts, key=lambda result: result.number)
    for _, group in groupby(merged, key=lambda result: result.number):
        own = list(group)
        tried = sum(result.state is not TaskState.NOT_ATTEMPTED for result in own)
        yield max(tried, 1), own[-1]


def _blocks(rows: Iterable[OpenRow]) -> Iterator[list[OpenRow]]:
    """Cut a stream into blocks of neighbouring keys; the rows of one key stay together."""
    block: list[OpenRow] = []
    for _, own in groupby(rows, key=lambda row: row.entry.key):
        block += own
        if len(block) >= BLOCK_ROWS:
            yield block
            block = []
    if block:
        yield block
