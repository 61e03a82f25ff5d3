"""One process at a time on a run directory, and the children that it lets in.

Never believes what a lock file says: the kernel's flock decides, the text only names the holder.
Law: the lock ends when the last process that holds it ends, however it ends.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backfill.errors import LeaseHeldError
from backfill.model.escaping import visible_text
from backfill.model.json_values import json_value
from backfill.ports import Clock
from backfill.run_directory.durable import disk_faults_refused, make_directory, shown_path

LOCK_FILE: Final = "lock"


@contextmanager
def hold_run_directory(root: Path, *, clock: Clock) -> Iterator[int]:
    """Hold the run directory, made if need be; yields the descriptor that children may inherit.

    The descriptor is closed at exec unless it is passed on (`pass_fds`); see `join_run_directory`.

    Raises:
        LeaseHeldError: another process holds it.
        RefusedError: the directory cannot be written.
    """
    path = root / LOCK_FILE
    with disk_faults_refused(path, "lock"):
        make_directory(root)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # Closed, never unlocked: an unlock would take the lock from children that joined, too.
    with _closing(descriptor):
        _lock(descriptor, path)
        with disk_faults_refused(path, "write"):
            holder = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": clock.now().isoformat(timespec="seconds"),
            }
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield descriptor


@contextmanager
def join_run_directory(root: Path, descriptor: int) -> Iterator[None]:
    """Share the lock of the parent that passed `descriptor` on, which is taken over and closed.

    Raises:
        LeaseHeldError: the descriptor is not the holder's.
    """
    path = root / LOCK_FILE
    with _closing(descriptor):
        # Locking again what one's own open file description holds succeeds; any other conflicts.
        _lock(descriptor, path)
        yield


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _held(path, _holder(path)) from None
    except OSError:
        with disk_faults_refused(path, "lock"):
            raise
    # Somebody may have removed the file that was locked: then the lock guards nothing.
    with disk_faults_refused(path, "lock"):
        is_in_place = path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
    if not is_in_place:
        raise _held(path, "another process, which replaced its lock file")


def _held(path: Path, holder: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"the run directory {shown_path(path.parent)} is in use by {holder}",
        hint="wait until it ends, or choose another --run-dir",
    )


def _holder(path: Path) -> str:
    try:
        holder = json_value(path.read_bytes())
        text = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return visible_text(text)


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
