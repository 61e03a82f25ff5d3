"""Whether an object version can arrive whole, and encrypted how: what its HEAD decides.

Never looks at the destination's versions. What a copy would lose silently is an obstacle here.
Law: a replica is never encrypted more weakly than its source version.

Sources: S3 User Guide replication-what-is-isnot-replicated and replication-config-for-kms-objects;
S3 API CopyObject (not copied: ACL, website redirect, Object Lock; see `model.extras`).
"""

from dataclasses import dataclass
from datetime import datetime

from backfill.model.archives import CLASSES, archive_of, has_tier
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.extras import (
    LONG_AGO,
    NO_ABILITIES,
    Abilities,
    lock_at,
    lock_obstacle,
    redirect_obstacle,
)
from backfill.model.objects import ChecksumType, ObjectVersion, multipart_part_count
from backfill.model.store import ObjectLock
from backfill.plan.routes import Reason
from backfill.plan.rules import Rule
from backfill.settings import OBJECT_BYTES_MAX, PART_BYTES_MIN

_DIGEST_KINDS = frozenset({EncryptionKind.NONE, EncryptionKind.SSE_S3})
_KMS_KINDS = frozenset({EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a version cannot be moved whole."""

    reason: Reason
    detail: str = ""


def is_archived_class(storage_class: str) -> bool:
    """Return whether the class alone says archived; replication skips it even when restored."""
    return storage_class in CLASSES


def obstacle_of(
    entry: ObjectVersion,
    head: ObjectHead,
    rule: Rule,
    abilities: Abilities = NO_ABILITIES,
    as_of: datetime = LONG_AGO,
    restore_tier: str = "",
) -> Obstacle | None:
    """Return the first obstacle, in the order in which a person can do something about them.

    `abilities` are the destination's; retention that had ended `as_of` is no obstacle, nor is an
    archive that `restore_tier` gets at.
    """
    return (
        _state_obstacle(entry, head)
        or _archive_obstacle(head, restore_tier)
        or _sse_c_obstacle(head.encryption)
        or _kms_obstacle(head.encryption, rule)
        or _loss(entry, head, lock_at(head, as_of), abilities)
    )


def batch_obstacle_of(entry: ObjectVersion, head: ObjectHead, rule: Rule) -> Obstacle | None:
    """Return what keeps S3 itself from replicating a version that its rules want.

    A replica has everything that a copy would lose, whatever its size, and SSE-C needs no key.
    """
    return (
        _state_obstacle(entry, head)
        or _archive_obstacle(head, restore_tier="")
        or _kms_obstacle(head.encryption, rule)
    )


def selects_kms(rule: Rule) -> bool:
    """Return whether S3 replicates KMS objects by the rule: it must select them and name a key."""
    return rule.selects_kms and bool(rule.destination.replica_kms_key)


def _state_obstacle(entry: ObjectVersion, head: ObjectHead) -> Obstacle | None:
    if head.etag != entry.etag:
        return Obstacle(reason=Reason.VANISHED, detail="the null version was overwritten meanwhile")
    if head.replication_status is ReplicationStatus.PENDING:
        return Obstacle(reason=Reason.IN_FLIGHT)
    return None


def _archive_obstacle(head: ObjectHead, restore_tier: str) -> Obstacle | None:
    """A restored copy may be gone when its turn comes, so being restored now changes nothing."""
    archive = archive_of(head)
    if archive is None or (restore_tier and has_tier(archive, restore_tier)):
        return None
    detail = " ".join(filter(None, (head.storage_class, head.archive_status)))
    why = f"; it has no {restore_tier} retrieval" if restore_tier else ""
    return Obstacle(reason=Reason.ARCHIVED, detail=detail + why)


def _sse_c_obstacle(encryption: Encryption) -> Obstacle | None:
    """S3 shows a head only to who has the key; which key it was, it tells then, too."""
    is_locked_out = encryption.kind is EncryptionKind.SSE_C and not encryption.customer_key_md5
    return Obstacle(reason=Reason.SSE_C) if is_locked_out else None


def _kms_obstacle(encryption: Encryption, rule: Rule) -> Obstacle | None:
    if encryption.kind not in _KMS_KINDS:
        return None
    if not rule.selects_kms:
        return Obstacle(reason=Reason.KMS_NOT_SELECTED, detail=encryption.kind.value)
    if not rule.destination.replica_kms_key:
        return Obstacle(reason=Reason.ENCRYPTION_WOULD_WEAKEN, detail=encryption.kind.value)
    return None


def _loss(
    entry: ObjectVersion, head: ObjectHead, lock: ObjectLock | None, abilities: Abilities
) -> Obstacle | None:
    """Return what a copy would silently leave behind."""
    if head.missing_metadata_count:
        detail = f"{head.missing_metadata_count} values"
        return Obstacle(reason=Reason.METADATA_NOT_READABLE, detail=detail)
    if lock is not None and (detail := lock_obstacle(lock, abilities)):
        return Obstacle(reason=Reason.OBJECT_LOCK, detail=detail)
    if head.website_redirect and (detail := redirect_obstacle(head.website_redirect)):
        return Obstacle(reason=Reason.WEBSITE_REDIRECT, detail=detail)
    if entry.size_bytes > OBJECT_BYTES_MAX:
        return Obstacle(reason=Reason.TOO_LARGE)
    return None


def proves_itself_in_parts(head: ObjectHead) -> bool:
    """Return whether only a copy along the source's parts can be told from another without reading.

    CopyObject makes one part of a multipart upload: the ETag becomes another, and a COMPOSITE
    checksum becomes FULL_OBJECT, so nothing stored on both sides can be compared; the source's own
    parts reproduce both (S3 User Guide: checking-object-integrity). CopyObject is proof enough of a
    FULL_OBJECT checksum, and of an upload of one part, whose ETag follows from the plain one; parts
    are no better where ETags are opaque (KMS), or where checksums cannot be asked for by name.
    """
    parts_count = multipart_part_count(head.etag) or 0
    return (
        parts_count > 1
        # Every part but the last has at least 5 MiB; a layout that S3 did not make is not mirrored.
        and head.size_bytes > (parts_count - 1) * PART_BYTES_MIN
        and head.encryption.kind in _DIGEST_KINDS
        and not head.unmodelled_checksums
        and all(checksum.type is ChecksumType.COMPOSITE for checksum in head.checksums)
    )


def replica_encryption(source: Encryption, rule: Rule) -> Encryption | None:
    """Return how the replica shall be encrypted; None leaves it to the destination's default.

    SSE-S3 stays SSE-S3 whatever that default is, the KMS kinds keep their kind under the rule's
    key, SSE-C keeps its customer's key (as replication does), and what was never encrypted takes
    the default, which is at least SSE-S3.
    """
    if source.kind is EncryptionKind.NONE:
        return None
    if source.kind is EncryptionKind.SSE_S3:
        return Encryption(kind=EncryptionKind.SSE_S3)
    if source.kind is EncryptionKind.SSE_C:
        assert source.customer_key_md5, "an obstacle otherwise"
        return Encryption(kind=source.kind, customer_key_md5=source.customer_key_md5)
    assert source.kind in _KMS_KINDS, "all kinds are told above"
    assert rule.destination.replica_kms_key, "an obstacle otherwise"
    return Encryption(
        kind=source.kind,
        kms_key_arn=rule.destination.replica_kms_key,
        # DSSE-KMS has no S3 Bucket Keys (S3 User Guide: UsingDSSEncryption).
        is_bucket_key_enabled=(
            source.is_bucket_key_enabled and source.kind is EncryptionKind.SSE_KMS
        ),
    )
