"""Reading: ranges, conditions, markers, archives, SSE-C, and what answers say."""

from dataclasses import replace

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.kms import aws_managed_key_arn
from backfill.sandbox.model.operations.buckets import BucketRequest
from backfill.sandbox.model.operations.objects import (
    DeleteEntry,
    DeleteObjectsRequest,
    GetObjectAttributesRequest,
    PutObjectTaggingRequest,
    VersionRequest,
)
from backfill.sandbox.model.values import (
    CustomerKey,
    ReadConditions,
    RequestedEncryption,
    ServerSideEncryption,
    WrittenAttributes,
)
from tests.unit.sandbox.model.acts import changed
from tests.unit.sandbox.model.conftest import BUCKET, KMS_KEY, OTHER, OWN, PLAIN, START, Stage


@pytest.mark.parametrize(
    ("said", "body", "told"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=5-2", b"0123456789", None),
        ("bytes=0-1,3-4", b"0123456789", None),
        ("items=0-1", b"0123456789", None),
        ("bytes=-", b"0123456789", None),
    ],
)
def test_a_range_gives_those_bytes_and_one_that_cannot_be_read_gives_all(
    stage: Stage, said: str, body: bytes, told: str | None
) -> None:
    """If this fails, streamed comparisons read the wrong bytes."""
    stage.put(body=b"0123456789")
    assert stage.read(range=said) == body
    head = stage.head(range=said, is_checksum_mode_enabled=True)
    assert (head.status, head.content_range) == (200 if told is None else 206, told)
    assert head.size_bytes == len(body)
    assert (head.checksum is None) is (len(body) < 10)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "holds"),
    [
        ("{etag}", None, True),
        ('"{etag}"', None, True),
        ('"x", "{etag}"', None, True),
        ("*", None, True),
        ("x", None, False),
        (None, "x", True),
        (None, '"{etag}"', False),
    ],
)
def test_conditions_compare_etags_with_or_without_quotes(
    stage: Stage, if_match: str | None, if_none_match: str | None, holds: bool
) -> None:
    """If this fails, a right guard fails, or a wrong one holds."""
    etag = stage.put().etag
    conditions = ReadConditions(
        if_match=if_match and if_match.format(etag=etag),
        if_none_match=if_none_match and if_none_match.format(etag=etag),
    )
    if holds:
        assert stage.head(conditions=conditions).etag == etag
    else:
        with pytest.raises(S3Error):
            stage.head(conditions=conditions)


def test_if_match_outweighs_if_unmodified_since(stage: Stage) -> None:
    """If this fails, RFC 9110's order of conditions is not S3's (UG: conditional-requests)."""
    etag = stage.put().etag
    conditions = ReadConditions(if_match=etag, if_unmodified_since=START)
    assert stage.head(conditions=conditions).etag == etag


def test_a_hidden_key_says_that_a_marker_hides_it(stage: Stage) -> None:
    """If this fails, a deleted key looks like one that never was."""
    stage.put()
    marker = stage.delete().version_id
    assert marker is not None
    with pytest.raises(S3Error) as hidden:
        stage.head()
    assert (hidden.value.status, hidden.value.code) == (404, "NoSuchKey")
    assert hidden.value.headers == (
        ("x-amz-delete-marker", "true"),
        ("x-amz-version-id", marker),
    )
    with pytest.raises(S3Error) as named:
        stage.head(version_id=marker)
    assert (named.value.status, named.value.code) == (405, "MethodNotAllowed")
    assert ("x-amz-delete-marker", "true") in named.value.headers
    assert ("allow", "DELETE") in named.value.headers
    with pytest.raises(S3Error) as never:
        stage.head("never")
    assert never.value.headers == ()


def test_removing_the_marker_shows_the_version_again(stage: Stage) -> None:
    """If this fails, deletion is final though nothing was removed."""
    stage.put(body=b"kept")
    marker = stage.delete().version_id
    undone = stage.delete(version_id=marker)
    assert (undone.version_id, undone.is_delete_marker) == (marker, True)
    assert stage.read() == b"kept"
    again = stage.delete(version_id=marker)
    assert (again.version_id, again.is_delete_marker) == (marker, False)


def test_unversioned_buckets_tell_no_version_ids(stage: Stage) -> None:
    """If this fails, `null` turns up where AWS says nothing."""
    assert stage.put(bucket=PLAIN).version_id is None
    assert stage.head(bucket=PLAIN).version_id is None
    assert stage.delete(bucket=PLAIN).version_id is None
    stage.version(PLAIN, "Suspended")
    assert stage.put(bucket=PLAIN).version_id == "null"
    assert stage.delete(bucket=PLAIN).version_id == "null"
    assert [entry.version_id for entry in stage.bucket(PLAIN).chain("k")] == ["null"]


def test_a_head_of_an_archived_object_is_answered(stage: Stage) -> None:
    """If this fails, archived versions cannot be told from readable ones."""
    stage.put(attributes=WrittenAttributes(storage_class="DEEP_ARCHIVE"))
    assert stage.head().storage_class == "DEEP_ARCHIVE"
    stage.put()
    assert stage.head().storage_class is None


