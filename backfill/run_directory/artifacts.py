"""The ArtifactStore port on a local directory.

An artefact `<name>/` is segments of rows plus an `index.json` that is written last; a document is
one small file. Never names a file after a key, and never removes a file that it did not write.
Law: the rename of `index.json` is the one moment at which an artefact appears or is replaced; a
writer that dies before it leaves only files that no index names, and its successor removes them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from backfill.errors import ArtifactDamagedError
from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex
from backfill.run_directory.durable import (
    NewFile,
    disk_faults_refused,
    make_directory,
    replaced_file,
    shown_path,
)
from backfill.run_directory.index import (
    INDEX_FILE,
    StoredIndex,
    decoded_index,
    index_bytes,
    segment_file,
)
from backfill.run_directory.leftovers import remove_leftovers
from backfill.run_directory.segments import BLOCK_ROWS, Segment, SegmentWriter, segment_blocks
from backfill.run_directory.stretches import StretchedWriter

SEGMENT_ROWS_MAX: Final = 100_000
SEGMENT_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of text, before gzip. A segment is checked as a whole before its rows are read: this bounds how
much is read for the first of them."""

_NAME: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*(?:/[a-z0-9]+(?:[.-][a-z0-9]+)*)*")


class LocalArtifacts:
    """Artefacts and documents under `root`. One process writes (see `lock`)."""

    def __init__(self, root: Path, *, segment_rows_max: int = SEGMENT_ROWS_MAX) -> None:
        self._root = root
        self._segment_rows_max = segment_rows_max
        self._being_written: set[str] = set()

    def index(self, name: str) -> ArtifactIndex | None:
        """Return the index of a finished artefact, None when there is none."""
        stored = self._stored(name)
        return stored.index if stored is not None else None

    def rows(self, name: str, *, start: int = 0) -> Iterator[list[Scalar]]:
        """Stream the rows of a finished artefact, from row `start` on.

        Raises:
            ArtifactDamagedError: there is no such artefact, or a file of it is missing or altered.
        """
        return chain.from_iterable(self.row_blocks(name, start=start))

    def row_blocks(self, name: str, *, start: int = 0) -> Iterator[list[list[Scalar]]]:
        """Stream the same rows, as many at once as are decoded in one call; raises as `rows`."""
        stored = self._stored(name)
        if stored is None:
            raise ArtifactDamagedError(
                f"{shown_path(self._path(name) / INDEX_FILE)} is missing",
                hint="run the stage that writes it",
            )
        folder = self._path(name)
        skipped, segments = 0, list(stored.segments)
        # Whole segments before the start are not even opened.
        while segments and skipped + segments[0].rows <= start:
            skipped += segments.pop(0).rows
        blocks = chain.from_iterable(
            segment_blocks(self._segment(folder / segment.file), segment) for segment in segments
        )
        return _without_first(blocks, start - skipped) if start > skipped else blocks

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator["ArtifactWriter"]:
        """Begin an artefact; an older one of this name stays until the new one is committed."""
        assert name not in self._being_written, "one writer an artefact"
        folder = self._path(name)
        with disk_faults_refused(folder, "create"):
            make_directory(folder)
        stored = self._stored(name)
        remove_leftovers(folder, stored)
        writer = ArtifactWriter(
            folder,
            name,
            columns=tuple(columns),
            inputs=inputs,
            slot=stored.unused_slot if stored is not None else "a",
            segment_rows_max=self._segment_rows_max,
        )
        self._being_written.add(name)
        try:
            yield writer
        finally:
            self._being_written.discard(name)
            writer.abandon()

    @contextmanager
    def stretched_writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator[StretchedWriter]:
        """Begin or go on with an artefact in stretches; sealed ones of equal inputs stand."""
        assert name not in self._being_written, "one writer an artefact"
        folder = self._path(name)
        with disk_faults_refused(folder, "create"):
            make_directory(folder)
        writer = StretchedWriter(
            folder,
            name,
            columns=tuple(columns),
            inputs=inputs,
            stored=self._stored(name),
            rows_max=self._segment_rows_max,
            text_bytes_max=SEGMENT_BYTES_MAX,
        )
        self._being_written.add(name)
        try:
            yield writer
        finally:
            self._being_written.discard(name)
            writer.abandon()

    def write_document(self, name: str, data: bytes) -> None:
        """Write one small file atomically and durably."""
        with self.document_writer(name) as file:
            file.write(data)

    @contextmanager
    def document_writer(self, name: str) -> Iterator[NewFile]:
        """Write one file of any size atomically and durably; an error inside leaves the old one."""
        path = self._path(name)
        with disk_faults_refused(path.parent, "create"):
            make_directory(path.parent)
        with replaced_file(path) as file:
            yield file

    def read_document(self, name: str) -> bytes | None:
        """Return one small file, None when there is none."""
        path = self._path(name)
        with disk_faults_refused(path, "read"):
            return path.read_bytes() if path.exists() else None

    def _segment(self, path: Path) -> Path:
        """Return where a segment is read, now; a copy of a directory elsewhere fetches it first."""
        return path

    def _path(self, name: str) -> Path:
        assert _NAME.fullmatch(name), "names are fixed words of ours"
        return self._root / name

    def _stored(self, name: str) -> StoredIndex | None:
        path = self._path(name) / INDEX_FILE
        with disk_faults_refused(path, "read"):
            if not path.exists():
                return None
            data = path.read_bytes()
        return decoded_index(data, name)


