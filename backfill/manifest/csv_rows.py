"""The rows of one CSV file, a manifest or the data file of an inventory report.

Never trusts a file to be tidy, and never pays for that where it is: lines without anything odd are
found by one pattern that must account for every character of a block.
Law: plain lines mean the same to the pattern and to the reader of records.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from backfill.errors import ManifestError
from backfill.manifest.csv_columns import settled_columns
from backfill.manifest.csv_format import decoded_key, has_bare_percent
from backfill.manifest.inventory_format import inventory_key
from backfill.manifest.operations_rows import Columns, ObjectRow, Oddity
from backfill.manifest.records import RECORD_MAX, Record, record_at, text_blocks
from backfill.model.objects import NULL_VERSION_ID, VersionId

KEY_BYTES_MAX: Final = 1024

_BUCKET: Final = r"[A-Za-z0-9._-]{3,255}"
"""A bucket's name; capitals, `_` and 255 characters are those of old ones in us-east-1."""
_VERSION_ID: Final = r"[A-Za-z0-9._~-]{1,1024}"
_BUCKET_CELL: Final = re.compile(_BUCKET)
_VERSION_ID_CELL: Final = re.compile(_VERSION_ID)
_KEY_CHARACTERS: Final = r"A-Za-z0-9_.~/!*'()$&;=:@%\-"
"""What encoders leave as it is in the path of a URL: it tells nothing of whether there was one.
Not the `+`, which some write for a space, and not the comma."""
_NOT_ENCODED: Final = re.compile(rf"[^{_KEY_CHARACTERS}+]")
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}|\+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Oddities = Counter[Oddity]
PlainLine = tuple[str, ...]


