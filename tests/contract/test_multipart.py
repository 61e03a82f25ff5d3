"""Rules of multipart uploads and of copied parts: S3 User Guide, mpuoverview, qfacts."""

import pytest

from tests.contract.declarations import differs, only, table
from tests.contract.scenes import (
    FIRST_PART,
    LAST_PART,
    PART_BYTES,
    UNKNOWN_ETAG,
    composite,
    full,
    md5,
    multipart_etag,
    one_part,
    put_twice,
    source_of,
    uploaded_in_parts,
)
from tests.contract.vocabulary import Attributes, Driver, Part, Source, refused

BODIES = (FIRST_PART, LAST_PART)


def test_the_etag_tells_the_number_of_parts(s3: Driver, bucket: str) -> None:
    """If this fails, a multipart ETag is compared with an MD5."""
    written = uploaded_in_parts(s3, bucket)
    assert written.etag == multipart_etag(*BODIES)
    head, body = s3.get(bucket, "key")
    assert (head.etag, head.size_bytes) == (written.etag, PART_BYTES + len(LAST_PART))
    assert body == b"".join(BODIES)


def test_an_upload_of_one_part_has_a_multipart_etag(s3: Driver, bucket: str) -> None:
    """If this fails, one part is taken for a plain PUT."""
    assert uploaded_in_parts(s3, bucket, bodies=(b"body",)).etag == multipart_etag(b"body")


@differs("moto", "answers 200, with the part's ETag")
def test_head_of_a_part_tells_its_size_and_the_objects_etag(s3: Driver, bucket: str) -> None:
    """If this fails, a copy cannot repeat its source's part boundaries."""
    written = uploaded_in_parts(s3, bucket)
    for number, body in enumerate(BODIES, start=1):
        head = s3.head(bucket, "key", part_number=number)
        assert (head.status, head.size_bytes, head.parts_count) == (206, len(body), 2)
        assert head.etag == written.etag
    assert s3.get(bucket, "key", part_number=2)[1] == LAST_PART


@differs("seaweedfs", "says a count of one")
def test_a_plain_object_has_one_part_and_no_count(s3: Driver, bucket: str) -> None:
    """If this fails, a plain object is taken for an upload of one part."""
    s3.put(bucket, "key", b"body")
    head = s3.head(bucket, "key", part_number=1)
    assert (head.size_bytes, head.parts_count) == (4, None)


