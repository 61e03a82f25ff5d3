"""Manifests as people make them: read when they mean one thing, refused when they mean two."""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backfill.errors import ManifestError
from backfill.manifest import records
from backfill.manifest.operations_rows import ObjectRow, Oddity
from backfill.manifest.reading import UNZIPPED_BYTES_MAX, read_csv, read_inventory
from backfill.manifest.records import BLOCK
from backfill.model.objects import VersionId

FIELDS = ("Bucket", "Key", "VersionId")
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size"


def row(key: str, version_id: str | None = "v1", bucket: str = "my-bucket") -> ObjectRow:
    named = None if version_id is None else VersionId(version_id)
    return ObjectRow(bucket=bucket, key=key, version_id=named)


def manifest_json(data: Mapping[str, bytes], **changes: object) -> bytes:
    document = {
        "sourceBucket": "my-bucket",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": "1700000000000",
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": [
            {
                "key": key,
                "size": len(content),
                "MD5checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            }
            for key, content in data.items()
        ],
    }
    return json.dumps({**document, **changes}).encode()


def inventory(
    texts: Iterable[str], oddities: Counter[Oddity] | None = None, schema: str = SCHEMA
) -> list[ObjectRow]:
    data = {f"data/{at}.gz": gzip.compress(text.encode()) for at, text in enumerate(texts)}
    told = manifest_json(data, fileSchema=schema)
    return list(read_inventory(told, lambda key: [data[key]], oddities=oddities))