# Not frozen: it counts the rows that it reads.
@dataclass(slots=True, kw_only=True)
class CsvRows:
    """One CSV file being read. `number` is the row that was read last, blank ones counted."""

    columns: Columns
    is_inventory: bool
    oddities: Oddities
    bucket: str | None = None
    file: str = ""
    number: int = 0
    is_header_ahead: bool = False
    encoded_row: int = 0
    """A row that shows that keys are percent-encoded; 0 while none did."""
    unencoded_row: int = 0
    """A row that shows that they are not. Both in one file contradict each other."""
    plain: "_PlainLines | None" = None
    """None until the first row has told which column is which."""

    def rows(self, chunks: Iterable[bytes]) -> Iterator[ObjectRow]:
        """Give the rows of the file, which is read once."""
        text, is_begun = "", False
        for block, is_last in _with_last(text_blocks(chunks)):
            text += block
            if text and not is_begun:
                text, is_begun = self._without_mark(text), True
            if not self._is_settled(text, is_last=is_last):
                continue
            whole = text.rfind("\n") + 1
            lines = self._plain_lines(text[:whole])
            if lines is None:
                whole = 0
            else:
                yield from self._plain_rows(lines)
            if lines is None or is_last:
                whole = yield from self._odd_rows(text, whole, is_last=is_last)
            text = text[whole:]
            if len(text) > RECORD_MAX:
                self.number += 1
                raise self._refusal("it never ends: is a quote opened and not closed?")

    def _refusal(self, reason: str) -> ManifestError:
        return ManifestError(reason, row=self.number, file=self.file)

    def _without_mark(self, text: str) -> str:
        if text.startswith("\ufeff"):
            self.oddities[Oddity.BYTE_ORDER_MARK] += 1
        return text.removeprefix("\ufeff")

    def _is_settled(self, text: str, *, is_last: bool) -> bool:
        """Find out which column is which, once there are rows to look at."""
        if self.plain is not None:
            return True
        first, second = _first_cells(text, is_last=is_last)
        if second is None and not is_last and len(text) <= 2 * RECORD_MAX:
            return False
        if first is None:
            return True
        settled = settled_columns(first, second, declared=self.columns, bucket=self.bucket)
        if settled.fault:
            self.number += 1
            raise self._refusal(settled.fault)
        self.columns, self.is_header_ahead = settled.columns, settled.has_header
        self.oddities.update(settled.oddities)
        self.plain = _PlainLines(self.columns, self.bucket, is_inventory=self.is_inventory)
        return True

    def _plain_lines(self, text: str) -> list[PlainLine] | None:
        """Return the cells of every line, or None if there is a line that is not plain."""
        if self.plain is None or self.is_header_ahead:
            return None
        return self.plain.found(text)

    def _plain_rows(self, lines: list[PlainLine]) -> Iterator[ObjectRow]:
        assert self.plain is not None, "it found the lines"
        bucket_at, key_at, version_at, marker_at = self.plain.places
        if marker_at is not None:
            self._count_markers(line[marker_at] for line in lines)
        version_id: VersionId | None = None
        for line in lines:
            self.number += 1
            key = line[key_at]
            if "%" in key or "+" in key or len(key) > KEY_BYTES_MAX:
                key = self._key(key)
            if version_at is not None:
                version_id = VersionId(line[version_at]) or NULL_VERSION_ID
            yield ObjectRow(bucket=line[bucket_at], key=key, version_id=version_id)

    def _odd_rows(self, text: str, start: int, *, is_last: bool) -> Generator[ObjectRow, None, int]:
        """Give the rows of all whole records from `start`; return where the rest begins."""
        while start < len(text):
            record = record_at(text, start, is_last=is_last)
            if record is None:
                break
            start = record.end
            row = self._row(record)
            if row is not None:
                yield row
        return start

    def _row(self, record: Record) -> ObjectRow | None:
        """Return the row of a record, or None for a blank line and the header."""
        self.number += 1
        if record.fault:
            raise self._refusal(record.fault)
        if record.is_blank:
            self.oddities[Oddity.BLANK_LINE] += 1
            return None
        if record.has_cr:
            self.oddities[Oddity.LINE_END] += 1
        if self.is_header_ahead:
            self.is_header_ahead = False
            return None
        cells, columns = record.cells, self.columns
        if len(cells) != columns.width:
            found = f"{len(cells)} columns instead of {columns.width}"
            raise self._refusal(f"{found}: is a comma not encoded?")
        if any(_SURROGATE.search(cell.text) for cell in cells):
            raise self._refusal("it has bytes that are no UTF-8")
        bucket = self._bucket(cells[columns.bucket].text)
        version_id = None
        if columns.version_id is not None:
            version_id = self._version_id(cells[columns.version_id].text)
        if columns.is_delete_marker is not None:
            self._count_markers([cells[columns.is_delete_marker].text.lower()])
        key = cells[columns.key]
        if not key.is_quoted and key.text != key.text.strip():
            raise self._refusal("its key begins or ends with a space that is not encoded")
        return ObjectRow(bucket=bucket, key=self._key(key.text), version_id=version_id)

    def _bucket(self, cell: str) -> str:
        bucket = self._trimmed(cell)
        if not _BUCKET_CELL.fullmatch(bucket):
            raise self._refusal("its bucket is no bucket's name: are columns in another order?")
        if self.bucket is not None and bucket != self.bucket:
            raise self._refusal("it is of another bucket")
        return bucket

    def _version_id(self, cell: str) -> VersionId:
        text = self._trimmed(cell)
        if text == r"\N" or (not text and not self.is_inventory):
            self.oddities[Oddity.NULL_VERSION_ID] += 1
        if text in {"", r"\N"}:
            return NULL_VERSION_ID
        if not _VERSION_ID_CELL.fullmatch(text):
            raise self._refusal("its version ID is none: are columns in another order?")
        return VersionId(text)

    def _trimmed(self, cell: str) -> str:
        trimmed = cell.strip(" \t")
        if trimmed != cell:
            self.oddities[Oddity.SPACE] += 1
        return trimmed

    def _count_markers(self, cells: Iterable[str]) -> None:
        if markers := sum(cell == "true" for cell in cells):
            self.oddities[Oddity.DELETE_MARKER] += markers

    def _key(self, text: str) -> str:
        """Return the key that a cell spells."""
        if "+" in text and not self.is_inventory:
            raise self._refusal("the + in its key may be a space or a plus: write %20 or %2B")
        if _NOT_ENCODED.search(text) or has_bare_percent(text):
            if _ENCODED.search(text) or self.encoded_row:
                raise self._refusal(self._contradiction("is not", self.encoded_row))
            self.unencoded_row = self.number
            self.oddities[Oddity.UNENCODED_KEY] += 1
            return self._checked_key(text)
        if "%" in text or "+" in text:
            if self.unencoded_row:
                raise self._refusal(self._contradiction("is", self.unencoded_row))
            self.encoded_row = self.number
        try:
            return self._checked_key((inventory_key if self.is_inventory else decoded_key)(text))
        except ValueError as error:
            raise self._refusal(f"its key has {error}") from None

    def _contradiction(self, here: str, other_row: int) -> str:
        if not other_row:
            return "only a part of its key is percent-encoded"
        there = "is" if here == "is not" else "is not"
        return f"its key {here} percent-encoded, and that of row {other_row} {there}"

    def _checked_key(self, key: str) -> str:
        if not key or len(key.encode()) > KEY_BYTES_MAX:
            raise self._refusal("its key is empty or longer than 1,024 bytes")
        return key


