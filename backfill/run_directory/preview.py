"""An artefact store that reads the run directory and writes nothing into it.

Never keeps a row: a preview wants the counts that come of writing, not the artefact.
Law: after a preview the run directory is what it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex, ArtifactStore, DocumentWriter, StretchedWriter


class Preview:
    """The ArtifactStore port over another one, with every write thrown away."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    def index(self, name: str) -> ArtifactIndex | None:
        """Return the index of a finished artefact, None when there is none."""
        return self._artifacts.index(name)

    def rows(self, name: str, *, start: int = 0) -> Iterator[list[Scalar]]:
        """Stream the rows of a finished artefact, from row `start` on."""
        return self._artifacts.rows(name, start=start)

    def row_blocks(self, name: str, *, start: int = 0) -> Iterator[list[list[Scalar]]]:
        """Stream the same rows, many at once."""
        return self._artifacts.row_blocks(name, start=start)

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator["_Nowhere"]:
        """Give a writer that counts."""
        yield _Nowhere(name, tuple(columns), inputs)

    def stretched_writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> AbstractContextManager[StretchedWriter]:
        """Refuse: a listing is work that nobody does to throw it away."""
        raise AssertionError(f"no preview of {name} by {columns} of {inputs}")

    def write_document(self, name: str, data: bytes) -> None:
        """Throw a document away."""
        assert name, "a document has a name"
        assert isinstance(data, bytes), "a document is bytes"

    @contextmanager
    def document_writer(self, name: str) -> Iterator[DocumentWriter]:
        """Give a stream that leads nowhere."""
        assert name, "a document has a name"
        yield _Nowhere(name, (), {})

    def read_document(self, name: str) -> bytes | None:
        """Return one small file, None when there is none."""
        return self._artifacts.read_document(name)


class _Nowhere:
    def __init__(self, name: str, columns: tuple[str, ...], inputs: Mapping[str, str]) -> None:
        self._name = name
        self._columns = columns
        self._inputs = inputs
        self._rows = 0

    def write(self, row: Row | bytes) -> None:
        assert row is not None, "a row is something"
        self._rows += 1

    def write_rows(self, rows: Sequence[Row]) -> None:
        self._rows += len(rows)

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        return ArtifactIndex(
            name=self._name,
            columns=self._columns,
            rows=self._rows,
            digest="",
            inputs=self._inputs,
            summary=summary,
        )
