"""Artefacts on a local directory: complete or invisible, and damage is always found."""

import contextlib
import errno
import gzip
import hashlib
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError, RefusedError
from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.index import decoded_index, index_bytes
from backfill.run_directory.sealed import sealed
from backfill.run_directory.segments import decoded_rows, encoded_rows

COLUMNS = ("key", "number")
HOSTILE = ["\n", "],\n[", "],[", '"', "\\", "\x00", "\u2028", "\U0010ffff", "a,\nb", "../../etc"]


def wrote(
    store: LocalArtifacts,
    name: str = "plan",
    *,
    rows: int = 95,
    inputs: dict[str, str] | None = None,
    summary: dict[str, object] | None = None,
) -> ArtifactIndex:
    with store.writer(name, columns=COLUMNS, inputs=inputs or {}) as writer:
        for number in range(rows):
            writer.write((f"key {number} {HOSTILE[number % len(HOSTILE)]}", number))
        return writer.commit(summary or {})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path, segment_rows_max=10)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1)
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs", "L"]))  # lone surrogates
    | st.sampled_from(HOSTILE)
)


@given(st.lists(st.tuples(scalars, scalars, scalars), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_scalar_survives_a_row(rows: list[tuple[Scalar, Scalar, Scalar]]) -> None:
    """A cell that ends a line or a row, or changes on the way, would corrupt keys."""
    data = encoded_rows(rows)
    assert decoded_rows(data) == [list(row) for row in rows]
    assert [json.loads(line) for line in data.splitlines()] == [list(row) for row in rows]


@given(st.lists(st.tuples(scalars, scalars), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_rows_of_older_versions_stay_readable(rows: list[tuple[Scalar, Scalar]]) -> None:
    """They were spelled in ASCII by the json module; a run that is resumed still holds them."""
    lines = [json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n" for row in rows]
    assert decoded_rows(b"".join(lines)) == [list(row) for row in rows]


def test_an_old_segment_stays_readable(store: LocalArtifacts, tmp_path: Path) -> None:
    """Its gzip is another library's; what was finished must not be made again after an update."""
    index = wrote(store, rows=10)
    stored = decoded_index((tmp_path / "plan/index.json").read_bytes(), "plan")
    (segment,) = stored.segments
    path = tmp_path / "plan" / segment.file
    compressor = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    data = compressor.compress(gzip.decompress(path.read_bytes())) + compressor.flush()
    path.write_bytes(data)
    old = type(segment)(
        file=segment.file,
        rows=10,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    (tmp_path / "plan/index.json").write_bytes(
        index_bytes(name="plan", columns=COLUMNS, segments=(old,), inputs={}, summary={})
    )
    assert [row[1] for row in store.rows("plan")] == list(range(index.rows))


def test_a_number_that_no_reader_could_tell_is_a_programmers_error() -> None:
    """Beyond 64 bits the decoder makes a float of it, which is another number."""
    with pytest.raises(AssertionError, match="64 bits"):
        encoded_rows([(1 << 64,)])


def test_a_nested_cell_is_a_programmers_error() -> None:
    """No reader knows what to make of a list in a cell."""
    with pytest.raises(AssertionError, match="scalars"):
        encoded_rows([cast("Row", ([[1], [2]],))])


def test_an_artefact_reads_as_it_was_written(store: LocalArtifacts, tmp_path: Path) -> None:
    """Segments lose, double or reorder nothing, and each is a gzip of JSON lines."""
    index = wrote(store, "inventory/source", inputs={"run": "r"}, summary={"keys": 95})
    rows = list(store.rows("inventory/source"))
    assert [row[1] for row in rows] == list(range(95))
    assert rows[1][0] == "key 1 ],\n["
    assert index == store.index("inventory/source")
    assert (index.rows, index.columns, index.inputs) == (95, COLUMNS, {"run": "r"})
    segments = sorted((tmp_path / "inventory/source").glob("rows-*"))
    texts = [gzip.decompress(segment.read_bytes()).splitlines() for segment in segments]
    assert [len(lines) for lines in texts] == [10] * 9 + [5]
    assert [json.loads(line) for lines in texts for line in lines] == rows


def test_an_empty_artefact_is_one(store: LocalArtifacts) -> None:
    """A bucket without versions has an inventory, too."""
    assert wrote(store, rows=0).rows == 0
    assert list(store.rows("plan")) == []


def test_equal_content_has_equal_bytes_and_digest(tmp_path: Path) -> None:
    """Resume compares digests: they must not depend on time, place or an earlier artefact."""
    first, second = LocalArtifacts(tmp_path / "a"), LocalArtifacts(tmp_path / "b")
    digest = wrote(first).digest
    wrote(second, rows=3)
    assert wrote(second).digest == digest
    (one,) = (tmp_path / "a/plan").glob("rows-*")
    (other,) = (tmp_path / "b/plan").glob("rows-*")
    assert one.read_bytes() == other.read_bytes()
    differing = {
        wrote(first, rows=94).digest,
        wrote(first, inputs={"run": "r"}).digest,
        wrote(first, summary={"horizon": "now"}).digest,
        wrote(first, "plan-b").digest,
    }
    assert len(differing | {digest}) == 5


def test_a_reused_list_does_not_alter_rows_written_before(store: LocalArtifacts) -> None:
    """Rows are encoded in blocks, later than they were given."""
    row: list[Scalar] = ["key", 0]
    with store.writer("plan", columns=COLUMNS, inputs={}) as writer:
        for number in range(7):
            row[1] = number
            writer.write(row)
        writer.commit({})
    assert [row[1] for row in store.rows("plan")] == list(range(7))


@pytest.mark.parametrize("at_once", [1, 3, 10, 11, 95, 0], ids=str)
def test_rows_written_together_make_the_same_bytes(tmp_path: Path, at_once: int) -> None:
    """If this fails, a stage that goes block by block makes artefacts that no digest knows."""
    rows = [(f"key {number} {HOSTILE[number % len(HOSTILE)]}", number) for number in range(95)]
    alone, together = (
        LocalArtifacts(tmp_path / name, segment_rows_max=10) for name in ("alone", "together")
    )
    wrote(alone)
    with together.writer("plan", columns=COLUMNS, inputs={}) as writer:
        if not at_once:
            # One alone, none, the others: however they come.
            writer.write(rows[0])
            writer.write_rows([])
            writer.write_rows(rows[1:])
        for first in range(0, len(rows), at_once) if at_once else ():
            writer.write_rows(rows[first : first + at_once])
        writer.commit({})
    assert files(tmp_path / "together/plan") == files(tmp_path / "alone/plan")


def test_one_row_of_many_that_lacks_a_cell_is_a_programmers_error(store: LocalArtifacts) -> None:
    """If this fails, a stage shifts cells into columns that mean something else."""
    with (
        store.writer("plan", columns=COLUMNS, inputs={}) as writer,
        pytest.raises(AssertionError, match="columns"),
    ):
        writer.write_rows([("key", 1), ("key",)])


@pytest.mark.parametrize("start", [0, 1, 9, 10, 37, 94, 95, 200])
def test_blocks_hold_the_rows_from_any_start(store: LocalArtifacts, start: int) -> None:
    """If this fails, a stage that reads block by block loses or repeats rows at a segment's end."""
    wrote(store)
    blocks = list(store.row_blocks("plan", start=start))
    assert all(blocks), "no block is empty"
    assert [row for block in blocks for row in block] == list(store.rows("plan"))[start:]
    assert [row[1] for block in blocks for row in block] == list(range(start, 95))


def test_nothing_is_visible_without_commit(store: LocalArtifacts, tmp_path: Path) -> None:
    """A stage that failed half-way must not look finished."""

    def fail_half_way() -> None:
        with store.writer("plan", columns=COLUMNS, inputs={}) as writer:
            for number in range(25):
                writer.write(("key", number))
            assert store.index("plan") is None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert files(tmp_path / "plan") == {}
    with store.writer("plan", columns=COLUMNS, inputs={}) as writer:
        writer.write(("key", 1))
    assert files(tmp_path / "plan") == {}


def test_an_older_artefact_stays_until_the_new_one_is_committed(
    store: LocalArtifacts, tmp_path: Path
) -> None:
    """A re-run that dies must not cost what was finished; one that ends must leave no rest."""
    digest = wrote(store, rows=30).digest
    before = files(tmp_path / "plan")
    with store.writer("plan", columns=COLUMNS, inputs={}) as writer:
        for number in range(40):
            writer.write(("new", number))
        assert len(list(store.rows("plan"))) == 30
    assert files(tmp_path / "plan") == before
    assert wrote(store, rows=40).digest != digest
    assert len(list(store.rows("plan"))) == 40
    assert len(files(tmp_path / "plan")) == 5


KILLED = """
import os, signal, sys
from pathlib import Path
from backfill.run_directory.artifacts import LocalArtifacts
with LocalArtifacts(Path(sys.argv[1]), segment_rows_max=10).writer(
    "plan", columns=("key", "number"), inputs={}
) as writer:
    for number in range(35):
        writer.write(("killed", number))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("rows_before", [0, 30])
def test_a_killed_writer_leaves_nothing_that_a_successor_keeps(
    store: LocalArtifacts, tmp_path: Path, rows_before: int
) -> None:
    """Leftovers would fill the disk, or worse, be taken for rows."""
    if rows_before:
        wrote(store, rows=rows_before)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert len(list((tmp_path / "plan").glob("rows-*"))) > rows_before // 10
    index = store.index("plan")
    assert (index.rows if index else 0) == rows_before
    wrote(store, rows=12)
    assert [row[1] for row in store.rows("plan")] == list(range(12))
    assert len(files(tmp_path / "plan")) == 3


def read_all(store: LocalArtifacts) -> list[list[Scalar]]:
    got: list[list[Scalar]] = []
    with contextlib.suppress(ArtifactDamagedError, ForeignRunDirectoryError):
        got.extend(store.rows("plan"))  # what was read before the error stays
    return got


def test_any_flipped_byte_is_found(store: LocalArtifacts, tmp_path: Path) -> None:
    """A row from a damaged file could send a write to the wrong key."""
    wrote(store, rows=25)
    good = list(store.rows("plan"))
    chance = Random(7)
    for path in sorted((tmp_path / "plan").iterdir()):
        data = path.read_bytes()
        segment = int(path.name.split("-")[2].split(".")[0]) if "rows" in path.name else 0
        for position in range(len(data)):
            flipped = bytearray(data)
            flipped[position] ^= chance.randrange(1, 256)
            path.write_bytes(flipped)
            assert read_all(store) == good[: segment * 10], f"{path.name} at {position}"
        path.write_bytes(data)
    assert list(store.rows("plan")) == good


def test_a_file_cut_anywhere_is_found(store: LocalArtifacts, tmp_path: Path) -> None:
    """A power cut or a full disk leaves short files."""
    wrote(store, rows=25)
    good = list(store.rows("plan"))
    path = tmp_path / "plan/rows-a-00002.jsonl.gz"
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert read_all(store) == good[:20], f"cut at {length}"
    path.write_bytes(data + b"\0")
    with pytest.raises(ArtifactDamagedError, match=r"rows-a-00002\.jsonl\.gz has"):
        list(store.rows("plan"))


def damage_count(folder: Path) -> None:
    stored = decoded_index((folder / "index.json").read_bytes(), "plan")
    first, *others = stored.segments
    lying = type(first)(
        file=first.file, rows=first.rows + 1, size_bytes=first.size_bytes, sha256=first.sha256
    )
    data = index_bytes(
        name="plan", columns=COLUMNS, segments=(lying, *others), inputs={}, summary={}
    )
    (folder / "index.json").write_bytes(data)


def damage_name(folder: Path) -> None:
    (folder / "index.json").write_bytes(
        index_bytes(name="manifest", columns=COLUMNS, segments=(), inputs={}, summary={})
    )


def damage_file(folder: Path) -> None:
    path = folder / "index.json"
    path.write_bytes(path.read_bytes().replace(b"rows-a-00001.jsonl.gz", b"../run.json"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_count, "holds 10 rows, its index says 11"),
        (damage_name, "belongs to manifest"),
        (damage_file, "index.json was altered"),
        (lambda folder: (folder / "rows-a-00001.jsonl.gz").unlink(), "00001.jsonl.gz is missing"),
        (lambda folder: (folder / "index.json").unlink(), "index.json is missing"),
        (lambda folder: (folder / "index.json").write_bytes(b"[]"), "index.json is cut or altered"),
        (lambda folder: (folder / "index.json").write_bytes(b""), "index.json is cut or altered"),
    ],
)
def test_damage_names_the_file(
    store: LocalArtifacts, tmp_path: Path, damage: object, message: str
) -> None:
    """A person must know which file to look at, and what to do."""
    wrote(store, rows=25)
    assert callable(damage)
    damage(tmp_path / "plan")
    with pytest.raises(ArtifactDamagedError, match=message) as caught:
        list(store.rows("plan"))
    assert caught.value.hint


def test_a_newer_index_is_refused(store: LocalArtifacts, tmp_path: Path) -> None:
    """An old backfill must not guess at a format of the future."""
    wrote(store)
    (tmp_path / "plan/index.json").write_bytes(sealed({"name": "plan"}, schema=2))
    with pytest.raises(ForeignRunDirectoryError, match="schema 2"):
        store.index("plan")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fsync(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield


def test_a_disk_that_fills_leaves_the_old_artefact(
    store: LocalArtifacts, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Delayed allocation reports a full disk at fsync; the run must stay resumable."""
    digest = wrote(store, rows=30).digest
    request.getfixturevalue("full_disk")
    with pytest.raises(RefusedError, match="No space left on device") as caught:
        wrote(store, rows=35)
    assert "free some space" in caught.value.hint
    assert store.index("plan") is not None
    assert [row[1] for row in store.rows("plan")] == list(range(30))
    assert len(files(tmp_path / "plan")) == 4
    index = store.index("plan")
    assert index is not None
    assert index.digest == digest


def test_a_full_disk_at_commit_leaves_no_artefact(store: LocalArtifacts, tmp_path: Path) -> None:
    """The index is written last, and just then there may be no room for it."""
    with store.writer("plan", columns=COLUMNS, inputs={}) as writer:
        writer.write(("key", 1))
        (tmp_path / "plan/index.json.partial").symlink_to("/dev/full")
        with pytest.raises(RefusedError, match="No space left on device"):
            writer.commit({})
    assert files(tmp_path / "plan") == {}


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_disk_that_fails_once_the_index_may_be_seen_takes_no_row_of_it(
    store: LocalArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """If this fails, an index names files that were removed, and no command goes on from there."""
    own = Path.replace

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def replaced(path: Path, to: Path) -> Path:
        own(path, to)
        if call == "replace":  # as a disk across a network does: done, and told to have failed
            failing()
        monkeypatch.setattr(os, "fsync", failing)
        return to

    with store.writer("plan", columns=COLUMNS, inputs={}) as writer:
        writer.write(("key", 1))
        monkeypatch.setattr(Path, "replace", replaced)
        with pytest.raises(RefusedError, match="Input/output error"):
            writer.commit({})
    monkeypatch.undo()
    assert store.index("plan") is not None
    assert list(LocalArtifacts(tmp_path).rows("plan")) == [["key", 1]]


def test_a_path_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    """An OSError with a traceback helps nobody."""
    (tmp_path / "plan").write_text("a file in the way")
    with pytest.raises(RefusedError, match="cannot"):
        wrote(LocalArtifacts(tmp_path))


def test_documents_are_whole_or_old(store: LocalArtifacts, tmp_path: Path) -> None:
    """A report that was half written must not replace one that was finished."""
    assert store.read_document("report/rows.csv") is None
    store.write_document("report/rows.csv", b"old")

    def fail_half_way() -> None:
        with store.document_writer("report/rows.csv") as file:
            file.write(b"new" * 100_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    (tmp_path / "report/rows.csv.partial").symlink_to("/dev/full")
    with pytest.raises(RefusedError, match="No space left on device"):
        store.write_document("report/rows.csv", b"new")
    assert files(tmp_path / "report") == {"rows.csv": b"old"}
    store.write_document("report/rows.csv", b"new")
    assert store.read_document("report/rows.csv") == b"new"


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/etc", "A", "a//b", "a b", "a/", ".a", "é"])
def test_names_are_fixed_words(store: LocalArtifacts, name: str) -> None:
    """A name made from a key could lead out of the run directory."""
    with pytest.raises(AssertionError, match="fixed words"):
        store.read_document(name)


def test_a_row_fills_its_columns(store: LocalArtifacts) -> None:
    """A short row would be decoded into the wrong fields."""
    short: Row = ("key",)
    with (
        store.writer("plan", columns=COLUMNS, inputs={}) as writer,
        pytest.raises(AssertionError, match="columns"),
    ):
        writer.write(short)


def test_one_writer_an_artefact(store: LocalArtifacts) -> None:
    """Two writers of one name would remove each other's files."""
    with (
        store.writer("plan", columns=COLUMNS, inputs={}),
        pytest.raises(AssertionError, match="one writer"),
        store.writer("plan", columns=COLUMNS, inputs={}),
    ):
        pass


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 7, 8, 9])
def test_rows_can_be_streamed_from_any_row_on(tmp_path: Path, start: int) -> None:
    """If this fails, a copy process works on another process's rows, or on nobody's."""
    store = LocalArtifacts(tmp_path, segment_rows_max=3)
    with store.writer("plan", columns=("n",), inputs={}) as writer:
        for number in range(8):
            writer.write((number,))
        writer.commit({})
    assert list(store.rows("plan", start=start)) == [[number] for number in range(start, 8)]