class _PlainLines:
    """The pattern of a line without anything odd, with quotes around every cell or without."""

    def __init__(self, columns: Columns, bucket: str | None, *, is_inventory: bool) -> None:
        groups = {
            columns.bucket: re.escape(bucket) if bucket else _BUCKET,
            columns.key: f"[{_KEY_CHARACTERS}{'+' if is_inventory else ''}]+",
        }
        if columns.version_id is not None:
            groups[columns.version_id] = f"{_VERSION_ID}{'|' if is_inventory else ''}"
        if columns.is_delete_marker is not None:
            groups[columns.is_delete_marker] = "true|false|"
        order = sorted(groups)
        self.places = (
            order.index(columns.bucket),
            order.index(columns.key),
            None if columns.version_id is None else order.index(columns.version_id),
            None if columns.is_delete_marker is None else order.index(columns.is_delete_marker),
        )
        bare, quoted = (
            [f"({groups[at]})" if at in groups else passed_over for at in range(columns.width)]
            for passed_over in (r'[^",\n\r\ud800-\udfff]*', r'[^"\n\r\ud800-\udfff]*')
        )
        self._bare = re.compile(f"^{','.join(bare)}\n", re.MULTILINE)
        self._quoted = re.compile('^"' + '","'.join(quoted) + '"\n', re.MULTILINE)

    def found(self, text: str) -> list[PlainLine] | None:
        """Return the cells of every line, or None if there is a line that is not plain.

        A match is a whole line: as many matches as line feeds account for every character.
        """
        pattern = self._quoted if text.startswith('"') else self._bare
        lines: list[PlainLine] = pattern.findall(text)
        return lines if len(lines) == text.count("\n") else None


def _with_last(blocks: Iterator[str]) -> Iterator[tuple[str, bool]]:
    """Give each block, and whether it is the last; there is one at least."""
    block = next(blocks)
    for following in blocks:
        yield block, False
        block = following
    yield block, True


def _first_cells(text: str, *, is_last: bool) -> tuple[list[str] | None, list[str] | None]:
    """Return the cells of the first two rows that are not blank, None for one that is not there."""
    found: list[list[str] | None] = []
    start = 0
    while start < len(text) and len(found) < 2:
        record = record_at(text, start, is_last=is_last)
        if record is None:
            break
        start = record.end
        if record.fault or not record.is_blank:
            found.append([cell.text for cell in record.cells])
    first, second = [*found, None, None][:2]
    return first, second
