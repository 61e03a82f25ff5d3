"""Byte ranges: of reads, which are forgiving, and of copy sources, which are not.

Law: a span is a half-open pair of offsets within the object.
"""

from __future__ import annotations

import re

from backfill.sandbox.model import refusals, upload_refusals
from backfill.sandbox.model.errors import S3Error

Span = tuple[int, int]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z", re.ASCII)


def _unsatisfiable(text: str, size_bytes: int) -> S3Error:
    return S3Error(
        refusals.INVALID_RANGE,
        fields=(("RangeRequested", text), ("ActualObjectSize", str(size_bytes))),
        headers=(("content-range", f"bytes */{size_bytes}"),),
    )


def read_span(text: str, size_bytes: int) -> Span | None:
    """The span of a Range header; None where S3 ignores it (another unit, several ranges)."""
    match = _RANGE.match(text.strip())
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if first == "":
        suffix = int(last)
        if suffix == 0 or size_bytes == 0:
            raise _unsatisfiable(text, size_bytes)
        return max(0, size_bytes - suffix), size_bytes
    start = int(first)
    end = size_bytes if last == "" else int(last) + 1
    if end <= start and last != "":
        return None
    if start >= size_bytes:
        raise _unsatisfiable(text, size_bytes)
    return start, min(end, size_bytes)


def copy_span(text: str, size_bytes: int) -> Span:
    """The span of `x-amz-copy-source-range`: both ends given, both within the source."""
    match = _RANGE.match(text)
    if match is None or "" in match.groups():
        raise S3Error(upload_refusals.INVALID_COPY_RANGE)
    start, last = int(match.group(1)), int(match.group(2))
    if last < start:
        raise S3Error(upload_refusals.INVALID_COPY_RANGE)
    if last >= size_bytes:
        raise S3Error(
            upload_refusals.COPY_RANGE_OUTSIDE,
            message=f"Range specified is not valid for source object of size: {size_bytes}",
        )
    return start, last + 1
