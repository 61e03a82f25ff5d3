"""Metadata, headers, tags, storage class and encryption come back as they were written."""

import pytest

from tests.contract.declarations import differs, table
from tests.contract.scenes import KMS_KEY, md5
from tests.contract.vocabulary import Attributes, Driver, Pairs, refused

HEADERS = Attributes(
    content_type="text/html; charset=utf-8",
    cache_control="max-age=60, private",
    content_disposition="attachment; filename*=UTF-8''%e2%82%ac",
    content_encoding="br",
    content_language="de, en-CA",
    expires="Thu, 01 Dec 2033 16:00:00 GMT",
)


def test_content_headers_come_back_as_sent(s3: Driver, bucket: str) -> None:
    """If this fails, browsers treat an object in another way than its owner said."""
    s3.put(bucket, "key", attributes=HEADERS)
    for kept in (s3.head(bucket, "key").attributes, s3.get(bucket, "key")[0].attributes):
        assert (kept.content_type, kept.cache_control) == (
            HEADERS.content_type,
            HEADERS.cache_control,
        )
        assert (kept.content_disposition, kept.content_encoding, kept.content_language) == (
            HEADERS.content_disposition,
            HEADERS.content_encoding,
            HEADERS.content_language,
        )
        assert kept.expires == HEADERS.expires


@differs("seaweedfs", "guesses text/plain from the bytes")
def test_an_object_without_a_content_type_gets_one(s3: Driver, bucket: str) -> None:
    """If this fails, a faithful copy differs from its source in a header nobody set."""
    s3.put(bucket, "key")
    assert s3.head(bucket, "key").attributes.content_type == "binary/octet-stream"


@differs("seaweedfs", "drops metadata with an empty value")
def test_metadata_comes_back_with_names_in_lower_case(s3: Driver, bucket: str) -> None:
    """If this fails, metadata is lost or renamed."""
    metadata = (("a-b_c.d", "Value, with; punctuation = 1"), ("empty", ""), ("n", "1"))
    s3.put(bucket, "key", attributes=Attributes(metadata=metadata))
    assert s3.head(bucket, "key").attributes.metadata == metadata
    s3.put(bucket, "upper", attributes=Attributes(metadata=(("MiXeD", "Kept"),)))
    assert s3.head(bucket, "upper").attributes.metadata == (("mixed", "Kept"),)


@differs("seaweedfs", "takes metadata of any size")
@differs("moto", "takes metadata of any size")
def test_metadata_has_up_to_2048_bytes(s3: Driver, bucket: str) -> None:
    """If this fails, metadata is cut off, or taken where S3 refuses it."""
    s3.put(bucket, "key", attributes=Attributes(metadata=(("name", "v" * 2044),)))
    assert s3.head(bucket, "key").attributes.metadata == (("name", "v" * 2044),)
    with refused(400, "MetadataTooLarge"):
        s3.put(bucket, "key", attributes=Attributes(metadata=(("name", "v" * 2045),)))


def test_an_object_of_no_bytes_is_an_object(s3: Driver, bucket: str) -> None:
    """If this fails, empty objects are taken for missing ones."""
    s3.put(bucket, "key", b"")
    head, body = s3.get(bucket, "key")
    assert (head.size_bytes, head.etag, body) == (0, md5(b""), b"")


TAGS: Pairs = (("Case", "Kept"), ("a b", "c d"), ("sign+-=._:/@", "+-=._:/@"), ("ü", "日本"))


def test_tags_come_back_as_sent(s3: Driver, bucket: str) -> None:
    """If this fails, rules with tags meet other objects than their owner meant."""
    s3.put(bucket, "by header", attributes=Attributes(tags=TAGS))
    s3.put(bucket, "by request")
    s3.put_tags(bucket, "by request", TAGS)
    for key in ("by header", "by request"):
        assert s3.tags(bucket, key) == TAGS
        assert s3.head(bucket, key).tag_count == len(TAGS)


def test_an_object_without_tags_says_so(s3: Driver, bucket: str) -> None:
    """If this fails, every object costs a request for tags that it has not."""
    s3.put(bucket, "key")
    assert s3.tags(bucket, "key") == ()
    assert s3.head(bucket, "key").tag_count == 0


