"""Multipart uploads: ETags, checksums by mode, replaced parts, and what parts tell later."""

import base64
import hashlib
import zlib
from dataclasses import replace

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.copies import CopySource, UploadPartCopyRequest
from backfill.sandbox.model.operations.multipart import (
    AbortMultipartUploadRequest,
    CompletedPart,
    ListMultipartUploadsRequest,
    ListPartsRequest,
)
from backfill.sandbox.model.operations.objects import GetObjectAttributesRequest, PartsPage
from backfill.sandbox.model.values import (
    ChecksumType,
    ContentHeaders,
    RequestedEncryption,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)
from tests.unit.sandbox.model.conftest import BUCKET, KMS_KEY, Stage

PARTS = [b"12345678", b"abcdefgh", b"9"]
WHOLE = b"".join(PARTS)


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


ETAG = f"{md5(b''.join(md5(part) for part in PARTS)).hex()}-3"


def parts_page(stage: Stage, max_parts: int = 1000, after: int = 0) -> PartsPage | None:
    request = GetObjectAttributesRequest(
        bucket=BUCKET,
        key="k",
        attributes=("ObjectParts", "Checksum"),
        max_parts=max_parts,
        part_number_marker=after,
    )
    return stage.model.get_object_attributes(stage.own, request).parts


@pytest.mark.parametrize(
    ("mode", "checksum_type", "value"),
    [
        ({}, ChecksumType.FULL_OBJECT, None),
        (
            {"checksum_algorithm": "CRC32"},
            ChecksumType.COMPOSITE,
            text(crc32(b"".join(crc32(part) for part in PARTS))) + "-3",
        ),
        (
            {"checksum_algorithm": "CRC32", "checksum_type": "FULL_OBJECT"},
            ChecksumType.FULL_OBJECT,
            text(crc32(WHOLE)),
        ),
        (
            {"checksum_algorithm": "SHA256"},
            ChecksumType.COMPOSITE,
            text(hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in PARTS)).digest())
            + "-3",
        ),
        ({"checksum_algorithm": "CRC64NVME"}, ChecksumType.FULL_OBJECT, None),
    ],
)
def test_etag_and_checksum_of_an_upload_are_those_that_s3_derives(
    stage: Stage, mode: dict[str, str], checksum_type: ChecksumType, value: str | None
) -> None:
    """If this fails, verify compares checksums that AWS would never store."""
    result = stage.multipart("k", PARTS, **mode)
    assert result.etag == ETAG
    assert result.checksum is not None
    assert result.checksum.algorithm == mode.get("checksum_algorithm", "CRC64NVME")
    assert result.checksum.type is checksum_type
    if value is None:  # awscrt's word, as for an object of one piece
        single = stage.put("same", WHOLE).checksum
        assert single is not None
        value = single.value
    assert result.checksum.text == value
    head = stage.head(is_checksum_mode_enabled=True)
    assert head.checksum == result.checksum
    assert stage.head().checksum is None
    assert stage.read() == WHOLE


def test_parts_are_told_only_of_composite_objects(stage: Stage) -> None:
    """If this fails, part sizes are read where AWS does not tell them."""
    stage.multipart("k", PARTS)
    assert parts_page(stage) == PartsPage(total_parts_count=3)
    stage.multipart("k", PARTS, checksum_algorithm="CRC32")
    page = parts_page(stage, max_parts=2)
    assert page is not None
    assert page.parts is not None
    assert [(part.number, part.size_bytes) for part in page.parts] == [(1, 8), (2, 8)]
    assert page.parts[0].checksum is not None
    assert page.parts[0].checksum.text == text(crc32(PARTS[0]))
    assert (page.is_truncated, page.next_part_number_marker) == (True, 2)
    last = parts_page(stage, after=2)
    assert last is not None
    assert last.parts is not None
    assert [part.number for part in last.parts] == [3]
    assert not last.is_truncated
    stage.put("k")
    assert parts_page(stage) is None


