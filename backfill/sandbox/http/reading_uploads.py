"""From a routed request to the model's request: multipart uploads.

Never decides whether parts fit: the model does. One law: the checksum header of
CompleteMultipartUpload is of the object, not of the XML.
"""

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.reading_values import (
    copy_source,
    needed_text,
    write_conditions,
    written_attributes,
    xml_number,
)
from backfill.sandbox.http.refusals import invalid_argument, malformed_xml
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model.operations.copies import UploadPartCopyRequest, UploadPartRequest
from backfill.sandbox.model.operations.multipart import (
    AbortMultipartUploadRequest,
    CompletedPart,
    CompleteMultipartUploadRequest,
    CreateMultipartUploadRequest,
    ListPartsRequest,
)
from backfill.sandbox.model.values import SentChecksum


def create_upload(inbound: Inbound) -> CreateMultipartUploadRequest:
    return CreateMultipartUploadRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        attributes=written_attributes(inbound),
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
        content_md5=inbound.header("content-md5"),
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
        source=copy_source(inbound),
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
        conditions=write_conditions(inbound),
        checksum=inbound.checksum(),
        checksum_type=inbound.header("x-amz-checksum-type"),
        object_size_bytes=None if size is None else xml_number(size),
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


def _completed_part(part: Element) -> CompletedPart:
    checksums = [
        SentChecksum(algorithm=child.name.removeprefix("Checksum"), value=child.text)
        for child in part.children
        if child.name.startswith("Checksum")
    ]
    if len(checksums) > 1:
        raise malformed_xml()
    return CompletedPart(
        number=xml_number(needed_text(part, "PartNumber")),
        etag=needed_text(part, "ETag"),
        checksum=checksums[0] if checksums else None,
    )


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
