"""Fidelity: which attributes of a destination version differ from what they should be.

Never looks at bytes (the ladder does), and never asks for tags where HEAD's count decides.
Law: metadata, content headers, tags, Object Lock and website redirect shall be the source's;
storage class and encryption shall be what the plan said. What a bucket sets by itself, such as its
default retention where the source has none, is no difference.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from backfill.model.attributes import (
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.extras import lock_at, supplied_grants, whole_second
from backfill.model.store import ObjectAcl, ObjectLock
from backfill.verify.verdicts import Field

STANDARD: Final = "STANDARD"
"""HEAD leaves x-amz-storage-class out for it (S3 API: HeadObject)."""

CLOCKS_APART: Final = timedelta(minutes=15)
"""How far a worker's clock, which says what retention has ended, may be off S3's: requests by one
that is further off are refused (S3 API: Error responses, RequestTimeTooSkewed)."""
_KMS: Final = frozenset({EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS})


class Expected(NamedTuple):
    """What the destination version shall have where that is not simply the source's.

    `storage_class` None is not compared: nobody said what it shall be. Nor is `encryption` where it
    is None, or of kind NONE, which leaves it to the destination bucket's default. `keeps_acl`: the
    plan promised the ACL's grants. `checksum_algorithm` empty: the source's, where it has any; None
    is not compared.
    """

    storage_class: str | None = None
    encryption: Encryption | None = None
    keeps_acl: bool = False
    checksum_algorithm: str | None = None


ANY: Final = Expected()


class TagPair(NamedTuple):
    """The object tags of both sides, each sorted."""

    source: Pairs
    destination: Pairs


class AclPair(NamedTuple):
    """The ACLs of both sides."""

    source: ObjectAcl
    destination: ObjectAcl


def needs_tags(source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether only the tags themselves tell: equal counts, and there are some."""
    return source.tag_count == destination.tag_count > 0


def is_metadata_readable(source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether HEAD showed all metadata (x-amz-missing-meta counts what it could not)."""
    return source.missing_metadata_count == destination.missing_metadata_count == 0


def differing_fields(
    source: ObjectHead,
    destination: ObjectHead,
    expected: Expected,
    tags: TagPair | None,
    acls: AclPair | None = None,
) -> tuple[Field, ...]:
    """Return the fields that differ, in the order of `Field`.

    Without `tags`, where `needs_tags` asks for them, tags are left out; without `acls`, ACLs are.
    """
    of_copy = _differences(source, destination, expected, tags)
    return (*of_copy, *_differences_of_extras(source, destination, expected, acls))


def lock_of_bucket(source: ObjectHead, destination: ObjectHead) -> ObjectLock | None:
    """Return retention at the destination that no retention of the source accounts for.

    Its bucket's default retention sets it (S3 User Guide: object-lock), or somebody there.
    """
    if not destination.lock_mode or _due(source, destination) is not None:
        return None
    is_sources = (destination.lock_mode, destination.lock_retain_until) == (
        source.lock_mode,
        source.lock_retain_until,
    )
    if is_sources:
        return None
    return ObjectLock(destination.lock_mode, destination.lock_retain_until)


def _differences_of_extras(
    source: ObjectHead, destination: ObjectHead, expected: Expected, acls: AclPair | None
) -> Iterator[Field]:
    if not _is_locked_as(source, destination):
        yield Field.OBJECT_LOCK
    if acls is not None and expected.keeps_acl:
        wanted = supplied_grants(acls.source, acls.destination.owner_id) or acls.source.grants
        is_default = acls.source.is_default and acls.destination.is_default
        if not is_default and set(wanted) != set(acls.destination.grants):
            yield Field.ACL
    if (source.website_redirect or "") != (destination.website_redirect or ""):
        yield Field.WEBSITE_REDIRECT
    if not _is_summed_as(source, destination, expected.checksum_algorithm):
        yield Field.CHECKSUM_ALGORITHM


def _is_locked_as(source: ObjectHead, destination: ObjectHead) -> bool:
    if source.has_legal_hold != destination.has_legal_hold:
        return False
    due = _due(source, destination)
    if due is None:
        return True
    until = destination.lock_retain_until
    return (due.mode, due.retain_until) == (destination.lock_mode, until and whole_second(until))


def _due(source: ObjectHead, destination: ObjectHead) -> ObjectLock | None:
    """Return the retention that a copy made when the destination's was should have.

    What had ended by then was not sent. A replica has the time of its source version, which says
    nothing of when it was made; S3 fails replication rather than leave a lock out.
    """
    is_replica = destination.replication_status is ReplicationStatus.REPLICA
    if is_replica and not destination.lock_mode:
        return None
    lock = lock_at(source, destination.last_modified + CLOCKS_APART)
    return lock if lock is not None and lock.mode else None


def _is_summed_as(source: ObjectHead, destination: ObjectHead, algorithm: str | None) -> bool:
    """Compare algorithms. A store that keeps no checksums has none of the source's to show."""
    if algorithm is None:
        return True
    found = {checksum.algorithm for checksum in destination.checksums}
    if algorithm:
        return algorithm in found
    wanted = {checksum.algorithm for checksum in source.checksums}
    return not found or not wanted or not wanted.isdisjoint(found)


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
