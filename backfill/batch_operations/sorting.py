r"""An external merge sort of task rows by key and version ID, as Python compares strings.

Never holds more than one run of rows, or one block of each file that is merged; no file stays open
between two blocks, so the number of files has no limit of the system's.
Law: the line of a row sorts as its (key, version ID): `\0` ends a field, and what could be taken
for an end is escaped so that the order stays.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Final

from backfill.batch_operations.report_rows import HINT, TaskRow
from backfill.errors import ReportRefusedError
from backfill.model.escaping import visible_text

RUN_CHARS: Final = 16 * 1024 * 1024
"""Text of one run: about 150,000 rows, 30 MiB as Python strings; 64 MiB and their heads at most,
where every row holds characters beyond U+FFFF."""
FAN_IN: Final = 64
"""Files merged at once. 64 runs are 6 million rows in one pass, 400 million in two."""
BLOCKS_BYTES: Final = 4 * 1024 * 1024
"""Read ahead of all files of a merge together, five times that as Python strings."""
BLOCK_BYTES_MIN: Final = 4096
WRITE_ROWS: Final = 2000
"""Lines written at once; between two writes other tasks get their turn."""

_LOW: Final = re.compile("[\x00-\x0a]")
_ESCAPED: Final = re.compile("\x01([\x10-\x1a])")


def line_of(row: TaskRow) -> str:
    """Return a row as a line, without its line feed."""
    key, version_id, code, message = row.key, row.version_id or "", row.code, row.message
    # What is printable holds nothing to escape, and is told much faster than by a pattern.
    if not (key.isprintable() and message.isprintable() and f"{version_id}{code}".isprintable()):
        fields = (key, version_id, code, message)
        key, version_id, code, message = (_LOW.sub(_escape, field) for field in fields)
    status = "S" if row.is_succeeded else "F"
    http_status = "" if row.http_status is None else row.http_status
    return f"{key}\0{version_id}\0{status}\0{http_status}\0{code}\0{message}"


def row_of(line: str) -> TaskRow:
    """Return the row of a line."""
    key, version_id, ending = line.split("\0", 2)
    if "\x01" in line:
        key, version_id = _ESCAPED.sub(_unescape, key), _ESCAPED.sub(_unescape, version_id)
    return TaskRow(key, version_id or None, *_ending_of(ending))


@lru_cache(maxsize=256)  # most rows of a report end alike
def _ending_of(text: str) -> tuple[bool, int | None, str, str]:
    status, http_status, *words = text.split("\0")
    code, message = (_ESCAPED.sub(_unescape, word) for word in words)
    return status == "S", int(http_status) if http_status else None, code, message


def _escape(low: re.Match[str]) -> str:
    # Beside its like it sorts as before, and before everything else, as it did.
    return f"\x01{chr(ord(low[0]) + 0x10)}"


def _unescape(escaped: re.Match[str]) -> str:
    return chr(ord(escaped[1]) - 0x10)


class RowSorter:
    """Sorts rows into one file; `folder` is the sorter's own and its owner's to remove."""

    def __init__(self, folder: Path, *, run_chars: int = RUN_CHARS, fan_in: int = FAN_IN) -> None:
        assert fan_in >= 2, "a merge of one file does not get shorter"
        self._folder = folder
        self._run_chars = run_chars
        self._fan_in = fan_in
        self._lines: list[str] = []
        self._chars = 0
        self._runs: list[Path] = []
        self._made = 0

    def add(self, row: TaskRow) -> None:
        """Take one row."""
        line = line_of(row)
        self._lines.append(line)
        self._chars += len(line)
        if self._chars >= self._run_chars:
            self._spill()

    def finish(self, path: Path) -> Iterator[None]:
        """Write all rows, sorted, to `path`; each step is short, so that others get their turn.

        Raises:
            ReportRefusedError: two rows are of the same key and version ID.
        """
        self._spill()
        while len(self._runs) > self._fan_in:
            group, self._runs = self._runs[: self._fan_in], self._runs[self._fan_in :]
            run = self._new_run()
            yield from _write(merged_lines(group), run)
            self._runs.append(run)
            _remove(group)
        yield from _write(_without_twins(merged_lines(self._runs)), path)
        _remove(self._runs)
        self._runs = []

    def _spill(self) -> None:
        self._lines.sort()
        run = self._new_run()
        for _ in _write(self._lines, run):
            pass
        self._runs.append(run)
        self._lines = []
        self._chars = 0

    def _new_run(self) -> Path:
        self._made += 1
        return self._folder / f"run-{self._made}"


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink()


def _write(lines: Iterable[str], path: Path) -> Iterator[None]:
    source = iter(lines)
    with path.open("wb") as file:
        while block := list(islice(source, WRITE_ROWS)):
            file.write(("\n".join(block) + "\n").encode())
            yield


def merged_lines(paths: Sequence[Path]) -> Iterator[str]:
    """Merge files of sorted lines."""
    block_bytes = max(BLOCKS_BYTES // max(len(paths), 1), BLOCK_BYTES_MIN)
    if len(paths) == 1:
        return _lines(paths[0], block_bytes)
    return merge(*(_lines(path, block_bytes) for path in paths))


def _lines(path: Path, block_bytes: int) -> Iterator[str]:
    offset = 0
    size_bytes = block_bytes
    while block := _read(path, offset, size_bytes):
        end = block.rfind(b"\n")
        if end < 0:
            assert len(block) == size_bytes, "every line of a run has an end"
            size_bytes *= 2
            continue
        offset += end + 1
        yield from block[:end].decode().split("\n")


def _read(path: Path, offset: int, size_bytes: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size_bytes)


def _without_twins(lines: Iterable[str]) -> Iterator[str]:
    identity = "\n"  # no line begins so
    for line in lines:
        if line.startswith(identity):
            row = row_of(line)
            version = "" if row.version_id is None else f" version {visible_text(row.version_id)}"
            raise ReportRefusedError(
                f"completion report: {visible_text(row.key)}{version} has two rows", hint=HINT
            )
        identity = line[: line.index("\0", line.index("\0") + 1) + 1]
        yield line
