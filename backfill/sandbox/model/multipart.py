"""Multipart uploads: creating, listing, aborting and completing them. Parts are in `parts.py`.

Law: an upload is not seen by any reader of objects before it is complete.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

from backfill.sandbox.model import upload_refusals
from backfill.sandbox.model.access import find_bucket, require
from backfill.sandbox.model.access_lists import acl_of_write, owner_of_write
from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.checksums import (
    DEFAULT_ALGORITHM,
    algorithm_named,
    check_value,
    composite,
    full_object,
    is_said_by,
)
from backfill.sandbox.model.conditions import check_completion, check_write_form
from backfill.sandbox.model.encryption import (
    check_customer_key,
    encryption_of_write,
    require_key,
)
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.locking import lock_of_write
from backfill.sandbox.model.operations.multipart import (
    AbortMultipartUploadRequest,
    CompletedPart,
    CompleteMultipartUploadRequest,
    CompleteMultipartUploadResult,
    CreateMultipartUploadRequest,
    CreateMultipartUploadResult,
)
from backfill.sandbox.model.uploads import Upload, UploadedPart
from backfill.sandbox.model.values import (
    UNCONDITIONAL_WRITE,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
)
from backfill.sandbox.model.versions import ObjectVersion, StoredPart
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import (
    STANDARD,
    authorize_write,
    check_attributes,
    check_key,
    fresh_version_id,
    put_in_place,
)

_TYPES = {
    ChecksumAlgorithm.CRC64NVME: (ChecksumType.FULL_OBJECT,),
    ChecksumAlgorithm.CRC32: (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT),
    ChecksumAlgorithm.CRC32C: (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT),
    ChecksumAlgorithm.SHA1: (ChecksumType.COMPOSITE,),
    ChecksumAlgorithm.SHA256: (ChecksumType.COMPOSITE,),
}
"""The types of each algorithm, the default first (UG: checking-object-integrity-upload)."""


def _checksum_mode(
    request: CreateMultipartUploadRequest,
) -> tuple[ChecksumAlgorithm | None, ChecksumType | None]:
    if request.checksum_algorithm is None:
        if request.checksum_type is not None:
            raise S3Error(upload_refusals.TYPE_WITHOUT_ALGORITHM)
        return None, None
    algorithm = algorithm_named(request.checksum_algorithm)
    if request.checksum_type is None:
        return algorithm, _TYPES[algorithm][0]
    checksum_type = _type_named(request.checksum_type)
    if checksum_type not in _TYPES[algorithm]:
        message = (
            f"The {checksum_type} checksum type cannot be used with the {algorithm.lower()} "
            "checksum algorithm."
        )
        raise S3Error(upload_refusals.TYPE_NOT_FOR_ALGORITHM, message=message)
    return algorithm, checksum_type


def _type_named(name: str) -> ChecksumType:
    try:
        return ChecksumType(name.upper())
    except ValueError:
        raise S3Error(upload_refusals.UNKNOWN_CHECKSUM_TYPE) from None


def create_multipart_upload(
    world: World, caller: Caller, request: CreateMultipartUploadRequest
) -> CreateMultipartUploadResult:
    """Begin an upload."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    attributes, key = request.attributes, request.key
    check_key(key, world.limits)
    check_attributes(world, bucket, attributes)
    algorithm, checksum_type = _checksum_mode(request)
    authorize_write(
        world, caller, bucket, key, attributes, UNCONDITIONAL_WRITE, creates_object=False
    )
    encryption = encryption_of_write(world, caller, bucket, key, attributes.encryption)
    if encryption.is_kms:  # parts are read again at completion (UG: mpuoverview)
        require_key(world, caller, bucket, key, encryption, "kms:Decrypt")
    upload = Upload(
        key=key,
        upload_id=world.new_id(64),
        initiated_at=world.clock(),
        sequence=world.next_sequence(),
        owner_id=owner_of_write(bucket, caller, attributes.acl),
        initiator_arn=caller.arn,
        attributes=attributes,
        encryption=encryption,
        checksum_algorithm=algorithm,
        checksum_type=checksum_type,
    )
    bucket.uploads[upload.upload_id] = upload
    return CreateMultipartUploadResult(
        upload_id=upload.upload_id,
        encryption=encryption,
        checksum_algorithm=algorithm,
        checksum_type=checksum_type,
    )


