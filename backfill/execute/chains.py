"""Fresh version chains of single keys and of ranges of neighbouring keys.

Never sorts and never guesses: entries come as ListObjectVersions shows them, newest first.
Law: a chain holds entries of exactly its key; a listing that does not advance stops the run.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from backfill.errors import ListingStuckError
from backfill.execute.views import Chain
from backfill.model.escaping import visible_text
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPosition
from backfill.ports import ObjectStore
from backfill.settings import LIST_PAGE_MAX

CHAIN_ENTRIES_MAX: Final = 10_000
"""Entries read of one key, newest first. A decision looks at what lies above the version that was
seen; what lies deeper than this is taken for unknown, which never leads to a write."""
ENTRIES_PER_KEY: Final = 3.0
"""Versions and markers a key that the first page of a range has room for, until it was seen how
many there are. Most keys have one or two, and a full page takes more CPU than ten copies."""
FIRST_PAGE_MIN: Final = 16
"""What a page has room for beside, so that small differences do not cost a second one."""
_ROOM: Final = 1.25
"""Of what the last range had; neighbours are alike."""
_KEY_BYTES_MAX: Final = 1024
_KEY_OF: Final = attrgetter("key")


@dataclass(slots=True)  # learns range by range
class Density:
    """How many entries a key the last range of one listing had, what lies between included."""

    entries_per_key: float = ENTRIES_PER_KEY

    def page_size(self, keys: int) -> int:
        """Return how many entries to ask for first. What is not needed is parsed all the same."""
        size = FIRST_PAGE_MIN + int(_ROOM * self.entries_per_key * keys)
        return min(LIST_PAGE_MAX, size)


async def read_chain(store: ObjectStore, place: BucketPlace, key: str) -> Chain:
    """Return the chain of one key. With the key as prefix it is the first of the listing."""
    entries: list[ListedEntry] = []
    after: VersionsPosition | None = None
    while len(entries) < CHAIN_ENTRIES_MAX:
        page = await store.list_object_versions(place, prefix=key, after=after)
        entries += (entry for entry in page.entries if entry.key == key)
        if page.next_position is None or (page.entries and page.entries[-1].key != key):
            break
        after = _end_of(place, page.entries, after)
    return tuple(entries)


async def read_chains(
    store: ObjectStore, place: BucketPlace, keys: Sequence[str], density: Density | None = None
) -> dict[str, Chain]:
    """Return the chains of sorted keys: one listing for neighbours, skipping what lies between.

    Each page but the first ones covers at least one key or a thousand versions of one, so this
    takes hardly more requests than asking for each key alone, and on dense ranges a hundredth.
    """
    if not keys:
        return {}
    found: dict[str, list[ListedEntry]] = {key: [] for key in keys}
    passed, last_key = 0, keys[-1]
    async for entries in pages_along(store, place, keys, density=density):
        for entry in entries:
            own = found.get(entry.key)
            if own is not None:
                own.append(entry)
        passed += bisect_right(entries, last_key, key=_KEY_OF)
    if density is not None:
        density.entries_per_key = passed / len(keys)
    return {key: tuple(entries) for key, entries in found.items()}


async def pages_along(
    store: ObjectStore,
    place: BucketPlace,
    keys: Sequence[str],
    *,
    entries_max: int | None = CHAIN_ENTRIES_MAX,
    density: Density | None = None,
) -> AsyncIterator[Sequence[ListedEntry]]:
    """Give the pages that hold the chains of sorted keys, and what lies between; as `read_chains`.

    Of a key about `entries_max` entries are read; None: all, for who looks for old versions.
    Neighbours are in one page; where it does not reach the end, the next ones are larger.
    """
    assert list(keys) == sorted(set(keys)), "keys are sorted and distinct"
    wanted = deque(keys)
    after = position_before(keys[0]) if keys else None
    max_keys = (density or Density()).page_size(len(keys))
    last_key, read = "", 0
    while wanted:
        page = await store.list_object_versions(place, after=after, max_keys=max_keys)
        max_keys = min(LIST_PAGE_MAX, 4 * max_keys)
        yield page.entries
        if page.next_position is None:
            break
        end = _end_of(place, page.entries, after)
        own = [entry.key for entry in page.entries].count(end.key)
        read, last_key = own + (read if last_key == end.key else 0), end.key
        after = _next_position(wanted, end, is_full=entries_max is not None and read >= entries_max)


def position_before(key: str) -> VersionsPosition | None:
    """Return a position that a listing resumes from just before `key`; None: from the start.

    The marker is exclusive, so it is a string right below the key in UTF-8 order: the last
    character made one smaller, with the highest character behind it. What else lies between is
    read and ignored.
    """
    stem, last = key[:-1], ord(key[-1])
    if last <= 1:
        return VersionsPosition(key=stem) if stem else None
    smaller = 0xD7FF if last == 0xE000 else last - 1  # there are no characters in between
    marker = stem + chr(smaller)
    if len(marker.encode()) + 4 <= _KEY_BYTES_MAX:
        marker += "\U0010fffd"  # the highest character that every XML parser takes
    return VersionsPosition(key=marker)


def _next_position(wanted: deque[str], end: VersionsPosition, *, is_full: bool) -> VersionsPosition:
    while wanted and wanted[0] < end.key:
        wanted.popleft()
    if wanted and wanted[0] == end.key and is_full:
        wanted.popleft()
        end = VersionsPosition(key=end.key)
    if not wanted or wanted[0] == end.key:
        return end
    jump = position_before(wanted[0])
    return jump if jump is not None and jump.key > end.key else end


def _end_of(
    place: BucketPlace, entries: Sequence[ListedEntry], after: VersionsPosition | None
) -> VersionsPosition:
    """Return where the page ended, by its own last entry: a server's marker could skip some."""
    last = entries[-1] if entries else None
    if last is None or (after is not None and _is_not_after(last, after)):
        shown = visible_text(after.key) if after is not None else ""
        raise ListingStuckError(
            f"the listing of bucket {place.bucket} did not advance beyond {shown!r}",
            hint="the server breaks the laws of ListObjectVersions; report it to its makers",
        )
    return VersionsPosition(key=last.key, version_id=last.version_id)


def _is_not_after(last: ListedEntry, after: VersionsPosition) -> bool:
    is_same = last.key == after.key and last.version_id == after.version_id
    return last.key < after.key or is_same
