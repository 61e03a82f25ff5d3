"""Files of an artefact's folder that nobody names any more.

Never removes a file whose name is not ours.
Law: what an index names, or a writer still counts on, stays.
"""

from collections.abc import Collection
from pathlib import Path

from backfill.run_directory.durable import TEMPORARY_SUFFIX, disk_faults_refused
from backfill.run_directory.index import INDEX_FILE, SEGMENT_FILE, StoredIndex


def remove_leftovers(folder: Path, stored: StoredIndex | None, kept: Collection[str] = ()) -> None:
    """Remove segments that no index names: of a killed writer, or of a replaced artefact."""
    named = {segment.file for segment in stored.segments} if stored is not None else set()
    named.update(kept)
    with disk_faults_refused(folder, "clean"):
        for path in folder.iterdir():
            is_segment = SEGMENT_FILE.fullmatch(path.name) and path.name not in named
            if is_segment or path.name == INDEX_FILE + TEMPORARY_SUFFIX:
                path.unlink()
