"""What a copy keeps, what it loses, and which copies are legal."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.copies import CopySource
from backfill.sandbox.model.operations.objects import RestoreObjectRequest
from backfill.sandbox.model.values import (
    ArchiveStatus,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ContentHeaders,
    ObjectLock,
    ReplicationStatus,
    RequestedEncryption,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)
from backfill.sandbox.model.versions import ObjectVersion
from tests.unit.sandbox.model.acts import LATER, changed
from tests.unit.sandbox.model.conftest import (
    BUCKET,
    DESTINATION,
    KMS_KEY,
    LOCKED,
    OTHER,
    OWN,
    PLAIN,
    Stage,
)

RICH = WrittenAttributes(
    content=ContentHeaders(
        content_type="text/plain",
        cache_control="no-store",
        content_disposition="inline",
        content_encoding="gzip",
        content_language="de",
        expires="never",
    ),
    metadata=(("colour", "blue"),),
    tags=(("a", "b"),),
    storage_class="STANDARD_IA",
    website_redirect_location="/there",
    acl="bucket-owner-full-control",
)


def current(stage: Stage, bucket: str, key: str) -> ObjectVersion:
    entry = stage.bucket(bucket).current(key)
    assert isinstance(entry, ObjectVersion)
    return entry


def test_a_copy_keeps_bytes_headers_metadata_and_tags_and_nothing_else(stage: Stage) -> None:
    """If this fails, the product's table of what a copy keeps is proven against another S3."""
    stage.put(bucket=LOCKED, attributes=replace(RICH, lock=ObjectLock(has_legal_hold=True)))
    result = stage.copy("c", DESTINATION, CopySource(bucket=LOCKED, key="k"))
    source, copy = current(stage, LOCKED, "k"), current(stage, DESTINATION, "c")
    assert copy.body is source.body
    assert (copy.content, copy.metadata, copy.tags) == (RICH.content, RICH.metadata, RICH.tags)
    assert (copy.storage_class, copy.acl) == ("STANDARD", None)
    assert (copy.website_redirect_location, copy.lock) == (None, None)
    assert copy.version_id != source.version_id
    assert copy.created_at > source.created_at
    assert copy.owner_id == OTHER
    assert (result.version_id, result.source_version_id) == (copy.version_id, source.version_id)
    assert result.last_modified == copy.last_modified


def test_what_is_replaced_comes_from_the_request_alone(stage: Stage) -> None:
    """If this fails, REPLACE keeps a header that the request did not repeat."""
    stage.put(attributes=RICH)
    asked = WrittenAttributes(metadata=(("n", "v"),), tags=(("x", "y"),))
    stage.copy("both", metadata_directive="REPLACE", tagging_directive="REPLACE", attributes=asked)
    stage.copy("neither", attributes=asked)
    both, neither = (current(stage, DESTINATION, key) for key in ("both", "neither"))
    assert (both.content, both.metadata, both.tags) == (
        ContentHeaders(),
        asked.metadata,
        asked.tags,
    )
    assert (neither.metadata, neither.tags) == (RICH.metadata, RICH.tags)


def test_a_multipart_source_becomes_an_object_of_one_part(stage: Stage) -> None:
    """If this fails, copies of multipart objects look comparable by ETag and composite checksum."""
    stage.multipart("k", [b"12345678", b"9"], checksum_algorithm="CRC32")
    stage.put("single", b"123456789", checksum=SentChecksum(algorithm="CRC32"))
    result = stage.copy()
    copy, single = current(stage, DESTINATION, "copy"), current(stage, BUCKET, "single")
    assert (copy.etag, copy.parts) == (single.etag, ())
    assert result.checksum == single.checksum
    assert result.checksum is not None
    assert result.checksum.type is ChecksumType.FULL_OBJECT


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        ("SHA256", None, ChecksumAlgorithm.SHA256),
        ("CRC32C", None, ChecksumAlgorithm.CRC32C),
        (None, None, ChecksumAlgorithm.CRC64NVME),
        ("SHA256", "SHA1", ChecksumAlgorithm.SHA1),
    ],
)
def test_a_copy_keeps_the_checksum_algorithm_unless_another_is_asked(
    stage: Stage, stored: str | None, asked: str | None, expected: ChecksumAlgorithm
) -> None:
    """If this fails, the free verification of a copy by its own answer compares apples to pears."""
    stage.put(checksum=None if stored is None else SentChecksum(algorithm=stored))
    checksum = stage.copy(checksum_algorithm=asked).checksum
    assert checksum == Checksum(
        algorithm=expected,
        type=ChecksumType.FULL_OBJECT,
        value=current(stage, BUCKET, "k").body.checksum(expected),
    )


