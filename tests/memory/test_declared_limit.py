"""A whole run under the limit that the documentation declares, held to it by the kernel.

By a control group where this user may make one, as a container has it; else by RLIMIT_DATA.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from backfill.sandbox.service import Sandbox
from backfill.settings import Settings, memory_needed_bytes
from tests.doubles.command import TIMEOUT_S, Command, Ended
from tests.doubles.old_world import OldWorld, Rule

KEYS = 1_500
LIMIT_BYTES = memory_needed_bytes(Settings())


@contextmanager
def control_group() -> Iterator[tuple[Path, Path] | None]:
    """Give a control group's files for members and for the peak; None where none can be made."""
    for root, limit, peak in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
        ("/sys/fs/cgroup", "memory.max", "memory.peak"),
    ):
        folder = Path(root, f"backfill-test-{os.getpid()}")
        try:
            folder.mkdir()
            (folder / limit).write_text(str(LIMIT_BYTES))
        except OSError:
            if folder.is_dir():
                folder.rmdir()
            continue
        try:
            yield folder / "cgroup.procs", folder / peak
        finally:
            folder.rmdir()
        return
    yield None


def run_under_the_limit(command: Command, *words: str) -> tuple[Ended, int]:
    """Run the command where it may have LIMIT_BYTES; return how it ended, and its peak."""
    with control_group() as group:
        entered = "exec" if group is None else f"echo $$ > {group[0]} && exec"

        def limited() -> None:
            if group is None:
                resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))

        done = subprocess.run(
            ["/bin/sh", "-c", f'{entered} "$@"', "sh", sys.executable, "-m", "backfill", *words],
            env=command.environment,
            cwd=command.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            preexec_fn=limited,
        )
        peak_bytes = LIMIT_BYTES if group is None else int(group[1].read_text())
    return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr), peak_bytes


@pytest.fixture
def job() -> Iterator[tuple[Command, OldWorld]]:
    """A source bucket with work, and the command for it, on a disk: `tmp_path` may be memory."""
    with Sandbox(seed=5) as sandbox, TemporaryDirectory() as folder:
        place = Path(folder)
        world = OldWorld(sandbox, "memory")
        with world.days_ago(30):
            for number in range(KEYS):
                world.put(f"key/{number:05}")
        world.set_rules(Rule(to=world.destination))
        profiles = {
            **sandbox.write_profiles(place / "aws"),
            "BACKFILL_SOURCE_PROFILE": "source",
            "BACKFILL_DESTINATION_PROFILE": "destination",
        }
        yield Command(place, profiles), world


def event(ended: Ended, name: str) -> dict[str, Any]:
    (found,) = (one for one in ended.events if one["event"] == name)
    return found


def test_a_run_with_default_limits_stays_under_what_they_need(
    job: tuple[Command, OldWorld],
) -> None:
    """If this fails, whoever gives a container what the guide says has it killed."""
    command, world = job
    ended, peak_bytes = run_under_the_limit(command, "run", world.source, "--yes")
    assert ended.code == 0, ended.stderr[-3000:]
    told = event(ended, "run.memory")
    assert (told["limit_bytes"], told["needed_bytes"]) == (LIMIT_BYTES, LIMIT_BYTES)
    assert told["told_by"].startswith(("cgroup", "RLIMIT"))
    assert peak_bytes <= LIMIT_BYTES


def test_limits_that_cannot_fit_are_refused_before_anything_is_asked(
    job: tuple[Command, OldWorld],
) -> None:
    """If this fails, a run begins that the kernel will end in its middle."""
    command, world = job
    before = world.sandbox.calls()
    words = ("run", world.source, "--yes", "--listing-concurrency", "128")
    ended, _ = run_under_the_limit(command, *words)
    assert ended.code == 2
    assert "of memory (" in ended.complaint[0]
    assert "--listing-concurrency 32" in ended.complaint[1]
    assert world.sandbox.calls() == before
