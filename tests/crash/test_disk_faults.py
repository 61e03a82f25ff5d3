"""Disks that are full, read-only, broken or gone, in the middle of any change; and run buckets.

What is promised of each: one clear line with a hint, the exit code of the table, nothing lost, and
once the disk is well again the same command ends right, with nothing doubled.
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultHook, FaultKind, no_faults
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.bad_disk import COUNT, VARIABLE
from tests.doubles.command import TIMEOUT_S, Command
from tests.doubles.figures import Row, Tried, figure
from tests.doubles.old_world import PART, OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions

KEYS = 12
FAULTS = (
    ("ENOSPC", "for-good"),
    ("EIO", "once"),
    ("EROFS", "for-good"),
    ("ENOSPC", "once"),
    ("EIO", "for-good"),
    ("EDQUOT", "for-good"),
)
POINTS = figure(ci=6, release=120)
"""Changes at which the disk fails, spread over all that a run makes."""


def words_of(world: OldWorld) -> tuple[str, ...]:
    """Write a little of every route, and return the command that carries it over."""
    with world.days_ago(30):
        for number in range(KEYS):
            world.put(f"key/{number:03}")
        world.upload("large", (PART, b"tail" * 400_000), "CRC32")
    world.set_rules(Rule(to=world.destination))
    return "run", world.source, "--run-dir", "run", "--yes", "--concurrency", "4"


def assert_each_key_once(world: OldWorld, client: S3Client) -> None:
    """Plain boto3 lists every key, and none twice."""
    keys = sorted(one.key for one in versions(client, world.destination))
    assert keys == [*(f"key/{number:03}" for number in range(KEYS)), "large"]


def assert_refused_clearly(complaint: list[str], code: int, number: int) -> None:
    """One line that says what could not be done where, and a hint that says what to do."""
    assert code == 10, complaint
    line, hint = complaint
    assert line.startswith("backfill: "), line
    assert os.strerror(number) in line, line
    assert hint.startswith("  hint: "), hint
    assert "the same command resumes" in hint, hint


@pytest.fixture(scope="module")
def changes(
    sandbox: Sandbox,
    make_command: Callable[[Path], Command],
    tmp_path_factory: pytest.TempPathFactory,
) -> int:
    """Return how many changes a run makes to a disk that never fails."""
    folder = tmp_path_factory.mktemp("calm")
    count = folder / "count"
    world = OldWorld(sandbox, f"calm-{folder.name}")
    disk = {VARIABLE: f"{folder / 'run'}:EIO:0:once", COUNT: str(count)}
    make_command(folder).beside(**disk).run(*words_of(world))
    return int(count.read_text())


@pytest.mark.parametrize("through", ["lean"], scope="module")
@pytest.mark.parametrize("point", range(POINTS))
def test_a_disk_that_fails_at_any_change_ends_the_run_clearly_and_costs_nothing(
    command: Command,
    world: OldWorld,
    destination_client: S3Client,
    changes: int,
    point: int,
    tried: Tried,
) -> None:
    """If this fails, a full disk costs a version, doubles one, or ends in a traceback."""
    name, lasting = FAULTS[point % len(FAULTS)]
    # The run that was counted may have made some more: even the last point is well before the end.
    at = 1 + point * (9 * changes // 10) // POINTS
    words = words_of(world)
    here = command.folder / "run"
    ended = command.beside(**{VARIABLE: f"{here}:{name}:{at}:{lasting}"}).run(*words, code=None)

    assert not ended.stdout
    assert_refused_clearly(ended.complaint, ended.code, getattr(errno, name))
    command.run(*words, code=0)
    assert_each_key_once(world, destination_client)
    tried(Row.DISK_FAULTS, 1)


# --- a file system that is really full ---

SIZES_KIB = (16, 32, 48, 64)[:: figure(ci=3, release=1)]
"""Of the file system: the run ends where it is full, at one stage or another."""
FULL_AND_THEN_NOT = """
mount -t tmpfs -o size="$1"k none run || exit 99
shift
"$@" >first.out 2>first.err; echo $? >first.code
mount -o remount,size=64m run
"$@" >second.out 2>second.err; echo $? >second.code
"""


def can_mount() -> bool:
    """Whether this machine lets a test have a file system of its own, that nobody else sees."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        return False
    own = ("unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt")
    return subprocess.run(own, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs root and mount namespaces")
@pytest.mark.parametrize("through", ["lean"], scope="module")
@pytest.mark.parametrize("size_kib", SIZES_KIB)
def test_a_file_system_that_is_full_ends_the_run_clearly_and_more_space_is_all_it_needs(
    command: Command, world: OldWorld, destination_client: S3Client, size_kib: int, tried: Tried
) -> None:
    """If this fails, what the kernel really does when a disk is full is not what we think."""
    words, folder = words_of(world), command.folder
    (folder / "run").mkdir()
    # In a namespace of its own: nobody else sees what is mounted, and it goes with the process.
    subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private", "sh", "-c", FULL_AND_THEN_NOT),
            *("sh", str(size_kib), sys.executable, "-m", "backfill", *words),
        ],
        cwd=folder,
        env=command.environment,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
    )
    first, second = (int((folder / f"{name}.code").read_text()) for name in ("first", "second"))
    lines = (folder / "first.err").read_text(encoding="utf-8").splitlines()
    complaint = [line for line in lines if not line.startswith("{")]
    assert_refused_clearly(complaint, first, errno.ENOSPC)
    assert second == 0, (folder / "second.err").read_text(encoding="utf-8")
    assert_each_key_once(world, destination_client)
    tried(Row.DISK_FAULTS, 1)


# --- a run directory on S3 whose bucket says no ---


def refusing_after(copies: int, bucket: str, code: str, status: int) -> FaultHook:
    """Answer everything for a bucket with an error, once so many copies were asked for."""
    asked = 0

    def hook(call: Call) -> Fault | None:
        nonlocal asked
        asked += call.operation == "CopyObject"
        if asked < copies or call.bucket != bucket:
            return None
        return Fault(kind=FaultKind.ERROR, code=code, status=status, message="as planted")

    return hook


@pytest.mark.parametrize("through", ["lean"], scope="module")
@pytest.mark.parametrize("is_disk_kept", [True, False])
@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("SlowDown", 503)]
)
def test_a_run_bucket_that_refuses_in_the_middle_ends_the_run_clearly(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    destination_client: S3Client,
    code: str,
    status: int,
    *,
    is_disk_kept: bool,
    tried: Tried,
) -> None:
    """If this fails, a run whose record cannot be kept works on, or ends as a bug."""
    words = tuple(word for word in words_of(world) if word != "--run-dir")
    words = ("run", *(word for word in words[1:] if word != "run"))
    bucket, scratch = f"{world.source}-runs", command.folder / "scratch"
    world.make_bucket(SOURCE, bucket)
    contained = command.beside(
        BACKFILL_RUN_DIR=f"s3://{bucket}/runs/first",
        BACKFILL_SCRATCH_DIR=str(scratch),
        BACKFILL_RUN_DIR_LEASE_S="2",
        BACKFILL_LIMITS_RETRY_CAP_S="0.1",
    )
    sandbox.set_fault_hook(refusing_after(4, bucket, code, status))
    ended = contained.run(*words, code=10)
    assert not ended.stdout
    line, hint = ended.complaint
    assert code in line
    assert hint.startswith("  hint: ")
    sandbox.set_fault_hook(no_faults)
    if not is_disk_kept:
        shutil.rmtree(scratch)
    contained.run(*words, code=0)
    assert_each_key_once(world, destination_client)
    tried(Row.DISK_FAULTS, 1)