def find_upload(bucket: Bucket, key: str, upload_id: str) -> Upload:
    """The upload of that ID, if it is one of that key."""
    upload = bucket.uploads.get(upload_id)
    if upload is None or upload.key != key:
        raise S3Error(upload_refusals.NO_SUCH_UPLOAD, fields=(("UploadId", upload_id),))
    return upload


def abort_multipart_upload(
    world: World, caller: Caller, request: AbortMultipartUploadRequest
) -> None:
    """Drop an upload and its parts."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    require(world, caller, "s3:AbortMultipartUpload", bucket, request.key)
    del bucket.uploads[find_upload(bucket, request.key, request.upload_id).upload_id]


def _chosen_parts(
    world: World, upload: Upload, named: tuple[CompletedPart, ...]
) -> list[UploadedPart]:
    """The parts that the request names, all of them right."""
    if not 1 <= len(named) <= world.limits.parts_count:
        raise S3Error(upload_refusals.NO_PARTS)
    numbers = [part.number for part in named]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise S3Error(upload_refusals.INVALID_PART_ORDER, fields=(("UploadId", upload.upload_id),))
    chosen = [_chosen_part(upload, part) for part in named]
    minimum_bytes = world.limits.minimum_part_size_bytes
    for part in chosen[:-1]:
        if len(part.body.data) < minimum_bytes:
            fields = (
                ("ETag", part.etag),
                ("MinSizeAllowed", str(minimum_bytes)),
                ("PartNumber", str(part.number)),
                ("ProposedSize", str(len(part.body.data))),
            )
            raise S3Error(upload_refusals.PART_TOO_SMALL, fields=fields)
    return chosen


def _chosen_part(upload: Upload, named: CompletedPart) -> UploadedPart:
    part = upload.parts.get(named.number)
    etag = named.etag.strip().strip('"')
    fields = (
        ("ETag", etag),
        ("PartNumber", str(named.number)),
        ("UploadId", upload.upload_id),
    )
    if part is None or part.etag != etag:
        raise S3Error(upload_refusals.INVALID_PART, fields=fields)
    sent = named.checksum
    if sent is None:
        if upload.checksum_type is ChecksumType.COMPOSITE:
            message = (
                f"The upload was created using a {str(upload.checksum_algorithm).lower()} "
                "checksum. The complete request must include the checksum for each part. It was "
                f"missing for part {named.number} in the request."
            )
            raise S3Error(upload_refusals.PART_CHECKSUM_MISSING, message=message)
        return part
    is_right = (
        part.checksum is not None
        and sent.algorithm.upper() == part.checksum.algorithm
        and sent.value == part.checksum.value
    )
    if not is_right:  # also where the upload has no algorithm: then no checksum may be sent
        raise S3Error(upload_refusals.INVALID_PART, fields=fields)
    return part


def _checksum_of(upload: Upload, body: Body, parts: list[UploadedPart]) -> Checksum:
    """The checksum that S3 stores: of the parts' checksums, or of the whole."""
    algorithm = upload.checksum_algorithm
    if algorithm is None or upload.checksum_type is ChecksumType.FULL_OBJECT:
        return full_object(body, algorithm or DEFAULT_ALGORITHM)
    return composite(algorithm, [part.checksum.value for part in parts if part.checksum])


