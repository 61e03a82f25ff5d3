"""The join of manifest entries with the rows of completion reports: one task result an entry.

Never holds more than the rows of one key.
Law: every entry has exactly one result, and every row is some entry's, or is counted as foreign.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple, Self

from backfill.batch_operations.report_rows import HINT, TaskRow
from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.errors import ReportRefusedError
from backfill.manifest.entries import ManifestEntry
from backfill.model.escaping import visible_text


class AskedVersion(NamedTuple):
    """A version that a job is asked about, where no manifest entry stands for it."""

    number: int
    key: str
    version_id: str | None


Asked = ManifestEntry | AskedVersion


class Joined(Iterator[TaskResult]):
    """The results, in the order of the entries; `foreign` counts the rows of no entry so far."""

    def __init__(
        self, entries: Iterable[Asked], rows: Iterable[TaskRow], *, allows_foreign: bool
    ) -> None:
        self.foreign = 0
        self._allows_foreign = allows_foreign
        self._rows = iter(rows)
        self._row = next(self._rows, None)
        self._results = self._joined(entries)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TaskResult:
        return next(self._results)

    def _joined(self, entries: Iterable[Asked]) -> Iterator[TaskResult]:
        last = ""
        for key, entries_of_key in groupby(entries, key=_key_of):
            assert key > last, "entries come sorted by key"
            last = key
            rows = self._rows_of(key)
            missed = rows.copy()
            for entry in entries_of_key:
                row = rows.get(entry.version_id)
                missed.pop(entry.version_id, None)
                yield _result(entry, row)
            for row in missed.values():
                self._count_foreign(row)
        while self._row is not None:
            self._count_foreign(self._row)
            self._advance()

    def _rows_of(self, key: str) -> dict[str | None, TaskRow]:
        """Return the rows of a key by version ID; those of keys before it are nobody's."""
        rows: dict[str | None, TaskRow] = {}
        while (row := self._row) is not None and row.key <= key:
            if row.key < key:
                self._count_foreign(row)
            elif row.version_id in rows:
                raise _refused(row, "was a task of two jobs")
            else:
                rows[row.version_id] = row
            self._advance()
        return rows

    def _advance(self) -> None:
        before, self._row = self._row, next(self._rows, None)
        assert before is None or self._row is None or before.key <= self._row.key, "rows are sorted"

    def _count_foreign(self, row: TaskRow) -> None:
        if not self._allows_foreign:
            raise _refused(row, "was not asked for in the manifest")
        self.foreign += 1


def joined(entries: Iterable[Asked], rows: Iterable[TaskRow], *, allows_foreign: bool) -> Joined:
    """Stream one task result for each entry; both are sorted by key.

    Entries may share a version, one for each destination: its row is the result of all of them.
    With `allows_foreign` (S3 made the manifest) rows of no entry are counted, else refused.

    Raises:
        ReportRefusedError: a row is of no entry, or two rows are of one version.
    """
    return Joined(entries, rows, allows_foreign=allows_foreign)


def _key_of(entry: Asked) -> str:
    return entry.key


def _result(entry: Asked, row: TaskRow | None) -> TaskResult:
    if row is None:
        return TaskResult(number=entry.number, state=TaskState.NOT_ATTEMPTED)
    state = TaskState.SUCCEEDED if row.is_succeeded else TaskState.FAILED
    return TaskResult(entry.number, state, row.http_status, row.code, row.message)


def _refused(row: TaskRow, what: str) -> ReportRefusedError:
    version = "" if row.version_id is None else f" version {visible_text(row.version_id)}"
    return ReportRefusedError(
        f"completion report: {visible_text(row.key)}{version} {what}", hint=HINT
    )