def test_a_part_is_read_by_its_number_under_the_object_s_etag(stage: Stage) -> None:
    """If this fails, part boundaries cannot be read, or a part's ETag is taken for the object's."""
    stage.multipart("k", PARTS, checksum_algorithm="CRC32")
    head = stage.head(part_number=2, is_checksum_mode_enabled=True)
    assert (head.status, head.parts_count, head.size_bytes) == (206, 3, 8)
    assert (head.etag, head.content_range) == (ETAG, "bytes 8-15/17")
    assert head.checksum is not None
    assert head.checksum.text == text(crc32(PARTS[1]))
    assert stage.read(part_number=3) == b"9"
    assert stage.head().parts_count is None
    stage.multipart("k", PARTS)
    assert stage.head(part_number=2, is_checksum_mode_enabled=True).checksum is None
    stage.put("k")
    single = stage.head(part_number=1)
    assert (single.status, single.parts_count, single.content_range) == (206, None, "bytes 0-3/4")


def test_everything_said_at_creation_is_of_the_object(stage: Stage) -> None:
    """If this fails, multipart copies lose metadata, tags or class here and not on AWS."""
    said = WrittenAttributes(
        content=ContentHeaders(content_type="text/plain"),
        metadata=(("n", "v"),),
        tags=(("a", "b"),),
        storage_class="GLACIER_IR",
        encryption=RequestedEncryption(algorithm="aws:kms", kms_key_id=KMS_KEY),
    )
    result = stage.multipart("k", PARTS, attributes=said)
    head = stage.head()
    assert (head.content, head.metadata, head.tag_count) == (said.content, said.metadata, 1)
    assert (head.storage_class, head.encryption.kms_key_arn) == ("GLACIER_IR", KMS_KEY)
    assert result.etag.endswith("-3")
    assert result.etag != ETAG


def test_a_part_sent_again_replaces_the_first(stage: Stage) -> None:
    """If this fails, a retried part doubles or loses bytes."""
    upload_id = stage.create_upload()
    first = stage.upload_part(upload_id, 1, b"first")
    again = stage.upload_part(upload_id, 1, b"again")
    assert first.etag != again.etag
    stage.complete(upload_id, [again])
    assert stage.read() == b"again"


def test_parts_that_are_not_named_are_left_out(stage: Stage) -> None:
    """If this fails, an object has bytes that its completion did not name."""
    upload_id = stage.create_upload()
    parts = [stage.upload_part(upload_id, number, b"12345678") for number in (1, 3, 5)]
    assert stage.complete(upload_id, [parts[0], parts[2]]).etag.endswith("-2")
    assert stage.head().size_bytes == 16


def test_an_upload_is_gone_once_it_is_completed_or_aborted(stage: Stage) -> None:
    """If this fails, parts outlive their upload."""
    done, dropped = stage.create_upload(), stage.create_upload()
    stage.complete(done, [stage.upload_part(done, 1, b"x")])
    request = AbortMultipartUploadRequest(bucket=BUCKET, key="k", upload_id=dropped)
    stage.model.abort_multipart_upload(stage.own, request)
    listing = ListMultipartUploadsRequest(bucket=BUCKET)
    assert stage.model.list_multipart_uploads(stage.own, listing).uploads == ()


def test_a_refused_completion_leaves_the_upload_to_be_tried_again(stage: Stage) -> None:
    """If this fails, one wrong completion throws away everything that was uploaded."""
    upload_id = stage.create_upload()
    part = stage.upload_part(upload_id, 1, b"x")
    with pytest.raises(S3Error, match="InvalidPart"):
        stage.complete(upload_id, [replace(part, etag="0" * 32)])
    assert stage.bucket().current("k") is None
    assert stage.complete(upload_id, [part]).etag


def test_parts_of_any_algorithm_are_checked_where_the_upload_named_none(stage: Stage) -> None:
    """If this fails, SDKs that always send CRC32 cannot upload without saying so first."""
    upload_id = stage.create_upload()
    part = stage.upload_part(upload_id, 1, b"x", algorithm="CRC32", value=text(crc32(b"x")))
    assert part.checksum is None
    checksum = stage.complete(upload_id, [part]).checksum
    assert checksum is not None
    assert checksum.algorithm == "CRC64NVME"


