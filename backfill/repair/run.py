"""The repair stage: a verification's bad rows become the next manifest.

Never asks a store: everything is in the run directory. Execute carries the manifest out.
Law: what the last repair mended and this one finds again is left to a person.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, NamedTuple

from backfill.errors import ArtifactDamagedError, RefusedError
from backfill.events.judging import RepairPlanned
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.large import LARGE, LargeRows, large_name
from backfill.manifest.rows import COLUMNS as MANIFEST_COLUMNS
from backfill.manifest.rows import row_of as manifest_row
from backfill.model.objects import VersionId
from backfill.model.outcome import OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.plan.header import PlanHeader, header_document
from backfill.ports import ArtifactStore, Events
from backfill.repair.histories import history_remedies
from backfill.repair.remedy import BadRow, Remedy, is_unproven, one_engine, remedy
from backfill.repair.rows import (
    COLUMNS,
    Decided,
    Problem,
    decided_of,
    problem_of,
    repair_name,
    row_of,
)
from backfill.verify.histories import is_history
from backfill.verify.keys import KeyRows, PlannedOutcome, planned_rows, rows_of_keys
from backfill.verify.rows import verdict_of, verdicts_name
from backfill.verify.verdicts import VerdictRow

ROUNDS_MAX: Final = 20
"""Repairs of one run. What twenty have not mended, the next one will not either; a new run begins
with a plan of its own."""

_VERIFY_AGAIN: Final = "backfill verify"
_OF_COPY_WORKERS: Final = frozenset({OutcomeKind.COPIED, OutcomeKind.MARKED, OutcomeKind.HIDDEN})
_UNDONE: Final = frozenset({OutcomeKind.FAILED, OutcomeKind.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRequest:
    """What to repair. `round` (from 1) numbers the manifest to write, `manifest/NN`.

    `verification` is the newest one, made after the manifest of the round before was carried out.
    `inputs` are the digests of what the plan and the outcomes come from, as `VerifyRequest` has
    them: a verification of anything else is refused.
    """

    round: int
    verification: int
    header: PlanHeader
    allows_hiding: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTotals:
    """What a repair came to: `bad` = `entries` + `for_a_person`.

    `is_stuck` says that exactly the same problems stood before the last repair: to go on without a
    person would be to loop. `routes` and `sentences` count both kinds.
    """

    bad: int
    entries: int
    for_a_person: int
    is_stuck: bool
    routes: dict[str, int]
    sentences: dict[str, int]


def repair(
    request: RepairRequest,
    plan: Callable[[], Iterator[PlanEntry]],
    outcomes: Callable[[], Iterator[PlannedOutcome]],
    *,
    copies: Callable[[], Iterator[PlanEntry]] = lambda: iter(()),
    artifacts: ArtifactStore,
    events: Events,
) -> RepairTotals:
    """Write `manifest/NN` and `repair/NN` and return the totals.

    `plan` and `outcomes` give their streams in the order of plan numbers. `copies`, by key, says
    how copies of versions that Batch Replication was to deliver would be made now. A manifest
    without entries says that repair can do no more: what remains keeps verify's exit code.

    Raises:
        RefusedError: the run was repaired `ROUNDS_MAX` times.
        ArtifactDamagedError: the verification is missing or damaged, or of another plan or of
            earlier outcomes.
    """
    if request.round > ROUNDS_MAX:
        raise RefusedError(
            f"this run was repaired {ROUNDS_MAX} times and is still not right",
            hint="see the report for what keeps changing, then begin a new run",
        )
    assert request.round >= 1, "manifest 0 is the plan's"
    work = _Repair(request, artifacts)
    totals = work.write(plan(), outcomes(), copies())
    events.emit(RepairPlanned(round=request.round, entries=totals.entries))
    return totals


class _Repair:
    def __init__(self, request: RepairRequest, artifacts: ArtifactStore) -> None:
        self._request = request
        self._artifacts = artifacts
        self._routes: Counter[str] = Counter()
        self._sentences: Counter[str] = Counter()
        self._size_bytes = 0
        self._earlier = _Earlier(self._decided_before())

    def write(
        self,
        plan: Iterator[PlanEntry],
        outcomes: Iterator[PlannedOutcome],
        copies: Iterator[PlanEntry],
    ) -> RepairTotals:
        """Write both artefacts."""
        request, inputs = self._request, self._inputs()
        name = f"manifest/{request.round:02d}"
        with (
            self._artifacts.writer(name, columns=MANIFEST_COLUMNS, inputs=inputs) as manifest,
            self._artifacts.writer(
                large_name(name), columns=MANIFEST_COLUMNS, inputs=inputs
            ) as noting,
            self._artifacts.writer(
                repair_name(request.round), columns=COLUMNS, inputs=inputs
            ) as decisions,
        ):
            large = LargeRows(noting.write)
            bad_rows = self._bad_rows(plan, outcomes, _Copies(copies))
            for _, own in groupby(bad_rows, key=lambda bad: bad.verdict.key):
                for bad, found in self._remedies(list(own)):
                    if isinstance(found, ManifestEntry):
                        row = manifest_row(found)
                        manifest.write(row)
                        large.add(row)
                        self._size_bytes += found.size_bytes
                    decisions.write(row_of(bad.verdict, found))
            totals = self._totals()
            decisions.commit({"is_stuck": totals.is_stuck, "sentences": totals.sentences})
            count = large.finish()
            noted = {LARGE: noting.commit({"rows": count}).digest} if count else {}
            manifest.commit(
                {
                    "header": header_document(request.header),
                    "rows": totals.entries,
                    "size_bytes": self._size_bytes,
                    **noted,
                }
            )
        return totals

    def _remedies(self, own: Sequence[BadRow]) -> Iterator[tuple[BadRow, Remedy]]:
        """Give a key's bad rows and their remedies, numbered and counted."""
        found = one_engine(self._found(own))
        for bad, each in zip(own, found, strict=True):
            if isinstance(each, ManifestEntry):
                yield bad, each._replace(number=self._routes.total())
                self._routes[each.route.value] += 1
            else:
                yield bad, each
                self._sentences[each.sentence] += 1

    def _found(self, own: Sequence[BadRow]) -> list[Remedy]:
        """Return a remedy for each row; those of a history hang on each other."""
        request = self._request
        of_history: defaultdict[int, list[BadRow]] = defaultdict(list)
        for bad in own:
            if bad.is_of_history:
                of_history[bad.verdict.destination].append(bad)
        told = {number: iter(history_remedies(rows)) for number, rows in of_history.items()}
        return [
            next(told[bad.verdict.destination])
            if bad.is_of_history
            else remedy(
                bad,
                number=0,
                horizon=request.header.horizon,
                allows_hiding=request.allows_hiding,
            )
            for bad in own
        ]

    def _totals(self) -> RepairTotals:
        entries, for_a_person = self._routes.total(), self._sentences.total()
        return RepairTotals(
            bad=entries + for_a_person,
            entries=entries,
            for_a_person=for_a_person,
            is_stuck=self._earlier.is_same and entries + for_a_person > 0,
            routes=dict(sorted(self._routes.items())),
            sentences=dict(sorted(self._sentences.items())),
        )

    def _inputs(self) -> dict[str, str]:
        name = verdicts_name(self._request.verification)
        index = self._artifacts.index(name)
        if index is None:
            raise ArtifactDamagedError(f"{name} is missing", hint=_VERIFY_AGAIN)
        if not self._request.inputs.items() <= index.inputs.items():
            raise ArtifactDamagedError(
                f"{name} is not of this plan and its newest outcomes", hint=_VERIFY_AGAIN
            )
        return {**index.inputs, name: index.digest}

    def _decided_before(self) -> Iterator[Decided]:
        name = repair_name(self._request.round - 1)
        if self._artifacts.index(name) is not None:
            yield from map(decided_of, self._artifacts.rows(name))

    def _bad_rows(
        self,
        plan: Iterator[PlanEntry],
        outcomes: Iterator[PlannedOutcome],
        copies: "_Copies",
    ) -> Iterator[BadRow]:
        """Join bad verdicts with plan rows, outcomes and the last repair, key by key."""
        pending: deque[_Judged] = deque()

        def bad_keys() -> Iterator[str]:
            verdicts = map(
                verdict_of, self._artifacts.rows(verdicts_name(self._request.verification))
            )
            for key, group in groupby(verdicts, key=lambda verdict: verdict.key):
                judged = _judged(group)
                if judged.bad:
                    pending.append(judged)
                    yield key

        for rows in rows_of_keys(planned_rows(plan, outcomes), bad_keys()):
            judged = pending.popleft()
            before = self._earlier.of(rows.key, {problem_of(verdict) for verdict in judged.bad})
            yield from _bad_rows_of(rows, judged, before, copies.of(rows.key))
        self._earlier.finish()


