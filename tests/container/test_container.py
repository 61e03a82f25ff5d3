"""The image as a platform runs it: another user, nothing writable but the run directory, SIGTERM.

There is no container engine where these tests run; `image` carries the Dockerfile out by itself.
"""

import dataclasses
import itertools
import os
import signal
import subprocess
from pathlib import Path

from backfill import __version__
from tests.container.containers import (
    ROOT,
    WAIT_S,
    called,
    child_of,
    needs_roots,
    until_it_is_backfill,
)
from tests.container.image import Stage, instructions, run_command


def test_the_dockerfile_says_what_a_platform_relies_on() -> None:
    """If this fails, a cluster runs the image as root, or cannot stop it gently."""
    said = [(step.word, step.argument) for step in instructions((ROOT / "Dockerfile").read_text())]
    assert [word for word, _ in said].count("FROM") == 2
    for needed in [
        ("USER", "10001:10001"),
        ("ENTRYPOINT", '["backfill"]'),
        ("STOPSIGNAL", "SIGTERM"),
        ("VOLUME", "/run-dir"),
        ("WORKDIR", "/run-dir"),
    ]:
        assert needed in said
    installs = [a for word, a in said if word == "RUN" and "pip install" in a]
    assert installs
    assert all("--require-hashes" in argument for argument in installs)


@needs_roots
def test_the_command_runs_as_its_own_user(image: Stage, run_directory: Path) -> None:
    """If this fails, the image does not start with a read-only root and a plain user."""
    ended = called(image, run_directory, "--version")
    assert (ended.returncode, ended.stdout) == (0, f"backfill {__version__}\n"), ended.stderr
    assert "usage: backfill" in called(image, run_directory).stdout


@needs_roots
def test_only_the_run_directory_can_be_written(image: Stage, run_directory: Path) -> None:
    """If this fails, the test above proves nothing, or the image needs a writable root."""
    program = (
        "import os, pathlib\n"
        "print(os.getuid(), os.getgid(), os.getgroups(), os.getpid(), os.environ['HOME'])\n"
        "for place in ('/', '/tmp', '/usr/local/lib', '/run', '/run-dir'):\n"
        "    try:\n"
        "        pathlib.Path(place, 'written').write_text('x')\n"
        "        print(place)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    bare = dataclasses.replace(image, entry_point=["python"])
    ended = called(bare, run_directory, "-c", program)
    assert ended.stdout.splitlines() == ["10001 10001 [] 1 /run-dir", "/run-dir"], ended.stderr
    assert (run_directory / "written").stat().st_uid == 10001


@needs_roots
def test_the_image_holds_no_secrets_and_no_set_user_id_files(image: Stage) -> None:
    """If this fails, the image carries what nobody meant to ship."""
    installed = [path for path in (image.root / "opt/backfill").iterdir() if path.is_file()]
    assert {path.suffix for path in installed} == {".txt", ".whl"}
    local = image.root / "usr/local"
    assert not [p for p in local.rglob("*") if p.is_file() and p.lstat().st_mode & 0o6000]


@needs_roots
def test_sigterm_ends_it_in_order(image: Stage, run_directory: Path) -> None:
    """If this fails, process 1 ignores SIGTERM and a cluster kills it in the middle of its work."""
    command = run_command(image, run_directory, ["sandbox", "--port", "0"])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = list(itertools.takewhile(lambda line: "listening on" not in line, process.stdout))
        assert process.poll() is None, said
        os.kill(child_of(process.pid), signal.SIGTERM)
        output, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 143, output
        assert "Traceback" not in output
    finally:
        process.kill()
        process.wait()


@needs_roots
def test_sigterm_is_heard_before_anything_has_begun(image: Stage, run_directory: Path) -> None:
    """If this fails, a stop while it starts is lost on process 1, and SIGKILL comes instead."""
    words = ["run", "--campaign", "-", "--run-dir", "run", "--yes"]
    process = subprocess.Popen(
        run_command(image, run_directory, words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        # It waits for its campaign by now, or will in a moment; either way it has to end.
        pid = child_of(process.pid)
        until_it_is_backfill(pid)
        os.kill(pid, signal.SIGTERM)
        assert process.stdout is not None
        assert process.wait(timeout=WAIT_S) == 143
        assert process.stdout.read() == "backfill: stopped by SIGTERM\n"
    finally:
        process.kill()
        process.communicate()
