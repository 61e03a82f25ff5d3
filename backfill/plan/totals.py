"""Totals of a plan: every source version at every destination, by route and by reason.

Never estimated: counted from the rows as they are written, the source from its own chains.
Law: for each destination, in rows and in bytes, source = routes + reasons; else TotalsError.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.model.objects import ListedEntry, ObjectVersion
from backfill.model.rows import Scalar
from backfill.model.units import counted, readable_size
from backfill.plan.entries import PlanEntry, word_of
from backfill.plan.manifest_way import Way, way_document, way_line, way_of
from backfill.plan.restores import PlannedRestores, planned_restores, restores_line
from backfill.plan.routes import Handling, Reason, Route

NOT_KEPT: Final = "a copy has a version ID and a creation time of its own"
"""What no copy keeps of a version (S3 API: CopyObject)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How many rows, and how many bytes of source versions they stand for."""

    rows: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(rows=self.rows + other.rows, size_bytes=self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """How many keys arrive with all of their versions, and how many versions are still to come."""

    keys: int = 0
    versions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationTotals:
    """What becomes of the source's versions at one destination.

    `histories` are among the routes.
    """

    bucket: str
    routes: Mapping[Route, Amount]
    reasons: Mapping[Reason, Amount]
    histories: Histories = Histories()

    @property
    def routed(self) -> Amount:
        """Everything that will be moved."""
        return sum(self.routes.values(), Amount())

    @property
    def staying(self) -> Amount:
        """Everything that will not, each for its reason."""
        return sum(self.reasons.values(), Amount())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTotals:
    """Totals that add up. `source` counts object versions and delete markers together.

    `manifest_way` is None in totals of rows alone, and where Batch Replication was not possible.
    """

    source: Amount
    source_delete_markers: int
    destinations: tuple[DestinationTotals, ...]
    manifest_way: Way | None = None
    restores: PlannedRestores | None = None
    """None where nothing is to be restored."""

    def __post_init__(self) -> None:
        for totals in self.destinations:
            if totals.routed + totals.staying != self.source:
                raise TotalsError(
                    f"the plan for {totals.bucket} does not add up: source {self.source},"
                    f" routes {totals.routed}, reasons {totals.staying}",
                    hint="please report this; nothing was written",
                )

    @property
    def routed(self) -> Amount:
        """Everything that will be moved, to all destinations."""
        return sum((totals.routed for totals in self.destinations), Amount())


@dataclass(slots=True, kw_only=True)  # grows row by row, bounded by the closed lists
class Counting:
    """Totals in the making."""

    buckets: Sequence[str]
    _source_rows: int = 0
    _source_bytes: int = 0
    _source_markers: int = 0
    _cells: dict[tuple[int, Route | Reason], list[int]] = field(default_factory=dict)
    _histories: dict[int, Histories] = field(default_factory=dict)
    _history_keys: dict[int, str] = field(default_factory=dict)
    """The last key that is one, by destination: rows of a key stand together."""

    def add_source(self, chain: Sequence[ListedEntry]) -> None:
        """Count a source chain, apart from what is decided about it."""
        self._source_rows += len(chain)
        for entry in chain:
            if isinstance(entry, ObjectVersion):
                self._source_bytes += entry.size_bytes
            else:
                self._source_markers += 1

    def add_alone(self, contents: Sequence[tuple[Scalar, Scalar]]) -> None:
        """Count source versions that are alone on their keys, by their cells of ETag and size."""
        etags, sizes = zip(*contents, strict=True)
        self._source_rows += len(contents)
        self._source_bytes += sum(sizes)
        self._source_markers += etags.count(None)

    def add(self, entry: PlanEntry) -> None:
        """Count a decided row."""
        self.add_rows(entry.destination, word_of(entry), rows=1, size_bytes=entry.size_bytes)
        if entry.handling & Handling.HISTORY:
            number = entry.destination
            known = self._histories.get(number, Histories())
            is_new = self._history_keys.get(number) != entry.key
            self._history_keys[number] = entry.key
            self._histories[number] = Histories(
                keys=known.keys + is_new, versions=known.versions + 1
            )

    def add_rows(
        self, destination: int, word: Route | Reason, *, rows: int, size_bytes: int
    ) -> None:
        """Count rows that were decided alike."""
        cell = self._cells.setdefault((destination, word), [0, 0])
        cell[0] += rows
        cell[1] += size_bytes

    def totals(self) -> PlanTotals:
        """Return the totals; raises TotalsError when they do not add up."""
        amounts = {
            cell: Amount(rows=rows, size_bytes=size_bytes)
            for cell, (rows, size_bytes) in self._cells.items()
        }
        return PlanTotals(
            source=Amount(rows=self._source_rows, size_bytes=self._source_bytes),
            source_delete_markers=self._source_markers,
            destinations=tuple(
                DestinationTotals(
                    bucket=bucket,
                    routes={r: amounts[n, r] for r in Route if (n, r) in amounts},
                    reasons={r: amounts[n, r] for r in Reason if (n, r) in amounts},
                    histories=self._histories.get(n, Histories()),
                )
                for n, bucket in enumerate(self.buckets)
            ),
        )


def totals_document(totals: PlanTotals) -> dict[str, object]:
    """Return totals as JSON keeps them; every amount is [rows, bytes]."""
    way = {} if totals.manifest_way is None else {"manifest way": way_document(totals.manifest_way)}
    return {
        **way,
        "source": _pair(totals.source),
        "source_delete_markers": totals.source_delete_markers,
        "destinations": [
            {
                "bucket": destination.bucket,
                "routes": {r.value: _pair(a) for r, a in destination.routes.items()},
                "reasons": {r.value: _pair(a) for r, a in destination.reasons.items()},
                **_histories_document(destination.histories),
            }
            for destination in totals.destinations
        ],
    }


def totals_of(summary: Mapping[str, object]) -> PlanTotals:
    """Return the totals in the `summary` of a plan artefact.

    Raises:
        ArtifactDamagedError: It is the summary of something else.
        TotalsError: They do not add up.
    """
    try:
        document = _mapping(summary["totals"])
        destinations, markers = document["destinations"], document["source_delete_markers"]
        assert isinstance(destinations, list), "a list of destinations"
        assert isinstance(markers, int), "a count"
        return PlanTotals(
            source=_amount(document["source"]),
            source_delete_markers=markers,
            destinations=tuple(_destination(_mapping(each)) for each in destinations),
            manifest_way=way_of(summary),
            restores=planned_restores(summary),
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ArtifactDamagedError(
            "the summary of a plan has no readable totals", hint="begin a new run directory"
        ) from error


def tree_lines(totals: PlanTotals) -> Iterator[str]:
    """Give the totals as a tree for a terminal, one line a branch."""
    markers = counted(totals.source_delete_markers)
    yield f"at the source: {_words(totals.source)}, {markers} of them delete markers"
    for destination in totals.destinations:
        yield f"to {destination.bucket}: {_words(destination.routed + destination.staying)}"
        yield f"  to move: {_words(destination.routed)}"
        yield from (f"    {route}: {_words(a)}" for route, a in destination.routes.items())
        if destination.histories.versions:
            yield f"    {_histories_words(destination.histories)}"
        yield f"  not to move: {_words(destination.staying)}"
        yield from (f"    {reason}: {_words(a)}" for reason, a in destination.reasons.items())
    if totals.restores is not None:
        yield restores_line(totals.restores)
    if totals.manifest_way is not None:
        yield way_line(totals.manifest_way)


def _words(amount: Amount) -> str:
    return f"{counted(amount.rows)} versions, {readable_size(amount.size_bytes)}"


def _histories_words(histories: Histories) -> str:
    return (
        f"as histories, oldest first: {counted(histories.versions)} versions of"
        f" {counted(histories.keys)} keys; {NOT_KEPT}"
    )


def _histories_document(histories: Histories) -> dict[str, object]:
    if not histories.versions:
        return {}
    return {
        "histories": {
            "keys": histories.keys,
            "versions": histories.versions,
            "not_kept": NOT_KEPT,
        }
    }


def _histories(document: Mapping[str, object]) -> Histories:
    """Return what `_histories_document` was given."""
    if "histories" not in document:
        return Histories()
    found = _mapping(document["histories"])
    keys, versions = found["keys"], found["versions"]
    assert isinstance(keys, int), "a count"
    assert isinstance(versions, int), "a count"
    return Histories(keys=keys, versions=versions)


def _pair(amount: Amount) -> list[int]:
    return [amount.rows, amount.size_bytes]


def _amount(value: object) -> Amount:
    assert isinstance(value, list), "a pair"
    rows, size_bytes = value
    assert isinstance(rows, int), "a count"
    assert isinstance(size_bytes, int), "a count of bytes"
    return Amount(rows=rows, size_bytes=size_bytes)


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping), "a JSON object"
    return value


def _destination(document: Mapping[str, object]) -> DestinationTotals:
    return DestinationTotals(
        bucket=str(document["bucket"]),
        routes={Route(r): _amount(a) for r, a in _mapping(document["routes"]).items()},
        reasons={Reason(r): _amount(a) for r, a in _mapping(document["reasons"]).items()},
        histories=_histories(document),
    )
