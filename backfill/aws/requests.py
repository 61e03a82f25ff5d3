"""From our requests to the SDK's parameters.

Never sends, never defaults: what a request of ours does not say is not sent.
Law: every request names the expected owner of each bucket that it touches.
"""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from backfill.aws.mail_words import encoded_words
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind
from backfill.model.objects import Checksum, ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    NO_EXTRAS,
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    Extras,
    HideRequest,
    IfAbsent,
    MarkAbsentRequest,
    MultipartUpload,
    Precondition,
    RestoreRequest,
    UploadPartCopyRequest,
    VersionsPosition,
)

Parameters = dict[str, object]

_CONTENT_HEADERS: Final = {
    "content_type": "ContentType",
    "content_encoding": "ContentEncoding",
    "content_language": "ContentLanguage",
    "content_disposition": "ContentDisposition",
    "cache_control": "CacheControl",
    "expires": "Expires",
}
_GRANTS: Final = {
    "FULL_CONTROL": "GrantFullControl",
    "READ": "GrantRead",
    "READ_ACP": "GrantReadACP",
    "WRITE_ACP": "GrantWriteACP",
}
_GRANTEES: Final = {"id": "id", "uri": "uri", "email": "emailAddress"}
"""What stands before a grantee in x-amz-grant-* (S3 User Guide: acl-overview)."""


def bucket_parameters(place: BucketPlace) -> Parameters:
    """Parameters of a request about a bucket."""
    return {"Bucket": place.bucket, "ExpectedBucketOwner": place.expected_owner}


def version_parameters(place: BucketPlace, key: str, version_id: VersionId | None) -> Parameters:
    """Parameters of a read of one version, or of the current one."""
    parameters: Parameters = {**bucket_parameters(place), "Key": key}
    if version_id is not None:
        parameters["VersionId"] = version_id
    return parameters


def list_parameters(
    place: BucketPlace, *, prefix: str, after: VersionsPosition | None, max_keys: int
) -> Parameters:
    """Parameters of ListObjectVersions; keys come back percent-encoded, because XML is narrower."""
    parameters: Parameters = {
        **bucket_parameters(place),
        "EncodingType": "url",
        "MaxKeys": max_keys,
    }
    if prefix:
        parameters["Prefix"] = prefix
    if after is not None:
        parameters["KeyMarker"] = after.key
        if after.version_id is not None:
            parameters["VersionIdMarker"] = after.version_id
    return parameters


def head_parameters(
    place: BucketPlace, key: str, version_id: VersionId | None, part_number: int | None
) -> Parameters:
    """Parameters of HeadObject, stored checksums included."""
    parameters = {**version_parameters(place, key, version_id), "ChecksumMode": "ENABLED"}
    if part_number is not None:
        parameters["PartNumber"] = part_number
    return parameters


def copy_parameters(request: CopyObjectRequest) -> Parameters:
    """Parameters of CopyObject: conditional, pinned, both owners, directives COPY."""
    assert request.storage_class, "CopyObject would choose STANDARD by itself"
    return {
        **bucket_parameters(request.destination),
        "Key": request.key,
        **_source(request.source),
        **_precondition(request.precondition),
        "MetadataDirective": "COPY",
        "TaggingDirective": "COPY",
        "StorageClass": request.storage_class,
        **_encryption(request.encryption),
        **(_extras(request.extras) if request.extras is not NO_EXTRAS else {}),
    }


def create_upload_parameters(request: CreateMultipartUploadRequest) -> Parameters:
    """Parameters of CreateMultipartUpload: what UploadPartCopy does not carry over."""
    assert request.storage_class, "CreateMultipartUpload would choose STANDARD by itself"
    parameters: Parameters = {
        **bucket_parameters(request.destination),
        "Key": request.key,
        "Metadata": {name: encoded_words(value) for name, value in request.metadata},
        "StorageClass": request.storage_class,
        **_content_headers(request.content_headers),
        **_encryption(request.encryption),
        **_extras(request.extras._replace(checksum_algorithm="")),
    }
    if request.tags:
        # `%20` and not `+`: whoever reads it as a form or as a URL reads a space.
        parameters["Tagging"] = urlencode(request.tags, quote_via=quote)
    if request.checksum_algorithm is not None:
        parameters["ChecksumAlgorithm"] = request.checksum_algorithm
    if request.checksum_type is not None:
        parameters["ChecksumType"] = request.checksum_type.value
    return parameters


def part_parameters(request: UploadPartCopyRequest) -> Parameters:
    """Parameters of UploadPartCopy."""
    assert 0 <= request.first_byte <= request.last_byte, "a part has at least one byte"
    return {
        **upload_parameters(request.upload),
        "PartNumber": request.part_number,
        **_source(request.source),
        "CopySourceRange": f"bytes={request.first_byte}-{request.last_byte}",
    }


def parts_parameters(upload: MultipartUpload, *, after: int, max_parts: int) -> Parameters:
    """Parameters of ListParts, behind part `after`."""
    parameters: Parameters = {**upload_parameters(upload), "MaxParts": max_parts}
    if after:
        parameters["PartNumberMarker"] = after
    return parameters


def complete_parameters(request: CompleteMultipartUploadRequest) -> Parameters:
    """Parameters of CompleteMultipartUpload: conditional, the whole size checked by S3."""
    parameters: Parameters = {
        **upload_parameters(request.upload),
        "MultipartUpload": {"Parts": [_part(part) for part in request.parts]},
        "MpuObjectSize": request.size_bytes,
        **_precondition(request.precondition),
    }
    if request.checksum_type is not None:
        parameters["ChecksumType"] = request.checksum_type.value
    return parameters


