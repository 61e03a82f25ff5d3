"""What one HEAD told, in a few characters: two versions with the same look are alike in all of it.

Never stands for a HEAD that has anything unusual to tell: such a version has no look.
Law: equal looks mean equal size, ETag, stored checksum, metadata and content headers, and no tags.
"""

import hashlib
from base64 import b64encode
from typing import Final

from backfill.model.attributes import EncryptionKind, ObjectHead
from backfill.model.objects import ChecksumType

_LETTERS: Final = {EncryptionKind.NONE: "-", EncryptionKind.SSE_S3: "S"}
"""Encryption whose ETags are MD5s; under any other the bytes' evidence takes more than a look."""
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_DIGEST_BYTES: Final = 16
"""Nobody can find two heads with one 128-bit BLAKE2 digest, on purpose or not."""


def look_of(head: ObjectHead) -> str | None:
    """Return the look of a version; None where its HEAD tells more than a look can hold."""
    letter = _LETTERS.get(head.encryption.kind)
    if letter is None or head.tag_count or head.missing_metadata_count or head.unmodelled_checksums:
        return None
    checksum = ""
    if head.checksums:
        if len(head.checksums) > 1 or head.checksums[0].type is not ChecksumType.FULL_OBJECT:
            return None
        checksum = f"{head.checksums[0].algorithm} {head.checksums[0].value}"
    headers = head.content_headers
    told = repr((
        head.size_bytes,
        head.etag,
        checksum,
        head.metadata,
        headers.content_type,
        headers.content_encoding,
        headers.content_language,
        headers.content_disposition,
        headers.cache_control,
        headers.expires,
    ))  # fmt: skip
    digest = hashlib.blake2b(told.encode(), digest_size=_DIGEST_BYTES).digest()
    return letter + b64encode(digest).decode()


def is_like(look: str, head: ObjectHead) -> bool:
    """Return whether a version has this look, however the two are encrypted."""
    own = look_of(head)
    return own is not None and own[1:] == look[1:]


def encryption_in(look: str) -> EncryptionKind:
    """Return the encryption of the version that a look is of."""
    return _KINDS[look[0]]
