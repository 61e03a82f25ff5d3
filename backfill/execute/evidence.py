"""The looks that a decision asks for: HEADs of both sides, tags and ACL where they matter.

Never decides and never writes.
Law: what cannot be looked at any more is not the same as what was sent.
"""

from backfill.errors import Disposition, StoreFault
from backfill.execute.bench import Bench
from backfill.execute.codes import Code
from backfill.execute.likeness import likeness_of
from backfill.execute.refusals import copy_refusal, upload_refusal
from backfill.execute.views import Compare, Likeness, SourceLook, View, position
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ObjectHead, Pairs, ReplicationStatus
from backfill.model.extras import acl_obstacle, has_extras
from backfill.model.objects import ObjectVersion, VersionId
from backfill.plan.routes import PLAIN, Handling


async def compared(bench: Bench, entry: ManifestEntry, step: Compare) -> Likeness:
    """Compare a destination version with a source version by their heads."""
    destination = await _head(bench, entry, step.destination_version_id, is_source=False)
    if destination is None:
        return Likeness.DIFFERENT
    source = await _head(bench, entry, step.source_version_id, is_source=True)
    if source is not None:
        return likeness_of(source, destination)
    return _likeness_without_source(entry, step, destination)


async def looked_at(
    bench: Bench, entry: ManifestEntry, view: View, version_id: VersionId
) -> SourceLook:
    """Look at a source version: its replication status and, if it is a newcomer, all else."""
    head = await _head(bench, entry, version_id, is_source=True)
    if head is None:
        return SourceLook(status=ReplicationStatus.NONE, is_selected=False, refusal=Code.VANISHED)
    if version_id == entry.version_id:
        return SourceLook(status=head.replication_status)
    found = await _refusal_or_handling(bench, entry, head)
    return SourceLook(
        status=head.replication_status,
        is_selected=await _is_selected(bench, entry, head),
        refusal=found if isinstance(found, Code) else "",
        storage_class=_storage_class(entry, view, head),
        handling=PLAIN if isinstance(found, Code) else found,
    )


async def has_same_tags(bench: Bench, entry: ManifestEntry, step: Compare) -> bool:
    """Return whether a destination version has the object tags of a source version."""
    ports, key = bench.ports, entry.key
    destination = await ports.destination.get_object_tagging(
        bench.place(entry.destination), key, version_id=step.destination_version_id
    )
    return destination == await ports.source.get_object_tagging(
        bench.header.source, key, version_id=step.source_version_id
    )


async def is_unaltered(bench: Bench, entry: ManifestEntry) -> bool:
    """Return whether the source still has the version that an entry pins.

    A delete marker answers no HEAD, and nothing of it is copied.
    """
    if entry.version_id is None or entry.etag is None:
        return True
    head = await _head(bench, entry, entry.version_id, is_source=True)
    return head is not None and head.etag == entry.etag


async def _refusal_or_handling(
    bench: Bench, entry: ManifestEntry, head: ObjectHead
) -> Code | Handling:
    """Return why a newcomer may not be copied, or what its copy takes."""
    abilities, now = bench.header.abilities_at(entry.destination), bench.ports.clock.now()
    wanted, algorithm = entry.encryption, bench.header.checksum_algorithm
    if head.size_bytes > bench.settings.copy_object_bytes_max:
        refused = upload_refusal(head, wanted, abilities, now, algorithm)
    else:
        refused = copy_refusal(head, wanted, abilities, now)
    if refused is not None:
        return refused
    handling = Handling.READ_SOURCE if has_extras(head, now) else PLAIN
    if not abilities.keeps_acls:
        return handling
    acl = await bench.ports.source.object_acl(
        bench.header.source, entry.key, version_id=head.version_id
    )
    if acl_obstacle(acl, abilities):
        return Code.ACL
    return handling if acl.is_default else Handling.READ_SOURCE | Handling.GRANTS


async def _is_selected(bench: Bench, entry: ManifestEntry, head: ObjectHead) -> bool:
    """Whether the rule that selected the entry selects this version of its key too.

    Rules look at key and tags. With one destination its status says it all; with several the
    status does not say for which, so the tags must be those of the version that was selected.
    """
    if len(bench.header.destinations) == 1:
        return True
    if entry.version_id is None:
        return False
    selected = await _head(bench, entry, entry.version_id, is_source=True)
    if selected is None:
        return False
    return await _tags(bench, entry, selected) == await _tags(bench, entry, head)


async def _tags(bench: Bench, entry: ManifestEntry, head: ObjectHead) -> Pairs:
    if not head.tag_count:
        return ()
    return await bench.ports.source.get_object_tagging(
        bench.header.source, entry.key, version_id=head.version_id
    )


def _storage_class(entry: ManifestEntry, view: View, head: ObjectHead) -> str:
    """Return the class of a newcomer's copy: its own, unless the rule sets one.

    The manifest holds the result only, so the rule is taken to set one where the result is not
    the class of the version it was made for.
    """
    place = position(view.source, entry.version_id)
    planned = view.source[place] if place is not None else None
    is_set_by_rule = (
        isinstance(planned, ObjectVersion) and planned.storage_class != entry.storage_class
    )
    return entry.storage_class if is_set_by_rule and entry.storage_class else head.storage_class


async def _head(
    bench: Bench, entry: ManifestEntry, version_id: VersionId, *, is_source: bool
) -> ObjectHead | None:
    """Return the head of a version, None when it cannot be had any more."""
    store = bench.ports.source if is_source else bench.ports.destination
    place = bench.header.source if is_source else bench.place(entry.destination)
    try:
        return await store.head_object(place, entry.key, version_id=version_id)
    except StoreFault as fault:
        if fault.disposition is Disposition.SKIP:
            return None
        raise


def _likeness_without_source(
    entry: ManifestEntry, step: Compare, destination: ObjectHead
) -> Likeness:
    """The source version is gone since; its size and ETag are still in the manifest."""
    is_planned = step.source_version_id == entry.version_id
    if not is_planned or destination.size_bytes != entry.size_bytes:
        return Likeness.DIFFERENT
    if destination.replication_status is ReplicationStatus.REPLICA:
        return Likeness.DIFFERENT
    return Likeness.SAME if destination.etag == entry.etag else Likeness.UNKNOWN
