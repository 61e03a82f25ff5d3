from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.batch_operations import S3BatchOperations
from backfill.aws.calls import Calls
from backfill.aws.clock import SystemClock, SystemRandom
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.retry import ReadRetries
from backfill.aws.session import Connection
from backfill.errors import StoreFault
from backfill.model.pauses import Pauses, RetryBudget
from backfill.ports import Event, ProgressCounts
from tests.doubles.clients import CLIENTS, opened_calls
from tests.wire.aws.operations import DESTINATION, KEY, SOURCE
from tests.wire.aws.raw_server import RawServer, answer

ACCESS_KEY = "AKIAWIRETEST00000000"
SECRET_KEY = "wire/test/opens/nothing/at/all/000000000"


@dataclass(slots=True)
class KeptEvents:
    """Events that remembers."""

    emitted: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        raise AssertionError(counts)


@pytest.fixture(scope="module", autouse=True)
def identity() -> Iterator[pytest.MonkeyPatch]:
    """Made-up credentials, and nothing of this machine's own configuration."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield patch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raw_server() -> AsyncIterator[RawServer]:
    server = RawServer()
    await server.start()
    yield server
    await server.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat for both clients what is about the data plane; S3 Control is the SDK's alone.

    A test that spells out its rows with each client says so itself.
    """
    rows = (mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    is_spelled_out = any("client" in names for names in rows)
    if "client" in metafunc.fixturenames and not is_spelled_out:
        is_about_jobs = "batch_operations" in metafunc.module.__name__
        metafunc.parametrize("client", ("sdk",) if is_about_jobs else CLIENTS, scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calls(raw_server: RawServer, client: str) -> AsyncIterator[Calls]:
    """Calls against the raw server, time-outs long enough never to interfere."""
    connection = Connection(endpoint_url=raw_server.endpoint_url)
    async with opened_calls(client, connection, KeptEvents()) as calls:
        yield calls


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient_calls(raw_server: RawServer, client: str) -> AsyncIterator[Calls]:
    """Calls that give a silent server up soon."""
    connection = Connection(endpoint_url=raw_server.endpoint_url, read_timeout_s=1.0)
    opened = opened_calls(client, connection, KeptEvents(), read_timeout_s=1.0)
    async with opened as calls:
        # Opening a client loads the SDK's model, which on a busy machine outlasts the limit.
        raw_server.script = lambda _: answer(404)
        for place in (SOURCE, DESTINATION):
            with suppress(StoreFault):
                await S3ObjectStore(calls).get_object_tagging(place, KEY)
        yield calls


def quick_retries(attempts_max: int = 3) -> ReadRetries:
    """Retries without pauses worth the name."""
    return ReadRetries(
        attempts_max=attempts_max,
        pauses=Pauses(base_s=0.001, cap_s=0.002),
        budget=RetryBudget(ratio=0.0, floor=1000),
        clock=SystemClock(),
        random=SystemRandom(),
        events=KeptEvents(),
    )


@pytest.fixture
def batch(calls: Calls, raw_server: RawServer) -> S3BatchOperations:
    raw_server.forget()
    return S3BatchOperations(calls, quick_retries())


@pytest.fixture
def batch_bucket(calls: Calls, raw_server: RawServer) -> S3BatchBucket:
    raw_server.forget()
    return S3BatchBucket(calls, quick_retries())


@pytest.fixture
def store(calls: Calls, raw_server: RawServer) -> S3ObjectStore:
    raw_server.forget()
    return S3ObjectStore(calls)
