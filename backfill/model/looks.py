"""What one HEAD told beside size and ETag, in a few characters.

Never stands for a HEAD that has anything unusual to tell: such a version has no look. Neighbours
share nearly all that a look tells, so what they share is digested once for all of them.
Law: two versions of equal size, ETag and look have an equal stored checksum, metadata and content
headers, and no tags.
"""

import hashlib
from base64 import b64encode
from functools import lru_cache
from typing import Final

from backfill.model.attributes import ContentHeaders, EncryptionKind, ObjectHead, Pairs
from backfill.model.objects import ChecksumType, ObjectVersion

_LETTERS: Final = {EncryptionKind.NONE: "-", EncryptionKind.SSE_S3: "S"}
"""Encryption whose ETags are MD5s; under any other the bytes' evidence takes more than a look."""
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_FULL_OBJECT: Final = ChecksumType.FULL_OBJECT
_DIGEST_BYTES: Final = 16
"""Nobody can find two heads with one 128-bit BLAKE2 digest, on purpose or not."""
SHARED_MAX: Final = 1024
"""Metadata and content headers whose digest is kept. S3 allows 2 KB of metadata: a few MiB."""


def look_of(head: ObjectHead) -> str | None:
    """Return the look of a version; None where its HEAD tells more than a look can hold."""
    letter = _LETTERS.get(head.encryption.kind)
    if letter is None or head.tag_count or head.missing_metadata_count or head.unmodelled_checksums:
        return None
    if head.lock_mode or head.has_legal_hold or head.website_redirect:
        return None
    shared = _shared(head.metadata, head.content_headers)
    if not head.checksums:
        return letter + shared
    if len(head.checksums) > 1:
        return None
    ((algorithm, value, kind, part_count),) = head.checksums
    if kind is not _FULL_OBJECT or part_count is not None:
        return None
    return f"{letter}{shared} {algorithm} {value}"


def look_of_listed(version: ObjectVersion, head: ObjectHead) -> str | None:
    """Return the look of a listed version; none where HEAD shows another size or ETag of it."""
    is_listed = head.etag == version.etag and head.size_bytes == version.size_bytes
    return look_of(head) if is_listed else None


def are_alike(one: str, two: str) -> bool:
    """Return whether two looks differ in encryption at most."""
    return one[1:] == two[1:]


def encryption_in(look: str) -> EncryptionKind:
    """Return the encryption of the version that a look is of."""
    return _KINDS[look[0]]


def has_checksum(look: str) -> bool:
    """Return whether a look tells of a stored checksum over the whole object."""
    return " " in look


@lru_cache(maxsize=SHARED_MAX)
def _shared(metadata: Pairs, headers: ContentHeaders) -> str:
    told = repr((metadata, *headers)).encode()
    return b64encode(hashlib.blake2b(told, digest_size=_DIGEST_BYTES).digest()).decode()
