"""Run every case against every server, and hold each server to what is known of it.

A case that some server is known to answer unlike AWS says so beside itself:

    @differs("moto", "ignores If-Match on CopyObject")

That is a strict expected failure: it fails when the server has learnt it. A case about what only
our own servers have says `@only("model", "sandbox", because=...)`. Nothing is skipped.
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest
from moto.server import ThreadedMotoServer

from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.service import DESTINATION, SOURCE, Account, Sandbox
from tests.contract.boto3_driver import Boto3Driver
from tests.contract.declarations import (
    DIFFERS,
    LEAN_MARK,
    LEAN_SERVERS,
    ONLY,
    SERVERS,
    row_of,
)
from tests.contract.lean_driver import LeanDriver
from tests.contract.model_driver import ModelDriver
from tests.contract.vocabulary import Driver, Refused
from tests.doubles import seaweedfs
from tests.doubles.figures import Row, Tried

_LIMITS = Limits(copy_size_bytes=6 * 1024 * 1024)
"""AWS's, but for the copy limit of 5 GB, which a case must be able to reach."""
_NUMBERS = count(1)
_EXPECTED = (AssertionError, Refused)
"""How a known difference shows itself."""
_MOTO_ACCOUNT_ID = "123456789012"


def pytest_configure(config: pytest.Config) -> None:
    """Make the two declarations known."""
    config.addinivalue_line(
        "markers", f"{DIFFERS}(server, reason, rows): a server does not do as S3 does"
    )
    config.addinivalue_line("markers", f"{ONLY}(*servers, because): whom alone the case is about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a case for each server that it is about."""
    if "s3" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker(ONLY)
    names = only.args if only else SERVERS
    ways = [(name, "boto3") for name in names]
    ways += [(name, "lean") for name in names if name in LEAN_SERVERS]
    marks = {"seaweedfs": [pytest.mark.seaweedfs]}
    metafunc.parametrize(
        ("server", "client"),
        [
            pytest.param(
                server,
                client,
                marks=marks.get(server, ()),
                id=server + (LEAN_MARK if client == "lean" else ""),
            )
            for server, client in ways
        ],
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Turn known differences into strict expected failures."""
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        for mark in item.iter_markers(DIFFERS):
            server, reason = mark.args
            if item.callspec.params["server"] != server:
                continue
            rows = mark.kwargs["rows"]
            if not rows or row_of(item.callspec.id, server) in rows:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True, raises=_EXPECTED))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Tell a known difference by its reason alone, without the traceback that nobody reads.

    To lay one out takes more CPU than the case: pytest parses all of botocore's modules for it.
    """
    try:
        return (yield)
    except _EXPECTED:
        expected = pyfuncitem.get_closest_marker("xfail")
        if expected is None or pyfuncitem.config.option.runxfail:
            raise
        difference = pytest.xfail.Exception
        reason = expected.kwargs["reason"]
        raise difference(reason, pytrace=False) from None


# --- servers, one of each for a session (and worker), started when first needed ---


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=11, limits=_LIMITS) as running:
        yield running


_KINDS = {"boto3": Boto3Driver, "lean": LeanDriver}
"""Drivers over HTTP, by client."""


def _account_drivers(sandbox: Sandbox, account: Account) -> Iterator[dict[str, Boto3Driver]]:
    with ExitStack() as stack:
        drivers = {}
        for client, kind in _KINDS.items():
            settings = sandbox.client_settings(account.name)
            driver = kind(settings, account_id=account.account_id, settle=sandbox.advance)
            stack.callback(driver.close)
            drivers[client] = driver
        yield drivers


@pytest.fixture(scope="session")
def sandbox_source(sandbox: Sandbox) -> Iterator[dict[str, Boto3Driver]]:
    yield from _account_drivers(sandbox, SOURCE)


@pytest.fixture(scope="session")
def sandbox_destination(sandbox: Sandbox) -> Iterator[dict[str, Boto3Driver]]:
    yield from _account_drivers(sandbox, DESTINATION)


@pytest.fixture(scope="session")
def seaweedfs_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Boto3Driver]]:
    with ExitStack() as stack:
        server = stack.enter_context(seaweedfs.SeaweedFS(tmp_path_factory.mktemp("seaweedfs")))
        drivers = {}
        for client, kind in _KINDS.items():
            driver = kind(server.client_settings(), account_id=seaweedfs.ACCOUNT_ID)
            stack.callback(driver.close)
            drivers[client] = driver
        yield drivers


@pytest.fixture(scope="session")
def moto_source() -> Iterator[dict[str, Boto3Driver]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "endpoint_url": f"http://{host}:{port}",
        "region_name": "us-east-1",
        "aws_access_key_id": "moto",
        "aws_secret_access_key": "moto",
    }
    with ExitStack() as stack:
        stack.callback(server.stop)
        driver = Boto3Driver(settings, account_id=_MOTO_ACCOUNT_ID)
        stack.callback(driver.close)
        yield {"boto3": driver}


@pytest.fixture
def model() -> S3Model:
    """A model of its own for each case: nothing is as cheap to make."""
    started = datetime(2026, 1, 2, tzinfo=UTC)
    ticks = count()
    return S3Model(
        now=lambda: started + timedelta(seconds=next(ticks)), random=Random(7), limits=_LIMITS
    )


def _model_driver(model: S3Model, account: Account) -> ModelDriver:
    caller = Caller(
        account_id=account.account_id,
        arn=f"arn:aws:iam::{account.account_id}:root",
        region=account.region,
    )
    return ModelDriver(model, caller)


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest, tried: Tried) -> None:
    """Count a case that passes on a server; a known difference is none of those."""
    if "s3" in request.fixturenames and request.node.get_closest_marker("xfail") is None:
        tried(Row.CONTRACT_CASES, 1)


# --- what a case asks for ---


@pytest.fixture
def s3(server: str, client: str, request: pytest.FixtureRequest) -> Driver:
    """The server under test, as the account that owns the case's buckets."""
    if server == "model":
        return _model_driver(request.getfixturevalue("model"), SOURCE)
    drivers: dict[str, Driver] = request.getfixturevalue(f"{server}_source")
    return drivers[client]


@pytest.fixture
def stranger(server: str, client: str, request: pytest.FixtureRequest) -> Driver:
    """The other account of the same server, in its own Region."""
    if server == "model":
        return _model_driver(request.getfixturevalue("model"), DESTINATION)
    drivers: dict[str, Driver] = request.getfixturevalue(f"{server}_destination")
    return drivers[client]


def _fresh(word: str) -> str:
    return f"{word}-{next(_NUMBERS)}"


@pytest.fixture
def bucket(s3: Driver) -> str:
    """A bucket with versioning."""
    name = _fresh("versioned")
    s3.make_bucket(name, versioning="Enabled")
    return name


@pytest.fixture
def plain(s3: Driver) -> str:
    """A bucket that never had versioning."""
    name = _fresh("plain")
    s3.make_bucket(name)
    return name


@pytest.fixture
def far(stranger: Driver) -> str:
    """A bucket of the other account, with versioning."""
    name = _fresh("far")
    stranger.make_bucket(name, versioning="Enabled")
    return name
