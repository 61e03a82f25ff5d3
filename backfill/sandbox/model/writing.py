"""Writing: what every new version goes through, and PutObject.

`check_attributes` refuses what a request says wrongly, `authorize_write` asks for permission,
`put_in_place` makes a version the current one. PutObject, CopyObject and the completion of an
upload are these three with bytes of their own.
Law: nothing is placed before all that can be refused has been asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket, require
from backfill.sandbox.model.access_lists import acl_of_write, check_acl, owner_of_write
from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.checksums import check_content_md5, checked
from backfill.sandbox.model.conditions import check_write, check_write_form
from backfill.sandbox.model.encryption import encryption_of_write
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.finding import version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.model.locking import check_lock, lock_of_write
from backfill.sandbox.model.operations.objects import PutObjectRequest, PutObjectResult
from backfill.sandbox.model.protection_refusals import LOCK_NEEDS_CHECKSUM, LOCK_ON_UNLOCKED_BUCKET
from backfill.sandbox.model.tagging import check_tags
from backfill.sandbox.model.values import (
    Encryption,
    Grant,
    ObjectLock,
    Versioning,
    WriteConditions,
    WrittenAttributes,
)
from backfill.sandbox.model.versions import NULL_VERSION_ID, Entry, ObjectVersion
from backfill.sandbox.model.world import World

STANDARD = "STANDARD"
_REDIRECT_STARTS = ("/", "http://", "https://")
_REDIRECT_MAX_BYTES = 2048
_STORAGE_CLASSES = frozenset(
    {
        STANDARD,
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)


def check_key(key: str, limits: Limits) -> None:
    """Refuse a key that is too long."""
    size_bytes = len(key.encode("utf-8"))
    if size_bytes > limits.key_size_bytes:
        fields = (("Size", str(size_bytes)), ("MaxSizeAllowed", str(limits.key_size_bytes)))
        raise S3Error(refusals.KEY_TOO_LONG, fields=fields)


def check_attributes(world: World, bucket: Bucket, attributes: WrittenAttributes) -> None:
    """Refuse attributes that S3 does not store."""
    limits = world.limits
    size_bytes = sum(
        len(name.encode("utf-8")) + len(value.encode("utf-8", "surrogateescape"))
        for name, value in attributes.metadata
    )
    if size_bytes > limits.metadata_size_bytes:
        fields = (("Size", str(size_bytes)), ("MaxSizeAllowed", str(limits.metadata_size_bytes)))
        raise S3Error(refusals.METADATA_TOO_LARGE, fields=fields)
    if attributes.tags:
        check_tags(attributes.tags, limits)
    storage_class = attributes.storage_class
    if storage_class is not None and storage_class not in _STORAGE_CLASSES:
        named = (("StorageClassRequested", storage_class),)
        raise S3Error(refusals.INVALID_STORAGE_CLASS, fields=named)
    check_acl(bucket, attributes.acl, attributes.grants)
    _check_redirect(attributes.website_redirect_location)
    if attributes.lock is not None:
        check_lock(bucket, attributes.lock, world.clock(), refusal=LOCK_ON_UNLOCKED_BUCKET)


def _check_redirect(location: str | None) -> None:
    """Refuse what is neither an object of the bucket nor a URL."""
    if location is None:
        return
    is_long = len(location.encode("utf-8", "surrogateescape")) > _REDIRECT_MAX_BYTES
    if is_long or not location.startswith(_REDIRECT_STARTS):
        raise S3Error(refusals.INVALID_REDIRECT)


def _write_conditions(
    attributes: WrittenAttributes,
    conditions: WriteConditions,
    now: datetime,
    *,
    creates_object: bool,
) -> Pairs:
    """What a bucket policy may ask of a write (Service Authorization Reference: Amazon S3)."""
    asked = attributes.encryption
    values = (
        ("s3:x-amz-acl", attributes.acl),
        ("s3:x-amz-storage-class", attributes.storage_class),
        ("s3:x-amz-server-side-encryption", asked.algorithm),
        ("s3:x-amz-server-side-encryption-aws-kms-key-id", asked.kms_key_id),
        ("s3:if-match", conditions.if_match),
        ("s3:if-none-match", conditions.if_none_match),
        *_grant_conditions(attributes.grants),
        *_lock_conditions(attributes.lock, now),
        ("s3:ObjectCreationOperation", "true" if creates_object else "false"),
    )
    said = tuple((name, value) for name, value in values if value is not None)
    return said + tuple((f"s3:RequestObjectTag/{name}", value) for name, value in attributes.tags)


def _grant_conditions(grants: tuple[Grant, ...]) -> Iterator[tuple[str, str | None]]:
    for permission in dict.fromkeys(grant.permission for grant in grants):
        header = permission.lower().replace("_", "-")
        named = [
            f"{'uri' if grant.is_of_group else 'id'}={grant.grantee}"
            for grant in grants
            if grant.permission == permission
        ]
        yield f"s3:x-amz-grant-{header}", ",".join(named)


def _lock_conditions(lock: ObjectLock | None, now: datetime) -> Iterator[tuple[str, str | None]]:
    if lock is None:
        return
    until = lock.retain_until
    yield "s3:object-lock-mode", lock.mode
    if until is not None:
        yield "s3:object-lock-retain-until-date", until.strftime("%Y-%m-%dT%H:%M:%SZ")
        yield "s3:object-lock-remaining-retention-days", str(max(0, (until - now).days))
    if lock.has_legal_hold is not None:
        yield "s3:object-lock-legal-hold", "ON" if lock.has_legal_hold else "OFF"


def authorize_write(  # noqa: PLR0913 - all that a policy may look at
    world: World,
    caller: Caller,
    bucket: Bucket,
    key: str,
    attributes: WrittenAttributes,
    conditions: WriteConditions,
    *,
    creates_object: bool = True,
    also: Pairs = (),
) -> None:
    """Ask for every action that a write with these attributes needs.

    `creates_object` is false for what only prepares one: creation and parts of an upload.
    """
    now = world.clock()
    said = also + _write_conditions(attributes, conditions, now, creates_object=creates_object)
    require(world, caller, "s3:PutObject", bucket, key, conditions=said)
    if conditions.if_match is not None:
        require(world, caller, "s3:GetObject", bucket, key)
    if attributes.tags:
        require(world, caller, "s3:PutObjectTagging", bucket, key, conditions=said)
    if attributes.acl is not None or attributes.grants:
        require(world, caller, "s3:PutObjectAcl", bucket, key, conditions=said)
    lock = attributes.lock
    if lock is not None and lock.mode is not None:
        require(world, caller, "s3:PutObjectRetention", bucket, key, conditions=said)
    if lock is not None and lock.has_legal_hold is not None:
        require(world, caller, "s3:PutObjectLegalHold", bucket, key, conditions=said)


def fresh_version_id(world: World, bucket: Bucket) -> str:
    """The ID of the next version: `null` unless versioning is enabled (UG: Versioning)."""
    return world.new_id() if bucket.versioning is Versioning.ENABLED else NULL_VERSION_ID


def etag_of(world: World, body: Body, encryption: Encryption) -> str:
    """The ETag of an object written in one piece (API: Object, ETag)."""
    return world.opaque_etag() if encryption.has_opaque_etag else body.md5.hex()


def put_in_place(world: World, bucket: Bucket, entry: Entry) -> None:
    """Make a client's version or delete marker the current one, and tell live replication."""
    bucket.place(entry)
    world.on_version_written(bucket, entry)


