"""Checksums and digests that are sent, kept, told and checked: UG, checking-object-integrity."""

from base64 import b64encode

import pytest

from tests.contract.declarations import differs, table
from tests.contract.scenes import (
    FIRST_PART,
    LAST_PART,
    composite,
    digest,
    full,
    md5,
    multipart_etag,
    source_of,
    uploaded_in_parts,
)
from tests.contract.vocabulary import Driver, Sum, refused

BODY = b"123456789"
KNOWN = {
    "CRC32": "y/Q5Jg==",
    "CRC32C": "4waSgw==",
    "CRC64NVME": "rosUhgp5mIg=",
    "SHA1": b64encode(digest("SHA1", BODY)).decode(),
    "SHA256": b64encode(digest("SHA256", BODY)).decode(),
}
"""Of `123456789`, the input by which CRCs are published."""


@differs("moto", "reads a checksum only beside x-amz-sdk-checksum-algorithm")
@pytest.mark.parametrize("algorithm", KNOWN)
def test_a_checksum_that_is_right_is_kept(s3: Driver, bucket: str, algorithm: str) -> None:
    """If this fails, the strongest evidence of equality is lost."""
    sent = Sum(algorithm=algorithm, value=KNOWN[algorithm])
    s3.put(bucket, "key", BODY, checksum=sent)
    for kept in (s3.head(bucket, "key").checksum, s3.get(bucket, "key")[0].checksum):
        assert kept is not None
        assert (kept.algorithm, kept.value) == (sent.algorithm, sent.value)


@differs("seaweedfs", "tells no checksum type")
@differs("moto", "reads a checksum only beside x-amz-sdk-checksum-algorithm")
def test_a_checksum_is_told_with_its_type_by_every_answer(s3: Driver, bucket: str) -> None:
    """If this fails, a checksum of all bytes cannot be told from a composite one."""
    sent = full("CRC32", BODY)
    assert s3.put(bucket, "key", BODY, checksum=sent).checksum == sent
    assert s3.head(bucket, "key").checksum == sent
    assert s3.attributes(bucket, "key").checksum == sent


@differs("moto", "stores a body whatever checksum comes with it")
@pytest.mark.parametrize("algorithm", KNOWN)
def test_a_checksum_that_is_wrong_is_refused(s3: Driver, bucket: str, algorithm: str) -> None:
    """If this fails, bytes that were damaged on the way are stored."""
    sent = Sum(algorithm=algorithm, value=KNOWN[algorithm])
    with refused(400, "BadDigest"):
        s3.put(bucket, "key", b"damaged", checksum=sent)
    assert s3.list_versions(bucket).entries == ()


@differs("seaweedfs", "answers BadDigest")
@differs("moto", "stores a body whatever checksum comes with it")
def test_a_checksum_of_the_wrong_length_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a mangled checksum counts as none."""
    with refused(400, "InvalidRequest"):
        s3.put(bucket, "key", BODY, checksum=Sum(algorithm="CRC32", value="AAAA"))


@differs("seaweedfs", "keeps only checksums that were sent")
@differs("moto", "keeps only checksums that were sent")
def test_s3_adds_a_checksum_of_its_own(s3: Driver, bucket: str) -> None:
    """If this fails, objects without a sent checksum cannot be compared."""
    s3.put(bucket, "key", BODY)
    own = Sum(algorithm="CRC64NVME", value=KNOWN["CRC64NVME"], type="FULL_OBJECT")
    assert s3.head(bucket, "key").checksum == own


def test_a_checksum_is_told_only_when_asked_for(s3: Driver, bucket: str) -> None:
    """If this fails, code works here that sees no checksum on the real S3."""
    s3.put(bucket, "key", BODY, checksum=full("CRC32", BODY))
    assert s3.head(bucket, "key", is_checksum_asked=False).checksum is None


def test_a_range_has_no_checksum(s3: Driver, bucket: str) -> None:
    """If this fails, the object's checksum is held against some of its bytes."""
    s3.put(bucket, "key", BODY, checksum=full("CRC32", BODY))
    assert s3.get(bucket, "key", byte_range="bytes=0-3")[0].checksum is None


DIGESTS = {
    "right": (b64encode(bytes.fromhex(md5(BODY))).decode(), None),
    "of other bytes": (b64encode(bytes(16)).decode(), "BadDigest"),
    "no MD5 at all": ("bm90IGFuIE1ENQ==", "InvalidDigest"),
}


