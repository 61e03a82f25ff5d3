"""Whole histories: the versions of a key, compared as a chain with what copies made of them.

A copy has a version ID of its own, so versions meet by the map that outcomes hold (of an earlier
run's copies, by the ID that the plan proved alike), and replicas by their own ID. What has neither
meets by its place between those that are known and by what the listings say of its bytes; it is
compared as any other.
Never reads a store.
Law: every version is met at most once, and what is met by its place says so.
"""

import enum
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from backfill.model.objects import (
    NULL_VERSION_ID,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Handling, Reason, Route
from backfill.verify.alignment import Place, by_kind, in_order, out_of_order
from backfill.verify.decisions import VANISHED, Decision, Judged, KeyView, Look, PlannedRow
from backfill.verify.extras import stranger
from backfill.verify.findings import (
    buried,
    compare,
    delivered,
    different,
    missing,
    unjudged,
    with_ending,
)
from backfill.verify.verdicts import Field

BY_PLACE: Final = "Met by its place among the versions of its key."
_THERE: Final = frozenset(
    {Reason.ALREADY_COPIED, Reason.ALREADY_REPLICATED, Reason.ALREADY_DELETED}
)


class Chains(enum.Enum):
    """Which keys' chains are compared as a whole."""

    OF_HISTORIES = enum.auto()
    """Those of keys that copies carry with all of their versions."""
    OF_QUIET_KEYS = enum.auto()
    """Those too of keys with a single version, if nobody else writes them: all are asked for."""
    ALL = enum.auto()
    """All of them: two buckets are compared with each other, whoever filled them."""


_Kind = tuple[ETag | None, int]
"""ETag and size, -1 for a delete marker; the coarser kind leaves the ETag out."""


def is_history(rows: Sequence[PlannedRow]) -> bool:
    """Return whether copies carry a key to its destination with all of its versions.

    Of a key that an earlier run carried, nothing is left to do: then noncurrent versions are
    already copied, which nothing but a history is.
    """
    return any(map(_is_of_history, (row.entry for row in rows)))


def _is_of_history(entry: PlanEntry) -> bool:
    if entry.handling:
        return Handling.HISTORY in entry.handling
    return entry.reason is Reason.ALREADY_COPIED and not entry.is_latest


def is_alone(rows: Sequence[PlannedRow]) -> bool:
    """Return whether a key's one version goes where nothing was, and where nobody else writes."""
    entry = rows[0].entry if len(rows) == 1 else None
    if entry is None or entry.route is None or entry.route is Route.BATCH_REPLICATION:
        return False
    return entry.seen is None and not entry.has_other_writers


def is_member(entry: PlanEntry) -> bool:
    """Return whether a version belongs to the history that the destination shall have."""
    return entry.route is not None or entry.reason in _THERE


class History:
    """A key at one destination. `rows` are its plan rows for it, newest first."""

    def __init__(self, rows: Sequence[PlannedRow], view: KeyView, *, is_deep: bool) -> None:
        self._view = view
        self._is_deep = is_deep
        self._chain = view.destination_chain.entries
        self._members = [row for row in rows if is_member(row.entry)]
        self._numbers = array("q", (row.entry.number for row in self._members))
        self._places: list[Place] = [None] * len(self._members)
        self._is_taken = bytearray(len(self._chain))
        self._met_by_place = set[int]()
        self._meet_known()
        self._meet_by_place()
        self._misplaced = out_of_order(self._places)
        there = (turn for turn, place in enumerate(self._places) if place is not None)
        self._newest_there = next(there, len(self._members))

    @property
    def is_empty(self) -> bool:
        """Return whether the plan wants no version of it at the destination."""
        return not self._members

    def has(self, row: PlannedRow) -> bool:
        """Return whether a row is of the history."""
        turn = self._turn(row)
        return turn < len(self._numbers) and self._numbers[turn] == row.entry.number

    def _turn(self, row: PlannedRow) -> int:
        """Return how many versions are newer. Plan numbers ascend as versions get older."""
        return bisect_left(self._numbers, row.entry.number)

    def decision(self, row: PlannedRow) -> Decision:
        """Return what the chains say of a row of the history."""
        if self._view.at_source(row.entry) is None:
            return unjudged(row, VANISHED)
        turn = self._turn(row)
        place = self._places[turn]
        if place is None:
            return self._missing(row, turn)
        seen = self._chain[place]
        fields, says = self._placement(row, turn, place)
        if fields:
            return _out_of_place(row, seen, fields, says)
        if (below := buried(row, seen, self._view)) is not None:
            return Judged(row=below)
        found = delivered(row, seen, is_deep=self._is_deep)
        if turn in self._met_by_place:
            return found._replace(row=found.row._replace(detail=BY_PLACE))
        return found

    def extras(self) -> Iterator[Judged | Look]:
        """Yield what the destination's chain has beside the history, the newest first."""
        for place in self._strangers():
            yield stranger(self._view, place)

    # --- Who meets whom ---

    def _meet_known(self) -> None:
        """Pair what the map of outcomes, or a replica's version ID, says."""
        places = {entry.version_id: place for place, entry in enumerate(self._chain)}
        for turn, row in enumerate(self._members):
            version_id = row.entry.version_id
            is_replica = version_id != NULL_VERSION_ID and version_id in places
            known = (version_id,) if is_replica else _known_ids(row)
            place = next((places[each] for each in known if each in places), None)
            if place is not None and not self._is_taken[place]:
                self._meet(turn, place)

    def _meet_by_place(self) -> None:
        """Pair what no ID tells: alike in ETag and size first, then in size, then displaced."""
        for kind_of_wanted, kind_of_found in ((_kind, _kind_of), (_size, _size_of)):
            for turns, places in self._gaps():
                found = in_order(
                    [kind_of_wanted(self._members[turn].entry) for turn in turns],
                    [kind_of_found(self._chain[place]) for place in places],
                )
                self._meet_all(turns, places, found)
        turns, places = self._unknown(), list(self._strangers())
        wanted = [_kind(self._members[turn].entry) for turn in turns]
        self._meet_all(turns, places, by_kind(wanted, [_kind_of(self._chain[p]) for p in places]))

    def _meet(self, turn: int, place: int) -> None:
        self._places[turn] = place
        self._is_taken[place] = True

    def _meet_all(self, turns: Sequence[int], places: Sequence[int], found: list[Place]) -> None:
        for turn, at in zip(turns, found, strict=True):
            if at is not None:
                self._meet(turn, places[at])
                self._met_by_place.add(turn)

    def _unknown(self) -> list[int]:
        """Return the turns of members that have not met, and of which no ID is known."""
        return [
            turn
            for turn, row in enumerate(self._members)
            if self._places[turn] is None
            and not _known_ids(row)
            and row.entry.reason is not Reason.ALREADY_REPLICATED
        ]

    def _strangers(self) -> Iterator[int]:
        """Yield the places that nobody has met, and that the source does not know by its IDs."""
        source = self._view.source_chain
        for place, entry in enumerate(self._chain):
            if not self._is_taken[place] and source.identified(entry) is None:
                yield place

    def _gaps(self) -> Iterator[tuple[list[int], list[int]]]:
        """Yield unknown members and strangers that stand between the same neighbours."""
        unknown = self._unknown()
        if not unknown:
            return
        misplaced = out_of_order(self._places)
        strangers = list(self._strangers())
        first_unknown = first_stranger = 0
        anchors = [
            (turn, place)
            for turn, place in enumerate(self._places)
            if place is not None and turn not in misplaced
        ]
        for turn, place in (*anchors, (len(self._members), len(self._chain))):
            turns, first_unknown = _before(unknown, first_unknown, turn)
            places, first_stranger = _before(strangers, first_stranger, place)
            if turns and places:
                yield turns, places

    # --- What is said of it ---

    def _missing(self, row: PlannedRow, turn: int) -> Decision:
        is_gap = turn > self._newest_there
        detail = (
            "The destination's history of the key lacks it, and has newer ones."
            if is_gap
            else "The destination's history of the key ends before it."
        )
        if not row.entry.is_delete_marker:
            return missing(row, detail)
        return Judged(row=different(row, None, Field.DELETE_MARKER, with_ending(row, detail)))

    def _placement(self, row: PlannedRow, turn: int, place: int) -> tuple[tuple[Field, ...], str]:
        """Return what is wrong with where a version stands, and the sentences about it."""
        fields, says = list[Field](), list[str]()
        if turn in self._misplaced:
            fields.append(Field.VERSION_ORDER)
            says.append(
                f"It is number {place + 1} of {len(self._chain)} at the destination, counted from"
                " the newest, and the others do not stand around it as at the source."
            )
        if turn == 0 and place > 0 and not self._is_followed(row):
            top = self._chain[0]
            is_marker = isinstance(top, DeleteMarker)
            if is_marker is not row.entry.is_delete_marker:
                fields.append(Field.DELETE_MARKER)
                says.append(
                    "The destination shows no object: a delete marker lies above it."
                    if is_marker
                    else "The source is deleted, and the destination still shows an object."
                )
            elif not is_marker:
                fields.append(Field.CURRENT_VERSION)
                says.append("Readers of the destination see another version, which lies above it.")
        return tuple(fields), " ".join(says)

    def _is_followed(self, row: PlannedRow) -> bool:
        """Return whether what is current there is the replica of something newer at the source."""
        source = self._view.source_chain
        top, own = source.identified(self._chain[0]), self._view.at_source(row.entry)
        if top is None or self._is_taken[0]:
            return False
        return next(entry for entry in source.entries if entry is top or entry is own) is top


def _known_ids(row: PlannedRow) -> tuple[VersionId, ...]:
    """Return the version IDs that deliver a row: ours, or the one that the plan proved alike."""
    if row.outcomes:
        return row.delivered_version_ids
    seen = row.entry.seen if row.entry.reason is Reason.ALREADY_COPIED else None
    return () if seen is None else (seen.version_id,)


def _out_of_place(
    row: PlannedRow, seen: ListedEntry, fields: tuple[Field, ...], says: str
) -> Judged | Look:
    """Say what is wrong with the place of a version, and compare it all the same."""
    found = different(row, seen, fields[0], says, *fields[1:])
    is_marker = isinstance(seen, DeleteMarker)
    if row.entry.is_delete_marker is not is_marker and Field.DELETE_MARKER not in fields:
        found = found._replace(fields=(*fields, Field.DELETE_MARKER))
    if row.entry.is_delete_marker or isinstance(seen, DeleteMarker):
        return Judged(row=found)
    return compare(row, seen, otherwise=found)._replace(placement=fields)


def _before(sorted_numbers: Sequence[int], first: int, end: int) -> tuple[list[int], int]:
    """Return the numbers below `end`, from number `first` on, and where the others begin."""
    last = first
    while last < len(sorted_numbers) and sorted_numbers[last] < end:
        last += 1
    return list(sorted_numbers[first:last]), last


def _kind(entry: PlanEntry) -> _Kind:
    return (None, -1) if entry.is_delete_marker else (entry.etag, entry.size_bytes)


def _kind_of(entry: ListedEntry) -> _Kind:
    return (entry.etag, entry.size_bytes) if isinstance(entry, ObjectVersion) else (None, -1)


def _size(entry: PlanEntry) -> int:
    return _kind(entry)[1]


def _size_of(entry: ListedEntry) -> int:
    return _kind_of(entry)[1]
