"""A manifest cut into blocks of neighbouring keys, what has an outcome or goes by jobs left out.

Never reads a store. The rows of one key stay together.
Law: between two breaths no more than `BREATH_ROWS` rows are passed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import eq, itemgetter
from typing import Final

from backfill.errors import BugError
from backfill.execute.batch_replication.work import BREATH_ROWS
from backfill.execute.history.cutting import Histories, History, is_of_history
from backfill.execute.history.writer import HistoryWriter
from backfill.execute.ordinary import ORDINARY_HANDLINGS, is_ordinary
from backfill.execute.views import Chain
from backfill.execute.worker import Chains, Worker
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome
from backfill.model.store import WriteResult
from backfill.plan.routes import Route
from backfill.ports import Intent, Journal
from backfill.settings import Settings

BLOCK_ENTRIES: Final = 100
"""Entries that are looked back at together: two listings a hundred copies, and never more than
this many copies wait, written and not yet concluded, for the slowest of them."""

_OF_JOBS: Final = Route.BATCH_REPLICATION
_ORDINARY_ROUTES: Final = {Route.COPY_OBJECT}
_number_of: Final = itemgetter(ManifestEntry._fields.index("number"))
_key_of: Final = itemgetter(ManifestEntry._fields.index("key"))
_size_of: Final = itemgetter(ManifestEntry._fields.index("size_bytes"))
_handling_of: Final = itemgetter(ManifestEntry._fields.index("handling"))
_route_of: Final = itemgetter(ManifestEntry._fields.index("route"))

Rows = tuple[ManifestEntry, ...]


def _is_of_jobs(row: ManifestEntry) -> bool:
    return row.route is _OF_JOBS


def _is_elsewhere(row: ManifestEntry) -> bool:
    """Return whether a row is no matter of its key's other rows, of which there may be any number.

    Those of jobs are nobody's here, and those of histories are held packed.
    """
    return row.route is _OF_JOBS or is_of_history(row)


@dataclass(slots=True, kw_only=True)  # filled listing by listing
class Listed:
    """Chains of a range of keys, by side."""

    source: Mapping[str, Chain] = field(default_factory=dict)
    destinations: dict[int, Mapping[str, Chain]] = field(default_factory=dict)

    def get(self, entry: ManifestEntry) -> Chains | None:
        """Return source and destination chain of an entry's key, None if they were not read."""
        source = self.source.get(entry.key)
        # Of the rows of one key, only those whose destination has other writers were asked for.
        destination = self.destinations.get(entry.destination, {}).get(entry.key)
        return None if source is None or destination is None else (source, destination)


@dataclass(slots=True, kw_only=True)  # worked off key by key
class Block:
    """Neighbouring keys: those that may go straight, and the rows of the others.

    `is_large`: it is one key, with an object to copy in parts. `histories`: then it holds only
    those, and both chains of their keys are looked at together, before them and after them.
    `written`: straight copies that S3 confirmed; `waiting`: the workers of writes that stand. Both
    are looked back at together once nothing is `left`.
    """

    ordinary: list[ManifestEntry] = field(default_factory=list)
    others: list[Rows] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)
    listed: Listed = field(default_factory=Listed)
    is_large: bool = False
    written: list[tuple[ManifestEntry, WriteResult]] = field(default_factory=list)
    waiting: list[Worker] = field(default_factory=list)
    left: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def entries(self) -> Iterable[ManifestEntry]:
        """Give all entries."""
        yield from self.ordinary
        for rows in self.others:
            yield from rows

    def finish_one(self) -> None:
        """Count a key as worked on."""
        self.left -= 1
        if not self.left:
            self.done.set()


Work = ManifestEntry | Rows | HistoryWriter
Ready = tuple[Work, Block]
"""What a slot can begin at once."""


