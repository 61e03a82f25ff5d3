"""From a routed request to the model's request: operations on objects and uploads.

Never decides whether a value is allowed where the model does. One law: every header and element
that changes what is stored is read, and one that is not carried was refused before.
"""

from datetime import datetime

from backfill.sandbox.http.inbound import Inbound, copy_source_parts
from backfill.sandbox.http.refusals import invalid_argument, invalid_request, malformed_xml
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model.operations.copies import (
    CopyObjectRequest,
    CopySource,
    UploadPartCopyRequest,
    UploadPartRequest,
)
from backfill.sandbox.model.operations.multipart import (
    AbortMultipartUploadRequest,
    CompletedPart,
    CompleteMultipartUploadRequest,
    CreateMultipartUploadRequest,
    ListPartsRequest,
)
from backfill.sandbox.model.operations.objects import (
    DeleteEntry,
    DeleteObjectRequest,
    DeleteObjectsRequest,
    GetObjectAttributesRequest,
    PutObjectAclRequest,
    PutObjectLockRequest,
    PutObjectRequest,
    PutObjectTaggingRequest,
    ReadObjectRequest,
    RestoreObjectRequest,
    VersionRequest,
)
from backfill.sandbox.model.values import (
    ContentHeaders,
    ObjectLock,
    ReadConditions,
    RequestedEncryption,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)

_SSE = "x-amz-server-side-encryption"
_LOCK = "x-amz-object-lock-"
_SOURCE = "x-amz-copy-source"


