"""What the table of refusals does to a stage: short names for requests that S3 refuses."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from backfill.sandbox.model.checksums import composite as composite_checksum
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    DefaultRetention,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutObjectLockConfigurationRequest,
)
from backfill.sandbox.model.operations.copies import (
    CopySource,
    UploadPartCopyRequest,
    UploadPartRequest,
)
from backfill.sandbox.model.operations.documents import EVERYTHING_BLOCKED
from backfill.sandbox.model.operations.listings import (
    ListObjectsV2Request,
    ListObjectVersionsRequest,
)
from backfill.sandbox.model.operations.multipart import CompletedPart
from backfill.sandbox.model.operations.objects import (
    DeleteEntry,
    DeleteObjectsRequest,
    GetObjectAttributesRequest,
    PutObjectAclRequest,
    PutObjectLockRequest,
    PutObjectTaggingRequest,
    RestoreObjectRequest,
)
from backfill.sandbox.model.restore_settings import RestoreSettings
from backfill.sandbox.model.values import (
    ChecksumAlgorithm,
    CustomerKey,
    ObjectLock,
    ReadConditions,
    RequestedEncryption,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)
from backfill.sandbox.model.versions import ObjectVersion
from tests.unit.sandbox.model.conftest import (
    BUCKET,
    DESTINATION,
    KMS_KEY,
    LOCKED,
    PLAIN,
    START,
    Stage,
)

WRONG = "0" * 32
CUSTOMER = CustomerKey(key_md5="a")
LATER = START + timedelta(days=900)
UNKNOWN_ID = "A" * 32


def attributes(**said: object) -> WrittenAttributes:
    return WrittenAttributes(**said)  # type: ignore[arg-type] # a table's


def encrypted(**said: object) -> WrittenAttributes:
    return attributes(encryption=RequestedEncryption(**said))  # type: ignore[arg-type] # a table's


def writes(**said: object) -> WriteConditions:
    return WriteConditions(**said)  # type: ignore[arg-type] # a table's


def reads(**said: object) -> ReadConditions:
    return ReadConditions(**said)  # type: ignore[arg-type] # a table's


def source(**said: object) -> CopySource:
    return CopySource(**({"bucket": BUCKET, "key": "k"} | said))  # type: ignore[arg-type] # a table's


def changed(stage: Stage, key: str = "k", **said: object) -> None:
    """Do what only lifecycle or time can: change a stored version."""
    version = stage.bucket().current(key)
    assert isinstance(version, ObjectVersion)
    stage.bucket().swap(replace(version, **said))  # type: ignore[arg-type] # a table's


def marker(stage: Stage, key: str = "k") -> str:
    version_id = stage.delete(key).version_id
    assert version_id is not None
    return version_id


def sse_c(stage: Stage) -> None:
    stage.encrypt(BUCKET, algorithm="AES256")
    stage.put("c", attributes=encrypted(customer_key=CUSTOMER))


def unversioned_lock(stage: Stage) -> None:
    request = PutObjectLockConfigurationRequest(bucket=PLAIN)
    stage.model.put_object_lock_configuration(stage.own, request)


def put_policy(stage: Stage, document: str, bucket: str = BUCKET) -> None:
    request = PutBucketPolicyRequest(bucket=bucket, document=document)
    stage.model.put_bucket_policy(stage.own, request)


def create(stage: Stage, name: str, **said: object) -> None:
    request = CreateBucketRequest(bucket=name, **said)  # type: ignore[arg-type] # a table's
    stage.model.create_bucket(stage.own, request)


def replicate(stage: Stage) -> None:
    rule = (
        "<Rule><Status>Enabled</Status><Prefix></Prefix><Destination><Bucket>arn:aws:s3:::"
        f"{DESTINATION}</Bucket></Destination></Rule>"
    )
    document = (
        "<ReplicationConfiguration><Role>arn:aws:iam::111111111111:role/r</Role>"
        f"{rule}</ReplicationConfiguration>"
    )
    request = PutBucketReplicationRequest(bucket=BUCKET, document=document)
    stage.model.put_bucket_replication(stage.own, request)


def lock_default(stage: Stage, **said: object) -> None:
    retention = DefaultRetention(**said)  # type: ignore[arg-type] # a table's
    request = PutObjectLockConfigurationRequest(bucket=LOCKED, default_retention=retention)
    stage.model.put_object_lock_configuration(stage.own, request)


def put_lock(stage: Stage, bucket: str = LOCKED, **said: object) -> None:
    request = PutObjectLockRequest(bucket=bucket, key="k", **said)  # type: ignore[arg-type] # a table's
    stage.model.put_object_lock(stage.own, request)


def locked(stage: Stage, mode: str = "GOVERNANCE", until: datetime = LATER, **more: Any) -> str:
    lock = ObjectLock(mode=mode, retain_until=until)
    written = stage.put("k", bucket=LOCKED, attributes=attributes(lock=lock), **more)
    assert written.version_id is not None
    return written.version_id


def locked_part(stage: Stage) -> None:
    """Upload a part without a checksum of what will be under legal hold."""
    held = attributes(lock=ObjectLock(has_legal_hold=True))
    upload_id = stage.create_upload("u", LOCKED, attributes=held)
    stage.upload_part(upload_id, 1, b"x", "u", LOCKED)


def keyed_part(stage: Stage, upload: CustomerKey | None, sent: CustomerKey | None) -> None:
    """Upload a part with one customer key, or none, to an upload with another."""
    stage.encrypt(BUCKET, algorithm="AES256")
    upload_id = stage.create_upload("u", attributes=encrypted(customer_key=upload))
    request = UploadPartRequest(
        bucket=BUCKET, key="u", upload_id=upload_id, part_number=1, body=b"x", customer_key=sent
    )
    stage.model.upload_part(stage.own, request)


def allow_acls(stage: Stage, *, is_public: bool = True) -> None:
    """Let writers own what they write, and public ACLs be set or not."""
    there = stage.bucket()
    there.object_ownership = "ObjectWriter"
    there.public_access_block = None if is_public else EVERYTHING_BLOCKED


def put(stage: Stage, said: WrittenAttributes) -> None:
    stage.put(attributes=said)


def put_acl(stage: Stage, **said: object) -> None:
    request = PutObjectAclRequest(bucket=BUCKET, key="k", **said)  # type: ignore[arg-type] # a table's
    stage.model.put_object_acl(stage.own, request)


def out_of_capacity(stage: Stage) -> None:
    """Let S3 have no Expedited retrieval to give."""
    changed(stage, storage_class="GLACIER")
    stage.model.world.restores = RestoreSettings(is_expedited_available=False)


def restore(stage: Stage, days: int | None = 1, tier: str | None = None) -> None:
    request = RestoreObjectRequest(bucket=BUCKET, key="k", days=days, tier=tier)
    stage.model.restore_object(stage.own, request)


def attributes_of(stage: Stage, *names: str) -> None:
    request = GetObjectAttributesRequest(bucket=BUCKET, key="k", attributes=names)
    stage.model.get_object_attributes(stage.own, request)


def tag(stage: Stage, tags: Pairs) -> None:
    request = PutObjectTaggingRequest(bucket=BUCKET, key="k", tags=tags)
    stage.model.put_object_tagging(stage.own, request)


def list_from(stage: Stage, token: str) -> None:
    request = ListObjectsV2Request(bucket=BUCKET, continuation_token=token)
    stage.model.list_objects_v2(stage.own, request)


def delete_many(stage: Stage, count: int) -> None:
    request = DeleteObjectsRequest(bucket=BUCKET, entries=(DeleteEntry(key="k"),) * count)
    stage.model.delete_objects(stage.own, request)


def list_versions(stage: Stage, **said: object) -> None:
    request = ListObjectVersionsRequest(bucket=BUCKET, **said)  # type: ignore[arg-type] # a table's
    stage.model.list_object_versions(stage.own, request)


def completed(stage: Stage, sizes: list[int], named: list[int], **said: Any) -> None:
    """Upload parts of these sizes and complete with those of these numbers."""
    upload_id = stage.create_upload("u")
    parts = [
        stage.upload_part(upload_id, number, bytes(size), "u")
        for number, size in enumerate(sizes, start=1)
    ]
    missing = CompletedPart(number=5, etag=WRONG)
    stage.complete(
        upload_id, [parts[n - 1] if n <= len(parts) else missing for n in named], "u", **said
    )


def composite(stage: Stage, part_checksum: SentChecksum | None, **said: Any) -> None:
    """Complete an upload of one part with CRC32 checksums, the part named with this one."""
    upload_id = stage.create_upload("u", checksum_algorithm="CRC32")
    part = stage.upload_part(upload_id, 1, b"x", "u", algorithm="CRC32")
    stage.complete(upload_id, [replace(part, checksum=part_checksum)], "u", **said)


X = SentChecksum(algorithm="CRC32", value="jNwWgw==")
"""Of the bytes `x`."""
X_COMPOSITE = composite_checksum(ChecksumAlgorithm.CRC32, ["jNwWgw=="]).value


def deny(stage: Stage, action: str) -> None:
    stage.denied = lambda question: question.action == action


def current_id(stage: Stage, bucket: str = BUCKET) -> str:
    entry = stage.bucket(bucket).current("k")
    assert entry is not None
    return entry.version_id


def kms(stage: Stage) -> None:
    """Write `e` under a key that is disabled afterwards."""
    stage.put("e", attributes=encrypted(algorithm="aws:kms", kms_key_id=KMS_KEY))
    stage.model.world.keys.disabled.add(KMS_KEY)


def unlike_part(stage: Stage, algorithm: str | None) -> None:
    upload_id = stage.create_upload("u", checksum_algorithm="SHA256")
    stage.upload_part(upload_id, 1, b"x", "u", algorithm=algorithm)


def one_part(stage: Stage, key: str, **said: Any) -> None:
    upload_id = stage.create_upload(key)
    stage.complete(upload_id, [stage.upload_part(upload_id, 1, b"x", key)], key, **said)


def conflicting(stage: Stage) -> None:
    """Complete conditionally after the key came and went since the upload began."""
    upload_id = stage.create_upload("u")
    part = stage.upload_part(upload_id, 1, b"x", "u")
    stage.put("u")
    stage.delete("u")
    stage.complete(upload_id, [part], "u", conditions=writes(if_none_match="*"))


def copy_part(stage: Stage, said_range: str | None, body: bytes = b"body", **said: object) -> None:
    stage.put("s", body)
    request = UploadPartCopyRequest(
        bucket=BUCKET,
        key="u",
        upload_id=stage.create_upload("u"),
        part_number=1,
        source=source(key="s", **said),
        range=said_range,
    )
    stage.model.upload_part_copy(stage.own, request)


def part_number(stage: Stage, number: int) -> None:
    stage.upload_part(stage.create_upload("u"), number, b"x", "u")
