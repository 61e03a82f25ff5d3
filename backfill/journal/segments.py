"""The journal's files: `segment-000001` and on, each synced before the next one begins.

Never alters a byte that was synced; only a torn last frame is cut off, when the journal is opened.
Law: bytes are durable when `append` returns, or it raises and the file is given up.
"""

import hashlib
import os
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.journal.frames import (
    PlacedRecord,
    frame_end,
    frame_records,
    has_frame_after,
    read_record,
)
from backfill.run_directory.durable import (
    disk_faults_refused,
    make_directory,
    shown_path,
    sync_directory,
)

SEGMENT_BYTES_MAX: Final = 16 * 1024 * 1024
"""A segment is read whole at a replay: this is what it costs in memory."""
OPEN_READERS_MAX: Final = 16
_BLOCK_BYTES: Final = 512 * 1024
"""More than any record (texts of at most 64 KiB together), and a few thousand usual ones."""
_BLOCK_BEHIND_BYTES: Final = 128 * 1024
"""Of a block, what lies before the record that was asked for: outcomes are read in entry order and
were written in almost that order, so the next ones may lie before it."""

_HEADER: Final = struct.Struct("<16sI32sI")
_FORMAT: Final = b"backfill jrnl 03"
_ANY_FORMAT: Final = _FORMAT[:-2]
_NAME: Final = re.compile(r"segment-([0-9]{6})")
_HINT: Final = (
    "the record of what was written is damaged: restore this file from a copy, or plan anew into "
    "another run directory (what is already delivered is recognised and not written again)"
)


class Location(NamedTuple):
    """Where a record's head lies."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Bytes of a segment as they were read last."""

    segment: int
    offset: int
    data: bytes


