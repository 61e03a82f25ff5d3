"""What CopyObject takes along, what it leaves behind, and which version it copies."""

import pytest

from tests.contract.declarations import differs, only, table
from tests.contract.scenes import (
    KMS_KEY,
    composite,
    full,
    md5,
    put_twice,
    source_of,
    uploaded_in_parts,
)
from tests.contract.vocabulary import Attributes, Driver, Source, refused

RICH = Attributes(
    content_type="text/plain",
    cache_control="no-cache",
    content_disposition='attachment; filename="a"',
    content_encoding="identity",
    content_language="de",
    metadata=(("colour", "green"), ("size", "xl")),
    tags=(("team", "red"),),
)


def test_a_copy_keeps_metadata_headers_and_tags(s3: Driver, bucket: str) -> None:
    """If this fails, a copy is not what it was copied from."""
    written = s3.put(bucket, "key", b"body", attributes=RICH)
    s3.copy(source_of(bucket, written), bucket, "copy")
    kept = s3.head(bucket, "copy").attributes
    assert kept == s3.head(bucket, "key").attributes
    assert kept.metadata == RICH.metadata
    assert kept.content_disposition == RICH.content_disposition
    assert s3.tags(bucket, "copy") == RICH.tags


def test_directive_replace_replaces_all_metadata(s3: Driver, bucket: str) -> None:
    """If this fails, a copy mixes its source's metadata with what the request says."""
    written = s3.put(bucket, "key", b"body", attributes=RICH)
    s3.copy(
        source_of(bucket, written),
        bucket,
        "copy",
        metadata_directive="REPLACE",
        attributes=Attributes(metadata=(("colour", "blue"),)),
    )
    kept = s3.head(bucket, "copy").attributes
    assert kept.metadata == (("colour", "blue"),)
    assert kept.content_type == "binary/octet-stream"
    assert (kept.cache_control, kept.content_language) == (None, None)
    assert s3.tags(bucket, "copy") == RICH.tags


def test_directive_copy_ignores_metadata_of_the_request(s3: Driver, bucket: str) -> None:
    """If this fails, a plain copy changes metadata that it should keep."""
    written = s3.put(bucket, "key", b"body", attributes=RICH)
    s3.copy(
        source_of(bucket, written),
        bucket,
        "copy",
        attributes=Attributes(content_type="image/png", metadata=(("colour", "blue"),)),
    )
    assert s3.head(bucket, "copy").attributes.metadata == RICH.metadata
    assert s3.head(bucket, "copy").attributes.content_type == RICH.content_type


TAGGING = {
    "other tags": (("team", "blue"), ("stage", "2")),
    "no tags": (),
}


@pytest.mark.parametrize("tags", table(TAGGING))
def test_tagging_directive_replace_replaces_all_tags(
    s3: Driver, bucket: str, tags: tuple[tuple[str, str], ...]
) -> None:
    """If this fails, a copy mixes its source's tags with what the request says."""
    written = s3.put(bucket, "key", b"body", attributes=RICH)
    s3.copy(
        source_of(bucket, written),
        bucket,
        "copy",
        tagging_directive="REPLACE",
        attributes=Attributes(tags=tags),
    )
    assert s3.tags(bucket, "copy") == tuple(sorted(tags))
    assert s3.head(bucket, "copy").attributes.metadata == RICH.metadata


@differs("moto", "takes any directive")
@pytest.mark.parametrize("directive", ["metadata_directive", "tagging_directive"])
def test_an_unknown_directive_is_refused(s3: Driver, bucket: str, directive: str) -> None:
    """If this fails, a misspelt directive copies in another way than meant."""
    written = s3.put(bucket, "key")
    asked = {directive: "KEEP"}
    with refused(400, "InvalidArgument"):
        s3.copy(
            source_of(bucket, written),
            bucket,
            "copy",
            metadata_directive=asked.get("metadata_directive"),
            tagging_directive=asked.get("tagging_directive"),
        )


