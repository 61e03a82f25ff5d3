"""One pass over plan, outcomes and verdicts: a row for every version, and the totals of them.

Never judges: it joins what plan, execute and verify said, by plan number, as sorted streams.
Law: every plan row appears exactly once, every extra once, and the totals are counted from the
very rows that are written, so that a reader can count them again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from backfill.errors import TotalsError
from backfill.model.outcome import Outcome
from backfill.plan.entries import PlanEntry
from backfill.verify.verdicts import Verdict, VerdictRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """All that is known of one (version, destination), or of one extra destination version."""

    key: str
    destination: int
    entry: PlanEntry | None
    outcome: Outcome | None
    verdict: VerdictRow | None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How many rows, and how many bytes of source versions they stand for."""

    rows: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(rows=self.rows + other.rows, size_bytes=self.size_bytes + other.size_bytes)


Path = tuple[str, ...]
"""A branch of the totals: ("routed", route, outcome, verdict) or ("reason", reason)."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Totals, grown row by row. Bounded by the closed lists, not by the objects."""

    branches: dict[Path, Amount] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    evidence: Counter[str] = field(default_factory=Counter)
    fidelity: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    extras: int = 0
    delete_markers: int = 0

    def add(self, row: ReportRow) -> None:
        """Count one row in every total that it belongs to."""
        amount = Amount(rows=1, size_bytes=row.entry.size_bytes if row.entry else 0)
        path = branch_of(row)
        self.branches[path] = self.branches.get(path, Amount()) + amount
        self.rows += row.entry is not None
        self.extras += row.entry is None
        self.delete_markers += row.entry is not None and row.entry.is_delete_marker
        if row.outcome is not None and row.outcome.code:
            self.codes[row.outcome.code] += 1
        if row.verdict is not None:
            self.verdicts[row.verdict.content.value] += 1
            self.evidence[row.verdict.evidence.value] += 1
            self.fidelity[row.verdict.fidelity.value] += 1
            self.fields.update(item.value for item in row.verdict.fields)

    def total(self, *prefix: str) -> Amount:
        """Return the sum of every branch that begins with `prefix`."""
        chosen = (a for path, a in self.branches.items() if path[: len(prefix)] == prefix)
        return sum(chosen, Amount())


def branch_of(row: ReportRow) -> Path:
    """Return where in the tree of totals a row stands."""
    verdict = row.verdict.content.value if row.verdict else "not verified"
    if row.entry is None:
        return ("extra", verdict)
    if row.entry.reason is not None:
        return ("reason", row.entry.reason.value, verdict)
    outcome = row.outcome.kind.value if row.outcome else "not executed"
    return ("routed", row.decision, outcome, verdict)


def joined_rows(
    entries: Iterable[PlanEntry],
    outcomes: Iterable[tuple[int, Outcome]],
    verdicts: Iterable[VerdictRow],
) -> Iterator[ReportRow]:
    """Join three streams in plan order; extras keep their place between the plan's rows.

    `outcomes` are pairs of a plan number and its last outcome, ascending.

    Raises:
        TotalsError: An outcome or verdict belongs to no plan row, or a stream is out of order.
    """
    outcome_stream = iter(outcomes)
    verdict_stream = iter(verdicts)
    outcome = next(outcome_stream, None)
    verdict = next(verdict_stream, None)
    for entry in entries:
        while verdict is not None and verdict.number is None and verdict.key <= entry.key:
            yield _extra(verdict)
            verdict = next(verdict_stream, None)
        mine = verdict if verdict is not None and verdict.number == entry.number else None
        done = outcome[1] if outcome is not None and outcome[0] == entry.number else None
        yield ReportRow(
            key=entry.key,
            destination=entry.destination,
            entry=entry,
            outcome=done,
            verdict=mine,
        )
        if mine is not None:
            verdict = next(verdict_stream, None)
        if done is not None:
            outcome = next(outcome_stream, None)
    while verdict is not None and verdict.number is None:
        yield _extra(verdict)
        verdict = next(verdict_stream, None)
    if outcome is not None or verdict is not None:
        raise TotalsError("an outcome or verdict belongs to no row of the plan")


def _extra(verdict: VerdictRow) -> ReportRow:
    return ReportRow(
        key=verdict.key,
        destination=verdict.destination,
        entry=None,
        outcome=None,
        verdict=verdict,
    )


def last_outcomes(
    rounds: Iterable[Iterable[tuple[int, Outcome]]],
) -> Iterator[tuple[int, Outcome]]:
    """Merge the rounds' (plan number, outcome) streams; where several know one, the last wins."""
    streams = [iter(stream) for stream in rounds]
    heads = [next(stream, None) for stream in streams]
    while any(head is not None for head in heads):
        number = min(head[0] for head in heads if head is not None)
        newest: Outcome | None = None
        for index, head in enumerate(heads):
            if head is not None and head[0] == number:
                newest = head[1]
                heads[index] = next(streams[index], None)
        assert newest is not None, "the smallest head exists"
        yield number, newest


def is_trouble(row: ReportRow) -> bool:
    """Return whether a person has to look at this row."""
    if row.verdict is not None and not row.verdict.is_good:
        return True
    if row.is_routed and (row.verdict is None or row.outcome is None):
        return True
    return row.verdict is not None and row.verdict.content is Verdict.UNVERIFIED
