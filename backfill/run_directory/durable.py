"""Files that are there completely and durably, or not at all.

Never leaves a half-written file under its real name, and never lets a disk's fault look like a bug.
Law: temp file, fsync, rename, fsync of the directory, in this order.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import Final

from backfill.errors import RefusedError
from backfill.model.escaping import visible_text

TEMPORARY_SUFFIX: Final = ".partial"

_RESUMES: Final = "what was finished is kept: the same command resumes"
_MENDS: Final = {
    errno.ENOSPC: "free some space on that disk (of a run directory on S3: or name another with"
    " --scratch-dir)",
    errno.EDQUOT: "free some space under that quota",
    errno.EROFS: "make the run directory writable, or choose another with --run-dir (--scratch-dir,"
    " where it is on S3)",
    errno.EACCES: "make the run directory readable and writable for this user",
    errno.EPERM: "make the run directory readable and writable for this user",
}
_OF_DISKS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EFBIG, errno.ENODEV}
)
"""No fault of a program, and of no socket."""


def shown_path(path: Path) -> str:
    """Return a path for a message; control characters in it stay inert."""
    return visible_text(str(path))


@contextmanager
def disk_faults_refused(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError of the disk into a refusal that says what to mend (exit 10)."""
    try:
        yield
    except OSError as fault:
        raise _refused(fault, f"cannot {doing} {shown_path(path)}") from fault


def refusal_by_disk(fault: BaseException) -> RefusedError | None:
    """Return what a person reads of a fault that only a disk has, wherever it was met; or None.

    For the command's last resort: a read may fail anywhere, in the middle of a file.
    """
    if not isinstance(fault, OSError) or fault.errno not in _OF_DISKS:
        return None
    name = fault.filename
    where = f" at {shown_path(Path(os.fsdecode(name)))}" if isinstance(name, str | bytes) else ""
    return _refused(fault, f"the disk failed{where}")


def _refused(fault: OSError, what: str) -> RefusedError:
    mend = _MENDS.get(fault.errno or 0, "check the disk and the path")
    return RefusedError(f"{what}: {fault.strerror or fault}", hint=f"{mend}; {_RESUMES}")


def make_directory(path: Path) -> None:
    """Create a directory and its parents so that a power cut cannot take them back."""
    if path.is_dir():
        return
    make_directory(path.parent)
    # Keys and metadata may be confidential: a directory that we make is its owner's alone.
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make created, renamed and removed names of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class NewFile:
    """A file being written under another name; it replaces `path` when it is finished."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        self.may_be_visible = False
        """From the rename on, even where it or the sync that follows it is told to have failed."""
        with disk_faults_refused(path, "create"):
            self._file = self._temporary.open("wb")

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with disk_faults_refused(self._path, "write"):
            self._file.write(data)

    def finish(self) -> None:
        """Make the file durable and visible."""
        with disk_faults_refused(self._path, "write"):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self.may_be_visible = True
            self._temporary.replace(self._path)
            sync_directory(self._path.parent)

    def abandon(self) -> None:
        """Remove what was written; after `finish` there is nothing to remove."""
        close_file(self._file)
        # What cannot be removed now is invisible, and the next writer's to overwrite.
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


@contextmanager
def replaced_file(path: Path) -> Iterator[NewFile]:
    """Write a file whole: a reader sees the old one or the new one.

    An error inside the context leaves the old one.
    """
    file = NewFile(path)
    try:
        yield file
        file.finish()
    finally:
        file.abandon()


def close_file(file: BufferedWriter) -> None:
    """Close a file that nobody wants any more; a full disk fails the flush, yet it is closed."""
    with suppress(OSError):
        file.close()