class Line:
    """What waits for a slot, first come first served, but that large objects go to the front.

    A large object takes as long as thousands of small ones: begun last, it is what a run waits for.
    Blocks bound it, of which there are only so many at a time.
    """

    def __init__(self) -> None:
        self.ready: deque[Ready] = deque()
        self._asleep: deque[asyncio.Future[None]] = deque()
        self._is_closed = False

    def put(self, block: Block, work: Sequence[Work]) -> None:
        """Add work of a block, and wake as many slots."""
        if block.is_large:
            self.ready.extendleft((each, block) for each in work)
        else:
            self.ready.extend((each, block) for each in work)
        self._wake(len(work))

    def close(self) -> None:
        """Nothing comes any more: whoever finds nothing left may go."""
        self._is_closed = True
        self._wake(len(self._asleep))

    async def more(self) -> bool:
        """Wait until there is something, which another slot may take first; False: never again."""
        if not self._is_closed:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._asleep.append(waiting)
            await waiting
        return bool(self.ready) or not self._is_closed

    def _wake(self, slots: int) -> None:
        while slots and self._asleep:
            waiting = self._asleep.popleft()
            if not waiting.done():
                waiting.set_result(None)
                slots -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutter:
    """Cuts what is left of a manifest. `intents` are those that an earlier process left open.

    `has_jobs`: rows of Batch Replication are another engine's, and not a mistake. `is_large`: keys
    with an object to copy in parts, each a block, and no others; or all keys but these; None: all.
    """

    entries: Iterable[ManifestEntry]
    has_jobs: bool
    journal: Journal
    intents: Mapping[int, list[Intent]]
    settings: Settings
    is_large: bool | None
    count: Callable[[Outcome], None]
    """Takes the outcomes that are there already."""

    async def blocks(self) -> AsyncIterator[Block]:
        """Give block after block.

        Raises:
            BugError: a row is nobody's work.
        """
        is_large = self.is_large is True
        histories = Histories(self.journal, self.is_large, self.count)
        block, taken, passed = Block(is_large=is_large), 0, 0
        entries_max = 1 if is_large else BLOCK_ENTRIES
        for rows in self._neighbours():
            passed += len(rows)
            if passed >= BREATH_ROWS:
                passed = 0
                await asyncio.sleep(0)
            if self._is_ordinary(rows):
                if taken:
                    yield block
                    block, taken = Block(is_large=is_large), 0
                yield Block(ordinary=rows)
                continue
            for of_key in self._by_key(histories.take(rows)):
                taken += self._add(block, of_key)
                if taken >= entries_max:
                    yield block
                    block, taken = Block(is_large=is_large), 0
            if histories.rows_ended >= entries_max:
                yield Block(is_large=is_large, histories=histories.ended())
        if taken:
            yield block
        if ended := histories.ended(end_all=True):
            yield Block(is_large=is_large, histories=ended)

    def _neighbours(self) -> Iterator[list[ManifestEntry]]:
        """Give the rows of neighbouring keys, a block's number of them or a few more."""
        entries, rows = iter(self.entries), list[ManifestEntry]()
        for entry in entries:
            if len(rows) >= BLOCK_ENTRIES:
                if entry.key != rows[-1].key:
                    yield rows
                    rows = []
                elif _is_elsewhere(entry):
                    # They go, and what else is to do for this key waits for the rest of it.
                    key = entry.key
                    of_key = [row for row in rows if row.key == key and not _is_elsewhere(row)]
                    yield [row for row in rows if row.key != key or _is_elsewhere(row)]
                    rows = of_key
            rows.append(entry)
            # Beyond a block's number only what is left of a key, row by row.
            rows += islice(entries, max(BLOCK_ENTRIES - len(rows), 0))
        if rows:
            yield rows

    def _is_ordinary(self, rows: list[ManifestEntry]) -> bool:
        """Return whether each row is its key's only one, an ordinary copy, and untouched."""
        if self.is_large or set(map(_route_of, rows)) != _ORDINARY_ROUTES:
            return False
        keys, numbers = list(map(_key_of, rows)), list(map(_number_of, rows))
        return (
            not any(map(eq, keys, keys[1:]))
            and ORDINARY_HANDLINGS.issuperset(map(_handling_of, rows))
            and max(map(_size_of, rows)) <= self.settings.copy_object_bytes_max
            and not self.journal.has_outcome(numbers[0], numbers[-1] + 1)
            and self.intents.keys().isdisjoint(numbers)
        )

    def _by_key(self, rows: list[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
        """Give the rows of each key, but those of Batch Replication."""
        if _OF_JOBS in map(_route_of, rows):
            self._require_jobs()
            rows = [row for row in rows if not _is_of_jobs(row)]
        for _, of_key in groupby(rows, _key_of):
            yield list(of_key)

    def _add(self, block: Block, rows: list[ManifestEntry]) -> int:
        """Add what is left of a key's rows to a block; return how many those are."""
        has_large = any(row.route is Route.MULTIPART_COPY for row in rows)
        # Whose key it is tell all of its rows, whatever has come of them meanwhile.
        if self.is_large is not None and self.is_large is not has_large:
            return 0
        left: list[ManifestEntry] = []
        outcome_of = self.journal.outcome
        for row in rows:
            outcome = outcome_of(row.number)
            if outcome is None:
                left.append(row)
            else:
                self.count(outcome)
        if not left:
            return 0
        first, bytes_max = left[0], self.settings.copy_object_bytes_max
        is_alone = len(left) == 1 and first.number not in self.intents
        if is_alone and is_ordinary(first, copy_object_bytes_max=bytes_max):
            block.ordinary.append(first)
        else:
            block.others.append(tuple(left))
        return len(left)

    def _require_jobs(self) -> None:
        if not self.has_jobs:
            raise BugError(
                "a manifest has rows of Batch Replication, and nothing to create jobs with"
            )
