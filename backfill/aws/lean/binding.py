"""Where each parameter of a hot S3 call goes: method, path, query, headers, body.

Takes the very parameters that `aws.requests` builds for the SDK, so that one builder serves both
clients. The table is the part of botocore's service model that these calls need; a test compares
the two.

Never sends, never signs, never defaults, never normalises a key.
Law: what is not wholly understood is refused, never sent in part; the SDK may know what to do.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple, cast
from urllib.parse import quote
from xml.sax.saxutils import escape

from backfill.aws.lean.wire import WireRequest


class BindingError(ValueError):
    """A request that the lean client does not make."""


class Operation(NamedTuple):
    """How one operation is asked; `fixed` is its constant part of the query."""

    method: str
    parameters: frozenset[str]
    fixed: str = ""


HEADERS: Final = {
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    "CacheControl": "cache-control",
    "ChecksumAlgorithm": "x-amz-checksum-algorithm",
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumType": "x-amz-checksum-type",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
    "CopySource": "x-amz-copy-source",
    "CopySourceIfMatch": "x-amz-copy-source-if-match",
    "CopySourceRange": "x-amz-copy-source-range",
    "CopySourceSSECustomerAlgorithm": (
        "x-amz-copy-source-server-side-encryption-customer-algorithm"
    ),
    "CopySourceSSECustomerKey": "x-amz-copy-source-server-side-encryption-customer-key",
    "CopySourceSSECustomerKeyMD5": "x-amz-copy-source-server-side-encryption-customer-key-md5",
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "ExpectedSourceBucketOwner": "x-amz-source-expected-bucket-owner",
    "Expires": "expires",
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWriteACP": "x-amz-grant-write-acp",
    "IfMatch": "if-match",
    "IfNoneMatch": "if-none-match",
    "MaxParts": "x-amz-max-parts",
    "MetadataDirective": "x-amz-metadata-directive",
    "MpuObjectSize": "x-amz-mp-object-size",
    "ObjectAttributes": "x-amz-object-attributes",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
    "ObjectLockMode": "x-amz-object-lock-mode",
    "ObjectLockRetainUntilDate": "x-amz-object-lock-retain-until-date",
    "PartNumberMarker": "x-amz-part-number-marker",
    "Range": "range",
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
    "SSECustomerKey": "x-amz-server-side-encryption-customer-key",
    "SSECustomerKeyMD5": "x-amz-server-side-encryption-customer-key-md5",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
    "TaggingDirective": "x-amz-tagging-directive",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
}
QUERIES: Final = {
    "ContinuationToken": "continuation-token",
    "Delimiter": "delimiter",
    "EncodingType": "encoding-type",
    "KeyMarker": "key-marker",
    "MaxKeys": "max-keys",
    "PartNumber": "partNumber",
    "Prefix": "prefix",
    "StartAfter": "start-after",
    "UploadId": "uploadId",
    "VersionId": "versionId",
    "VersionIdMarker": "version-id-marker",
}
QUERIES_OF: Final[Mapping[str, Mapping[str, str]]] = {
    # Headers of GetObjectAttributes, but the query of ListParts.
    "ListParts": {"MaxParts": "max-parts", "PartNumberMarker": "part-number-marker"},
}
"""Parameters that go into the query of one operation, and elsewhere in others."""

METADATA: Final = "x-amz-meta-"
"""What stands before the name of each pair of `Metadata`."""

BODIES: Final = frozenset({"MultipartUpload"})
PART_ELEMENTS: Final = frozenset(
    f"Checksum{algorithm}" for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
) | {"PartNumber", "ETag"}


def _operation(method: str, parameters: str, fixed: str = "") -> Operation:
    return Operation(method, frozenset(parameters.split()), fixed)


_VERSION: Final = "Bucket Key VersionId ExpectedBucketOwner"
_LISTING: Final = "Bucket Prefix Delimiter EncodingType MaxKeys ExpectedBucketOwner"
_UPLOAD: Final = "Bucket Key UploadId ExpectedBucketOwner"
_KEY: Final = "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5"
_SOURCE: Final = (
    "CopySource CopySourceIfMatch ExpectedSourceBucketOwner CopySourceSSECustomerAlgorithm"
    " CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5"
)
_STORED: Final = f"StorageClass ServerSideEncryption SSEKMSKeyId BucketKeyEnabled {_KEY}"
_CONTENT: Final = (
    "ContentType ContentEncoding ContentLanguage ContentDisposition CacheControl Expires"
)
_EXTRAS: Final = (
    "WebsiteRedirectLocation ObjectLockMode ObjectLockRetainUntilDate ObjectLockLegalHoldStatus"
    " GrantFullControl GrantRead GrantReadACP GrantWriteACP ChecksumAlgorithm"
)

OPERATIONS: Final = {
    "ListObjectVersions": _operation("GET", f"{_LISTING} KeyMarker VersionIdMarker", "versions="),
    "ListObjectsV2": _operation("GET", f"{_LISTING} ContinuationToken StartAfter", "list-type=2"),
    "HeadObject": _operation("HEAD", f"{_VERSION} ChecksumMode PartNumber {_KEY}"),
    "GetObject": _operation("GET", f"{_VERSION} Range IfMatch {_KEY}"),
    "GetObjectAttributes": _operation(
        "GET", f"{_VERSION} ObjectAttributes MaxParts PartNumberMarker", "attributes="
    ),
    "GetObjectTagging": _operation("GET", _VERSION, "tagging="),
    "GetObjectAcl": _operation("GET", _VERSION, "acl="),
    "GetObjectRetention": _operation("GET", _VERSION, "retention="),
    "GetObjectLegalHold": _operation("GET", _VERSION, "legal-hold="),
    "CopyObject": _operation(
        "PUT",
        f"Bucket Key ExpectedBucketOwner {_SOURCE} IfMatch IfNoneMatch"
        f" MetadataDirective TaggingDirective {_STORED} {_EXTRAS}",
    ),
    "CreateMultipartUpload": _operation(
        "POST",
        f"Bucket Key ExpectedBucketOwner Metadata {_CONTENT} Tagging {_STORED}"
        f" {_EXTRAS} ChecksumType",
        "uploads=",
    ),
    "UploadPartCopy": _operation("PUT", f"{_UPLOAD} PartNumber {_SOURCE} CopySourceRange {_KEY}"),
    "ListParts": _operation("GET", f"{_UPLOAD} MaxParts PartNumberMarker {_KEY}"),
    "CompleteMultipartUpload": _operation(
        "POST", f"{_UPLOAD} MultipartUpload MpuObjectSize ChecksumType IfMatch IfNoneMatch {_KEY}"
    ),
    "AbortMultipartUpload": _operation("DELETE", _UPLOAD),
    # Never with a version ID: that would delete for good.
    "DeleteObject": _operation("DELETE", "Bucket Key ExpectedBucketOwner IfMatch"),
}

_NEEDED: Final = {
    # The SDK adds it and decodes the keys again; a page without it is not as the parsers know it.
    "ListObjectVersions": {"EncodingType"},
    "ListObjectsV2": {"EncodingType"},
    "CopyObject": {"CopySource"},
    "UploadPartCopy": {"CopySource", "UploadId", "PartNumber"},
    "CompleteMultipartUpload": {"UploadId", "MultipartUpload"},
    "AbortMultipartUpload": {"UploadId"},
    "ListParts": {"UploadId"},
    "GetObjectAttributes": {"ObjectAttributes"},
}

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~/-]+", re.ASCII)
_UNRESERVED_VALUE: Final = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
"""What is the same encoded; a match takes a tenth of quoting."""

_PLAIN: Final = re.compile("[!-~]++(?: [!-~]++)*", re.ASCII)
"""What arrives, and is signed, as it is; the SDK has a way with other values."""

_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
"""A header's name in lower case (RFC 9110 §5.6.2)."""