class _Judged(NamedTuple):
    """A key's bad verdicts, and for each destination the newest that is there and not wrong."""

    bad: list[VerdictRow]
    newest_there: dict[int, VerdictRow]


def _judged(verdicts: Iterable[VerdictRow]) -> _Judged:
    """Part a key's verdicts, which come newest first."""
    bad, newest_there = list[VerdictRow](), dict[int, VerdictRow]()
    for verdict in verdicts:
        if not verdict.is_good:
            bad.append(verdict)
        if verdict.number is not None and (verdict.is_good or is_unproven(verdict)):
            newest_there.setdefault(verdict.destination, verdict)
    return _Judged(bad, newest_there)


class _Copies:
    """How copies would be made now, asked for key by key in order."""

    def __init__(self, entries: Iterable[PlanEntry]) -> None:
        self._keys = groupby(entries, key=lambda entry: entry.key)
        self._head = next(self._keys, None)

    def of(self, key: str) -> Mapping[tuple[VersionId, int], PlanEntry]:
        """Return the decisions about a key by version ID and destination."""
        while self._head is not None and self._head[0] < key:
            self._head = next(self._keys, None)
        if self._head is None or self._head[0] != key:
            return {}
        found = {(entry.version_id, entry.destination): entry for entry in self._head[1]}
        self._head = next(self._keys, None)
        return found


