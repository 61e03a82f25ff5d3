"""One listed chain after the other, entry by entry: is it what was planned, what of it is ours?

Fed newest first, as ListObjectVersions shows a key, and held nowhere: a key may have any number of
versions.
Never reads a store and never forgives: what cannot be explained is named.
Law: a walk is sound exactly when every entry was planned, was made by us, or lay there before.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import (
    NULL_VERSION_ID,
    DeleteMarker,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.plan.routes import Route

UNKNOWN_MAX: Final = 40_000
"""Entries above what is known to be ours that are held to be recognised: twice what the journal of
a run directory on S3 loses with a disk. Beyond it a new run, whose plan recognises any number, is
the way."""
_DIGEST_BYTES: Final = 16


class Below:
    """A digest of version IDs in their order: what nobody wants to see again, only unchanged."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def add(self, entry: ListedEntry) -> None:
        """Take the next entry. No version ID has a line feed."""
        self._digest.update(f"{entry.version_id} {entry.last_modified.isoformat()}\n".encode())

    def value(self) -> bytes:
        """Return the digest so far."""
        return self._digest.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSource:
    """What a source chain is compared with.

    `rows` newest first, those that are to be written. `destinations`: how many the plan has, so
    that plan numbers tell how many versions were left out between two rows. `horizon`: what was
    created since is no part of the plan; None: the campaign itself leaves newer versions out.
    """

    rows: Iterator[ManifestEntry]
    destinations: int
    horizon: datetime | None


class SourceWalk:
    """The source's chain of a key. What lies below the oldest row is of no concern."""

    def __init__(self, planned: PlannedSource) -> None:
        self._planned = planned
        # S3 stamps whole seconds, and our own clock, where no other tells the time, does not.
        horizon = planned.horizon
        self._horizon = None if horizon is None else horizon.replace(microsecond=0)
        self._row = next(planned.rows, None)
        self._last: ManifestEntry | None = None
        self._between = 0
        self._above = Below()
        self.change = ""
        """What is not as planned, in words; empty so far."""

    def feed(self, entry: ListedEntry) -> None:
        """Take the next older entry."""
        row = self._row
        if row is None:
            return
        if is_version_of(entry, row):
            self._require_as_many_between(row)
            self._last, self._row, self._between = row, next(self._planned.rows, None), 0
        elif self._last is not None:
            self._between += 1
        else:
            self._above.add(entry)
            if self._horizon is not None and entry.last_modified >= self._horizon:
                self._note(f"version {entry.version_id} came since the plan")

    def end(self) -> bytes:
        """Take the chain's end; return a digest of what lies above the newest row."""
        if self._row is not None:
            self._note(f"version {self._row.version_id} is not listed where it was planned")
        return self._above.value()

    def _require_as_many_between(self, row: ManifestEntry) -> None:
        last = self._last
        if last is None or last.plan_number is None or row.plan_number is None:
            return
        planned = (row.plan_number - last.plan_number) // self._planned.destinations - 1
        if self._between > planned:
            self._note(
                f"{self._between} versions stand between {last.version_id} and {row.version_id},"
                f" and {planned} were planned"
            )

    def _note(self, change: str) -> None:
        self.change = self.change or f"Source: {change}."


def is_version_of(entry: ListedEntry, row: ManifestEntry) -> bool:
    """Return whether a source entry is the one that a row was planned for."""
    if entry.version_id != row.version_id:
        return False
    # The null version is overwritten in place, and an ID of its own says nothing then.
    if entry.version_id == NULL_VERSION_ID and entry.last_modified != row.last_modified:
        return False
    if isinstance(entry, DeleteMarker):
        return row.route is Route.DELETE_MARKER
    return row.route is not Route.DELETE_MARKER and entry.etag == row.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChain:
    """What a destination chain is compared with: version IDs newest first.

    `made` are ours, as the journal maps them; `base` is what was current before the first of them,
    None where nothing was.
    """

    made: Iterator[VersionId]
    base: VersionId | None

    def __iter__(self) -> Iterator[VersionId]:
        """Give all that is known to be there, the base's current version last."""
        yield from self.made
        if self.base is not None:
            yield self.base


class DestinationWalk:
    """The destination's chain of a key."""

    def __init__(self, known: KnownChain) -> None:
        self._has_base = known.base is not None
        self._left = iter(known)
        self._next = next(self._left, None)
        self._is_anchored = False
        self._below = Below()
        self.above: list[ListedEntry] = []
        """Newest first, what lies above all that is known: ours without a record, or somebody's."""
        self.top: ListedEntry | None = None
        """The newest entry that is known; None where nothing is."""
        self.odd: ListedEntry | None = None
        """The newest entry below it that nothing explains."""
        self.is_too_long = False

    def feed(self, entry: ListedEntry) -> None:
        """Take the next older entry."""
        if self._next is not None and entry.version_id == self._next:
            self.top = self.top or entry
            self._is_anchored = True
            self._next = next(self._left, None)
        elif not self._is_anchored:
            self.is_too_long = len(self.above) == UNKNOWN_MAX
            if not self.is_too_long:
                self.above.append(entry)
        elif self._next is None and self._has_base:
            self._below.add(entry)
        else:
            self.odd = self.odd or entry

    def end(self) -> bytes:
        """Return a digest of what lies below all that is known."""
        return self._below.value()

    @property
    def missing(self) -> VersionId | None:
        """Return, at the chain's end, the newest known version that it does not show."""
        return self._next


def is_same_kind(entry: ListedEntry, row: ManifestEntry) -> bool:
    """Return whether a destination entry can be what a row asks for, by all that a listing shows.

    A write of ours never is a null version: the destination's versioning is Enabled.
    """
    if entry.version_id == NULL_VERSION_ID:
        return False
    if row.route is Route.DELETE_MARKER:
        return isinstance(entry, DeleteMarker)
    return isinstance(entry, ObjectVersion) and entry.size_bytes == row.size_bytes
