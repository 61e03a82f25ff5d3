"""From one request to one answer, as S3 would give it to somebody who may do everything.

Never checks a signature, an owner or a directive. Law: a conditional write is refused where S3
refuses it: `If-None-Match: *` onto a key that was copied is a 412.
"""

import time
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from benchmarks.canned_server.objects import Objects
from benchmarks.canned_server.pages import OWNER, Pages
from benchmarks.canned_server.shared import INDEX, Shared

ACCOUNT: Final = b"111122223333"
_XML: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_NS: Final = b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
_COMMON: Final = (
    b"x-amz-id-2: 7d1pP0LwKT9mQfKzYxV0gN3sO8hUeR2bJcA5iWlZtXk=\r\n"
    b"x-amz-request-id: 4RZQF6TTWZ8V1X0C\r\nDate: %s\r\nServer: AmazonS3\r\n"
)
_XML_ANSWER: Final = (
    b"HTTP/1.1 %s\r\n" + _COMMON + b"x-amz-bucket-region: us-east-1\r\n"
    b"Content-Type: application/xml\r\nContent-Length: %d\r\n%s\r\n%s"
)
_HEAD_ANSWER: Final = (
    b"HTTP/1.1 %s\r\n" + _COMMON + b'Last-Modified: %s\r\nETag: "%s"\r\n'
    b"x-amz-server-side-encryption: AES256\r\nx-amz-version-id: %s\r\n%s"
    b"Accept-Ranges: bytes\r\nContent-Type: binary/octet-stream\r\nContent-Length: %d\r\n\r\n"
)
_CHECKSUM_HEADERS: Final = b"x-amz-checksum-crc64nvme: %s\r\nx-amz-checksum-type: FULL_OBJECT\r\n"
_COPY_BODY: Final = (
    _XML + b"<CopyObjectResult" + _NS + b"<LastModified>%s</LastModified>"
    b"<ETag>&quot;%s&quot;</ETag>%s</CopyObjectResult>"
)
_CHECKSUM_XML: Final = (
    b"<ChecksumCRC64NVME>%s</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>"
)
_COPY_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\n" + _COMMON + b"x-amz-copy-source-version-id: %s\r\n"
    b"x-amz-version-id: %s\r\nx-amz-server-side-encryption: AES256\r\n"
    b"Content-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s"
)
_OWNED: Final = b"<Owner><ID>" + OWNER + b"</ID><DisplayName>owner</DisplayName></Owner>"
_BUCKET_DOCUMENTS: Final = {
    "versioning": b"<VersioningConfiguration%s<Status>Enabled</Status></VersioningConfiguration>"
    % _NS,
    "location": b"<LocationConstraint%s</LocationConstraint>" % _NS,
    "ownershipControls": b"<OwnershipControls%s<Rule><ObjectOwnership>BucketOwnerEnforced"
    b"</ObjectOwnership></Rule></OwnershipControls>" % _NS,
    "acl": b"<AccessControlPolicy%s%s<AccessControlList></AccessControlList>"
    b"</AccessControlPolicy>" % (_NS, _OWNED),
    "uploads": b"<ListMultipartUploadsResult%s<IsTruncated>false</IsTruncated>"
    b"</ListMultipartUploadsResult>" % _NS,
    "replication": b"ReplicationConfigurationNotFoundError",
    "object-lock": b"ObjectLockConfigurationNotFoundError",
    "tagging": b"NoSuchTagSet",
    "encryption": b"ServerSideEncryptionConfigurationNotFoundError",
    "policy": b"NoSuchBucketPolicy",
    "lifecycle": b"NoSuchLifecycleConfiguration",
}
"""Documents, or the code of their absence."""
_RULE: Final = (
    b"<ReplicationConfiguration%s<Role>arn:aws:iam::%s:role/replication</Role><Rule><ID>all</ID>"
    b"<Status>Enabled</Status><Priority>1</Priority><Filter><Prefix></Prefix></Filter>"
    b"<Destination><Bucket>arn:aws:s3:::%s</Bucket></Destination>"
    b"<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule>"
    b"</ReplicationConfiguration>"
)
_GRANTS: Final = (
    b"<AccessControlPolicy%s%s<AccessControlList><Grant><Grantee"
    b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>%s</ID>'
    b"</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
    b"</AccessControlPolicy>" % (_NS, _OWNED, OWNER)
)
_IDENTITY: Final = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    b"<GetCallerIdentityResult><Arn>arn:aws:iam::%s:root</Arn><UserId>%s</UserId>"
    b"<Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    % (ACCOUNT, ACCOUNT, ACCOUNT)
)


