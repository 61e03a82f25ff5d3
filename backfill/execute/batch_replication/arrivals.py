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
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import count, groupby, islice
from typing import Final, NamedTuple

from backfill.batch_operations.task_results import (
    TaskResult,
    TaskState,
    task_result_of,
    task_row_of,
)
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
    BREATH_ROWS,
    LOOK_COLUMNS,
    WAITING_COLUMNS,
    BatchPorts,
    BatchWork,
    look_name,
    replication_name,
    waiting_name,
)
from backfill.execute.chains import pages_along
from backfill.execute.crew import first_of
from backfill.execute.outcome_rows import COLUMNS, row_of
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import COLUMNS as MANIFEST_COLUMNS
from backfill.manifest.rows import entry_of
from backfill.manifest.rows import row_of as entry_row_of
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry
from backfill.model.places import BucketPlace
from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex, ProgressCounts

BLOCK_ROWS: Final = 1000
"""Rows that are looked at together: about a page of the destination's listing."""
BLOCKS_MAX: Final = 8
"""Blocks in flight; they are written in their order."""
PAUSE_GROWTH_MAX: Final = 10
"""The pause between looks doubles up to so many times the first: large objects take hours."""


class OpenRow(NamedTuple):
    """A row to look for: the work, what its task came to, and after how many attempts.

    A tuple, as what it holds: one is made for each of millions of rows.
    """

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
                await stop.pause(clock.sleep(min(pause_s, deadline_s - clock.monotonic_s())))
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

    # --- one look ---

    async def _look(self, look: int, stop: StopRequest) -> None:
        """Take a look; what it leaves to wait for stands before the look itself does."""
        work, writer_of = self._work, self._ports.artifacts.writer
        waiting = 0
        done = work.rows - self._waiting(look) if look else 0
        window: deque[tuple[list[OpenRow], asyncio.Task[list[Ended]]]] = deque()
        with (
            writer_of(
                look_name(work.round, look), columns=LOOK_COLUMNS, inputs=work.inputs
            ) as looked,
            writer_of(
                waiting_name(work.round, look), columns=WAITING_COLUMNS, inputs=work.inputs
            ) as left,
        ):

            async def write_first() -> None:
                nonlocal waiting, done
                block, task = window.popleft()
                for row, ended in zip(block, await task, strict=True):
                    looked.write((*row_of(ended.outcome), ended.is_waiting))
                    if ended.is_waiting:
                        left.write(_waiting_row(row))
                        waiting += 1
                done += len(block)
                self._ports.events.progress(
                    ProgressCounts(stage="replicate", done=done - waiting, total=work.rows)
                )

            async with asyncio.TaskGroup() as group:
                async for block in self._blocks(look):
                    if stop.draining.is_set():
                        raise stop.error()
                    window.append((block, group.create_task(self._seen(block, look))))
                    if len(window) >= BLOCKS_MAX:
                        await write_first()
                while window:
                    await write_first()
            left.commit({})
            looked.commit({"waiting": waiting})

    async def _blocks(self, look: int) -> AsyncIterator[list[OpenRow]]:
        """Give the rows of a look in blocks of neighbouring keys; those of one key stay in one."""
        block: list[OpenRow] = []
        for number, row in enumerate(self._rows(look)):
            if number % BREATH_ROWS == 0:
                await asyncio.sleep(0)
            if len(block) >= BLOCK_ROWS and block[-1].entry.key != row.entry.key:
                yield block
                block = []
            block.append(row)
        if block:
            yield block

    def _rows(self, look: int) -> Iterator[OpenRow]:
        """Stream the rows of a look: all at first, later those that were still waited for."""
        if look:
            rows = self._ports.artifacts.rows(waiting_name(self._work.round, look - 1))
            yield from map(_open_row_of, rows)
            return
        results = _last_results([self._results(n + 1) for n in range(self._attempts)])
        for entry, (attempts, result) in zip(self._work.entries(), results, strict=True):
            assert entry.number == result.number, "every row has its task's result"
            yield OpenRow(entry, result, attempts)

    async def _seen(self, block: Sequence[OpenRow], look: int) -> list[Ended]:
        sights = await self._sights([row.entry for row in block])
        unsure = (
            (row, sight)
            for row, sight in zip(block, sights, strict=True)
            if sight is Sight.UNSURE or (sight is Sight.ABSENT and self._may_come(row))
        )
        asked: dict[int, Ended] = {}
        while some := list(islice(unsure, BLOCK_ROWS)):  # one key may have a million versions
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._asked(*each, look)) for each in some]
            asked.update((task.result().outcome.number, task.result()) for task in tasks)
        return [
            arrived(row.result, row.entry, row.attempts)
            if sight is Sight.HELD
            else asked.get(row.entry.number) or refused(row.result, row.attempts)
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
        sights: dict[int, Sight] = {}
        for number in sorted({entry.destination for entry in entries}):
            own = [entry for entry in entries if entry.destination == number]
            place = self._work.header.destinations[number]
            try:
                sights |= await self._listed(place, own)
            except StoreFault as fault:
                self._stop_if_all_is_lost(fault)  # else each is asked for by itself
                sights |= dict.fromkeys((entry.number for entry in own), Sight.UNSURE)
        return [sights[entry.number] for entry in entries]

    async def _listed(
        self, place: BucketPlace, entries: Sequence[ManifestEntry]
    ) -> dict[int, Sight]:
        """Return what a destination's listing shows of each version, by row number."""
        wanted = {(entry.key, entry.version_id): entry for entry in entries}
        sights = dict.fromkeys((entry.number for entry in entries), Sight.ABSENT)
        keys = sorted({entry.key for entry in entries})
        # All versions of a key, however many: a backfill asks for the oldest, too.
        async for page in pages_along(self._ports.destination, place, keys, entries_max=None):
            for there in page:
                entry = wanted.get((there.key, there.version_id))
                if entry is not None:
                    sights[entry.number] = _sight(entry, there)
        return sights

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
        # Of one row the earlier look comes first: a merge keeps the order of its streams. Rows are
        # passed on as they are: their artefacts' digests vouch for them.
        merged = heapq.merge(*map(self._ports.artifacts.rows, names), key=_number_of)
        with self._ports.artifacts.writer(
            name, columns=COLUMNS, inputs=self._work.inputs
        ) as writer:
            rows = 0
            for _, group in groupby(merged, key=_number_of):
                *_, last = group
                writer.write(last[:-1])
                rows += 1
            assert rows == self._work.rows, "every row of Batch Replication has its outcome"
            return writer.commit({"looks": looks})


def _number_of(row: list[Scalar]) -> int:
    number = row[0]
    assert isinstance(number, int), "an outcome's row begins with its number"
    return number


def _waiting_row(row: OpenRow) -> Row:
    return (*entry_row_of(row.entry), *task_row_of(row.result)[1:], row.attempts)


def _open_row_of(row: list[Scalar]) -> OpenRow:
    entry = entry_of(row[: len(MANIFEST_COLUMNS)])
    *told, attempts = row[len(MANIFEST_COLUMNS) :]
    assert isinstance(attempts, int), "attempts are counted"
    return OpenRow(entry, task_result_of([entry.number, *told]), attempts)


def _sight(entry: ManifestEntry, there: ListedEntry) -> Sight:
    """Return what an entry with a version's ID shows: it is the same kind of thing, or it is not.

    `null` is everybody's version ID. A null delete marker is known by its time, which a replica
    keeps; a null object must be asked whose it is.
    """
    is_marker = isinstance(there, DeleteMarker)
    if is_marker is not (entry.etag is None):
        return Sight.ABSENT
    if entry.version_id != NULL_VERSION_ID:
        return Sight.HELD
    if not is_marker:
        return Sight.UNSURE
    return Sight.HELD if there.last_modified == entry.last_modified else Sight.ABSENT


def _last_results(
    attempts: Sequence[Iterable[TaskResult]],
) -> Iterator[tuple[int, TaskResult]]:
    """Give each row's result of the last attempt that had it, and how many attempts had it."""
    first, *others = attempts
    later = [(next(results, None), results) for results in map(iter, others)]
    upcoming = _next_number(later)
    for result in first:
        tried, last = int(result.state is not TaskState.NOT_ATTEMPTED), result
        if result.number == upcoming:
            for place, (newer, rest) in enumerate(later):
                if newer is not None and newer.number == upcoming:
                    tried, last = tried + (newer.state is not TaskState.NOT_ATTEMPTED), newer
                    later[place] = next(rest, None), rest
            upcoming = _next_number(later)
        yield max(tried, 1), last
    assert upcoming is None, "what is tried again was tried before"


def _next_number(later: Sequence[tuple[TaskResult | None, Iterator[TaskResult]]]) -> int | None:
    return min((newer.number for newer, _ in later if newer is not None), default=None)
