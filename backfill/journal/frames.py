"""Frames: what one group commit writes, and how a cut one is told from a damaged one.

A frame is magic, length, CRC-32 and a payload of records, each with length and CRC-32 of its own.
A frame is written and synced before the next one begins, so only the last one of the last segment
can be torn: whatever is wrong before a frame that is whole is damage.
Never touches a file.
Law: no record of a frame is believed unless the whole frame is.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"\xffBJ\xfe"
"""0xFF and 0xFE never occur in UTF-8, so no text in a record can look like the start of a frame."""
FRAME_HEAD: Final = struct.Struct("<4sII")
RECORD_HEAD: Final = struct.Struct("<II")
FRAME_RECORDS_MAX: Final = 4096
"""Records of one commit. The callers in flight are fewer; it bounds what a torn frame can cost."""
FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
"""A length above it is damage, not a frame. 4,096 records of four texts are far below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRecord:
    """A record and the offset, in the scanned bytes, of its head."""

    offset: int
    record: bytes


def encoded_frame(records: Sequence[bytes]) -> tuple[bytes, tuple[int, ...]]:
    """Return a frame and the offset of each record in it."""
    assert 0 < len(records) <= FRAME_RECORDS_MAX, "a frame holds a commit's records"
    pieces: list[bytes] = []
    offsets: list[int] = []
    size = FRAME_HEAD.size
    pack, checksum, head_bytes = RECORD_HEAD.pack, zlib.crc32, RECORD_HEAD.size
    for record in records:
        offsets.append(size)
        pieces.append(pack(len(record), checksum(record)))
        pieces.append(record)
        size += head_bytes + len(record)
    payload = b"".join(pieces)
    return FRAME_HEAD.pack(MAGIC, len(payload), _checksum(payload)) + payload, tuple(offsets)


def frame_end(data: bytes, offset: int) -> int | None:
    """Return where the frame at `offset` ends, None when there is no whole frame."""
    if len(data) - offset < FRAME_HEAD.size:
        return None
    magic, length, checksum = FRAME_HEAD.unpack_from(data, offset)
    start = offset + FRAME_HEAD.size
    if magic != MAGIC or not 0 < length <= min(FRAME_BYTES_MAX, len(data) - start):
        return None
    is_sound = _checksum(memoryview(data)[start : start + length]) == checksum
    return start + length if is_sound else None


def frame_records(data: bytes, offset: int, end: int) -> Iterator[PlacedRecord]:
    """Yield the records of a whole frame, whose checksum covers them already.

    Raises:
        ValueError: their lengths do not add up to the frame's.
    """
    at = offset + FRAME_HEAD.size
    while at < end:
        length = RECORD_HEAD.unpack_from(data, at)[0] if end - at >= RECORD_HEAD.size else end
        start = at + RECORD_HEAD.size
        if length > end - start:
            raise ValueError("a record is longer than its frame")
        yield PlacedRecord(offset=at, record=data[start : start + length])
        at = start + length


def read_record(data: bytes, offset: int) -> bytes:
    """Return the record whose head lies at an offset.

    Raises:
        ValueError: it is cut or altered.
    """
    try:
        length, checksum = RECORD_HEAD.unpack_from(data, offset)
    except struct.error as fault:
        raise ValueError("a record's head is cut") from fault
    begin = offset + RECORD_HEAD.size
    record = data[begin : begin + length]
    if len(record) != length or zlib.crc32(record) != checksum:
        raise ValueError("a record is cut or altered")
    return record


def has_frame_after(data: bytes, offset: int) -> bool:
    """Return whether a whole frame follows somewhere after `offset`."""
    at = data.find(MAGIC, offset + 1)
    while at >= 0:
        if frame_end(data, at) is not None:
            return True
        at = data.find(MAGIC, at + 1)
    return False


def _checksum(payload: bytes | memoryview) -> int:
    # The length is covered too: a cut that ends on a record must not pass for a shorter frame.
    return zlib.crc32(payload, zlib.crc32(len(payload).to_bytes(4, "little")))
