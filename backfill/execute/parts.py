"""Part boundaries: the source's own where they are known, computed ones otherwise.

Mirrored boundaries give the copy the ETag and the composite checksum of its source (S3 User Guide:
checking-object-integrity), so the copy proves itself. Never reads a store.
Law: parts cover every byte once, in order, and there are never more than 10,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backfill.settings import OBJECT_BYTES_MAX, PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRange:
    """Bytes `first_byte`..`last_byte` inclusive, zero-based, as UploadPartCopy names them."""

    number: int
    first_byte: int
    last_byte: int


def computed_part_bytes(size_bytes: int, *, part_bytes: int) -> int:
    """Return the part size for an object whose own boundaries cannot be read.

    Source: S3 User Guide, qfacts: 5 MiB to 5 GiB a part (the last may be smaller), 10,000 parts.
    """
    assert 0 < size_bytes <= OBJECT_BYTES_MAX, "the plan refuses what is too large"
    needed = -(-size_bytes // PARTS_MAX)
    return min(PART_BYTES_MAX, max(PART_BYTES_MIN, part_bytes, needed))


def computed_ranges(size_bytes: int, *, part_bytes: int) -> tuple[PartRange, ...]:
    """Return equal parts, the last one smaller."""
    each = computed_part_bytes(size_bytes, part_bytes=part_bytes)
    count = -(-size_bytes // each)
    sizes = [each] * (count - 1) + [size_bytes - each * (count - 1)]
    return ranges_of(sizes)


def uniform_sizes(
    *, size_bytes: int, parts_count: int, first_bytes: int, last_bytes: int
) -> tuple[int, ...] | None:
    """Return the sizes if all parts but the last are as large as the first, None if they are not.

    Uploaders cut evenly; two HEADs instead of thousands show it, because the sizes must add up.
    """
    if first_bytes * (parts_count - 1) + last_bytes != size_bytes:
        return None
    return (*[first_bytes] * (parts_count - 1), last_bytes)


def are_copyable(sizes: Sequence[int]) -> bool:
    """Return whether each part can be named by a range: CopySourceRange has no empty one."""
    return all(0 < size <= PART_BYTES_MAX for size in sizes)


def ranges_of(sizes: Sequence[int]) -> tuple[PartRange, ...]:
    """Return the ranges of parts of these sizes."""
    assert 0 < len(sizes) <= PARTS_MAX, "an object has 1 to 10,000 parts"
    assert are_copyable(sizes), "a part has 1 byte to 5 GiB"
    ranges = []
    first = 0
    for number, size in enumerate(sizes, start=1):
        ranges.append(PartRange(number=number, first_byte=first, last_byte=first + size - 1))
        first += size
    return tuple(ranges)
