"""Every refusal that guards a copy, reached with raw bytes on a socket."""

import base64
import hashlib
import re

import pytest

from tests.wire.sandbox.conftest import Place

MIB = 1024 * 1024
WRONG = '"00000000000000000000000000000000"'


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


ETAG = f'"{md5(b"body")}"'


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"if_none_match": "*"}, 412, "PreconditionFailed"),
        ({"if_match": WRONG}, 412, "PreconditionFailed"),
        ({"if_none_match": ETAG}, 501, "NotImplemented"),
        ({"if_match": "*"}, 501, "NotImplemented"),
        ({"if_match": ETAG, "if_none_match": "*"}, 501, "NotImplemented"),
        ({"x_amz_copy_source_if_match": WRONG}, 412, "PreconditionFailed"),
        ({"x_amz_copy_source_if_none_match": ETAG}, 412, "PreconditionFailed"),
        (
            {"x_amz_copy_source_if_unmodified_since": "Sat, 01 Jan 2000 00:00:00 GMT"},
            412,
            "PreconditionFailed",
        ),
        ({"x_amz_expected_bucket_owner": "222222222222"}, 403, "AccessDenied"),
        ({"x_amz_source_expected_bucket_owner": "222222222222"}, 403, "AccessDenied"),
        ({"x_amz_metadata_directive": "MERGE"}, 400, "InvalidArgument"),
        ({"x_amz_storage_class": "TAPE"}, 400, "InvalidStorageClass"),
    ],
)
def test_a_copy_whose_condition_fails_writes_nothing(
    place: Place, headers: dict[str, str], status: int, code: str
) -> None:
    """If this fails, a copy that AWS refuses replaces what was at the destination."""
    place.put("k")
    place.put("copy", b"earlier")
    answer = place.copy("k", **headers)
    assert (answer.status, answer.code) == (status, code)
    after = place.source.ask("GET", f"/{place.source_bucket}/copy")
    assert after.body == b"earlier"


def test_a_copy_with_right_conditions_succeeds(place: Place) -> None:
    """If this fails, the refusals above prove nothing."""
    place.put("k")
    place.put("copy", b"earlier")
    answer = place.copy(
        "k",
        if_match=f'"{md5(b"earlier")}"',
        x_amz_copy_source_if_match=ETAG,
        x_amz_expected_bucket_owner="111111111111",
        x_amz_source_expected_bucket_owner="111111111111",
    )
    assert answer.status == 200
    assert answer.element("ETag") == f"&quot;{md5(b'body')}&quot;"
    assert answer.headers["x-amz-version-id"]
    assert answer.headers["x-amz-copy-source-version-id"]
    assert place.source.ask("GET", f"/{place.source_bucket}/copy").body == b"body"


def test_if_match_on_an_absent_key_is_404_and_if_none_match_succeeds_over_a_marker(
    place: Place,
) -> None:
    """If this fails, the product's decision table is tested against another S3."""
    place.put("k")
    answer = place.copy("k", if_match=ETAG)
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    place.put("copy")
    deleted = place.source.ask("DELETE", f"/{place.source_bucket}/copy")
    assert (deleted.status, deleted.headers["x-amz-delete-marker"]) == (204, "true")
    assert place.copy("k", if_none_match="*").status == 200


def test_a_delete_marker_is_no_copy_source_and_cannot_be_read(place: Place) -> None:
    """If this fails, a marker's version ID is copied, or reads as a missing key."""
    place.put("k")
    deleted = place.source.ask("DELETE", f"/{place.source_bucket}/k")
    marker = deleted.headers["x-amz-version-id"]
    answer = place.copy(f"k?versionId={marker}")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert "may not specifically refer to a delete marker" in answer.element("Message")
    answer = place.copy("k")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    head = place.source.ask("HEAD", f"/{place.source_bucket}/k", f"versionId={marker}")
    assert (head.status, head.headers["x-amz-delete-marker"]) == (405, "true")
    plain = place.source.ask("GET", f"/{place.source_bucket}/k")
    assert (plain.status, plain.code, plain.headers["x-amz-delete-marker"]) == (
        404,
        "NoSuchKey",
        "true",
    )


def test_a_version_that_is_not_there_is_no_copy_source(place: Place) -> None:
    """If this fails, a vanished version is copied as the current one."""
    put = place.put("k")
    version = put.headers["x-amz-version-id"]
    other = version[:-1] + ("A" if version[-1] != "A" else "B")
    answer = place.copy(f"k?versionId={other}")
    assert (answer.status, answer.code) == (404, "NoSuchVersion")


