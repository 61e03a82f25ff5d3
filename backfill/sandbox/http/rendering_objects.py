"""From the model's results to answers: operations on objects.

Never looks at the model. One law: an ETag is quoted everywhere but in GetObjectAttributes.
"""

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.http.reading_objects import is_quiet_delete
from backfill.sandbox.http.refusals import invalid_argument
from backfill.sandbox.http.rendering import (
    checksum_elements,
    checksum_headers,
    encryption_headers,
    http_time,
    mail_safe,
    optional,
    owner,
    quoted,
    xml_answer,
    xml_time,
)
from backfill.sandbox.http.xml import boolean, branch, grantee, group, leaf
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.operations.copies import CopyObjectResult
from backfill.sandbox.model.operations.objects import (
    DeleteObjectResult,
    DeleteObjectsResult,
    GetObjectAclResult,
    GetObjectAttributesResult,
    GetObjectResult,
    ObjectDescription,
    PartsPage,
    PutObjectResult,
    RestoreObjectResult,
    TaggingResult,
)
from backfill.sandbox.model.values import ObjectLock, Restore

_LOCK = "x-amz-object-lock-"


def nothing(_result: None, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(status=200)


def no_content(_result: None, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(status=204)


def put_object(result: PutObjectResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=200,
        headers=(
            ("ETag", quoted(result.etag)),
            *optional(("x-amz-version-id", result.version_id)),
            *checksum_headers(result.checksum),
            *encryption_headers(result.encryption),
        ),
    )


def copy_object(result: CopyObjectResult, _inbound: Inbound) -> HttpResponse:
    headers = (
        *optional(
            ("x-amz-copy-source-version-id", result.source_version_id),
            ("x-amz-version-id", result.version_id),
        ),
        *encryption_headers(result.encryption),
    )
    parts = [
        leaf("LastModified", xml_time(result.last_modified)),
        leaf("ETag", quoted(result.etag)),
        checksum_elements(result.checksum),
    ]
    return xml_answer("CopyObjectResult", parts, headers=headers)


def get_object(result: GetObjectResult, inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=result.description.status,
        headers=_overridden(_description_headers(result.description), inbound),
        body=result.body,
    )


def head_object(result: ObjectDescription, inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=result.status,
        headers=_overridden(_description_headers(result), inbound),
        announced_bytes=result.size_bytes,
    )


def _description_headers(result: ObjectDescription) -> Pairs:
    content = result.content
    tag_count, parts_count = result.tag_count, result.parts_count
    return (
        ("Last-Modified", http_time(result.last_modified)),
        ("ETag", quoted(result.etag)),
        ("Accept-Ranges", "bytes"),
        ("Content-Type", content.content_type),
        *optional(
            ("Content-Range", result.content_range),
            ("Cache-Control", content.cache_control),
            ("Content-Disposition", content.content_disposition),
            ("Content-Encoding", content.content_encoding),
            ("Content-Language", content.content_language),
            ("Expires", content.expires),
            ("x-amz-version-id", result.version_id),
            ("x-amz-storage-class", result.storage_class),
            ("x-amz-replication-status", result.replication_status),
            ("x-amz-tagging-count", str(tag_count) if tag_count else None),
            ("x-amz-mp-parts-count", None if parts_count is None else str(parts_count)),
            ("x-amz-restore", None if result.restore is None else _restore(result.restore)),
            ("x-amz-archive-status", result.archive_status),
            ("x-amz-website-redirect-location", result.website_redirect_location),
        ),
        *((f"x-amz-meta-{name}", mail_safe(value)) for name, value in result.metadata),
        *checksum_headers(result.checksum),
        *encryption_headers(result.encryption),
        *_lock_headers(result.lock),
    )


def _restore(restore: Restore) -> str:
    if restore.is_ongoing or restore.expires_at is None:
        return f'ongoing-request="{"true" if restore.is_ongoing else "false"}"'
    return f'ongoing-request="false", expiry-date="{http_time(restore.expires_at)}"'


def _lock_headers(lock: ObjectLock | None) -> Pairs:
    if lock is None:
        return ()
    until = lock.retain_until
    return optional(
        (f"{_LOCK}mode", lock.mode),
        (f"{_LOCK}retain-until-date", None if until is None else xml_time(until)),
        (f"{_LOCK}legal-hold", None if lock.has_legal_hold is None else _hold(lock)),
    )


def _overridden(headers: Pairs, inbound: Inbound) -> Pairs:
    """`response-content-type` and its kin (S3 API: GetObject)."""
    wanted = {
        name.removeprefix("response-"): value
        for name, value in inbound.query.items()
        if name.startswith("response-")
    }
    for name, value in wanted.items():
        if not value.isascii() or not value.isprintable():  # CR and LF would begin a new header
            raise invalid_argument(
                "Header value cannot be represented using ISO-8859-1.",
                name=f"response-{name}",
                value=value,
                fact="S3 API: GetObject, response-* parameters",
            )
    if not wanted:
        return headers
    kept = tuple(pair for pair in headers if pair[0].lower() not in wanted)
    return (*kept, *wanted.items())


def delete_object(result: DeleteObjectResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=204,
        headers=optional(
            ("x-amz-version-id", result.version_id),
            ("x-amz-delete-marker", "true" if result.is_delete_marker else None),
        ),
    )


def delete_objects(result: DeleteObjectsResult, inbound: Inbound) -> HttpResponse:
    deleted = [
        branch(
            "Deleted",
            [
                leaf("Key", entry.key),
                leaf("VersionId", entry.version_id),
                boolean("DeleteMarker", value=True) if entry.is_delete_marker else "",
                leaf("DeleteMarkerVersionId", entry.delete_marker_version_id),
            ],
        )
        for entry in result.deleted
    ]
    failed = [
        branch(
            "Error",
            [
                leaf("Key", failure.key),
                leaf("VersionId", failure.version_id),
                leaf("Code", failure.code),
                leaf("Message", failure.message),
            ],
        )
        for failure in result.failures
    ]
    return xml_answer("DeleteResult", failed if is_quiet_delete(inbound) else [*deleted, *failed])


def attributes(result: GetObjectAttributesResult, _inbound: Inbound) -> HttpResponse:
    checksum = result.checksum
    parts = [
        leaf("ETag", result.etag),
        ""
        if checksum is None
        else branch(
            "Checksum",
            [
                leaf(f"Checksum{checksum.algorithm.value}", checksum.value),
                leaf("ChecksumType", checksum.type.value),
            ],
        ),
        "" if result.parts is None else _parts_page(result.parts),
        leaf("StorageClass", result.storage_class),
        leaf("ObjectSize", result.size_bytes),
    ]
    headers = (
        ("Last-Modified", http_time(result.last_modified)),
        *optional(("x-amz-version-id", result.version_id)),
    )
    return xml_answer("GetObjectAttributesResponse", parts, headers=headers)


def _parts_page(page: PartsPage) -> str:
    if page.parts is None:
        return branch("ObjectParts", [leaf("PartsCount", page.total_parts_count)])
    rows = [
        branch(
            "Part",
            [
                leaf("PartNumber", part.number),
                leaf("Size", part.size_bytes),
                ""
                if part.checksum is None
                else leaf(f"Checksum{part.checksum.algorithm.value}", part.checksum.value),
            ],
        )
        for part in page.parts
    ]
    return branch(
        "ObjectParts",
        [
            leaf("PartsCount", page.total_parts_count),
            leaf("PartNumberMarker", page.part_number_marker),
            leaf("NextPartNumberMarker", page.next_part_number_marker),
            leaf("MaxParts", page.max_parts),
            boolean("IsTruncated", value=page.is_truncated),
            *rows,
        ],
    )


def get_tagging(result: TaggingResult, _inbound: Inbound) -> HttpResponse:
    tags = [branch("Tag", [leaf("Key", name), leaf("Value", value)]) for name, value in result.tags]
    return xml_answer(
        "Tagging",
        [branch("TagSet", tags)],
        headers=optional(("x-amz-version-id", result.version_id)),
    )


def put_tagging(result: TaggingResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(status=200, headers=optional(("x-amz-version-id", result.version_id)))


def delete_tagging(result: TaggingResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(status=204, headers=optional(("x-amz-version-id", result.version_id)))


def get_acl(result: GetObjectAclResult, _inbound: Inbound) -> HttpResponse:
    grants = [
        branch(
            "Grant",
            [
                group(grant.grantee) if grant.is_of_group else grantee(grant.grantee),
                leaf("Permission", grant.permission),
            ],
        )
        for grant in result.grants
    ]
    return xml_answer(
        "AccessControlPolicy",
        [owner(result.owner_id), branch("AccessControlList", grants)],
        headers=optional(("x-amz-version-id", result.version_id)),
    )


def get_retention(result: ObjectLock, _inbound: Inbound) -> HttpResponse:
    until = result.retain_until
    parts = [
        leaf("Mode", result.mode),
        leaf("RetainUntilDate", None if until is None else xml_time(until)),
    ]
    return xml_answer("Retention", parts)


def get_legal_hold(result: ObjectLock, _inbound: Inbound) -> HttpResponse:
    return xml_answer("LegalHold", [leaf("Status", _hold(result))])


def _hold(lock: ObjectLock) -> str:
    return "ON" if lock.has_legal_hold else "OFF"


def restore(result: RestoreObjectResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(status=result.status)
