"""Looks at the destination, until every version that a job started has arrived or is explained.

Never writes to a bucket, and never takes a job's word for an arrival. Each look lists the
destinations' versions along the rows that are still open, and asks the source only for what is
missing.
Law: a look is an artefact; a process that comes later goes on with the next one.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
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
from backfill.execute.outcomes import COLUMNS, outcome_of, row_of
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry
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
        """Look until all is told or the deadline is over; write and return the outcomes."""
        settings, clock = self._work.settings, self._ports.clock
        deadline_s = clock.monotonic_s() + settings.replication_deadline_s
        pause_s, look = settings.job_poll_s, 0
        while True:
            if self._ports.artifacts.index(look_name(self._work.round, look)) is None:
                await self._look(look, stop)
            index = self._ports.artifacts.index(look_name(self._work.round, look))
            assert index is not None, "a look leaves its artefact"
            look += 1
            if not index.summary["waiting"] or clock.monotonic_s() >= deadline_s:
                return self._conclude(look)
            await self._pause(min(pause_s, deadline_s - clock.monotonic_s()), stop)
            pause_s = min(pause_s * 2, settings.job_poll_s * PAUSE_GROWTH_MAX)

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
        done = self._work.rows - self._rows_of(look)
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

    def _rows_of(self, look: int) -> int:
        if look == 0:
            return self._work.rows
        index = self._ports.artifacts.index(look_name(self._work.round, look - 1))
        assert index is not None, "the look before stands"
        waiting = index.summary["waiting"]
        assert isinstance(waiting, int), "a look counts who waits"
        return waiting

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
        expected = [row for row in block if is_expected(row.result)]
        held = await self._held(expected)
        ended = dict[int, Ended]()
        async with asyncio.TaskGroup() as group:
            asked = {
                row.entry.number: group.create_task(self._asked(row, look))
                for row in expected
                if row.entry.number not in held
            }
        for row in block:
            number = row.entry.number
            if number in held:
                ended[number] = arrived(row.result, row.entry, row.attempts)
            elif number in asked:
                ended[number] = asked[number].result()
            else:
                ended[number] = refused(row.result, row.attempts)
        return list(ended.values())

    async def _held(self, rows: Sequence[OpenRow]) -> set[int]:
        """Return the numbers of the rows whose version the destination lists.

        `null` is everybody's version ID, so it is asked for by itself.
        """
        held: set[int] = set()
        for number in sorted({row.entry.destination for row in rows}):
            own = [row.entry for row in rows if row.entry.destination == number]
            keys = sorted({entry.key for entry in own})
            place = self._work.header.destinations[number]
            try:
                chains = await read_chains(self._ports.destination, place, keys)
            except StoreFault as fault:
                if fault.disposition is Disposition.STOP:
                    raise self._ports.driver.error_of(fault) from fault
                continue  # each is asked for by itself
            for entry in own:
                found = _listed(entry, chains[entry.key])
                if found and entry.version_id != NULL_VERSION_ID:
                    held.add(entry.number)
        return held

    async def _asked(self, row: OpenRow, look: int) -> Ended:
        """Ask both sides about one version that the listing did not show."""
        async with self._slots:
            if await self._is_replica(row.entry):
                return arrived(row.result, row.entry, row.attempts)
            standing = await self._standing(row.entry)
        return not_arrived(row.result, row.entry, standing, look, row.attempts)

    async def _is_replica(self, entry: ManifestEntry) -> bool:
        place = self._work.header.destinations[entry.destination]
        try:
            head = await self._ports.destination.head_object(
                place, entry.key, version_id=entry.version_id
            )
        except StoreFault as fault:
            if fault.disposition is Disposition.STOP:
                raise self._ports.driver.error_of(fault) from fault
            # 405: a delete marker has this version ID there.
            is_marker = fault.status == 405 and entry.version_id != NULL_VERSION_ID
            return is_marker and entry.etag is None
        is_named = entry.version_id != NULL_VERSION_ID
        is_theirs = head.replication_status is ReplicationStatus.REPLICA
        return entry.etag is not None and (is_named or is_theirs)

    async def _standing(self, entry: ManifestEntry) -> Standing:
        try:
            head = await self._ports.source.head_object(
                self._work.header.source, entry.key, version_id=entry.version_id
            )
        except StoreFault as fault:
            if fault.disposition is Disposition.STOP:
                raise self._ports.driver.error_of(fault) from fault
            if fault.status == 405:
                return Standing.UNTOLD
            return Standing.GONE if fault.status == 404 else Standing.NOT_READ
        if entry.version_id == NULL_VERSION_ID and head.etag != entry.etag:
            return Standing.GONE  # overwritten in place
        return standing_of(head.replication_status)

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


def _listed(entry: ManifestEntry, chain: Sequence[ListedEntry]) -> bool:
    """Return whether a chain holds the version, and as the same kind of thing."""
    return any(
        there.version_id == entry.version_id
        and isinstance(there, DeleteMarker) == (entry.etag is None)
        for there in chain
    )


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
