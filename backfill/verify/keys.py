"""Key by key: plan rows, their outcomes and fresh listings brought together, as streams.

Never holds more than one key, and never sorts: every stream comes in its own order and is joined.
Law: every plan row, and every key of every listing, appears in exactly one `KeyWork`.
"""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import product
from operator import itemgetter
from typing import NamedTuple

from backfill.errors import TotalsError
from backfill.inventory.join import KeyGroup
from backfill.model.objects import DeleteMarker, ListedEntry, ObjectVersion
from backfill.model.outcome import Outcome
from backfill.model.rows import Scalar
from backfill.plan.chains import IndexedChain
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Reason
from backfill.verify.decisions import KeyView, PlannedRow

PlannedOutcome = tuple[int, Outcome]
"""The number of a plan row, and an outcome of work on it. Its own number is the same."""


class KeyRows(NamedTuple):
    """The plan rows of one key; empty for a key that the plan does not know."""

    key: str
    rows: tuple[PlannedRow, ...]


class KeyWork(NamedTuple):
    """One key to judge."""

    rows: KeyRows
    group: KeyGroup


def numbered_outcomes(
    numbers: Iterable[tuple[int, int | None]], outcomes: Iterable[list[Scalar]]
) -> Iterator[list[Scalar]]:
    """Give the outcome rows of one manifest, in entry order, the numbers of the plan rows.

    `numbers` has a manifest's entry numbers, each with the number of its plan row. Hiding an extra
    version belongs to no plan row and is left out.

    Raises:
        TotalsError: an outcome belongs to no entry.
    """
    remaining = iter(outcomes)
    outcome = next(remaining, None)
    for number, plan_number in numbers:
        if outcome is None:
            return
        if outcome[0] == number:
            if plan_number is not None:
                yield [plan_number, *outcome[1:]]
            outcome = next(remaining, None)
    if outcome is not None:
        raise TotalsError(f"an outcome is of entry {outcome[0]}, which no manifest has")


def merged_outcomes(*rounds: Iterable[list[Scalar]]) -> Iterator[list[Scalar]]:
    """Merge the numbered outcomes of several manifests, earlier rounds first."""
    if len(rounds) == 1:
        return iter(rounds[0])
    return heapq.merge(*rounds, key=itemgetter(0))


def planned_rows(
    plan: Iterable[PlanEntry], outcomes: Iterable[PlannedOutcome]
) -> Iterator[PlannedRow]:
    """Join plan rows with their outcomes; both come in the order of plan numbers.

    Raises:
        TotalsError: an outcome belongs to no row of the plan.
    """
    remaining = iter(outcomes)
    head = next(remaining, None)
    for entry in plan:
        if head is None or head[0] != entry.number:
            yield PlannedRow(entry)
            continue
        own = head[1]
        head = next(remaining, None)
        if head is None or head[0] != entry.number:
            yield PlannedRow(entry, (own,))
            continue
        several = [own]
        while head is not None and head[0] == entry.number:
            several.append(head[1])
            head = next(remaining, None)
        yield PlannedRow(entry, tuple(several))
    if head is not None:
        raise TotalsError(f"an outcome is of plan row {head[0]}, which the plan does not have")


def rows_by_key(rows: Iterable[PlannedRow]) -> Iterator[KeyRows]:
    """Group rows that are sorted by key."""
    remaining = iter(rows)
    row = next(remaining, None)
    while row is not None:
        key, first = row.entry.key, row
        row = next(remaining, None)
        if row is None or row.entry.key != key:
            yield KeyRows(key, (first,))
            continue
        several = [first]
        while row is not None and row.entry.key == key:
            several.append(row)
            row = next(remaining, None)
        yield KeyRows(key, tuple(several))


def rows_of_keys(rows: Iterable[PlannedRow], keys: Iterable[str]) -> Iterator[KeyRows]:
    """Yield the rows of the given keys, which are sorted; a key without rows has none."""
    groups = rows_by_key(rows)
    group = next(groups, None)
    for key in keys:
        while group is not None and group.key < key:
            group = next(groups, None)
        is_planned = group is not None and group.key == key
        yield group if group is not None and is_planned else KeyRows(key=key, rows=())


