"""The folder of a working copy: whose it is, what it says of itself, what lies in it.

Never follows a link, and never works in a folder that somebody else can write.
Law: the folder's own inode and the machine's boot tell it from every copy of it.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from backfill.errors import RefusedError
from backfill.model.escaping import visible_text
from backfill.run_directory.durable import disk_faults_refused, replaced_file, shown_path
from backfill.run_directory.lock import LOCK_FILE
from backfill.run_directory.on_s3.catalogue import Catalogue
from backfill.run_directory.on_s3.gate import GATE_FILE
from backfill.run_directory.on_s3.mending import MARKER_FILE, Marker, decoded_marker, encoded_marker

_OTHERS: Final = 0o077
_KEPT: Final = frozenset({LOCK_FILE, GATE_FILE, MARKER_FILE, "pulse.json", "pulse.beat"})
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def refuse_open_folder(root: Path) -> None:
    """Refuse a folder that others may have made or may change; one that is not there is fine.

    Its name can be guessed, and it may lie where everybody writes.

    Raises:
        RefusedError: It is a link, another user's, or open to others.
    """
    with disk_faults_refused(root, "read"):
        if not root.exists() and not root.is_symlink():
            return
        found = root.lstat()
        is_ours = found.st_uid == os.geteuid() and not found.st_mode & _OTHERS
        if root.is_symlink() or not root.is_dir() or not is_ours:
            raise RefusedError(
                f"{shown_path(root)} is not a folder of this user alone",
                hint="remove it, or name a folder of your own with --scratch-dir",
            )


def refuse_working_copy(root: Path) -> None:
    """Refuse to work on the copy of a run directory on S3 as if it were one of its own.

    Raises:
        RefusedError: It is one.
    """
    with disk_faults_refused(root, "read"):
        if not (root / MARKER_FILE).exists():
            return
    marker = marker_of(root)
    url = marker.url if marker is not None else "s3://..."
    raise RefusedError(
        f"{shown_path(root)} is the working copy of a run directory on S3",
        hint=f"go on with --run-dir {visible_text(url)}, or name another folder",
    )


def place_of(root: Path) -> str:
    """Return what tells this folder from a copy of it, elsewhere or on a disk that was cloned."""
    found = root.stat()
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""  # not Linux: nothing tells two machines apart, so no copy is ever believed
    return f"{boot} {found.st_dev} {found.st_ino}" if boot else ""


def marker_of(root: Path) -> Marker | None:
    """Return what a working copy says of itself; None for nothing that can be believed."""
    with disk_faults_refused(root, "read"):
        path = root / MARKER_FILE
        return decoded_marker(path.read_bytes()) if path.is_file() else None


def write_marker(root: Path, marker: Marker) -> None:
    """Say it."""
    with replaced_file(root / MARKER_FILE) as file:
        file.write(encoded_marker(marker))


def found_files(root: Path, catalogue: Catalogue) -> dict[str, str | None]:
    """Return the files of a working copy, with the SHA-256 of those that may be the catalogue's."""
    found: dict[str, str | None] = {}
    with disk_faults_refused(root, "read"):
        for folder, _, names in os.walk(root):
            for file in names:
                path = Path(folder, file)
                name = path.relative_to(root).as_posix()
                if name in _KEPT:
                    continue
                entry = catalogue.get(name)
                is_alike = entry is not None and path.stat().st_size == entry.size_bytes
                found[name] = _sha256_of(path) if is_alike else None
    return found


def clear(root: Path, names: tuple[str, ...]) -> None:
    """Remove files that belong to another past of the run directory, and its scratch folder."""
    with disk_faults_refused(root, "clean"):
        for name in names:
            (root / name).unlink(missing_ok=True)
        shutil.rmtree(root / "scratch", ignore_errors=True)
        remove_empty_folders(root)


def remove_empty_folders(root: Path) -> None:
    """Remove what holds nothing, below a folder and it itself."""
    for folder, _, _ in os.walk(root, topdown=False):
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
