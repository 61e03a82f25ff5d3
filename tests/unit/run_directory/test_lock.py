"""The lock of a run directory, with real processes: one holder, its children, and kill -9."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backfill.errors import LeaseHeldError, RefusedError
from backfill.run_directory.lock import LOCK_FILE, hold_run_directory, join_run_directory
from tests.doubles.stopped_clock import StoppedClock

CLOCK = StoppedClock(datetime(2026, 11, 22, 12, tzinfo=UTC))

HOLDER = """
import sys
from pathlib import Path
from backfill.aws.clock import SystemClock
from backfill.run_directory.lock import hold_run_directory
with hold_run_directory(Path(sys.argv[1]), clock=SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""

PARENT = """
import subprocess, sys
from pathlib import Path
from backfill.aws.clock import SystemClock
from backfill.run_directory.lock import hold_run_directory
with hold_run_directory(Path(sys.argv[1]), clock=SystemClock()) as descriptor:
    child = subprocess.Popen(
        [sys.executable, "-c", sys.argv[2], sys.argv[1], str(descriptor)],
        pass_fds=[descriptor],
    )
    child.wait()
"""

CHILD = """
import os, sys
from pathlib import Path
from backfill.run_directory.lock import join_run_directory
with join_run_directory(Path(sys.argv[1]), int(sys.argv[2])):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a script; yield it with the first line that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    """Two processes on one run directory would deliver twice."""
    with running(HOLDER, str(tmp_path)) as (holder, said):
        assert said == "held"
        with (
            pytest.raises(LeaseHeldError, match=f"process {holder.pid} on .+ since 20") as caught,
            hold_run_directory(tmp_path, clock=CLOCK),
        ):
            pass
        assert caught.value.exit_code == 11


def test_the_same_process_cannot_hold_twice(tmp_path: Path) -> None:
    """A lock is per open file: a second opening conflicts even in one process."""
    with (
        hold_run_directory(tmp_path, clock=CLOCK),
        pytest.raises(LeaseHeldError, match="since 2026-11-22T12:00:00"),
        hold_run_directory(tmp_path, clock=CLOCK),
    ):
        pass
    with hold_run_directory(tmp_path, clock=CLOCK):
        assert (tmp_path / LOCK_FILE).exists()


def test_kill_9_releases_the_lock(tmp_path: Path) -> None:
    """A killed run must be resumable at once, though its name is still in the file."""
    with running(HOLDER, str(tmp_path)) as (holder, _):
        holder.kill()
        holder.wait()
    assert str(holder.pid).encode() in (tmp_path / LOCK_FILE).read_bytes()
    with hold_run_directory(tmp_path, clock=CLOCK):
        assert str(os.getpid()).encode() in (tmp_path / LOCK_FILE).read_bytes()


def test_a_child_joins_and_outlives_its_parent(tmp_path: Path) -> None:
    """While a child of a killed parent still works, the directory is not free."""
    with running(PARENT, str(tmp_path), CHILD) as (parent, said):
        child = int(said)
        parent.kill()
        parent.wait()
        with pytest.raises(LeaseHeldError), hold_run_directory(tmp_path, clock=CLOCK):
            pass
        os.kill(child, signal.SIGKILL)
        assert parent.stdout is not None
        assert parent.stdout.read() == ""
    with hold_run_directory(tmp_path, clock=CLOCK):
        assert (tmp_path / LOCK_FILE).exists()


def test_a_stranger_cannot_join(tmp_path: Path) -> None:
    """Only the holder's own descriptor lets in."""
    with hold_run_directory(tmp_path, clock=CLOCK):
        stranger = os.open(tmp_path / LOCK_FILE, os.O_RDWR)
        with pytest.raises(LeaseHeldError), join_run_directory(tmp_path, stranger):
            pass


def test_a_childs_end_does_not_unlock_its_parent(tmp_path: Path) -> None:
    """An unlock by the first of several children would let a stranger in."""
    with hold_run_directory(tmp_path, clock=CLOCK) as descriptor:
        with join_run_directory(tmp_path, os.dup(descriptor)):
            pass
        with pytest.raises(LeaseHeldError), hold_run_directory(tmp_path, clock=CLOCK):
            pass


def test_a_lock_file_that_was_removed_guards_nothing(tmp_path: Path) -> None:
    """After `rm lock` another process may hold a new file: nobody may join on the old one."""
    with hold_run_directory(tmp_path, clock=CLOCK) as descriptor:
        (tmp_path / LOCK_FILE).unlink()
        with (
            pytest.raises(LeaseHeldError, match="replaced"),
            join_run_directory(tmp_path, os.dup(descriptor)),
        ):
            pass


@pytest.mark.parametrize("stale", [b"", b'{"pid":', b'{"pid": 1, "host": "h", "since": "s"}'])
def test_stale_content_is_no_lock(tmp_path: Path, stale: bytes) -> None:
    """A run must not wait for a process that is gone."""
    (tmp_path / LOCK_FILE).write_bytes(stale)
    with hold_run_directory(tmp_path, clock=CLOCK):
        assert (tmp_path / LOCK_FILE).read_bytes() != stale


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """One clear line instead of a traceback."""
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(RefusedError, match="cannot lock"),
        hold_run_directory(tmp_path / "file/run", clock=CLOCK),
    ):
        pass