def put_object(inbound: Inbound) -> PutObjectRequest:
    return PutObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        body=inbound.body,
        attributes=_attributes(inbound),
        checksum=inbound.checksum(),
        conditions=_write_conditions(inbound),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def copy_object(inbound: Inbound) -> CopyObjectRequest:
    return CopyObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        source=_copy_source(inbound),
        metadata_directive=inbound.header("x-amz-metadata-directive"),
        tagging_directive=inbound.header("x-amz-tagging-directive"),
        attributes=_attributes(inbound),
        checksum_algorithm=inbound.header("x-amz-checksum-algorithm"),
        conditions=_write_conditions(inbound),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def read_object(inbound: Inbound) -> ReadObjectRequest:
    return ReadObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        range=inbound.header("range"),
        part_number=inbound.number("partNumber", 0) if "partNumber" in inbound.query else None,
        is_checksum_mode_enabled=(inbound.header("x-amz-checksum-mode") or "").upper() == "ENABLED",
        conditions=_read_conditions(inbound, ""),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def object_attributes(inbound: Inbound) -> GetObjectAttributesRequest:
    return GetObjectAttributesRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        attributes=tuple(
            name.strip()
            for name in (inbound.header("x-amz-object-attributes") or "").split(",")
            if name.strip()
        ),
        version_id=inbound.version_id,
        max_parts=_header_number(inbound, "x-amz-max-parts", 1000),
        part_number_marker=_header_number(inbound, "x-amz-part-number-marker", 0),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def version(inbound: Inbound) -> VersionRequest:
    return VersionRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def delete_object(inbound: Inbound) -> DeleteObjectRequest:
    return DeleteObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        if_match=inbound.header("if-match"),
        is_governance_bypassed=bool(inbound.flag("x-amz-bypass-governance-retention")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def is_quiet_delete(inbound: Inbound) -> bool:
    """Whether DeleteObjects was asked to answer failures only."""
    return inbound.document("Delete").text_of("Quiet") == "true"


def delete_objects(inbound: Inbound) -> DeleteObjectsRequest:
    if inbound.header("content-md5") is None and inbound.checksum() is None:
        raise invalid_request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            fact="S3 API: DeleteObjects, Content-MD5",
        )
    root = inbound.document("Delete")
    return DeleteObjectsRequest(
        bucket=inbound.bucket,
        entries=tuple(
            DeleteEntry(
                key=_needed(entry, "Key"),
                version_id=entry.text_of("VersionId"),
                if_match=entry.text_of("ETag"),
            )
            for entry in root.all("Object")
        ),
        is_governance_bypassed=bool(inbound.flag("x-amz-bypass-governance-retention")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_object_tagging(inbound: Inbound) -> PutObjectTaggingRequest:
    tag_set = inbound.document("Tagging").child("TagSet")
    if tag_set is None:
        raise malformed_xml()
    return PutObjectTaggingRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        tags=tuple((_needed(tag, "Key"), _needed(tag, "Value")) for tag in tag_set.all("Tag")),
        version_id=inbound.version_id,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_object_acl(inbound: Inbound) -> PutObjectAclRequest:
    acl = inbound.header("x-amz-acl")
    if acl is None:
        raise invalid_request(
            "This sandbox carries canned ACLs only: send x-amz-acl.", fact="S3 API: PutObjectAcl"
        )
    return PutObjectAclRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        acl=acl,
        version_id=inbound.version_id,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_retention(inbound: Inbound) -> PutObjectLockRequest:
    root = inbound.document("Retention")
    until = root.text_of("RetainUntilDate")
    return PutObjectLockRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        mode=root.text_of("Mode"),
        retain_until=None if until is None else _iso_time(until),
        is_governance_bypassed=bool(inbound.flag("x-amz-bypass-governance-retention")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_legal_hold(inbound: Inbound) -> PutObjectLockRequest:
    status = inbound.document("LegalHold").text_of("Status")
    if status not in {"ON", "OFF"}:
        raise malformed_xml()
    return PutObjectLockRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        has_legal_hold=status == "ON",
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def restore_object(inbound: Inbound) -> RestoreObjectRequest:
    days = inbound.document("RestoreRequest").text_of("Days")
    return RestoreObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        days=None if days is None else _xml_number(days),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def create_upload(inbound: Inbound) -> CreateMultipartUploadRequest:
    return CreateMultipartUploadRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        attributes=_attributes(inbound),
        checksum_algorithm=inbound.header("x-amz-checksum-algorithm"),
        checksum_type=inbound.header("x-amz-checksum-type"),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def upload_part(inbound: Inbound) -> UploadPartRequest:
    return UploadPartRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        upload_id=inbound.query["uploadId"],
        part_number=_part_number(inbound),
        body=inbound.body,
        checksum=inbound.checksum(),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def upload_part_copy(inbound: Inbound) -> UploadPartCopyRequest:
    return UploadPartCopyRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        upload_id=inbound.query["uploadId"],
        part_number=_part_number(inbound),
        source=_copy_source(inbound),
        range=inbound.header("x-amz-copy-source-range"),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def complete_upload(inbound: Inbound) -> CompleteMultipartUploadRequest:
    # The checksum header is of the whole object here, not of this body.
    root = inbound.document("CompleteMultipartUpload", is_checksum_of_body=False)
    size = inbound.header("x-amz-mp-object-size")
    return CompleteMultipartUploadRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        upload_id=inbound.query["uploadId"],
        parts=tuple(_completed_part(part) for part in root.all("Part")),
        conditions=_write_conditions(inbound),
        checksum=inbound.checksum(),
        checksum_type=inbound.header("x-amz-checksum-type"),
        object_size_bytes=None if size is None else _xml_number(size),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def abort_upload(inbound: Inbound) -> AbortMultipartUploadRequest:
    return AbortMultipartUploadRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        upload_id=inbound.query["uploadId"],
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def list_parts(inbound: Inbound) -> ListPartsRequest:
    return ListPartsRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        upload_id=inbound.query["uploadId"],
        max_parts=inbound.number("max-parts", 1000),
        part_number_marker=inbound.number("part-number-marker", 0),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def _attributes(inbound: Inbound) -> WrittenAttributes:
    return WrittenAttributes(
        content=_content(inbound),
        metadata=inbound.metadata(),
        tags=inbound.tags(),
        storage_class=inbound.header("x-amz-storage-class"),
        encryption=RequestedEncryption(
            algorithm=inbound.header(_SSE),
            kms_key_id=inbound.header(f"{_SSE}-aws-kms-key-id"),
            is_bucket_key_enabled=inbound.flag(f"{_SSE}-bucket-key-enabled"),
            customer_key=inbound.customer_key(),
        ),
        lock=_lock(inbound),
        acl=inbound.header("x-amz-acl"),
        website_redirect_location=inbound.header("x-amz-website-redirect-location"),
    )


def _content(inbound: Inbound) -> ContentHeaders:
    encoding = ",".join(
        coding.strip()
        for coding in (inbound.header("content-encoding") or "").split(",")
        if coding.strip() != "aws-chunked"
    )
    return ContentHeaders(
        content_type=inbound.header("content-type") or "binary/octet-stream",
        cache_control=inbound.header("cache-control"),
        content_disposition=inbound.header("content-disposition"),
        content_encoding=encoding or None,
        content_language=inbound.header("content-language"),
        expires=inbound.header("expires"),
    )


def _lock(inbound: Inbound) -> ObjectLock | None:
    mode, until, hold = (
        inbound.header(f"{_LOCK}{name}") for name in ("mode", "retain-until-date", "legal-hold")
    )
    if mode is None and until is None and hold is None:
        return None
    return ObjectLock(
        mode=mode,
        retain_until=None if until is None else _iso_time(until),
        has_legal_hold=hold == "ON",
    )


def _write_conditions(inbound: Inbound) -> WriteConditions:
    return WriteConditions(
        if_match=inbound.header("if-match"), if_none_match=inbound.header("if-none-match")
    )


def _read_conditions(inbound: Inbound, prefix: str) -> ReadConditions:
    return ReadConditions(
        if_match=inbound.header(f"{prefix}if-match"),
        if_none_match=inbound.header(f"{prefix}if-none-match"),
        if_modified_since=inbound.instant(f"{prefix}if-modified-since"),
        if_unmodified_since=inbound.instant(f"{prefix}if-unmodified-since"),
    )


def _copy_source(inbound: Inbound) -> CopySource:
    bucket, key, version_id = copy_source_parts(inbound.request.headers[_SOURCE.encode()])
    return CopySource(
        bucket=bucket,
        key=key,
        version_id=version_id,
        conditions=_read_conditions(inbound, f"{_SOURCE}-"),
        customer_key=inbound.customer_key(f"{_SOURCE}-server-side-encryption-customer-"),
        expected_bucket_owner=inbound.header("x-amz-source-expected-bucket-owner"),
    )


def _completed_part(part: Element) -> CompletedPart:
    checksums = [
        SentChecksum(algorithm=child.name.removeprefix("Checksum"), value=child.text)
        for child in part.children
        if child.name.startswith("Checksum")
    ]
    if len(checksums) > 1:
        raise malformed_xml()
    return CompletedPart(
        number=_xml_number(_needed(part, "PartNumber")),
        etag=_needed(part, "ETag"),
        checksum=checksums[0] if checksums else None,
    )


def _needed(element: Element, name: str) -> str:
    text = element.text_of(name)
    if text is None:
        raise malformed_xml()
    return text


def _xml_number(text: str) -> int:
    stripped = text.strip()
    if not stripped.isascii() or not stripped.isdecimal() or len(stripped) > 18:
        raise malformed_xml()
    return int(stripped)


def _part_number(inbound: Inbound) -> int:
    number = inbound.number("partNumber", 0)
    if number < 1:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            name="partNumber",
            value=str(number),
            fact="S3 API: UploadPart, partNumber",
        )
    return number


def _header_number(inbound: Inbound, name: str, default: int) -> int:
    text = inbound.header(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise invalid_argument(
            f"Provided {name} not an integer or within integer range",
            name=name,
            value=text,
            fact="S3 API: GetObjectAttributes",
        )
    return int(text)


def _iso_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid_argument(
            "The retain until date must be provided in ISO 8601 format",
            name="x-amz-object-lock-retain-until-date",
            value=text,
            fact="S3 API: PutObject, x-amz-object-lock-retain-until-date",
        )
    return moment
