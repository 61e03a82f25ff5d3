"""Which operation a request asks for.

Never reads values, only which names are there. One law: a query parameter that the operation does
not know is answered 501, so that no request falls through to another operation.
"""

from collections.abc import Collection
from dataclasses import dataclass

from backfill.sandbox.http.addressing import Address
from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.refusals import not_implemented, refused

_FACT = "S3 API: Actions; a subresource selects the operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to an operation: the method, what is addressed, and the query names that select it.

    `allowed` are further query names that the operation reads.
    """

    operation: str
    method: str
    level: str
    """`service`, `bucket` or `object`."""
    needed: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    header: str | None = None
    """A request header that must be there too."""


def _route(
    operation: str,
    method: str,
    level: str,
    needed: str = "",
    allowed: str = "",
    header: str | None = None,
) -> Route:
    return Route(
        operation=operation,
        method=method,
        level=level,
        needed=frozenset(needed.split()),
        allowed=frozenset(allowed.split()),
        header=header,
    )


_LIST = "prefix delimiter max-keys encoding-type"
_RESPONSE = " ".join(
    f"response-{name}"
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
)
_COPY = "x-amz-copy-source"

ROUTES = (
    _route("ListBuckets", "GET", "service"),
    _route("CreateBucket", "PUT", "bucket"),
    _route("HeadBucket", "HEAD", "bucket"),
    _route("GetBucketLocation", "GET", "bucket", "location"),
    _route("PutBucketVersioning", "PUT", "bucket", "versioning"),
    _route("GetBucketVersioning", "GET", "bucket", "versioning"),
    _route("PutBucketReplication", "PUT", "bucket", "replication"),
    _route("GetBucketReplication", "GET", "bucket", "replication"),
    _route("DeleteBucketReplication", "DELETE", "bucket", "replication"),
    _route("PutBucketPolicy", "PUT", "bucket", "policy"),
    _route("GetBucketPolicy", "GET", "bucket", "policy"),
    _route("DeleteBucketPolicy", "DELETE", "bucket", "policy"),
    _route("PutBucketEncryption", "PUT", "bucket", "encryption"),
    _route("GetBucketEncryption", "GET", "bucket", "encryption"),
    _route("PutBucketOwnershipControls", "PUT", "bucket", "ownershipControls"),
    _route("GetBucketOwnershipControls", "GET", "bucket", "ownershipControls"),
    _route("PutObjectLockConfiguration", "PUT", "bucket", "object-lock"),
    _route("GetObjectLockConfiguration", "GET", "bucket", "object-lock"),
    _route("DeleteBucketEncryption", "DELETE", "bucket", "encryption"),
    _route("DeleteBucketOwnershipControls", "DELETE", "bucket", "ownershipControls"),
    _route("PutBucketNotificationConfiguration", "PUT", "bucket", "notification"),
    _route("GetBucketNotificationConfiguration", "GET", "bucket", "notification"),
    _route("PutBucketLifecycleConfiguration", "PUT", "bucket", "lifecycle"),
    _route("GetBucketLifecycleConfiguration", "GET", "bucket", "lifecycle"),
    _route("DeleteBucketLifecycle", "DELETE", "bucket", "lifecycle"),
    _route("PutPublicAccessBlock", "PUT", "bucket", "publicAccessBlock"),
    _route("GetPublicAccessBlock", "GET", "bucket", "publicAccessBlock"),
    _route("DeletePublicAccessBlock", "DELETE", "bucket", "publicAccessBlock"),
    _route("GetBucketPolicyStatus", "GET", "bucket", "policyStatus"),
    _route("GetBucketAcl", "GET", "bucket", "acl"),
    _route("PutBucketRequestPayment", "PUT", "bucket", "requestPayment"),
    _route("GetBucketRequestPayment", "GET", "bucket", "requestPayment"),
    _route("PutBucketTagging", "PUT", "bucket", "tagging"),
    _route("GetBucketTagging", "GET", "bucket", "tagging"),
    _route("DeleteBucketTagging", "DELETE", "bucket", "tagging"),
    _route("DeleteBucket", "DELETE", "bucket"),
    _route(
        "ListObjectVersions", "GET", "bucket", "versions", f"{_LIST} key-marker version-id-marker"
    ),
    _route(
        "ListObjectsV2",
        "GET",
        "bucket",
        "list-type",
        f"{_LIST} start-after continuation-token fetch-owner",
    ),
    _route("ListObjects", "GET", "bucket", "", f"{_LIST} marker"),
    _route(
        "ListMultipartUploads",
        "GET",
        "bucket",
        "uploads",
        "prefix delimiter max-uploads encoding-type key-marker upload-id-marker",
    ),
    _route("DeleteObjects", "POST", "bucket", "delete"),
    _route("CopyObject", "PUT", "object", header=_COPY),
    _route("PutObject", "PUT", "object"),
    _route("GetObject", "GET", "object", "", f"versionId partNumber {_RESPONSE}"),
    _route("HeadObject", "HEAD", "object", "", f"versionId partNumber {_RESPONSE}"),
    _route("GetObjectAttributes", "GET", "object", "attributes", "versionId"),
    _route("DeleteObject", "DELETE", "object", "", "versionId"),
    _route("GetObjectTagging", "GET", "object", "tagging", "versionId"),
    _route("PutObjectTagging", "PUT", "object", "tagging", "versionId"),
    _route("DeleteObjectTagging", "DELETE", "object", "tagging", "versionId"),
    _route("GetObjectAcl", "GET", "object", "acl", "versionId"),
    _route("PutObjectAcl", "PUT", "object", "acl", "versionId"),
    _route("GetObjectRetention", "GET", "object", "retention", "versionId"),
    _route("PutObjectRetention", "PUT", "object", "retention", "versionId"),
    _route("GetObjectLegalHold", "GET", "object", "legal-hold", "versionId"),
    _route("PutObjectLegalHold", "PUT", "object", "legal-hold", "versionId"),
    _route("RestoreObject", "POST", "object", "restore", "versionId"),
    _route("CreateMultipartUpload", "POST", "object", "uploads"),
    _route("UploadPartCopy", "PUT", "object", "partNumber uploadId", header=_COPY),
    _route("UploadPart", "PUT", "object", "partNumber uploadId"),
    _route("CompleteMultipartUpload", "POST", "object", "uploadId"),
    _route("AbortMultipartUpload", "DELETE", "object", "uploadId"),
    _route("ListParts", "GET", "object", "uploadId", "max-parts part-number-marker encoding-type"),
)

_ANYWHERE = frozenset(
    {
        "x-id",  # SDKs say the operation's name; S3 ignores it
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
    }
)
_UNCARRIED_HEADERS = (
    b"x-amz-rename-source",
    b"x-amz-server-side-encryption-context",
    b"x-amz-write-offset-bytes",
)
_BY_PLACE: dict[tuple[str, str], list[Route]] = {}
for _each in sorted(ROUTES, key=lambda r: (len(r.needed), r.header is not None), reverse=True):
    _BY_PLACE.setdefault((_each.method, _each.level), []).append(_each)


def level_of(address: Address) -> str:
    """`service`, `bucket` or `object`."""
    if address.bucket is None:
        return "service"
    return "bucket" if address.key is None else "object"


def operation_of(request: HttpRequest, address: Address, names: Collection[str]) -> str:
    """The operation's name in AWS's spelling. Raises S3Error when there is none."""
    for header in _UNCARRIED_HEADERS:
        if header in request.headers:
            raise not_implemented(
                "A header you provided implies functionality that is not implemented",
                fact="S3 API: Error responses, NotImplemented",
                members=(("Header", header.decode("ascii")),),
            )
    level = level_of(address)
    routes = _BY_PLACE.get((request.method, level), [])
    given = {name for name in names if name not in _ANYWHERE}
    for route in routes:
        is_named = route.needed <= given <= route.needed | route.allowed
        if is_named and (route.header is None or route.header.encode() in request.headers):
            return route.operation
    if given or level != "service":
        what = f" with the query parameters {', '.join(sorted(given))}" if given else ""
        raise not_implemented(
            f"{request.method} on a {level}{what} is not carried by this sandbox.", fact=_FACT
        )
    raise refused(
        code="MethodNotAllowed",
        status=405,
        message="The specified method is not allowed against this resource.",
        fact="S3 API: Error responses, MethodNotAllowed",
        members=(("Method", request.method), ("ResourceType", "SERVICE")),
    )