def test_tagging_replaces_all_tags_and_nothing_else(s3: Driver, bucket: str) -> None:
    """If this fails, a change of tags makes a version or changes the object."""
    written = s3.put(bucket, "key", attributes=Attributes(tags=TAGS))
    s3.put_tags(bucket, "key", (("only", "this"),))
    assert s3.tags(bucket, "key") == (("only", "this"),)
    s3.delete_tags(bucket, "key")
    assert s3.tags(bucket, "key") == ()
    assert s3.list_versions(bucket).version_ids == [written.version_id]
    assert s3.head(bucket, "key").etag == written.etag


def tags_of(count: int) -> Pairs:
    """So many tags."""
    return tuple((f"t{number:02}", "v") for number in range(count))


def test_ten_tags_are_taken(s3: Driver, bucket: str) -> None:
    """If this fails, an object with all its tags cannot be copied."""
    s3.put(bucket, "key", attributes=Attributes(tags=tags_of(10)))
    assert s3.tags(bucket, "key") == tags_of(10)


@differs("seaweedfs", "takes more than ten tags in a header")
def test_eleven_tags_are_refused(s3: Driver, bucket: str) -> None:
    """If this fails, tags are taken that S3 drops or refuses elsewhere."""
    with refused(400, "BadRequest"):
        s3.put(bucket, "key", attributes=Attributes(tags=tags_of(11)))
    s3.put(bucket, "key")
    with refused(400, "BadRequest"):
        s3.put_tags(bucket, "key", tags_of(11))
    assert s3.tags(bucket, "key") == ()


BAD_TAGS = {
    "a name twice": (("a", "1"), ("a", "2")),
    "a name of 129 characters": (("n" * 129, "v"),),
    "a value of 257 characters": (("n", "v" * 257),),
    "an empty name": (("", "v"),),
    "a name of AWS": (("aws:name", "v"),),
}


@differs(
    "seaweedfs",
    "checks only the length of tags",
    rows=("a name twice", "an empty name", "a name of AWS"),
)
@differs("moto", "takes a name twice", rows=("a name twice",))
@differs("moto", "answers 500 to an empty name", rows=("an empty name",))
@pytest.mark.parametrize("tags", table(BAD_TAGS))
def test_tags_that_s3_does_not_know_are_refused(s3: Driver, bucket: str, tags: Pairs) -> None:
    """If this fails, a rule may be written for tags that no object can have."""
    s3.put(bucket, "key")
    with refused(400, "InvalidTag"):
        s3.put_tags(bucket, "key", tags)
    assert s3.tags(bucket, "key") == ()


@differs("seaweedfs", "counts the length of tags in bytes")
def test_the_longest_tag_is_taken(s3: Driver, bucket: str) -> None:
    """If this fails, tags of full length cannot be copied."""
    longest = (("ü" * 128, "日" * 256),)
    s3.put(bucket, "key")
    s3.put_tags(bucket, "key", longest)
    assert s3.tags(bucket, "key") == longest


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"])
def test_a_storage_class_is_kept(s3: Driver, bucket: str, storage_class: str) -> None:
    """If this fails, objects cost something else than their owner chose."""
    s3.put(bucket, "key", attributes=Attributes(storage_class=storage_class))
    assert s3.head(bucket, "key").attributes.storage_class == storage_class
    assert s3.attributes(bucket, "key").storage_class == storage_class


@differs("seaweedfs", "says STANDARD in HEAD")
def test_head_leaves_out_the_class_standard(s3: Driver, bucket: str) -> None:
    """If this fails, code that only ever saw a stand-in trips over the real S3."""
    s3.put(bucket, "key", attributes=Attributes(storage_class="STANDARD"))
    assert s3.head(bucket, "key").attributes.storage_class is None
    assert s3.attributes(bucket, "key").storage_class == "STANDARD"


