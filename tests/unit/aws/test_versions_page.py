"""Pages of ListObjectVersions: order, keys and hostility."""

from datetime import UTC, datetime
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.aws.replies import ReplyError
from backfill.aws.versions_page import RAW_PAGE, keep_raw_page, versions_page
from backfill.model.objects import ChecksumType, DeleteMarker, ObjectVersion, VersionId
from backfill.model.store import VersionsPosition

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)


def version(key: str, version_id: str = "v1", more: str = "") -> str:
    return (
        f"<Version><Key>{key}</Key><VersionId>{version_id}</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-11-22T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        f"<Size>5</Size>{more}<Owner><ID>o</ID><DisplayName>d</DisplayName></Owner></Version>"
    )


def marker(key: str, version_id: str = "m1") -> str:
    return (
        f"<DeleteMarker><Owner><ID>o</ID></Owner><Key>{key}</Key><VersionId>{version_id}</VersionId>"
        "<IsLatest>false</IsLatest><LastModified>2026-11-22T10:00:00Z</LastModified>"
        "</DeleteMarker>"
    )


def page(
    *entries: str, more: str = "<IsTruncated>false</IsTruncated>", encoding: str = "url"
) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
        f"<Prefix></Prefix><EncodingType>{encoding}</EncodingType>{more}{''.join(entries)}"
        "</ListVersionsResult>"
    ).encode()


def test_versions_and_markers_come_in_the_order_of_the_page() -> None:
    """Two lists would lose whether a key is deleted or was written again: times tie."""
    parsed = versions_page(
        page(version("a", "3"), marker("a", "2"), version("a", "1"), marker("b"))
    )
    kinds = [(type(entry), entry.version_id) for entry in parsed.entries]
    assert kinds == [
        (ObjectVersion, "3"),
        (DeleteMarker, "2"),
        (ObjectVersion, "1"),
        (DeleteMarker, "m1"),
    ]


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=8))
def test_any_key_survives_byte_for_byte(keys: list[tuple[str, bool]]) -> None:
    """A key that is decoded twice, or not at all, names another object."""
    body = page(*(version(quote_plus(k)) if is_v else marker(quote_plus(k)) for k, is_v in keys))
    assert [entry.key for entry in versions_page(body).entries] == [key for key, _ in keys]


@given(KEYS)
def test_a_marker_of_the_next_page_survives_byte_for_byte(key: str) -> None:
    """An altered marker skips keys or repeats the page for ever."""
    more = (
        f"<IsTruncated>true</IsTruncated><NextKeyMarker>{quote_plus(key)}</NextKeyMarker>"
        "<NextVersionIdMarker>a%2Bb</NextVersionIdMarker>"
    )
    assert versions_page(page(more=more)).next_position == VersionsPosition(
        key=key, version_id=VersionId("a%2Bb")
    )


@given(st.text(st.sampled_from("%2F+ &<>ab"), min_size=1))
def test_a_page_that_is_not_encoded_is_not_decoded(key: str) -> None:
    """A store that ignores encoding-type means its keys literally."""
    body = page(version(escape(key)), encoding="")
    assert versions_page(body).entries[0].key == key


def test_every_field_of_a_version_is_read() -> None:
    """A field that is dropped here is a difference that verify cannot see."""
    more = (
        "<StorageClass>GLACIER</StorageClass><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
        "<ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>"
    )
    (plain,) = versions_page(page(version("a"))).entries
    assert isinstance(plain, ObjectVersion)
    assert versions_page(page(version("a", more=more))).entries == (
        ObjectVersion(
            key="a",
            version_id=VersionId("v1"),
            is_latest=True,
            last_modified=datetime(2026, 11, 22, 10, tzinfo=UTC),
            etag=plain.etag,
            size_bytes=5,
            storage_class="GLACIER",
            checksum_algorithms=("CRC32", "SHA256"),
            checksum_type=ChecksumType.COMPOSITE,
        ),
    )


def test_what_s3_leaves_out_has_its_documented_meaning() -> None:
    """No storage class is STANDARD, no version ID is the null version, quotes are no ETag."""
    entry = versions_page(page(version("a", version_id=""))).entries[0]
    assert isinstance(entry, ObjectVersion)
    assert (entry.version_id, entry.storage_class, entry.etag) == ("null", "STANDARD", "e")


HOSTILE = {
    "nothing": b"",
    "cut": page(version("a"))[:-30],
    "an error": b"<Error><Code>InternalError</Code></Error>",
    "HTML": b"<html><body>hello</body></html>",
    "entities": b'<!DOCTYPE l [<!ENTITY a "b">]>' + page(version("&a;")).partition(b"\n")[2],
    "a document type alone": b"<!DOCTYPE l>" + page().partition(b"\n")[2],
    "an external entity": b'<!DOCTYPE l SYSTEM "http://127.0.0.1/x">' + page().partition(b"\n")[2],
    "entities in UTF-16": (
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE l [<!ENTITY a "b">]>'
        "<ListVersionsResult>&a;</ListVersionsResult>"
    ).encode("utf-16"),
    "an encoding nobody knows": b'<?xml version="1.0" encoding="x-none"?><ListVersionsResult/>',
    "no word on truncation": page(more=""),
    "truncated without a marker": page(more="<IsTruncated>true</IsTruncated>"),
    "a key that is no UTF-8": page(version("%FF")),
    "an empty key": page(version("")),
    "a size that is none": page(version("a").replace("<Size>5", "<Size>five")),
    "a time without a zone": page(version("a").replace("00.000Z", "00.000")),
    "a boolean that is none": page(version("a").replace(">true<", ">yes<")),
    "a version without an ETag": page(version("a").replace("ETag", "Tag")),
    "an unknown checksum type": page(version("a", more="<ChecksumType>HALF</ChecksumType>")),
    "far too large": b"x" * (17 * 1024 * 1024),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """Half a listing taken for a whole one is objects that nobody copies."""
    with pytest.raises(ReplyError):
        versions_page(body)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_reply_error(body: bytes) -> None:
    """The network is not trusted; another exception would end the run as a bug."""
    with pytest.raises(ReplyError):
        versions_page(body)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_one_wrong_byte_is_refused_or_read_never_a_crash(position: int, byte: int) -> None:
    """As above, from the neighbourhood of a good page."""
    body = bytearray(page(version("a%2B"), marker("b")))
    body[position % len(body)] = byte
    try:
        parsed = versions_page(bytes(body))
    except ReplyError:
        return
    assert len(parsed.entries) <= 2


def test_only_a_page_is_kept_from_the_sdk() -> None:
    """An error inside a 200 must reach the SDK, which knows it for one."""
    for status, body in ((200, b"<Error/>"), (503, page()), (200, b"")):
        response: dict[str, object] = {"status_code": status, "body": body}
        kept: dict[str, object] = {}
        keep_raw_page(response, kept)
        assert (response["body"], kept) == (body, {})
    response, kept = {"status_code": 200, "body": page()}, {}
    keep_raw_page(response, kept)
    assert kept == {RAW_PAGE: page()}