def work_by_key(
    rows: Iterable[PlannedRow], groups: Iterable[KeyGroup], *, destinations: int
) -> Iterator[KeyWork]:
    """Join plan rows with the fresh listings by key; either side may lack a key."""
    planned, listed = rows_by_key(rows), iter(groups)
    mine, theirs = next(planned, None), next(listed, None)
    while mine is not None or theirs is not None:
        if mine is not None and theirs is not None and mine.key == theirs.key:
            yield KeyWork(mine, theirs)
            mine, theirs = next(planned, None), next(listed, None)
        elif theirs is None or (mine is not None and mine.key < theirs.key):
            assert mine is not None, "one of the two has a key"
            yield KeyWork(mine, unlisted(mine.key, destinations=destinations))
            mine = next(planned, None)
        else:
            yield KeyWork(KeyRows(theirs.key, ()), theirs)
            theirs = next(listed, None)


def unlisted(key: str, *, destinations: int) -> KeyGroup:
    """Return the group of a key that no bucket has."""
    return KeyGroup(key=key, source_chain=(), destination_chains=((),) * destinations)


def views_of(group: KeyGroup, horizon: datetime) -> tuple[KeyView, ...]:
    """Return one view of the key for each destination."""
    source = IndexedChain.of(group.source_chain)
    return tuple(
        KeyView(
            key=group.key,
            destination=number,
            source_chain=source,
            destination_chain=IndexedChain.of(chain),
            horizon=horizon,
        )
        for number, chain in enumerate(group.destination_chains)
    )


def pairing_plan(
    groups: Iterable[KeyGroup],
    *,
    horizon: datetime,
    replicates_delete_markers: bool,
    has_histories: bool = False,
) -> Iterator[PlanEntry]:
    """Yield the plan that two buckets imply where no run was: every current version is there.

    With `has_histories` every version is, and every delete marker that is replicated; else
    noncurrent ones are left out. Without rules nothing is known of the wanted storage class and
    encryption: the class is taken from the source, and encryption is not compared.
    """
    number = 0
    for group in groups:
        chains = list(map(IndexedChain.of, group.destination_chains))
        wanted = group.source_chain if has_histories else group.source_chain[:1]
        for entry, (destination, chain) in product(wanted, enumerate(chains)):
            reason = _pairing_reason(
                entry, chain, horizon=horizon, wants_markers=replicates_delete_markers
            )
            yield _paired(number, entry, destination, reason)._replace(
                replicates_delete_markers=replicates_delete_markers
            )
            number += 1


def _paired(number: int, entry: ListedEntry, destination: int, reason: Reason) -> PlanEntry:
    is_object = isinstance(entry, ObjectVersion)
    return PlanEntry(
        number=number,
        key=entry.key,
        version_id=entry.version_id,
        is_delete_marker=not is_object,
        is_latest=entry.is_latest,
        last_modified=entry.last_modified,
        etag=entry.etag if isinstance(entry, ObjectVersion) else None,
        size_bytes=entry.size_bytes if isinstance(entry, ObjectVersion) else 0,
        destination=destination,
        reason=reason,
        storage_class=entry.storage_class if isinstance(entry, ObjectVersion) else "",
    )


def _pairing_reason(
    entry: ListedEntry, destination: IndexedChain, *, horizon: datetime, wants_markers: bool
) -> Reason:
    if entry.last_modified >= horizon:
        return Reason.AFTER_HORIZON
    is_replica = destination.identified(entry) is not None
    if isinstance(entry, DeleteMarker):
        if not wants_markers:
            return Reason.DELETE_MARKER_NOT_REPLICATED
        if entry.is_latest:
            return Reason.ALREADY_DELETED
    return Reason.ALREADY_REPLICATED if is_replica else Reason.ALREADY_COPIED
