"""The records of a CSV text that comes in pieces: what a line and a cell are, quotes and all.

Never knows what a cell means, and never holds more than one block and one record.
Law: every character belongs to exactly one record; what does is found without looking ahead.

Bytes that are no UTF-8 become lone surrogates, which no file can spell otherwise: so the reader of
the cells can refuse the very row that holds them.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 256 * 1024
"""Characters looked at together: enough that looking costs little, little enough to be held."""
RECORD_MAX: Final = BLOCK // 4
"""Characters of one row. A key takes 3,072 at most; the widest column of an inventory report, the
access control list, some 40,000 (S3 User Guide: storage-inventory)."""

_QUOTED: Final = re.compile(r'"([^"]*(?:""[^"]*)*)"')
_BARE: Final = re.compile(r"[^,\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell. `is_quoted` tells `"a"` from `a`."""

    text: str
    is_quoted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row. `end` is where the next begins; `fault` says why it is none, or nothing."""

    cells: tuple[Cell, ...]
    end: int
    has_cr: bool = False
    fault: str = ""

    @property
    def is_blank(self) -> bool:
        """Return whether the line holds nothing but spaces."""
        (first, *others) = self.cells
        return not others and not first.is_quoted and not first.text.strip(" \t")


def text_blocks(chunks: Iterable[bytes]) -> Iterator[str]:
    """Give the text in pieces of about `BLOCK` characters, cut anywhere; the last may be empty."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    held: list[str] = []
    held_size = 0
    for chunk in chunks:
        for start in range(0, len(chunk), BLOCK):
            piece = decoder.decode(chunk[start : start + BLOCK])
            held.append(piece)
            held_size += len(piece)
            if held_size >= BLOCK:
                yield "".join(held)
                held, held_size = [], 0
    yield "".join((*held, decoder.decode(b"", final=True)))


def record_at(text: str, start: int, *, is_last: bool) -> Record | None:
    """Return the record that begins at `start`, or None where more text may change it.

    With `is_last` no more text comes, and a record that begins before the end is one.
    """
    cells: list[Cell] = []
    position, size = start, len(text)
    while True:
        is_quoted = text.startswith('"', position)
        found = (_QUOTED if is_quoted else _BARE).match(text, position)
        if found is None:
            fault = "a quote is opened and never closed"
            return Record(cells=(), end=size, fault=fault) if is_last else None
        position = found.end()
        cell = found[1].replace('""', '"') if is_quoted else found[0]
        cells.append(Cell(text=cell, is_quoted=is_quoted))
        if text.startswith(",", position):
            position += 1
            continue
        ending = text[position : position + 2]
        if len(ending) < 2 and not is_last and not ending.startswith("\n"):
            return None
        return _ended(cells, position, ending)


def _ended(cells: list[Cell], position: int, ending: str) -> Record:
    """Return the record whose last cell ends at `position`, where `ending` follows."""
    last = cells[-1]
    has_cr = False
    if last.is_quoted and ending.startswith("\r"):
        has_cr, position, ending = True, position + 1, ending[1:]
    elif not last.is_quoted and last.text.endswith("\r"):
        has_cr, cells[-1] = True, Cell(text=last.text[:-1], is_quoted=False)
    if ending and not ending.startswith("\n"):
        return Record(cells=(), end=position, fault="something stands behind a closing quote")
    return Record(cells=tuple(cells), end=position + len(ending[:1]), has_cr=has_cr)