_SOURCE_PARTS: Final = frozenset({"Bucket", "Key", "VersionId"})
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


def bind(operation: str, parameters: Mapping[str, object]) -> WireRequest:
    """Return the request of an operation.

    Raises:
        BindingError: An unknown operation or parameter, a value of a wrong type, or a header with
            more than printable ASCII and single spaces.
    """
    layout = _layout(operation, tuple(parameters))
    # What is no text has a converter in `_TEXTS`, but for what joining and quoting refuse below.
    texts = cast("Mapping[str, str]", parameters)
    try:
        headers = {}
        for name, parameter, text in layout.headers:
            value = texts[parameter]
            headers[name] = value if text is None else text(value)
        if layout.has_metadata:
            headers = _with_metadata(headers, parameters["Metadata"])
        # Joined by one space, white space at any end, or an empty value, makes two.
        if headers and not _PLAIN.fullmatch(" ".join(headers.values())):
            raise BindingError("a header of more than printable ASCII and single spaces")
        path = f"/{encoded_key(parameters['Key'])}" if layout.has_key else "/"
        query = layout.query
        if layout.queries:
            query = "&".join(
                [
                    name if parameter is None else name + text(texts[parameter])
                    for name, parameter, text in layout.queries
                ]
            )
        body = _complete_document(parameters["MultipartUpload"]) if layout.has_body else b""
    except (TypeError, UnicodeEncodeError) as error:
        raise BindingError(f"{operation}: {error}") from error
    return WireRequest(layout.method, texts["Bucket"], path, query, headers, body)


class _Layout(NamedTuple):
    """What follows from an operation and the names of its parameters, whatever their values."""

    method: str
    has_key: bool
    has_metadata: bool
    has_body: bool
    headers: tuple[tuple[str, str, Callable[[object], str] | None], ...]
    query: str
    queries: tuple[tuple[str, str | None, Callable[[object], str]], ...]


