"""From a decided step to the request that S3 gets.

Never sends. Every request pins its source, names both expected owners (a BucketPlace holds its
owner) and carries a precondition.
Law: storage class and encryption come from the entry, which is what the rule says.
"""

from backfill.execute.views import Copy, Hide
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import Checksum, ChecksumType
from backfill.model.places import BucketPlace
from backfill.model.store import (
    NO_EXTRAS,
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    Extras,
    HideRequest,
    MarkAbsentRequest,
)
from backfill.plan.routes import Route

_FULL_OBJECT_ALGORITHMS = frozenset({"CRC64NVME", "CRC32", "CRC32C"})
"""Those that a multipart upload can carry as FULL_OBJECT (S3 User Guide:
checking-object-integrity); SHA-1 and SHA-256 exist there as COMPOSITE only."""


def goes_by_parts(entry: ManifestEntry, step: Copy, *, copy_object_bytes_max: int) -> bool:
    """Return whether a step is carried out by UploadPartCopy."""
    is_planned = step.version_id == entry.version_id
    is_routed = is_planned and entry.route is Route.MULTIPART_COPY
    # An upload of no bytes has no part to copy (S3 API: UploadPartCopy).
    return step.size_bytes > 0 and (is_routed or step.size_bytes > copy_object_bytes_max)


def planned_request(
    entry: ManifestEntry,
    *,
    source: BucketPlace,
    destination: BucketPlace,
    extras: Extras = NO_EXTRAS,
) -> CopyObjectRequest:
    """Return the CopyObject that the manifest prepared: `copy_request` of the planned step."""
    assert entry.version_id is not None, "a copy has a source version"
    assert entry.etag is not None, "a copy has a source version"
    assert entry.precondition is not None, "every copy is conditional"
    return CopyObjectRequest(  # by position: it is made for nearly every object
        destination,
        entry.key,
        CopySource(source, entry.key, entry.version_id, entry.etag),
        entry.precondition,
        entry.storage_class,
        entry.encryption,
        extras,
    )


def copy_source(entry: ManifestEntry, step: Copy, source: BucketPlace) -> CopySource:
    """Return the pinned source of a copy."""
    return CopySource(place=source, key=entry.key, version_id=step.version_id, etag=step.etag)


def copy_request(
    entry: ManifestEntry,
    step: Copy,
    *,
    source: BucketPlace,
    destination: BucketPlace,
    extras: Extras = NO_EXTRAS,
) -> CopyObjectRequest:
    """Return the CopyObject of a step."""
    return CopyObjectRequest(
        destination=destination,
        key=entry.key,
        source=copy_source(entry, step, source),
        precondition=step.precondition,
        storage_class=step.storage_class or entry.storage_class,
        encryption=entry.encryption,
        extras=extras,
    )


def hide_request(entry: ManifestEntry, step: Hide, destination: BucketPlace) -> HideRequest:
    """Return the conditional delete marker of a step."""
    return HideRequest(destination=destination, key=entry.key, etag=step.etag)


def mark_absent_request(entry: ManifestEntry, destination: BucketPlace) -> MarkAbsentRequest:
    """Return the one unconditional write there is; only a key without other writers gets it."""
    assert not entry.has_other_writers, "an unconditional marker needs a quiet key"
    return MarkAbsentRequest(destination=destination, key=entry.key)


def create_upload_request(
    entry: ManifestEntry,
    step: Copy,
    head: ObjectHead,
    tags: Pairs,
    destination: BucketPlace,
    extras: Extras = NO_EXTRAS,
) -> CreateMultipartUploadRequest:
    """Return the upload that re-supplies what UploadPartCopy does not carry over."""
    checksum = upload_checksum(head.checksums, extras.checksum_algorithm)
    return CreateMultipartUploadRequest(
        destination=destination,
        key=entry.key,
        metadata=head.metadata,
        content_headers=head.content_headers,
        tags=tags,
        storage_class=step.storage_class or entry.storage_class,
        encryption=entry.encryption,
        checksum_algorithm=None if checksum is None else checksum[0],
        checksum_type=None if checksum is None else checksum[1],
        extras=extras,
    )


def upload_checksum(
    stored: tuple[Checksum, ...], wanted: str = ""
) -> tuple[str, ChecksumType] | None:
    """Return algorithm and type for an upload: the source's, where multipart allows its type.

    `wanted` is another algorithm that the campaign asks for, over the full object where multipart
    allows that. None: S3 then stores a CRC64NVME over the full object (S3 User Guide:
    checking-object-integrity).
    """
    checksum = next((each for each in stored if wanted in ("", each.algorithm)), None)
    if checksum is None and wanted:
        is_whole = wanted in _FULL_OBJECT_ALGORITHMS
        return wanted, ChecksumType.FULL_OBJECT if is_whole else ChecksumType.COMPOSITE
    if checksum is None:
        return None
    is_allowed = (
        checksum.type is ChecksumType.COMPOSITE or checksum.algorithm in _FULL_OBJECT_ALGORITHMS
    )
    return checksum.algorithm, checksum.type if is_allowed else ChecksumType.COMPOSITE
