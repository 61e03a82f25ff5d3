"""Why a version must not be copied by these workers, from its head: never half, never silently.

The plan asks the same of what it routes; here it is asked of what only the worker meets: parts
that re-supply everything, and versions that appeared while it worked.
Law: what would lose a field silently is refused, with the field's name.
"""

from typing import Final

from backfill.execute.codes import Code
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead

_ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
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


def copy_refusal(head: ObjectHead, wanted: Encryption | None) -> Code | None:
    """Return why this version may not be copied, None if it may. ACLs need a call of their own."""
    is_archived = head.storage_class in _ARCHIVED or head.archive_status is not None
    if is_archived and _RESTORED not in (head.restore or ""):
        return Code.ARCHIVED
    if head.lock_mode is not None or head.has_legal_hold:
        return Code.OBJECT_LOCK
    if head.website_redirect is not None:
        return Code.WEBSITE_REDIRECT
    if head.missing_metadata_count:
        return Code.METADATA_NOT_READABLE
    given = EncryptionKind.NONE if wanted is None else wanted.kind
    if _STRENGTH[head.encryption.kind] > _STRENGTH[given]:
        return Code.ENCRYPTION_WOULD_WEAKEN
    return None


def upload_refusal(head: ObjectHead, wanted: Encryption | None) -> Code | None:
    """As `copy_refusal`, for parts: a checksum that the SDK's model lacks cannot be asked for."""
    if head.unmodelled_checksums and not head.checksums:
        return Code.CHECKSUM_NOT_KEPT
    return copy_refusal(head, wanted)
