"""A sandbox with one bucket behind a fault proxy, and one call of each port method upon it.

Each act is prepared on a key of its own by a store that the proxy does not touch; then it is one
call, whose result can be proven from the model.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from backfill.aws.object_store import S3ObjectStore
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind
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
    MarkAbsentRequest,
    MarkerResult,
    MultipartUpload,
    UploadPartCopyRequest,
    WriteResult,
)
from backfill.sandbox.service import SOURCE, Sandbox

PLACE = BucketPlace(
    bucket="proxied",
    region=SOURCE.region,
    expected_owner=SOURCE.account_id,
    owner_origin="flag",
)
KEY = "what is/read+%2F é"
BODY = b"\r\n\r\n0123456789 not the end\r\n\r\n" * 8
"""With what ends a head in it."""
ENCRYPTION = Encryption(kind=EncryptionKind.SSE_S3)

Act = Callable[[S3ObjectStore], Awaitable[object]]
Print = tuple[tuple[str, ...], tuple[tuple[str, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedWorld:
    """The bucket, and the version that reads and copies are about."""

    sandbox: Sandbox
    source: CopySource
    upload: MultipartUpload
    """Open, with one part."""

    def seen(self, key: str) -> Print:
        """Return the versions of a key, and its uploads with their numbers of parts."""
        with self.sandbox.held() as model:
            bucket = model.world.buckets[PLACE.bucket]
            uploads = bucket.uploads.values()
            return (
                tuple(entry.version_id for entry in bucket.chain(key)),
                tuple((one.upload_id, len(one.parts)) for one in uploads if one.key == key),
            )

    def copy_request(self, key: str) -> CopyObjectRequest:
        """Return a copy onto an absent key."""
        return CopyObjectRequest(
            destination=PLACE,
            key=key,
            source=self.source,
            precondition=IfAbsent(),
            storage_class="STANDARD",
            encryption=ENCRYPTION,
        )


UPLOAD_KEY = "an open upload"


def made_world(sandbox: Sandbox) -> ProxiedWorld:
    """Make the bucket, with Object Lock so that each question has an answer."""
    settings: dict[str, Any] = dict(sandbox.client_settings("source"))
    client: Any = boto3.client("s3", **settings)  # boto3 makes its methods at run time
    client.create_bucket(Bucket=PLACE.bucket, ObjectLockEnabledForBucket=True)
    put = client.put_object(
        Bucket=PLACE.bucket,
        Key=KEY,
        Body=BODY,
        ContentType="text/x",
        Metadata={"name": "value, with comma"},
        Tagging="a%20b=c",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(days=400),
        ObjectLockLegalHoldStatus="ON",
    )
    created = client.create_multipart_upload(Bucket=PLACE.bucket, Key=UPLOAD_KEY)
    upload_id = str(created["UploadId"])
    client.upload_part(
        Bucket=PLACE.bucket, Key=UPLOAD_KEY, UploadId=upload_id, PartNumber=1, Body=BODY
    )
    client.close()
    version_id, etag = VersionId(put["VersionId"]), ETag(put["ETag"].strip('"'))
    source = CopySource(place=PLACE, key=KEY, version_id=version_id, etag=etag)
    upload = MultipartUpload(destination=PLACE, key=UPLOAD_KEY, upload_id=upload_id)
    return ProxiedWorld(sandbox=sandbox, source=source, upload=upload)


async def _read_all(store: S3ObjectStore, version_id: VersionId) -> bytes:
    chunks = store.read_object(PLACE, KEY, version_id=version_id)
    return b"".join([chunk async for chunk in chunks])


READS = (
    "ListObjectVersions",
    "HeadObject",
    "HeadObject (part)",
    "GetObject",
    "GetObjectTagging",
    "GetObjectAcl",
    "GetObjectRetention",
    "GetObjectLegalHold",
    "ListParts",
)
WRITES = (
    "CopyObject",
    "CreateMultipartUpload",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "DeleteObject (hide)",
    "DeleteObject (absent)",
)


def read_act(world: ProxiedWorld, operation: str) -> Act:
    """Return a read."""
    version_id = world.source.version_id
    acts: dict[str, Act] = {
        "ListObjectVersions": lambda store: store.list_object_versions(PLACE, prefix=KEY),
        "HeadObject": lambda store: store.head_object(PLACE, KEY, version_id=version_id),
        "HeadObject (part)": lambda store: store.head_object(PLACE, KEY, part_number=1),
        "GetObject": lambda store: _read_all(store, version_id),
        "GetObjectTagging": lambda store: store.get_object_tagging(
            PLACE, KEY, version_id=version_id
        ),
        "GetObjectAcl": lambda store: store.object_acl(PLACE, KEY, version_id=version_id),
        "GetObjectRetention": lambda store: store.has_retention(PLACE, KEY, version_id=version_id),
        "GetObjectLegalHold": lambda store: store.has_legal_hold(PLACE, KEY, version_id=version_id),
        "ListParts": lambda store: store.list_parts(world.upload),
    }
    return acts[operation]


async def write_act(world: ProxiedWorld, direct: S3ObjectStore, operation: str, key: str) -> Act:
    """Prepare a write on a key through a store that works, and return it."""
    copy = world.copy_request(key)
    match operation:
        case "CopyObject":
            return lambda store: store.copy_object(copy)
        case "CreateMultipartUpload":
            return lambda store: store.create_multipart_upload(_creation(key))
        case "DeleteObject (hide)":
            etag = (await direct.copy_object(copy)).etag
            hide = HideRequest(destination=PLACE, key=key, etag=etag)
            return lambda store: store.hide_object(hide)
        case "DeleteObject (absent)":
            mark = MarkAbsentRequest(destination=PLACE, key=key)
            return lambda store: store.mark_absent(mark)
    return await _upload_act(world, direct, operation, key)


async def _upload_act(world: ProxiedWorld, direct: S3ObjectStore, operation: str, key: str) -> Act:
    upload = await direct.create_multipart_upload(_creation(key))
    if operation == "AbortMultipartUpload":
        return lambda store: store.abort_multipart_upload(upload)
    part = UploadPartCopyRequest(
        upload=upload, part_number=1, source=world.source, first_byte=0, last_byte=len(BODY) - 1
    )
    if operation == "UploadPartCopy":
        return lambda store: store.upload_part_copy(part)
    assert operation == "CompleteMultipartUpload", operation
    complete = CompleteMultipartUploadRequest(
        upload=upload,
        parts=(await direct.upload_part_copy(part),),
        precondition=IfAbsent(),
        checksum_type=None,
        size_bytes=len(BODY),
    )
    return lambda store: store.complete_multipart_upload(complete)


def _creation(key: str) -> CreateMultipartUploadRequest:
    return CreateMultipartUploadRequest(
        destination=PLACE,
        key=key,
        metadata=(("name", "naïve"),),
        content_headers=ContentHeaders(content_type="text/plain"),
        tags=(("a b", "c=é"),),
        storage_class="STANDARD",
        encryption=ENCRYPTION,
        checksum_algorithm=None,
        checksum_type=None,
    )


def is_proven(result: object, after: Print) -> bool:
    """Whether the model holds what a write's result claims."""
    versions, uploads = after
    match result:
        case WriteResult(version_id=version_id) | MarkerResult(version_id=version_id):
            return version_id in versions
        case MultipartUpload(upload_id=upload_id):
            return (upload_id, 0) in uploads
        case CopiedPart():
            return [count for _, count in uploads] == [1]
        case None:
            return not uploads
    return False
