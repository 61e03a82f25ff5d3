"""Rows of a plan: one for each (source version or delete marker, destination).

Never touches the store. Rows are ordered by key, then as the source chain runs (newest first),
then by destination.
Law: `route` and `reason` exclude each other, and one of them is set (`assert_lawful`).
"""

from datetime import datetime
from typing import NamedTuple

from backfill.model.attributes import Encryption
from backfill.model.objects import ETag, VersionId
from backfill.model.store import Precondition
from backfill.plan.routes import PLAIN, Handling, Reason, Route


class DestinationSeen(NamedTuple):
    """What the destination listing showed for the key: its current entry, if any."""

    version_id: VersionId
    is_delete_marker: bool
    etag: ETag | None = None


class PlanEntry(NamedTuple):
    """What will happen to one source version at one destination, and why.

    A tuple, because every later stage decodes millions of rows, and a frozen dataclass takes seven
    times as long to make.

    `destination` indexes the plan header's destinations. `rule_id` is the rule that won (empty
    when none did). `size_bytes` is 0 for delete markers. `storage_class` and `encryption` are what
    the destination version shall have (an encryption that no HEAD told is None); `precondition` is
    the guard its write will carry: none where S3 itself replicates the version.
    `has_other_writers` says that an enabled rule covers the key (live replication may write it).
    `handling` is what it takes beyond the write of its route.
    `source_look` is the look (`model.looks`) of a source version that was read for a copy while the
    campaign states that nobody writes it: it need not be read again.
    """

    number: int
    key: str
    version_id: VersionId
    is_delete_marker: bool
    is_latest: bool
    last_modified: datetime
    etag: ETag | None
    size_bytes: int
    destination: int
    route: Route | None = None
    reason: Reason | None = None
    detail: str = ""
    rule_id: str = ""
    storage_class: str = ""
    encryption: Encryption | None = None
    precondition: Precondition | None = None
    seen: DestinationSeen | None = None
    has_other_writers: bool = True
    replicates_delete_markers: bool = False
    handling: Handling = PLAIN
    source_look: str | None = None


def word_of(entry: PlanEntry) -> Route | Reason:
    """Return what an entry is counted under: its route or its reason."""
    word = entry.route or entry.reason
    assert word is not None, "one route or one reason"
    return word


def assert_lawful(entry: PlanEntry) -> None:
    """Refuse a row that says two things, or nothing; before it is written."""
    assert (entry.route is None) != (entry.reason is None), "one route or one reason"
    assert (entry.etag is None) == entry.is_delete_marker, "only delete markers have no ETag"
    assert entry.route is not None or not entry.handling, "a reason is not handled"
    if entry.route is Route.BATCH_REPLICATION:
        assert not entry.handling, "S3 does all that it takes"
        assert entry.precondition is None, "S3 replicates by version ID, without a guard"
