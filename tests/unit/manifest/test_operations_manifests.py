"""Batch Operations manifests: what is written is read back, and stays the same byte for byte."""

import csv
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backfill.batch_operations import manifest_files as files
from backfill.batch_operations.manifest_files import shard_steps, write_shards
from backfill.errors import ManifestError, RefusedError
from backfill.manifest import csv_format, records
from backfill.manifest.csv_format import decoded_key, encoded_key
from backfill.manifest.operations_rows import ManifestShard, ObjectRow, Oddity
from backfill.manifest.reading import read_csv, read_inventory
from backfill.model.attributes import EncryptionKind
from backfill.model.jobs import ManifestFormat
from backfill.model.objects import VersionId

HOSTILE = (
    "a b+c%2Fd", "/double//slash", "../../etc/passwd", "new\nline", "\x00\x1b[31m\r\x7f",
    "=HYPERLINK(1)", "\u202egnp.exe", "\U0001f600", "quote\"and'comma,", "%", "%25", "%zz", "+",
    " trailing ", "back\\slash", "?query#fragment", "\ufeff", "key", "null", "\\N", '"', "\n", "~",
)  # fmt: skip
FIELDS = ("Bucket", "Key", "VersionId")

keys = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.text(st.sampled_from('%2Ff+,"\n\r /aé'), min_size=1, max_size=12),
).filter(lambda key: len(key.encode()) <= 1024)
BUCKETS = [["my-bucket"], ["bucket"], ["my-bucket", "a.b.c"]]
version_ids = st.one_of(
    st.just("null"), st.text(st.sampled_from("abcXYZ019._-"), min_size=1, max_size=32)
)


def tables(buckets: list[str]) -> st.SearchStrategy[list[ObjectRow]]:
    """Give rows of these buckets, all of them with a version ID or none."""
    return st.booleans().flatmap(
        lambda has_ids: st.lists(
            st.builds(
                lambda bucket, key, version_id: row(key, version_id, bucket=bucket),
                st.sampled_from(buckets),
                keys,
                version_ids if has_ids else st.none(),
            ),
            max_size=12,
        )
    )


def row(key: str, version_id: str | None = "v", *, bucket: str = "my-bucket") -> ObjectRow:
    named = None if version_id is None else VersionId(version_id)
    return ObjectRow(bucket=bucket, key=key, version_id=named)


