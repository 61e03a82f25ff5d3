"""Fidelity: which attributes of a destination version differ from what they should be.

Never looks at bytes (the ladder does), and never asks for tags where HEAD's count decides.
Law: metadata, content headers and tags shall be the source's; storage class and encryption shall
be what the plan said.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead, Pairs
from backfill.verify.verdicts import Field

STANDARD: Final = "STANDARD"
"""HEAD leaves x-amz-storage-class out for it (S3 API: HeadObject)."""

_KMS: Final = frozenset({EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS})


class Expected(NamedTuple):
    """What the destination version shall have where that is not simply the source's.

    `storage_class` None is not compared: nobody said what it shall be. Nor is `encryption` where it
    is None, or of kind NONE, which leaves it to the destination bucket's default.
    """

    storage_class: str | None = None
    encryption: Encryption | None = None


ANY: Final = Expected()


class TagPair(NamedTuple):
    """The object tags of both sides, each sorted."""

    source: Pairs
    destination: Pairs


def needs_tags(source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether only the tags themselves tell: equal counts, and there are some."""
    return source.tag_count == destination.tag_count > 0


def is_metadata_readable(source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether HEAD showed all metadata (x-amz-missing-meta counts what it could not)."""
    return source.missing_metadata_count == destination.missing_metadata_count == 0


def differing_fields(
    source: ObjectHead, destination: ObjectHead, expected: Expected, tags: TagPair | None
) -> tuple[Field, ...]:
    """Return the fields that differ, in the order of `Field`.

    Without `tags`, where `needs_tags` asks for them, tags are left out.
    """
    return tuple(_differences(source, destination, expected, tags))


def _differences(
    source: ObjectHead, destination: ObjectHead, expected: Expected, tags: TagPair | None
) -> Iterator[Field]:
    if source.metadata != destination.metadata or (
        source.missing_metadata_count != destination.missing_metadata_count
    ):
        yield Field.METADATA
    if source.content_headers != destination.content_headers:
        yield Field.CONTENT_HEADERS
    is_same_count = source.tag_count == destination.tag_count
    if not is_same_count or (tags and sorted(tags.source) != sorted(tags.destination)):
        yield Field.TAGS
    seen_class = destination.storage_class or STANDARD
    if expected.storage_class is not None and seen_class != expected.storage_class:
        yield Field.STORAGE_CLASS
    if not _is_encrypted_as(destination.encryption, expected.encryption):
        yield Field.ENCRYPTION


def _is_encrypted_as(seen: Encryption, wanted: Encryption | None) -> bool:
    """Compare kind and key. The Bucket Key switch is a matter of cost, and left alone."""
    if wanted is None or wanted.kind is EncryptionKind.NONE:
        return True
    if seen.kind is not wanted.kind or seen.customer_key_md5 != wanted.customer_key_md5:
        return False
    return wanted.kind not in _KMS or _is_same_key(seen.kms_key_arn or "", wanted.kms_key_arn or "")


def _is_same_key(seen: str, wanted: str) -> bool:
    """Return whether HEAD's key ARN is the wanted key, which may be given as a bare key ID.

    An alias cannot be told from outside, and an empty wish means the default key: both match.
    """
    if not wanted or wanted.startswith("alias/") or ":alias/" in wanted:
        return True
    return seen == wanted or seen.rpartition(":key/")[2] == wanted
