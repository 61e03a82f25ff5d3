"""From the model's results to answers: buckets, configurations and listings.

Never reorders. One law: ListObjectVersions keeps versions and delete markers interleaved as the
model gives them, because their order within a key is told nowhere else.
"""

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.http.rendering import (
    algorithm_elements,
    key_spelling,
    owner,
    quoted,
    xml_answer,
    xml_time,
)
from backfill.sandbox.http.xml import boolean, branch, leaf
from backfill.sandbox.model.operations.buckets import (
    DocumentResult,
    GetBucketEncryptionResult,
    GetBucketOwnershipControlsResult,
    GetBucketVersioningResult,
    GetObjectLockConfigurationResult,
    HeadBucketResult,
    ListBucketsResult,
)
from backfill.sandbox.model.operations.listings import (
    ListedObject,
    ListedVersion,
    ListObjectsResult,
    ListObjectVersionsResult,
)
from backfill.sandbox.model.operations.multipart import ListMultipartUploadsResult
from backfill.sandbox.model.values import Restore


def list_buckets(result: ListBucketsResult, _inbound: Inbound) -> HttpResponse:
    rows = [
        branch(
            "Bucket",
            [
                leaf("Name", each.name),
                leaf("CreationDate", xml_time(each.created_at)),
                leaf("BucketRegion", each.region),
            ],
        )
        for each in result.buckets
    ]
    return xml_answer("ListAllMyBucketsResult", [owner(result.owner_id), branch("Buckets", rows)])


def created_bucket(_result: None, inbound: Inbound) -> HttpResponse:
    return HttpResponse(status=200, headers=(("Location", f"/{inbound.bucket}"),))


def head_bucket(result: HeadBucketResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=200,
        headers=(
            ("x-amz-bucket-region", result.region),
            ("x-amz-access-point-alias", "false"),
            ("Content-Type", "application/xml"),
        ),
    )


def location(result: HeadBucketResult, _inbound: Inbound) -> HttpResponse:
    """us-east-1 is said by an empty element (S3 API: GetBucketLocation)."""
    region = "" if result.region == "us-east-1" else result.region
    return xml_answer("LocationConstraint", [region])


def versioning(result: GetBucketVersioningResult, _inbound: Inbound) -> HttpResponse:
    return xml_answer("VersioningConfiguration", [leaf("Status", result.status)])


def xml_document(result: DocumentResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=200,
        headers=(("Content-Type", "application/xml"),),
        body=result.document.encode("utf-8"),
    )


def json_document(result: DocumentResult, _inbound: Inbound) -> HttpResponse:
    return HttpResponse(
        status=200,
        headers=(("Content-Type", "application/json"),),
        body=result.document.encode("utf-8"),
    )


def encryption(result: GetBucketEncryptionResult, _inbound: Inbound) -> HttpResponse:
    default = branch(
        "ApplyServerSideEncryptionByDefault",
        [
            leaf("SSEAlgorithm", result.encryption.algorithm.value),
            leaf("KMSMasterKeyID", result.encryption.kms_key_arn),
        ],
    )
    blocked = leaf("EncryptionType", "SSE-C" if result.blocks_sse_c else "NONE")
    rule = [
        default,
        boolean("BucketKeyEnabled", value=result.encryption.is_bucket_key_enabled),
        branch("BlockedEncryptionTypes", [blocked]),
    ]
    return xml_answer("ServerSideEncryptionConfiguration", [branch("Rule", rule)])


def ownership(result: GetBucketOwnershipControlsResult, _inbound: Inbound) -> HttpResponse:
    rule = branch("Rule", [leaf("ObjectOwnership", result.object_ownership)])
    return xml_answer("OwnershipControls", [rule])


def lock_configuration(result: GetObjectLockConfigurationResult, _inbound: Inbound) -> HttpResponse:
    parts = [leaf("ObjectLockEnabled", "Enabled")]
    if (retention := result.default_retention) is not None:
        inner = [
            leaf("Mode", retention.mode),
            leaf("Days", retention.days),
            leaf("Years", retention.years),
        ]
        parts.append(branch("Rule", [branch("DefaultRetention", inner)]))
    return xml_answer("ObjectLockConfiguration", parts)


def list_versions(result: ListObjectVersionsResult, inbound: Inbound) -> HttpResponse:
    query = inbound.query
    spelled = key_spelling(query.get("encoding-type"))
    next_key = result.next_key_marker
    parts = [
        leaf("Name", inbound.bucket),
        leaf("Prefix", spelled(query.get("prefix", ""))),
        leaf("KeyMarker", spelled(query.get("key-marker", ""))),
        leaf("VersionIdMarker", query.get("version-id-marker", "")),
        leaf("NextKeyMarker", None if next_key is None else spelled(next_key)),
        leaf("NextVersionIdMarker", result.next_version_id_marker),
        leaf("MaxKeys", result.max_keys),
        _delimiter(inbound),
        leaf("EncodingType", query.get("encoding-type")),
        boolean("IsTruncated", value=result.is_truncated),
    ]
    owners = {entry.owner_id: owner(entry.owner_id) for entry in result.entries}
    parts += [_version(row, spelled(row.key), owners[row.owner_id]) for row in result.entries]
    parts += _common_prefixes(result.common_prefixes, inbound)
    return xml_answer("ListVersionsResult", parts)