def written(
    rows: Iterable[ObjectRow],
    folder: Path,
    *,
    format: ManifestFormat = ManifestFormat.CSV,  # noqa: A002 - as `shard_steps` calls it
    rows_max: int = 1000,
    bytes_max: int = 1 << 30,
    source_bucket: str = "my-bucket",
) -> tuple[ManifestShard, ...]:
    steps = shard_steps(
        rows,
        folder,
        format=format,
        rows_max=rows_max,
        bytes_max=bytes_max,
        bucket="batch-bucket",
        key_prefix="run/manifests",
        source_bucket=source_bucket,
    )
    return write_shards(steps)


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Give data in pieces, so that nothing leans on where a chunk ends."""
    return (data[start : start + size] for start in range(0, len(data), size))


def read_back(shard: ManifestShard, *, size: int = 1 << 20, columns: int = 3) -> list[ObjectRow]:
    if shard.format is ManifestFormat.CSV:
        return list(read_csv(pieces(shard.main.path.read_bytes(), size), FIELDS[:columns]))
    paths = {f"run/manifests/{file.name}": file.path for file in shard.others}
    manifest = shard.main.path.read_bytes()
    return list(read_inventory(manifest, lambda key: pieces(paths[key].read_bytes(), size)))


@given(key=keys)
@settings(max_examples=500, deadline=None)
def test_every_key_survives_its_spelling_which_is_plain_ascii(key: str) -> None:
    """If this fails, a job works on another key, or its report is joined with nothing."""
    text = encoded_key(key)
    assert text == quote(key, safe="/")
    assert decoded_key(text) == key
    assert text.isascii()
    assert not set(text) & set(' ,"+\r\n')


@given(
    text=st.lists(st.sampled_from(["%", "%c3", "%BC", "%5c", "\\", "x", "n", "u", "é", "a"])).map(
        "".join
    )
)
@settings(max_examples=300, deadline=None)
def test_decoding_agrees_with_the_standard_library(text: str) -> None:
    """If this fails, the quick way to decode is another than the slow one."""
    is_spelled_well = re.search("%(?![0-9A-Fa-f]{2})", text) is None
    if is_spelled_well and is_utf_8(unquote_to_bytes(text)):
        assert decoded_key(text) == unquote_to_bytes(text).decode()
    else:
        with pytest.raises(ValueError, match=r"%|UTF-8"):
            decoded_key(text)


def is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("text", ["%", "%2", "%zz", "a%FF", "%ED%A0%80", "100%"])
def test_what_spells_no_key_is_no_key(text: str) -> None:
    """If this fails, a damaged report names keys that never were."""
    with pytest.raises(ValueError, match=r"%|UTF-8"):
        decoded_key(text)


def test_a_plus_in_a_spelling_stays_a_plus() -> None:
    """If this fails, `a+b` and `a b` are the same object to us."""
    assert decoded_key("a+b%20c") == "a+b c"


@given(
    rows=st.sampled_from(BUCKETS).flatmap(tables),
    size=st.sampled_from([1, 7, 1 << 20]),
    rows_max=st.integers(1, 5),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_reading_a_csv_is_the_inverse_of_writing_it(
    rows: list[ObjectRow], size: int, rows_max: int, tmp_path: Path
) -> None:
    """If this fails, a job is told of other versions than the plan chose."""
    check_inverse(rows, size, written(rows, tmp_path, rows_max=rows_max))


@given(
    bucket=st.sampled_from(["my-bucket", "bucket", "Bucket"]),
    data=st.data(),
    size=st.sampled_from([1, 7, 1 << 20]),
    rows_max=st.integers(1, 5),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_reading_an_inventory_report_is_the_inverse_of_writing_it(
    bucket: str, data: st.DataObject, size: int, rows_max: int, tmp_path: Path
) -> None:
    """If this fails, a job is told of other versions than the plan chose."""
    rows = data.draw(tables([bucket]))
    shards = written(
        rows, tmp_path, format=ManifestFormat.INVENTORY, rows_max=rows_max, source_bucket=bucket
    )
    check_inverse(rows, size, shards)


def check_inverse(rows: list[ObjectRow], size: int, shards: tuple[ManifestShard, ...]) -> None:
    columns = 2 if rows and rows[0].version_id is None else 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BLOCK", size)
        read = [each for shard in shards for each in read_back(shard, size=size, columns=columns)]
    assert read == rows
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert sum(shard.rows for shard in shards) == len(rows)


@given(rows=st.sampled_from(BUCKETS).flatmap(tables))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_csv_needs_none_of_csvs_escapes(rows: list[ObjectRow], tmp_path: Path) -> None:
    """If this fails, S3 and we disagree about where a cell ends."""
    for shard in written(rows, tmp_path):
        text = shard.main.path.read_bytes().decode("ascii")
        assert '"' not in text
        lines = [line.split(",") for line in text.split("\n")[:-1]]
        assert lines == list(csv.reader(text.split("\n")[:-1], quoting=csv.QUOTE_NONE))
        assert len(lines) == shard.rows


def test_a_csv_is_written_just_so_and_asks_for_sse_s3(tmp_path: Path) -> None:
    """If this fails, S3 cannot read the manifest, or under a default of SSE-KMS may not."""
    (shard,) = written([row("a b/ü,1.txt", "null"), row("plain/key", "3sL4kqt")], tmp_path)
    expected = b"my-bucket,a%20b/%C3%BC%2C1.txt,null\nmy-bucket,plain/key,3sL4kqt\n"
    assert shard.main.path.read_bytes() == expected
    assert shard.main.name == "0000.csv"
    assert shard.main.md5_hex == md5_hex(expected)
    assert (shard.main.size_bytes, shard.main.rows) == (len(expected), 2)
    assert shard.main.encryption.kind is EncryptionKind.SSE_S3
    assert shard.others == ()


def test_an_inventory_report_looks_like_one_of_s3(tmp_path: Path) -> None:
    """If this fails, S3 refuses the job's manifest, or reads other bytes than were written."""
    (shard,) = written([row("a b", "null")], tmp_path, format=ManifestFormat.INVENTORY)
    data, checksum = shard.others
    assert (shard.main.name, checksum.name) == ("0000/manifest.json", "0000/manifest.checksum")
    assert gzip.decompress(data.path.read_bytes()) == b'"my-bucket","a%20b","null"\n'
    document = shard.main.path.read_bytes()
    assert checksum.path.read_bytes().decode() == md5_hex(document)
    told = json.loads(document)
    assert told.pop("creationTimestamp").isdigit()
    assert told == {
        "sourceBucket": "my-bucket",
        "destinationBucket": "arn:aws:s3:::batch-bucket",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId",
        "files": [
            {
                "key": "run/manifests/0000/data/0000.csv.gz",
                "size": data.size_bytes,
                "MD5checksum": md5_hex(data.path.read_bytes()),
            }
        ],
    }
    kinds = {file.encryption.kind for file in (shard.main, *shard.others)}
    assert kinds == {EncryptionKind.NONE}


