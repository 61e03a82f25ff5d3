"""A look at keys: judged by listings alone where they are enough, by reads where they are not.

Many keys are read at a time, and what was found is written in their order.
Never judges (`plain`, `judge` and `looks` do).
Law: up to the first key that a later look may change, verdicts are written at once and no drafts;
from there on drafts, and no verdicts.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, islice
from typing import Final, cast

from backfill.errors import Disposition, StoreFault
from backfill.in_order import WINDOW_PER_SLOT, Line, Run, in_order
from backfill.model.attributes import ObjectHead
from backfill.model.rows import Row
from backfill.ports import Events, ProgressCounts, RowWriter
from backfill.verify.conclusion import Conclusion
from backfill.verify.decisions import VANISHED, Decision, Look, Unjudged
from backfill.verify.joined import KeyCells, work_of
from backfill.verify.keys import KeyRows, KeyWork
from backfill.verify.looks import DESTINATION_SEEN, Seen, is_suspect
from backfill.verify.plain import PlainVerdicts, delivered_id, is_plain, key_of, planned_id
from backfill.verify.reader import Reader, Side
from backfill.verify.rows import Draft, draft_row, draft_row_of

RUN_KEYS: Final = 32
"""Neighbouring keys that are written together."""
TOLD_EVERY_ROWS: Final = 256
"""Rows between two words of progress: a few tens of milliseconds."""
LONG_KEY_ROWS: Final = 128
"""A key with more rows is a long one: it is read and written in parts."""
PART_ROWS: Final = 32
"""Rows of a long key that are read one after the other; parts are read side by side."""
HELD_ROWS_MAX: Final = 10_000
"""Rows of a long key that wait for its end: only then is it known that none is suspect, so that all
are verdicts. Rows of a longer key are drafts at once, and so is what comes behind it: that is some
hundred bytes a row less to hold, and a pass over them more."""
LONG_KEY_SLOTS: Final = 16
"""Parts of a long key that are read at a time where it is looked at again."""

Drafts = list[Draft]
Begin = Callable[[], Awaitable[Drafts]]
"""Begins work that needs requests; not called, it leaves no coroutine behind."""
Found = Row | Drafts
"""What a look found of a key: the row of its one certain verdict, or drafts."""
Key = KeyCells | KeyWork | KeyRows
"""A key as the listings show it, or the rows of one that is to be listed now."""


class PartOfKey(Drafts):
    """Drafts of some rows of a long key; a later look may replace them with all of the others."""


class LongKey:
    """A key of many rows, in parts that are judged as they are taken."""

    def __init__(self, decisions: Iterator[Decision]) -> None:
        self._decisions = decisions

    def parts(self) -> Iterator[list[Decision]]:
        """Yield its decisions, some at a time."""
        while part := list(islice(self._decisions, PART_ROWS)):
            yield part


class Looking:
    """The looks of one verification.

    `decide` judges a key by its listings. `trusts_looks`: a plain key's source need not be read
    where the plan has a look of it. `plan_rows` counts those of the keys that came with listings.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        destination: Side,
        decide: Callable[[KeyWork], Iterator[Decision]],
        trusts_looks: bool,
        slots: int,
        checksum_algorithm: str = "",
    ) -> None:
        self._reader = reader
        self._destination = destination
        self._decide = decide
        self._trusts_looks = trusts_looks
        self._slots = slots
        self._window_max = slots * WINDOW_PER_SLOT
        # Two runs fit into the window, so that slots have work while the first is waited for.
        self._run_max = max(1, min(RUN_KEYS, self._window_max // 2))
        self._verdicts = PlainVerdicts(checksum_algorithm)
        self.plan_rows = 0

    async def look(self, keys: Iterable[Key], writer: "LookWriter") -> None:
        """Look at keys and have written what was found."""
        line = Line(self._runs(keys), writer.write, window_max=self._window_max)
        await line.work_off(partial(self._serve, line), self._slots)

    def _runs(self, keys: Iterable[Key]) -> Iterator["_Keys"]:
        remaining = iter(keys)
        while some := list(map(self._begun, islice(remaining, self._run_max))):
            if LongKey not in map(type, some):
                yield _Keys(cast("list[KeyCells | Begin | Drafts]", some))
                continue
            pieces = chain.from_iterable(map(self._pieces, some))
            while run := list(islice(pieces, self._run_max)):
                yield _Keys(run)

    def _pieces(
        self, piece: KeyCells | Begin | Drafts | LongKey
    ) -> Iterator[KeyCells | Begin | Drafts]:
        """Yield a long key's parts, and anything else as it is."""
        if not isinstance(piece, LongKey):
            yield piece
            return
        for part in piece.parts():
            ready = _ready(part)
            yield partial(self._part, part) if ready is None else PartOfKey(ready)

    async def _part(self, decisions: Sequence[Decision]) -> PartOfKey:
        return PartOfKey(await self._reader.drafts(decisions))

    def _begun(self, key: Key) -> KeyCells | Begin | Drafts | LongKey:
        """Judge a key: at once where the listings are enough."""
        if isinstance(key, KeyCells):
            self.plan_rows += 1
            return key if is_plain(key) else self._judged(work_of(key))
        if isinstance(key, KeyRows):
            return partial(self._again, key)
        self.plan_rows += len(key.rows.rows)
        return self._judged(key)

    def _judged(self, work: KeyWork) -> Begin | Drafts | LongKey:
        decisions = self._decide(work)
        some = list(islice(decisions, LONG_KEY_ROWS + 1))
        if len(some) > LONG_KEY_ROWS:
            return LongKey(chain(some, decisions))
        ready = _ready(some)
        return partial(self._reader.drafts, some) if ready is None else ready

    async def _serve(self, line: "Line[_Keys]") -> None:
        """Take keys until there are no more."""
        of_plan = self._verdicts.of_plan if self._trusts_looks else _nothing
        side, answering = self._destination, self._reader.answering
        head_object, place = side.store.head_object, side.place
        for taken in line.pieces:
            if taken is None:
                await line.pause()
                continue
            run, at = taken
            piece = run.pieces[at]
            if isinstance(piece, KeyCells):
                try:
                    head = await head_object(place, key_of(piece), version_id=delivered_id(piece))
                except StoreFault as fault:
                    seen = self._reader.after_destination_fault(side, fault)
                    run.pieces[at] = await self._whole(piece, seen)
                else:
                    answering.add(side.listing_name)
                    run.pieces[at] = of_plan(piece, head) or await self._by_heads(piece, head)
            elif callable(piece):
                run.pieces[at] = await piece()
            line.finish_one(run)

    async def _by_heads(self, plain: KeyCells, head: ObjectHead) -> Found:
        """Judge a plain key by both heads."""
        seen = await self._reader.with_source_head(
            key_of(plain), planned_id(plain), DESTINATION_SEEN._replace(destination=head)
        )
        if seen.source is not None:
            row = self._verdicts.of_heads(plain, seen.source, head)
            if row is not None:
                return row
        return await self._whole(plain, seen)

    async def _whole(self, plain: KeyCells, seen: Seen) -> Drafts:
        """Judge by the whole way a plain key that its heads do not settle."""
        return await self._reader.drafts(self._decide(work_of(plain)), seen)

    async def _again(self, rows: KeyRows) -> Drafts:
        """Judge a suspect key by fresh listings; none if it cannot be listed now."""
        try:
            group = await self._reader.fresh_group(rows.key)
        except StoreFault as fault:
            if fault.disposition is Disposition.STOP:
                raise
            return []
        judged = self._judged(KeyWork(rows, group))
        if isinstance(judged, LongKey):
            found: Drafts = []
            begun = (partial(self._reader.drafts, part) for part in judged.parts())
            await in_order(begun, found.extend, slots=LONG_KEY_SLOTS)
            return found
        drafts = judged if isinstance(judged, list) else await judged()
        return drafts or [_nothing_left(rows.key)]


class LookWriter:
    """Writes what one look finds. `suspects` counts keys with a row that may yet change.

    With a conclusion, rows before the first suspect are its verdicts, and no drafts.
    """

    def __init__(
        self, drafts: RowWriter, conclusion: Conclusion | None, events: Events, *, rows_done: int
    ) -> None:
        self._drafts = drafts
        self._conclusion = conclusion
        self._events = events
        self._suspect: str | None = None
        self._held: Drafts = []
        self.rows_done = rows_done
        self.suspects = 0
        self.leaves_drafts = False

    def write(self, run: "_Keys") -> None:
        """Write a run of keys."""
        for kind, some in groupby(run.pieces, type):
            if issubclass(kind, list):
                for drafts in cast("Iterator[Drafts]", some):
                    self._add(drafts)
            else:
                self._add_rows(cast("list[Row]", list(some)))

    def finish(self) -> None:
        """Write what is held of the last key, and say how far the verification is."""
        self._let_go()
        self.tell()

    def tell(self) -> None:
        """Say how far the verification is."""
        self._events.progress(ProgressCounts(stage="verify", done=self.rows_done))

    def _add(self, drafts: Drafts) -> None:
        if any(draft.is_suspect for draft in drafts) and drafts[0].key != self._suspect:
            self.suspects += 1
            self._suspect = drafts[0].key
        is_of_held = bool(self._held and drafts) and self._held[0].key == drafts[0].key
        if not is_of_held:
            self._let_go()
        # Of a long key it is not known yet whether another part makes it a suspect.
        self._held += drafts
        if self.suspects or len(self._held) > HELD_ROWS_MAX:
            self._conclusion = None
        if self._conclusion is None or not isinstance(drafts, PartOfKey):
            self._let_go()
        self._count(len(drafts))

    def _let_go(self) -> None:
        """Write what is held, as verdicts if nothing before or in it is a suspect."""
        held, self._held = self._held, []
        if self._conclusion is not None:
            for draft in held:
                self._conclusion.add(draft.decision)
        elif held:
            self._drafts.write_rows(list(map(draft_row, held)))
            self.leaves_drafts = True

    def _add_rows(self, rows: list[Row]) -> None:
        self._let_go()
        if self._conclusion is not None:
            self._conclusion.add_good(rows)
        else:
            self._drafts.write_rows(list(map(draft_row_of, rows)))
            self.leaves_drafts = True
        self._count(len(rows))

    def _count(self, rows: int) -> None:
        before, self.rows_done = self.rows_done, self.rows_done + rows
        if before // TOLD_EVERY_ROWS != self.rows_done // TOLD_EVERY_ROWS:
            self.tell()


class _Keys(Run):
    """Neighbouring keys; in the place of each comes what was found of it."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Sequence[KeyCells | Begin | Drafts]) -> None:
        is_open = [at for at, piece in enumerate(pieces) if not isinstance(piece, list)]
        super().__init__(len(pieces), is_open)
        self.pieces: list[KeyCells | Begin | Found] = [*pieces]


def _ready(decisions: Sequence[Decision]) -> Drafts | None:
    """Return the drafts of decisions that need no look; None where one does."""
    drafts = Drafts()
    for decision in decisions:
        if isinstance(decision, Look):
            return None
        drafts.append(Draft(decision=decision, is_suspect=is_suspect(decision, None)))
    return drafts


def _nothing(_plain: KeyCells, _destination: ObjectHead) -> None:
    """Trust no look: a later verification, or a deep one, asks the source itself again."""


def _nothing_left(key: str) -> Draft:
    """Return the draft of a key that had an extra version, and has none now."""
    gone = Unjudged(number=None, key=key, destination=0, reason=VANISHED)
    return Draft(decision=gone, is_suspect=False)
