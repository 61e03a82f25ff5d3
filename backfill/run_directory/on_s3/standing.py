"""Which files of a working copy stand: complete, and part of what the run knows.

Documents stand as soon as they are there, segments of rows when an index names them, segments of a
journal when the next one was begun.
Never reads a row.
Law: what two looks in a row see alike stood like that at one moment.
"""

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from backfill.model.json_values import json_value
from backfill.run_directory.durable import TEMPORARY_SUFFIX, disk_faults_refused
from backfill.run_directory.index import INDEX_FILE, SEGMENT_FILE
from backfill.run_directory.on_s3.catalogue import is_name
from backfill.run_directory.on_s3.mending import MARKER_FILE

LOOKS_MAX: Final = 5
"""Pairs of looks until two are alike; what is always on the move waits for the next time."""

_OWN: Final = frozenset({MARKER_FILE, "pulse.json"})
_FOLDERS_LEFT_OUT: Final = frozenset({"scratch", "watch"})
_JOURNAL: Final = re.compile(r"journal/[a-z0-9-]+/segment-[0-9]{6}")


class Stamp(NamedTuple):
    """What tells a file from the one that replaced it."""

    size_bytes: int
    modified_ns: int
    inode: int


class Tree(NamedTuple):
    """A look at a working copy. `named` are the segments that the indexes name."""

    files: dict[str, Stamp]
    named: frozenset[str]


def is_row_segment(name: str) -> bool:
    """Return whether a file is a segment of an artefact's rows: fetched when it is first read."""
    return SEGMENT_FILE.fullmatch(name.rpartition("/")[2]) is not None


def is_journal_segment(name: str) -> bool:
    """Return whether a file is a segment of a journal, which only grows."""
    return _JOURNAL.fullmatch(name) is not None


class Standing:
    """Looks at one working copy; indexes that did not change are read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._indexes: dict[str, tuple[Stamp, frozenset[str]]] = {}

    def tree(self, *, with_tails: bool) -> Tree | None:
        """Return what stands, None while it will not keep still.

        `with_tails`: segments of journals that are still written on, too.
        """
        with disk_faults_refused(self._root, "read"):
            last = self._look(with_tails=with_tails)
            for _ in range(LOOKS_MAX):
                now = self._look(with_tails=with_tails)
                if _settled(now) == _settled(last):
                    return now
                last = now
        return None

    def _look(self, *, with_tails: bool) -> Tree:
        files: dict[str, Stamp] = {}
        named: set[str] = set()
        for folder, folders, names in os.walk(self._root):
            below = os.path.relpath(folder, self._root)
            if below == ".":
                below = ""
                folders[:] = [name for name in folders if name not in _FOLDERS_LEFT_OUT]
                self._look_into(below, [n for n in names if _is_top_document(n)], files, named)
            else:
                self._look_into(below, names, files, named)
        if not with_tails:
            for name in _tails(files):
                del files[name]
        return Tree(files, frozenset(named))

    def _look_into(
        self, below: str, names: list[str], files: dict[str, Stamp], named: set[str]
    ) -> None:
        prefix = f"{below}/" if below else ""
        if INDEX_FILE in names:
            named |= self._named(prefix + INDEX_FILE, prefix)
        for file in names:
            name = prefix + file
            is_whole = not file.endswith(TEMPORARY_SUFFIX) and is_name(name)
            if not is_whole or file == "stretches.log":
                continue
            if is_row_segment(name) and name not in named:
                continue
            if (stamp := stamp_of(self._root / name)) is not None:
                files[name] = stamp

    def _named(self, index: str, prefix: str) -> frozenset[str]:
        stamp = stamp_of(self._root / index)
        held = self._indexes.get(index)
        if stamp is None:
            return frozenset()
        if held is None or held[0] != stamp:
            try:
                document = json_value((self._root / index).read_bytes())
                found = frozenset(prefix + each["file"] for each in document["segments"])
            except (ValueError, KeyError, TypeError):
                found = (
                    frozenset()
                )  # not an artefact's index, or a damaged one: it goes up as it is
            held = self._indexes[index] = (stamp, found)
        return held[1]


def _is_top_document(name: str) -> bool:
    return name.endswith(".json") and name not in _OWN


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def _tails(files: dict[str, Stamp]) -> list[str]:
    """Return the last segment of each journal."""
    last: dict[str, str] = {}
    for name in files:
        if is_journal_segment(name):
            folder = name.rpartition("/")[0]
            last[folder] = max(name, last.get(folder, ""))
    return list(last.values())


def _settled(tree: Tree) -> tuple[dict[str, Stamp], frozenset[str]]:
    """Return the part of a look that has to keep still: a journal may grow meanwhile."""
    files = {name: stamp for name, stamp in tree.files.items() if not is_journal_segment(name)}
    return files, tree.named