def _version(row: ListedVersion, key: str, owner_element: str) -> str:
    identity = (
        leaf("Key", key)
        + leaf("VersionId", row.version_id)
        + boolean("IsLatest", value=row.is_latest)
        + leaf("LastModified", xml_time(row.last_modified))
    )
    if row.is_delete_marker:
        return f"<DeleteMarker>{identity}{owner_element}</DeleteMarker>"
    assert row.etag is not None
    return (
        f"<Version>{identity}{leaf('ETag', quoted(row.etag))}"
        f"{algorithm_elements(row.checksum_algorithm, row.checksum_type)}"
        f"{leaf('Size', row.size_bytes)}{owner_element}"
        f"{leaf('StorageClass', row.storage_class)}</Version>"
    )


def list_objects_v2(result: ListObjectsResult, inbound: Inbound) -> HttpResponse:
    query = inbound.query
    spelled = key_spelling(query.get("encoding-type"))
    has_owner = query.get("fetch-owner") == "true"
    start_after = query.get("start-after")
    parts = [
        leaf("Name", inbound.bucket),
        leaf("Prefix", spelled(query.get("prefix", ""))),
        leaf("ContinuationToken", query.get("continuation-token")),
        leaf("NextContinuationToken", result.next_continuation_token),
        leaf("StartAfter", None if start_after is None else spelled(start_after)),
        leaf("KeyCount", len(result.objects) + len(result.common_prefixes)),
        leaf("MaxKeys", result.max_keys),
        _delimiter(inbound),
        leaf("EncodingType", query.get("encoding-type")),
        boolean("IsTruncated", value=result.is_truncated),
    ]
    parts += [_object(row, spelled(row.key), has_owner=has_owner) for row in result.objects]
    parts += _common_prefixes(result.common_prefixes, inbound)
    return xml_answer("ListBucketResult", parts)


def list_objects(result: ListObjectsResult, inbound: Inbound) -> HttpResponse:
    query = inbound.query
    spelled = key_spelling(query.get("encoding-type"))
    # S3 says NextMarker only with a delimiter: else the last key is the marker.
    next_marker = result.next_marker if query.get("delimiter") else None
    parts = [
        leaf("Name", inbound.bucket),
        leaf("Prefix", spelled(query.get("prefix", ""))),
        leaf("Marker", spelled(query.get("marker", ""))),
        leaf("NextMarker", None if next_marker is None else spelled(next_marker)),
        leaf("MaxKeys", result.max_keys),
        _delimiter(inbound),
        leaf("EncodingType", query.get("encoding-type")),
        boolean("IsTruncated", value=result.is_truncated),
    ]
    parts += [_object(row, spelled(row.key), has_owner=True) for row in result.objects]
    parts += _common_prefixes(result.common_prefixes, inbound)
    return xml_answer("ListBucketResult", parts)


def _object(row: ListedObject, key: str, *, has_owner: bool) -> str:
    parts = [
        leaf("Key", key),
        leaf("LastModified", xml_time(row.last_modified)),
        leaf("ETag", quoted(row.etag)),
        algorithm_elements(row.checksum_algorithm, row.checksum_type),
        leaf("Size", row.size_bytes),
        owner(row.owner_id) if has_owner else "",
        leaf("StorageClass", row.storage_class),
        "" if row.restore is None else _restore_status(row.restore),
    ]
    return branch("Contents", parts)


def _restore_status(restore: Restore) -> str:
    expires = restore.expires_at
    return branch(
        "RestoreStatus",
        [
            boolean("IsRestoreInProgress", value=restore.is_ongoing),
            leaf("RestoreExpiryDate", None if expires is None else xml_time(expires)),
        ],
    )


def list_uploads(result: ListMultipartUploadsResult, inbound: Inbound) -> HttpResponse:
    query = inbound.query
    spelled = key_spelling(query.get("encoding-type"))
    next_key = result.next_key_marker
    rows = [
        branch(
            "Upload",
            [
                leaf("Key", spelled(row.key)),
                leaf("UploadId", row.upload_id),
                branch("Initiator", [leaf("ID", row.initiator_arn)]),
                owner(row.owner_id),
                leaf("StorageClass", row.storage_class),
                leaf("Initiated", xml_time(row.initiated_at)),
                algorithm_elements(row.checksum_algorithm, row.checksum_type),
            ],
        )
        for row in result.uploads
    ]
    parts = [
        leaf("Bucket", inbound.bucket),
        leaf("KeyMarker", spelled(query.get("key-marker", ""))),
        leaf("UploadIdMarker", query.get("upload-id-marker", "")),
        leaf("NextKeyMarker", None if next_key is None else spelled(next_key)),
        leaf("NextUploadIdMarker", result.next_upload_id_marker),
        _delimiter(inbound),
        leaf("Prefix", spelled(query.get("prefix", ""))),
        leaf("EncodingType", query.get("encoding-type")),
        leaf("MaxUploads", query.get("max-uploads") or "1000"),
        boolean("IsTruncated", value=result.is_truncated),
        *rows,
        *_common_prefixes(result.common_prefixes, inbound),
    ]
    return xml_answer("ListMultipartUploadsResult", parts)


def _delimiter(inbound: Inbound) -> str:
    delimiter = inbound.query.get("delimiter")
    spelled = key_spelling(inbound.query.get("encoding-type"))
    return leaf("Delimiter", spelled(delimiter)) if delimiter else ""


def _common_prefixes(prefixes: tuple[str, ...], inbound: Inbound) -> list[str]:
    spelled = key_spelling(inbound.query.get("encoding-type"))
    return [branch("CommonPrefixes", [leaf("Prefix", spelled(each))]) for each in prefixes]
