"""Fixtures of tests that let the command work on SeaweedFS; test modules take them from here.

A server for a module, its administrator's boto3, the command as it talks to that server, and
buckets of a test's own.
Law: a server is its module's alone, and ends with it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.doubles.command import Command
from tests.doubles.nursery import Nursery
from tests.doubles.own_eyes import S3Client, s3_client
from tests.doubles.seaweedfs import REGION, SeaweedFS

Commanded = Callable[..., Command]
"""Returns the command in a folder, with more of its environment by keyword."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A server of this module's own."""
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: SeaweedFS) -> Iterator[S3Client]:
    """Its administrator's boto3."""
    made = s3_client(server.client_settings())
    yield made
    made.close()


@pytest.fixture
def commanded(server: SeaweedFS, nursery: Nursery, through: str) -> Commanded:
    """Make the command with the administrator's keys in the environment, and no profile."""
    settings = server.client_settings()
    environment = {
        "AWS_ACCESS_KEY_ID": settings["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": settings["aws_secret_access_key"],
        "AWS_REGION": REGION,
        "BACKFILL_CLIENT": through,
        "BACKFILL_ENDPOINT_URL": server.endpoint_url,
        "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
    }

    def make(folder: Path, **more: str) -> Command:
        return Command(folder, environment | more, nursery)

    return make


def made_buckets(client: S3Client, name: str) -> tuple[str, str]:
    """Make a source and a destination bucket with versioning."""
    buckets = f"{name}-source", f"{name}-destination"
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)
        versioning = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    return buckets
