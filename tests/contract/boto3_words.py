"""Between boto3's dicts and the words of the cases: arguments out, answers in.

Law: nothing is made up: what an answer does not say is None.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urlencode
from xml.etree import ElementTree as ET

from tests.contract.boto3_protection_words import (
    grant_arguments,
    key_arguments,
    lock_arguments,
    lock_told,
)
from tests.contract.vocabulary import (
    Attributes,
    Entry,
    Guard,
    Head,
    Source,
    Sum,
    Written,
)

_ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
_XMLNS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def keep_order(response_dict: Any, customized_response_dict: Any, **_: Any) -> None:
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


def untyped(settings: Mapping[str, str]) -> dict[str, Any]:
    """Say nothing of types: boto3's stubs want each argument's own."""
    return dict(settings)


def bare(etag: str) -> str:
    return etag.strip('"')


def sum_of(answer: Any) -> Sum | None:
    for algorithm in _ALGORITHMS:
        if value := answer.get(f"Checksum{algorithm}"):
            return Sum(algorithm=algorithm, value=value, type=answer.get("ChecksumType"))
    return None


def sum_argument(checksum: Sum | None) -> dict[str, str]:
    return {f"Checksum{checksum.algorithm}": checksum.value} if checksum else {}


def guard_arguments(guard: Guard, *, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}IfMatch": guard.if_match,
        f"{prefix}IfNoneMatch": guard.if_none_match,
        f"{prefix}IfModifiedSince": guard.if_modified_since,
        f"{prefix}IfUnmodifiedSince": guard.if_unmodified_since,
    }


def source_arguments(source: Source) -> dict[str, Any]:
    place = {"Bucket": source.bucket, "Key": source.key}
    if source.version_id:
        place["VersionId"] = source.version_id
    return {
        "CopySource": place,
        "ExpectedSourceBucketOwner": source.owner,
        **guard_arguments(source.guard, prefix="CopySource"),
        **key_arguments(source.customer_key, prefix="CopySource"),
    }


def attribute_arguments(attributes: Attributes) -> dict[str, Any]:
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
        "ACL": attributes.acl,
        **lock_arguments(attributes.lock),
        **grant_arguments(attributes.grants),
        **key_arguments(attributes.customer_key),
    }


def written_of(answer: Any, said: Any) -> Written:
    return Written(
        etag=bare(said["ETag"]),
        version_id=answer.get("VersionId"),
        checksum=sum_of(said),
        source_version_id=answer.get("CopySourceVersionId"),
        encryption=answer.get("ServerSideEncryption"),
    )


def head_of(answer: Any) -> Head:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return Head(
        status=answer["ResponseMetadata"]["HTTPStatusCode"],
        etag=bare(answer["ETag"]),
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
            lock=lock_told(answer),
        ),
        checksum=sum_of(answer),
        tag_count=int(headers.get("x-amz-tagging-count", "0")),
        parts_count=answer.get("PartsCount"),
        content_range=headers.get("content-range"),
        replication_status=answer.get("ReplicationStatus"),
        customer_key_md5=answer.get("SSECustomerKeyMD5"),
    )


def entry_of(row: Any, *, is_delete_marker: bool) -> Entry:
    return Entry(
        key=row["Key"],
        etag=bare(row["ETag"]) if "ETag" in row else None,
        size_bytes=row.get("Size"),
        version_id=row.get("VersionId"),
        is_latest=row.get("IsLatest", True),
        is_delete_marker=is_delete_marker,
        checksum_algorithm=(row.get("ChecksumAlgorithm") or [None])[0],
        checksum_type=row.get("ChecksumType"),
    )


def prefixes_of(answer: Any) -> tuple[str, ...]:
    return tuple(row["Prefix"] for row in answer.get("CommonPrefixes", ()))
