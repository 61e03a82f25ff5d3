"""From the SDK parameters that the product builds to requests of the reference model, and back.

Going through `backfill.aws.requests` is the point: a guard that the product forgets to put into the
parameters is forgotten here too, and the model acts as S3 would.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    ReplicationStatus,
)
from backfill.model.objects import (
    NULL_VERSION_ID,
    Checksum,
    ChecksumType,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.store import Grant, ObjectAcl
from backfill.sandbox.model import values
from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.operations import copies, multipart, objects
from backfill.sandbox.model.operations.listings import ListedVersion

Parameters = Mapping[str, object]

_CONTENT = {
    "ContentType": "content_type",
    "ContentEncoding": "content_encoding",
    "ContentLanguage": "content_language",
    "ContentDisposition": "content_disposition",
    "CacheControl": "cache_control",
    "Expires": "expires",
}
_GRANTS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWriteACP": "WRITE_ACP",
}


def text(parameters: Parameters, name: str) -> str:
    value = parameters[name]
    assert isinstance(value, str), f"{name} is text"
    return value


def optional(parameters: Parameters, name: str) -> str | None:
    value = parameters.get(name)
    assert value is None or isinstance(value, str), f"{name} is text"
    return value


def number(parameters: Parameters, name: str) -> int:
    value = parameters[name]
    assert isinstance(value, int), f"{name} is a number"
    return value


def mapping(parameters: Parameters, name: str) -> Parameters:
    value = parameters.get(name, {})
    assert isinstance(value, Mapping), f"{name} has members"
    return value


def copy_source(parameters: Parameters) -> copies.CopySource:
    source = mapping(parameters, "CopySource")
    return copies.CopySource(
        bucket=text(source, "Bucket"),
        key=text(source, "Key"),
        version_id=optional(source, "VersionId"),
        conditions=values.ReadConditions(if_match=optional(parameters, "CopySourceIfMatch")),
        expected_bucket_owner=optional(parameters, "ExpectedSourceBucketOwner"),
    )


def write_conditions(parameters: Parameters) -> values.WriteConditions:
    return values.WriteConditions(
        if_match=optional(parameters, "IfMatch"),
        if_none_match=optional(parameters, "IfNoneMatch"),
    )


def encryption(parameters: Parameters) -> values.RequestedEncryption:
    return values.RequestedEncryption(
        algorithm=optional(parameters, "ServerSideEncryption"),
        kms_key_id=optional(parameters, "SSEKMSKeyId"),
    )


def lock(parameters: Parameters) -> values.ObjectLock | None:
    mode, until = optional(parameters, "ObjectLockMode"), None
    if (told := optional(parameters, "ObjectLockRetainUntilDate")) is not None:
        until = datetime.fromisoformat(told)
    is_held = optional(parameters, "ObjectLockLegalHoldStatus") == "ON"
    if mode is None and until is None and not is_held:
        return None
    return values.ObjectLock(mode=mode, retain_until=until, has_legal_hold=is_held)


def grants(parameters: Parameters) -> tuple[values.Grant, ...]:
    return tuple(
        values.Grant(grantee=grantee, permission=permission)
        for parameter, permission in _GRANTS.items()
        for grantee in re.findall(r'(?:id|uri)="([^"]*)"', optional(parameters, parameter) or "")
    )


def copy_request(parameters: Parameters) -> copies.CopyObjectRequest:
    return copies.CopyObjectRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        source=copy_source(parameters),
        metadata_directive=optional(parameters, "MetadataDirective"),
        tagging_directive=optional(parameters, "TaggingDirective"),
        attributes=values.WrittenAttributes(
            storage_class=optional(parameters, "StorageClass"),
            encryption=encryption(parameters),
            lock=lock(parameters),
            grants=grants(parameters),
            website_redirect_location=optional(parameters, "WebsiteRedirectLocation"),
        ),
        checksum_algorithm=optional(parameters, "ChecksumAlgorithm"),
        conditions=write_conditions(parameters),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def create_upload_request(parameters: Parameters) -> multipart.CreateMultipartUploadRequest:
    content = {field: optional(parameters, name) for name, field in _CONTENT.items()}
    given = {field: value for field, value in content.items() if value is not None}
    return multipart.CreateMultipartUploadRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        attributes=values.WrittenAttributes(
            content=values.ContentHeaders(**given),
            metadata=tuple((k, str(v)) for k, v in mapping(parameters, "Metadata").items()),
            tags=tuple(parse_qsl(optional(parameters, "Tagging") or "", keep_blank_values=True)),
            storage_class=optional(parameters, "StorageClass"),
            encryption=encryption(parameters),
            lock=lock(parameters),
            grants=grants(parameters),
            website_redirect_location=optional(parameters, "WebsiteRedirectLocation"),
        ),
        checksum_algorithm=optional(parameters, "ChecksumAlgorithm"),
        checksum_type=optional(parameters, "ChecksumType"),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def part_request(parameters: Parameters) -> copies.UploadPartCopyRequest:
    return copies.UploadPartCopyRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        upload_id=text(parameters, "UploadId"),
        part_number=number(parameters, "PartNumber"),
        source=copy_source(parameters),
        range=optional(parameters, "CopySourceRange"),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def completion_request(parameters: Parameters) -> multipart.CompleteMultipartUploadRequest:
    parts = mapping(parameters, "MultipartUpload")["Parts"]
    assert isinstance(parts, list), "a list of parts"
    return multipart.CompleteMultipartUploadRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        upload_id=text(parameters, "UploadId"),
        parts=tuple(_completed_part(part) for part in parts),
        conditions=write_conditions(parameters),
        checksum_type=optional(parameters, "ChecksumType"),
        object_size_bytes=number(parameters, "MpuObjectSize"),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def _completed_part(part: Parameters) -> multipart.CompletedPart:
    sums = {name: value for name, value in part.items() if name.startswith("Checksum")}
    checksum = next(
        (
            values.SentChecksum(algorithm=name.removeprefix("Checksum"), value=str(value))
            for name, value in sums.items()
        ),
        None,
    )
    return multipart.CompletedPart(
        number=number(part, "PartNumber"), etag=text(part, "ETag"), checksum=checksum
    )


def parts_request(parameters: Parameters) -> multipart.ListPartsRequest:
    return multipart.ListPartsRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        upload_id=text(parameters, "UploadId"),
        max_parts=number(parameters, "MaxParts"),
        part_number_marker=number({"PartNumberMarker": 0, **parameters}, "PartNumberMarker"),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def abort_request(parameters: Parameters) -> multipart.AbortMultipartUploadRequest:
    return multipart.AbortMultipartUploadRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        upload_id=text(parameters, "UploadId"),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def delete_request(parameters: Parameters) -> objects.DeleteObjectRequest:
    return objects.DeleteObjectRequest(
        bucket=text(parameters, "Bucket"),
        key=text(parameters, "Key"),
        version_id=optional(parameters, "VersionId"),
        if_match=optional(parameters, "IfMatch"),
        expected_bucket_owner=optional(parameters, "ExpectedBucketOwner"),
    )


def listed_entry(row: ListedVersion) -> ListedEntry:
    version_id = VersionId(row.version_id)
    if row.is_delete_marker:
        return DeleteMarker(
            key=row.key,
            version_id=version_id,
            is_latest=row.is_latest,
            last_modified=row.last_modified,
        )
    assert row.etag is not None, "a version has an ETag"
    assert row.size_bytes is not None, "a version has a size"
    return ObjectVersion(
        key=row.key,
        version_id=version_id,
        is_latest=row.is_latest,
        last_modified=row.last_modified,
        etag=ETag(row.etag),
        size_bytes=row.size_bytes,
        storage_class=row.storage_class or "STANDARD",
        checksum_algorithms=(row.checksum_algorithm.value,) if row.checksum_algorithm else (),
        checksum_type=ChecksumType(row.checksum_type.value) if row.checksum_type else None,
    )


def checksums(stored: values.Checksum | None) -> tuple[Checksum, ...]:
    if stored is None:
        return ()
    return (
        Checksum(
            algorithm=stored.algorithm.value,
            value=stored.value,
            type=ChecksumType(stored.type.value),
            part_count=stored.parts_count,
        ),
    )


def object_acl(told: objects.GetObjectAclResult) -> ObjectAcl:
    grants = (
        Grant(grant.permission, "uri" if grant.is_of_group else "id", grant.grantee)
        for grant in told.grants
    )
    return ObjectAcl(canonical_id(told.owner_id), tuple(grants))


def object_head(told: objects.ObjectDescription) -> ObjectHead:
    content, lock = told.content, told.lock
    status = told.replication_status
    return ObjectHead(
        version_id=VersionId(told.version_id or NULL_VERSION_ID),
        etag=ETag(told.etag),
        size_bytes=told.size_bytes,
        last_modified=told.last_modified,
        storage_class=told.storage_class or "STANDARD",
        metadata=tuple(sorted(told.metadata)),
        content_headers=ContentHeaders(
            **{field: getattr(content, field) for field in _CONTENT.values()}
        ),
        tag_count=told.tag_count,
        checksums=checksums(told.checksum),
        encryption=Encryption(
            kind=EncryptionKind(told.encryption.algorithm.value),
            kms_key_arn=told.encryption.kms_key_arn,
            is_bucket_key_enabled=told.encryption.is_bucket_key_enabled,
        ),
        replication_status=ReplicationStatus(status.value) if status else ReplicationStatus.NONE,
        parts_count=told.parts_count,
        archive_status=told.archive_status.value if told.archive_status else None,
        lock_mode=lock.mode if lock else None,
        lock_retain_until=lock.retain_until if lock else None,
        has_legal_hold=bool(lock and lock.has_legal_hold),
        website_redirect=told.website_redirect_location,
    )
