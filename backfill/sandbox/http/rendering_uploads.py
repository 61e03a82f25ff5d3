"""From the model's results to answers: multipart uploads.

Never looks at the model. One law: a part's checksum goes out without `-N`, an object's with it.
"""

from urllib.parse import quote

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.http.rendering import (
    algorithm_elements,
    checksum_elements,
    encryption_headers,
    key_spelling,
    optional,
    owner,
    quoted,
    xml_answer,
    xml_time,
)
from backfill.sandbox.http.xml import boolean, branch, leaf
from backfill.sandbox.model.operations.copies import PartResult
from backfill.sandbox.model.operations.multipart import (
    CompleteMultipartUploadResult,
    CreateMultipartUploadResult,
    ListPartsResult,
)


def create_upload(result: CreateMultipartUploadResult, inbound: Inbound) -> HttpResponse:
    algorithm, type_ = result.checksum_algorithm, result.checksum_type
    headers = (
        *optional(
            ("x-amz-checksum-algorithm", algorithm and algorithm.value),
            ("x-amz-checksum-type", type_ and type_.value),
        ),
        *encryption_headers(result.encryption),
    )
    parts = [
        leaf("Bucket", inbound.bucket),
        leaf("Key", inbound.key),
        leaf("UploadId", result.upload_id),
    ]
    return xml_answer("InitiateMultipartUploadResult", parts, headers=headers)


def upload_part(result: PartResult, _inbound: Inbound) -> HttpResponse:
    checksum = result.checksum
    algorithm = None if checksum is None else f"x-amz-checksum-{checksum.algorithm.value.lower()}"
    return HttpResponse(
        status=200,
        headers=(
            ("ETag", quoted(result.etag)),
            *(() if checksum is None or algorithm is None else ((algorithm, checksum.value),)),
            *encryption_headers(result.encryption),
        ),
    )


def upload_part_copy(result: PartResult, _inbound: Inbound) -> HttpResponse:
    checksum = result.checksum
    parts = [
        leaf("LastModified", xml_time(result.last_modified)),
        leaf("ETag", quoted(result.etag)),
        "" if checksum is None else leaf(f"Checksum{checksum.algorithm.value}", checksum.value),
    ]
    headers = (
        *optional(("x-amz-copy-source-version-id", result.source_version_id)),
        *encryption_headers(result.encryption),
    )
    return xml_answer("CopyPartResult", parts, headers=headers)


def complete_upload(result: CompleteMultipartUploadResult, inbound: Inbound) -> HttpResponse:
    place = f"https://{inbound.bucket}.s3.{result.location_region}.amazonaws.com/"
    parts = [
        leaf("Location", place + quote(inbound.key, safe="")),
        leaf("Bucket", inbound.bucket),
        leaf("Key", inbound.key),
        leaf("ETag", quoted(result.etag)),
        checksum_elements(result.checksum),
    ]
    headers = (
        *optional(("x-amz-version-id", result.version_id)),
        *encryption_headers(result.encryption),
    )
    return xml_answer("CompleteMultipartUploadResult", parts, headers=headers)


def list_parts(result: ListPartsResult, inbound: Inbound) -> HttpResponse:
    spelled = key_spelling(inbound.query.get("encoding-type"))
    rows = [
        branch(
            "Part",
            [
                leaf("PartNumber", part.number),
                leaf("LastModified", xml_time(part.last_modified)),
                leaf("ETag", quoted(part.etag)),
                leaf("Size", part.size_bytes),
                ""
                if part.checksum is None
                else leaf(f"Checksum{part.checksum.algorithm.value}", part.checksum.value),
            ],
        )
        for part in result.parts
    ]
    parts = [
        leaf("Bucket", inbound.bucket),
        leaf("Key", spelled(inbound.key)),
        leaf("UploadId", inbound.query["uploadId"]),
        branch("Initiator", [leaf("ID", result.initiator_arn)]),
        owner(result.owner_id),
        leaf("StorageClass", result.storage_class),
        leaf("PartNumberMarker", result.part_number_marker),
        leaf("NextPartNumberMarker", result.next_part_number_marker),
        leaf("MaxParts", result.max_parts),
        boolean("IsTruncated", value=result.is_truncated),
        algorithm_elements(result.checksum_algorithm, result.checksum_type),
        *rows,
    ]
    return xml_answer("ListPartsResult", parts)
