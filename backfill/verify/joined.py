"""Plan rows, their outcomes and the fresh listings of two buckets, brought together key by key.

Rows come as cells, and of nearly every key there is one in each stream: such a key stays cells, for
whoever needs no more of them. Any other is decoded for the judge.
Never holds more than one key, and never sorts: every stream comes in its own order and is joined.
Law: every plan row, and every key of both listings, is in exactly one piece of what comes out.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final, NamedTuple, TypeVar, cast

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.execute.outcome_rows import COLUMNS as OUTCOME_COLUMNS
from backfill.execute.outcome_rows import outcome_of
from backfill.inventory.chains import CHAIN_ENTRIES_MAX, Chain, key_chains
from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import COLUMNS as LISTING_COLUMNS
from backfill.inventory.rows import entries_of
from backfill.inventory.rows import entry_of as listed_entry_of
from backfill.model.rows import Scalar
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of
from backfill.verify.decisions import PlannedRow
from backfill.verify.keys import KeyRows, KeyWork

Cells = list[Scalar]
"""A row as it is on disk. Outcomes have the number of their plan row in place of their entry's."""

ROWS_MAX: Final = CHAIN_ENTRIES_MAX + 1
"""Rows of one key that are held; `key_chains` refuses so many."""
AHEAD_ROWS: Final = 64
"""Rows read ahead in one call, and compared with those of the other streams in one go."""
AHEAD_ROWS_MIN: Final = 2
"""Fewer are not left to compare: whether a row is its key's only one, the next row tells."""

_NUMBER: Final = PLAN_COLUMNS.index("number")
_PLAN_KEY: Final = PLAN_COLUMNS.index("key")
_OUTCOME_NUMBER: Final = OUTCOME_COLUMNS.index("number")
_LISTED_KEY: Final = LISTING_COLUMNS.index("key")


T = TypeVar("T")


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
    streams, sides = (planned, told, ours, theirs), (planned, ours, theirs)
    while True:
        alike = _alike(planned.held, told.held, ours.held, theirs.held)
        if alike and not all(stream.has_end_at(len(alike)) for stream in streams):
            alike.pop()
        if alike:
            for stream in streams:
                stream.drop(len(alike))
            yield from alike
            continue
        keys = [str(side.held[0][side.place]) for side in sides if side.held]
        if not keys:
            break
        key = min(keys)
        rows = tuple(planned.taken(key, partial(_planned_row, told)))
        group = KeyGroup(key, _chain(ours, key), (_chain(theirs, key),))
        yield KeyWork(KeyRows(key, rows), group)
    if told.held:
        number = told.held[0][told.place]
        raise TotalsError(f"an outcome is of plan row {number}, which the plan does not have")


def _alike(
    planned: list[Cells], told: list[Cells], ours: list[Cells], theirs: list[Cells]
) -> list[KeyCells]:
    """Return the keys that all streams begin with and have one row of, but for the last of them.

    Of that one there may be more rows.
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
    return alike


def work_of(cells: KeyCells) -> KeyWork:
    """Return a key decoded for the judge."""
    row = PlannedRow(entry_of(cells.planned), (outcome_of(cells.outcome),))
    ours, theirs = entries_of((cells.source, cells.destination))
    key = row.entry.key
    return KeyWork(KeyRows(key, (row,)), KeyGroup(key, (ours,), ((theirs,),)))


class _Ahead:
    """A stream of rows sorted by the cell at `place`, some of them read ahead.

    `held` are the next ones, at least two but at the end.
    """

    __slots__ = ("_is_ended", "_rows", "held", "place")

    def __init__(self, rows: Iterable[Cells], place: int) -> None:
        self._rows = iter(rows)
        self._is_ended = False
        self.held: list[Cells] = []
        self.place = place
        self.drop(0)

    def has_end_at(self, count: int) -> bool:
        """Return whether so many rows are known to be all rows of their keys."""
        held, place = self.held, self.place
        if count < len(held):
            return held[count][place] != held[count - 1][place]
        return self._is_ended

    def drop(self, count: int) -> None:
        """Go on behind so many rows."""
        held = self.held
        del held[:count]
        if len(held) < AHEAD_ROWS_MIN and not self._is_ended:
            held += islice(self._rows, AHEAD_ROWS)
            self._is_ended = len(held) < AHEAD_ROWS

    def taken(self, key: Scalar, decoded: Callable[[Cells], T]) -> list[T]:
        """Return what the rows of this key say, if it is the next one, and go on behind them.

        Of too many, so many are returned that they are refused.
        """
        held, place = self.held, self.place
        found: list[T] = []
        while held and held[0][place] == key and len(found) < ROWS_MAX:
            end = 1
            while end < len(held) and held[end][place] == key:
                held[end][place] = key  # one string for all of them: it may be 1,024 bytes long
                end += 1
            found += map(decoded, held[:end])
            self.drop(end)
        if found and held and cast("str", held[0][place]) < cast("str", key):
            raise ArtifactDamagedError(
                f"rows are not sorted: {held[0][place]!a} follows {key!a}",
                hint="begin a new run directory; what was delivered is recognised there",
            )
        return found


def _planned_row(told: _Ahead, cells: Cells) -> PlannedRow:
    return PlannedRow(entry_of(cells), tuple(told.taken(cells[_NUMBER], outcome_of)))


def _chain(side: _Ahead, key: str) -> Chain:
    entries = side.taken(key, listed_entry_of)
    return next(key_chains(entries)).entries if len(entries) > 1 else tuple(entries)
