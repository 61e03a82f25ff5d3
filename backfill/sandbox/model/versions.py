"""What is stored: object versions and delete markers.

Frozen: a change of tags or status puts a changed copy in its place, so readers may keep what they
were given. `version_id` is `null` for the null version.
Law: bytes are never copied; versions share their `Body`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.values import (
    ArchiveStatus,
    Checksum,
    ContentHeaders,
    Encryption,
    Grant,
    ObjectLock,
    ReplicationStatus,
    Restore,
)

NULL_VERSION_ID = "null"

ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of a version made by multipart upload."""

    number: int
    size_bytes: int
    checksum: Checksum | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """A version of an object with all that S3 knows of it."""

    key: str
    version_id: str
    created_at: datetime
    """Exact; `last_modified` is what S3 tells."""
    sequence: int
    """Rank of the write among all writes; a replica has its source's."""
    owner_id: str
    body: Body
    etag: str
    checksum: Checksum | None
    content: ContentHeaders
    metadata: Pairs
    tags: Pairs
    storage_class: str
    encryption: Encryption
    parts: tuple[StoredPart, ...] = ()
    """Empty for an object that was not made by multipart upload."""
    lock: ObjectLock | None = None
    acl: tuple[Grant, ...] | None = None
    """All lines of the ACL; None for `private`: the owner alone, whoever that is."""
    website_redirect_location: str | None = None
    replication_status: ReplicationStatus | None = None
    archive_status: ArchiveStatus | None = None
    restore: Restore | None = None

    @property
    def last_modified(self) -> datetime:
        """Creation time in whole seconds."""
        return self.created_at.replace(microsecond=0)

    @property
    def size_bytes(self) -> int:
        """Size of the object."""
        return len(self.body.data)

    def restore_at(self, now: datetime) -> Restore | None:
        """The restore as far as it is now; None where there is none, or its copy has expired."""
        restore = self.restore
        if restore is not None and restore.ready_at is not None and restore.ready_at <= now:
            restore = Restore(is_ongoing=False, expires_at=restore.expires_at)
        if restore is None or restore.is_ongoing:
            return restore
        # From a tier a version comes back for good, and nothing tells of it any more.
        is_over = restore.expires_at is None or restore.expires_at <= now
        return None if is_over else restore

    def archive_status_at(self, now: datetime) -> ArchiveStatus | None:
        """The archive tier that the version is in now."""
        is_back = self.restore is not None and self.restore_at(now) is None
        return None if is_back else self.archive_status

    def is_archived(self, now: datetime) -> bool:
        """Whether the bytes cannot be read or copied now (UG: archived-objects)."""
        if self.storage_class in ARCHIVE_CLASSES:
            restore = self.restore_at(now)
            return restore is None or restore.is_ongoing
        return self.archive_status_at(now) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMarker:
    """A delete marker."""

    key: str
    version_id: str
    created_at: datetime
    sequence: int
    owner_id: str
    replication_status: ReplicationStatus | None = None
    is_made_by_lifecycle: bool = False
    """Then no rule replicates it (UG: delete-marker-replication); no listing tells."""

    @property
    def last_modified(self) -> datetime:
        """Creation time in whole seconds."""
        return self.created_at.replace(microsecond=0)


Entry = ObjectVersion | DeleteMarker
