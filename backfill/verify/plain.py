"""The plain row: one copy of ours, alone under its key on both sides, and two heads that agree.

Nearly every row of a large backfill is one, and going the whole way of `judge` and `looks` for it
costs several times what its requests do.
Never decides: it recognises what the whole way would call equal, and leaves all else to that way.
Law: a row recognised here has, to the last field, the verdict that the whole way gives it.
"""

import re
from collections.abc import Sequence
from typing import Final

from backfill.inventory.join import KeyGroup
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead
from backfill.model.looks import are_alike, encryption_in, look_of
from backfill.model.objects import NULL_VERSION_ID, ChecksumType, ObjectVersion
from backfill.model.outcome import OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.verify.decisions import PlannedRow
from backfill.verify.fidelity import STANDARD
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow

_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DIGEST_ETAGS: Final = (EncryptionKind.NONE, EncryptionKind.SSE_S3)


def plain_delivery(rows: Sequence[PlannedRow], group: KeyGroup) -> ObjectVersion | None:
    """Return the destination version to compare with the one plan row of a plain key, else None.

    Plain: both sides list one entry, the source's is the planned version, and the destination's is
    the copy that the row's one outcome names.
    """
    if len(rows) != 1 or len(group.source_chain) != 1 or len(group.destination_chains) != 1:
        return None
    ((entry, outcomes),) = rows
    (chain,) = group.destination_chains
    if len(chain) != 1 or len(outcomes) != 1 or entry.route is None or entry.is_delete_marker:
        return None
    (planned,), (delivery,) = group.source_chain, chain
    outcome = outcomes[0]
    is_planned = planned.version_id == entry.version_id and (
        entry.version_id != NULL_VERSION_ID or planned.last_modified == entry.last_modified
    )
    is_copy = (
        outcome.kind is OutcomeKind.COPIED
        and isinstance(delivery, ObjectVersion)
        and delivery.version_id == outcome.version_id != entry.version_id
    )
    return delivery if is_planned and is_copy and isinstance(delivery, ObjectVersion) else None


def plain_verdict(
    entry: PlanEntry, delivery: ObjectVersion, source: ObjectHead, destination: ObjectHead
) -> VerdictRow | None:
    """Return the verdict of a plain key's row if both heads agree in all, else None."""
    evidence = _evidence(source, destination)
    if evidence is None or not _is_faithful(entry, source, destination):
        return None
    return VerdictRow(
        number=entry.number,
        key=entry.key,
        version_id=entry.version_id,
        destination=entry.destination,
        content=Verdict.EQUAL,
        evidence=evidence,
        fidelity=Fidelity.EQUAL,
        destination_version_id=delivery.version_id,
        destination_etag=destination.etag,
    )


def plain_verdict_by_look(
    entry: PlanEntry, delivery: ObjectVersion, destination: ObjectHead
) -> VerdictRow | None:
    """Return the verdict if the destination looks as the source did for the plan, else None.

    For the first verification of a campaign that states that nobody writes the source. What a look
    holds of a version never changes, but for its tags; on their account it is stated.
    """
    own = look_of(destination)
    if entry.source_look is None or own is None or not are_alike(entry.source_look, own):
        return None
    # The plan had the size and the ETag from its listing, and a look only where HEAD said the same.
    if (entry.etag, entry.size_bytes) != (destination.etag, destination.size_bytes):
        return None
    source = destination._replace(encryption=Encryption(kind=encryption_in(entry.source_look)))
    return plain_verdict(entry, delivery, source, destination)


def _evidence(source: ObjectHead, destination: ObjectHead) -> Evidence | None:
    """Return what proves the bytes equal where each side stores at most one whole checksum."""
    if source.size_bytes != destination.size_bytes:
        return None
    if source.unmodelled_checksums or destination.unmodelled_checksums:
        return None
    found: Evidence | None = None
    if source.checksums or destination.checksums:
        if len(source.checksums) != 1 or source.checksums != destination.checksums:
            return None
        if source.checksums[0].type is not ChecksumType.FULL_OBJECT:
            return None
        found = Evidence.FULL_OBJECT_CHECKSUM
    if source.encryption.kind in _DIGEST_ETAGS and destination.encryption.kind in _DIGEST_ETAGS:
        if source.etag != destination.etag or not _MD5.fullmatch(source.etag):
            return None
        found = found or Evidence.MD5_ETAG
    return found


def _is_faithful(entry: PlanEntry, source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether nothing beside the bytes differs, and nothing is left to read or to say."""
    wanted, has = entry.encryption, destination.encryption
    is_encrypted = wanted is not None and wanted.kind in _DIGEST_ETAGS
    return (
        source.metadata == destination.metadata
        and source.content_headers == destination.content_headers
        and source.tag_count == destination.tag_count == 0
        and source.missing_metadata_count == destination.missing_metadata_count == 0
        and entry.storage_class in ("", destination.storage_class or STANDARD)
        and (
            source.encryption.kind is has.kind
            if wanted is None
            else is_encrypted and wanted.kind in (EncryptionKind.NONE, has.kind)
        )
    )