class ArtifactWriter:
    """One artefact being written (port `RowWriter`). Made by `LocalArtifacts.writer`."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        columns: tuple[str, ...],
        inputs: Mapping[str, str],
        slot: str,
        segment_rows_max: int,
    ) -> None:
        assert columns, "rows have columns"
        self._folder = folder
        self._name = name
        self._columns = columns
        self._inputs = dict(inputs)
        self._slot = slot
        self._segment_rows_max = segment_rows_max
        self._block: list[Row] = []
        self._block_rows_max = min(BLOCK_ROWS, segment_rows_max)
        self._open: SegmentWriter | None = None
        self._segments: list[Segment] = []
        self._index_file: NewFile | None = None
        self._is_ended = False

    def write(self, row: Row) -> None:
        """Append one row."""
        assert len(row) == len(self._columns), "a row fills its columns"
        self._block.append(tuple(row))
        if len(self._block) >= self._block_rows_max:
            self._write_block(self._block)
            self._block.clear()

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Append rows; they must not be changed afterwards."""
        assert set(map(len, rows)) <= {len(self._columns)}, "a row fills its columns"
        self._block.extend(rows)
        # In blocks of one length, however the rows come: equal rows make equal bytes.
        while len(self._block) >= self._block_rows_max:
            self._write_block(self._block[: self._block_rows_max])
            del self._block[: self._block_rows_max]

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        """Make the artefact durable and visible, atomically."""
        assert not self._is_ended, "an artefact is committed once"
        if self._block:
            self._write_block(self._block)
        self._finish_segment()
        data = index_bytes(
            name=self._name,
            columns=self._columns,
            segments=tuple(self._segments),
            inputs=self._inputs,
            summary=summary,
        )
        with replaced_file(self._folder / INDEX_FILE) as file:
            self._index_file = file
            file.write(data)
        self._is_ended = True
        # From the bytes, so that the writer returns what every later reader will get.
        stored = decoded_index(data, self._name)
        remove_leftovers(self._folder, stored)
        return stored.index

    def abandon(self) -> None:
        """Remove what was written unless it was committed."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._open is not None:
            self._open.discard()
        # A directory that cannot be synced after the rename has an index that names these files.
        if self._index_file is not None and self._index_file.may_be_visible:
            return
        # What cannot be removed now is invisible, and the next writer's to remove.
        for number in range(len(self._segments) + 1):
            try:
                (self._folder / segment_file(self._slot, number)).unlink(missing_ok=True)
            except OSError:
                return

    def _write_block(self, rows: Sequence[Row]) -> None:
        assert not self._is_ended, "nothing is written after the end"
        if self._open is None:
            number = len(self._segments)
            self._open = SegmentWriter(self._folder / segment_file(self._slot, number))
        self._open.write_block(rows)
        is_full = self._open.rows + self._block_rows_max > self._segment_rows_max
        if is_full or self._open.text_bytes >= SEGMENT_BYTES_MAX:
            self._finish_segment()

    def _finish_segment(self) -> None:
        if self._open is not None:
            self._segments.append(self._open.finish())
            self._open = None


def _without_first(blocks: Iterator[list[list[Scalar]]], rows: int) -> Iterator[list[list[Scalar]]]:
    for block in blocks:
        if rows < len(block):
            yield block[rows:]
        rows = max(rows - len(block), 0)