@pytest.mark.parametrize("format", ManifestFormat)
def test_the_same_rows_give_the_same_bytes(
    format: ManifestFormat,  # noqa: A002 - as `shard_steps` calls it
    tmp_path: Path,
) -> None:
    """If this fails, a manifest that a crash left in the bucket is taken for a stranger's."""
    rows = [row(f"key {number}") for number in range(50)]
    first, second = (
        written(iter(rows), tmp_path / name, format=format, rows_max=20) for name in "ab"
    )
    assert len(first) == 3
    for one, other in zip(first, second, strict=True):
        for left, right in zip((one.main, *one.others), (other.main, *other.others), strict=True):
            assert left.path.read_bytes() == right.path.read_bytes()
            assert (left.name, left.md5_hex) == (right.name, right.md5_hex)


@given(
    counts=st.lists(st.integers(1, 6), max_size=12),
    rows_max=st.integers(1, 8),
    bytes_max=st.integers(1, 200),
    batch=st.integers(1, 5),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_key_is_never_split_and_shards_keep_their_limits(
    counts: list[int], rows_max: int, bytes_max: int, batch: int, tmp_path: Path
) -> None:
    """If this fails, two jobs work on one key at a time, or S3 refuses a manifest."""
    rows = [
        row(f"k{number}", f"v{version}")
        for number, count in enumerate(counts)
        for version in range(count)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_format, "BATCH_ROWS", batch)
        shards = written(rows, tmp_path, rows_max=rows_max, bytes_max=bytes_max)
    key_sets = [{each.key for each in read_back(shard)} for shard in shards]
    assert sum(map(len, key_sets)) == len(counts)
    assert [each for shard in shards for each in read_back(shard)] == rows
    for shard, held in zip(shards, key_sets, strict=True):
        is_within = shard.rows <= rows_max and shard.main.size_bytes <= bytes_max
        assert is_within or len(held) == 1
    for earlier, later in pairwise(shards):
        first = next(iter(read_back(later)))
        of_first = [each for each in rows if each.key == first.key]
        size_bytes = sum(len(f"my-bucket,{each.key},{each.version_id}\n") for each in of_first)
        is_full = earlier.rows + len(of_first) > rows_max
        assert is_full or earlier.main.size_bytes + size_bytes > bytes_max


def test_a_key_of_very_many_versions_is_streamed_into_one_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, one hot key takes the memory of all its versions, or goes to two jobs."""
    monkeypatch.setattr(csv_format, "BATCH_ROWS", 4)
    monkeypatch.setattr(csv_format, "LINES_HELD_MAX", 8)
    hot = [row("hot", f"v{number}") for number in range(16)]
    shards = written([row("a"), *hot, row("z"), row("zz")], tmp_path, rows_max=10)
    assert [shard.rows for shard in shards] == [1, 16, 2]
    taken = csv_format.csv_lines(iter(hot))
    assert [len(lines.lines) for lines in taken] == [8, 8]


def test_a_shard_of_an_inventory_report_has_several_data_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a report of 10^9 rows is a single file that nobody can read in parallel."""
    monkeypatch.setattr(files, "DATA_FILE_ROWS_MAX", 3)
    monkeypatch.setattr(csv_format, "BATCH_ROWS", 2)
    rows = [row(f"k{number}") for number in range(10)]
    (shard,) = written(rows, tmp_path, format=ManifestFormat.INVENTORY)
    names = [file.name for file in shard.others]
    assert names[:-1] == [f"0000/data/{number:04d}.csv.gz" for number in range(len(names) - 1)]
    assert len(names) > 3
    assert sum(file.rows for file in shard.others) == 10
    assert read_back(shard) == rows


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([row("a"), row("b", None)], 2),
        ([row("a", None), row("b", None), row("c")], 3),
        ([row("a"), row("b", "")], 2),
        ([row("a", 'v"')], 1),
        ([row("a", "v,w")], 1),
        ([row("a"), row("b", bucket="my,bucket")], 2),
        ([row("a", bucket="")], 1),
        ([row("a"), row("b\ud800")], 2),
        ([row("a"), row("")], 2),
    ],
)
def test_rows_that_no_manifest_can_hold_are_refused_and_leave_no_file(
    rows: list[ObjectRow], wrong: int, tmp_path: Path
) -> None:
    """If this fails, S3 fails the whole job with `Unexpected number of task fields`."""
    with pytest.raises(ManifestError) as caught:
        written(rows, tmp_path)
    assert caught.value.row == wrong
    assert not list(tmp_path.iterdir())


