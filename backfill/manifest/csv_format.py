"""The text of S3BatchOperations_CSV_20180820 and of inventory data files: one line a row.

Never reads a line (`backfill.manifest.reading` does) and never writes a file.
Law: `decoded_key(encoded_key(key)) == key` for every key, and no line ever needs CSV's escapes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from string import ascii_letters, digits
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from backfill.errors import ManifestError
from backfill.manifest.operations_rows import ObjectRow

BATCH_ROWS: Final = 4_096
"""Rows spelled together: the work on each shrinks to what it alone needs."""
LINES_HELD_MAX: Final = 4 * BATCH_ROWS
"""Rows of one key that are held until they are known to fit into a shard. With the longest keys
they take 70 MB; few keys have so many versions."""

_NEEDS_ENCODING: Final = re.compile(r"[^A-Za-z0-9_.~/-]")
"""What `quote` encodes: keys without it, most of all, are spared the work."""
_PLAIN_IN_NAME: Final = f"{ascii_letters}{digits}_.~-".encode()
"""All that a bucket's name and a version ID hold."""
_PLAIN_IN_KEY: Final = _PLAIN_IN_NAME + b"/"
_KEY: Final = attrgetter("bucket", "key")
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encoded_key(key: str) -> str:
    """Return a key as a manifest has it (S3 User Guide: specify-batchjob-manifest).

    All but letters, digits, `_.~-` and `/` is percent-encoded as UTF-8: comma, quote, line feed,
    control characters and `+` as well, so that the result is ASCII and needs no quoting.
    """
    return quote(key, safe="/") if _NEEDS_ENCODING.search(key) else key


def decoded_key(text: str) -> str:
    """Return the key that a manifest or a completion report spells as `text`.

    What is not percent-encoded stands for itself: a `+` is a plus, never a space.

    Raises:
        ValueError: `text` spells no key; the message says why and shows nothing of it.
    """
    if "%" not in text:
        return text
    if has_bare_percent(text):
        raise ValueError("a % without two hexadecimal digits after it")
    try:
        if text.isascii() and "\\" not in text:
            # As Python's own escapes: a third of the time that `unquote_to_bytes` takes.
            escaped = text.replace("%", "\\x").encode()
            return escaped.decode("unicode_escape").encode("latin-1").decode()
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ValueError("percent-encoded bytes that are no UTF-8") from None


