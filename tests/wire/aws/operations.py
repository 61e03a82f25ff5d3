"""One call of each port method, as data for matrices."""

from collections.abc import Awaitable, Callable

from backfill.model.attributes import ContentHeaders
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    MarkAbsentRequest,
    MultipartUpload,
    UploadPartCopyRequest,
)
from backfill.ports import ObjectStore

SOURCE = BucketPlace(
    bucket="source-bucket",
    region="us-east-1",
    expected_owner="111111111111",
    owner_origin="flag",
)
DESTINATION = BucketPlace(
    bucket="destination-bucket",
    region="eu-west-1",
    expected_owner="222222222222",
    owner_origin="flag",
)
KEY = "folder/object"
ETAG = ETag("d41d8cd98f00b204e9800998ecf8427e")
VERSION = VersionId("version-1")


def copy_request(key: str = KEY, source_key: str | None = None) -> CopyObjectRequest:
    return CopyObjectRequest(
        destination=DESTINATION,
        key=key,
        source=CopySource(
            place=SOURCE,
            key=key if source_key is None else source_key,
            version_id=VERSION,
            etag=ETAG,
        ),
        precondition=IfAbsent(),
        storage_class="STANDARD",
        encryption=None,
    )


def upload(key: str = KEY) -> MultipartUpload:
    return MultipartUpload(destination=DESTINATION, key=key, upload_id="upload-1")


def create_request(key: str = KEY) -> CreateMultipartUploadRequest:
    return CreateMultipartUploadRequest(
        destination=DESTINATION,
        key=key,
        metadata=(("name", "naïve"),),
        content_headers=ContentHeaders(content_type="text/plain", expires="not a date"),
        tags=(("a b", "c&d=é"),),
        storage_class="STANDARD",
        encryption=None,
        checksum_algorithm=None,
        checksum_type=None,
    )


def part_request(key: str = KEY) -> UploadPartCopyRequest:
    return UploadPartCopyRequest(
        upload=upload(key),
        part_number=1,
        source=CopySource(place=SOURCE, key=key, version_id=VERSION, etag=ETAG),
        first_byte=0,
        last_byte=99,
    )


def complete_request(key: str = KEY) -> CompleteMultipartUploadRequest:
    return CompleteMultipartUploadRequest(
        upload=upload(key),
        parts=(CopiedPart(part_number=1, etag=ETAG),),
        precondition=IfReplaces(etag=ETAG),
        checksum_type=None,
        size_bytes=100,
    )


async def read_all(store: ObjectStore, key: str = KEY) -> bytes:
    return b"".join([chunk async for chunk in store.read_object(SOURCE, key, version_id=VERSION)])


READS: dict[str, Callable[[ObjectStore, str], Awaitable[object]]] = {
    "ListObjectVersions": lambda store, key: store.list_object_versions(SOURCE, prefix=key),
    "HeadObject": lambda store, key: store.head_object(SOURCE, key, version_id=VERSION),
    "GetObjectTagging": lambda store, key: store.get_object_tagging(
        SOURCE, key, version_id=VERSION
    ),
    "GetObjectAcl": lambda store, key: store.object_acl(SOURCE, key, version_id=VERSION),
    "GetObjectRetention": lambda store, key: store.has_retention(SOURCE, key, version_id=VERSION),
    "GetObjectLegalHold": lambda store, key: store.has_legal_hold(SOURCE, key, version_id=VERSION),
    "GetObject": read_all,
    "ListParts": lambda store, key: store.list_parts(upload(key)),
}
WRITES: dict[str, Callable[[ObjectStore, str], Awaitable[object]]] = {
    "CopyObject": lambda store, key: store.copy_object(copy_request(key)),
    "CreateMultipartUpload": lambda store, key: store.create_multipart_upload(create_request(key)),
    "UploadPartCopy": lambda store, key: store.upload_part_copy(part_request(key)),
    "CompleteMultipartUpload": lambda store, key: store.complete_multipart_upload(
        complete_request(key)
    ),
    "AbortMultipartUpload": lambda store, key: store.abort_multipart_upload(upload(key)),
    "DeleteObject": lambda store, key: store.hide_object(
        HideRequest(destination=DESTINATION, key=key, etag=ETAG)
    ),
    "DeleteObject (absent)": lambda store, key: store.mark_absent(
        MarkAbsentRequest(destination=DESTINATION, key=key)
    ),
}
OPERATIONS = READS | WRITES