def test_a_source_without_any_checksum_gets_crc64nvme(stage: Stage) -> None:
    """If this fails, copies of objects from before 2024 have no checksum to verify by."""
    stage.put()
    changed(stage, checksum=None)
    checksum = stage.copy().checksum
    assert checksum is not None
    assert checksum.algorithm is ChecksumAlgorithm.CRC64NVME


def test_the_etag_of_a_copy_follows_the_destination_encryption(stage: Stage) -> None:
    """If this fails, ETags under KMS are taken for MD5 sums, or plain ones for opaque."""
    plain = stage.put("k").etag
    opaque = stage.put(
        "e", attributes=WrittenAttributes(encryption=RequestedEncryption(algorithm="aws:kms"))
    ).etag
    assert opaque != plain
    assert len(opaque) == 32
    assert stage.copy(source=CopySource(bucket=BUCKET, key="e")).etag == plain
    stage.encrypt(BUCKET, algorithm="aws:kms", kms_key_id=KMS_KEY, is_bucket_key_enabled=True)
    copied = stage.copy("back", BUCKET)
    assert copied.etag != plain
    assert copied.encryption.kms_key_arn == KMS_KEY
    assert copied.encryption.is_bucket_key_enabled


def test_an_absent_key_may_be_filled_even_over_a_delete_marker(stage: Stage) -> None:
    """If this fails, nobody tests that a copy can bring a deleted key back."""
    stage.put()
    absent = WriteConditions(if_none_match="*")
    stage.copy(conditions=absent)
    with pytest.raises(S3Error, match="PreconditionFailed") as refused:
        stage.copy(conditions=absent)
    assert refused.value.fields == (("Condition", "If-None-Match"),)
    stage.delete("copy", bucket=DESTINATION)
    stage.copy(conditions=absent)
    assert len(stage.bucket(DESTINATION).chain("copy")) == 3


def test_only_the_current_version_counts_for_if_match(stage: Stage) -> None:
    """If this fails, a copy replaces what it has not seen."""
    stage.put()
    old = stage.put("copy", b"old", DESTINATION).etag
    stage.put("copy", b"new", DESTINATION)
    with pytest.raises(S3Error, match="PreconditionFailed"):
        stage.copy(conditions=WriteConditions(if_match=f'"{old}"'))
    new = stage.head("copy", DESTINATION).etag
    assert stage.copy(conditions=WriteConditions(if_match=f'"{new}"')).etag


@pytest.mark.parametrize(
    "change",
    [
        {"metadata_directive": "REPLACE"},
        {"attributes": WrittenAttributes(storage_class="STANDARD")},
        {"attributes": WrittenAttributes(website_redirect_location="/x")},
        {"attributes": WrittenAttributes(encryption=RequestedEncryption(algorithm="AES256"))},
    ],
)
def test_a_copy_in_place_that_changes_something_makes_a_version(
    stage: Stage,
    change: dict[str, Any],  # a table of keyword arguments
) -> None:
    """If this fails, the remedy of copying a source object in place cannot be tried."""
    stage.put()
    stage.copy("k", BUCKET, **change)
    assert len(stage.bucket().chain("k")) == 2


def test_an_earlier_version_can_be_made_current_again(stage: Stage) -> None:
    """If this fails, restoring an earlier version is refused, which AWS documents as the way."""
    first = stage.put(body=b"first").version_id
    stage.put(body=b"second")
    stage.copy("k", BUCKET, CopySource(bucket=BUCKET, key="k", version_id=first))
    assert stage.read() == b"first"