def has_bare_percent(text: str) -> bool:
    """Return whether a `%` begins no triplet: such a text was never percent-encoded."""
    return _BARE_PERCENT.search(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Consecutive lines, all ASCII. `is_key_begun`: the first key has lines before these."""

    rows: Sequence[ObjectRow]
    lines: Sequence[str]
    text: str
    is_key_begun: bool
    has_version_ids: bool

    @property
    def size_bytes(self) -> int:
        """Return the bytes of the lines."""
        return len(self.text)

    def by_key(self) -> Iterator["Lines"]:
        """Give the lines of each key apart."""
        start = 0
        for _, same in groupby(self.rows, key=_KEY):
            end = start + sum(1 for _ in same)
            yield Lines(
                rows=self.rows[start:end],
                lines=self.lines[start:end],
                text="".join(self.lines[start:end]),
                is_key_begun=self.is_key_begun and start == 0,
                has_version_ids=self.has_version_ids,
            )
            start = end


def csv_lines(rows: Iterable[ObjectRow]) -> Iterator[Lines]:
    """Give the lines of a CSV manifest, in the order of the rows, in batches that end with a key.

    Only a key of more than `LINES_HELD_MAX` rows comes in several.

    Raises:
        ManifestError: Some rows have a version ID and some have none, or a bucket's name, a key
            or a version ID cannot be one.
    """
    return _lines(rows, bucket=None)


def inventory_lines(rows: Iterable[ObjectRow], *, bucket: str) -> Iterator[Lines]:
    """Give the lines of an inventory report, with quotes around each cell, as `csv_lines`.

    Raises:
        ManifestError: As `csv_lines`, or a row is not of the bucket that the report is about.
    """
    return _lines(rows, bucket=bucket)


def _lines(rows: Iterable[ObjectRow], *, bucket: str | None) -> Iterator[Lines]:
    number, last = 0, None
    has_version_ids: bool | None = None
    for batch in _batches(rows):
        if has_version_ids is None:
            has_version_ids = batch[0].version_id is not None
        lines = _spelled(batch, number=number, has_version_ids=has_version_ids, bucket=bucket)
        yield Lines(
            rows=batch,
            lines=lines,
            text="".join(lines),
            is_key_begun=_KEY(batch[0]) == last,
            has_version_ids=has_version_ids,
        )
        number, last = number + len(batch), _KEY(batch[-1])


def _batches(rows: Iterable[ObjectRow]) -> Iterator[list[ObjectRow]]:
    """Give the rows in batches that end where a key ends, or are all of one key."""
    source = iter(rows)
    held: list[ObjectRow] = []
    while taken := list(islice(source, BATCH_ROWS)):
        held += taken
        last, end = _KEY(held[-1]), len(held)
        while end and _KEY(held[end - 1]) == last:
            end -= 1
        if end:
            yield held[:end]
            held = held[end:]
        elif len(held) >= LINES_HELD_MAX:
            yield held
            held = []
    if held:
        yield held


def _spelled(
    rows: Sequence[ObjectRow], *, number: int, has_version_ids: bool, bucket: str | None
) -> list[str]:
    """Return the line of each row; `number` rows came before."""
    keys = [row.key for row in rows]
    # All keys at once: deleting what is plain takes a tenth of the time of looking at each.
    if "".join(keys).encode(errors="surrogatepass").translate(None, _PLAIN_IN_KEY):
        try:
            keys = [encoded_key(key) for key in keys]
        except UnicodeEncodeError:
            raise _refusal(rows, number, "its key is no UTF-8", _has_no_utf_8) from None
    if not all(keys):
        raise _refusal(rows, number, "its key is empty", _has_empty_key)
    buckets = [row.bucket for row in rows]
    if not all(map(_is_name, set(buckets))):
        raise _refusal(rows, number, "its bucket is no bucket's name", _has_odd_bucket)
    if bucket is not None and {*buckets} != {bucket}:
        wrong = "it is not of the bucket that the report is about"
        raise _refusal(rows, number, wrong, lambda row: row.bucket != bucket)
    versions = [row.version_id for row in rows]
    comma, end, start = ('","', '"\n', '"') if bucket is not None else (",", "\n", "")
    if not has_version_ids:
        if any(version_id is not None for version_id in versions):
            raise _refusal(rows, number, "only some rows have a version ID", _has_version_id)
        return [
            f"{start}{bucket}{comma}{key}{end}" for bucket, key in zip(buckets, keys, strict=True)
        ]
    if None in versions:
        raise _refusal(rows, number, "only some rows have a version ID", _lacks_version_id)
    whole = "".join(filter(None, versions)).encode(errors="surrogatepass")
    if not all(versions) or whole.translate(None, _PLAIN_IN_NAME):
        raise _refusal(rows, number, "its version ID is none", _has_odd_version_id)
    return [
        f"{start}{bucket}{comma}{key}{comma}{version_id}{end}"
        for bucket, key, version_id in zip(buckets, keys, versions, strict=True)
    ]


def _refusal(
    rows: Sequence[ObjectRow], number: int, reason: str, is_wrong: Callable[[ObjectRow], bool]
) -> ManifestError:
    """Return the error about the first of the rows that is wrong."""
    wrong = next(at for at, row in enumerate(rows, number + 1) if is_wrong(row))
    return ManifestError(reason, row=wrong)


def _is_name(text: str) -> bool:
    return bool(text) and not text.encode(errors="surrogatepass").translate(None, _PLAIN_IN_NAME)


def _has_no_utf_8(row: ObjectRow) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in row.key)


def _has_empty_key(row: ObjectRow) -> bool:
    return not row.key


def _has_odd_bucket(row: ObjectRow) -> bool:
    return not _is_name(row.bucket)


def _has_version_id(row: ObjectRow) -> bool:
    return row.version_id is not None


def _lacks_version_id(row: ObjectRow) -> bool:
    return row.version_id is None


def _has_odd_version_id(row: ObjectRow) -> bool:
    return not _is_name(row.version_id or "")