TIDY = [row("a"), row("b", "v2")]
READ = [
    ("tidy", b"my-bucket,a,v1\nmy-bucket,b,v2\n", TIDY, {}),
    ("no line feed at the end", b"my-bucket,a,v1\nmy-bucket,b,v2", TIDY, {}),
    ("nothing at all", b"", [], {}),
    (
        "byte order mark",
        b"\xef\xbb\xbfmy-bucket,a,v1\nmy-bucket,b,v2\n",
        TIDY,
        {Oddity.BYTE_ORDER_MARK: 1},
    ),
    (
        "header",
        b"Bucket,Key,VersionId\nmy-bucket,a,v1\nmy-bucket,b,v2\n",
        TIDY,
        {Oddity.HEADER: 1},
    ),
    (
        "header in capitals, with a mark, blank lines and CR LF",
        b"\xef\xbb\xbf\r\nBUCKET, KEY, VERSION_ID\r\nmy-bucket,a,v1\r\n\r\nmy-bucket,b,v2\r\n",
        TIDY,
        {Oddity.BYTE_ORDER_MARK: 1, Oddity.HEADER: 1, Oddity.BLANK_LINE: 2, Oddity.LINE_END: 3},
    ),
    (
        "header with swapped columns",
        b"version_id,key,bucket\nv1,a,my-bucket\nv2,b,my-bucket\n",
        TIDY,
        {Oddity.HEADER: 1, Oddity.COLUMN_ORDER: 1},
    ),
    ("header and nothing else", b"Bucket,Key,VersionId\n", [], {Oddity.HEADER: 1}),
    (
        "objects named like a header",
        b"bucket,key,versionid\nbucket,key2,v\n",
        [row("key", "versionid", "bucket"), row("key2", "v", "bucket")],
        {},
    ),
    (
        "null versions as nothing and as \\N",
        b"my-bucket,a,\nmy-bucket,b,\\N\nmy-bucket,c,null\n",
        [row("a", "null"), row("b", "null"), row("c", "null")],
        {Oddity.NULL_VERSION_ID: 2},
    ),
    (
        "blank lines",
        b"\nmy-bucket,a,v1\n\n  \nmy-bucket,b,v2\n",
        TIDY,
        {Oddity.BLANK_LINE: 3},
    ),
    ("CR LF", b"my-bucket,a,v1\r\nmy-bucket,b,v2\r\n", TIDY, {Oddity.LINE_END: 2}),
    (
        "spaces around names",
        b" my-bucket ,a,v1 \nmy-bucket,b,v2\t\n",
        TIDY,
        {Oddity.SPACE: 3},
    ),
    ("quotes around cells", b'"my-bucket","a","v1"\nmy-bucket,"b",v2\n', TIDY, {}),
    (
        "quotes around what is not encoded",
        b'"my-bucket","a,\n""b"" ","v1"\n',
        [row('a,\n"b" ')],
        {Oddity.UNENCODED_KEY: 1},
    ),
    (
        "keys that are not encoded at all",
        "my-bucket,a b/ü,v1\nmy-bucket,100%,v2\n".encode(),
        [row("a b/ü"), row("100%", "v2")],
        {Oddity.UNENCODED_KEY: 2},
    ),
    (
        "characters that some encoders leave",
        b"my-bucket,(a)!*'=&$@:;~%20b,v1\n",
        [row("(a)!*'=&$@:;~ b")],
        {},
    ),
    ("lower-case triplets and %2F", b"my-bucket,%c3%bc%2fx,v1\n", [row("ü/x")], {}),
]


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "rows", "oddities"), [case[1:] for case in READ], ids=[case[0] for case in READ]
)
def test_what_can_mean_one_thing_only_is_read_and_counted(
    data: bytes,
    rows: list[ObjectRow],
    oddities: dict[Oddity, int],
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a usable manifest is refused, or its oddity stays unsaid."""
    monkeypatch.setattr(records, "BLOCK", size)
    found: Counter[Oddity] = Counter()
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    assert list(read_csv(chunks, FIELDS, oddities=found)) == rows
    assert found == oddities


REFUSED = [
    ("comma in a key", b"my-bucket,a,v1\nmy-bucket,b,c,v2\n", 2, "4 columns instead of 3"),
    ("column missing", b"my-bucket,a,v1\nmy-bucket,b\n", 2, "2 columns instead of 3"),
    ("plus", b"my-bucket,a+b,v1\n", 1, "space or a plus"),
    ("form encoding", b"my-bucket,a%2Bb+c,v1\n", 1, "space or a plus"),
    ("encoded, then not", b"my-bucket,a%20b,v1\n\nmy-bucket,a b,v1\n", 3, "of row 1 is"),
    ("not encoded, then so", b"my-bucket,a b,v1\nmy-bucket,a%20b,v1\n", 2, "of row 1 is not"),
    ("encoded in part", b"my-bucket,a b%20c,v1\n", 1, "part of its key"),
    ("bytes that are no UTF-8", b"my-bucket,a,v1\nmy-bucket,\xff,v1\n", 2, "UTF-8"),
    ("encoded surrogate", b"my-bucket,%ED%A0%80,v1\n", 1, "UTF-8"),
    ("UTF-16", "my-bucket,a,v1\n".encode("utf-16"), 1, "UTF-8"),
    ("space behind the key", b"my-bucket,a ,v1\n", 1, "space"),
    ("swapped columns", b"a/b.jpg,my-bucket,v1\n", 1, "another order"),
    ("key for a version ID", b"my-bucket,v1,a/b.jpg\n", 1, "another order"),
    ("no key", b"my-bucket,,v1\n", 1, "empty"),
    ("key too long", b"my-bucket," + b"%C3%BC" * 513 + b",v1\n", 1, "1,024"),
    ("plain key too long", b"my-bucket," + b"k" * 1025 + b",v1\n", 1, "1,024"),
    ("open quote", b'my-bucket,"a,v1\nmy-bucket,b,v2\n', 1, "never closed"),
    ("text behind a quote", b'my-bucket,"a"b,v1\n', 1, "closing quote"),
    ("endless row", b"my-bucket,a,v1\nmy-bucket," + b"k" * 2 * BLOCK, 2, "never ends"),
    ("header of other columns", b"Bucket,Key,Size\nmy-bucket,a,v1\n", 1, "other columns"),
    ("header with a name twice", b"Bucket,Key,Key\nmy-bucket,a,v1\n", 1, "twice"),
]


@pytest.mark.parametrize("size", [7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "number", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_can_mean_two_things_is_refused_with_row_and_reason(
    data: bytes, number: int, reason: str, size: int
) -> None:
    """If this fails, a job works on objects that nobody named, or nobody learns which row it is."""
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    with pytest.raises(ManifestError, match=reason) as caught:
        list(read_csv(chunks, FIELDS))
    assert caught.value.row == number
    assert f"row {number} of" in caught.value.message


def test_columns_that_changed_places_are_known_by_the_bucket() -> None:
    """If this fails, keys are taken for buckets, or a row of another bucket slips in."""
    found: Counter[Oddity] = Counter()
    swapped = [b"a.jpg,my-bucket,v1\nmy-bucket,my-bucket,v1\n"]
    read = list(read_csv(swapped, FIELDS, bucket="my-bucket", oddities=found))
    assert read == [row("a.jpg"), row("my-bucket")]
    assert found == {Oddity.COLUMN_ORDER: 1}
    with pytest.raises(ManifestError, match="another bucket"):
        list(read_csv([b"my-bucket,a,v1\nother,b,v1\n"], FIELDS, bucket="my-bucket"))


def test_a_known_bucket_tells_a_header_from_a_row() -> None:
    """If this fails, the one key `key` of the bucket `bucket` is lost, or a header becomes one."""
    data = [b"bucket,key\n"]
    assert list(read_csv(data, FIELDS[:2])) == [row("key", None, "bucket")]
    assert list(read_csv(data, FIELDS[:2], bucket="bucket")) == [row("key", None, "bucket")]
    assert not list(read_csv(data, FIELDS[:2], bucket="my-bucket"))


def test_columns_to_ignore_are_passed_over() -> None:
    """If this fails, a manifest with more columns than we need cannot be used."""
    data = [b"2024,my-bucket,a,x,v1\n2024,my-bucket,b,,v2\n"]
    fields = ("Ignore", "Bucket", "Key", "Ignore", "VersionId")
    assert list(read_csv(data, fields)) == TIDY


@pytest.mark.parametrize("fields", [("Key",), ("Bucket", "Key", "Key"), ()])
def test_fields_without_bucket_and_key_are_refused(fields: tuple[str, ...]) -> None:
    """If this fails, rows are made of nothing."""
    with pytest.raises(ManifestError, match="columns"):
        list(read_csv([b"a,b,c\n"], fields))


@pytest.mark.parametrize("quote", ['"', ""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_lines_mean_the_same_to_the_pattern_and_to_the_reader(quote: str, end: str) -> None:
    """If this fails, what a row means depends on its neighbours in the block."""
    cells = [("my-bucket", f"k%20{number}", f"v{number}") for number in range(3)]
    lines = [f"{quote},{quote}".join(line).join((quote, quote)) + end for line in cells]
    rows = [row(f"k {number}", f"v{number}") for number in range(3)]
    assert list(read_csv(["".join(lines).encode()], FIELDS)) == rows
    # A blank line sends the whole block to the reader of records.
    assert list(read_csv(["\n".join([*lines, ""]).encode()], FIELDS)) == rows


def test_rows_over_many_blocks_are_all_read() -> None:
    """If this fails, a row is lost or doubled where two blocks meet."""
    lines = [b"my-bucket,%06d,v\n" % number for number in range(BLOCK // 8)]
    data = b"".join(lines)
    assert len(data) > 2 * BLOCK
    rows = list(read_csv([data], FIELDS))
    assert [int(each.key) for each in rows] == list(range(len(lines)))
    rows = list(read_csv([data + b"\n"], FIELDS))
    assert len(rows) == len(lines)


def test_an_s3_inventory_of_all_versions_is_read_by_its_schema() -> None:
    """If this fails, null versions go to S3 without ID, and spaces become pluses."""
    found: Counter[Oddity] = Counter()
    texts = [
        '"my-bucket","a+b%2Bc","","true","false","12"\n"my-bucket","gone","v2","true","true",""\n',
        '"my-bucket","d%C3%BC","v3","false","false","0"\n',
    ]
    assert inventory(texts, found) == [row("a b+c", "null"), row("gone", "v2"), row("dü", "v3")]
    assert found == {Oddity.DELETE_MARKER: 1}
    swapped = inventory(['"1","v9","k","my-bucket"\n'], schema="Size, VersionId, Key, Bucket")
    assert swapped == [row("k", "v9")]
    assert inventory(['"my-bucket","k"\n'], schema="Bucket, Key") == [row("k", None)]
    assert inventory(['"my-bucket","a+b"\n'], schema="Bucket, Key") == [row("a b", None)]


def test_a_plus_alone_tells_that_an_inventory_is_encoded() -> None:
    """If this fails, keys of one file are read in two ways, one of them wrongly."""
    with pytest.raises(ManifestError, match="of row 1 is"):
        inventory(['"my-bucket","a+b"\n"my-bucket","c d"\n'], schema="Bucket, Key")


def test_markers_are_counted_in_rows_that_are_not_plain() -> None:
    """If this fails, nobody learns that a manifest asks for delete markers."""
    found: Counter[Oddity] = Counter()
    odd = '"my-bucket","a""b","v1","true","TRUE",""\n"my-bucket","c","v2","true","false",""\n'
    assert inventory([odd], found) == [row('a"b'), row("c", "v2")]
    assert found[Oddity.DELETE_MARKER] == 1


@pytest.mark.parametrize("size", [True, -1, "12", None, 1.5])
def test_a_size_that_is_no_number_of_bytes_is_told_as_that(size: object) -> None:
    """If this fails, a data file is said to be cut where its manifest is wrong."""
    files = [{"key": "k", "size": size, "MD5checksum": "a"}]
    with pytest.raises(ManifestError, match="no number of bytes"):
        list(read_inventory(manifest_json({}, files=files), lambda _: []))


def test_gzip_members_one_after_the_other_are_one_file() -> None:
    """If this fails, rows behind the first member of a data file are lost."""
    content = gzip.compress(b'"my-bucket","a"\n') + gzip.compress(b'"my-bucket","b"\n')
    told = manifest_json({"k": content}, fileSchema="Bucket, Key")
    chunks = [content[at : at + 1] for at in range(len(content))]
    assert list(read_inventory(told, lambda _: chunks)) == [row("a", None), row("b", None)]


def test_what_compresses_extremely_well_is_not_held_whole() -> None:
    """If this fails, a small data file can take all memory."""
    line = b'"my-bucket","' + b"k" * 1000 + b'"\n'
    content = gzip.compress(line * 20_000)
    assert len(line) * 20_000 > 50 * UNZIPPED_BYTES_MAX
    told = manifest_json({"k": content}, fileSchema="Bucket, Key")
    assert sum(1 for _ in read_inventory(told, lambda _: [content])) == 20_000


GOOD = gzip.compress(b'"my-bucket","a"\n')
WRONG = gzip.compress(b'"my-bucket","a","b"\n')
DAMAGED = [
    ("cut", GOOD[:-9], GOOD[:-9], "cut short"),
    ("nothing", b"", b"", "cut short"),
    ("no gzip", b"my-bucket,a\n", b"my-bucket,a\n", "no gzip"),
    ("rubbish behind", GOOD + b"rubbish", GOOD + b"rubbish", "no gzip"),
    ("another size", GOOD, GOOD + GOOD, "bytes instead of"),
    ("another content", GOOD, gzip.compress(b'"my-bucket","b"\n'), "MD5"),
    ("a wrong row", WRONG, WRONG, "3 columns"),
]


@pytest.mark.parametrize(
    ("told", "found", "reason"),
    [(told, found, reason) for _, told, found, reason in DAMAGED],
    ids=[case[0] for case in DAMAGED],
)
def test_a_damaged_data_file_is_refused(told: bytes, found: bytes, reason: str) -> None:
    """If this fails, a part of a report passes for the whole."""
    manifest = manifest_json({"a/secret\nkey": told}, fileSchema="Bucket, Key")
    with pytest.raises(ManifestError, match=reason) as caught:
        list(read_inventory(manifest, lambda _: [found]))
    assert caught.value.file == "data file 1"
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        manifest_json({}, fileFormat="Parquet"),
        manifest_json({}, fileFormat=7),
        manifest_json({}, fileSchema="Key, Size"),
        manifest_json({}, sourceBucket=None),
        manifest_json({}, files={}),
        manifest_json({}, files=["data"]),
        manifest_json({}, files=[{"key": "k", "size": True, "MD5checksum": "a"}]),
        manifest_json({}, files=[{"key": "k", "size": -1, "MD5checksum": "a"}]),
        manifest_json({}, files=[{"key": "\ud800", "size": 1, "MD5checksum": "a"}]),
        manifest_json({}, files=[{"key": "k", "size": 1}]),
    ],
)
def test_a_manifest_json_that_is_none_is_refused(document: bytes) -> None:
    """If this fails, a broken report is read as an empty one."""
    with pytest.raises(ManifestError):
        list(read_inventory(document, lambda _: []))


ALPHABET = [*'abB,"\n\r \t%2F0+\\N\ufeff/é', "my-bucket", "bucket,key", "\x00"]
texts = st.lists(st.sampled_from(ALPHABET), max_size=60).map("".join).map(str.encode)


@given(
    data=st.one_of(st.binary(max_size=200), texts),
    size=st.integers(1, 64),
    has_version_ids=st.booleans(),
)
@example(data=b'"', size=1, has_version_ids=True)
@example(data=b'""\r', size=1, has_version_ids=True)
@settings(max_examples=800, deadline=None)
def test_any_bytes_end_in_rows_or_in_one_error(
    data: bytes, size: int, has_version_ids: bool
) -> None:
    """If this fails, a stranger's file crashes a run, or blocks decide what a row means."""
    fields = FIELDS if has_version_ids else FIELDS[:2]
    whole = outcome(read_csv([data], fields))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BLOCK", size)
        assert outcome(read_csv([data], fields)) == whole
    if isinstance(whole, list):
        assert all(each.key and len(each.key.encode()) <= 1024 for each in whole)
        assert all((each.version_id is not None) == has_version_ids for each in whole)


@given(data=st.one_of(st.binary(max_size=200), texts), is_zipped=st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_data_file_ends_in_rows_or_in_one_error(data: bytes, is_zipped: bool) -> None:
    """If this fails, a stranger's report crashes a run."""
    content = zlib.compress(data, wbits=31) if is_zipped else data
    told = manifest_json({"k": content}, fileSchema="Bucket, Key, VersionId")
    rows = outcome(read_inventory(told, lambda _: [content]))
    assert isinstance(rows, list) or rows[1] <= data.count(b"\n") + 1


@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=200, deadline=None)
def test_any_manifest_json_ends_in_an_error(data: bytes) -> None:
    """If this fails, a stranger's manifest.json crashes a run."""
    with pytest.raises(ManifestError):
        list(read_inventory(data, lambda _: []))


def outcome(reading: Iterator[ObjectRow]) -> list[ObjectRow] | tuple[str, int]:
    try:
        return list(reading)
    except ManifestError as error:
        return error.reason, error.row
