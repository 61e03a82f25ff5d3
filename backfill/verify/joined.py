"""Plan rows, their outcomes and the fresh listings of two buckets, brought together key by key.

Rows come as cells, and of nearly every key there is one in each stream: such a key stays cells, for
whoever needs no more of them. Any other is decoded for the judge.
Never holds more than one key, and never sorts: every stream comes in its own order and is joined.
Law: every plan row, and every key of both listings, is in exactly one piece of what comes out.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Final, NamedTuple

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
    planned, told = _ByKey(plan, _PLAN_KEY), _ByKey(outcomes, _OUTCOME_NUMBER)
    ours, theirs = _ByKey(source, _LISTED_KEY), _ByKey(destination, _LISTED_KEY)
    sides = (planned, ours, theirs)
    while True:
        if (
            planned.key == ours.key == theirs.key is not None
            and planned.first[_NUMBER] == told.key
            and planned.others is ours.others is theirs.others is told.others is None
        ):
            yield _new(KeyCells, (planned.first, told.first, ours.first, theirs.first))
            planned.advance()
            told.advance()
            ours.advance()
            theirs.advance()
            continue
        key = min((str(side.key) for side in sides if side.key is not None), default=None)
        if key is None:
            break
        rows = tuple(_planned_row(cells, told) for cells in planned.taken(key))
        group = KeyGroup(key, _chain(ours.taken(key)), (_chain(theirs.taken(key)),))
        yield KeyWork(KeyRows(key, rows), group)
    if told.key is not None:
        raise TotalsError(f"an outcome is of plan row {told.key}, which the plan does not have")


def work_of(cells: KeyCells) -> KeyWork:
    """Return a key decoded for the judge."""
    row = PlannedRow(entry_of(cells.planned), (outcome_of(cells.outcome),))
    ours, theirs = entries_of((cells.source, cells.destination))
    key = row.entry.key
    return KeyWork(KeyRows(key, (row,)), KeyGroup(key, (ours,), ((theirs,),)))


class _ByKey:
    """A sorted stream of rows, by one of their cells: the next key, and what there is of it.

    `others` are the rows behind the `first` one, None where it is alone. `key` None: the end.
    """

    __slots__ = ("_groups", "first", "key", "others")

    key: Scalar
    first: Cells
    others: Iterator[Cells] | None

    def __init__(self, rows: Iterable[Cells], place: int) -> None:
        self._groups = groupby(rows, itemgetter(place))
        self.key = None
        self.advance()

    def advance(self) -> None:
        """Go on to the next key; what is left of this one is lost."""
        before = self.key
        self.key, rows = next(self._groups, _END)
        if self.key is None:
            return
        self.first = next(rows)
        second = next(rows, None)
        self.others = None if second is None else chain((second,), rows)
        if before is not None and self.key < before:
            raise ArtifactDamagedError(
                f"rows are not sorted: {self.key!a} follows {before!a}",
                hint="begin a new run directory; what was delivered is recognised there",
            )

    def taken(self, key: Scalar) -> Iterator[Cells]:
        """Give the rows of this key, if it is the next one, and go on behind them."""
        if self.key == key:
            yield self.first
            yield from self.others or ()
            self.advance()


_END: Final[tuple[None, Iterator[Cells]]] = (None, iter(()))


def _planned_row(cells: Cells, told: _ByKey) -> PlannedRow:
    outcomes = tuple(map(outcome_of, told.taken(cells[_NUMBER])))
    return PlannedRow(entry_of(cells), outcomes)


def _chain(rows: Iterator[Cells]) -> Chain:
    chains = list(key_chains(entries_of(rows)))
    return chains[0].entries if chains else ()
