"""Keys that their shape decides: nearly all keys of a bucket are alike in all that a plan asks.

A key is plain where its versions do not matter to each other: every destination has either nothing
of it, or exactly the source's chain by version IDs, and no copies of several are to go in order.
What becomes of such a version follows from its shape alone: which rules and scope cover its key,
its kind, age and class, and of its HEAD the storage class, encryption, replication status, and
whether it has tags. So `KeyPlan` is asked once for each shape, about the version alone on its key,
and what it said holds for all the others.

Never decides and never fetches; a key that is not plain is `KeyPlan`'s own.
Law: rows, requests and counts of a plain key are those that `KeyPlan` would give.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Final

from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import COLUMNS as LISTED_COLUMNS
from backfill.inventory.rows import entry_of
from backfill.model.attributes import ObjectHead
from backfill.model.extras import has_extras, lock_at, lock_obstacle, redirect_obstacle
from backfill.model.objects import NULL_VERSION_ID, ListedEntry, ObjectVersion
from backfill.model.rows import Row, Scalar
from backfill.model.store import IfReplaces
from backfill.plan.chains import content_of
from backfill.plan.decisions import Decision, Question
from backfill.plan.entries import word_of
from backfill.plan.facts import SourceFacts
from backfill.plan.forecast import Requests, forecast_of
from backfill.plan.key_plan import KeyPlan
from backfill.plan.routes import Reason, Route
from backfill.plan.rows import COLUMNS, row_of, time_cell
from backfill.plan.stretches import ListedRow
from backfill.plan.terms import Terms
from backfill.settings import OBJECT_BYTES_MAX

SHAPES_MAX: Final = 4096
"""Shapes that are kept; what has yet another one takes the long way. A bucket has some dozens, but
each KMS key of its objects makes one more."""

_TAIL: Final = COLUMNS.index("destination")
_SEEN: Final = COLUMNS.index("seen_version_id")
_AFTER_SEEN: Final = _SEEN + 3
_LOOK: Final = COLUMNS.index("source_look")
assert len(COLUMNS) - 1 == _LOOK, "the one cell behind the tail is the object's own"

_key_of: Final = itemgetter(LISTED_COLUMNS.index("key"))
_time_of: Final = itemgetter(LISTED_COLUMNS.index("last_modified"))
_etag_of: Final = itemgetter(LISTED_COLUMNS.index("etag"))
_size_of: Final = itemgetter(LISTED_COLUMNS.index("size_bytes"))
_kind_of: Final = itemgetter(*map(LISTED_COLUMNS.index, ("is_latest", "storage_class")))
_cells_of: Final = itemgetter(
    *map(
        LISTED_COLUMNS.index,
        ("key", "version_id", "is_latest", "last_modified", "etag", "size_bytes"),
    )
)
head_parts: Final = itemgetter(
    *map(
        ObjectHead._fields.index,
        (
            "storage_class",
            "tag_count",
            "encryption",
            "replication_status",
            "archive_status",
            "lock_mode",
            "lock_retain_until",
            "has_legal_hold",
            "website_redirect",
            "missing_metadata_count",
        ),
    )
)
"""All that `Shapes.read` looks at in a HEAD, but its ETag."""

Relations = tuple[bool, ...]
"""For each destination whether it mirrors the source's chain; else it has nothing of the key."""


@dataclass(slots=True, eq=False, kw_only=True)  # counts what is written, row by row
class Settled:
    """What becomes of every version of a shape: the cells of its rows that are alike.

    `versions` and `size_bytes` count those that were written.
    """

    tails: tuple[tuple[tuple[Scalar, ...], bool], ...]
    """For each destination the cells from `destination` to the look, and whether it mirrors the
    source."""
    words: tuple[Route | Reason, ...]
    """The route or reason for each destination."""
    decided: tuple[tuple[Question, Decision], ...]
    """What was decided, of the first of these versions."""
    versions: int = 0
    size_bytes: int = 0


@dataclass(slots=True, eq=False, kw_only=True)  # counts what is forecast
class Listed:
    """What the listings tell of a shape. `settled` None: its HEAD is to be read, and nothing else.

    `versions` counts those that were forecast, each with `requests`.
    """

    relations: Relations
    requests: Requests
    settled: Settled | None
    versions: int = 0


