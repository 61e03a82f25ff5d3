"""The lines of rows.csv and the totals of the rows in them, block by block, from cells.

Neighbouring rows mostly differ in key, version IDs, time and size alone: such a run is written and
counted at once, by one row of it that stands for all. Blocks in which something does not go one to
one (extras, several rounds, rows that verify left) take the whole way of `tally`, and so do runs
that a person has to look at.
Never judges.
Law: lines and totals are those of the whole way, to the byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Final, Generic, NamedTuple, TypeVar, cast

from backfill.execute.outcome_rows import COLUMNS as OUTCOME_COLUMNS
from backfill.execute.outcome_rows import outcome_of
from backfill.model.rows import Scalar
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of
from backfill.report.csv_rows import COLUMNS, are_plain, csv_cells, csv_lines, encoded_key
from backfill.report.document import TROUBLES_MAX, Trouble, trouble_of
from backfill.report.histories import HistoryCount, went_as_history
from backfill.report.tally import Kinds, ReportRow, is_trouble, joined_rows
from backfill.verify.rows import VERDICT_COLUMNS, verdict_of

BLOCK_ROWS: Final = 512
"""Rows taken together: enough to make little of what a block costs."""
SHAPES_MAX: Final = 4096
"""Shapes of rows that are kept. A run has some dozens; sentences of failures may make more."""

Cells = list[Scalar]


_NUMBER_OF: Final = itemgetter(PLAN_COLUMNS.index("number"))
_KEY: Final = PLAN_COLUMNS.index("key")
_VERDICT_KEY: Final = VERDICT_COLUMNS.index("key")
_OWN_OF_PLAN: Final = itemgetter(
    *map(PLAN_COLUMNS.index, ("key", "version_id", "last_modified", "size_bytes"))
)
_SHAPE_OF_PLAN: Final = itemgetter(
    *map(
        PLAN_COLUMNS.index,
        (
            *("is_delete_marker", "is_latest", "destination"),
            *("route", "reason", "detail", "rule_id", "handling"),
        ),
    )
)
_SHAPE_OF_OUTCOME: Final = itemgetter(*map(OUTCOME_COLUMNS.index, ("kind", "code", "detail")))
_MADE_OF_OUTCOME: Final = OUTCOME_COLUMNS.index("version_id")
_SHAPE_OF_VERDICT: Final = itemgetter(
    *map(VERDICT_COLUMNS.index, ("content", "evidence", "fidelity", "fields", "detail"))
)
_MADE_OF_VERDICT: Final = VERDICT_COLUMNS.index("destination_version_id")
_TYPE: Final = slice(COLUMNS.index("type"), COLUMNS.index("last_modified"))
_SAID: Final = slice(COLUMNS.index("destination"), COLUMNS.index("destination_version_id"))
_DETAIL: Final = slice(COLUMNS.index("detail"), None)


class Streams(NamedTuple):
    """The rows that a report is made of, each stream in plan order.

    The number of its plan row stands in each outcome in place of its entry's; of several for one
    number the last counts. `unjudged` are plan numbers without a verdict, and why.
    """

    plan: Iterable[Cells]
    outcomes: Iterable[Cells]
    verdicts: Iterable[Cells]
    unjudged: Iterable[tuple[int, str]]


class _Shape(NamedTuple):
    """What rows of a shape have in common: a row that stands for them, and the text of its cells.

    `type`: what lies between version ID and time; `said`: from the destination to the version ID
    there. None where each row takes the whole way.
    """

    example: ReportRow
    type: str
    said: str
    detail: str


Joined = tuple[Cells, Cells | None, Cells | None]
"""A plan row, its one outcome and its verdict."""


class Lines:
    """Lines being made; the totals are those of all that were given."""

    def __init__(self, destinations: Sequence[str]) -> None:
        self._destinations = destinations
        self._shapes: dict[object, _Shape | None] = {}
        self.kinds = Kinds()
        self.histories = HistoryCount()
        self.troubles: list[Trouble] = []
        self.troubles_total = 0

    def of(self, streams: Streams) -> Iterator[bytes]:
        """Give the lines of all rows, the heading first.

        Raises:
            TotalsError: An outcome or verdict belongs to no plan row, or a stream is out of order.
        """
        yield from csv_lines([COLUMNS])
        plan, outcomes = iter(streams.plan), _Ahead(streams.outcomes)
        verdicts, unjudged = _Ahead(streams.verdicts), _Ahead(streams.unjudged)
        while some := list(islice(plan, BLOCK_ROWS)):
            numbers = list(map(_NUMBER_OF, some))
            last_key = str(some[-1][_KEY])
            told, judged = outcomes.up_to(numbers, last_key), verdicts.up_to(numbers, last_key)
            left = unjudged.up_to(numbers, last_key)
            told_each, judged_each = _aligned(told, numbers), _aligned(judged, numbers)
            if left or told_each is None or judged_each is None:
                yield from self._joined(some, told, judged, left)
            else:
                yield from self._runs(list(zip(some, told_each, judged_each, strict=True)))
        yield from self._joined([], outcomes.rest(), verdicts.rest(), unjudged.rest())

    def _runs(self, rows: list[Joined]) -> Iterator[bytes]:
        """Give the lines of rows that go one to one."""
        shapes = map(_shape_of, rows)
        for told, run in groupby(zip(shapes, rows, strict=True), itemgetter(0)):
            alike = [row for _, row in run]
            shape = self._shape(told, alike[0])
            text = None if shape is None else self._text(shape, alike)
            if text is None:
                yield from self._joined(
                    [row for row, _, _ in alike],
                    [outcome for _, outcome, _ in alike if outcome is not None],
                    [verdict for _, _, verdict in alike if verdict is not None],
                    [],
                )
            else:
                yield text

    def _shape(self, told: object, row: Joined) -> _Shape | None:
        try:
            return self._shapes[told]
        except KeyError:
            if len(self._shapes) >= SHAPES_MAX:
                return None
        shape = self._shapes[told] = self._asked(*row)
        return shape

    def _asked(self, row: Cells, outcome: Cells | None, verdict: Cells | None) -> _Shape | None:
        entry = entry_of(row)
        example = ReportRow(
            entry.key,
            entry.destination,
            entry,
            None if outcome is None else outcome_of(outcome),
            None if verdict is None else verdict_of(verdict),
        )
        if is_trouble(example):
            return None
        cells = csv_cells(example, self._destinations)
        return _Shape(example, *(_line(cells[part]) for part in (_TYPE, _SAID, _DETAIL)))

    def _text(self, shape: _Shape, rows: list[Joined]) -> bytes | None:
        """Return the lines of rows of one shape; None where a version ID takes more than itself."""
        own = [_OWN_OF_PLAN(planned) for planned, _, _ in rows]
        keys, version_ids, times, sizes = zip(*own, strict=True)
        made = [_made(outcome, verdict) for _, outcome, verdict in rows]
        if not are_plain(version_ids) or not are_plain(made):
            return None
        self.kinds.add(shape.example, rows=len(rows), size_bytes=sum(sizes))
        if went_as_history(shape.example.entry):
            for key in keys:
                self.histories.add(shape.example, key)
        encoded = keys if are_plain(keys) else map(encoded_key, keys)
        _, type_, said, detail = shape
        cells = zip(encoded, version_ids, times, sizes, made, strict=True)
        return "".join([
            f"{key},{version_id},{type_},{time},{size},{said},{there},{detail}\n"
            for key, version_id, time, size, there in cells
        ]).encode()  # fmt: skip

    def _joined(
        self,
        plan: Iterable[Cells],
        outcomes: Iterable[Cells],
        verdicts: Iterable[Cells],
        unjudged: Iterable[tuple[int, str]],
    ) -> Iterator[bytes]:
        """Give the lines of rows the whole way."""
        told = map(outcome_of, outcomes)
        rows = joined_rows(
            map(entry_of, plan),
            ((outcome.number, outcome) for outcome in told),
            map(verdict_of, verdicts),
            unjudged,
        )
        return csv_lines(map(self._counted_cells, rows))

    def _counted_cells(self, row: ReportRow) -> Sequence[str]:
        self.kinds.add(row)
        if went_as_history(row.entry):
            self.histories.add(row, row.key)
        if is_trouble(row):
            self.troubles_total += 1
            if len(self.troubles) < TROUBLES_MAX:
                self.troubles.append(trouble_of(row, self._destinations))
        return csv_cells(row, self._destinations)


def _shape_of(row: Joined) -> object:
    planned, outcome, verdict = row
    return (
        _SHAPE_OF_PLAN(planned),
        None if outcome is None else _SHAPE_OF_OUTCOME(outcome),
        None if verdict is None else _SHAPE_OF_VERDICT(verdict),
    )


def _made(outcome: Cells | None, verdict: Cells | None) -> str:
    """Return the version ID at the destination, empty where it is not known."""
    found = None if verdict is None else verdict[_MADE_OF_VERDICT]
    if not found and outcome is not None:
        found = outcome[_MADE_OF_OUTCOME]
    return cast("str", found or "")


def _line(cells: Sequence[str]) -> str:
    # With another behind: one empty cell alone would get quotes.
    return b"".join(csv_lines([[*cells, "."]])).decode().removesuffix(",.\n")


R = TypeVar("R", bound=Sequence[Scalar])


class _Ahead(Generic[R]):
    """A stream of rows by plan number, ascending, taken up to one number after the other.

    A row without a number is an extra version's verdict, which has its place by its key.
    """

    def __init__(self, rows: Iterable[R]) -> None:
        self._rows = iter(rows)
        self._held: list[R] = []

    def up_to(self, numbers: list[int], last_key: str) -> list[R]:
        """Take the rows up to the last of these numbers, and to the key that it stands for."""
        held, count, last = self._held, len(numbers), numbers[-1]
        # One more: it may be another row of the last number.
        held.extend(islice(self._rows, max(count + 1 - len(held), 0)))
        end = 0
        if list(map(_FIRST, held[:count])) == numbers:
            end = count
        while end < len(held):
            row = held[end]
            number = row[0]
            if number > last if isinstance(number, int) else str(row[_VERDICT_KEY]) > last_key:
                break
            end += 1
            if end == len(held):
                held.extend(islice(self._rows, 1))
        self._held = held[end:]
        return held[:end]

    def rest(self) -> Iterator[R]:
        """Take all that is left."""
        return chain(self._held, self._rows)


_FIRST: Final = itemgetter(0)


def _aligned(rows: list[Cells], numbers: list[int]) -> Sequence[Cells | None] | None:
    """Return the one row of each number, or none of it; None where it is not as simple as that."""
    own = list(map(_FIRST, rows))
    if own == numbers:
        return rows
    by_number = dict(zip(own, rows, strict=True))
    if len(by_number) < len(rows) or not by_number.keys() <= set(numbers):
        return None
    return [by_number.get(number) for number in numbers]