def _check_whole(
    upload: Upload, request: CompleteMultipartUploadRequest, body: Body, checksum: Checksum
) -> None:
    """Refuse a completion whose checks of the whole object do not hold."""
    if request.checksum_type is not None:
        checksum_type = _type_named(request.checksum_type)
        if upload.checksum_type is None:
            raise S3Error(upload_refusals.COMPLETED_TYPE_UNKNOWN)
        if checksum_type is not upload.checksum_type:
            raise S3Error(upload_refusals.COMPLETED_TYPE_DIFFERS)
    sent = request.checksum
    if sent is not None and sent.value is not None:
        if algorithm_named(sent.algorithm) is not checksum.algorithm:
            raise S3Error(upload_refusals.PART_OF_OTHER_ALGORITHM)
        check_value(sent.value.rpartition("-")[0] or sent.value, checksum.algorithm)
        if not is_said_by(sent.value, checksum):
            message = (
                f"The {checksum.algorithm} you specified did not match the calculated checksum."
            )
            raise S3Error(upload_refusals.COMPLETED_CHECKSUM_DIFFERS, message=message)
    size_bytes = request.object_size_bytes
    if size_bytes is not None and size_bytes != len(body.data):
        raise S3Error(upload_refusals.COMPLETED_SIZE_DIFFERS)


def _etag(world: World, upload: Upload, parts: list[UploadedPart]) -> str:
    """The MD5 of the parts' MD5s with their count, or something opaque with it."""
    if upload.encryption.has_opaque_etag:
        return f"{world.opaque_etag()}-{len(parts)}"
    joined = b"".join(part.body.md5 for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _completed(
    world: World, bucket: Bucket, upload: Upload, body: Body, parts: list[UploadedPart]
) -> ObjectVersion:
    attributes = upload.attributes
    # UG: UsingMetadata says that Last-Modified is the upload's initiation. The model stamps the
    # completion instead, so that times never contradict the order of a chain.
    now = world.clock()
    return ObjectVersion(
        key=upload.key,
        version_id=fresh_version_id(world, bucket),
        created_at=now,
        sequence=world.next_sequence(),
        owner_id=upload.owner_id,
        body=body,
        etag=_etag(world, upload, parts),
        checksum=_checksum_of(upload, body, parts),
        content=attributes.content,
        metadata=attributes.metadata,
        tags=attributes.tags,
        storage_class=attributes.storage_class or STANDARD,
        encryption=upload.encryption,
        parts=tuple(
            StoredPart(number=part.number, size_bytes=len(part.body.data), checksum=part.checksum)
            for part in parts
        ),
        lock=lock_of_write(bucket, attributes.lock, now),
        acl=acl_of_write(bucket, upload.owner_id, attributes),
        website_redirect_location=attributes.website_redirect_location,
    )


def complete_multipart_upload(
    world: World, caller: Caller, request: CompleteMultipartUploadRequest
) -> CompleteMultipartUploadResult:
    """Make an upload's parts the new current version of its key."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    conditions, key = request.conditions, request.key
    check_write_form(conditions)
    said = tuple(
        (name, value)
        for name, value in (
            ("s3:if-match", conditions.if_match),
            ("s3:if-none-match", conditions.if_none_match),
        )
        if value is not None
    )
    said = (*said, ("s3:ObjectCreationOperation", "true"))
    require(world, caller, "s3:PutObject", bucket, key, conditions=said)
    if conditions.if_match is not None:
        require(world, caller, "s3:GetObject", bucket, key)
    upload = find_upload(bucket, key, request.upload_id)
    if request.customer_key is not None:
        check_customer_key(upload.encryption, request.customer_key)
    parts = _chosen_parts(world, upload, request.parts)
    body = parts[0].body if len(parts) == 1 else Body(b"".join(part.body.data for part in parts))
    _check_whole(upload, request, body, _checksum_of(upload, body, parts))
    check_completion(conditions, key, bucket.current(key), initiated_at=upload.sequence)
    version = _completed(world, bucket, upload, body, parts)
    del bucket.uploads[upload.upload_id]
    put_in_place(world, bucket, version)
    return CompleteMultipartUploadResult(
        etag=version.etag,
        version_id=version_id_told(bucket, version),
        checksum=version.checksum,
        encryption=version.encryption,
        location_region=bucket.region,
    )
