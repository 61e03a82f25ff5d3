"""Segments: the files that hold an artefact's rows, one JSON array a line, gzip level 1.

Never holds more than one block of rows in memory, and never yields a row of a damaged segment:
the digest of a whole segment is checked before its first row is given away.
Law: equal rows make equal bytes (gzip without time and name) with one build of the compressor.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Final, cast

import orjson
from isal import isal_zlib

from backfill.errors import ArtifactDamagedError
from backfill.model.json_values import json_value
from backfill.model.rows import Row, Scalar
from backfill.run_directory.durable import close_file, disk_faults_refused, shown_path

BLOCK_ROWS: Final = 512
"""Rows encoded at once: amortises compressing and writing; at most about 3 MiB of text."""
BLOCK_BYTES: Final = 128 * 1024
"""Bytes of text decoded at once: a few hundred rows alive, whatever the artefact's size."""
GZIP: Final = zlib.MAX_WBITS | 16
_NO_GZIP: Final = cast("type[Exception]", isal_zlib.IsalError)  # the stub calls it an instance
MEND: Final = "delete this artefact's folder and run its stage again; nothing else is lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of rows as the index names it."""

    file: str
    rows: int
    size_bytes: int
    sha256: str


def encoded_rows(rows: Sequence[Row]) -> bytes:
    """Return rows as lines of JSON arrays; a raw newline cannot occur inside a JSON string."""
    assert all(isinstance(cell, Scalar) for cell in rows[0]), "cells are scalars"
    try:
        # One call for all, and then the rows set apart where no key ends like one, takes longer.
        return b"\n".join(map(orjson.dumps, rows)) + b"\n"
    except orjson.JSONEncodeError:
        return b"".join(map(_encoded_oddly, rows))


def _encoded_oddly(row: Row) -> bytes:
    """Return the line of a row that may hold what is no UTF-8: a store's message, say.

    A lone surrogate is no character, but JSON's escapes can spell it.
    """
    # Beyond 64 bits the decoder would make a float of it.
    assert all(not isinstance(cell, int) or -(1 << 63) <= cell < 1 << 64 for cell in row), "64 bits"
    return json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n"


def decoded_rows(lines: bytes) -> list[list[Scalar]]:
    """Return the rows of whole lines."""
    text = b"[%b]" % lines[:-1].replace(b"\n", b",")
    rows: list[list[Scalar]]
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError:
        rows = json_value(text)
    return rows


class SegmentWriter:
    """Writes one segment; its file is not part of anything until an index names it.

    `is_in_members`: each block is a gzip member of its own. A compressor takes 360 KiB, too much
    where a hundred segments are open at once.
    """

    def __init__(self, path: Path, *, is_in_members: bool = False) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._compressor = isal_zlib.compressobj(level=1, wbits=GZIP) if not is_in_members else None
        self._size_bytes = 0
        self.rows = 0
        self.text_bytes = 0
        with disk_faults_refused(path, "create"):
            self._file: BufferedWriter = path.open("xb")

    def write_block(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        text = encoded_rows(rows)
        self.rows += len(rows)
        self.text_bytes += len(text)
        if self._compressor is None:
            self._append(isal_zlib.compress(text, 1, GZIP))
        else:
            self._append(self._compressor.compress(text))

    def finish(self, *, is_durable: bool = True) -> Segment:
        """Close the file, durably unless the owner sees to that later, and return its record."""
        if self._compressor is not None:
            self._append(self._compressor.flush())
        with disk_faults_refused(self._path, "write"):
            self._file.flush()
            if is_durable:
                os.fsync(self._file.fileno())
            self._file.close()
        return Segment(
            file=self._path.name,
            rows=self.rows,
            size_bytes=self._size_bytes,
            sha256=self._digest.hexdigest(),
        )

    def discard(self) -> None:
        """Close without finishing; the file is the owner's to remove."""
        close_file(self._file)

    def _append(self, data: bytes) -> None:
        self._digest.update(data)
        self._size_bytes += len(data)
        with disk_faults_refused(self._path, "write"):
            self._file.write(data)


def segment_blocks(path: Path, segment: Segment) -> Iterator[list[list[Scalar]]]:
    """Stream the rows of one segment, some hundreds at once, after checking its size and digest.

    Raises:
        ArtifactDamagedError: the file is missing, cut, altered, or holds another number of rows.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError as fault:
        raise ArtifactDamagedError(f"{shown_path(path)} is missing", hint=MEND) from fault
    except OSError:
        with disk_faults_refused(path, "read"):
            raise
    with file:
        _check_digest(file, path, segment)
        rows = 0
        for lines in _whole_lines(file, path):
            try:
                block = decoded_rows(lines)
            except ValueError as fault:
                raise ArtifactDamagedError(
                    f"{shown_path(path)} holds a line that is no row", hint=MEND
                ) from fault
            rows += len(block)
            yield block
    if rows != segment.rows:
        raise ArtifactDamagedError(
            f"{shown_path(path)} holds {rows} rows, its index says {segment.rows}", hint=MEND
        )


def _check_digest(file: BufferedReader, path: Path, segment: Segment) -> None:
    with disk_faults_refused(path, "read"):
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes == segment.size_bytes:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
    if size_bytes != segment.size_bytes:
        raise ArtifactDamagedError(
            f"{shown_path(path)} has {size_bytes} bytes, its index says {segment.size_bytes}",
            hint=MEND,
        )
    if digest != segment.sha256:
        raise ArtifactDamagedError(
            f"{shown_path(path)} was altered: its SHA-256 is not what its index says", hint=MEND
        )


def _whole_lines(file: BufferedReader, path: Path) -> Iterator[bytes]:
    decoder = isal_zlib.decompressobj(wbits=GZIP)
    pending = b""
    try:
        # Finite: every turn takes bytes of the file, or text of those taken.
        while True:
            with disk_faults_refused(path, "read"):
                data = decoder.unused_data or decoder.unconsumed_tail or file.read(BLOCK_BYTES)
            if decoder.eof:
                if not data:
                    break
                # Another gzip member: a segment may consist of many.
                decoder = isal_zlib.decompressobj(wbits=GZIP)
            text = decoder.decompress(data, BLOCK_BYTES)
            if not data and not text:
                raise ArtifactDamagedError(f"{shown_path(path)} is cut", hint=MEND)
            head, newline, tail = text.rpartition(b"\n")
            if newline:
                yield pending + head + newline
                pending = tail
            else:
                pending += tail
    except _NO_GZIP as fault:
        raise ArtifactDamagedError(f"{shown_path(path)} is no gzip: {fault}", hint=MEND) from fault
    if pending:
        raise ArtifactDamagedError(f"{shown_path(path)} ends inside a row", hint=MEND)