class Shapes:
    """The shapes of one plan."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._horizon = terms.horizon
        self._horizon_cell = time_cell(terms.horizon)
        self._bounds = _bounds(terms)
        self._size_max = min(terms.copy_object_bytes_max, OBJECT_BYTES_MAX)
        self._brings_histories = terms.brings_histories
        self._absent: Relations = (False,) * len(terms.destinations)
        self._listed: dict[tuple[object, ...], Listed | None] = {}
        self._read: dict[tuple[object, ...], Settled | None] = {}

    def listed(self, group: KeyGroup) -> list[Listed] | None:
        """Return what the listings tell of each source version; None unless the key is plain."""
        relations = self._absent
        if any(group.destination_chains):
            known_relations = _relations(group.source_chain, group.destination_chains)
            if known_relations is None:
                return None
            relations = known_relations
        if self._brings_histories and self._is_history(group, relations):
            return None
        region = self.region(group.key)
        found = []
        for entry in group.source_chain:
            known = self._known(region, relations, entry)
            if known is None:
                return None
            found.append(known)
        return found

    def _is_history(self, group: KeyGroup, relations: Relations) -> bool:
        """Return whether versions of a key matter to each other, because they go one by one."""
        return len(group.source_chain) > 1 and any(
            not mirrors and self._terms.may_bring_history(group.key, number)
            for number, mirrors in enumerate(relations)
        )

    def listed_alone(self, rows: Sequence[ListedRow]) -> list[Listed | None]:
        """Return what the listings tell of each row of a stretch; None unless it is plain."""
        region = self.region(_key_of(rows[0]))
        if region == self.region(_key_of(rows[-1])):
            kinds = list(map(_kind_of, rows))
            # Times in UTC are in order where their cells are.
            is_old = max(map(_time_of, rows)) < self._horizon_cell
            if is_old and kinds.count(kinds[0]) == len(kinds) and None not in map(_etag_of, rows):
                return [self._known(region, self._absent, entry_of(rows[0]))] * len(rows)
        regions = map(self.region, map(_key_of, rows))
        absent = repeat(self._absent)
        return list(map(self._known, regions, absent, map(entry_of, rows)))

    def _known(self, region: int, relations: Relations, entry: ListedEntry) -> Listed | None:
        shape = (
            region,
            relations,
            entry.is_latest,
            entry.last_modified >= self._horizon,
            entry.storage_class if isinstance(entry, ObjectVersion) else None,
        )
        try:
            return self._listed[shape]
        except KeyError:
            if len(self._listed) >= SHAPES_MAX:
                return None
        known = self._listed[shape] = self._asked(entry, relations)
        return known

    def are_small(self, rows: Sequence[ListedRow]) -> bool:
        """Return whether neither size nor parts of any object may call for a multipart copy."""
        is_small = max(map(_size_of, rows)) <= self._size_max
        return is_small and "-" not in "".join(filter(None, map(_etag_of, rows)))

    def region(self, key: str) -> int:
        """Return which keys this one belongs to: those that the same prefixes cover."""
        return bisect_right(self._bounds, key)

    def read(self, known: Listed, entry: ObjectVersion, head: ObjectHead) -> Settled | None:
        """Return what becomes of a version whose head was read; None where that is not plain.

        The same for all small objects that are listed alike, whose HEADs show the listed ETag and
        equal parts (`head_parts`).
        """
        if (
            head.etag != entry.etag
            or head.archive_status
            or head.missing_metadata_count
            # Its size or its parts may call for a multipart copy.
            or entry.size_bytes > self._size_max
            or "-" in entry.etag
        ):
            return None
        is_read_again = False
        if head.lock_mode or head.has_legal_hold or head.website_redirect:
            if self._has_own_obstacle(head):
                return None
            is_read_again = has_extras(head, self._terms.as_of)
        traits = is_read_again, head.tag_count > 0
        shape = known, head.storage_class, head.replication_status, head.encryption, traits
        try:
            return self._read[shape]
        except KeyError:
            if len(self._read) >= SHAPES_MAX:
                return None
        plan = self._alone(entry, known.relations)
        plan.learn({entry.version_id: SourceFacts(head=head)}, {})
        settled = None if plan.needs() else _settled(plan, known.relations)
        self._read[shape] = settled
        return settled

    def _has_own_obstacle(self, head: ObjectHead) -> bool:
        """Return whether some copy could not lock or redirect so: its reason's detail tells why."""
        lock = lock_at(head, self._terms.as_of)
        return bool(redirect_obstacle(head.website_redirect or "")) or (
            lock is not None
            and any(lock_obstacle(lock, each.abilities) for each in self._terms.destinations)
        )

    def forecast(self) -> Requests:
        """Return the requests that the versions counted in `Listed.versions` take at most."""
        shapes = (known for known in self._listed.values() if known is not None)
        return sum((known.requests * known.versions for known in shapes), Requests())

    def settled(self) -> Iterator[Settled]:
        """Give every answer that there was, with its counts."""
        for known in self._listed.values():
            if known is not None and known.settled is not None:
                yield known.settled
        yield from filter(None, self._read.values())

    def _alone(self, entry: ListedEntry, relations: Relations) -> KeyPlan:
        """Return the plan of a key that has this entry only."""
        return KeyPlan([entry], [[entry] if mirrors else [] for mirrors in relations], self._terms)

    def _asked(self, entry: ListedEntry, relations: Relations) -> Listed | None:
        plan = self._alone(entry, relations)
        needs = plan.needs()
        if needs is None:
            settled = _settled(plan, relations)
            return Listed(relations=relations, requests=Requests(), settled=settled)
        if needs.tags or needs.acls or needs.destination_heads:
            return None
        requests = forecast_of(plan, self._terms)
        return Listed(relations=relations, requests=requests, settled=None)


