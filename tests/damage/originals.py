"""Source objects of every kind, plain ones and such with all that an object can have.

Written by requests of the model, as clients would.
"""

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import md5
from random import Random

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations import copies, multipart, objects
from backfill.sandbox.model.values import (
    ContentHeaders,
    CustomerKey,
    Grant,
    ObjectLock,
    RequestedEncryption,
    SentChecksum,
    WrittenAttributes,
)
from tests.doubles.damage_table import Kind
from tests.simulation.scenario import COPY_LIMIT_BYTES, DESTINATION, OWNER, RECEIVER, SOURCE

SOURCE_KEY = f"arn:aws:kms:{OWNER.region}:{OWNER.account_id}:key/source"
REPLICA_KEY = f"arn:aws:kms:{RECEIVER.region}:{RECEIVER.account_id}:key/replica"
OTHER_KEY = REPLICA_KEY.replace("replica", "other")
CUSTOMER_KEY = CustomerKey(key_md5="hRasmdxgYDKV3nvbahU1MA==")
STRANGER = "c" * 64
SMALL, LARGE = (40, 41), (80, 81)
"""Sizes below and above the limit of CopyObject: two each, so that swaps keep a size or do not."""

_KMS = (Kind.KMS, Kind.KMS_UNSUMMED, Kind.KMS_COMPOSITE, Kind.REPLICA_KMS)
_CUSTOMERS = (Kind.CUSTOMER_KEY, Kind.REPLICA_CUSTOMER_KEY)
_UNSUMMED = (Kind.UNSUMMED, Kind.PARTS_UNSUMMED, Kind.KMS_UNSUMMED)
_UPLOADS = {
    Kind.PARTS_COMPOSITE: ("SHA256", LARGE),
    Kind.PARTS_WHOLE: ("CRC64NVME", LARGE),
    Kind.PARTS_UNSUMMED: (None, LARGE),
    Kind.JOINED: ("CRC64NVME", SMALL),
    Kind.KMS_COMPOSITE: ("SHA256", SMALL),
    Kind.REPLICA_PARTS: ("CRC32C", LARGE),
}
_HEADERS = ContentHeaders(
    content_type="text/plain",
    cache_control="no-store",
    content_disposition="inline",
    content_encoding="gzip",
    content_language="de-AT",
    expires="Thu, 01 Dec 1994 16:00:00 GMT",
)
assert max(SMALL) < COPY_LIMIT_BYTES < min(LARGE)


def write(model: S3Model, kind: Kind, key: str, random: Random, *, is_rich: bool) -> None:
    """Write one source object of a kind, and what an earlier run had copied of its marker's key."""
    attributes = _attributes(model, kind, random, is_rich=is_rich)
    if kind in _UPLOADS:
        _upload(model, kind, key, random, attributes)
    else:
        body = b"" if kind is Kind.EMPTY else random.randbytes(random.choice(SMALL))
        algorithm = "SHA256" if kind is Kind.ONE_PART_SHA256 else "CRC64NVME"
        request = objects.PutObjectRequest(
            bucket=SOURCE,
            key=key,
            body=body,
            attributes=attributes,
            checksum=SentChecksum(algorithm=algorithm),
        )
        model.put_object(OWNER, request)
    if kind in _UNSUMMED:
        raw_edits.strip_checksum(model, SOURCE, key)
    if kind is Kind.MARKER:
        old = copies.CopySource(bucket=SOURCE, key=key)
        model.copy_object(
            RECEIVER, copies.CopyObjectRequest(bucket=DESTINATION, key=key, source=old)
        )
    if kind in (Kind.MARKER, Kind.REPLICA_MARKER):
        model.delete_object(OWNER, objects.DeleteObjectRequest(bucket=SOURCE, key=key))


def _attributes(model: S3Model, kind: Kind, random: Random, *, is_rich: bool) -> WrittenAttributes:
    encryption = RequestedEncryption()
    if kind in _KMS:
        encryption = RequestedEncryption(algorithm="aws:kms", kms_key_id=SOURCE_KEY)
    if kind in _CUSTOMERS:
        encryption = RequestedEncryption(customer_key=CUSTOMER_KEY)
    if not is_rich:
        return WrittenAttributes(encryption=encryption)
    until = model.world.clock().replace(microsecond=0) + timedelta(days=random.randint(90, 900))
    lock = ObjectLock(mode=random.choice(("GOVERNANCE", "COMPLIANCE")), retain_until=until)
    grants = (
        Grant(grantee=canonical_id(OWNER.account_id), permission="FULL_CONTROL"),
        Grant(grantee=STRANGER, permission="READ"),
    )
    has_acls = raw_edits.bucket_of(model, SOURCE).object_ownership != "BucketOwnerEnforced"
    return WrittenAttributes(
        content=_HEADERS,
        metadata=(
            ("origin", f"Vienna {random.randint(0, 9)}"),
            ("note", "x" * random.randint(1, 9)),
        ),
        tags=(("n", str(random.randint(0, 9))), ("team", "Red")),
        storage_class=random.choice((None, "STANDARD_IA")),
        encryption=encryption,
        lock=replace(lock, has_legal_hold=random.choice((True, False))),
        grants=grants if has_acls else (),
        website_redirect_location="/elsewhere",
    )


def _upload(
    model: S3Model, kind: Kind, key: str, random: Random, attributes: WrittenAttributes
) -> None:
    algorithm, sizes = _UPLOADS[kind]
    is_composite = algorithm not in (None, "CRC64NVME")
    created = model.create_multipart_upload(
        OWNER,
        multipart.CreateMultipartUploadRequest(
            bucket=SOURCE,
            key=key,
            attributes=attributes,
            checksum_algorithm=algorithm,
            checksum_type=None
            if algorithm is None
            else ("COMPOSITE" if is_composite else "FULL_OBJECT"),
        ),
    )
    size_bytes = random.choice(sizes)
    named = []
    for number, part_bytes in enumerate((32, size_bytes - 32), 1):
        body = random.randbytes(part_bytes)
        told = model.upload_part(
            OWNER,
            copies.UploadPartRequest(
                bucket=SOURCE,
                key=key,
                upload_id=created.upload_id,
                part_number=number,
                body=body,
                content_md5=b64encode(md5(body, usedforsecurity=False).digest()).decode(),
                checksum=SentChecksum(algorithm=algorithm) if algorithm else None,
            ),
        )
        sent = told.checksum
        checksum = SentChecksum(algorithm=sent.algorithm.value, value=sent.value) if sent else None
        named.append(multipart.CompletedPart(number=number, etag=told.etag, checksum=checksum))
    model.complete_multipart_upload(
        OWNER,
        multipart.CompleteMultipartUploadRequest(
            bucket=SOURCE, key=key, upload_id=created.upload_id, parts=tuple(named)
        ),
    )
