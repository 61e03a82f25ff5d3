"""Plan rows, their outcomes and the fresh listings of two buckets, brought together key by key.

Rows come as cells, and of nearly every key there is one in each stream: such a key stays cells, for
whoever needs no more of them. Any other is decoded for the judge.
Never holds more than one key, and never sorts: every stream comes in its own order and is joined.
Law: every plan row, and every key of both listings, is in exactly one piece of what comes out.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, cast

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.execute.outcome_rows import COLUMNS as OUTCOME_COLUMNS
from backfill.execute.outcome_rows import outcome_of
from backfill.inventory.chains import Chain, key_chains
from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import COLUMNS as LISTING_COLUMNS
from backfill.inventory.rows import entries_of
from backfill.model.rows import Scalar
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of
from backfill.verify.decisions import PlannedRow
from backfill.verify.keys import KeyRows, KeyWork

Cells = list[Scalar]
"""A row as it is on disk. Outcomes have the number of their plan row in place of their entry's."""

AHEAD_ROWS: Final = 64
"""Rows read ahead in one call, and compared with those of the other streams in one go."""
AHEAD_ROWS_MIN: Final = 2
"""Fewer are not left to compare: whether a row is its key's only one, the next row tells."""

_NUMBER: Final = PLAN_COLUMNS.index("number")
_PLAN_KEY: Final = PLAN_COLUMNS.index("key")
_OUTCOME_NUMBER: Final = OUTCOME_COLUMNS.index("number")
_LISTED_KEY: Final = LISTING_COLUMNS.index("key")


class KeyCells(NamedTuple):
    """A key with one plan row, one outcome of it, and one entry in either listing."""

    planned: Cells
    outcome: Cells
    source: Cells
    destination: Cells


_new = tuple.__new__


def joined_keys(
    plan: Iterable[Cells],
    outcomes: Iterable[Cells],
    source: Iterable[Cells],
    destination: Iterable[Cells],
) -> Iterator[KeyCells | KeyWork]:
    """Join the streams.

    Raises:
        TotalsError: An outcome belongs to no row of the plan.
        ArtifactDamagedError: A stream is not sorted.
        RefusedError: A key has too many versions; see `key_chains`.
    """
    planned, told = _Ahead(plan, _PLAN_KEY), _Ahead(outcomes, _OUTCOME_NUMBER)
    ours, theirs = _Ahead(source, _LISTED_KEY), _Ahead(destination, _LISTED_KEY)
    sides = (planned, ours, theirs)
    while True:
        alike = _alike(planned.rows(), told.rows(), ours.rows(), theirs.rows())
        if alike:
            for stream in (*sides, told):
                stream.drop(len(alike))
            yield from alike
            continue
        heads = [str(side.rows()[0][side.place]) for side in sides if side.rows()]
        if not heads:
            break
        key = min(heads)
        if all(side.has_one(key) for side in sides):
            number = planned.rows()[0][_NUMBER]
            if told.has_one(number):
                own = zip((*sides, told), (key, key, key, number), strict=True)
                (row,), (our,), (their,), (outcome,) = (each.taken(cell) for each, cell in own)
                yield KeyCells(row, outcome, our, their)
                continue
        rows = tuple(_planned_row(cells, told) for cells in planned.taken(key))
        group = KeyGroup(key, _chain(ours.taken(key)), (_chain(theirs.taken(key)),))
        yield KeyWork(KeyRows(key, rows), group)
    if told.rows():
        number = told.rows()[0][told.place]
        raise TotalsError(f"an outcome is of plan row {number}, which the plan does not have")


def _alike(
    planned: list[Cells], told: list[Cells], ours: list[Cells], theirs: list[Cells]
) -> list[KeyCells]:
    """Return the keys that all streams begin with, and that have one row in each.

    The last one of which that may be true is left out: what follows it is not seen yet.
    """
    alike: list[KeyCells] = []
    before = ""
    for four in zip(planned, told, ours, theirs, strict=False):
        row, outcome, our, their = four
        key = row[_PLAN_KEY]
        if not (
            key == our[_LISTED_KEY] == their[_LISTED_KEY]
            and row[_NUMBER] == outcome[_OUTCOME_NUMBER]
            and str(key) > before
        ):
            break
        alike.append(_new(KeyCells, four))
        before = str(key)
    return alike[:-1]


def work_of(cells: KeyCells) -> KeyWork:
    """Return a key decoded for the judge."""
    row = PlannedRow(entry_of(cells.planned), (outcome_of(cells.outcome),))
    ours, theirs = entries_of((cells.source, cells.destination))
    key = row.entry.key
    return KeyWork(KeyRows(key, (row,)), KeyGroup(key, (ours,), ((theirs,),)))


class _Ahead:
    """A stream of rows sorted by the cell at `place`, some of them read ahead."""

    __slots__ = ("_held", "_rows", "place")

    def __init__(self, rows: Iterable[Cells], place: int) -> None:
        self._rows = iter(rows)
        self._held: list[Cells] = []
        self.place = place

    def rows(self) -> list[Cells]:
        """Return the next rows, none only at the end."""
        if len(self._held) < AHEAD_ROWS_MIN:
            self._held += islice(self._rows, AHEAD_ROWS)
        return self._held

    def drop(self, count: int) -> None:
        """Go on behind so many rows."""
        del self._held[:count]

    def has_one(self, key: Scalar) -> bool:
        """Return whether the next row is the only one of this key."""
        rows, place = self.rows(), self.place
        is_next = bool(rows) and rows[0][place] == key
        return is_next and (len(rows) == 1 or rows[1][place] != key)

    def taken(self, key: Scalar) -> Iterator[Cells]:
        """Give the rows of this key, if it is the next one, and go on behind them."""
        while (rows := self.rows()) and rows[0][self.place] == key:
            yield rows.pop(0)
            if rows and cast("str", rows[0][self.place]) < cast("str", key):
                raise ArtifactDamagedError(
                    f"rows are not sorted: {rows[0][self.place]!a} follows {key!a}",
                    hint="begin a new run directory; what was delivered is recognised there",
                )


def _planned_row(cells: Cells, told: _Ahead) -> PlannedRow:
    outcomes = tuple(map(outcome_of, told.taken(cells[_NUMBER])))
    return PlannedRow(entry_of(cells), outcomes)


def _chain(rows: Iterator[Cells]) -> Chain:
    chains = list(key_chains(entries_of(rows)))
    return chains[0].entries if chains else ()
