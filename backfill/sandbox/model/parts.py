"""Parts of multipart uploads: UploadPart, UploadPartCopy, and listing parts and uploads.

Law: a part belongs to one upload and is told to nobody who does not know the upload's ID, but for
those who may list uploads.
"""

from __future__ import annotations

from backfill.sandbox.model import refusals, upload_refusals
from backfill.sandbox.model.access import find_bucket, require
from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.checksums import check_content_md5, checked, full_object
from backfill.sandbox.model.copying import check_copied_size, find_source
from backfill.sandbox.model.encryption import require_key
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.listing import common_prefix, page_size
from backfill.sandbox.model.locking import lock_of_write
from backfill.sandbox.model.multipart import find_upload
from backfill.sandbox.model.operations.copies import (
    PartResult,
    UploadPartCopyRequest,
    UploadPartRequest,
)
from backfill.sandbox.model.operations.multipart import (
    ListedPart,
    ListedUpload,
    ListMultipartUploadsRequest,
    ListMultipartUploadsResult,
    ListPartsRequest,
    ListPartsResult,
)
from backfill.sandbox.model.ranges import copy_span
from backfill.sandbox.model.uploads import Upload, UploadedPart
from backfill.sandbox.model.values import Checksum, ChecksumType, CustomerKey, SentChecksum
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import STANDARD, etag_of

_PREPARES = (("s3:ObjectCreationOperation", "false"),)


def _upload_for_part(
    world: World,
    caller: Caller,
    bucket: Bucket,
    request: UploadPartRequest | UploadPartCopyRequest,
) -> Upload:
    """The upload that a part goes to, once the caller may add one."""
    if not 1 <= request.part_number <= world.limits.parts_count:
        fields = (("ArgumentName", "partNumber"), ("ArgumentValue", str(request.part_number)))
        raise S3Error(upload_refusals.INVALID_PART_NUMBER, fields=fields)
    require(world, caller, "s3:PutObject", bucket, request.key, conditions=_PREPARES)
    upload = find_upload(bucket, request.key, request.upload_id)
    _check_key_of_part(upload, request.customer_key)
    encryption = upload.encryption
    if encryption.is_kms:
        require_key(world, caller, bucket, request.key, encryption, "kms:GenerateDataKey")
    return upload


def _check_key_of_part(upload: Upload, sent: CustomerKey | None) -> None:
    """Refuse a part that does not say its upload's customer key, or says one without need."""
    key_md5 = upload.encryption.customer_key_md5
    if (sent is None) is not (key_md5 is None):
        raise S3Error(upload_refusals.PART_WITHOUT_KEY)
    if sent is not None and sent.key_md5 != key_md5:
        raise S3Error(upload_refusals.PART_WITH_OTHER_KEY)


def _checksum_of_part(upload: Upload, body: Body, sent: SentChecksum | None) -> Checksum | None:
    """The checksum of a part that the client sent, by the upload's algorithm.

    A COMPOSITE upload takes no part without a checksum; one without an algorithm checks what is
    sent and keeps nothing (API: UploadPart).
    """
    algorithm = upload.checksum_algorithm
    computed = None if sent is None else checked(body, sent)
    if algorithm is None:
        return None
    if computed is None:
        if upload.checksum_type is ChecksumType.COMPOSITE:
            raise _other_algorithm(algorithm.lower(), "null")
        return full_object(body, algorithm)
    if computed.algorithm is not algorithm:
        raise _other_algorithm(algorithm.lower(), computed.algorithm.lower())
    return computed


def _other_algorithm(expected: str, actual: str) -> S3Error:
    message = (
        f"Checksum Type mismatch occurred, expected checksum Type: {expected}, "
        f"actual checksum Type: {actual}"
    )
    return S3Error(upload_refusals.PART_OF_OTHER_ALGORITHM, message=message)


def _keep(
    world: World, upload: Upload, number: int, body: Body, checksum: Checksum | None
) -> UploadedPart:
    part = UploadedPart(
        number=number,
        body=body,
        etag=etag_of(world, body, upload.encryption),
        uploaded_at=world.clock(),
        checksum=checksum,
    )
    upload.parts[number] = part
    return part


def _told(upload: Upload, part: UploadedPart, source_version_id: str | None = None) -> PartResult:
    return PartResult(
        etag=part.etag,
        last_modified=part.uploaded_at.replace(microsecond=0),
        checksum=part.checksum,
        encryption=upload.encryption,
        source_version_id=source_version_id,
    )


