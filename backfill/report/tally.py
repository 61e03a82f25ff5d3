"""One pass over plan, outcomes and verdicts: a row for every version, and the totals of them.

Never judges: it joins what plan, execute and verify said, by plan number, as sorted streams.
Law: every plan row appears exactly once, every extra once, and the totals are counted from the
very rows that are written, so that a reader can count them again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from backfill.errors import TotalsError
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.plan.totals import Amount
from backfill.verify.verdicts import Verdict, VerdictRow


class ReportRow(NamedTuple):
    """All that is known of one (version, destination), or of one extra destination version."""

    key: str
    destination: int
    entry: PlanEntry | None
    outcome: Outcome | None
    verdict: VerdictRow | None
    unjudged: str = ""
    """Why verify gave no verdict: the source moved on (`superseded`) or the version is gone."""
    earlier: tuple[Outcome, ...] = ()
    """The outcomes of earlier rounds: what another engine, or an earlier repair, came to."""

    @property
    def decision(self) -> str:
        """Return the route or the reason; `extra` for what the plan does not hold."""
        if self.entry is None:
            return "extra"
        decided = self.entry.route or self.entry.reason
        assert decided is not None, "one route or one reason"
        return decided.value

    @property
    def is_routed(self) -> bool:
        """Return whether the plan meant to move it."""
        return self.entry is not None and self.entry.route is not None


Path = tuple[str, ...]
"""A branch of the totals: ("routed", route, outcome, verdict) or ("reason", reason)."""
Way = tuple[tuple[str, str], ...]
"""The kind and the code of each outcome of a row, in turn."""


@dataclass(slots=True, kw_only=True)  # grows row by row
class Tally:
    """Totals, grown row by row. Bounded by the closed lists, not by the objects."""

    branches: dict[Path, Amount] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    evidence: Counter[str] = field(default_factory=Counter)
    fidelity: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    overcome: Counter[str] = field(default_factory=Counter)
    """Codes of earlier outcomes, which a later round went beyond."""
    ways: Counter[Way] = field(default_factory=Counter)
    """Rows that were worked on, by `way_of`."""
    rows: int = 0
    extras: int = 0
    failed: int = 0
    unlike: int = 0
    """Rows with equal content and a field that differs."""
    delete_markers: int = 0

    def add(self, row: ReportRow, *, rows: int = 1, size_bytes: int | None = None) -> None:
        """Count a row in every total that it belongs to.

        With `rows` it stands for so many of its kind (see `Kinds`), of `size_bytes` together.
        """
        entry, outcome, verdict = row.entry, row.outcome, row.verdict
        if size_bytes is None:
            size_bytes = entry.size_bytes if entry else 0
        path = branch_of(row)
        self.branches[path] = self.branches.get(path, Amount()) + Amount(
            rows=rows, size_bytes=size_bytes
        )
        self.rows += rows * (entry is not None)
        self.extras += rows * (entry is None)
        self.failed += rows * has_failed(row)
        self.delete_markers += rows * (entry is not None and entry.is_delete_marker)
        if outcome is not None:
            self.ways[way_of(row)] += rows
            if outcome.code:
                self.codes[outcome.code] += rows
            for earlier in row.earlier:
                if earlier.code:
                    self.overcome[earlier.code] += rows
        if verdict is not None:
            self.verdicts[verdict.content.value] += rows
            self.evidence[verdict.evidence.value] += rows
            self.fidelity[verdict.fidelity.value] += rows
            self.unlike += rows * (verdict.content is Verdict.EQUAL and not verdict.is_good)
            for item in verdict.fields:
                self.fields[item.value] += rows

    def total(self, *prefix: str) -> Amount:
        """Return the sum of every branch that begins with `prefix`."""
        chosen = (a for path, a in self.branches.items() if path[: len(prefix)] == prefix)
        return sum(chosen, Amount())


class Kinds:
    """Counts rows by all that a tally asks of a row, so that it is asked once a kind.

    A million rows are of a few dozen kinds.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[object, ...], _Kind] = {}

    def add(self, row: ReportRow, *, rows: int = 1, size_bytes: int | None = None) -> None:
        """Count a row, or `rows` of its kind, of `size_bytes` together."""
        _, _, entry, outcome, verdict, unjudged, earlier = row
        told = (
            None if entry is None else (entry.route, entry.reason, entry.is_delete_marker),
            None if outcome is None else (outcome.kind, outcome.code),
            None if verdict is None else verdict[4:8],  # content, evidence, fidelity, fields
            unjudged,
            tuple((one.kind, one.code) for one in earlier) if earlier else (),
        )
        kind = self._kinds.get(told)
        if kind is None:
            kind = self._kinds[told] = _Kind(row)
        kind.rows += rows
        if size_bytes is None:
            size_bytes = 0 if entry is None else entry.size_bytes
        kind.size_bytes += size_bytes

    def tally(self) -> Tally:
        """Return the totals of all rows."""
        tally = Tally()
        for kind in self._kinds.values():
            tally.add(kind.example, rows=kind.rows, size_bytes=kind.size_bytes)
        return tally