def stretch_rows(
    rows: Sequence[ListedRow], settled: Settled, looks: Sequence[str | None], first_number: int
) -> list[Row]:
    """Return the plan's rows of listed ones of a stretch, numbered from `first_number`.

    All that `settled` says holds for each of them; they are counted. `looks` as in `plain_rows`.
    """
    settled.versions += len(rows)
    settled.size_bytes += sum(map(_size_of, rows))
    # No destination has these keys, so that none mirrors the source.
    tails = [
        (number, tail, isinstance(word, Route))
        for number, ((tail, _), word) in enumerate(zip(settled.tails, settled.words, strict=True))
    ]
    numbers = range(first_number, first_number + len(rows) * len(tails), len(tails))
    return [
        (
            number + n,
            key,
            version_id,
            etag is None,
            is_latest,
            time,
            etag,
            size_bytes,
            *tail,
            look if goes else None,
        )
        for number, (key, version_id, is_latest, time, etag, size_bytes), look in zip(
            numbers, map(_cells_of, rows), looks, strict=True
        )
        for n, tail, goes in tails
    ]


def plain_rows(
    group: KeyGroup, settled: Sequence[Settled], looks: Sequence[str | None], first_number: int
) -> list[Row]:
    """Return the rows of a plain key, numbered from `first_number`, and count its versions.

    `looks` has the look of each version; it is kept where the version goes anywhere.
    """
    rows: list[Row] = []
    number = first_number
    for entry, known, look in zip(group.source_chain, settled, looks, strict=True):
        etag, size_bytes = None, 0
        if isinstance(entry, ObjectVersion):
            etag, size_bytes = entry.etag, entry.size_bytes
        time = time_cell(entry.last_modified)
        known.versions += 1
        known.size_bytes += size_bytes
        for (tail, mirrors), word in zip(known.tails, known.words, strict=True):
            cells = (
                number,
                entry.key,
                entry.version_id,
                etag is None,
                entry.is_latest,
                time,
                etag,
                size_bytes,
                *tail,
                look if isinstance(word, Route) else None,
            )
            rows.append(_over_mirrored(cells, group) if mirrors else cells)
            number += 1
    return rows


def _over_mirrored(cells: tuple[Scalar, ...], group: KeyGroup) -> Row:
    """Return a row with what its destination shows: the source's own current entry."""
    current = group.source_chain[0]
    etag = current.etag if isinstance(current, ObjectVersion) else None
    return (*cells[:_SEEN], current.version_id, etag is None, etag, *cells[_AFTER_SEEN:])


def _settled(plan: KeyPlan, relations: Relations) -> Settled | None:
    """Keep what a plan of one entry decided; None where a guard is of this entry alone."""
    entries = list(plan.entries(0))
    if any(isinstance(entry.precondition, IfReplaces) for entry in entries):
        return None
    rows = zip(map(row_of, entries), relations, strict=True)
    return Settled(
        tails=tuple((tuple(row[_TAIL:_LOOK]), mirrors) for row, mirrors in rows),
        words=tuple(word_of(entry) for entry in entries),
        decided=tuple(plan.decided()),
    )


def _relations(
    source: Sequence[ListedEntry], destinations: Sequence[Sequence[ListedEntry]]
) -> Relations | None:
    """Return which destinations mirror the source; None where one does otherwise."""
    for chain in destinations:
        if chain and not _mirrors(source, chain):
            return None
    return tuple(map(bool, destinations))


def _mirrors(source: Sequence[ListedEntry], chain: Sequence[ListedEntry]) -> bool:
    """Return whether a chain holds the very versions of the source, none of them `null`."""
    if len(chain) != len(source):
        return False
    for place, (mine, theirs) in enumerate(zip(source, chain, strict=True)):
        is_identified = mine.version_id == theirs.version_id != NULL_VERSION_ID
        if not is_identified or (place and mine.is_latest):
            return False
        if not isinstance(mine, ObjectVersion):
            if isinstance(theirs, ObjectVersion):
                return False
        elif not isinstance(theirs, ObjectVersion) or content_of(mine) != content_of(theirs):
            return False
    return True


def _bounds(terms: Terms) -> list[str]:
    """Return where prefixes begin and end: between two bounds, the same ones cover every key."""
    prefixes = {terms.scope.prefix}
    for destination in terms.destinations:
        prefixes.update(rule.prefix for rule in (*destination.rules, *destination.live_rules))
    return sorted(bound for prefix in prefixes for bound in (prefix, _after(prefix)) if bound)


def _after(prefix: str) -> str:
    """Return the first string behind all that begin with a prefix; empty where there is none."""
    kept = prefix.rstrip("\U0010ffff")
    return kept and kept[:-1] + chr(ord(kept[-1]) + 1)