@differs("moto", "answers no bytes for a part that is not there")
def test_a_part_that_is_not_there_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a loop over parts does not end."""
    uploaded_in_parts(s3, bucket)
    with refused(416, "InvalidPartNumber"):
        s3.get(bucket, "key", part_number=3)


def test_attributes_of_the_object_are_said_when_the_upload_begins(s3: Driver, bucket: str) -> None:
    """If this fails, large objects lose metadata, headers or tags."""
    attributes = Attributes(
        content_type="text/plain",
        cache_control="no-cache",
        metadata=(("colour", "green"),),
        tags=(("team", "red"),),
        storage_class="STANDARD_IA",
    )
    upload_id = s3.begin(bucket, "key", attributes=attributes)
    s3.complete(bucket, "key", upload_id, [s3.upload(bucket, "key", upload_id, 1, b"body")])
    kept = s3.head(bucket, "key").attributes
    assert (kept.content_type, kept.cache_control) == ("text/plain", "no-cache")
    assert (kept.metadata, kept.storage_class) == (attributes.metadata, "STANDARD_IA")
    assert s3.tags(bucket, "key") == attributes.tags


def test_nothing_is_there_until_the_upload_is_completed(s3: Driver, bucket: str) -> None:
    """If this fails, half an object is visible."""
    upload_id, parts = one_part(s3, bucket, "key")
    assert s3.list_versions(bucket).entries == ()
    assert s3.uploads(bucket) == [("key", upload_id)]
    written = s3.complete(bucket, "key", upload_id, parts)
    assert s3.list_versions(bucket).version_ids == [written.version_id]
    assert s3.uploads(bucket) == []


def test_every_part_but_the_last_has_5_mib(s3: Driver, bucket: str) -> None:
    """If this fails, parts are cut so small that S3 refuses them in the end."""
    upload_id = s3.begin(bucket, "key")
    parts = [s3.upload(bucket, "key", upload_id, n, b"small") for n in (1, 2)]
    with refused(400, "EntityTooSmall"):
        s3.complete(bucket, "key", upload_id, parts)
    assert s3.list_versions(bucket).entries == ()


def test_part_numbers_may_have_gaps(s3: Driver, bucket: str) -> None:
    """If this fails, a legal source layout is thought damaged."""
    upload_id = s3.begin(bucket, "key")
    parts = [
        s3.upload(bucket, "key", upload_id, number, body)
        for number, body in zip((3, 10_000), BODIES, strict=True)
    ]
    assert s3.complete(bucket, "key", upload_id, parts).etag == multipart_etag(*BODIES)


@differs("seaweedfs", "answers InvalidPart")
@differs("moto", "answers NoSuchUpload to part 0", rows=("0",))
@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_go_from_1_to_10000(s3: Driver, bucket: str, number: int) -> None:
    """If this fails, an upload has more parts than S3 takes."""
    upload_id = s3.begin(bucket, "key")
    with refused(400, "InvalidArgument"):
        s3.upload(bucket, "key", upload_id, number, b"body")


@differs("moto", "looks at the sizes first")
def test_parts_are_named_in_ascending_order(s3: Driver, bucket: str) -> None:
    """If this fails, an object is put together in another order than meant."""
    upload_id = s3.begin(bucket, "key")
    parts = [s3.upload(bucket, "key", upload_id, n, b) for n, b in enumerate(BODIES, start=1)]
    with refused(400, "InvalidPartOrder"):
        s3.complete(bucket, "key", upload_id, parts[::-1])


WRONG_PARTS = {
    "a part that was not uploaded": Part(number=2, etag=md5(b"body")),
    "another ETag": Part(number=1, etag=UNKNOWN_ETAG),
}


@pytest.mark.parametrize("wrong", table(WRONG_PARTS))
def test_parts_that_are_not_there_are_refused(s3: Driver, bucket: str, wrong: Part) -> None:
    """If this fails, an object is put together from other parts than were checked."""
    upload_id, _ = one_part(s3, bucket, "key")
    with refused(400, "InvalidPart"):
        s3.complete(bucket, "key", upload_id, [wrong])


@differs("seaweedfs", "answers NoSuchUpload")
def test_an_upload_is_completed_with_at_least_one_part(s3: Driver, bucket: str) -> None:
    """If this fails, an upload of nothing becomes an object."""
    upload_id, _ = one_part(s3, bucket, "key")
    with refused(400, "MalformedXML"):
        s3.complete(bucket, "key", upload_id, [])


@differs("seaweedfs", "completes with the ETag of a part that was replaced")
def test_a_part_uploaded_again_replaces_the_first(s3: Driver, bucket: str) -> None:
    """If this fails, a repeated part is doubled, or the stale one kept."""
    upload_id, stale = one_part(s3, bucket, "key", b"stale")
    fresh = s3.upload(bucket, "key", upload_id, 1, b"fresh")
    with refused(400, "InvalidPart"):
        s3.complete(bucket, "key", upload_id, stale)
    s3.complete(bucket, "key", upload_id, [fresh])
    assert s3.get(bucket, "key")[1] == b"fresh"


def test_parts_that_are_not_named_are_left_out(s3: Driver, bucket: str) -> None:
    """If this fails, an object has bytes that nobody asked for."""
    upload_id, parts = one_part(s3, bucket, "key", b"kept")
    s3.upload(bucket, "key", upload_id, 2, b"left out")
    s3.complete(bucket, "key", upload_id, parts)
    assert s3.get(bucket, "key")[1] == b"kept"


def test_parts_are_listed_by_number_and_paged(s3: Driver, bucket: str) -> None:
    """If this fails, an upload cannot be taken up again."""
    upload_id = s3.begin(bucket, "key")
    for number in (3, 1, 2):
        s3.upload(bucket, "key", upload_id, number, b"x" * number)
    rows = s3.parts(bucket, "key", upload_id)
    assert [(row.number, row.etag, row.size_bytes) for row in rows] == [
        (number, md5(b"x" * number), number) for number in (1, 2, 3)
    ]
    page = s3.parts(bucket, "key", upload_id, max_parts=1, part_number_marker=1)
    assert [row.number for row in page] == [2]


@differs("moto", "answers 500 to a completion after an abort")
def test_an_aborted_upload_is_gone(s3: Driver, bucket: str) -> None:
    """If this fails, parts are paid for that nobody can see."""
    upload_id, parts = one_part(s3, bucket, "key")
    s3.abort(bucket, "key", upload_id)
    assert s3.uploads(bucket) == []
    with refused(404, "NoSuchUpload"):
        s3.complete(bucket, "key", upload_id, parts)
    with refused(404, "NoSuchUpload"):
        s3.upload(bucket, "key", upload_id, 1, b"body")
    with refused(404, "NoSuchUpload"):
        s3.parts(bucket, "key", upload_id)


def test_two_uploads_of_a_key_do_not_meet(s3: Driver, bucket: str) -> None:
    """If this fails, two runs put together an object from parts of both."""
    first_id, first = one_part(s3, bucket, "key", b"first")
    second_id, second = one_part(s3, bucket, "key", b"second")
    s3.complete(bucket, "key", second_id, second)
    s3.complete(bucket, "key", first_id, first)
    assert s3.get(bucket, "key")[1] == b"first"
    assert len(s3.list_versions(bucket).entries) == 2


@differs("seaweedfs", "ignores the object size at completion")
@differs("moto", "ignores the object size at completion")
def test_the_size_that_complete_names_is_checked(s3: Driver, bucket: str) -> None:
    """If this fails, an object of another size than planned is put together."""
    upload_id, parts = one_part(s3, bucket, "key", b"body")
    with refused(400, "InvalidRequest"):
        s3.complete(bucket, "key", upload_id, parts, size_bytes=5)
    s3.complete(bucket, "key", upload_id, parts, size_bytes=4)


@differs("seaweedfs", "keeps the multipart ETag in a copy")
def test_a_copy_of_an_upload_is_one_part(s3: Driver, bucket: str) -> None:
    """If this fails, the ETag of a copy is expected to be that of its source."""
    written = uploaded_in_parts(s3, bucket)
    copied = s3.copy(source_of(bucket, written), bucket, "copy")
    assert copied.etag == md5(b"".join(BODIES))
    assert s3.head(bucket, "copy").parts_count is None


# --- parts that are copied ---


def copied_part(s3: Driver, source: Source, bucket: str, *, byte_range: str | None = None) -> bytes:
    """What an object of one copied part holds."""
    upload_id = s3.begin(bucket, "copy")
    part = s3.upload_copy(source, bucket, "copy", upload_id, 1, byte_range=byte_range)
    s3.complete(bucket, "copy", upload_id, [part])
    return s3.get(bucket, "copy")[1]


@differs("seaweedfs", "gives an upload of copied parts another ETag")
def test_the_parts_of_the_source_give_its_etag(s3: Driver, bucket: str) -> None:
    """If this fails, a large copy cannot be proved by its ETag."""
    written = uploaded_in_parts(s3, bucket)
    source = source_of(bucket, written)
    upload_id = s3.begin(bucket, "copy")
    ends = [(0, PART_BYTES - 1), (PART_BYTES, PART_BYTES + len(LAST_PART) - 1)]
    parts = [
        s3.upload_copy(
            source, bucket, "copy", upload_id, number, byte_range=f"bytes={first}-{last}"
        )
        for number, (first, last) in enumerate(ends, start=1)
    ]
    copied = s3.complete(bucket, "copy", upload_id, parts)
    assert copied.etag == written.etag
    assert s3.get(bucket, "copy")[1] == b"".join(BODIES)


@pytest.mark.parametrize(
    "byte_range", table({"first": "bytes=0-0", "middle": "bytes=2-4", "all": "bytes=0-9"})
)
def test_a_copied_range_includes_both_ends(s3: Driver, bucket: str, byte_range: str) -> None:
    """If this fails, a large copy loses or doubles a byte where parts meet."""
    written = s3.put(bucket, "key", b"0123456789")
    first, last = map(int, byte_range.removeprefix("bytes=").split("-"))
    copied = copied_part(s3, source_of(bucket, written), bucket, byte_range=byte_range)
    assert copied == b"0123456789"[first : last + 1]


RANGES = {
    "no unit": "0-4",
    "open end": "bytes=0-",
    "last bytes": "bytes=-4",
    "backwards": "bytes=4-0",
    "two ranges": "bytes=0-1,3-4",
    "beyond the end": "bytes=0-10",
    "behind the end": "bytes=10-11",
}


@differs("seaweedfs", "copies everything where the range has no unit", rows=("no unit",))
@differs(
    "seaweedfs",
    "answers 416 InvalidRange",
    rows=("open end", "last bytes", "backwards", "two ranges", "beyond the end", "behind the end"),
)
@differs("moto", "copies what it makes of the range")
@pytest.mark.parametrize("byte_range", table(RANGES))
def test_a_range_that_cannot_be_copied_is_refused(s3: Driver, bucket: str, byte_range: str) -> None:
    """If this fails, a part has other bytes than its range says."""
    written = s3.put(bucket, "key", b"0123456789")
    upload_id = s3.begin(bucket, "copy")
    with refused(400, "InvalidArgument"):
        s3.upload_copy(
            source_of(bucket, written), bucket, "copy", upload_id, 1, byte_range=byte_range
        )
    assert s3.parts(bucket, "copy", upload_id) == ()


def test_a_copied_part_is_pinned_to_its_version(s3: Driver, bucket: str) -> None:
    """If this fails, a large copy mixes two versions of its source."""
    first, _ = put_twice(s3, bucket)
    assert copied_part(s3, source_of(bucket, first), bucket) == b"first"


@differs("seaweedfs", "answers 404 NoSuchKey")
@differs("moto", "answers 404 without a code")
def test_a_part_is_not_copied_from_a_delete_marker(s3: Driver, bucket: str) -> None:
    """If this fails, a marker is copied as if it had content."""
    s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    upload_id = s3.begin(bucket, "copy")
    pinned = Source(bucket=bucket, key="key", version_id=marker.version_id)
    with refused(400, "InvalidRequest"):
        s3.upload_copy(pinned, bucket, "copy", upload_id, 1)
    with refused(404, "NoSuchKey"):
        s3.upload_copy(Source(bucket=bucket, key="key"), bucket, "copy", upload_id, 1)


@differs("seaweedfs", "takes application/octet-stream for uploads")
def test_copied_parts_take_nothing_but_bytes_along(s3: Driver, bucket: str) -> None:
    """If this fails, somebody thinks that a large copy keeps metadata by itself."""
    attributes = Attributes(content_type="text/plain", metadata=(("a", "b"),), tags=(("t", "1"),))
    written = s3.put(bucket, "key", attributes=attributes)
    assert copied_part(s3, source_of(bucket, written), bucket) == b"body"
    kept = s3.head(bucket, "copy").attributes
    assert (kept.content_type, kept.metadata) == ("binary/octet-stream", ())
    assert s3.tags(bucket, "copy") == ()


@differs("moto", "tells no checksum of a part")
def test_a_copied_part_tells_the_checksum_of_its_uploads_algorithm(s3: Driver, bucket: str) -> None:
    """If this fails, a composite upload of copied parts cannot be completed."""
    written = s3.put(bucket, "key", b"body")
    upload_id = s3.begin(bucket, "copy", checksum_algorithm="SHA256")
    part = s3.upload_copy(source_of(bucket, written), bucket, "copy", upload_id, 1)
    assert part.checksum == full("SHA256", b"body", told=None)
    copied = s3.complete(bucket, "copy", upload_id, [part])
    assert copied.checksum == composite("SHA256", b"body")


@only("model", "sandbox", because="the limit is 5 GB elsewhere; ours is set to 6 MiB here")
def test_a_copied_range_over_the_size_limit_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, parts are cut larger than S3 copies."""
    limit = 6 * 1024 * 1024
    written = s3.put(bucket, "key", bytes(limit + 1))
    source = source_of(bucket, written)
    upload_id = s3.begin(bucket, "copy")
    s3.upload_copy(source, bucket, "copy", upload_id, 1, byte_range=f"bytes=0-{limit - 1}")
    with refused(400, "InvalidRequest"):
        s3.upload_copy(source, bucket, "copy", upload_id, 2, byte_range=f"bytes=0-{limit}")
