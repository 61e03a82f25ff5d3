"""Names, the head and the catalogue: what was written is read again, and nothing else passes."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError, UsageError
from backfill.run_directory.on_s3.catalogue import (
    Entry,
    decoded_catalogue,
    encoded_catalogue,
    is_name,
    ref_of,
)
from backfill.run_directory.on_s3.head import CatalogueRef, Head, decoded_head, encoded_head
from backfill.run_directory.on_s3.location import S3Location, is_on_s3, location_of
from backfill.run_directory.sealed import sealed

HEAD = Head(
    fence=3,
    beat=17,
    nonce="n",
    holder="process 1 on host since now",
    lease_s=60.0,
    is_released=False,
    catalogue=CatalogueRef(fence=2, sha256="a" * 64, size_bytes=10, number=5),
)

refs = st.builds(
    CatalogueRef,
    fence=st.integers(1, 10**8),
    sha256=st.just("b" * 64),
    size_bytes=st.integers(0, 10**9),
    number=st.integers(1, 10**9),
)
heads = st.builds(
    Head,
    fence=st.integers(1, 10**8),
    beat=st.integers(1, 10**9),
    nonce=st.text(max_size=40),
    holder=st.text(max_size=60),
    lease_s=st.floats(1, 3600),
    is_released=st.booleans(),
    catalogue=st.none() | refs,
)
words = st.from_regex(r"[a-z0-9_]{1,8}(-[a-z0-9]{1,4})?", fullmatch=True)
names = st.lists(words, min_size=1, max_size=4).map("/".join)
entries = st.builds(
    Entry,
    name=names,
    fence=st.integers(1, 10**8),
    size_bytes=st.integers(0, 10**12),
    sha256=st.from_regex("[0-9a-f]{64}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/runs", "bucket", "runs"),
        ("s3://my.bucket-1/runs/of 2026/".replace(" ", "-"), "my.bucket-1", "runs/of-2026"),
        ("S3://bucket/a=1/(b)", "bucket", "a=1/(b)"),
    ],
)
def test_a_location_is_read_as_it_is_typed(text: str, bucket: str, prefix: str) -> None:
    """If this fails, a run directory lies elsewhere than its owner believes."""
    assert is_on_s3(text)
    found = location_of(text)
    assert (found.bucket, found.prefix) == (bucket, prefix)
    assert location_of(found.url) == found
    assert found.key("head.json") == (f"{prefix}/head.json" if prefix else "head.json")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "s3://",
            "s3:///prefix",
            "s3://Bucket/x",
            "s3://b/x",
            "s3://bucket//x",
            "s3://bucket/x//",
        ),
        *("s3://bucket/../x", "s3://bucket/.", "s3://bucket/a\nb", "s3://bucket/\u202e"),
        *("s3://bucket/a b", "s3://bucket/%2F", "s3://user@bucket/x", "s3://bucket/" + "x" * 401),
    ],
)
def test_what_names_no_location_is_refused(text: str) -> None:
    """If this fails, a slip of the finger makes keys that nobody finds again."""
    with pytest.raises(UsageError, match="names no run directory"):
        location_of(text)


def test_two_locations_have_two_working_copies() -> None:
    """If this fails, two runs share one folder."""
    places = [("b1", "p"), ("b1", ""), ("b1", "p/q"), ("b2", "p"), ("b", "1/p")]
    names = {S3Location(bucket=b, prefix=p).working_copy_name for b, p in places}
    assert len(names) == len(places)


@given(heads)
def test_a_head_is_read_as_it_was_written(head: Head) -> None:
    """If this fails, a holder does not know its own lease again."""
    assert decoded_head(encoded_head(head), "head.json") == head


@given(heads, st.integers(0), st.integers(1, 255))
def test_a_head_with_one_byte_changed_is_refused(head: Head, place: int, change: int) -> None:
    """If this fails, a damaged head lets two processes hold one run directory."""
    data = bytearray(encoded_head(head))
    data[place % len(data)] ^= change
    with pytest.raises((ArtifactDamagedError, ForeignRunDirectoryError)):
        decoded_head(bytes(data), "s3://b/p/head.json")


def test_a_head_of_an_impossible_lease_is_refused() -> None:
    """If this fails, a head makes contenders wait for ever, or not at all."""
    for lease_s in (0.0, 1e9):
        with pytest.raises(ArtifactDamagedError, match="names a lease"):
            decoded_head(encoded_head(replace(HEAD, lease_s=lease_s)), "head.json")


@given(st.lists(entries, max_size=20, unique_by=lambda entry: entry.name))
def test_a_catalogue_is_read_as_it_was_written(found: list[Entry]) -> None:
    """If this fails, a file is lost between two processes."""
    data = encoded_catalogue(found, number=2)
    assert data == encoded_catalogue(reversed(found), number=2)
    ref = ref_of(data, fence=1, number=2)
    assert decoded_catalogue(data, ref, "c") == {entry.name: entry for entry in found}


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/../../b", "a//b", ".", "a/", "a b", "a\n", "", ".hidden", "a/.b"],
)
def test_a_catalogue_cannot_name_a_file_outside(name: str) -> None:
    """If this fails, who can write the bucket writes anywhere on this machine."""
    assert not is_name(name)
    entry = Entry(name=name, fence=1, size_bytes=1, sha256="0" * 64)
    data = encoded_catalogue([entry], number=1)
    with pytest.raises(ArtifactDamagedError, match="names what is no file"):
        decoded_catalogue(data, ref_of(data, fence=1, number=1), "s3://b/catalogue.json")


def test_another_catalogue_than_the_head_means_is_refused() -> None:
    """If this fails, an older or altered catalogue passes for the newest."""
    data = encoded_catalogue([], number=1)
    ref = ref_of(data, fence=1, number=1)
    other = sealed({"number": 1, "files": [["a", 1, 1, "0" * 64]]}, schema=1)
    assert json.loads(other)["files"]
    for bad in (other, data[:-1], data + b" "):
        with pytest.raises(ArtifactDamagedError, match=r"SHA-256|bytes"):
            decoded_catalogue(bad, ref, "s3://b/catalogue.json")
