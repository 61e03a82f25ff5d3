"""The large objects of a manifest: its rows of keys with an object to copy in parts, once more.

Execute begins them first, and need not look for them among millions of rows.
Never written where a manifest has none. Never counted: the manifest alone says what is to be done.
Law: a manifest's summary names them by their digest, and a key's rows are all there or none.
"""

from collections.abc import Callable
from typing import Final

from backfill.manifest.rows import COLUMNS
from backfill.model.rows import Row
from backfill.plan.routes import Route

_KEY: Final = COLUMNS.index("key")
_ROUTE: Final = COLUMNS.index("route")
LARGE: Final = "large"
"""In a manifest's summary: the digest of its large objects."""


def large_name(manifest: str) -> str:
    """Return the artefact name of a manifest's large objects."""
    return f"{manifest}-large"


class LargeRows:
    """Takes every row of a manifest in order, and writes those of keys with a large object."""

    def __init__(self, write: Callable[[Row], object]) -> None:
        self._write = write
        self._key: object = None
        self._rows: list[Row] = []
        self._is_large = False
        self._written = 0

    def add(self, row: Row) -> None:
        """Take the next row."""
        if row[_KEY] != self._key:
            self._end_key()
            self._key = row[_KEY]
        self._rows.append(row)
        if row[_ROUTE] == Route.MULTIPART_COPY:
            self._is_large = True

    def finish(self) -> int:
        """End the last key; return how many rows were written: without any there is no note."""
        self._end_key()
        return self._written

    def _end_key(self) -> None:
        if self._is_large:
            for row in self._rows:
                self._write(row)
            self._written += len(self._rows)
            self._is_large = False
        self._rows.clear()
