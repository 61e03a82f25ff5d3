"""Why a version must not be copied by these workers, from its head: never half, never silently.

The plan asks the same of what it routes; here it is asked of what only the worker meets: parts
that re-supply everything, and versions that appeared while it worked.
Law: what would lose a field silently is refused, with the field's name.
"""

from datetime import datetime
from typing import Final

from backfill.execute.codes import Code
from backfill.model.archives import CLASSES
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead
from backfill.model.extras import (
    LONG_AGO,
    NO_ABILITIES,
    Abilities,
    lock_at,
    lock_obstacle,
    redirect_obstacle,
)

_RESTORED: Final = 'ongoing-request="false"'
"""In x-amz-restore: a restored copy can be read for now (S3 API: HeadObject)."""
_STRENGTH: Final = {
    EncryptionKind.NONE: 0,
    EncryptionKind.SSE_S3: 0,
    EncryptionKind.SSE_KMS: 1,
    EncryptionKind.DSSE_KMS: 2,
    EncryptionKind.SSE_C: 3,
}
"""S3 encrypts everything with SSE-S3 at least (since January 2023), so NONE equals it."""


def copy_refusal(
    head: ObjectHead,
    wanted: Encryption | None,
    abilities: Abilities = NO_ABILITIES,
    moment: datetime = LONG_AGO,
) -> Code | None:
    """Return why this version may not be copied, None if it may. ACLs need a call of their own.

    `abilities` are the destination's; a retention that has ended at `moment` protects nothing.
    """
    is_archived = head.storage_class in CLASSES or head.archive_status is not None
    if is_archived and _RESTORED not in (head.restore or ""):
        return Code.ARCHIVED
    lock = lock_at(head, moment)
    if lock is not None and lock_obstacle(lock, abilities):
        return Code.OBJECT_LOCK
    if redirect_obstacle(head.website_redirect or ""):
        return Code.WEBSITE_REDIRECT
    if head.missing_metadata_count:
        return Code.METADATA_NOT_READABLE
    given = EncryptionKind.NONE if wanted is None else wanted.kind
    if _STRENGTH[head.encryption.kind] > _STRENGTH[given]:
        return Code.ENCRYPTION_WOULD_WEAKEN
    return None


def upload_refusal(
    head: ObjectHead,
    wanted: Encryption | None,
    abilities: Abilities = NO_ABILITIES,
    moment: datetime = LONG_AGO,
    algorithm: str = "",
) -> Code | None:
    """As `copy_refusal`, for parts: a checksum that the SDK's model lacks cannot be asked for.

    Unless the campaign asks for another `algorithm`.
    """
    if head.unmodelled_checksums and not head.checksums and not algorithm:
        return Code.CHECKSUM_NOT_KEPT
    return copy_refusal(head, wanted, abilities, moment)
