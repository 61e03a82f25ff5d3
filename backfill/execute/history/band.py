"""The histories of a block: both chains read before the first write and after the last.

One listing of each side serves all keys of a block. Each key is written by one writer, and the
newest version of each is concluded only after the look back.
Never writes itself and never ends a key that it could not look at as if it had.
Law: no version is written before both chains of its key were read by this process.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass

from backfill.errors import BackfillError, Disposition, StoreFault
from backfill.execute.bench import AbandonedError, Bench
from backfill.execute.chains import Density, pages_along
from backfill.execute.conclusions import Conclusions
from backfill.execute.history.cutting import History
from backfill.execute.history.walks import DestinationWalk, SourceWalk
from backfill.execute.history.writer import HistoryWriter
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.ports import Intent, ObjectStore

_UNDECIDED = (Disposition.RETRY, Disposition.SETTLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walks:
    """Both chains of one key, as one look has shown them."""

    source: SourceWalk
    destination: DestinationWalk


class Band:
    """Looks at the histories of blocks. `leaves_newer_out`: the campaign itself has a horizon."""

    def __init__(
        self,
        bench: Bench,
        conclusions: Conclusions,
        intents: MutableMapping[int, list[Intent]],
        *,
        leaves_newer_out: bool,
    ) -> None:
        self._bench = bench
        self._conclusions = conclusions
        self._intents = intents
        self._leaves_newer_out = leaves_newer_out

    async def begun(self, histories: Iterable[History]) -> list[HistoryWriter]:
        """Return the writers of histories whose chains were read; the run's end leaves some out."""
        tell = self._conclusions.tell
        writers = [
            HistoryWriter(history, self._bench, self._intents, tell) for history in histories
        ]
        looked = await self._looked(writers)
        begun = []
        for writer in writers:
            match looked.get(writer):
                case Walks(source=source, destination=destination):
                    writer.start(source, destination)
                case StoreFault() as fault:
                    writer.blind(fault)
                case None:
                    continue
            begun.append(writer)
        return begun

    async def write(self, writer: HistoryWriter) -> None:
        """Have one history written."""
        await self._conclusions.guarded(writer.history.newest, writer.write())

    async def ended(self, writers: Iterable[HistoryWriter]) -> None:
        """Look back at what was written and conclude the newest versions."""
        written = [writer for writer in writers if writer.last is not None]
        try:
            if any(writer.ledger.needs_journal for writer in written):
                await self._conclusions.tally.newest_commit()
        except BackfillError as error:
            self._conclusions.stop(error)
            return
        looked = await self._looked(written)
        for writer in written:
            match looked.get(writer):
                case Walks(source=source, destination=destination):
                    outcome = writer.review(source, destination)
                case StoreFault() as fault:
                    outcome = writer.unreviewed(fault)
                case None:
                    continue
            self._conclusions.tell(writer.history.newest, outcome)

    # --- Looks ---

    async def _looked(
        self, writers: list[HistoryWriter]
    ) -> dict[HistoryWriter, Walks | StoreFault]:
        """Read both chains of each key: together, and one by one where that failed."""
        if not writers:
            return {}
        try:
            return dict(await self._walked(writers))
        except StoreFault as fault:
            self._bench.errors[fault.code] += 1
            if fault.disposition is Disposition.STOP:
                self._conclusions.stop(self._bench.ports.error_of(fault))
                return {}
        except BackfillError as error:
            self._conclusions.stop(error)
            return {}
        looked: dict[HistoryWriter, Walks | StoreFault] = {}
        for writer in writers:
            found = await self._conclusions.guarded(
                writer.history.newest, self._looked_alone(writer)
            )
            if found is not None:
                looked[writer] = found
        return looked

    async def _looked_alone(self, writer: HistoryWriter) -> Walks | StoreFault:
        for attempt in range(1, self._bench.settings.attempts_max + 1):
            if self._bench.halt.is_set():
                raise AbandonedError
            try:
                return (await self._walked([writer]))[writer]
            except StoreFault as fault:
                if fault.disposition is Disposition.STOP:
                    raise
                self._bench.errors[fault.code] += 1
                is_last = attempt == self._bench.settings.attempts_max
                if fault.disposition not in _UNDECIDED or is_last:
                    return fault
                await self._bench.pause(attempt, fault)
        raise AssertionError("the last attempt returns or raises")

    async def _walked(self, writers: list[HistoryWriter]) -> dict[HistoryWriter, Walks]:
        """Walk along both chains of each key; the destinations first.

        What the source shows afterwards is at least as new.
        """
        header, ports = self._bench.header, self._bench.ports
        walks = {
            writer: Walks(
                source=SourceWalk(
                    writer.ledger.planned(header, leaves_newer_out=self._leaves_newer_out)
                ),
                destination=DestinationWalk(writer.ledger.known()),
            )
            for writer in writers
        }
        by_destination: defaultdict[int, list[HistoryWriter]] = defaultdict(list)
        for writer in writers:
            by_destination[writer.history.destination].append(writer)
        for number, group in sorted(by_destination.items()):
            feeds: defaultdict[str, list[Feed]] = defaultdict(list)
            for writer in group:
                feeds[writer.history.key].append(walks[writer].destination.feed)
            await _feed(ports.destination, header.destinations[number], feeds, _rows_of(group))
        feeds = defaultdict(list)
        for writer in writers:
            feeds[writer.history.key].append(walks[writer].source.feed)
        await _feed(ports.source, header.source, feeds, _rows_of(writers))
        return walks


Feed = Callable[[ListedEntry], None]


def _rows_of(writers: Iterable[HistoryWriter]) -> int:
    return sum(writer.history.rows.count for writer in writers)


async def _feed(
    store: ObjectStore, place: BucketPlace, feeds: dict[str, list[Feed]], rows: int
) -> None:
    """Give every listed entry of some keys to who walks along its key."""
    keys = sorted(feeds)
    density = Density(max(1.0, rows / len(keys)))
    async for entries in pages_along(store, place, keys, entries_max=None, density=density):
        for entry in entries:
            for feed in feeds.get(entry.key, ()):
                feed(entry)
        await asyncio.sleep(0)
