"""Rows of a manifest: the work that execute carries out, one row for each destination write.

Never decides; plan and repair write manifests, execute reads them.
Law: rows of one key stand together, and a row holds all that its write needs.
"""

from datetime import datetime
from typing import NamedTuple

from backfill.model.attributes import Encryption
from backfill.model.objects import ETag, VersionId
from backfill.model.store import Precondition
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import PLAIN, Handling, Route


class ManifestEntry(NamedTuple):
    """One piece of work; a tuple, because a frozen dataclass takes seven times as long to make.

    `number` is the row number in this manifest and the journal's key; `plan_number` the plan row
    it comes from (None when repair hides an extra object). `version_id`/`etag` pin the source
    version (for Route.HIDE_EXTRA they are None). `precondition` guards the write (None only for a
    delete marker onto a key without an object); `seen_version_id` is the destination's current
    version when the manifest was written (None: the key was absent). Rows stand as in the plan,
    newest version first, also where `handling` says that they are written oldest first.
    """

    number: int
    plan_number: int | None
    key: str
    version_id: VersionId | None
    etag: ETag | None
    size_bytes: int
    last_modified: datetime
    destination: int
    route: Route
    rule_id: str = ""
    storage_class: str = ""
    encryption: Encryption | None = None
    precondition: Precondition | None = None
    seen_version_id: VersionId | None = None
    has_other_writers: bool = True
    replicates_delete_markers: bool = False
    handling: Handling = PLAIN


def manifest_entry(number: int, entry: PlanEntry) -> ManifestEntry:
    """Return the work that a routed row asks for."""
    assert entry.route is not None, "a reason is no work"
    return ManifestEntry(
        number=number,
        plan_number=entry.number,
        key=entry.key,
        version_id=entry.version_id,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        last_modified=entry.last_modified,
        destination=entry.destination,
        route=entry.route,
        rule_id=entry.rule_id,
        storage_class=entry.storage_class,
        encryption=entry.encryption,
        precondition=entry.precondition,
        seen_version_id=entry.seen.version_id if entry.seen else None,
        has_other_writers=entry.has_other_writers,
        replicates_delete_markers=entry.replicates_delete_markers,
        handling=entry.handling,
    )
