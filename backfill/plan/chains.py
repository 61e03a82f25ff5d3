"""What two version listings of one key say about each other, before anything is fetched.

Never fetches and never looks at rules. Chains run newest first, markers and versions interleaved.
Law: only a version ID that is not `null` identifies a version; equal content is a weaker thing.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from backfill.model.objects import (
    NULL_VERSION_ID,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)

Content = tuple[ETag, int]
"""ETag and size: equal content where both are equal, unknown where they are not."""


def content_of(version: ObjectVersion) -> Content:
    """Return what a listing tells about an object version's bytes."""
    return version.etag, version.size_bytes


class IndexedChain(NamedTuple):
    """One key's versions and delete markers in one bucket, indexed once for many questions."""

    entries: Sequence[ListedEntry]
    by_version_id: Mapping[VersionId, ListedEntry]
    older_contents: frozenset[Content]
    """The contents of the noncurrent object versions."""

    @classmethod
    def of(cls, entries: Sequence[ListedEntry]) -> "IndexedChain":
        """Index a chain, newest first."""
        return cls(
            entries=entries,
            by_version_id={entry.version_id: entry for entry in entries},
            older_contents=frozenset(
                content_of(entry) for entry in entries[1:] if isinstance(entry, ObjectVersion)
            ),
        )

    @property
    def current(self) -> ListedEntry | None:
        """The current version or delete marker; None when the key is absent."""
        return self.entries[0] if self.entries else None

    def identified(self, entry: ListedEntry) -> ListedEntry | None:
        """Return this chain's entry with the same version ID, if that ID identifies one."""
        if entry.version_id == NULL_VERSION_ID:
            return None
        return self.by_version_id.get(entry.version_id)


class Identity(enum.Enum):
    """Whether a destination holds a source version by its version ID."""

    ABSENT = enum.auto()
    HELD = enum.auto()
    """The same version ID and kind and, for an object, the same size and ETag."""
    HELD_OTHER_ETAG = enum.auto()
    """As HELD with another ETag, as encryption at the destination causes it."""
    DAMAGED = enum.auto()
    """The same version ID on something else: another size, or a marker for an object."""
    NULL_PAIR = enum.auto()
    """`null` and equal content on both sides: no identity until a HEAD says REPLICA."""


def identity_at(entry: ListedEntry, destination: IndexedChain) -> Identity:
    """Return whether a destination chain holds `entry` as replication would have put it there."""
    held = destination.by_version_id.get(entry.version_id)
    if held is None:
        return Identity.ABSENT
    are_objects = isinstance(entry, ObjectVersion), isinstance(held, ObjectVersion)
    if isinstance(entry, ObjectVersion) and isinstance(held, ObjectVersion):
        is_same = content_of(entry) == content_of(held)
        if entry.version_id == NULL_VERSION_ID:
            return Identity.NULL_PAIR if is_same else Identity.ABSENT
        if entry.size_bytes != held.size_bytes:
            return Identity.DAMAGED
        return Identity.HELD if is_same else Identity.HELD_OTHER_ETAG
    if entry.version_id == NULL_VERSION_ID:
        return Identity.ABSENT
    return Identity.DAMAGED if any(are_objects) else Identity.HELD


class Standing(enum.Enum):
    """How the destination's current version stands to the source's current one."""

    ABSENT = enum.auto()
    """The destination has no version of the key at all."""
    KNOWN_OLDER = enum.auto()
    """An object that the source has as a noncurrent version, by version ID or by content."""
    KNOWN_MARKER = enum.auto()
    """A delete marker that the source has too, older than its current object."""
    SAME_CONTENT = enum.auto()
    """An object of equal ETag and size."""
    MAYBE_SAME_CONTENT = enum.auto()
    """An object of equal size and another ETag: encryption or part layout may explain it."""
    DELETED = enum.auto()
    """A delete marker: an unknown one, or any where the source's current is a marker too."""
    NEWER = enum.auto()
    """An unknown object created at or after the horizon."""
    UNKNOWN = enum.auto()
    """An object that none of the source's versions explains."""


def standing_of(source: IndexedChain, destination: IndexedChain, horizon: datetime) -> Standing:
    """Return how the destination's current entry stands to the source's current entry."""
    mine, theirs = source.current, destination.current
    assert mine is not None, "a source chain that is asked about has a current entry"
    if theirs is None:
        return Standing.ABSENT
    known = source.identified(theirs)
    if isinstance(theirs, DeleteMarker):
        is_known = isinstance(known, DeleteMarker) and known is not mine
        is_resurrectable = is_known and isinstance(mine, ObjectVersion)
        return Standing.KNOWN_MARKER if is_resurrectable else Standing.DELETED
    if isinstance(known, ObjectVersion) and known is not mine:
        return Standing.KNOWN_OLDER
    return _standing_by_content(source, theirs, horizon)


def _standing_by_content(
    source: IndexedChain, theirs: ObjectVersion, horizon: datetime
) -> Standing:
    mine, content = source.current, content_of(theirs)
    if isinstance(mine, ObjectVersion) and content == content_of(mine):
        return Standing.SAME_CONTENT
    if content in source.older_contents:
        return Standing.KNOWN_OLDER
    if theirs.last_modified >= horizon:
        return Standing.NEWER
    if isinstance(mine, ObjectVersion) and theirs.size_bytes == mine.size_bytes:
        return Standing.MAYBE_SAME_CONTENT
    return Standing.UNKNOWN
