"""The driver for any server that boto3 reaches: each call is one request, unchecked by the SDK.

The SDK neither retries, nor validates, nor adds a checksum of its own: a case sees the server, not
botocore. The order of versions and delete markers is read from the raw answer, because botocore
parts the two.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus, urlencode
from xml.etree import ElementTree as ET

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.contract.vocabulary import (
    PLAIN,
    UNGUARDED,
    Attributes,
    Deleted,
    Entry,
    Guard,
    Head,
    ObjectAttributes,
    Page,
    Pairs,
    Part,
    Refused,
    ReplicationConfiguration,
    Source,
    Sum,
    Written,
)

_ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
_CONFIG = Config(
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    parameter_validation=False,
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    connect_timeout=10,
    read_timeout=30,
)
_XMLNS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def _nothing_to_settle() -> None:
    """Servers without live replication."""


class Boto3Driver:
    """`Driver` over HTTP."""

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        account_id: str,
        settle: Callable[[], None] = _nothing_to_settle,
    ) -> None:
        self.account_id = account_id
        self.settle = settle
        self._client: Any = boto3.client("s3", config=_CONFIG, **_untyped(settings))
        self._region = settings["region_name"]
        self._client.meta.events.register("before-parse.s3.ListObjectVersions", _keep_order)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, operation: str, **arguments: Any) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            return getattr(self._client, operation)(**given)
        except ClientError as error:
            said: Any = error.response
            meta = said["ResponseMetadata"]
            status = meta["HTTPStatusCode"]
            has_body = not operation.startswith("head_") and status != 304
            code = said["Error"]["Code"] if has_body else None
            raise Refused(operation, status, code, meta["HTTPHeaders"]) from error
        except BotoCoreError as error:  # no answer, or none that can be read
            raise Refused(operation, 0, type(error).__name__, {}) from error

    # --- buckets ---

    def make_bucket(self, bucket: str, *, versioning: str | None = None) -> None:
        place = {"LocationConstraint": self._region} if self._region != "us-east-1" else None
        self._call("create_bucket", Bucket=bucket, CreateBucketConfiguration=place)
        if versioning:
            self.set_versioning(bucket, versioning)

    def set_versioning(self, bucket: str, status: str) -> None:
        configuration = {"Status": status}
        self._call("put_bucket_versioning", Bucket=bucket, VersioningConfiguration=configuration)

    def versioning(self, bucket: str) -> str | None:
        status: str | None = self._call("get_bucket_versioning", Bucket=bucket).get("Status")
        return status

    def set_encryption(self, bucket: str, algorithm: str, kms_key_id: str | None) -> None:
        default = {"SSEAlgorithm": algorithm}
        if kms_key_id:
            default["KMSMasterKeyID"] = kms_key_id
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        self._call("put_bucket_encryption", Bucket=bucket, ServerSideEncryptionConfiguration=rules)

    def set_policy(self, bucket: str, document: str) -> None:
        self._call("put_bucket_policy", Bucket=bucket, Policy=document)

    def set_replication(self, bucket: str, configuration: ReplicationConfiguration) -> None:
        self._call("put_bucket_replication", Bucket=bucket, ReplicationConfiguration=configuration)

    def has_replication(self, bucket: str) -> bool:
        return "Rules" in self._call("get_bucket_replication", Bucket=bucket).get(
            "ReplicationConfiguration", {}
        )

    def delete_replication(self, bucket: str) -> None:
        self._call("delete_bucket_replication", Bucket=bucket)

    # --- objects ---

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes = b"body",
        *,
        attributes: Attributes = PLAIN,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum: Sum | None = None,
        content_md5: str | None = None,
        owner: str | None = None,
    ) -> Written:
        answer = self._call(
            "put_object",
            Bucket=bucket,
            Key=key,
            Body=body,
            IfMatch=if_match,
            IfNoneMatch=if_none_match,
            ContentMD5=content_md5,
            ExpectedBucketOwner=owner,
            **_sum_argument(checksum),
            **_attribute_arguments(attributes),
        )
        return _written(answer, answer)

    def get(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: str | None = None,
        part_number: int | None = None,
        guard: Guard = UNGUARDED,
        owner: str | None = None,
    ) -> tuple[Head, bytes]:
        answer = self._call(
            "get_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            Range=byte_range,
            PartNumber=part_number,
            ChecksumMode="ENABLED",
            ExpectedBucketOwner=owner,
            **_guard_arguments(guard, prefix=""),
        )
        with answer["Body"] as body:
            return _head(answer), body.read()

    def head(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        part_number: int | None = None,
        guard: Guard = UNGUARDED,
        owner: str | None = None,
        is_checksum_asked: bool = True,
    ) -> Head:
        answer = self._call(
            "head_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            PartNumber=part_number,
            ChecksumMode="ENABLED" if is_checksum_asked else None,
            ExpectedBucketOwner=owner,
            **_guard_arguments(guard, prefix=""),
        )
        return _head(answer)

    def copy(
        self,
        source: Source,
        bucket: str,
        key: str,
        *,
        metadata_directive: str | None = None,
        tagging_directive: str | None = None,
        attributes: Attributes = PLAIN,
        checksum_algorithm: str | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        owner: str | None = None,
    ) -> Written:
        answer = self._call(
            "copy_object",
            Bucket=bucket,
            Key=key,
            MetadataDirective=metadata_directive,
            TaggingDirective=tagging_directive,
            ChecksumAlgorithm=checksum_algorithm,
            IfMatch=if_match,
            IfNoneMatch=if_none_match,
            ExpectedBucketOwner=owner,
            **_source_arguments(source),
            **_attribute_arguments(attributes),
        )
        return _written(answer, answer["CopyObjectResult"])

    def delete(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        owner: str | None = None,
    ) -> Deleted:
        answer = self._call(
            "delete_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            IfMatch=if_match,
            ExpectedBucketOwner=owner,
        )
        return Deleted(
            version_id=answer.get("VersionId"), is_delete_marker=answer.get("DeleteMarker", False)
        )

    def delete_many(
        self, bucket: str, entries: Sequence[tuple[str, str | None]]
    ) -> tuple[set[str], dict[str, str]]:
        objects = [
            {"Key": key, "VersionId": version_id} if version_id else {"Key": key}
            for key, version_id in entries
        ]
        answer = self._call("delete_objects", Bucket=bucket, Delete={"Objects": objects})
        done = {entry["Key"] for entry in answer.get("Deleted", ())}
        return done, {entry["Key"]: entry["Code"] for entry in answer.get("Errors", ())}

    # --- listings ---

    def list_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        key_marker: str | None = None,
        version_id_marker: str | None = None,
        max_keys: int | None = None,
        owner: str | None = None,
    ) -> Page:
        answer = self._call(
            "list_object_versions",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter=delimiter,
            KeyMarker=key_marker,
            VersionIdMarker=version_id_marker,
            MaxKeys=max_keys,
            ExpectedBucketOwner=owner,
        )
        rows = {
            (row["Key"], row["VersionId"]): _entry(row, is_delete_marker=is_delete_marker)
            for name, is_delete_marker in (("Versions", False), ("DeleteMarkers", True))
            for row in answer.get(name, ())
        }
        order = answer["RawOrder"]
        assert set(order) == set(rows), "the raw answer and the parsed one hold the same"
        return Page(
            entries=tuple(rows[name] for name in order),
            common_prefixes=_prefixes(answer),
            is_truncated=answer["IsTruncated"],
            next_marker=answer.get("NextKeyMarker") or None,
            next_version_id_marker=answer.get("NextVersionIdMarker") or None,
        )

    def list_objects(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        start_after: str | None = None,
        token: str | None = None,
        max_keys: int | None = None,
        owner: str | None = None,
    ) -> Page:
        answer = self._call(
            "list_objects_v2",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter=delimiter,
            StartAfter=start_after,
            ContinuationToken=token,
            MaxKeys=max_keys,
            ExpectedBucketOwner=owner,
        )
        rows = answer.get("Contents", ())
        return Page(
            entries=tuple(_entry(row, is_delete_marker=False) for row in rows),
            common_prefixes=_prefixes(answer),
            is_truncated=answer["IsTruncated"],
            next_marker=answer.get("NextContinuationToken") or None,
        )

    # --- tags, attributes ---

    def tags(self, bucket: str, key: str, *, version_id: str | None = None) -> Pairs:
        answer = self._call("get_object_tagging", Bucket=bucket, Key=key, VersionId=version_id)
        return tuple(sorted((tag["Key"], tag["Value"]) for tag in answer["TagSet"]))

    def put_tags(
        self,
        bucket: str,
        key: str,
        tags: Pairs,
        *,
        version_id: str | None = None,
        owner: str | None = None,
    ) -> None:
        self._call(
            "put_object_tagging",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            Tagging={"TagSet": [{"Key": name, "Value": value} for name, value in tags]},
            ExpectedBucketOwner=owner,
        )

    def delete_tags(self, bucket: str, key: str, *, version_id: str | None = None) -> None:
        self._call("delete_object_tagging", Bucket=bucket, Key=key, VersionId=version_id)

    def attributes(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
    ) -> ObjectAttributes:
        answer = self._call(
            "get_object_attributes",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            MaxParts=max_parts,
            PartNumberMarker=part_number_marker,
            ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"],
        )
        told = answer.get("ObjectParts") or {}
        parts = [
            Part(number=row["PartNumber"], etag="", size_bytes=row["Size"], checksum=_sum(row))
            for row in told.get("Parts", ())
        ]
        return ObjectAttributes(
            etag=answer.get("ETag"),
            checksum=_sum(answer.get("Checksum", {})),
            size_bytes=answer.get("ObjectSize"),
            storage_class=answer.get("StorageClass"),
            parts_count=told.get("TotalPartsCount"),
            parts=tuple(parts) or None,
            next_part_number_marker=told.get("NextPartNumberMarker"),
        )

    # --- multipart uploads ---

    def begin(
        self,
        bucket: str,
        key: str,
        *,
        attributes: Attributes = PLAIN,
        checksum_algorithm: str | None = None,
        checksum_type: str | None = None,
        owner: str | None = None,
    ) -> str:
        answer = self._call(
            "create_multipart_upload",
            Bucket=bucket,
            Key=key,
            ChecksumAlgorithm=checksum_algorithm,
            ChecksumType=checksum_type,
            ExpectedBucketOwner=owner,
            **_attribute_arguments(attributes),
        )
        upload_id: str = answer["UploadId"]
        return upload_id

    def upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: bytes,
        *,
        checksum: Sum | None = None,
    ) -> Part:
        answer = self._call(
            "upload_part",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            **_sum_argument(checksum),
        )
        return Part(number=number, etag=_bare(answer["ETag"]), checksum=_sum(answer))

    def upload_copy(
        self,
        source: Source,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        *,
        byte_range: str | None = None,
        owner: str | None = None,
    ) -> Part:
        answer = self._call(
            "upload_part_copy",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySourceRange=byte_range,
            ExpectedBucketOwner=owner,
            **_source_arguments(source),
        )
        made = answer["CopyPartResult"]
        return Part(number=number, etag=_bare(made["ETag"]), checksum=_sum(made))

    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[Part],
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum_type: str | None = None,
        size_bytes: int | None = None,
        owner: str | None = None,
    ) -> Written:
        named = [
            {"PartNumber": part.number, "ETag": f'"{part.etag}"', **_sum_argument(part.checksum)}
            for part in parts
        ]
        answer = self._call(
            "complete_multipart_upload",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": named},
            IfMatch=if_match,
            IfNoneMatch=if_none_match,
            ChecksumType=checksum_type,
            MpuObjectSize=size_bytes,
            ExpectedBucketOwner=owner,
        )
        return _written(answer, answer)

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        self._call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload_id)

    def parts(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        *,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
    ) -> tuple[Part, ...]:
        answer = self._call(
            "list_parts",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            MaxParts=max_parts,
            PartNumberMarker=part_number_marker,
        )
        return tuple(
            Part(
                number=row["PartNumber"],
                etag=_bare(row["ETag"]),
                size_bytes=row["Size"],
                checksum=_sum(row),
            )
            for row in answer.get("Parts", ())
        )

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        answer = self._call("list_multipart_uploads", Bucket=bucket)
        return [(row["Key"], row["UploadId"]) for row in answer.get("Uploads", ())]


def _keep_order(response_dict: Any, customized_response_dict: Any, **_: Any) -> None:
    """Note the rows of a version listing as they stand in the XML."""
    if response_dict["status_code"] != 200:
        return
    root = ET.fromstring(response_dict["body"])  # noqa: S314 - our own servers, on loopback
    is_encoded = root.findtext(f"{_XMLNS}EncodingType", root.findtext("EncodingType")) == "url"
    decoded = unquote_plus if is_encoded else str
    rows = []
    for element in root:
        if element.tag.removeprefix(_XMLNS) in {"Version", "DeleteMarker"}:
            told = {child.tag.removeprefix(_XMLNS): child.text or "" for child in element}
            rows.append((decoded(told["Key"]), told["VersionId"]))
    customized_response_dict["RawOrder"] = rows


def _untyped(settings: Mapping[str, str]) -> dict[str, Any]:
    """Say nothing of types: boto3's stubs want each argument's own."""
    return dict(settings)


def _bare(etag: str) -> str:
    return etag.strip('"')


def _sum(answer: Any) -> Sum | None:
    for algorithm in _ALGORITHMS:
        if value := answer.get(f"Checksum{algorithm}"):
            return Sum(algorithm=algorithm, value=value, type=answer.get("ChecksumType"))
    return None


def _sum_argument(checksum: Sum | None) -> dict[str, str]:
    return {f"Checksum{checksum.algorithm}": checksum.value} if checksum else {}


def _guard_arguments(guard: Guard, *, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}IfMatch": guard.if_match,
        f"{prefix}IfNoneMatch": guard.if_none_match,
        f"{prefix}IfModifiedSince": guard.if_modified_since,
        f"{prefix}IfUnmodifiedSince": guard.if_unmodified_since,
    }


def _source_arguments(source: Source) -> dict[str, Any]:
    place = {"Bucket": source.bucket, "Key": source.key}
    if source.version_id:
        place["VersionId"] = source.version_id
    return {
        "CopySource": place,
        "ExpectedSourceBucketOwner": source.owner,
        **_guard_arguments(source.guard, prefix="CopySource"),
    }


def _attribute_arguments(attributes: Attributes) -> dict[str, Any]:
    return {
        "ContentType": attributes.content_type,
        "CacheControl": attributes.cache_control,
        "ContentDisposition": attributes.content_disposition,
        "ContentEncoding": attributes.content_encoding,
        "ContentLanguage": attributes.content_language,
        "Expires": attributes.expires,
        "Metadata": dict(attributes.metadata) or None,
        "Tagging": urlencode(attributes.tags) or None,
        "StorageClass": attributes.storage_class,
        "ServerSideEncryption": attributes.encryption,
        "SSEKMSKeyId": attributes.kms_key_id,
        "WebsiteRedirectLocation": attributes.website_redirect_location,
    }


def _written(answer: Any, said: Any) -> Written:
    return Written(
        etag=_bare(said["ETag"]),
        version_id=answer.get("VersionId"),
        checksum=_sum(said),
        source_version_id=answer.get("CopySourceVersionId"),
        encryption=answer.get("ServerSideEncryption"),
    )


def _head(answer: Any) -> Head:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return Head(
        status=answer["ResponseMetadata"]["HTTPStatusCode"],
        etag=_bare(answer["ETag"]),
        size_bytes=answer["ContentLength"],
        version_id=answer.get("VersionId"),
        last_modified=answer["LastModified"],
        attributes=Attributes(
            content_type=answer.get("ContentType"),
            cache_control=answer.get("CacheControl"),
            content_disposition=answer.get("ContentDisposition"),
            content_encoding=answer.get("ContentEncoding"),
            content_language=answer.get("ContentLanguage"),
            expires=headers.get("expires"),
            metadata=tuple(sorted(answer.get("Metadata", {}).items())),
            storage_class=answer.get("StorageClass"),
            encryption=answer.get("ServerSideEncryption"),
            kms_key_id=answer.get("SSEKMSKeyId"),
            website_redirect_location=answer.get("WebsiteRedirectLocation"),
        ),
        checksum=_sum(answer),
        tag_count=int(headers.get("x-amz-tagging-count", "0")),
        parts_count=answer.get("PartsCount"),
        content_range=headers.get("content-range"),
        replication_status=answer.get("ReplicationStatus"),
    )


def _entry(row: Any, *, is_delete_marker: bool) -> Entry:
    return Entry(
        key=row["Key"],
        etag=_bare(row["ETag"]) if "ETag" in row else None,
        size_bytes=row.get("Size"),
        version_id=row.get("VersionId"),
        is_latest=row.get("IsLatest", True),
        is_delete_marker=is_delete_marker,
        checksum_algorithm=(row.get("ChecksumAlgorithm") or [None])[0],
        checksum_type=row.get("ChecksumType"),
    )


def _prefixes(answer: Any) -> tuple[str, ...]:
    return tuple(row["Prefix"] for row in answer.get("CommonPrefixes", ()))
