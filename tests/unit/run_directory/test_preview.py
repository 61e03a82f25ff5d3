"""A preview reads the run directory and leaves it as it was."""

from pathlib import Path

import pytest

from backfill.ports import ArtifactStore
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.preview import Preview

COLUMNS = ("key", "number")


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    """A run directory with an artefact and a document."""
    artifacts = LocalArtifacts(tmp_path)
    with artifacts.writer("plan", columns=COLUMNS, inputs={"inventory": "ab"}) as writer:
        writer.write(("a\n\x1b[31m", 1))
        writer.write(("b", 2))
        writer.commit({"of": "the plan"})
    artifacts.write_document("scene.json", b"{}")
    return artifacts


def files(folder: Path) -> dict[str, bytes | None]:
    """Return every file and folder below; a folder has no bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_preview_reads_what_stands(store: LocalArtifacts) -> None:
    """If this fails, a dry run decides by other facts than the run that follows it."""
    preview: ArtifactStore = Preview(store)
    assert preview.index("plan") == store.index("plan")
    assert preview.index("manifest/01") is None
    assert list(preview.rows("plan")) == list(store.rows("plan")) == [["a\n\x1b[31m", 1], ["b", 2]]
    assert list(preview.row_blocks("plan", start=1)) == [[["b", 2]]]
    assert preview.read_document("scene.json") == b"{}"
    assert preview.read_document("none.json") is None


@pytest.mark.parametrize("name", ["manifest/01", "plan"], ids=["new", "over one that stands"])
def test_what_is_written_into_a_preview_is_counted_and_gone(
    store: LocalArtifacts, tmp_path: Path, name: str
) -> None:
    """If this fails, a dry run leaves work behind that a later command carries out."""
    before, stands = files(tmp_path), store.index(name)
    preview: ArtifactStore = Preview(store)
    with preview.writer(name, columns=COLUMNS, inputs={"plan": "cd"}) as writer:
        writer.write(("key", 0))
        writer.write_rows([("key", 1), ("key", 2)])
        index = writer.commit({"rows": 3})
    preview.write_document("scene.json", b"another")
    with preview.document_writer("rows.csv") as stream:
        stream.write(b"another")
    assert (index.name, index.rows, index.columns) == (name, 3, COLUMNS)
    assert (dict(index.inputs), dict(index.summary)) == ({"plan": "cd"}, {"rows": 3})
    assert preview.index(name) == stands
    assert files(tmp_path) == before
