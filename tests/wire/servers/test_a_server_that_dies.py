"""A real server, killed while a run lists, copies or verifies, and started again on its disk.

A proxy before it holds the port, and kills it with the request that a test names: so no clock says
when. What the command answers with is its own affair; what must come out is not.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.doubles.clients import CLIENTS
from tests.doubles.command import Command, Ended, artifact, report
from tests.doubles.fault_proxy import Asked, Exchange, FaultProxy, Rule, untouched
from tests.doubles.figures import figure
from tests.doubles.nursery import Nursery
from tests.doubles.own_eyes import S3Client, s3_client, versions
from tests.doubles.seaweedfs import REGION, SeaweedFS
from tests.doubles.waiting import wait_until

pytestmark = pytest.mark.seaweedfs

KEYS = 60
LISTING_CODE = 20
"""How the command ends on a listing that breaks S3's laws (docs: exit codes)."""
AGAIN_MAX = 3
"""The same command again, where the run ended before the server was back."""


def is_listing(asked: Asked) -> bool:
    return b"versions" in asked.head.split(b" ", 2)[1]


def is_copy(asked: Asked) -> bool:
    return b"\r\nx-amz-copy-source:" in asked.head.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The nth request that `is_meant`; the server dies before or after it was carried out.

    `is_alone`: no other write is under way. `of_verify`: a run was made before, and is verified.
    """

    name: str
    is_meant: Callable[[Asked], bool]
    nth: int
    is_applied: bool = False
    is_alone: bool = False
    of_verify: bool = False


MOMENTS = (
    Moment(name="listing", is_meant=is_listing, nth=2),
    Moment(name="copies, one of them undone", is_meant=is_copy, nth=9),
    Moment(name="a copy, unheard", is_meant=is_copy, nth=21, is_applied=True, is_alone=True),
    Moment(name="verify", is_meant=is_listing, nth=2, of_verify=True),
)


# Counts the requests that are meant.
@dataclass(slots=True)
class Death:
    """Kills the server at its moment, once; until it is back, requests find nobody."""

    server: SeaweedFS
    moment: Moment
    met: int = 0
    is_decided: bool = False
    """Once it is: other requests come while the process is being ended."""
    came: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, exchange: Exchange) -> None:
        self.met += self.moment.is_meant(exchange.asked)
        if self.met < self.moment.nth or self.is_decided:
            await untouched(exchange)
            return
        self.is_decided = True
        if self.moment.is_applied:
            await exchange.applied()
        await asyncio.to_thread(self.server.stop)
        self.came.set()
        exchange.reset()


@contextmanager
def proxy_before(server: SeaweedFS) -> Iterator[FaultProxy]:
    """Run a proxy in a thread of its own."""
    proxy, is_open, leave = FaultProxy("127.0.0.1", server.port), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with proxy:
            is_open.set()
            await leave.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        wait_until(is_open.is_set, "the proxy")
        yield proxy
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A server of this module's own; each test leaves it running."""
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


def commanded(
    server: SeaweedFS, proxy: FaultProxy, nursery: Nursery, folder: Path, client: str
) -> Command:
    settings = server.client_settings()
    environment = {
        "AWS_ACCESS_KEY_ID": settings["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": settings["aws_secret_access_key"],
        "AWS_REGION": REGION,
        "BACKFILL_CLIENT": client,
        "BACKFILL_ENDPOINT_URL": proxy.endpoint_url,
        "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
    }
    return Command(folder, environment, nursery)


def made_buckets(client: S3Client, name: str) -> tuple[str, str]:
    buckets = f"{name}-source", f"{name}-destination"
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)
        versioning = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    for number in range(KEYS):
        client.put_object(Bucket=buckets[0], Key=f"key/{number:03}", Body=b"x" * (number + 1))
    return buckets


def torn_keys(plain: S3Client, bucket: str) -> list[str]:
    """Return the keys of which the server itself names no version the latest one."""
    found = plain.list_object_versions(Bucket=bucket).get("Versions", [])
    latest = {one["Key"] for one in found if one["IsLatest"]}
    return sorted({one["Key"] for one in found} - latest)


def ends_of(
    server: SeaweedFS, proxy: FaultProxy, command: Command, moment: Moment, words: tuple[str, ...]
) -> list[Ended]:
    """Let the server die at its moment, start it again, and the command until it is through."""
    death = Death(server, moment)
    proxy.obey(Rule(fault=death))
    started = command.start(*words)
    wait_until(death.came.is_set, f"the moment: {moment.name}", is_over=started.has_ended)
    server.start()
    proxy.port = server.port
    ends = [started.end()]
    while ends[-1].code != 0 and len(ends) <= AGAIN_MAX:
        ends.append(command.run(*words, code=None))
    return ends


@pytest.mark.parametrize("client", CLIENTS[: figure(ci=1, release=2)])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_run_outlives_its_server_and_says_what_is_there(
    server: SeaweedFS, nursery: Nursery, tmp_path: Path, client: str, moment: Moment
) -> None:
    """If this fails, a server that restarts costs objects, doubles them, or is lied about."""
    plain = s3_client(server.client_settings())
    source, destination = made_buckets(plain, f"{client}-{MOMENTS.index(moment)}")
    plain.close()
    words: tuple[str, ...] = ("run", source, "--destination", destination, "--run-dir", "run")
    words += ("--yes", *(("--concurrency", "1") if moment.is_alone else ()))
    with proxy_before(server) as proxy:
        command = commanded(server, proxy, nursery, tmp_path, client)
        if moment.of_verify:
            command.run(*words)
            words = ("verify", "--run-dir", "run")
        ended = ends_of(server, proxy, command, moment, words)[-1]
    plain = s3_client(server.client_settings())
    listing, torn = versions(plain, destination), torn_keys(plain, destination)
    plain.close()
    if torn and not moment.is_alone:
        # This server may die between a version and its note of which one is the latest.
        assert ended.code == LISTING_CODE, ended
        assert f'"{torn[0]}" with a version that is not latest' in ended.complaint[0]
        return
    assert ended.code == 0, ended
    assert sorted(one.key for one in listing) == [f"key/{number:03}" for number in range(KEYS)]
    made = {one["version_id"] for one in artifact(tmp_path / "run", "outcomes/00")}
    assert made == {one.version_id for one in listing}
    document = report(tmp_path / "run")
    assert [(one["name"], one["rows"]) for one in document["verdicts"]] == [("equal", KEYS)]