def put_object(world: World, caller: Caller, request: PutObjectRequest) -> PutObjectResult:
    """Store a body as the new current version."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    attributes, key = request.attributes, request.key
    check_key(key, world.limits)
    check_write_form(request.conditions)
    check_attributes(world, bucket, attributes)
    authorize_write(world, caller, bucket, key, attributes, request.conditions)
    body = Body(request.body)
    if len(body.data) > world.limits.put_size_bytes:
        raise S3Error(refusals.ENTITY_TOO_LARGE)
    check_content_md5(body, request.content_md5)
    checksum = checked(body, request.checksum)
    check_write(request.conditions, key, bucket.current(key))
    encryption = encryption_of_write(world, caller, bucket, key, attributes.encryption)
    now = world.clock()
    lock = lock_of_write(bucket, attributes.lock, now)
    if lock is not None and request.content_md5 is None and request.checksum is None:
        raise S3Error(LOCK_NEEDS_CHECKSUM)
    owner_id = owner_of_write(bucket, caller, attributes.acl)
    version = ObjectVersion(
        key=key,
        version_id=fresh_version_id(world, bucket),
        created_at=now,
        sequence=world.next_sequence(),
        owner_id=owner_id,
        body=body,
        etag=etag_of(world, body, encryption),
        checksum=checksum,
        content=attributes.content,
        metadata=attributes.metadata,
        tags=attributes.tags,
        storage_class=attributes.storage_class or STANDARD,
        encryption=encryption,
        lock=lock,
        acl=acl_of_write(bucket, owner_id, attributes),
        website_redirect_location=attributes.website_redirect_location,
    )
    put_in_place(world, bucket, version)
    return PutObjectResult(
        etag=version.etag,
        version_id=version_id_told(bucket, version),
        checksum=checksum,
        encryption=encryption,
    )
