"""A copy of a run directory on this machine, whose larger files come when they are first read.

Never decides what is current: who made the copy has.
Law: a file is here whole, or it is fetched before anybody opens it.
"""

from collections.abc import Callable
from pathlib import Path

from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.index import INDEX_FILE, StoredIndex
from backfill.run_directory.on_s3.catalogue import Entry

Fetch = Callable[[list[Entry]], None]
"""Fetches files, and returns when they are here."""


class Copy:
    """The files of a copy. `absent` are those that are not here yet, by name."""

    def __init__(self, root: Path, absent: dict[str, Entry], fetch: Fetch) -> None:
        self.root = root
        self.absent = absent
        self.fetched: set[str] = set()
        self._fetch = fetch

    def has(self, prefix: str) -> bool:
        """Return whether there are files below a folder, here or still to come."""
        return (self.root / prefix).exists() or bool(self._below(prefix))

    def bring(self, prefix: str) -> None:
        """Have all files below a folder here."""
        self._bring(self._below(prefix))

    def bring_file(self, path: Path) -> Path:
        """Have a file here if there is one, and return its path."""
        entry = self.absent.get(path.relative_to(self.root).as_posix())
        if entry is not None:
            self._bring([entry])
        return path

    def _below(self, prefix: str) -> list[Entry]:
        return [entry for name, entry in self.absent.items() if name.startswith(f"{prefix}/")]

    def _bring(self, entries: list[Entry]) -> None:
        # What was written here meanwhile is newer than what was left to fetch.
        wanted = [entry for entry in entries if not (self.root / entry.name).exists()]
        if wanted:
            self._fetch(wanted)
        for entry in entries:
            del self.absent[entry.name]
        self.fetched.update(entry.name for entry in wanted)


class CopiedArtifacts(LocalArtifacts):
    """The ArtifactStore port on a copy."""

    def __init__(self, copy: Copy) -> None:
        super().__init__(copy.root)
        self._copy = copy

    def read_document(self, name: str) -> bytes | None:
        """Return one small file, None when there is none."""
        self._copy.bring_file(self._path(name))
        return super().read_document(name)

    def _segment(self, path: Path) -> Path:
        return self._copy.bring_file(path)

    def _stored(self, name: str) -> StoredIndex | None:
        self._copy.bring_file(self._path(name) / INDEX_FILE)
        return super()._stored(name)