def test_an_inventory_report_is_about_one_bucket(tmp_path: Path) -> None:
    """If this fails, a report names another bucket than its rows do, and cannot be read again."""
    rows = [row("a"), row("b", bucket="other")]
    with pytest.raises(ManifestError) as caught:
        written(rows, tmp_path, format=ManifestFormat.INVENTORY)
    assert caught.value.row == 2


def test_an_error_while_rows_come_leaves_finished_shards_and_nothing_half(tmp_path: Path) -> None:
    """If this fails, half a manifest has the name of a whole one."""

    def torn() -> Iterator[ObjectRow]:
        for number in range(csv_format.BATCH_ROWS * 2):
            yield row(f"k{number}")
        raise KeyError

    with pytest.raises(KeyError):
        written(torn(), tmp_path, rows_max=csv_format.BATCH_ROWS // 2)
    sizes = {path.suffix for path in tmp_path.iterdir()}
    assert sizes == {".csv"}


def test_a_folder_that_cannot_be_written_is_a_refusal_with_a_hint(tmp_path: Path) -> None:
    """If this fails, a full disk looks like a bug."""
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(RefusedError, match="cannot write") as caught:
        written([row("a")], tmp_path / "taken" / "manifests")
    assert caught.value.hint


@pytest.mark.parametrize("format", ManifestFormat)
def test_no_rows_make_no_shard(
    format: ManifestFormat,  # noqa: A002 - as `shard_steps` calls it
    tmp_path: Path,
) -> None:
    """If this fails, a job is created that has nothing to do, and fails."""
    assert written([], tmp_path, format=format) == ()
    assert not list(tmp_path.iterdir())


def test_what_was_written_has_no_oddity(tmp_path: Path) -> None:
    """If this fails, people are warned of our own files."""
    (shard,) = written([row(key) for key in HOSTILE], tmp_path)
    oddities: Counter[Oddity] = Counter()
    data = shard.main.path.read_bytes()
    assert len(list(read_csv([data], FIELDS, oddities=oddities))) == len(HOSTILE)
    assert not oddities
