"""Listing by ranges over the wire equals listing page after page: on the sandbox, on SeaweedFS."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from random import Random
from typing import Any

import boto3
import pytest
import pytest_asyncio

from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.events.runs import BucketListed, ListedSerially
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import SOURCE as SOURCE_LISTING
from backfill.inventory.run import listed_entries, take_inventory
from backfill.model.objects import ListedEntry
from backfill.model.places import BucketPlace
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.clients import opened_calls
from tests.doubles.listings import KeptEvents
from tests.doubles.seaweedfs import ACCOUNT_ID, REGION, SeaweedFS
from tests.wire.aws.test_hostile_keys import HOSTILE_KEYS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDINARY_KEYS = (
    *(f"logs/2026/{number % 12 + 1:02d}/{number:04d}.gz" for number in range(80)),
    *(f"{Random(number).getrandbits(40):010x}" for number in range(80)),
    "a b+c", "ünï/e\u0301", "quote\"'and,comma;", "per%2Fcent", "=1+1", "!*'()", "z~\U0001f600",
)  # fmt: skip


def fill(plain: Any, bucket: str, keys: tuple[str, ...]) -> None:
    """Put every key, some twice, and delete some."""
    plain.create_bucket(Bucket=bucket)
    plain.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number, key in enumerate(keys):
        for _ in range(1 + (number % 5 == 0) * 3):
            plain.put_object(Bucket=bucket, Key=key, Body=b"body")
        if number % 7 == 0:
            plain.delete_object(Bucket=bucket, Key=key)


async def page_after_page(store: S3ObjectStore, place: BucketPlace) -> list[ListedEntry]:
    """Return what one plain loop over full pages lists."""
    entries: list[ListedEntry] = []
    after = None
    for _ in range(100):
        page = await store.list_object_versions(place, after=after)
        entries.extend(page.entries)
        after = page.next_position
        if after is None:
            return entries
    raise AssertionError("a listing without an end")


async def check(store: S3ObjectStore, place: BucketPlace, folder: Path) -> None:
    wanted = await page_after_page(store, place)
    for page_max in (7, 20):
        artifacts, events = LocalArtifacts(folder / f"{page_max}"), KeptEvents()
        await take_inventory(
            [BucketListing(name=SOURCE_LISTING, place=place, store=store)],
            artifacts=artifacts,
            events=events,
            run_id="RUN",
            page_max=page_max,
            concurrency=8,
        )
        assert list(listed_entries(artifacts, SOURCE_LISTING)) == wanted
        assert not [event for event in events.emitted if isinstance(event, ListedSerially)]
        (told,) = (event for event in events.emitted if isinstance(event, BucketListed))
        assert told.ranges > 2
        assert told.pages <= 1.25 * len(wanted) / page_max + 6


@pytest.fixture(scope="module")
def sandbox(client: str) -> Iterator[Sandbox]:
    assert client, "each client has a sandbox of its own"
    with Sandbox(seed=7) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(
    sandbox: Sandbox,
    client: str,
    identity: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[S3ObjectStore]:
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(identity.context())
        patch.delenv("AWS_DEFAULT_REGION")
        for name, value in sandbox.write_profiles(tmp_path_factory.mktemp("aws")).items():
            patch.setenv(name, value)
        opened = opened_calls(client, Connection(profile="source"), KeptEvents())
        calls = await stack.enter_async_context(opened)
        settings: dict[str, Any] = dict(sandbox.client_settings("source"))
        with closing(boto3.client("s3", **settings)) as plain:
            fill(plain, "ranged", (*ORDINARY_KEYS, *HOSTILE_KEYS))
        yield S3ObjectStore(calls)


async def test_on_the_sandbox(store: S3ObjectStore, tmp_path: Path) -> None:
    """A cut that leaves the wire otherwise than it was meant would lose or double keys."""
    place = BucketPlace(
        bucket="ranged", region=SOURCE.region, expected_owner=SOURCE.account_id, owner_origin="flag"
    )
    await check(store, place, tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def foreign_store(
    client: str, tmp_path_factory: pytest.TempPathFactory, identity: pytest.MonkeyPatch
) -> AsyncIterator[S3ObjectStore]:
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as server, identity.context() as patch:
        settings: dict[str, Any] = dict(server.client_settings())
        with closing(boto3.client("s3", **settings)) as plain:
            fill(plain, "ranged", ORDINARY_KEYS)
        patch.setenv("AWS_ACCESS_KEY_ID", settings["aws_access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", settings["aws_secret_access_key"])
        connection = Connection(endpoint_url=server.endpoint_url)
        async with opened_calls(client, connection, KeptEvents()) as calls:
            yield S3ObjectStore(calls)


@pytest.mark.seaweedfs
async def test_on_seaweedfs(foreign_store: S3ObjectStore, tmp_path: Path) -> None:
    """A server that nobody here wrote must take a cut that is no key as S3 does."""
    place = BucketPlace(
        bucket="ranged", region=REGION, expected_owner=ACCOUNT_ID, owner_origin="flag"
    )
    await check(foreign_store, place, tmp_path)
