"""Histories of keys in two buckets in memory: at the source, and as copies of ours carried them.

The map that execute leaves is one outcome a version; who damages a history leaves it as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.entries import DestinationSeen, PlanEntry
from backfill.plan.routes import Handling, Reason
from backfill.verify.decisions import PlannedRow
from tests.unit.verify.two_buckets import AFTER, BEFORE, Lying, Marker, Stored, World, planned


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A key's plan rows, newest first, and how both buckets hold it."""

    rows: tuple[PlannedRow, ...]
    source: tuple[Lying, ...]
    destination: tuple[Lying, ...]


def copy_of(lying: Lying, version_id: str, turn: int) -> Lying:
    """Return what our write of a version, or of a marker, leaves."""
    at = AFTER + timedelta(seconds=turn)
    if isinstance(lying, Marker):
        return Marker(version_id=version_id, last_modified=at)
    algorithms = lying.algorithms or ("CRC32",)
    return replace(lying, version_id=version_id, last_modified=at, algorithms=algorithms, parts=())


def carried(
    key: str, source: Sequence[Lying], *, first_number: int = 0, already: int = 0
) -> Carried:
    """Carry a history, newest first. The oldest `already` of it an earlier run had carried."""
    rows, destination = list[PlannedRow](), list[Lying]()
    for turn, lying in enumerate(source):
        number, age = first_number + turn, len(source) - turn
        made = copy_of(lying, f"copy-{first_number}-{age}", age)
        is_old = age <= already
        entry = history_entry(number, key, lying, is_latest=turn == 0, is_old=is_old)
        if is_old:  # then the plan has proven what lies there to be it, and names it
            seen = DestinationSeen(
                version_id=VersionId(made.version_id), is_delete_marker=isinstance(made, Marker)
            )
            entry = entry._replace(seen=seen)
        rows.append(PlannedRow(entry, () if is_old else (outcome_of(number, made),)))
        destination.append(made)
    return Carried(rows=tuple(rows), source=tuple(source), destination=tuple(destination))


def history_entry(
    number: int, key: str, lying: Lying, *, is_latest: bool, is_old: bool = False
) -> PlanEntry:
    reason = Reason.ALREADY_COPIED if is_old else None
    entry = planned(number, key, lying, is_latest=is_latest, reason=reason)
    handling = Handling(0) if is_old else Handling.HISTORY
    return entry._replace(handling=handling, has_other_writers=False)


def outcome_of(number: int, made: Lying) -> Outcome:
    if isinstance(made, Marker):
        return Outcome(
            number=number, kind=OutcomeKind.MARKED, version_id=VersionId(made.version_id)
        )
    return Outcome(
        number=number,
        kind=OutcomeKind.COPIED,
        version_id=VersionId(made.version_id),
        etag=made.etag,
    )


def hostile(chance: Random, length: int) -> list[Lying]:
    """Return a source chain, newest first: twins in a row, markers in a row, a null version."""
    chain = list[Lying]()
    body = chance.randbytes(chance.choice((0, 1, 7, 40)))
    null = chance.randrange(length) if chance.random() < 0.3 else -1
    for age in range(length):
        at = BEFORE + timedelta(seconds=age // 2)  # two within a second
        version_id = "null" if age == null else f"v{age}"
        if chance.random() < 0.25:
            chain.append(Marker(version_id=version_id, last_modified=at))
            continue
        if chance.random() < 0.7:
            body = chance.randbytes(chance.choice((0, 1, 7, 40)))
        tags = (("edition", str(age)),) if chance.random() < 0.5 else ()
        chain.append(
            Stored(version_id=version_id, data=body, last_modified=at, tags=tags,
                   metadata=(("edition", str(age)),))
        )  # fmt: skip
    return chain[::-1]


def deliver(world: World, key: str, source: Sequence[Lying], *, already: int = 0) -> Carried:
    """Lay a history into the source of a world, and our copies of it into the destination."""
    made = carried(key, source, first_number=len(world.entries), already=already)
    world.source.chains[key] = [*made.source]
    world.destination.chains[key] = [*made.destination]
    world.entries += [row.entry for row in made.rows]
    world.outcomes += [(o.number, o) for row in made.rows for o in row.outcomes]
    return made
