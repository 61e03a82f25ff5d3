"""The image, built once a session, and a place to work in."""

import fcntl
import os
import pickle
from pathlib import Path

import pytest

from tests.container.containers import ROOT
from tests.container.image import Builder, Stage


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Stage:
    """The built image, with what the sandbox needs, so that a long-running verb can be stopped.

    Workers of one test session share it: the first one builds, the others wait and take it.
    """
    here = tmp_path_factory.getbasetemp()
    work = (here if worker_id == "master" else here.parent) / "image"
    work.mkdir(exist_ok=True)
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = work / "stage.pickle"
        if not built.exists():
            stage = Builder(ROOT, work, {"REQUIREMENTS": "sandbox"}).build()
            built.write_bytes(pickle.dumps(stage))
        found = pickle.loads(built.read_bytes())  # noqa: S301 - written by this session's tests
        assert isinstance(found, Stage)
        return found


@pytest.fixture
def run_directory(tmp_path: Path, image: Stage) -> Path:
    """A run directory that belongs to the image's user, as a volume would."""
    directory = tmp_path / "run-dir"
    directory.mkdir(mode=0o700)
    user, group = map(int, image.user.split(":"))
    os.chown(directory, user, group)
    return directory