def test_a_copy_onto_itself_must_change_something(place: Place) -> None:
    """If this fails, an in-place copy makes a version for nothing."""
    place.put("copy")
    answer = place.copy("copy")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert place.copy("copy", x_amz_metadata_directive="REPLACE").status == 200


def test_a_source_over_the_copy_limit_needs_parts(place: Place) -> None:
    """If this fails, objects over 5 GB are copied in one request here and never on AWS."""
    body = bytes(7 * MIB)
    place.put("big", body)
    answer = place.copy("big")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert "larger than the maximum allowable size" in answer.element("Message")


class Upload:
    """One multipart upload in the source bucket."""

    def __init__(self, place: Place, **headers: str) -> None:
        self.place = place
        self.path = f"/{place.source_bucket}/mpu"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.created = place.source.ask("POST", self.path, "uploads", headers=named)
        self.id = self.created.element("UploadId")

    def part(self, number: int, body: bytes) -> str:
        answer = self.place.source.ask(
            "PUT", self.path, f"partNumber={number}&uploadId={self.id}", body=body
        )
        assert answer.status == 200, answer.body
        return answer.headers["etag"]

    def complete(
        self, parts: list[tuple[int, str]], headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in parts
        )
        body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        answer = self.place.source.ask(
            "POST", self.path, f"uploadId={self.id}", headers=headers, body=body
        )
        return answer.status, answer.code


def test_parts_must_be_known_in_order_and_large_enough(place: Place) -> None:
    """If this fails, a part plan that AWS refuses is carried out."""
    upload = Upload(place)
    first, small = upload.part(1, bytes(5 * MIB)), upload.part(2, b"small")
    last = upload.part(3, b"last")
    assert upload.complete([(2, small), (1, first)]) == (400, "InvalidPartOrder")
    assert upload.complete([(1, first), (4, last)]) == (400, "InvalidPart")
    assert upload.complete([(1, WRONG)]) == (400, "InvalidPart")
    assert upload.complete([(1, first), (2, small), (3, last)]) == (400, "EntityTooSmall")
    assert upload.complete([]) == (400, "MalformedXML")
    assert upload.complete([(1, first), (3, last)]) == (200, "")
    late = place.source.ask("PUT", upload.path, f"partNumber=1&uploadId={upload.id}", body=b"x")
    assert (late.status, late.code) == (404, "NoSuchUpload")


@pytest.mark.parametrize("number", ["0", "10001", "one"])
def test_part_numbers_run_from_one_to_ten_thousand(place: Place, number: str) -> None:
    """If this fails, a plan of 10,001 parts looks possible."""
    upload = Upload(place)
    answer = place.source.ask(
        "PUT", upload.path, f"partNumber={number}&uploadId={upload.id}", body=b"x"
    )
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_completing_an_upload_is_conditional_too(place: Place) -> None:
    """If this fails, a multipart copy overwrites what a live writer put."""
    upload = Upload(place)
    etag = upload.part(1, b"mine")
    place.source.ask("PUT", upload.path, body=b"theirs")
    assert upload.complete([(1, etag)], {"if-none-match": "*"}) == (412, "PreconditionFailed")
    assert place.source.ask("GET", upload.path).body == b"theirs"


def test_the_announced_object_size_is_checked(place: Place) -> None:
    """If this fails, an upload that lost a part completes."""
    upload = Upload(place)
    etag = upload.part(1, b"mine")
    status, code = upload.complete([(1, etag)], {"x-amz-mp-object-size": "5"})
    assert (status, code) == (400, "InvalidRequest")


@pytest.mark.parametrize("copied_range", ["bytes=0", "0-1", "bytes=5-2", "bytes=0-", "bytes=0-99"])
def test_a_copied_range_must_be_well_formed_and_within_the_source(
    place: Place, copied_range: str
) -> None:
    """If this fails, a part is cut short in silence."""
    place.put("k")
    upload = Upload(place)
    answer = place.source.ask(
        "PUT",
        upload.path,
        f"partNumber=1&uploadId={upload.id}",
        headers={
            "x-amz-copy-source": f"{place.source_bucket}/k",
            "x-amz-copy-source-range": copied_range,
        },
    )
    assert answer.status in {400, 416}
    assert answer.code in {"InvalidArgument", "InvalidRange", "InvalidRequest"}


