"""Containers of the built image: whether there can be any, how one is called, signalled and probed.

Never an engine's: see `image`.
Law: a signal goes to process 1 of the container, as an engine's does.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.container.image import NAMESPACE, Stage, run_command

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0
"""How long a start or a stop may take on a busy machine before the test says that it hangs."""


def can_make_roots() -> bool:
    """Whether this user may make namespaces and change roots."""
    if os.geteuid() != 0:
        return False
    probe = [*NAMESPACE, "/bin/sh", "-c", "mount --bind /tmp /tmp && chroot / /bin/true"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


needs_roots = pytest.mark.skipif(
    not can_make_roots(), reason="needs root and namespaces to carry out the Dockerfile"
)


def called(image: Stage, run_directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        run_command(image, run_directory, list(arguments)),
        check=False,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )


def child_of(pid: int) -> int:
    """Return the process that is number 1 in the namespace that `pid` made."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise AssertionError("the namespace has no process")


def until_it_is_backfill(pid: int) -> None:
    """Wait until process 1 hears signals: a shell, and then Python's imports, stand before it."""
    heard = 1 << (signal.SIGTERM - 1)
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
        if int(caught, 16) & heard:
            return
        time.sleep(0.01)
    raise AssertionError("process 1 does not handle SIGTERM")


def probed(image: Stage, pid: int, environment: Mapping[str, str], *words: str) -> int:
    """Run `backfill` beside process 1 in a container, as an exec probe does; return its code."""
    variables = {**image.environment, **environment}
    command = [
        *("nsenter", f"--target={pid}", "--mount", "--pid", "--root", "--wd"),
        *("setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--no-new-privs"),
        *("env", "-i", *(f"{name}={value}" for name, value in variables.items())),
        *(*image.entry_point, *words),
    ]
    return subprocess.run(command, check=False, capture_output=True, timeout=WAIT_S).returncode