@differs("seaweedfs", "answers BadDigest to what is no MD5", rows=("no MD5 at all",))
@differs("moto", "ignores Content-MD5", rows=("of other bytes", "no MD5 at all"))
@pytest.mark.parametrize("row", table(DIGESTS))
def test_content_md5_is_checked(s3: Driver, bucket: str, row: tuple[str, str | None]) -> None:
    """If this fails, damage that the client could have caught is stored."""
    sent, code = row
    if code is None:
        s3.put(bucket, "key", BODY, content_md5=sent)
        return
    with refused(400, code):
        s3.put(bucket, "key", BODY, content_md5=sent)
    assert s3.list_versions(bucket).entries == ()


def test_attributes_tell_the_etag_without_quotes(s3: Driver, bucket: str) -> None:
    """If this fails, ETags of two operations never compare equal."""
    written = s3.put(bucket, "key", BODY)
    told = s3.attributes(bucket, "key")
    assert (told.etag, told.size_bytes) == (written.etag, len(BODY))
    assert (told.parts_count, told.parts) == (None, None)


def test_attributes_of_a_deleted_key_are_not_found(s3: Driver, bucket: str) -> None:
    """If this fails, a deleted object passes for one without parts."""
    written = s3.put(bucket, "key", BODY)
    s3.delete(bucket, "key")
    with refused(404, "NoSuchKey"):
        s3.attributes(bucket, "key")
    assert s3.attributes(bucket, "key", version_id=written.version_id).etag == written.etag


# --- of objects made of parts ---

BODIES = (FIRST_PART, LAST_PART)


@differs("moto", "tells no checksum of an upload")
@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_an_upload_with_an_algorithm_has_a_composite_checksum(
    s3: Driver, bucket: str, algorithm: str
) -> None:
    """If this fails, a checksum of checksums is compared with one of bytes."""
    written = uploaded_in_parts(s3, bucket, algorithm=algorithm)
    expected = composite(algorithm, *BODIES)
    assert written.checksum == expected
    assert s3.head(bucket, "key").checksum == expected


@differs("seaweedfs", "tells no composite checksum in GetObjectAttributes")
@differs("moto", "tells no parts in GetObjectAttributes")
def test_attributes_tell_a_composite_checksum_without_suffix_and_its_parts(
    s3: Driver, bucket: str
) -> None:
    """If this fails, the part boundaries of a source cannot be read."""
    uploaded_in_parts(s3, bucket, algorithm="SHA256")
    told = s3.attributes(bucket, "key")
    assert told.checksum == composite("SHA256", *BODIES, is_suffixed=False)
    assert (told.parts_count, told.size_bytes) == (2, sum(map(len, BODIES)))
    assert told.parts is not None
    assert [(part.number, part.size_bytes, part.checksum) for part in told.parts] == [
        (number, len(body), full("SHA256", body, told=None))
        for number, body in enumerate(BODIES, start=1)
    ]


@differs("moto", "tells no parts in GetObjectAttributes")
def test_parts_in_attributes_are_paged(s3: Driver, bucket: str) -> None:
    """If this fails, the parts of a large object are cut off."""
    uploaded_in_parts(s3, bucket, algorithm="CRC32")
    first = s3.attributes(bucket, "key", max_parts=1)
    assert first.parts is not None
    assert [part.number for part in first.parts] == [1]
    assert first.next_part_number_marker == 1
    second = s3.attributes(bucket, "key", max_parts=1, part_number_marker=1)
    assert second.parts is not None
    assert [part.number for part in second.parts] == [2]


@differs("moto", "tells no checksum of an upload")
def test_a_full_object_checksum_is_that_of_all_bytes(s3: Driver, bucket: str) -> None:
    """If this fails, objects of different part layouts cannot be compared."""
    written = uploaded_in_parts(s3, bucket, algorithm="CRC32", checksum_type="FULL_OBJECT")
    expected = full("CRC32", b"".join(BODIES))
    assert written.checksum == expected
    assert s3.head(bucket, "key").checksum == expected


@differs("seaweedfs", "tells every part of any upload")
@differs("moto", "tells no number of parts in GetObjectAttributes")
def test_attributes_tell_only_the_number_of_parts_without_a_composite_checksum(
    s3: Driver, bucket: str
) -> None:
    """If this fails, code relies on part sizes that S3 does not tell."""
    uploaded_in_parts(s3, bucket)
    told = s3.attributes(bucket, "key")
    assert (told.parts_count, told.parts) == (2, None)