@pytest.mark.parametrize("suffix", ["", "-1"])
def test_a_composite_checksum_may_be_sent_with_its_part_count_or_without(
    stage: Stage, suffix: str
) -> None:
    """If this fails, completions that AWS takes are refused."""
    upload_id = stage.create_upload(checksum_algorithm="CRC32")
    part = stage.upload_part(upload_id, 1, b"x", algorithm="CRC32")
    sent = SentChecksum(algorithm="CRC32", value=text(crc32(crc32(b"x"))) + suffix)
    assert stage.complete(
        upload_id, [part], checksum=sent, checksum_type="COMPOSITE", object_size_bytes=1
    ).etag


def copied_part(stage: Stage, upload_id: str, number: int, said_range: str | None) -> CompletedPart:
    request = UploadPartCopyRequest(
        bucket=BUCKET,
        key="k",
        upload_id=upload_id,
        part_number=number,
        source=CopySource(bucket=BUCKET, key="source"),
        range=said_range,
    )
    result = stage.model.upload_part_copy(stage.own, request)
    assert result.source_version_id
    told = None
    if result.checksum is not None:
        told = SentChecksum(algorithm=result.checksum.algorithm, value=result.checksum.value)
    return CompletedPart(number=number, etag=result.etag, checksum=told)


def test_parts_copied_along_the_source_boundaries_give_the_source_etag_and_checksum(
    stage: Stage,
) -> None:
    """If this fails, a mirrored multipart copy cannot be shown equal to its source."""
    source = stage.multipart("source", PARTS, checksum_algorithm="CRC32")
    upload_id = stage.create_upload(checksum_algorithm="CRC32")
    ranges = ["bytes=0-7", "bytes=8-15", "bytes=16-16"]
    parts = [copied_part(stage, upload_id, n, said) for n, said in enumerate(ranges, start=1)]
    copy = stage.complete(upload_id, parts, conditions=WriteConditions(if_none_match="*"))
    assert (copy.etag, copy.checksum) == (source.etag, source.checksum)
    assert stage.read() == WHOLE


def test_a_whole_source_is_copied_as_one_part_without_a_checksum_nobody_asked_for(
    stage: Stage,
) -> None:
    """If this fails, the default mode of an upload by copies is not that of AWS."""
    stage.put("source", b"abc")
    upload_id = stage.create_upload()
    part = copied_part(stage, upload_id, 1, None)
    assert part.checksum is None
    stage.complete(upload_id, [part])
    assert stage.read() == b"abc"


def test_parts_are_listed_by_number_in_pages(stage: Stage) -> None:
    """If this fails, an interrupted upload cannot be continued."""
    upload_id = stage.create_upload(checksum_algorithm="CRC32")
    for number in (3, 1, 2):
        stage.upload_part(upload_id, number, bytes(8), algorithm="CRC32")
    request = ListPartsRequest(bucket=BUCKET, key="k", upload_id=upload_id, max_parts=2)
    page = stage.model.list_parts(stage.own, request)
    assert [part.number for part in page.parts] == [1, 2]
    assert (page.is_truncated, page.next_part_number_marker) == (True, 2)
    assert (page.checksum_algorithm, page.checksum_type) == ("CRC32", "COMPOSITE")
    rest = stage.model.list_parts(stage.own, replace(request, part_number_marker=2))
    assert ([part.number for part in rest.parts], rest.is_truncated) == ([3], False)


def test_uploads_of_one_key_are_listed_by_age_from_behind_a_marker(stage: Stage) -> None:
    """If this fails, a pager of uploads repeats or skips one."""
    ids = [stage.create_upload() for _ in range(3)]
    request = ListMultipartUploadsRequest(
        bucket=BUCKET, key_marker="k", upload_id_marker=ids[0], max_uploads=1
    )
    page = stage.model.list_multipart_uploads(stage.own, request)
    assert [upload.upload_id for upload in page.uploads] == [ids[1]]
    assert (page.is_truncated, page.next_upload_id_marker) == (True, ids[1])
    behind = replace(request, upload_id_marker=None)
    assert stage.model.list_multipart_uploads(stage.own, behind).uploads == ()
