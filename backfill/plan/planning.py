"""The second pass of a plan: what is open is read by slots, and rows are written in key order.

Keys that only the source has go in stretches: a slot reads the HEAD of one of their rows, and sees
at a glance whether it tells what its neighbour's told. All other keys go one by one.
Never decides itself: shapes and `KeyPlan` do.
Law: every source version has its rows, in the order of the inventory.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, cast

from backfill.errors import StoreFault
from backfill.in_order import BREATH, WINDOW_PER_SLOT, Line, Run
from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import COLUMNS as LISTED_COLUMNS
from backfill.inventory.rows import entry_of
from backfill.model.attributes import ObjectHead
from backfill.model.looks import look_of, look_of_listed
from backfill.model.objects import ObjectVersion, VersionId
from backfill.plan.facts import SourceFacts
from backfill.plan.forecast import Requests
from backfill.plan.key_plan import KeyPlan
from backfill.plan.manifest_way import StatusTally
from backfill.plan.reads import NOTHING_KNOWN, Reads
from backfill.plan.restores import RestoreCounting
from backfill.plan.rows import row_of
from backfill.plan.shapes import Listed, Settled, Shapes, head_parts, plain_rows, stretch_rows
from backfill.plan.stretches import ListedRow, Listings, Stretch, stretches
from backfill.plan.terms import Terms
from backfill.plan.totals import Counting
from backfill.ports import Events, ProgressCounts, RowWriter

STRETCH_ROWS_MAX: Final = BREATH
"""Rows of a stretch: few enough to be written in one go, and a part of the window, so that slots
find work in the next one while the last answers of this one are awaited."""

_names_of: Final = itemgetter(*map(LISTED_COLUMNS.index, ("key", "version_id")))
_contents_of: Final = itemgetter(*map(LISTED_COLUMNS.index, ("etag", "size_bytes")))


class _Key(Run):
    """A key that is decided by its plan, or, without one, by the shapes of its versions."""

    __slots__ = ("group", "looks", "plain", "plan", "settled")

    def __init__(
        self, group: KeyGroup, plain: Sequence[Listed], plan: KeyPlan | None, *, is_open: bool
    ) -> None:
        super().__init__(1, (0,) if is_open else ())
        self.group = group
        self.plain = plain
        self.plan = plan
        self.settled = [known.settled for known in plain if known.settled is not None]
        self.looks: list[str | None] = [None] * len(self.settled)


class _Stretch(Run):
    """Rows of keys that only the source has: each is settled at last, or has a plan."""

    __slots__ = ("contents", "is_small", "known", "looks", "names", "plans", "rows", "settled")

    def __init__(
        self,
        rows: Sequence[ListedRow],
        known: Sequence[Listed | None],
        plans: dict[int, KeyPlan],
        *,
        is_small: bool,
    ) -> None:
        self.settled: list[Settled | None] = [
            None if each is None else each.settled for each in known
        ]
        decided = {place for place, plan in plans.items() if plan.needs() is None}
        super().__init__(
            len(rows),
            [
                place
                for place, each in enumerate(self.settled)
                if each is None and place not in decided
            ],
        )
        self.rows = rows
        self.known = known
        self.plans = plans
        self.is_small = is_small
        self.names = cast("list[tuple[str, VersionId]]", list(map(_names_of, rows)))
        self.contents = list(map(_contents_of, rows))
        self.looks: list[str | None] = [None] * len(rows)


class Planning:
    """Writes the rows of one plan, with `concurrency` requests in flight at most."""

    def __init__(
        self,
        terms: Terms,
        *,
        shapes: Shapes,
        reads: Reads,
        writer: RowWriter,
        events: Events,
        rows_total: int,
    ) -> None:
        self._terms = terms
        self._shapes = shapes
        self._reads = reads
        self._writer = writer
        self._events = events
        self._rows_total = rows_total
        self._rows = 0
        self.counting = Counting(buckets=[each.bucket for each in terms.destinations])
        self.statuses = StatusTally()
        self.restores = RestoreCounting(tier=terms.restore_tier)

    async def carry_out(self, listings: Listings, *, concurrency: int) -> Requests:
        """Write every row and return the requests that were sent."""
        window_max = concurrency * WINDOW_PER_SLOT
        runs = self._runs(listings, length_max=min(STRETCH_ROWS_MAX, window_max))
        line = Line(runs, self._write, window_max=window_max)
        await line.work_off(lambda: self._serve(line), concurrency)
        self._tell()
        for settled in self._shapes.settled():
            self._count(settled)
        self._reads.refuse_if_nothing_was_read()
        return self._reads.sent

    # --- What is to be done ---

    def _runs(self, listings: Listings, *, length_max: int) -> Iterator[_Key | _Stretch]:
        """Give every key of the source, decided already or about to be."""
        for begun, found in enumerate(stretches(listings, length_max=length_max), start=1):
            if begun % BREATH == 0:
                self._tell()
            if isinstance(found, Stretch):
                yield self._stretch(found.rows)
            elif found.source_chain:
                yield self._key(found)

    def _key(self, group: KeyGroup) -> _Key:
        plain = self._shapes.listed(group)
        if plain is None:
            plan = self._plan_of(group)
            return _Key(group, (), plan, is_open=plan.needs() is not None)
        return _Key(group, plain, None, is_open=any(known.settled is None for known in plain))

    def _stretch(self, rows: Sequence[ListedRow]) -> _Stretch:
        known = self._shapes.listed_alone(rows)
        plans = {}
        if None in known:
            places = (place for place, each in enumerate(known) if each is None)
            plans = {place: self._plan_alone(rows[place]) for place in places}
        return _Stretch(rows, known, plans, is_small=self._shapes.are_small(rows))

    def _plan_of(self, group: KeyGroup) -> KeyPlan:
        return KeyPlan(group.source_chain, group.destination_chains, self._terms)

    def _plan_alone(self, row: ListedRow) -> KeyPlan:
        return KeyPlan([entry_of(row)], [()] * len(self._terms.destinations), self._terms)

    # --- Slots ---

    async def _serve(self, line: Line[_Key | _Stretch]) -> None:
        """Work off open keys, one after the other, until there are no more."""
        reads = self._reads
        # What the last HEAD told, of a version that was listed how, and what became of it.
        known: Listed | None = None
        parts: object = None
        settled: Settled | None = None
        for taken in line.pieces:
            if taken is None:
                await line.pause()
                continue
            run, place = taken
            if isinstance(run, _Key):
                await self._read_key(run)
            elif run.known[place] is None:
                await self._settle(run, place, run.plans[place])
            else:
                key, version_id = run.names[place]
                try:
                    head = await reads.head_object(reads.source, key, version_id=version_id)
                except StoreFault as fault:
                    facts = SourceFacts(refusal=reads.refused_head(fault))
                    await self._settle(run, place, self._plan_alone(run.rows[place]), facts)
                else:
                    reads.failures.lost_in_a_row = 0
                    told = head_parts(head)
                    is_same = told == parts and run.known[place] is known and run.is_small
                    if is_same and (head.etag, head.size_bytes) == run.contents[place]:
                        run.settled[place] = settled
                        if self._terms.is_quiet:
                            run.looks[place] = look_of(head)
                    else:
                        settled = await self._take_head(run, place, head)
                        known, parts = run.known[place], told if settled else None
            line.finish_one(run)

    async def _take_head(self, run: _Stretch, place: int, head: ObjectHead) -> Settled | None:
        """Take what a row's HEAD told; return what becomes of it, None if it goes the long way."""
        entry, known = entry_of(run.rows[place]), run.known[place]
        assert isinstance(entry, ObjectVersion), "delete markers have no heads"
        assert known is not None, "a row that is not plain has a plan"
        settled = run.settled[place] = self._shapes.read(known, entry, head)
        if settled is None:
            self._reads.note_heads(1)
            plan = self._plan_alone(run.rows[place])
            await self._settle(run, place, plan, SourceFacts(head))
        elif self._terms.is_quiet:
            run.looks[place] = look_of_listed(entry, head)
        return settled

    async def _settle(
        self, run: _Stretch, place: int, plan: KeyPlan, facts: SourceFacts | None = None
    ) -> None:
        """Decide a row of a stretch the long way."""
        key, version_id = run.names[place]
        run.plans[place] = plan
        await self._reads.settle(key, plan, NOTHING_KNOWN if facts is None else {version_id: facts})

    async def _read_key(self, run: _Key) -> None:
        """Read the heads of a plain key, whose answers may make it another; or settle its plan."""
        group, read = run.group, dict[VersionId, SourceFacts]()
        if run.plan is None:
            run.settled, run.looks = [], []
            for entry, known in zip(group.source_chain, run.plain, strict=True):
                settled, look = known.settled, None
                if settled is None:
                    assert isinstance(entry, ObjectVersion), "delete markers have no heads"
                    head = await self._reads.source_head(group.key, entry.version_id)
                    if isinstance(head, ObjectHead):
                        read[entry.version_id] = SourceFacts(head)
                        settled = self._shapes.read(known, entry, head)
                        look = look_of_listed(entry, head) if self._terms.is_quiet else None
                    else:
                        read[entry.version_id] = SourceFacts(refusal=head)
                    if settled is None:
                        run.plan = self._plan_of(group)
                        break
                run.settled.append(settled)
                run.looks.append(look)
        if run.plan is not None:
            await self._reads.settle(group.key, run.plan, read)

    # --- Rows ---

    def _write(self, run: _Key | _Stretch) -> None:
        """Write rows and count them; those that go by shapes are counted by shape at the end."""
        if isinstance(run, _Stretch):
            self._write_stretch(run)
            return
        self.counting.add_source(run.group.source_chain)
        if run.plan is None:
            rows = plain_rows(run.group, run.settled, run.looks, self._rows)
            self._writer.write_rows(rows)
            self._rows += len(rows)
        else:
            self._write_plan(run.plan)

    def _write_stretch(self, run: _Stretch) -> None:
        self.counting.add_alone(run.contents)
        read = len(run.open_places)
        if run.plans:
            read -= sum(place in run.plans for place in run.open_places)
        self._reads.note_heads(read)
        begin = 0
        for settled, alike in groupby(run.settled):
            end = begin + sum(1 for _ in alike)
            if settled is None:
                for place in range(begin, end):
                    self._write_plan(run.plans[place])
            else:
                listed, looks = run.rows[begin:end], run.looks[begin:end]
                rows = stretch_rows(listed, settled, looks, self._rows)
                self._writer.write_rows(rows)
                self._rows += len(rows)
            begin = end

    def _write_plan(self, plan: KeyPlan) -> None:
        for entry in plan.entries(self._rows):
            self._writer.write(row_of(entry))
            self.counting.add(entry)
            self._rows += 1
        self.restores.add(plan.decided())
        if self._terms.delivery.batch:
            self.statuses.add(plan.decided())

    def _count(self, settled: Settled) -> None:
        """Count what was written by shapes."""
        if not settled.versions:
            return
        for destination, word in enumerate(settled.words):
            self.counting.add_rows(
                destination, word, rows=settled.versions, size_bytes=settled.size_bytes
            )
        self.restores.add_alike(
            settled.decided, versions=settled.versions, size_bytes=settled.size_bytes
        )
        if self._terms.delivery.batch:
            self.statuses.add_versions(settled.decided, settled.versions)

    def _tell(self) -> None:
        self._events.progress(ProgressCounts(stage="plan", done=self._rows, total=self._rows_total))
