"""The large objects of a manifest: its rows of keys with an object to copy in parts, once more.

Execute begins them first, and need not look for them among millions of rows.
Never written where a manifest has none. Never counted: the manifest alone says what is to be done.
Law: a manifest's summary names them by their digest, and a key's rows are all there or none.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Final

from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import COLUMNS, entry_of
from backfill.model.rows import Row
from backfill.plan.routes import Route
from backfill.ports import ArtifactIndex, ArtifactStore, RowWriter

_KEY: Final = COLUMNS.index("key")
_ROUTE: Final = COLUMNS.index("route")
_LARGE: Final = "large"
"""In a manifest's summary: the digest of its large objects."""


def large_name(manifest: str) -> str:
    """Return the artefact name of a manifest's large objects."""
    return f"{manifest}-large"


class LargeRows:
    """Takes every row of a manifest in order, and writes those of keys with a large object."""

    def __init__(self, writer: RowWriter) -> None:
        self._writer = writer
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

    def commit(self) -> dict[str, str]:
        """Make the artefact, if there is anything in it; return what the manifest's summary says.

        The manifest's own commit comes next.
        """
        self._end_key()
        if not self._written:
            return {}
        return {_LARGE: self._writer.commit({"rows": self._written}).digest}

    def _end_key(self) -> None:
        if self._is_large:
            for row in self._rows:
                self._writer.write(row)
            self._written += len(self._rows)
            self._is_large = False
        self._rows.clear()


@contextmanager
def large_rows(
    artifacts: ArtifactStore, manifest: str, inputs: Mapping[str, str]
) -> Iterator[LargeRows]:
    """Note the large objects of a manifest that is being written from these inputs."""
    with artifacts.writer(large_name(manifest), columns=COLUMNS, inputs=inputs) as writer:
        yield LargeRows(writer)


def large_entries(
    artifacts: ArtifactStore, manifest: ArtifactIndex, *, first: int = 0, end: int | None = None
) -> Callable[[], Iterator[ManifestEntry]] | None:
    """Return what gives the rows of large objects from row `first` to `end` (not included).

    None where none were noted for this very manifest.
    """
    name = large_name(manifest.name)
    index = artifacts.index(name)
    # One of the same name may be left of a manifest that was never finished.
    if index is None or index.digest != manifest.summary.get(_LARGE):
        return None
    last = manifest.rows if end is None else end

    def entries() -> Iterator[ManifestEntry]:
        rows = map(entry_of, artifacts.rows(name))
        own = (entry for entry in rows if entry.number >= first)
        return takewhile(lambda entry: entry.number < last, own)

    return entries