def test_a_null_version_is_named_null_and_is_a_source_like_any(stage: Stage) -> None:
    """If this fails, versions from before versioning cannot be pinned."""
    stage.put("n", b"before", PLAIN)
    unversioned = stage.copy("a", source=CopySource(bucket=PLAIN, key="n"))
    assert unversioned.source_version_id is None
    stage.version(PLAIN, "Enabled")
    stage.put("n", b"after", PLAIN)
    stage.copy("b", source=CopySource(bucket=PLAIN, key="n", version_id="null"))
    assert stage.read("b", DESTINATION) == b"before"


@pytest.mark.parametrize("storage_class", ["GLACIER_IR", "INTELLIGENT_TIERING", "ONEZONE_IA"])
def test_classes_that_can_be_read_can_be_copied(stage: Stage, storage_class: str) -> None:
    """If this fails, an object is called archived that is not."""
    stage.put(attributes=WrittenAttributes(storage_class=storage_class))
    assert stage.copy().etag


def test_a_restored_object_can_be_copied_until_the_restore_ends(stage: Stage) -> None:
    """If this fails, restored objects stay archived, or stay restored for ever."""
    stage.put(attributes=WrittenAttributes(storage_class="GLACIER"))
    request = RestoreObjectRequest(bucket=BUCKET, key="k", days=2)
    assert stage.model.restore_object(stage.own, request).status == 202
    assert stage.model.restore_object(stage.own, request).status == 200
    restore = stage.head().restore
    assert restore is not None
    assert restore.expires_at is not None
    assert (restore.expires_at.hour, restore.expires_at.minute) == (0, 0)
    assert stage.copy().etag
    stage.now += timedelta(days=4)
    assert stage.head().restore is None
    with pytest.raises(S3Error, match="InvalidObjectState"):
        stage.copy()


def test_an_object_of_an_archive_tier_comes_back_for_good(stage: Stage) -> None:
    """If this fails, INTELLIGENT_TIERING objects stay in their archive tier after a restore."""
    stage.put(attributes=WrittenAttributes(storage_class="INTELLIGENT_TIERING"))
    changed(stage, archive_status=ArchiveStatus.DEEP_ARCHIVE_ACCESS)
    assert stage.head().archive_status is ArchiveStatus.DEEP_ARCHIVE_ACCESS
    request = RestoreObjectRequest(bucket=BUCKET, key="k")
    assert stage.model.restore_object(stage.own, request).status == 202
    assert stage.copy().etag


def test_a_copy_of_a_replica_is_no_replica(stage: Stage) -> None:
    """If this fails, what we copied looks as if S3 had replicated it."""
    stage.put()
    changed(stage, replication_status=ReplicationStatus.REPLICA)
    stage.copy()
    assert stage.head("copy", DESTINATION).replication_status is None


def test_lock_headers_of_a_copy_are_the_request_s_own(stage: Stage) -> None:
    """If this fails, a copy cannot be locked, or is locked by its source."""
    stage.put()
    lock = ObjectLock(mode="COMPLIANCE", retain_until=LATER)
    stage.copy("c", LOCKED, attributes=WrittenAttributes(lock=lock))
    assert stage.head("c", LOCKED).lock == lock


def test_the_writer_owns_a_copy_unless_ownership_says_the_bucket_owner_does(stage: Stage) -> None:
    """If this fails, who owns copies across accounts is proven against another S3."""
    stage.put()
    control = WrittenAttributes(acl="bucket-owner-full-control")
    owners = {}
    for ownership in ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"):
        stage.bucket(DESTINATION).object_ownership = ownership
        for name, said in (("plain", WrittenAttributes()), ("control", control)):
            stage.copy(name, attributes=said)
            owners[ownership, name] = current(stage, DESTINATION, name).owner_id
    assert owners == {
        ("BucketOwnerEnforced", "plain"): OTHER,
        ("BucketOwnerEnforced", "control"): OTHER,
        ("BucketOwnerPreferred", "plain"): OWN,
        ("BucketOwnerPreferred", "control"): OTHER,
        ("ObjectWriter", "plain"): OWN,
        ("ObjectWriter", "control"): OWN,
    }