class _Kind:
    """Rows that are alike in all that is counted."""

    __slots__ = ("example", "rows", "size_bytes")

    def __init__(self, example: ReportRow) -> None:
        self.example = example
        self.rows = 0
        self.size_bytes = 0


def branch_of(row: ReportRow) -> Path:
    """Return where in the tree of totals a row stands."""
    verdict = row.verdict.content.value if row.verdict else row.unjudged or "not verified"
    if row.entry is None:
        return ("extra", verdict)
    if row.entry.reason is not None:
        return ("reason", row.entry.reason.value, verdict)
    outcome = row.outcome.kind.value if row.outcome else "not executed"
    return ("routed", row.decision, outcome, verdict)


def way_of(row: ReportRow) -> Way:
    """Return which way a row went: each outcome in turn, with the code that explains it."""
    assert row.outcome is not None, "a way has an end"
    return tuple((one.kind.value, one.code) for one in (*row.earlier, row.outcome))


def joined_rows(
    entries: Iterable[PlanEntry],
    outcomes: Iterable[tuple[int, Outcome]],
    verdicts: Iterable[VerdictRow],
    unjudged: Iterable[tuple[int, str]] = (),
) -> Iterator[ReportRow]:
    """Join streams in plan order; extras keep their place between the plan's rows.

    `outcomes` are pairs of a plan number and an outcome, ascending; of several for one number the
    last counts. `unjudged` are pairs of a plan number and why it has no verdict, ascending.

    Raises:
        TotalsError: An outcome or verdict belongs to no plan row, or a stream is out of order.
    """
    outcome_of, reason_of = _Numbered(outcomes), _Numbered(unjudged)
    waiting = iter(verdicts)
    verdict = next(waiting, None)
    for entry in entries:
        while verdict is not None and verdict.number is None and verdict.key <= entry.key:
            yield _extra(verdict)
            verdict = next(waiting, None)
        number = entry.number
        own = outcome_of.all(number)
        reasons = reason_of.all(number)
        mine = verdict if verdict is not None and verdict.number == number else None
        yield ReportRow(
            entry.key,
            entry.destination,
            entry,
            own[-1] if own else None,
            mine,
            reasons[0] if reasons else "",
            own[:-1],
        )
        if mine is not None:
            verdict = next(waiting, None)
    while verdict is not None and verdict.number is None:
        yield _extra(verdict)
        verdict = next(waiting, None)
    if verdict is not None or not (outcome_of.is_empty and reason_of.is_empty):
        raise TotalsError("an outcome or verdict belongs to no row of the plan")


T = TypeVar("T")


class _Numbered(Generic[T]):
    """A stream of (number, value), ascending, asked for one number after the other."""

    def __init__(self, pairs: Iterable[tuple[int, T]]) -> None:
        self._pairs = iter(pairs)
        self._head = next(self._pairs, None)

    def all(self, number: int) -> tuple[T, ...]:
        """Return every value of this number, in the stream's order."""
        if self._head is None or self._head[0] != number:
            return ()
        found: list[T] = []
        while self._head is not None and self._head[0] == number:
            found.append(self._head[1])
            self._head = next(self._pairs, None)
        return tuple(found)

    @property
    def is_empty(self) -> bool:
        return self._head is None


def _extra(verdict: VerdictRow) -> ReportRow:
    return ReportRow(
        key=verdict.key,
        destination=verdict.destination,
        entry=None,
        outcome=None,
        verdict=verdict,
    )


def is_trouble(row: ReportRow) -> bool:
    """Return whether a person has to look at this row."""
    if row.verdict is not None:
        return not row.verdict.is_good
    return row.is_routed and not row.unjudged


def has_failed(row: ReportRow) -> bool:
    """Return whether work on this row failed and nothing proved it right since."""
    if row.outcome is None or row.outcome.kind is not OutcomeKind.FAILED:
        return False
    return row.verdict is None or row.verdict.content is not Verdict.EQUAL
