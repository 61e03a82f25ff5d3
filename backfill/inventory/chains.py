"""Per-key chains out of a sorted stream of listed entries.

Never sorts and never holds more than one key: order is the listing's, and it is checked.
Law: a chain holds all versions and delete markers of its key, newest first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from backfill.errors import ArtifactDamagedError, RefusedError
from backfill.model.escaping import visible_text
from backfill.model.objects import ListedEntry

Chain = tuple[ListedEntry, ...]
"""All entries of one key, newest first; empty where a bucket does not have the key."""

CHAIN_ENTRIES_MAX: Final = 1_000_000
"""Versions of one key, which must fit into memory (about 400 bytes each). A key written every
minute for a year has half a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChain:
    """A key and its chain."""

    key: str
    entries: Chain


def key_chains(
    entries: Iterable[ListedEntry], *, entries_max: int = CHAIN_ENTRIES_MAX
) -> Iterator[KeyChain]:
    """Group a stream that is sorted by key.

    Raises:
        ArtifactDamagedError: the stream is not sorted.
        RefusedError: a key has more than `entries_max` versions and delete markers.
    """
    key = ""
    chain: list[ListedEntry] = []
    for entry in entries:
        if entry.key != key:
            if chain:
                yield KeyChain(key=key, entries=tuple(chain))
            if entry.key < key:
                raise ArtifactDamagedError(
                    f"an inventory is not sorted: {visible_text(entry.key)} follows "
                    f"{visible_text(key)}",
                    hint="delete the inventory folder of the run directory and run it again",
                )
            key = entry.key
            chain.clear()
        chain.append(entry)
        if len(chain) > entries_max:
            raise RefusedError(
                f"key {visible_text(key)} has more than {entries_max} versions and markers",
                hint="leave the key out with --prefix, or expire noncurrent versions of it first",
            )
    if chain:
        yield KeyChain(key=key, entries=tuple(chain))
