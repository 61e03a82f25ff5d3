"""The joined inventory as plan reads it: stretches of rows that nothing joins, and all other keys.

In the bucket of nearly every campaign, nearly every key has one version, and no destination has it.
Neighbours of that kind need no join: they are found by comparing keys, a block of rows at a time.
Never decides, and never holds more than a block of rows of each listing and one key's chains.
Law: every key of every listing is in exactly one stretch or group, and they come in key order.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter, lt
from typing import Final, NamedTuple

from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.rows import COLUMNS, entries_of
from backfill.model.rows import Scalar

ListedRow = list[Scalar]
RowBlocks = Iterable[list[ListedRow]]
"""The rows of one inventory artefact, in its order; none of the blocks is empty."""

LENGTH_MIN: Final = 16
"""A shorter stretch costs more than it saves."""
JOINED_ROWS: Final = 64
"""So many source rows are joined key by key before another stretch is looked for."""

_key_of: Final = itemgetter(COLUMNS.index("key"))


class Listings(NamedTuple):
    """The listings of a campaign, destinations in the order of the plan header."""

    source: RowBlocks
    destinations: Sequence[RowBlocks]

    def groups(self) -> Iterator[KeyGroup]:
        """Give every key as a group."""
        source, *destinations = (
            entries_of(chain.from_iterable(blocks)) for blocks in (self.source, *self.destinations)
        )
        return key_groups(source, destinations)


class Stretch(NamedTuple):
    """Rows of keys with one version each, at the source alone."""

    rows: list[ListedRow]


def stretches(listings: Listings, *, length_max: int) -> Iterator[Stretch | KeyGroup]:
    """Give stretches of at most `length_max` rows, and the groups of all other keys.

    Raises what `key_groups` raises.
    """
    source = _Feed(iter(listings.source))
    destinations = [_Feed(iter(blocks)) for blocks in listings.destinations]
    while rows := source.ahead():
        keys = list(map(_key_of, rows))
        alone = min(_ascending(keys, is_last=source.is_last), length_max)
        for destination in destinations:
            if (other := destination.key()) is not None:
                alone = bisect_left(keys, other, 0, alone)
        if alone >= min(LENGTH_MIN, length_max):
            source.place += alone
            yield Stretch(rows[:alone])
        else:
            # The greatest, not the last: of what is not sorted the join is told as well.
            yield from _groups_until(max(keys[:JOINED_ROWS]), source, destinations)
    # Also what is behind the source's last key has to be sorted.
    yield from _groups_until(None, source, destinations)


def _groups_until(
    bound: str | None, source: "_Feed", destinations: Sequence["_Feed"]
) -> Iterator[KeyGroup]:
    others = [entries_of(destination.until(bound)) for destination in destinations]
    return key_groups(entries_of(source.until(bound)), others)


def _ascending(keys: Sequence[str], *, is_last: bool) -> int:
    """Return how many keys, from the first on, have another key behind them, and a greater one.

    `is_last`: nothing follows the last key, which may have been followed by anything otherwise.
    """
    is_less = list(map(lt, keys, keys[1:]))
    if False in is_less:
        return is_less.index(False)
    return len(keys) if is_last else len(keys) - 1


class _Feed:
    """The rows of one listing; those before `place` have been taken."""

    def __init__(self, blocks: Iterator[list[ListedRow]]) -> None:
        self._blocks = blocks
        self._rows: list[ListedRow] = []
        self.place = 0
        self.is_last = False

    def ahead(self) -> list[ListedRow]:
        """Return what is ahead, enough for a stretch unless `is_last`; nothing at the end."""
        rows = self._rows[self.place :] if self.place else self._rows
        while len(rows) <= LENGTH_MIN and not self.is_last:
            following = next(self._blocks, None)
            if following is None:
                self.is_last = True
            else:
                rows = rows + following
        self._rows, self.place = rows, 0
        return rows

    def key(self) -> str | None:
        """Return the next row's key; None at the end."""
        if self.place == len(self._rows):
            self.ahead()
        return _key_of(self._rows[self.place]) if self._rows else None

    def until(self, bound: str | None) -> Iterator[ListedRow]:
        """Take the rows up to a key, its own included; without one, all."""
        while (key := self.key()) is not None and (bound is None or key <= bound):
            row = self._rows[self.place]
            self.place += 1
            yield row
