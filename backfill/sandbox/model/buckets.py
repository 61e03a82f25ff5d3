"""A bucket: its configuration, and per key the chain of versions and delete markers.

Chains are oldest first, so that the last entry is the current one and a write is an append; the
sorted list of keys makes every page of a listing a bisection.
Law: a key without versions is not in the list of keys.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.operations.buckets import DefaultRetention
from backfill.sandbox.model.operations.documents import EVERYTHING_BLOCKED, PublicAccessBlock
from backfill.sandbox.model.values import (
    SSE_S3,
    Encryption,
    Versioning,
)
from backfill.sandbox.model.versions import NULL_VERSION_ID, Entry

if TYPE_CHECKING:
    from backfill.sandbox.model.notifications.rules import NotificationConfiguration
    from backfill.sandbox.model.operations.listings import ListedVersion
    from backfill.sandbox.model.replication.rules import ReplicationConfiguration
    from backfill.sandbox.model.uploads import Upload


# Open to change: it is what operations act on.
@dataclass(slots=True, kw_only=True)
class Bucket:
    """A bucket with everything in it."""

    name: str
    region: str
    owner_id: str
    created_at: datetime
    versioning: Versioning | None = None
    object_ownership: str = "BucketOwnerEnforced"
    encryption: Encryption = SSE_S3
    blocks_sse_c: bool = True
    """As every new bucket since April 2026 (UG: blocking-unblocking-s3-c-encryption-gpb)."""
    is_object_lock_enabled: bool = False
    default_retention: DefaultRetention | None = None
    policy: str | None = None
    replication: ReplicationConfiguration | None = None
    is_requester_pays: bool = False
    notifications: NotificationConfiguration | None = None
    lifecycle: str | None = None
    """The LifecycleConfiguration document: kept and handed back, never carried out."""
    public_access_block: PublicAccessBlock | None = EVERYTHING_BLOCKED
    has_ownership_controls: bool = True
    tags: Pairs = ()
    keys: list[str] = field(default_factory=list)
    """Sorted by code point, which is the order of UTF-8 bytes."""
    chains: dict[str, list[Entry]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    removed: dict[tuple[str, str], int] = field(default_factory=dict)
    """Sequences of versions removed for good, by key and version ID: a page may begin after one."""
    rows: dict[int, tuple[Entry, ListedVersion]] = field(default_factory=dict)
    """Rows of earlier listings, by identity of the entry; which stays, so that no other gets it."""

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:aws:s3:::{self.name}"

    def chain(self, key: str) -> list[Entry]:
        """Versions and markers of a key, oldest first; empty for an unknown key."""
        return self.chains.get(key, [])

    def current(self, key: str) -> Entry | None:
        """The current version or delete marker."""
        chain = self.chains.get(key)
        return chain[-1] if chain else None

    def find(self, key: str, version_id: str) -> Entry | None:
        """The entry with that version ID."""
        for entry in reversed(self.chains.get(key, ())):
            if entry.version_id == version_id:
                return entry
        return None

    def place(self, entry: Entry, position: int | None = None) -> None:
        """Put an entry into its chain: as the current one, or before a position.

        An entry of the same version ID goes: there is one null version, and a replica that comes
        twice is one replica.
        """
        chain = self.chains.get(entry.key)
        if chain is None:
            insort(self.keys, entry.key)
            self.chains[entry.key] = [entry]
            return
        for index in range(len(chain) - 1, -1, -1):
            if chain[index].version_id == entry.version_id:
                del chain[index]
                if position is not None and index < position:
                    position -= 1
                break
            if entry.version_id != NULL_VERSION_ID and position is None:
                break  # a fresh ID: nothing older can have it
        chain.insert(len(chain) if position is None else position, entry)

    def swap(self, entry: Entry) -> None:
        """Put a changed entry in the place of the one with its version ID."""
        chain = self.chains[entry.key]
        for index in range(len(chain) - 1, -1, -1):
            if chain[index].version_id == entry.version_id:
                chain[index] = entry
                return
        raise AssertionError(f"no version {entry.version_id} to change")

    def remove(self, entry: Entry) -> None:
        """Take an entry out for good."""
        chain = self.chains[entry.key]
        self.removed[entry.key, entry.version_id] = entry.sequence
        chain[:] = [other for other in chain if other.version_id != entry.version_id]
        if not chain:
            del self.chains[entry.key]
            del self.keys[bisect_left(self.keys, entry.key)]

    def entries(self) -> Iterator[Entry]:
        """Everything, as ListObjectVersions orders it: keys ascending, newest first within."""
        for key in self.keys:
            yield from reversed(self.chains[key])
