"""Any legal key survives every operation byte for byte: S3 User Guide, object-keys."""

import pytest

from tests.contract.declarations import differs, table
from tests.contract.scenes import source_of
from tests.contract.vocabulary import Driver, Source, refused

KEYS = {
    "space at both ends": " a ",
    "plus": "a+b",
    "percent-encoded slash": "a%2Fb",
    "percent alone": "100%",
    "question mark and ampersand": "a?versionId=b&c=d",
    "hash": "a#b",
    "quotes and angle brackets": '<a href="b">\'&amp;',
    "formula": "=cmd|' /C calc'!A0",
    "sub-delimiters": "!$&'()*,;:@",
    "letters of many scripts": "ключ/日本/é/🙂",
    "composed and not": "\u00e9-e\u0301",
    "beyond the basic plane": "\U0001f600",
    "right to left override": "\u202egpj.exe",
    "double slash": "a//b",
    "leading slash": "/a",
    "trailing slash": "a/",
    "only a slash": "/",
    "dot": "./a",
    "dot dot": "a/../b",
    "dot dot alone": "..",
    "backslash": "a\\b",
    "newline": "a\nb",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "terminal escape": "\x1b[31ma",
    "lowest control character": "\x01",
    "delete character": "a\x7f",
    "1024 bytes": "k" * 1024,
    "1024 bytes of two each": "é" * 512,
}


@differs(
    "seaweedfs",
    "takes keys for paths: merges and drops slashes",
    rows=("double slash", "leading slash", "trailing slash", "only a slash"),
)
@differs(
    "seaweedfs", "refuses keys with dots between slashes", rows=("dot", "dot dot", "dot dot alone")
)
@differs("seaweedfs", "turns a backslash into a slash", rows=("backslash",))
@differs(
    "seaweedfs",
    "lists control characters as U+FFFD",
    rows=("terminal escape", "lowest control character"),
)
@differs("moto", "finds no route for a newline and answers 404", rows=("newline",))
@differs(
    "moto",
    "lists a carriage return as it is, which XML reads as a newline",
    rows=("carriage return",),
)
@differs(
    "moto",
    "answers 500 to listings with control characters",
    rows=("terminal escape", "lowest control character"),
)
@pytest.mark.parametrize("key", table(KEYS))
def test_a_key_survives_every_operation(s3: Driver, bucket: str, key: str) -> None:
    """If this fails, objects under legal keys cannot be backfilled."""
    written = s3.put(bucket, key, b"body")
    assert s3.get(bucket, key)[1] == b"body"
    assert s3.list_versions(bucket).keys == [key]
    assert s3.list_objects(bucket, prefix=key).keys == [key]
    assert s3.list_versions(bucket, key_marker=key).keys == []
    copied = s3.copy(source_of(bucket, written, key), bucket, key, metadata_directive="REPLACE")
    s3.put_tags(bucket, key, (("a", "b"),), version_id=copied.version_id)
    assert s3.tags(bucket, key) == (("a", "b"),)
    marker = s3.delete(bucket, key)
    written_ids = {marker.version_id, copied.version_id, written.version_id}
    rows = s3.list_versions(bucket).entries
    assert {(row.key, row.version_id) for row in rows} == {(key, each) for each in written_ids}


@differs("seaweedfs", "sorts listings by the URL-encoded key")
def test_keys_that_differ_in_one_character_are_two(s3: Driver, bucket: str) -> None:
    """If this fails, one object takes another's place."""
    keys = ["a b", "a+b", "a%20b", "A b", "a  b"]
    for key in keys:
        s3.put(bucket, key, key.encode())
    assert [s3.get(bucket, key)[1].decode() for key in keys] == keys
    assert s3.list_objects(bucket).keys == sorted(keys)


def test_a_key_and_keys_below_it_live_side_by_side(s3: Driver, bucket: str) -> None:
    """If this fails, keys are taken for folders and one hides the other."""
    for key in ("a", "a/", "a/b"):
        s3.put(bucket, key, key.encode())
    assert s3.list_objects(bucket).keys == ["a", "a/", "a/b"]
    assert s3.get(bucket, "a")[1] == b"a"


@differs("moto", "takes keys of any length")
@pytest.mark.parametrize("key", table({"ASCII": "k" * 1025, "two bytes each": "é" * 513}))
def test_a_key_over_1024_bytes_is_refused(s3: Driver, bucket: str, key: str) -> None:
    """If this fails, a key is taken that no other S3 can hold."""
    with refused(400, "KeyTooLongError"):
        s3.put(bucket, key)


def test_a_copy_source_is_decoded_once(s3: Driver, bucket: str) -> None:
    """If this fails, a copy of `%2B` copies `+`."""
    s3.put(bucket, "a%2Bb", b"encoded")
    s3.put(bucket, "a+b", b"plus")
    s3.copy(Source(bucket=bucket, key="a%2Bb"), bucket, "copy")
    assert s3.get(bucket, "copy")[1] == b"encoded"
