"""Per-key chains out of a sorted stream of listed entries.

Never sorts and never holds more than one key: order is the listing's, and it is checked.
Law: a chain holds all versions and delete markers of its key, newest first.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from backfill.errors import ArtifactDamagedError, RefusedError
from backfill.model.escaping import visible_text
from backfill.model.objects import ListedEntry

Chain = tuple[ListedEntry, ...]
"""All entries of one key, newest first; empty where a bucket does not have the key."""

CHAIN_ENTRIES_MAX: Final = 1_000_000
"""Versions of one key, which must fit into memory (about 400 bytes each). A key written every
minute for a year has half a million."""


class KeyChain(NamedTuple):
    """A key and its chain."""

    key: str
    entries: Chain


_new = tuple.__new__


def key_chains(
    entries: Iterable[ListedEntry], *, entries_max: int = CHAIN_ENTRIES_MAX
) -> Iterator[KeyChain]:
    """Group a stream that is sorted by key.

    Raises:
        ArtifactDamagedError: the stream is not sorted.
        RefusedError: a key has more than `entries_max` versions and delete markers.
    """
    stream = iter(entries)
    entry = next(stream, None)
    while entry is not None:
        key = entry[0]
        following = next(stream, None)
        if following is not None and following[0] == key:
            chain = [entry]
            while following is not None and following[0] == key:
                chain.append(following)
                if len(chain) > entries_max:
                    raise _too_long(key, entries_max)
                following = next(stream, None)
            yield _new(KeyChain, (key, tuple(chain)))
        elif entries_max > 0:
            # The ordinary key, with a single version.
            yield _new(KeyChain, (key, (entry,)))
        else:
            raise _too_long(key, entries_max)
        if following is not None and following[0] < key:
            raise ArtifactDamagedError(
                f"an inventory is not sorted: {visible_text(following.key)} follows "
                f"{visible_text(key)}",
                hint="delete the inventory folder of the run directory and run it again",
            )
        entry = following


def _too_long(key: str, entries_max: int) -> RefusedError:
    return RefusedError(
        f"key {visible_text(key)} has more than {entries_max} versions and markers",
        hint="leave the key out with --prefix, or expire noncurrent versions of it first",
    )
