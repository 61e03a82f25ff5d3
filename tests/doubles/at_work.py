"""Fixtures of tests that let the command work on the sandbox; conftest files take them from here.

One sandbox for a module, a fresh pair of buckets and an empty folder for each test.
Law: faults that a test injects end with it, and whoever asks for the command is run with both
clients (some in the release lane only), or stands in `one_client`.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import no_faults
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.service import Sandbox
from tests.doubles.clients import CLIENTS
from tests.doubles.command import ROOT, Command
from tests.doubles.figures import is_release
from tests.doubles.nursery import Nursery, own_environment
from tests.doubles.old_world import COPY_BYTES_MAX, OldWorld
from tests.doubles.one_client import ONE_CLIENT, SECOND_IN_RELEASE
from tests.doubles.own_eyes import S3Client, s3_client

_NUMBERS = count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat for both clients whatever asks for `through`, the name of the one to go through.

    A test that spells out its rows with each client says so itself.
    """
    rows = (mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    is_spelled_out = any("through" in names for names in rows)
    if "through" in metafunc.fixturenames and not is_spelled_out:
        module = metafunc.module.__name__.rpartition(".")[2]
        entries = {module, f"{module}::{metafunc.function.__name__}"}
        alone = entries & ONE_CLIENT.keys() or (module in SECOND_IN_RELEASE and not is_release())
        clients = ("lean",) if alone else CLIENTS
        metafunc.parametrize("through", clients, scope="module")


@pytest.fixture(scope="module")
def sandbox(through: str) -> Iterator[Sandbox]:
    """A running sandbox with a copy limit that small objects reach, for one client alone."""
    assert through in CLIENTS, "each client finds buckets and counts as nobody left them"
    with Sandbox(seed=11, limits=Limits(copy_size_bytes=COPY_BYTES_MAX)) as running:
        yield running


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What commands are forked from."""
    with Nursery(own_environment(ROOT)) as running:
        yield running


@pytest.fixture(scope="module")
def make_command(sandbox: Sandbox, nursery: Nursery, through: str) -> Callable[[Path], Command]:
    """Make the command, with both accounts' profiles and a client, at work in a folder."""

    def make(folder: Path) -> Command:
        return Command(
            folder,
            {
                **sandbox.write_profiles(folder / "aws"),
                "BACKFILL_CLIENT": through,
                "BACKFILL_SOURCE_PROFILE": "source",
                "BACKFILL_DESTINATION_PROFILE": "destination",
                "BACKFILL_LIMITS_COPY_OBJECT_BYTES_MAX": str(COPY_BYTES_MAX),
                "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
            },
            nursery,
        )

    return make


@pytest.fixture
def command(make_command: Callable[[Path], Command], tmp_path: Path) -> Command:
    """The command at work in the test's folder."""
    return make_command(tmp_path)


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[OldWorld]:
    """Fresh buckets in both accounts, and no faults left behind."""
    yield OldWorld(sandbox, f"world-{next(_NUMBERS)}")
    sandbox.set_fault_hook(no_faults)


@pytest.fixture(scope="module")
def source_client(sandbox: Sandbox) -> Iterator[S3Client]:
    """The source account's own boto3."""
    client = s3_client(sandbox.client_settings("source"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def destination_client(sandbox: Sandbox) -> Iterator[S3Client]:
    """The destination account's own boto3."""
    client = s3_client(sandbox.client_settings("destination"))
    yield client
    client.close()