@differs("seaweedfs", "copies the storage class")
def test_a_copy_does_not_keep_the_storage_class(s3: Driver, bucket: str) -> None:
    """If this fails, a copy without a class lands in another class than STANDARD."""
    attributes = Attributes(storage_class="STANDARD_IA")
    written = s3.put(bucket, "key", b"body", attributes=attributes)
    s3.copy(source_of(bucket, written), bucket, "plain")
    s3.copy(source_of(bucket, written), bucket, "asked", attributes=attributes)
    assert s3.head(bucket, "plain").attributes.storage_class is None
    assert s3.head(bucket, "asked").attributes.storage_class == "STANDARD_IA"


@differs("seaweedfs", "keeps no website redirect at all")
@differs("moto", "copies the website redirect")
def test_a_copy_does_not_keep_the_website_redirect(s3: Driver, bucket: str) -> None:
    """If this fails, a copy sends visitors where only its source should."""
    attributes = Attributes(website_redirect_location="/elsewhere")
    written = s3.put(bucket, "key", b"body", attributes=attributes)
    s3.copy(source_of(bucket, written), bucket, "copy")
    assert s3.head(bucket, "key").attributes.website_redirect_location == "/elsewhere"
    assert s3.head(bucket, "copy").attributes.website_redirect_location is None


@differs("seaweedfs", "keeps no website redirect at all")
def test_a_copy_says_its_website_redirect_in_the_request(s3: Driver, bucket: str) -> None:
    """If this fails, CopyObject cannot carry a redirect."""
    written = s3.put(bucket, "key")
    for location in ("/elsewhere", "https://example.com/a?b=c"):
        asked = Attributes(website_redirect_location=location)
        s3.copy(source_of(bucket, written), bucket, "copy", attributes=asked)
        assert s3.head(bucket, "copy").attributes.website_redirect_location == location


@differs("seaweedfs", "takes any website redirect")
@differs("moto", "takes any website redirect")
@pytest.mark.parametrize(
    "location",
    table({"no URL": "elsewhere", "another scheme": "ftp://a/b", "too long": "/" + "x" * 2048}),
)
def test_a_website_redirect_that_is_none_is_refused(s3: Driver, bucket: str, location: str) -> None:
    """If this fails, a copy with a redirect works here that S3 refuses."""
    asked = Attributes(website_redirect_location=location)
    with refused(400, "InvalidRedirectLocation"):
        s3.put(bucket, "key", attributes=asked)
    written = s3.put(bucket, "key")
    with refused(400, "InvalidRedirectLocation"):
        s3.copy(source_of(bucket, written), bucket, "copy", attributes=asked)


def test_a_copy_is_a_new_current_version_with_an_id_of_its_own(s3: Driver, bucket: str) -> None:
    """If this fails, somebody takes a copy for a replica."""
    written = s3.put(bucket, "key")
    there = s3.put(bucket, "copy", b"older")
    copied = s3.copy(source_of(bucket, written), bucket, "copy")
    assert copied.version_id not in {None, written.version_id, there.version_id}
    assert s3.list_versions(bucket, prefix="copy").version_ids == [
        copied.version_id,
        there.version_id,
    ]


@differs("seaweedfs", "says no source version")
def test_a_copy_answers_which_version_it_copied(s3: Driver, bucket: str) -> None:
    """If this fails, nobody can say what an unpinned copy has copied."""
    written = s3.put(bucket, "key", b"body")
    copied = s3.copy(Source(bucket=bucket, key="key"), bucket, "copy")
    assert copied.source_version_id == written.version_id
    assert copied.etag == md5(b"body")


def test_a_pinned_copy_copies_an_old_version(s3: Driver, bucket: str) -> None:
    """If this fails, a pinned copy delivers what was written later."""
    first, _ = put_twice(s3, bucket)
    s3.copy(source_of(bucket, first), bucket, "copy")
    assert s3.get(bucket, "copy")[1] == b"first"


def test_an_old_version_is_brought_back_by_a_copy_to_its_own_key(s3: Driver, bucket: str) -> None:
    """If this fails, a version cannot be restored over a newer one."""
    first, second = put_twice(s3, bucket)
    copied = s3.copy(source_of(bucket, first), bucket, "key")
    assert s3.get(bucket, "key")[1] == b"first"
    assert s3.list_versions(bucket).version_ids == [
        copied.version_id,
        second.version_id,
        first.version_id,
    ]