@differs("seaweedfs", "keeps only checksums that were sent")
@differs("moto", "keeps only checksums that were sent")
def test_an_upload_without_an_algorithm_gets_a_full_object_checksum(
    s3: Driver, bucket: str
) -> None:
    """If this fails, large objects have no checksum to compare."""
    uploaded_in_parts(s3, bucket)
    checksum = s3.head(bucket, "key").checksum
    assert checksum is not None
    assert (checksum.algorithm, checksum.type) == ("CRC64NVME", "FULL_OBJECT")


@differs("seaweedfs", "lists no checksum algorithm")
@differs("moto", "lists no checksum algorithm")
def test_listings_tell_the_kind_of_a_composite_checksum(s3: Driver, bucket: str) -> None:
    """If this fails, a composite checksum is taken for one of all bytes."""
    uploaded_in_parts(s3, bucket, algorithm="SHA256")
    entry = s3.list_versions(bucket).entries[0]
    assert (entry.checksum_algorithm, entry.checksum_type) == ("SHA256", "COMPOSITE")
    assert entry.etag == multipart_etag(*BODIES)


TYPES = {
    "SHA256 of the full object": ("SHA256", "FULL_OBJECT"),
    "composite CRC64NVME": ("CRC64NVME", "COMPOSITE"),
    "a type without an algorithm": (None, "COMPOSITE"),
    "an unknown type": ("CRC32", "HALF_OBJECT"),
    "an unknown algorithm": ("ROT13", None),
}


@differs("seaweedfs", "ignores a type without an algorithm", rows=("a type without an algorithm",))
@differs("moto", "takes any algorithm and type")
@pytest.mark.parametrize("row", table(TYPES))
def test_checksum_kinds_that_do_not_exist_are_refused(
    s3: Driver, bucket: str, row: tuple[str | None, str | None]
) -> None:
    """If this fails, an upload of many hours ends in a refusal."""
    with refused(400, "InvalidRequest"):
        s3.begin(bucket, "key", checksum_algorithm=row[0], checksum_type=row[1])


@differs("moto", "tells no checksum of a part")
def test_a_composite_upload_is_completed_with_the_checksums_of_its_parts(
    s3: Driver, bucket: str
) -> None:
    """If this fails, parts are put together unchecked."""
    upload_id = s3.begin(bucket, "key", checksum_algorithm="CRC32")
    part = s3.upload(bucket, "key", upload_id, 1, BODY, checksum=full("CRC32", BODY))
    assert part.checksum == full("CRC32", BODY, told=None)
    bare = type(part)(number=1, etag=part.etag)
    with refused(400, "InvalidRequest"):
        s3.complete(bucket, "key", upload_id, [bare])
    assert s3.complete(bucket, "key", upload_id, [part]).checksum == composite("CRC32", BODY)


@differs("seaweedfs", "ignores checksums of parts that it did not ask for")
@differs("moto", "ignores checksums of parts that it did not ask for")
def test_part_checksums_do_not_go_with_an_upload_without_algorithm(s3: Driver, bucket: str) -> None:
    """If this fails, a completion is taken here that S3 refuses."""
    upload_id = s3.begin(bucket, "key")
    part = s3.upload(bucket, "key", upload_id, 1, BODY)
    marked = type(part)(number=1, etag=part.etag, checksum=full("CRC32", BODY))
    with refused(400, "InvalidPart"):
        s3.complete(bucket, "key", upload_id, [marked])


@differs("moto", "stores a part whatever checksum comes with it")
def test_a_wrong_part_checksum_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a part that was damaged on the way is stored."""
    upload_id = s3.begin(bucket, "key", checksum_algorithm="CRC32")
    with refused(400, "BadDigest"):
        s3.upload(bucket, "key", upload_id, 1, b"damaged", checksum=full("CRC32", BODY))
    assert s3.parts(bucket, "key", upload_id) == ()


@differs("seaweedfs", "keeps the multipart ETag in a copy")
@differs("moto", "tells no checksum type")
def test_a_copy_of_parts_is_one_part_with_a_full_object_checksum(s3: Driver, bucket: str) -> None:
    """If this fails, a copy is held different from its source though its bytes are equal."""
    written = uploaded_in_parts(s3, bucket, algorithm="SHA256")
    copied = s3.copy(source_of(bucket, written), bucket, "copy")
    whole = b"".join(BODIES)
    assert copied.etag == md5(whole)
    assert copied.checksum == full("SHA256", whole)
    assert s3.head(bucket, "copy").parts_count is None