def upload_parameters(upload: MultipartUpload) -> Parameters:
    """Parameters that name an open upload; alone they are AbortMultipartUpload's."""
    return {
        **bucket_parameters(upload.destination),
        "Key": upload.key,
        "UploadId": upload.upload_id,
    }


def restore_parameters(request: RestoreRequest) -> Parameters:
    """Parameters of RestoreObject; days are refused for what leaves a tier (S3 API)."""
    assert request.days is None or request.days >= 1, "a copy stays for a day at least"
    days = {} if request.days is None else {"Days": request.days}
    return {
        **version_parameters(request.place, request.key, request.version_id),
        "RestoreRequest": {**days, "GlacierJobParameters": {"Tier": request.tier}},
    }


def hide_parameters(request: HideRequest) -> Parameters:
    """Parameters of DeleteObject over exactly one version; never with a version ID."""
    return {
        **bucket_parameters(request.destination),
        "Key": request.key,
        "IfMatch": _quoted(request.etag),
    }


def mark_absent_parameters(request: MarkAbsentRequest) -> Parameters:
    """Parameters of DeleteObject onto a key without an object; never with a version ID."""
    return {**bucket_parameters(request.destination), "Key": request.key}


def put_parameters(
    place: BucketPlace, key: str, *, encryption: Encryption, content_type: str
) -> Parameters:
    """Parameters of PutObject onto an absent key; the body and its digests are the caller's."""
    return {
        **bucket_parameters(place),
        "Key": key,
        "IfNoneMatch": "*",
        "ContentType": content_type,
        **_encryption(encryption),
    }


def resumed_parameters(place: BucketPlace, key: str, *, etag: ETag, first_byte: int) -> Parameters:
    """Parameters of GetObject for the rest of the very object whose first bytes were read."""
    return {
        **version_parameters(place, key, None),
        "IfMatch": _quoted(etag),
        "Range": f"bytes={first_byte}-",
    }


def _source(source: CopySource) -> Parameters:
    return {
        # A dict: botocore percent-encodes the key of a dict once, and a string's in part.
        "CopySource": {
            "Bucket": source.place.bucket,
            "Key": source.key,
            "VersionId": source.version_id,
        },
        "CopySourceIfMatch": _quoted(source.etag),
        "ExpectedSourceBucketOwner": source.place.expected_owner,
    }


def _precondition(precondition: Precondition) -> Parameters:
    if isinstance(precondition, IfAbsent):
        return {"IfNoneMatch": "*"}
    return {"IfMatch": _quoted(precondition.etag)}


def _quoted(etag: ETag) -> str:
    return f'"{etag}"'  # RFC 9110 §8.8.3: an entity tag on the wire has quotes


def _encryption(encryption: Encryption | None) -> Parameters:
    if encryption is None or encryption.kind is EncryptionKind.NONE:
        return {}
    if encryption.kind is EncryptionKind.SSE_C:
        return {}  # the key says it: `customer_keys`, which refuses where there is none
    parameters: Parameters = {"ServerSideEncryption": encryption.kind.value}
    if encryption.kms_key_arn is not None:
        parameters["SSEKMSKeyId"] = encryption.kms_key_arn
    if encryption.is_bucket_key_enabled:
        parameters["BucketKeyEnabled"] = True
    return parameters


def _extras(extras: Extras) -> Parameters:
    """Return what a copy leaves behind unless it is named (S3 API: CopyObject)."""
    parameters: Parameters = {}
    if extras.website_redirect:
        parameters["WebsiteRedirectLocation"] = extras.website_redirect
    if extras.checksum_algorithm:
        parameters["ChecksumAlgorithm"] = extras.checksum_algorithm
    if extras.lock is not None:
        if extras.lock.mode:
            assert extras.lock.retain_until is not None, "retention has an end"
            parameters["ObjectLockMode"] = extras.lock.mode
            parameters["ObjectLockRetainUntilDate"] = _moment(extras.lock.retain_until)
        if extras.lock.has_legal_hold:
            parameters["ObjectLockLegalHoldStatus"] = "ON"
    for permission, parameter in _GRANTS.items():
        grantees = [
            f'{_GRANTEES[grant.kind]}="{grant.grantee}"'
            for grant in extras.grants
            if grant.permission == permission
        ]
        if grantees:
            parameters[parameter] = ", ".join(grantees)
    assert all(grant.permission in _GRANTS for grant in extras.grants), "what can be granted"
    return parameters


def _moment(moment: datetime) -> str:
    """Return a time as the SDK would write it, which takes a text as well as a datetime."""
    assert not moment.microsecond, "the SDK leaves them out, and the lock would end earlier"
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content_headers(headers: ContentHeaders) -> Parameters:
    return {
        parameter: value
        for field, parameter in _CONTENT_HEADERS.items()
        if (value := getattr(headers, field)) is not None
    }


def _part(part: CopiedPart) -> Parameters:
    return {
        "PartNumber": part.part_number,
        "ETag": _quoted(part.etag),
        **{f"Checksum{sum_.algorithm}": _wire_value(sum_) for sum_ in part.checksums},
    }


def _wire_value(checksum: Checksum) -> str:
    assert checksum.part_count is None, "a part is no composite"
    return checksum.value