_HEAD_OBJECT: Final = INDEX["HeadObject"]
_COPY_OBJECT: Final = INDEX["CopyObject"]


class Answers:
    """Answers requests of one process."""

    def __init__(
        self,
        objects: Objects,
        pages: Pages,
        shared: Shared,
        buckets: tuple[str, str],
        *,
        has_rule: bool,
    ) -> None:
        self._objects = objects
        self._pages = pages
        self._shared = shared
        self._row = shared.row
        self._buckets = tuple(bucket.encode() for bucket in buckets)
        self._source, self._destination = self._buckets
        self._has_rule = has_rule
        self._date = b""
        self._by_method = {
            b"HEAD": self._head,
            b"PUT": self._put,
            b"GET": self._get,
            b"DELETE": self._delete,
            b"POST": self._post,
        }
        self.set_time(time.time())

    def enter(self) -> None:
        """Count in this process's row from now on."""
        self._row = self._shared.row

    def set_time(self, now: float) -> None:
        """Set the time that answers tell; called once a turn of the loop."""
        self._now_s = int(now)
        self._date = self._objects.http_time(self._now_s)

    def answer(self, method: bytes, target: bytes, head: bytes, body: bytes) -> bytes:
        """Return the answer to one request; `head` holds its header lines."""
        path, _, query = target.partition(b"?")
        bucket, _, key = path[1:].partition(b"/")
        if bucket in self._buckets:
            if key:
                if b"%" in key:
                    key = unquote_to_bytes(key)
                if (answer := self._by_method.get(method)) is not None:
                    return answer(bucket, self._objects.number(key), query, head)
            elif method in (b"GET", b"HEAD"):
                return self._of_bucket(method, bucket, query)
            self._row[INDEX["Other"]] += 1
            return self.error(b"405 Method Not Allowed", b"MethodNotAllowed")
        if method == b"POST" and b"GetCallerIdentity" in body:
            self._row[INDEX["GetCallerIdentity"]] += 1
            return self._xml(_IDENTITY)
        if not bucket:
            self._row[INDEX["ListBuckets"]] += 1
            return self._xml(
                b"<ListAllMyBucketsResult%s%s<Buckets></Buckets></ListAllMyBucketsResult>"
                % (_NS, _OWNED)
            )
        self._row[INDEX["Other"]] += 1
        return self.error(b"404 Not Found", b"NoSuchBucket", has_body=method != b"HEAD")

    # --- Objects ---

    def _put(self, bucket: bytes, number: int | None, query: bytes, head: bytes) -> bytes:
        at = _place(head, b"\nx-amz-copy-source:", b"\nX-Amz-Copy-Source:")
        if at >= 0 and b"uploadId=" in query:
            self._row[INDEX["UploadPartCopy"]] += 1
            return self._part(number)
        if at >= 0:
            self._row[_COPY_OBJECT] += 1
            return self._copy(bucket, number, head, at)
        self._row[INDEX["PutObject"]] += 1
        return self._xml(b"", extra=b'ETag: "d41d8cd98f00b204e9800998ecf8427e"\r\n')

    def _head(self, bucket: bytes, number: int | None, query: bytes, _: bytes) -> bytes:
        self._row[_HEAD_OBJECT] += 1
        return self._told(bucket, number, query)

    def _told(self, bucket: bytes, number: int | None, query: bytes) -> bytes:
        objects = self._objects
        version_id = _version_id(query)
        if number is None:
            return self.error(b"404 Not Found", b"NoSuchKey", has_body=False)
        if bucket == self._source:
            version = objects.version(version_id, number) if version_id else 0
            told_id = objects.source_id(number, version or 0)
            moment_s = 0
        else:
            moment_s, told_id = self._shared.copied_s[number], objects.copy_id(number)
            version = 0 if moment_s and version_id in (b"", told_id) else None
        if version is None:
            return self.error(b"404 Not Found", b"NoSuchVersion", has_body=False)
        etag, size_bytes, checksum, modified_s = objects.facts(number, version)
        return _HEAD_ANSWER % (
            b"200 OK",
            self._date,
            objects.http_time(moment_s or modified_s),
            etag,
            told_id,
            _CHECKSUM_HEADERS % checksum
            if objects.has_checksums or bucket != self._source
            else b"",
            size_bytes,
        )

    def _copy(self, bucket: bytes, number: int | None, head: bytes, at: int) -> bytes:
        objects, shared = self._objects, self._shared
        source = unquote_to_bytes(head[at + 19 : head.index(b"\r", at + 19)].strip()).lstrip(b"/")
        source, _, version_id = source.partition(b"?versionId=")
        of_bucket, _, source_key = source.partition(b"/")
        of_number = objects.number(source_key)
        if of_bucket != self._source or bucket != self._destination or number is None:
            return self.error(b"404 Not Found", b"NoSuchBucket")
        version = objects.version(version_id, number) if version_id else 0
        if of_number != number or version is None:
            return self.error(b"404 Not Found", b"NoSuchVersion" if version_id else b"NoSuchKey")
        if shared.copied_s[number] and _place(head, b"\nif-none-match:", b"\nIf-None-Match:") >= 0:
            shared.count("refused_412")
            return self.error(b"412 Precondition Failed", b"PreconditionFailed")
        shared.copied_s[number] = self._now_s
        shared.count("accepted_copies")
        etag, _, checksum, _ = objects.facts(number, version)
        body = _COPY_BODY % (
            objects.iso_time(self._now_s),
            etag,
            _CHECKSUM_XML % checksum,
        )
        copy_id = objects.copy_id(number)
        told_id = objects.source_id(number, version)
        return _COPY_ANSWER % (self._date, told_id, copy_id, len(body), body)

    def _get(self, bucket: bytes, number: int | None, query: bytes, _: bytes) -> bytes:
        if query.startswith(b"tagging") or b"&tagging" in query:
            self._row[INDEX["GetObjectTagging"]] += 1
            return self._xml(b"<Tagging%s<TagSet></TagSet></Tagging>" % _NS)
        if query.startswith(b"acl") or b"&acl" in query:
            self._row[INDEX["GetObjectAcl"]] += 1
            return self._xml(_GRANTS)
        if query.startswith(b"attributes") or b"&attributes" in query:
            self._row[INDEX["GetObjectAttributes"]] += 1
            return self._attributes(number)
        self._row[INDEX["GetObject"]] += 1
        told = self._told(bucket, number, query)
        if number is None or not told.startswith(b"HTTP/1.1 200"):
            return told
        return told + bytes(self._objects.facts(number, 0)[1])

    def _attributes(self, number: int | None) -> bytes:
        if number is None:
            return self.error(b"404 Not Found", b"NoSuchKey")
        etag, size_bytes, checksum, _ = self._objects.facts(number, 0)
        told = b"<ETag>%s</ETag><Checksum>%s</Checksum><ObjectSize>%d</ObjectSize>" % (
            etag,
            _CHECKSUM_XML % checksum,
            size_bytes,
        )
        return self._xml(
            b"<GetObjectAttributesResponse%s%s</GetObjectAttributesResponse>" % (_NS, told)
        )

    def _delete(self, bucket: bytes, number: int | None, query: bytes, _: bytes) -> bytes:
        if b"uploadId=" in query:
            self._row[INDEX["AbortMultipartUpload"]] += 1
            return self._xml(b"", status=b"204 No Content")
        self._row[INDEX["DeleteObject"]] += 1
        if number is not None and bucket == self._destination:
            self._shared.copied_s[number] = 0
        extra = b"x-amz-delete-marker: true\r\nx-amz-version-id: dEl3tEm4rKer\r\n"
        return self._xml(b"", status=b"204 No Content", extra=extra)

    def _part(self, number: int | None) -> bytes:
        etag = self._objects.facts(number or 0, 0)[0]
        return self._xml(
            b"<CopyPartResult%s<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
            b"</CopyPartResult>" % (_NS, self._objects.iso_time(self._now_s), etag)
        )

    def _post(self, bucket: bytes, number: int | None, query: bytes, head: bytes) -> bytes:
        objects, shared = self._objects, self._shared
        if number is None:
            return self.error(b"404 Not Found", b"NoSuchKey")
        if b"uploadId=" not in query:
            self._row[INDEX["CreateMultipartUpload"]] += 1
            return self._xml(
                b"<InitiateMultipartUploadResult%s<Bucket>%s</Bucket><UploadId>upload-%08x"
                b"</UploadId></InitiateMultipartUploadResult>" % (_NS, bucket, number)
            )
        self._row[INDEX["CompleteMultipartUpload"]] += 1
        if shared.copied_s[number] and _place(head, b"\nif-none-match:", b"\nIf-None-Match:") >= 0:
            shared.count("refused_412")
            return self.error(b"412 Precondition Failed", b"PreconditionFailed")
        shared.copied_s[number] = self._now_s
        shared.count("accepted_copies")
        etag, _, checksum, _ = objects.facts(number, 0)
        return self._xml(
            b"<CompleteMultipartUploadResult%s<ETag>&quot;%s&quot;</ETag>%s"
            b"</CompleteMultipartUploadResult>" % (_NS, etag, _CHECKSUM_XML % checksum),
            extra=b"x-amz-version-id: %s\r\n" % objects.copy_id(number),
        )

    # --- Buckets ---

    def _of_bucket(self, method: bytes, bucket: bytes, query: bytes) -> bytes:
        if method == b"HEAD":
            self._row[INDEX["HeadBucket"]] += 1
            return self._xml(b"")
        words = dict(parse_qsl(query.decode(), keep_blank_values=True))
        if "versions" in words:
            self._row[INDEX["ListObjectVersions"]] += 1
            return self._xml(self._pages.versions_page(bucket.decode(), words), is_whole=True)
        if word := next((name for name in words if name in _BUCKET_DOCUMENTS), ""):
            self._row[INDEX["GetBucket"]] += 1
            return self._bucket_document(bucket, word)
        self._row[INDEX["ListObjectsV2"]] += 1
        return self._xml(self._pages.contents_page(bucket.decode(), words), is_whole=True)

    def _bucket_document(self, bucket: bytes, word: str) -> bytes:
        if word == "replication" and self._has_rule and bucket == self._source:
            return self._xml(_RULE % (_NS, ACCOUNT, self._destination))
        told = _BUCKET_DOCUMENTS[word]
        if told.startswith(b"<"):
            return self._xml(told)
        return self.error(b"404 Not Found", told)

    # --- Shapes of answers ---

    def _xml(
        self, body: bytes, *, status: bytes = b"200 OK", extra: bytes = b"", is_whole: bool = False
    ) -> bytes:
        if body and not is_whole:
            body = _XML + body
        return _XML_ANSWER % (status, self._date, len(body), extra, body)

    def error(self, status: bytes, code: bytes, *, has_body: bool = True) -> bytes:
        """Return a refusal; a HEAD's has no body."""
        body = b"<Error><Code>%s</Code><Message>canned</Message></Error>" % code
        return self._xml(body if has_body else b"", status=status)


def _version_id(query: bytes) -> bytes:
    at = query.find(b"versionId=")
    if at < 0:
        return b""
    end = query.find(b"&", at)
    return query[at + 10 :] if end < 0 else query[at + 10 : end]


def _place(head: bytes, lower: bytes, titled: bytes) -> int:
    """Find a header as Python clients write it, or as Go does; both are as long."""
    at = head.find(lower)
    return at if at >= 0 else head.find(titled)
