"""An artefact written in stretches: many sorted runs of rows at once, in order only in its index.

A sealed stretch is one segment, and one line of the folder's log with a note of its owner's; a
successor finds it again after a crash. No byte is copied when the artefact is committed: its index
names the segments in the order of their rows.
Never believes the log alone: a stretch stands only while its segment has the digest that its line
names. So nothing is synced before `commit`: what a power cut takes is listed again.
Law: the rename of `index.json` is the one moment at which the artefact appears.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex
from backfill.run_directory.durable import disk_faults_refused, replaced_file, sync_directory
from backfill.run_directory.index import (
    INDEX_FILE,
    StoredIndex,
    decoded_index,
    index_bytes,
    segment_file,
)
from backfill.run_directory.leftovers import remove_leftovers
from backfill.run_directory.segments import Segment, SegmentWriter

LOG_FILE: Final = "stretches.log"
_SCHEMA: Final = 1

_Entry = tuple[int, tuple[int, int, str] | tuple[()], list[Scalar]]
"""A stretch's number; the rows, bytes and SHA-256 of its segment, if it has one; its note."""


class StretchedWriter:
    """One artefact being written in stretches (the port of this name)."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        columns: tuple[str, ...],
        inputs: Mapping[str, str],
        stored: StoredIndex | None,
        rows_max: int,
        text_bytes_max: int,
    ) -> None:
        self._folder = folder
        self._name = name
        self._columns = columns
        self._inputs = dict(inputs)
        self._stored = stored
        self._slot = stored.unused_slot if stored is not None else "a"
        self._rows_max = rows_max
        self._text_bytes_max = text_bytes_max
        self._open: dict[int, SegmentWriter | None] = {}
        self._segments: dict[int, Segment | None] = {}
        self._notes: dict[int, Row] = {}
        self._next = 0
        self._head = _line(
            {"schema": _SCHEMA, "slot": self._slot, "columns": columns, "inputs": self._inputs}
        )
        self._is_ended = False
        self._adopt()

    def sealed(self) -> Mapping[int, Row]:
        """Return the notes of the stretches that stand, by number."""
        return self._notes

    def begin(self) -> int:
        """Open a stretch and return its number."""
        assert not self._is_ended, "nothing is written after the end"
        number = self._next
        self._next += 1
        self._open[number] = None
        return number

    def write(self, stretch: int, rows: Sequence[Row]) -> bool:
        """Append rows to an open stretch; return whether it is full, and should be sealed."""
        writer = self._open[stretch]
        if writer is None:
            path = self._folder / segment_file(self._slot, stretch)
            writer = SegmentWriter(path, is_in_members=True)
            self._open[stretch] = writer
        writer.write_block(rows)
        return writer.rows >= self._rows_max or writer.text_bytes >= self._text_bytes_max

    def seal(self, stretch: int, note: Row) -> None:
        """Close a stretch and enter it in the log; it may be empty."""
        writer = self._open.pop(stretch)
        segment = writer.finish(is_durable=False) if writer is not None else None
        self._segments[stretch] = segment
        self._notes[stretch] = note
        cells = [segment.rows, segment.size_bytes, segment.sha256] if segment else []
        self._append(_line([stretch, cells, list(note)]))

    def discard(self) -> None:
        """Forget all stretches, sealed and open."""
        self.abandon()
        self._segments.clear()
        self._notes.clear()
        with disk_faults_refused(self._folder, "clean"):
            (self._folder / LOG_FILE).unlink(missing_ok=True)
        remove_leftovers(self._folder, self._stored)
        self._append(self._head)

    def commit(self, order: Sequence[int], summary: Mapping[str, object]) -> ArtifactIndex:
        """Make the artefact of these stretches, in this order, durable and visible, atomically."""
        assert not self._open, "every stretch is sealed"
        assert not self._is_ended, "an artefact is committed once"
        segments = tuple(
            segment for number in order if (segment := self._segments[number]) is not None
        )
        for segment in segments:
            _sync(self._folder / segment.file)
        with disk_faults_refused(self._folder, "write"):
            sync_directory(self._folder)
        data = index_bytes(
            name=self._name,
            columns=self._columns,
            segments=segments,
            inputs=self._inputs,
            summary=summary,
        )
        with replaced_file(self._folder / INDEX_FILE) as file:
            file.write(data)
        self._is_ended = True
        stored = decoded_index(data, self._name)
        with disk_faults_refused(self._folder, "clean"):
            (self._folder / LOG_FILE).unlink(missing_ok=True)
        remove_leftovers(self._folder, stored)
        return stored.index

    def abandon(self) -> None:
        """Close what is open; what was sealed stays for a successor."""
        for writer in self._open.values():
            if writer is not None:
                writer.discard()
        self._open.clear()

    def _adopt(self) -> None:
        """Take over what an earlier writer of the same inputs sealed, and remove all else."""
        path = self._folder / LOG_FILE
        with disk_faults_refused(path, "read"):
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        if lines and lines[0] == self._head:
            for line in lines[1:]:
                self._adopt_line(line)
        kept = {segment.file for segment in self._segments.values() if segment is not None}
        remove_leftovers(self._folder, self._stored, kept)
        # Anew: an append behind a torn line would be lost with it.
        with replaced_file(path) as file:
            file.write(self._head)
            for line in lines[1:]:
                if (held := _value(line)) is not None and held[0] in self._notes:
                    file.write(line)
        self._next = max(self._notes, default=-1) + 1

    def _adopt_line(self, line: bytes) -> None:
        held = _value(line)
        if held is None:
            return
        number, cells, note = held
        segment = None
        if cells:
            rows, size_bytes, sha256 = cells
            file = segment_file(self._slot, number)
            segment = Segment(file=file, rows=rows, size_bytes=size_bytes, sha256=sha256)
            if not _stands(self._folder / file, segment):
                return
        self._segments[number], self._notes[number] = segment, note

    def _append(self, line: bytes) -> None:
        path = self._folder / LOG_FILE
        with disk_faults_refused(path, "write"), path.open("ab") as file:
            file.write(line)


def _line(value: object) -> bytes:
    """Return a line of the log: a checksum, and JSON without a raw newline."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _value(line: bytes) -> _Entry | None:
    """Return the value of a line; None where it is torn: a line has the checksum that we wrote."""
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(line[9:-1]):
        return None
    entry: _Entry = json.loads(line[9:])
    return entry


def _stands(path: Path, segment: Segment) -> bool:
    with disk_faults_refused(path, "read"):
        if not path.exists() or path.stat().st_size != segment.size_bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256


def _sync(path: Path) -> None:
    with disk_faults_refused(path, "write"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