def test_a_copied_part_is_guarded_like_a_copy(place: Place) -> None:
    """If this fails, a part of a source that changed meanwhile gets into the object."""
    place.put("k")
    upload = Upload(place)
    query = f"partNumber=1&uploadId={upload.id}"
    source = {"x-amz-copy-source": f"{place.source_bucket}/k"}
    for guard, status, code in (
        ({"x-amz-copy-source-if-match": WRONG}, 412, "PreconditionFailed"),
        ({"x-amz-expected-bucket-owner": "222222222222"}, 403, "AccessDenied"),
        ({"x-amz-source-expected-bucket-owner": "222222222222"}, 403, "AccessDenied"),
    ):
        answer = place.source.ask("PUT", upload.path, query, headers=source | guard)
        assert (answer.status, answer.code) == (status, code)
    answer = place.source.ask("PUT", upload.path, query, headers=source)
    assert (answer.status, answer.element("ETag")) == (200, f"&quot;{md5(b'body')}&quot;")
    assert answer.headers["x-amz-copy-source-version-id"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        (
            {"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()},
            "BadDigest",
        ),
        ({"x-amz-checksum-crc32": "short"}, "InvalidRequest"),
        (
            {"x-amz-checksum-crc32": "NhCmhg==", "x-amz-checksum-crc32c": "mnG7TA=="},
            "InvalidRequest",
        ),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
        ({"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"),
    ],
)
def test_a_body_that_is_not_what_its_checksum_says_is_refused(
    place: Place, headers: dict[str, str], code: str
) -> None:
    """If this fails, damage on the way is stored with a clean conscience."""
    path = f"/{place.source_bucket}/k"
    answer = place.source.ask("PUT", path, headers=headers, body=b"hello")
    assert (answer.status, answer.code) == (400, code)
    assert place.source.ask("GET", path).status == 404


def test_a_full_object_checksum_is_refused_for_algorithms_that_have_none(place: Place) -> None:
    """If this fails, the product asks for checksums that AWS never stores."""
    refused = Upload(
        place, x_amz_checksum_algorithm="SHA256", x_amz_checksum_type="FULL_OBJECT"
    ).created
    assert (refused.status, refused.code) == (400, "InvalidRequest")


def test_composite_checksums_carry_their_part_count_except_in_attributes(place: Place) -> None:
    """If this fails, equal composite checksums compare as different."""
    upload = Upload(place, x_amz_checksum_algorithm="CRC32")
    part = place.source.ask(
        "PUT",
        upload.path,
        f"partNumber=1&uploadId={upload.id}",
        headers={"x-amz-checksum-crc32": "NhCmhg=="},
        body=b"hello",
    )
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part>"
        "</CompleteMultipartUpload>"
    ).encode()
    done = place.source.ask("POST", upload.path, f"uploadId={upload.id}", body=body)
    value = done.element("ChecksumCRC32")
    assert value.endswith("-1")
    assert done.element("ChecksumType") == "COMPOSITE"
    head = place.source.ask("HEAD", upload.path, headers={"x-amz-checksum-mode": "ENABLED"})
    assert head.headers["x-amz-checksum-crc32"] == value
    assert head.headers["x-amz-checksum-type"] == "COMPOSITE"
    attributes = place.source.ask(
        "GET",
        upload.path,
        "attributes",
        headers={"x-amz-object-attributes": "ETag,Checksum,ObjectParts,ObjectSize"},
    )
    assert attributes.element("ETag") == done.element("ETag").replace("&quot;", "")
    assert attributes.elements("ChecksumCRC32") == [value.removesuffix("-1"), "NhCmhg=="]
    assert attributes.element("ObjectSize") == "5"


def test_the_etag_of_a_kms_object_says_nothing(place: Place) -> None:
    """If this fails, verify may take KMS ETags for MD5 sums."""
    answer = place.put("kms", x_amz_server_side_encryption="aws:kms")
    assert re.fullmatch('"[0-9a-f]{32}"', answer.headers["etag"])
    assert answer.headers["etag"] != ETAG
    assert answer.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert answer.headers["x-amz-server-side-encryption-aws-kms-key-id"].startswith("arn:aws:kms:")
    copied = place.copy("kms")
    assert copied.element("ETag") == f"&quot;{md5(b'body')}&quot;"
    assert copied.headers["x-amz-server-side-encryption"] == "AES256"