@lru_cache(maxsize=512)  # a run uses some thirty
def _layout(operation: str, names: tuple[str, ...]) -> _Layout:
    known = OPERATIONS.get(operation)
    if known is None:
        raise BindingError(f"{operation} is not one of the lean client's operations")
    if unknown := set(names) - known.parameters:
        raise BindingError(f"{operation} with {', '.join(sorted(unknown))}")
    needed = {"Bucket", *(known.parameters & {"Key"}), *_NEEDED.get(operation, ())}
    if missing := needed - set(names):
        raise BindingError(f"{operation} without {', '.join(sorted(missing))}")
    if any(f"{name}MD5" not in names for name in names if name.endswith("SSECustomerKey")):
        raise BindingError(f"{operation} with a customer key without its MD5")
    in_query = {**QUERIES, **QUERIES_OF.get(operation, {})}
    queries: list[tuple[str, str | None, Callable[[object], str]]] = [
        (f"{in_query[name]}=", name, _TEXTS.get(name, _encoded))
        for name in names
        if name in in_query
    ]
    if known.fixed:
        queries.append((known.fixed, None, _encoded))
    # As Signature Version 4 sorts: by name, and no name here begins another one.
    queries.sort(key=itemgetter(0))
    return _Layout(
        method=known.method,
        has_key="Key" in names,
        has_metadata="Metadata" in names,
        has_body="MultipartUpload" in names,
        headers=tuple(
            (HEADERS[name], name, _TEXTS.get(name))
            for name in sorted(
                set(names) & (HEADERS.keys() - in_query.keys()), key=HEADERS.__getitem__
            )
        ),
        query=known.fixed,
        queries=tuple(queries) if len(queries) > 1 or not known.fixed else (),
    )


def encoded_key(key: object) -> str:
    """Percent-encode a key as botocore does: once, with `/` left, no segment resolved."""
    if not isinstance(key, str) or not key:
        raise BindingError(f"{key!r} is no key")
    return key if _UNRESERVED.fullmatch(key) else quote(key, safe="/~")


def _encoded(value: object) -> str:
    if not isinstance(value, str):
        raise BindingError(f"{value!r} is no text")
    return value if _UNRESERVED_VALUE.fullmatch(value) else quote(value, safe="-_.~")


def _count(value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BindingError(f"{value!r} is no whole number")
    return str(value)


def _flag(value: object) -> str:
    if not isinstance(value, bool):
        raise BindingError(f"{value!r} is not a boolean")
    return "true" if value else "false"


def _words(value: object) -> str:
    if not isinstance(value, list) or not value or any("," in word for word in value):
        raise BindingError(f"{value!r} is no list of words")
    return ",".join(value)


def _copy_source(source: object) -> str:
    if not isinstance(source, dict) or source.keys() != _SOURCE_PARTS:
        raise BindingError("a copy source is a bucket, a key and a version ID")
    bucket = source["Bucket"]
    if not _UNRESERVED_VALUE.fullmatch(bucket):
        raise BindingError(f"{bucket!r} as a source is no plain bucket")
    # The version ID goes as it is, as the SDK sends it; S3's are of unreserved characters.
    source_key = f"{bucket}/{encoded_key(source['Key'])}?versionId="
    version_id: str = source["VersionId"]  # adding, unlike formatting, refuses what is no text
    return source_key + version_id


_TEXTS: Final[dict[str, Callable[[object], str]]] = {
    "BucketKeyEnabled": _flag,
    "CopySource": _copy_source,
    "MaxKeys": _count,
    "MaxParts": _count,
    "MpuObjectSize": _count,
    "ObjectAttributes": _words,
    "PartNumber": _count,
    "PartNumberMarker": _count,
}


def _with_metadata(headers: dict[str, str], metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict):
        raise BindingError("metadata are pairs")
    named = {f"{METADATA}{name.lower()}": value for name, value in metadata.items()}
    if len(named) != len(metadata) or not all(map(_TOKEN.fullmatch, named)):
        raise BindingError("metadata with names that a header cannot have, or that are the same")
    return dict(sorted((headers | named).items()))


def _complete_document(upload: object) -> bytes:
    parts = upload.get("Parts") if isinstance(upload, dict) and set(upload) == {"Parts"} else None
    if not isinstance(parts, list) or not parts:
        raise BindingError("an upload is completed of parts")
    return (
        '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{''.join(map(_part, parts))}</CompleteMultipartUpload>"
    ).encode()


def _part(part: Mapping[str, object]) -> str:
    if not set(part) <= PART_ELEMENTS:
        raise BindingError(f"a part with {', '.join(sorted(set(part) - PART_ELEMENTS))}")
    elements = []
    for name, value in part.items():
        text = _count(value) if name == "PartNumber" else value
        if not isinstance(text, str) or _CONTROL.search(text):
            raise BindingError(f"{name} of a part is {text!r}")
        elements.append(f"<{name}>{escape(text)}</{name}>")
    return f"<Part>{''.join(elements)}</Part>"