@differs("seaweedfs", "copies an object to itself unchanged")
def test_a_copy_to_itself_must_change_something(s3: Driver, bucket: str) -> None:
    """If this fails, a copy in place doubles storage for nothing."""
    written = s3.put(bucket, "key", b"body", attributes=RICH)
    with refused(400, "InvalidRequest"):
        s3.copy(Source(bucket=bucket, key="key"), bucket, "key")
    assert s3.list_versions(bucket).version_ids == [written.version_id]
    s3.copy(Source(bucket=bucket, key="key"), bucket, "key", metadata_directive="REPLACE")
    assert s3.head(bucket, "key").attributes.metadata == ()


def test_a_missing_source_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a copy of nothing is reported as done."""
    with refused(404, "NoSuchKey"):
        s3.copy(Source(bucket=bucket, key="absent"), bucket, "copy")
    with refused(404, "NoSuchBucket"):
        s3.copy(Source(bucket=f"{bucket}-absent", key="key"), bucket, "copy")


@differs("seaweedfs", "answers 500")
def test_a_copy_into_a_missing_bucket_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a copy to nowhere is reported as done."""
    written = s3.put(bucket, "key")
    with refused(404, "NoSuchBucket"):
        s3.copy(source_of(bucket, written), f"{bucket}-absent", "copy")


@differs("seaweedfs", "answers NoSuchKey")
def test_a_removed_version_is_no_source(s3: Driver, bucket: str) -> None:
    """If this fails, a pinned copy falls back to another version."""
    first, _ = put_twice(s3, bucket)
    s3.delete(bucket, "key", version_id=first.version_id)
    with refused(404, "NoSuchVersion"):
        s3.copy(source_of(bucket, first), bucket, "copy")


def test_a_deleted_key_is_no_source(s3: Driver, bucket: str) -> None:
    """If this fails, a copy brings back what was deleted."""
    s3.put(bucket, "key")
    s3.delete(bucket, "key")
    with refused(404, "NoSuchKey"):
        s3.copy(Source(bucket=bucket, key="key"), bucket, "copy")


@differs("seaweedfs", "answers 404 NoSuchKey")
@differs("moto", "answers 404 NoSuchVersion")
def test_a_delete_marker_is_no_source(s3: Driver, bucket: str) -> None:
    """If this fails, a marker is copied as if it had content."""
    s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    with refused(400, "InvalidRequest"):
        s3.copy(Source(bucket=bucket, key="key", version_id=marker.version_id), bucket, "copy")


def test_a_version_under_a_delete_marker_can_be_copied(s3: Driver, bucket: str) -> None:
    """If this fails, history below a marker is out of reach."""
    written = s3.put(bucket, "key", b"body")
    s3.delete(bucket, "key")
    s3.copy(source_of(bucket, written), bucket, "copy")
    assert s3.get(bucket, "copy")[1] == b"body"


def test_a_copy_between_buckets_leaves_the_source_alone(
    s3: Driver, bucket: str, plain: str
) -> None:
    """If this fails, a backfill changes what it reads."""
    written = s3.put(bucket, "key", b"body")
    copied = s3.copy(source_of(bucket, written), plain, "key")
    assert copied.version_id is None
    assert s3.get(plain, "key")[1] == b"body"
    assert s3.list_versions(bucket).version_ids == [written.version_id]


def test_a_copy_out_of_a_bucket_without_versioning_names_no_version(
    s3: Driver, bucket: str, plain: str
) -> None:
    """If this fails, a caller takes a made-up version for the source's."""
    s3.put(plain, "key", b"body")
    copied = s3.copy(Source(bucket=plain, key="key"), bucket, "key")
    assert copied.source_version_id is None
    assert copied.version_id is not None


@differs("seaweedfs", "copies no checksum")
@differs("moto", "tells no checksum in the answer to CopyObject")
def test_a_copy_keeps_the_checksum_algorithm(s3: Driver, bucket: str) -> None:
    """If this fails, the free proof of a copy is lost."""
    sent = full("SHA256", b"body")
    written = s3.put(bucket, "key", b"body", checksum=sent)
    copied = s3.copy(source_of(bucket, written), bucket, "copy")
    assert copied.checksum == sent
    assert s3.head(bucket, "copy").checksum == sent