def upload_part(world: World, caller: Caller, request: UploadPartRequest) -> PartResult:
    """Store a part."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    upload = _upload_for_part(world, caller, bucket, request)
    body = Body(request.body)
    if len(body.data) > world.limits.put_size_bytes:
        raise S3Error(refusals.ENTITY_TOO_LARGE)
    check_content_md5(body, request.content_md5)
    is_checked = request.content_md5 is not None or request.checksum is not None
    if not is_checked and lock_of_write(bucket, upload.attributes.lock, world.clock()) is not None:
        raise S3Error(upload_refusals.PART_NEEDS_CHECKSUM)
    checksum = _checksum_of_part(upload, body, request.checksum)
    return _told(upload, _keep(world, upload, request.part_number, body, checksum))


def upload_part_copy(world: World, caller: Caller, request: UploadPartCopyRequest) -> PartResult:
    """Store a part out of a version, or out of a range of it."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    source_bucket, source = find_source(world, caller, request.source)
    upload = _upload_for_part(world, caller, bucket, request)
    body = source.body
    if request.range is not None:
        start, end = copy_span(request.range, source.size_bytes)
        check_copied_size(world, end - start)
        if (start, end) != (0, source.size_bytes):
            body = Body(source.body.data[start:end])
    check_copied_size(world, len(body.data))
    algorithm = upload.checksum_algorithm
    checksum = None if algorithm is None else full_object(body, algorithm)
    part = _keep(world, upload, request.part_number, body, checksum)
    return _told(upload, part, version_id_told(source_bucket, source))


def list_parts(world: World, caller: Caller, request: ListPartsRequest) -> ListPartsResult:
    """A page of an upload's parts, by number."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    size = page_size(request.max_parts, world)
    require(world, caller, "s3:ListMultipartUploadParts", bucket, request.key)
    upload = find_upload(bucket, request.key, request.upload_id)
    after = sorted(number for number in upload.parts if number > request.part_number_marker)
    parts = [upload.parts[number] for number in after[:size]]
    return ListPartsResult(
        parts=tuple(
            ListedPart(
                number=part.number,
                etag=part.etag,
                size_bytes=len(part.body.data),
                last_modified=part.uploaded_at.replace(microsecond=0),
                checksum=part.checksum,
            )
            for part in parts
        ),
        max_parts=size,
        part_number_marker=request.part_number_marker,
        next_part_number_marker=parts[-1].number if parts else 0,
        is_truncated=size > 0 and len(after) > size,
        storage_class=upload.attributes.storage_class or STANDARD,
        owner_id=upload.owner_id,
        initiator_arn=upload.initiator_arn,
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type,
    )


def _upload_row(upload: Upload) -> ListedUpload:
    return ListedUpload(
        key=upload.key,
        upload_id=upload.upload_id,
        initiated_at=upload.initiated_at.replace(microsecond=0),
        storage_class=upload.attributes.storage_class or STANDARD,
        owner_id=upload.owner_id,
        initiator_arn=upload.initiator_arn,
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type,
    )


def _is_after(upload: Upload, rank: tuple[str, int], request: ListMultipartUploadsRequest) -> bool:
    """Whether the upload comes behind the markers."""
    marker = request.key_marker
    if marker is None:
        return True
    rolled = common_prefix(upload.key, request.prefix, request.delimiter)
    if rolled is not None and rolled == marker:
        return False
    return (upload.key, upload.sequence) > rank


def list_multipart_uploads(
    world: World, caller: Caller, request: ListMultipartUploadsRequest
) -> ListMultipartUploadsResult:
    """A page of uploads, by key and then by age."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    size = page_size(request.max_uploads, world)
    require(world, caller, "s3:ListBucketMultipartUploads", bucket)
    rank = _marker_rank(bucket, request)
    page: list[Upload] = []
    prefixes: list[str] = []
    last: tuple[str, str | None] = ("", None)
    is_truncated = False
    for upload in sorted(bucket.uploads.values(), key=lambda each: (each.key, each.sequence)):
        if not upload.key.startswith(request.prefix) or not _is_after(upload, rank, request):
            continue
        rolled = common_prefix(upload.key, request.prefix, request.delimiter)
        if rolled is not None and prefixes and prefixes[-1] == rolled:
            continue
        if len(page) + len(prefixes) >= size:
            is_truncated = size > 0
            break
        if rolled is None:
            page.append(upload)
            last = (upload.key, upload.upload_id)
        else:
            prefixes.append(rolled)
            last = (rolled, None)
    return ListMultipartUploadsResult(
        uploads=tuple(_upload_row(upload) for upload in page),
        common_prefixes=tuple(prefixes),
        is_truncated=is_truncated,
        next_key_marker=last[0] if is_truncated else None,
        next_upload_id_marker=last[1] if is_truncated else None,
    )


def _marker_rank(bucket: Bucket, request: ListMultipartUploadsRequest) -> tuple[str, int]:
    """Where a page begins: after all uploads of the marker's key, or after one of them."""
    if request.key_marker is None:
        return "", 0
    named = bucket.uploads.get(request.upload_id_marker or "")
    if named is not None and named.key == request.key_marker:
        return named.key, named.sequence
    if request.upload_id_marker is not None:
        return request.key_marker, 0  # gone meanwhile: what is left of the key comes again
    return request.key_marker, 2**63