def test_an_unknown_storage_class_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a misspelt class stores at the price of another."""
    with refused(400, "InvalidStorageClass"):
        s3.put(bucket, "key", attributes=Attributes(storage_class="CHEAP"))


@differs("seaweedfs", "reads objects of archive classes")
def test_an_archived_object_is_not_read(s3: Driver, bucket: str) -> None:
    """If this fails, archived objects look readable until the first real run."""
    s3.put(bucket, "key", attributes=Attributes(storage_class="GLACIER"))
    with refused(403, "InvalidObjectState"):
        s3.get(bucket, "key")
    assert s3.head(bucket, "key").attributes.storage_class == "GLACIER"


@differs("seaweedfs", "encrypts only when asked")
@differs("moto", "says no encryption unless asked")
def test_every_object_is_encrypted_by_s3(s3: Driver, bucket: str) -> None:
    """If this fails, an unencrypted object is thought possible, and it is not."""
    assert s3.put(bucket, "key").encryption == "AES256"
    assert s3.head(bucket, "key").attributes.encryption == "AES256"


def test_sse_s3_leaves_the_etag_an_md5(s3: Driver, bucket: str) -> None:
    """If this fails, ETags of ordinary objects prove nothing."""
    written = s3.put(bucket, "key", b"body", attributes=Attributes(encryption="AES256"))
    assert (written.etag, written.encryption) == (md5(b"body"), "AES256")


@differs("seaweedfs", "finds no KMS key by its ARN and answers 500")
@differs("moto", "keeps the MD5 as ETag under SSE-KMS")
def test_sse_kms_says_its_key_and_hides_the_md5(s3: Driver, bucket: str) -> None:
    """If this fails, an opaque ETag is taken for an MD5, and equal bytes for different ones."""
    asked = Attributes(encryption="aws:kms", kms_key_id=KMS_KEY)
    written = s3.put(bucket, "key", b"body", attributes=asked)
    kept = s3.head(bucket, "key").attributes
    assert (kept.encryption, kept.kms_key_id) == ("aws:kms", KMS_KEY)
    assert written.etag != md5(b"body")
    assert s3.get(bucket, "key")[1] == b"body"


@differs("seaweedfs", "finds no KMS key by its ARN and answers 500")
def test_a_buckets_default_encryption_is_applied(s3: Driver, bucket: str) -> None:
    """If this fails, objects land with another key than their bucket says."""
    s3.set_encryption(bucket, "aws:kms", KMS_KEY)
    s3.put(bucket, "by default")
    s3.put(bucket, "as asked", attributes=Attributes(encryption="AES256"))
    kept = s3.head(bucket, "by default").attributes
    assert (kept.encryption, kept.kms_key_id) == ("aws:kms", KMS_KEY)
    assert s3.head(bucket, "as asked").attributes.encryption == "AES256"


BAD_ENCRYPTIONS = {
    "unknown algorithm": Attributes(encryption="ROT13"),
    "KMS key without KMS": Attributes(encryption="AES256", kms_key_id=KMS_KEY),
}


@differs("seaweedfs", "ignores what it cannot carry out")
@differs("moto", "ignores what it cannot carry out")
@pytest.mark.parametrize("attributes", table(BAD_ENCRYPTIONS))
def test_encryption_that_makes_no_sense_is_refused(
    s3: Driver, bucket: str, attributes: Attributes
) -> None:
    """If this fails, an object is stored with less protection than was meant."""
    with refused(400, "InvalidArgument"):
        s3.put(bucket, "key", attributes=attributes)
    assert s3.list_versions(bucket).entries == ()


RANGES = {
    "first bytes": ("bytes=0-2", b"012", "bytes 0-2/10"),
    "to the end": ("bytes=7-", b"789", "bytes 7-9/10"),
    "last bytes": ("bytes=-2", b"89", "bytes 8-9/10"),
    "beyond the end": ("bytes=8-99", b"89", "bytes 8-9/10"),
}


@pytest.mark.parametrize("row", table(RANGES))
def test_a_range_is_read(s3: Driver, bucket: str, row: tuple[str, bytes, str]) -> None:
    """If this fails, a streamed comparison reads other bytes than it thinks."""
    s3.put(bucket, "key", b"0123456789")
    head, body = s3.get(bucket, "key", byte_range=row[0])
    assert (head.status, body, head.content_range) == (206, row[1], row[2])
    assert head.etag == md5(b"0123456789")


def test_a_range_behind_the_end_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a reader takes the end of an object for its content."""
    s3.put(bucket, "key", b"0123456789")
    with refused(416, "InvalidRange"):
        s3.get(bucket, "key", byte_range="bytes=10-")