class _Earlier:
    """What the last repair decided, asked for key by key in order; whether it is all the same."""

    def __init__(self, decided: Iterable[Decided]) -> None:
        self._keys = groupby(decided, key=lambda one: one.problem.key)
        self._head = self._next()
        self.is_same = self._head is not None

    def _next(self) -> tuple[str, list[Decided]] | None:
        found = next(self._keys, None)
        return None if found is None else (found[0], list(found[1]))

    def of(self, key: str, problems: set[Problem]) -> frozenset[Problem]:
        """Return the problems of a key that the last repair made work of."""
        while self._head is not None and self._head[0] < key:
            self.is_same = False
            self._head = self._next()
        decided: list[Decided] = []
        if self._head is not None and self._head[0] == key:
            decided = self._head[1]
            self._head = self._next()
        self.is_same &= {one.problem for one in decided} == problems
        return frozenset(one.problem for one in decided if one.is_work)

    def finish(self) -> None:
        """Take note of problems that are gone."""
        self.is_same &= self._head is None


def _bad_rows_of(
    rows: KeyRows,
    judged: _Judged,
    repaired: frozenset[Problem],
    copies: Mapping[tuple[VersionId, int], PlanEntry],
) -> Iterator[BadRow]:
    by_number = {row.entry.number: row for row in rows.rows}
    markers = frozenset(row.entry.version_id for row in rows.rows if row.entry.is_delete_marker)
    has_copies = any(o.kind in _OF_COPY_WORKERS for row in rows.rows for o in row.outcomes)
    histories = {row.entry.destination for row in rows.rows if is_history((row,))}
    # Where a version of the key was judged, what is extra lies in its chain: hiding is no way out.
    judged_at = {v.destination for v in judged.bad if v.number is not None}
    judged_at |= judged.newest_there.keys()
    for verdict in judged.bad:
        row = None if verdict.number is None else by_number.get(verdict.number)
        if row is None and verdict.number is not None:
            raise ArtifactDamagedError(
                f"a verdict is of plan row {verdict.number}, which is not one of its key's",
                hint=_VERIFY_AGAIN,
            )
        outcome = row.outcomes[-1] if row is not None and row.outcomes else None
        is_done = outcome is not None and outcome.kind not in _UNDONE
        yield BadRow(
            verdict=verdict,
            entry=None if row is None else row.entry,
            outcome=outcome,
            source_markers=markers,
            was_repaired=is_done and problem_of(verdict) in repaired,
            has_copies=has_copies,
            is_of_history=verdict.destination in histories
            or (row is None and verdict.version_id is None and verdict.destination in judged_at),
            below=judged.newest_there.get(verdict.destination),
            by_copy=None
            if row is None
            else copies.get((row.entry.version_id, row.entry.destination)),
        )
