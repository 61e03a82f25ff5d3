"""What the stages ask of the run directory: artefacts and documents.

Never says where they lie.
Law: an artefact or document is there completely and durably, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from backfill.model.rows import Row, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactIndex:
    """What `index.json` of a finished artefact says.

    `inputs` maps the names of what it was made from to their digests, `digest` names this
    artefact for those made from it; `summary` is the stage's own small document.
    """

    name: str
    columns: tuple[str, ...]
    rows: int
    digest: str
    inputs: Mapping[str, str]
    summary: Mapping[str, object]


class RowWriter(Protocol):
    """An artefact being written; it does not exist until `commit` returned."""

    def write(self, row: Row) -> None:
        """Append one row."""
        ...

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Append rows, none or many; they must not be changed afterwards.

        The artefact is the same, byte for byte, as if each of them had been written alone.
        """
        ...

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        """Make the artefact durable and visible, atomically."""
        ...


class DocumentWriter(Protocol):
    """A document being written as a stream; it appears when its context ends without an error."""

    def write(self, data: bytes) -> object:
        """Append bytes."""
        ...


class StretchedWriter(Protocol):
    """An artefact written in sorted stretches, many at once; sealed ones outlive the process.

    It does not exist until `commit` returned.
    """

    def sealed(self) -> Mapping[int, Row]:
        """Return the notes of the stretches that stand, by number; earlier processes' included."""
        ...

    def begin(self) -> int:
        """Open a stretch and return its number, which no other one ever has."""
        ...

    def write(self, stretch: int, rows: Sequence[Row]) -> bool:
        """Append rows to an open stretch; return whether it is full, and should be sealed."""
        ...

    def seal(self, stretch: int, note: Row) -> None:
        """Close a stretch, empty ones too, and keep it with a note of scalars."""
        ...

    def discard(self) -> None:
        """Forget all stretches."""
        ...

    def commit(self, order: Sequence[int], summary: Mapping[str, object]) -> ArtifactIndex:
        """Make the artefact of these stretches, in this order, durable and visible, atomically."""
        ...


class ArtifactStore(Protocol):
    """The run directory's artefacts. Names are fixed words of ours, never derived from keys."""

    def index(self, name: str) -> ArtifactIndex | None:
        """Return the index of a finished artefact, None when there is none."""
        ...

    def rows(self, name: str, *, start: int = 0) -> Iterator[list[Scalar]]:
        """Stream the rows of a finished artefact, from row `start` on; memory does not grow.

        Digests are checked of all that is read.
        """
        ...

    def row_blocks(self, name: str, *, start: int = 0) -> Iterator[list[list[Scalar]]]:
        """Stream the same rows in lists of some hundreds, none of them empty.

        For whoever does for a list in one call what would cost a call for each row. A block ends
        anywhere, amid the rows of one key, too.
        """
        ...

    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> AbstractContextManager[RowWriter]:
        """Begin an artefact; leaving the context without commit leaves nothing behind."""
        ...

    def stretched_writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> AbstractContextManager[StretchedWriter]:
        """Begin an artefact in stretches, or go on where a process with equal inputs ended."""
        ...

    def write_document(self, name: str, data: bytes) -> None:
        """Write one small file atomically and durably (report.json, report.html, ...)."""
        ...

    def document_writer(self, name: str) -> AbstractContextManager[DocumentWriter]:
        """Write one file of any size (rows.csv) atomically and durably, as a stream."""
        ...

    def read_document(self, name: str) -> bytes | None:
        """Return one small file, None when there is none."""
        ...
