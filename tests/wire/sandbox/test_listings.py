"""Listings over the wire: order, pages, markers and the spelling of keys."""

import re
from urllib.parse import quote, unquote_plus

import pytest

from tests.wire.sandbox.conftest import Place

Row = tuple[str, str, str]


def rows(body: bytes) -> list[Row]:
    """Kind, key and version ID of every row, in the order of the document."""
    found = re.findall(
        r"<(Version|DeleteMarker)><Key>([^<]*)</Key><VersionId>([^<]*)</VersionId>", body.decode()
    )
    return [(kind, key, version) for kind, key, version in found]


def history(place: Place) -> list[Row]:
    """Write versions and markers of three keys; answer what a listing must show."""
    written: dict[str, list[Row]] = {}
    for key, steps in (("a", "PDP"), ("b", "PPPDD"), ("c", "P")):
        for step in steps:
            path = f"/{place.source_bucket}/{key}"
            answer = place.source.ask("PUT" if step == "P" else "DELETE", path)
            kind = "Version" if step == "P" else "DeleteMarker"
            written.setdefault(key, []).insert(0, (kind, key, answer.headers["x-amz-version-id"]))
    return [row for key in sorted(written) for row in written[key]]


def test_versions_and_markers_are_interleaved_as_they_were_made(place: Place) -> None:
    """If this fails, the order between a version and a marker is lost, as botocore loses it."""
    expected = history(place)
    answer = place.source.ask("GET", f"/{place.source_bucket}", "versions")
    assert rows(answer.body) == expected
    assert answer.elements("IsLatest").count("true") == 3
    assert answer.element("IsTruncated") == "false"
    assert answer.body.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>'
    )
    assert set(answer.elements("ETag")) == {"&quot;d41d8cd98f00b204e9800998ecf8427e&quot;"}
    assert set(answer.elements("ChecksumAlgorithm")) == {"CRC64NVME"}
    assert set(answer.elements("ChecksumType")) == {"FULL_OBJECT"}


@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 7, 1000])
def test_pages_of_any_size_split_keys_and_lose_nothing(place: Place, page_size: int) -> None:
    """If this fails, a page boundary inside a key loses or repeats versions."""
    expected = history(place)
    gathered: list[Row] = []
    query = f"versions=&max-keys={page_size}"
    markers = ""
    for _ in range(len(expected) + 1):
        answer = place.source.ask("GET", f"/{place.source_bucket}", query + markers)
        gathered += rows(answer.body)
        if answer.element("IsTruncated") == "false":
            break
        key, version = answer.element("NextKeyMarker"), answer.element("NextVersionIdMarker")
        markers = f"&key-marker={quote(key)}&version-id-marker={quote(version)}"
    assert gathered == expected


def test_a_key_marker_alone_skips_the_whole_key(place: Place) -> None:
    """If this fails, KeyMarker is inclusive, as other servers have it."""
    expected = history(place)
    answer = place.source.ask("GET", f"/{place.source_bucket}", "key-marker=a&versions=")
    assert rows(answer.body) == [row for row in expected if row[1] > "a"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("version-id-marker=x&versions=", "InvalidArgument"),
        ("encoding-type=base64&versions=", "InvalidArgument"),
        ("max-keys=many&versions=", "InvalidArgument"),
        ("max-keys=-1&versions=", "InvalidArgument"),
        ("list-type=3", "InvalidArgument"),
        ("continuation-token=nonsense&list-type=2", "InvalidArgument"),
        ("inventory=", "NotImplemented"),
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(place: Place, query: str, code: str) -> None:
    """If this fails, a paging mistake reads as an empty bucket."""
    answer = place.source.ask("GET", f"/{place.source_bucket}", query)
    assert answer.code == code
    assert answer.status == (501 if code == "NotImplemented" else 400)


HOSTILE = [
    "\x01control\x1f",
    "line\nbreak\r",
    "//double//",
    "/leading",
    "./dot/../dotdot",
    "a+b c%2Fd",
    "quote\"'<&>",
    "=formula",
    "\u202ertl",
    "\U0010ffff",
    "é",
    "!*'()",
    "~tilde",
]


def test_hostile_keys_are_listed_as_they_were_written(place: Place) -> None:
    """If this fails, keys change between a listing and the copy that it leads to."""
    for key in HOSTILE:
        path = f"/{place.source_bucket}/{quote(key, safe='/')}"
        assert place.source.ask("PUT", path, body=key.encode()).status == 200
        assert place.source.ask("GET", path).body == key.encode()
    answer = place.source.ask("GET", f"/{place.source_bucket}", "encoding-type=url&list-type=2")
    listed = [unquote_plus(key) for key in answer.elements("Key")]
    assert listed == sorted(HOSTILE)
    assert answer.element("EncodingType") == "url"


def test_markers_and_prefixes_are_spelled_like_keys(place: Place) -> None:
    """If this fails, the second page begins somewhere else than the first one ended."""
    for key in ("p\x01+1", "p\x01+2", "p\x01+3"):
        place.source.ask("PUT", f"/{place.source_bucket}/{quote(key)}")
    answer = place.source.ask(
        "GET", f"/{place.source_bucket}", "encoding-type=url&max-keys=1&prefix=p%01%2B&versions="
    )
    assert answer.element("Prefix") == "p%01%2B"
    assert answer.element("NextKeyMarker") == "p%01%2B1"
    second = place.source.ask(
        "GET", f"/{place.source_bucket}", "encoding-type=url&key-marker=p%01%2B1&versions="
    )
    assert second.element("KeyMarker") == "p%01%2B1"
    assert second.elements("Key") == ["p%01%2B2", "p%01%2B3"]
    plain = place.source.ask(
        "GET", f"/{place.source_bucket}", "max-keys=1&prefix=p%01%2B&versions="
    )
    assert plain.element("Key") == "p&#x1;+1"


def test_a_delimiter_rolls_keys_up(place: Place) -> None:
    """If this fails, common prefixes are listed as keys."""
    for key in ("x/1", "x/2", "y"):
        place.source.ask("PUT", f"/{place.source_bucket}/{key}")
    answer = place.source.ask("GET", f"/{place.source_bucket}", "delimiter=%2F&list-type=2")
    assert (answer.elements("Key"), answer.elements("Prefix")[1:]) == (["y"], ["x/"])
    assert answer.element("KeyCount") == "2"


def test_virtual_hosted_requests_see_the_same_objects(place: Place) -> None:
    """If this fails, clients that put the bucket into the host see another store."""
    place.put("k")
    place.source.host = f"{place.source_bucket}.localhost"
    assert place.source.ask("GET", "/k").body == b"body"
    assert place.source.ask("GET", "/", "list-type=2").elements("Key") == ["k"]
