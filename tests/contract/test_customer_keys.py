"""SSE-C: objects under a key that the client keeps, which every reader must say."""

import pytest

from tests.contract.boto3_protection_words import key_md5
from tests.contract.declarations import differs, table
from tests.contract.scenes import FIRST_PART, LAST_PART, md5
from tests.contract.vocabulary import Attributes, Driver, Source, refused

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
MINE = Attributes(customer_key=KEY)
OTHERS = Attributes(customer_key=OTHER_KEY)


@pytest.fixture
def keyed(s3: Driver, bucket: str) -> str:
    """A bucket that takes SSE-C."""
    s3.allow_customer_keys(bucket)
    return bucket


@differs("seaweedfs", "takes customer keys in every bucket")
@differs("moto", "takes customer keys in every bucket")
def test_a_new_bucket_takes_no_customer_keys(s3: Driver, bucket: str) -> None:
    """If this fails, a copy to SSE-C works here that S3 refuses."""
    with refused(403, "AccessDenied"):
        s3.put(bucket, "key", attributes=MINE)
    with refused(403, "AccessDenied"):
        s3.begin(bucket, "key", attributes=MINE)


@differs("seaweedfs", "says the key's MD5 twice")
@differs("moto", "says no key's MD5")
def test_an_object_is_read_with_its_key_alone(s3: Driver, keyed: str) -> None:
    """If this fails, bytes of SSE-C objects are read without their key, or not with it."""
    s3.put(keyed, "key", b"body", attributes=MINE)
    head, body = s3.get(keyed, "key", customer_key=KEY)
    assert (body, head.customer_key_md5) == (b"body", key_md5(KEY))
    assert head.attributes.encryption is None
    with refused(400, "InvalidRequest"):
        s3.get(keyed, "key")
    with refused(403, "AccessDenied"):
        s3.get(keyed, "key", customer_key=OTHER_KEY)


@differs("seaweedfs", "says the key's MD5 twice")
@differs("moto", "says no key's MD5")
def test_head_needs_the_key_too(s3: Driver, keyed: str) -> None:
    """If this fails, HEAD of SSE-C objects is not asked again with a key."""
    s3.put(keyed, "key", attributes=MINE)
    assert s3.head(keyed, "key", customer_key=KEY).customer_key_md5 == key_md5(KEY)
    with refused(400):
        s3.head(keyed, "key")
    with refused(403):
        s3.head(keyed, "key", customer_key=OTHER_KEY)


@differs("seaweedfs", "needs no key")
@differs("moto", "needs no key")
def test_attributes_need_the_key_too(s3: Driver, keyed: str) -> None:
    """If this fails, checksums of SSE-C objects are read without their key."""
    s3.put(keyed, "key", b"body", attributes=MINE)
    assert s3.attributes(keyed, "key", customer_key=KEY).size_bytes == 4
    with refused(400, "InvalidRequest"):
        s3.attributes(keyed, "key")
    with refused(403, "AccessDenied"):
        s3.attributes(keyed, "key", customer_key=OTHER_KEY)


def test_tags_listings_and_deletes_need_no_key(s3: Driver, keyed: str) -> None:
    """If this fails, what needs no bytes asks for a key."""
    written = s3.put(keyed, "key", attributes=Attributes(customer_key=KEY, tags=(("a", "b"),)))
    assert s3.tags(keyed, "key") == (("a", "b"),)
    assert s3.list_versions(keyed).version_ids == [written.version_id]
    s3.delete(keyed, "key", version_id=written.version_id)
    assert s3.list_versions(keyed).entries == ()


@differs("seaweedfs", "ignores a needless key")
@differs("moto", "ignores a needless key")
def test_a_key_does_not_go_with_other_objects(s3: Driver, keyed: str) -> None:
    """If this fails, a key is sent for objects without one and nobody notices."""
    s3.put(keyed, "key")
    with refused(400, "InvalidRequest"):
        s3.get(keyed, "key", customer_key=KEY)
    with refused(400):
        s3.head(keyed, "key", customer_key=KEY)


@differs("seaweedfs", "keeps the MD5 as ETag")
@differs("moto", "keeps the MD5 as ETag")
def test_the_etag_is_no_md5(s3: Driver, keyed: str) -> None:
    """If this fails, ETags of SSE-C objects are taken for digests."""
    first = s3.put(keyed, "key", b"body", attributes=MINE)
    second = s3.put(keyed, "key", b"body", attributes=MINE)
    assert md5(b"body") not in {first.etag, second.etag}
    assert first.etag != second.etag
    assert s3.list_versions(keyed).entries[0].etag == second.etag