def test_sse_c_needs_its_key_each_time(stage: Stage) -> None:
    """If this fails, SSE-C objects read here that nobody could read on AWS."""
    stage.encrypt(BUCKET, algorithm="AES256")
    mine = CustomerKey(key_md5="mine")
    said = WrittenAttributes(encryption=RequestedEncryption(customer_key=mine))
    put = stage.put(attributes=said)
    assert put.encryption.algorithm is ServerSideEncryption.CUSTOMER
    assert stage.read(customer_key=mine) == b"body"
    assert put.etag != stage.put("plain").etag


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_kms_without_a_key_is_the_managed_key_of_whoever_writes(
    stage: Stage, algorithm: str
) -> None:
    """If this fails, aws/s3 of one account is used by another."""
    said = WrittenAttributes(encryption=RequestedEncryption(algorithm=algorithm))
    encryption = stage.put(attributes=said).encryption
    assert encryption.algorithm == algorithm
    assert encryption.kms_key_arn == aws_managed_key_arn(account_id=OWN, region="us-east-1")
    stage.encrypt(BUCKET, algorithm=algorithm)
    assert stage.put().encryption == encryption
    stage.denied = lambda question: question.action.startswith("kms:")
    assert stage.read() == b"body"
    changed(stage, encryption=replace(encryption, kms_key_arn=managed_key_of(OTHER)))
    with pytest.raises(S3Error, match="AccessDenied"):
        stage.read()


def managed_key_of(account_id: str) -> str:
    return aws_managed_key_arn(account_id=account_id, region="us-east-1")


@pytest.mark.parametrize(
    ("key_id", "arn"),
    [
        (KMS_KEY, KMS_KEY),
        ("abc", KMS_KEY),
        ("alias/mine", f"arn:aws:kms:us-east-1:{OWN}:alias/mine"),
    ],
)
def test_a_key_is_told_by_its_arn_however_it_was_named(stage: Stage, key_id: str, arn: str) -> None:
    """If this fails, encryption is compared by spelling."""
    asked = RequestedEncryption(algorithm="aws:kms", kms_key_id=key_id, is_bucket_key_enabled=True)
    stage.put(attributes=WrittenAttributes(encryption=asked))
    told = stage.head().encryption
    assert (told.kms_key_arn, told.is_bucket_key_enabled) == (arn, True)


def test_the_default_encryption_is_told_as_it_was_set(stage: Stage) -> None:
    """If this fails, a bucket's default encryption cannot be read back."""
    before = stage.model.get_bucket_encryption(stage.own, BucketRequest(bucket=BUCKET))
    assert (before.encryption.algorithm, before.blocks_sse_c) == ("AES256", True)
    stage.encrypt(BUCKET, algorithm="aws:kms", kms_key_id=KMS_KEY)
    after = stage.model.get_bucket_encryption(stage.own, BucketRequest(bucket=BUCKET))
    assert (after.encryption.kms_key_arn, after.blocks_sse_c) == (KMS_KEY, False)


def test_tags_change_in_place_and_wake_live_replication(stage: Stage) -> None:
    """If this fails, tagging makes versions, or its changes never reach a replica."""
    told: list[object] = []
    stage.model.world.on_attributes_changed = lambda _bucket, version: told.append(version.tags)
    put = stage.put()
    before = stage.head().last_modified
    tags = (("ünï", "cödé 1+2=3"),)
    request = PutObjectTaggingRequest(bucket=BUCKET, key="k", tags=tags)
    assert stage.model.put_object_tagging(stage.own, request).version_id == put.version_id
    where = VersionRequest(bucket=BUCKET, key="k", version_id=put.version_id)
    assert stage.model.get_object_tagging(stage.own, where).tags == tags
    assert stage.model.delete_object_tagging(stage.own, where).tags == ()
    assert told == [tags, ()]
    assert len(stage.bucket().chain("k")) == 1
    assert stage.head().last_modified == before


def test_attributes_tell_the_storage_class_even_where_it_is_standard(stage: Stage) -> None:
    """If this fails, GetObjectAttributes is taken for HeadObject, which leaves STANDARD out."""
    put = stage.put()
    names = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
    request = GetObjectAttributesRequest(bucket=BUCKET, key="k", attributes=names)
    told = stage.model.get_object_attributes(stage.own, request)
    assert (told.etag, told.storage_class, told.size_bytes) == (put.etag, "STANDARD", 4)
    assert (told.checksum, told.parts) == (put.checksum, None)
    one = stage.model.get_object_attributes(stage.own, replace(request, attributes=("ETag",)))
    assert one == replace(told, storage_class=None, size_bytes=None, checksum=None)


def test_every_write_of_a_client_wakes_live_replication_once(stage: Stage) -> None:
    """If this fails, live replication misses a write, or sees one twice."""
    told: list[str] = []
    stage.model.world.on_version_written = lambda _bucket, entry: told.append(entry.version_id)
    ids = [
        stage.put().version_id,
        stage.copy("copy", BUCKET).version_id,
        stage.multipart("u", [b"x"]).version_id,
        stage.delete().version_id,
    ]
    stage.delete(version_id=ids[0])
    assert told == ids


def test_delete_objects_tells_markers_made_and_markers_removed_apart(stage: Stage) -> None:
    """If this fails, a bulk delete cannot be undone from its answer."""
    first = stage.put().version_id
    marker = stage.delete().version_id
    entries = (
        DeleteEntry(key="k", version_id=marker),
        DeleteEntry(key="k", version_id=first),
        DeleteEntry(key="new"),
        DeleteEntry(key="k", if_match="x"),
    )
    request = DeleteObjectsRequest(bucket=BUCKET, entries=entries)
    result = stage.model.delete_objects(stage.own, request)
    made = stage.bucket().current("new")
    assert made is not None
    told = [
        (row.key, row.version_id, row.is_delete_marker, row.delete_marker_version_id)
        for row in result.deleted
    ]
    assert told == [
        ("k", marker, True, marker),
        ("k", first, False, None),
        ("new", None, True, made.version_id),
    ]
    assert [(row.key, row.code) for row in result.failures] == [("k", "NoSuchKey")]
