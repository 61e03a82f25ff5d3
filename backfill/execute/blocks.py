"""A manifest cut into blocks of neighbouring keys, what has an outcome or goes by jobs left out.

Never reads a store. The rows of one key stay together.
Law: between two breaths no more than `BREATH_ROWS` rows are passed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from backfill.errors import BugError
from backfill.execute.batch_replication.work import BREATH_ROWS
from backfill.execute.ordinary import is_ordinary
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

Rows = tuple[ManifestEntry, ...]


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

    `is_large`: it is one key, with an object to copy in parts.
    `written`: straight copies that S3 confirmed; `waiting`: the workers of writes that stand. Both
    are looked back at together once nothing is `left`.
    """

    ordinary: list[ManifestEntry] = field(default_factory=list)
    others: list[Rows] = field(default_factory=list)
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


Ready = tuple[ManifestEntry | Rows, Block]
"""What a slot can begin at once."""


class Line(asyncio.Queue[Ready | None]):
    """What waits for a slot, first come first served, but that large objects go to the front.

    A large object takes as long as thousands of small ones: begun last, it is what a run waits for.
    """

    def _init(self, maxsize: int) -> None:
        assert not maxsize, "blocks bound it, of which there are only so many at a time"
        self._queue: deque[Ready | None] = deque()

    def _put(self, item: Ready | None) -> None:
        if item is not None and item[1].is_large:
            self._queue.appendleft(item)
        else:
            self._queue.append(item)


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
        block, rows = Block(is_large=is_large), list[ManifestEntry]()
        entries_max, taken, has_large = 1 if is_large else BLOCK_ENTRIES, 0, False
        batch, in_parts = Route.BATCH_REPLICATION, Route.MULTIPART_COPY
        for passed, entry in enumerate(self.entries):
            if passed % BREATH_ROWS == 0:
                await asyncio.sleep(0)
            if entry.route is batch:
                self._require_jobs()
                continue
            if rows and entry.key != rows[0].key:
                taken += self._add(block, rows, has_large=has_large)
                rows, has_large = [], False
                if taken >= entries_max:
                    yield block
                    block, taken = Block(is_large=is_large), 0
            rows.append(entry)
            if entry.route is in_parts:
                has_large = True
        taken += self._add(block, rows, has_large=has_large)
        if taken:
            yield block

    def _add(self, block: Block, rows: list[ManifestEntry], *, has_large: bool) -> int:
        """Add what is left of a key's rows to a block; return how many those are."""
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