@differs("moto", "reads with any key")
def test_each_version_has_a_key_of_its_own(s3: Driver, keyed: str) -> None:
    """If this fails, noncurrent versions are read with the wrong key."""
    old = s3.put(keyed, "key", b"old", attributes=MINE)
    s3.put(keyed, "key", b"new", attributes=OTHERS)
    assert s3.get(keyed, "key", customer_key=OTHER_KEY)[1] == b"new"
    assert s3.get(keyed, "key", version_id=old.version_id, customer_key=KEY)[1] == b"old"
    with refused(403, "AccessDenied"):
        s3.get(keyed, "key", version_id=old.version_id, customer_key=OTHER_KEY)


@differs("seaweedfs", "keeps the MD5 as ETag", rows=("same key", "other key"))
@differs("moto", "keeps the MD5 as ETag", rows=("same key", "other key"))
@pytest.mark.parametrize(
    "said", table({"same key": MINE, "other key": OTHERS, "none": Attributes()})
)
def test_a_copy_says_the_sources_key_and_its_own(s3: Driver, keyed: str, said: Attributes) -> None:
    """If this fails, SSE-C objects cannot be copied, or come out under another key."""
    s3.put(keyed, "key", b"body", attributes=MINE)
    made = s3.copy(
        Source(bucket=keyed, key="key", customer_key=KEY), keyed, "copy", attributes=said
    )
    assert s3.get(keyed, "copy", customer_key=said.customer_key)[1] == b"body"
    assert (made.etag == md5(b"body")) is (said.customer_key is None)


@differs("seaweedfs", "copies no parts of SSE-C objects")
@differs("moto", "needs no key of a source")
@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        pytest.param(None, 400, "InvalidRequest", id="without a key"),
        pytest.param(OTHER_KEY, 403, "AccessDenied", id="with another key"),
    ],
)
def test_a_source_is_not_copied_without_its_key(
    s3: Driver, keyed: str, key: bytes | None, status: int, code: str
) -> None:
    """If this fails, a copy of what cannot be read is believed."""
    s3.put(keyed, "key", attributes=MINE)
    with refused(status, code):
        s3.copy(Source(bucket=keyed, key="key", customer_key=key), keyed, "copy", attributes=MINE)
    upload_id = s3.begin(keyed, "copy", attributes=MINE)
    with refused(status, code):
        s3.upload_copy(
            Source(bucket=keyed, key="key", customer_key=key),
            keyed,
            "copy",
            upload_id,
            1,
            customer_key=KEY,
        )


@differs("moto", "ignores a needless key")
def test_a_source_that_is_not_under_a_key_is_not_copied_with_one(s3: Driver, keyed: str) -> None:
    """If this fails, a copy with a needless key works here that S3 refuses."""
    s3.put(keyed, "key")
    with refused(400, "InvalidRequest"):
        s3.copy(Source(bucket=keyed, key="key", customer_key=KEY), keyed, "copy")


@differs("seaweedfs", "takes parts without the key")
@differs("moto", "takes parts without the key")
def test_each_part_says_the_key_of_its_upload(s3: Driver, keyed: str) -> None:
    """If this fails, large SSE-C objects cannot be written, or are under two keys."""
    upload_id = s3.begin(keyed, "key", attributes=MINE)
    parts = [
        s3.upload(keyed, "key", upload_id, number, body, customer_key=KEY)
        for number, body in enumerate((FIRST_PART, LAST_PART), start=1)
    ]
    for key in (None, OTHER_KEY):
        with refused(400, "InvalidRequest"):
            s3.upload(keyed, "key", upload_id, 3, b"part", customer_key=key)
    made = s3.complete(keyed, "key", upload_id, parts)
    assert made.etag.endswith("-2")
    assert s3.get(keyed, "key", customer_key=KEY)[1] == FIRST_PART + LAST_PART
    with refused(400):
        s3.head(keyed, "key")


@differs("seaweedfs", "copies no parts of SSE-C objects")
def test_parts_are_copied_from_key_to_key(s3: Driver, keyed: str) -> None:
    """If this fails, large SSE-C objects cannot be copied."""
    s3.put(keyed, "key", b"body", attributes=MINE)
    upload_id = s3.begin(keyed, "copy", attributes=OTHERS)
    source = Source(bucket=keyed, key="key", customer_key=KEY)
    part = s3.upload_copy(source, keyed, "copy", upload_id, 1, customer_key=OTHER_KEY)
    s3.complete(keyed, "copy", upload_id, [part])
    assert s3.get(keyed, "copy", customer_key=OTHER_KEY)[1] == b"body"


@differs("seaweedfs", "takes two encryptions", rows=("two encryptions",))
@differs("moto", "takes any key beside any encryption")
@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(
            Attributes(customer_key=KEY, encryption="AES256"),
            "InvalidArgument",
            id="two encryptions",
        ),
        pytest.param(Attributes(customer_key=b"short"), "InvalidArgument", id="a short key"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    s3: Driver, keyed: str, said: Attributes, code: str
) -> None:
    """If this fails, an object is stored under a key that nobody meant."""
    with refused(400, code):
        s3.put(keyed, "key", attributes=said)
    assert s3.list_versions(keyed).entries == ()