@differs("seaweedfs", "copies no checksum")
@differs("moto", "tells no checksum of an upload")
def test_a_copy_of_a_composite_checksum_is_of_the_full_object(s3: Driver, bucket: str) -> None:
    """If this fails, a copy is compared by a checksum that it does not have."""
    written = uploaded_in_parts(s3, bucket, algorithm="SHA256", bodies=(b"body",))
    assert s3.head(bucket, "key").checksum == composite("SHA256", b"body")
    copied = s3.copy(source_of(bucket, written), bucket, "copy")
    assert copied.checksum == full("SHA256", b"body")
    assert s3.head(bucket, "copy").checksum == full("SHA256", b"body")
    assert s3.head(bucket, "copy").etag == md5(b"body")


@differs("seaweedfs", "ignores the algorithm")
@differs("moto", "ignores an algorithm that it does not know")
def test_an_unknown_checksum_algorithm_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a copy lands with another checksum than the one asked for."""
    written = s3.put(bucket, "key")
    with refused(400, "InvalidRequest"):
        s3.copy(source_of(bucket, written), bucket, "copy", checksum_algorithm="MD4")


@differs("seaweedfs", "keeps only checksums that were sent")
@differs("moto", "keeps only checksums that were sent")
def test_a_copy_of_s3s_own_checksum_keeps_it(s3: Driver, bucket: str) -> None:
    """If this fails, what S3 adds by itself is lost on the way."""
    s3.put(bucket, "key", b"body")
    s3.copy(Source(bucket=bucket, key="key"), bucket, "copy")
    own = s3.head(bucket, "key").checksum
    assert own is not None
    assert (own.algorithm, own.type) == ("CRC64NVME", "FULL_OBJECT")
    assert s3.head(bucket, "copy").checksum == own


@differs("seaweedfs", "copies no checksum")
@differs("moto", "tells no checksum type")
def test_a_copy_can_change_the_checksum_algorithm(s3: Driver, bucket: str) -> None:
    """If this fails, a copy cannot be given the checksum that a check needs."""
    written = s3.put(bucket, "key", b"body", checksum=full("SHA256", b"body"))
    copied = s3.copy(source_of(bucket, written), bucket, "copy", checksum_algorithm="SHA1")
    assert copied.checksum == full("SHA1", b"body")


@differs("seaweedfs", "finds no KMS key by its ARN and answers 500")
@differs("moto", "says no encryption unless asked")
def test_a_copy_takes_the_encryption_of_its_destination(s3: Driver, bucket: str) -> None:
    """If this fails, a copy keeps its source's key without being asked."""
    written = s3.put(bucket, "key", attributes=Attributes(encryption="aws:kms", kms_key_id=KMS_KEY))
    copied = s3.copy(source_of(bucket, written), bucket, "copy")
    assert copied.encryption == "AES256"
    assert s3.head(bucket, "copy").attributes.kms_key_id is None


@differs("seaweedfs", "finds no KMS key by its ARN and answers 500")
@differs("moto", "keeps the MD5 as ETag under SSE-KMS")
def test_a_copy_is_encrypted_as_the_request_says(s3: Driver, bucket: str) -> None:
    """If this fails, a copy is less protected than was asked."""
    written = s3.put(bucket, "key", b"body")
    asked = Attributes(encryption="aws:kms", kms_key_id=KMS_KEY)
    copied = s3.copy(source_of(bucket, written), bucket, "copy", attributes=asked)
    assert copied.encryption == "aws:kms"
    assert copied.etag != md5(b"body")
    assert s3.head(bucket, "copy").attributes.kms_key_id == KMS_KEY
    assert s3.get(bucket, "copy")[1] == b"body"


@only("model", "sandbox", because="the limit is 5 GB elsewhere; ours is set to 6 MiB here")
def test_a_copy_over_the_size_limit_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, large objects go by CopyObject, which S3 does not carry out."""
    limit = 6 * 1024 * 1024
    s3.put(bucket, "at", bytes(limit))
    s3.put(bucket, "over", bytes(limit + 1))
    s3.copy(Source(bucket=bucket, key="at"), bucket, "copy")
    with refused(400, "InvalidRequest"):
        s3.copy(Source(bucket=bucket, key="over"), bucket, "copy")