class SegmentFiles:
    """The segments of one journal. `manifest_digest` names the manifest that it belongs to."""

    def __init__(self, directory: Path, *, manifest_digest: str, segment_bytes_max: int) -> None:
        self._directory = directory
        self._manifest = hashlib.sha256(manifest_digest.encode()).digest()
        self._segment_bytes_max = segment_bytes_max
        self._number = 0
        self._descriptor = -1
        self._size_bytes = 0
        self._readers: dict[int, int] = {}
        self._block: _Block | None = None

    def open(self, replay: Callable[[Location, bytes], None]) -> None:
        """Give every durable record to `replay`, oldest first, and make ready to append.

        Raises:
            ArtifactDamagedError: a segment is missing, or damaged elsewhere than at its torn end.
            ForeignRunDirectoryError: it is the journal of another manifest.
        """
        with disk_faults_refused(self._directory, "open"):
            make_directory(self._directory)
            found = (path.name for path in self._directory.iterdir())
            names = sorted(name for name in found if _NAME.fullmatch(name))
            if names != [_segment_name(number + 1) for number in range(len(names))]:
                raise ArtifactDamagedError(
                    f"{shown_path(self._directory)} lacks a segment: it has {', '.join(names)}",
                    hint=_HINT,
                )
            for number in range(1, len(names) + 1):
                self._replay_segment(number, replay, is_last=number == len(names))
            if not names:
                self._begin_segment(1)

    def append(self, frame: bytes) -> Location:
        """Write and sync a frame; return where it begins.

        A failed sync is never tried again: the kernel may have dropped the very pages that it
        reports, and would then report success (fsyncgate; PostgreSQL since 11.2 stops as well).
        """
        path = self._path(self._number)
        with disk_faults_refused(path, "write"):
            if self._size_bytes >= self._segment_bytes_max:
                os.close(self._descriptor)
                self._begin_segment(self._number + 1)
            location = Location(segment=self._number, offset=self._size_bytes)
            _write_all(self._descriptor, frame)
            os.fsync(self._descriptor)
            self._size_bytes += len(frame)
        return location

    def read(self, segment: int, offset: int) -> bytes:
        """Return the record at a location. Neighbouring records cost one disk read together.

        Raises:
            ArtifactDamagedError: it was altered since it was written.
        """
        block = self._block
        if block is not None and block.segment == segment:
            at = offset - block.offset
            # Cut by the block's end, newer than the block, or damaged: only the file itself tells.
            try:
                if at >= 0:
                    return read_record(block.data, at)
            except ValueError:  # not `suppress`, which takes longer than the reading
                self._block = None
        block = self._block = self._block_around(segment, offset)
        try:
            return read_record(block.data, offset - block.offset)
        except ValueError as fault:
            raise self.damage_at(segment, offset) from fault

    def close(self) -> None:
        """Close all files."""
        for descriptor in (*self._readers.values(), self._descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._readers.clear()
        self._descriptor = -1

    def damage_at(self, segment: int, offset: int) -> ArtifactDamagedError:
        """Return the error for a record that is whole and yet makes no sense."""
        return _damage(self._path(segment), offset)

    def _path(self, number: int) -> Path:
        return self._directory / _segment_name(number)

    def _header(self, number: int) -> bytes:
        body = _HEADER.pack(_FORMAT, number, self._manifest, 0)[:-4]
        return body + zlib.crc32(body).to_bytes(4, "little")

    def _begin_segment(self, number: int) -> None:
        path = self._path(number)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        _write_all(self._descriptor, self._header(number))
        os.fsync(self._descriptor)
        sync_directory(self._directory)
        self._number = number
        self._size_bytes = _HEADER.size

    def _replay_segment(
        self, number: int, replay: Callable[[Location, bytes], None], *, is_last: bool
    ) -> None:
        path = self._path(number)
        data = path.read_bytes()
        if not self._has_header(data, number):
            if not is_last or has_frame_after(data, 0):
                raise _damage(path, 0)
            # Power failed while the segment was begun: nothing was ever promised to be in it.
            self._begin_segment(number)
            return
        end = self._replay_frames(number, data, replay)
        if end < len(data) and (not is_last or has_frame_after(data, end)):
            raise _damage(path, end)
        if is_last:
            self._continue_segment(number, end, is_torn=end < len(data))

    def _has_header(self, data: bytes, number: int) -> bool:
        header = data[: _HEADER.size]
        if header == self._header(number):
            return True
        is_sound = len(header) == _HEADER.size and header[-4:] == zlib.crc32(header[:-4]).to_bytes(
            4, "little"
        )
        if is_sound and header.startswith(_FORMAT):
            raise ForeignRunDirectoryError(
                f"{shown_path(self._path(number))} is the journal of another manifest",
                hint="use the run directory that the manifest came from",
            )
        if is_sound and header.startswith(_ANY_FORMAT):
            raise ForeignRunDirectoryError(
                f"{shown_path(self._path(number))} was written by another version of backfill",
                hint="finish with that version, or begin a new run directory: what was delivered "
                "is recognised there",
            )
        return False

    def _replay_frames(
        self, number: int, data: bytes, replay: Callable[[Location, bytes], None]
    ) -> int:
        offset = _HEADER.size
        while (end := frame_end(data, offset)) is not None:
            self._replay_frame(number, data, (offset, end), replay)
            offset = end
        return offset

    def _replay_frame(
        self,
        number: int,
        data: bytes,
        span: tuple[int, int],
        replay: Callable[[Location, bytes], None],
    ) -> None:
        placed: PlacedRecord | None = None
        try:
            for placed in frame_records(data, *span):
                location = Location(segment=number, offset=placed.offset)
                replay(location, placed.record)
        except ValueError as fault:
            raise _damage(self._path(number), placed.offset if placed else span[0]) from fault

    def _continue_segment(self, number: int, end: int, *, is_torn: bool) -> None:
        self._descriptor = os.open(self._path(number), os.O_RDWR | os.O_APPEND)
        if is_torn:
            os.ftruncate(self._descriptor, end)
            os.fsync(self._descriptor)
        self._number = number
        self._size_bytes = end

    def _block_around(self, segment: int, offset: int) -> _Block:
        begin = max(0, offset - _BLOCK_BEHIND_BYTES)
        with disk_faults_refused(self._path(segment), "read"):
            data = os.pread(self._reader(segment), _BLOCK_BYTES, begin)
        return _Block(segment=segment, offset=begin, data=data)

    def _reader(self, segment: int) -> int:
        if segment not in self._readers:
            if len(self._readers) >= OPEN_READERS_MAX:
                for descriptor in self._readers.values():
                    os.close(descriptor)
                self._readers.clear()
            self._readers[segment] = os.open(self._path(segment), os.O_RDONLY)
        return self._readers[segment]


def _segment_name(number: int) -> str:
    return f"segment-{number:06d}"


def _damage(path: Path, offset: int) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{shown_path(path)} is damaged at byte {offset}", hint=_HINT)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
