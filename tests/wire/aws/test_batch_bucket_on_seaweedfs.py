"""The batch bucket on a real server on disk, which neither AWS nor we have written."""

import os
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio

from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.session import Connection
from backfill.errors import StoreFault
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.places import BucketPlace
from tests.doubles.clients import opened_calls
from tests.doubles.seaweedfs import ACCOUNT_ID, REGION, SeaweedFS
from tests.wire.aws.conftest import KeptEvents, quick_retries

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.seaweedfs]

PLACE = BucketPlace(bucket="batch", region=REGION, expected_owner=ACCOUNT_ID, owner_origin="flag")
PLAIN = Encryption(kind=EncryptionKind.NONE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bucket(
    tmp_path_factory: pytest.TempPathFactory, identity: pytest.MonkeyPatch, client: str
) -> AsyncIterator[S3BatchBucket]:
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as server, identity.context() as patch:
        settings: dict[str, Any] = dict(server.client_settings())
        with closing(boto3.client("s3", **settings)) as plain:
            plain.create_bucket(Bucket=PLACE.bucket)
        patch.setenv("AWS_ACCESS_KEY_ID", settings["aws_access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", settings["aws_secret_access_key"])
        connection = Connection(endpoint_url=server.endpoint_url)
        async with opened_calls(client, connection, KeptEvents()) as calls:
            yield S3BatchBucket(calls, quick_retries())


async def test_a_file_is_put_once_and_known_again_and_read_back(
    bucket: S3BatchBucket, tmp_path: Path
) -> None:
    """If this fails, uploads agree with our own sandbox only."""
    path = tmp_path / "manifest.csv"
    path.write_bytes(os.urandom(3_000_000))
    first = await bucket.put_file(PLACE, "run/m.csv", path, encryption=PLAIN)
    again = await bucket.put_file(PLACE, "run/m.csv", path, encryption=PLAIN)
    assert (again.etag, again.version_id) == (first.etag, None)
    chunks = [chunk async for chunk in bucket.read_file(PLACE, "run/m.csv")]
    assert b"".join(chunks) == path.read_bytes()
    assert max(map(len, chunks)) <= 1024 * 1024
    path.write_bytes(b"other")
    with pytest.raises(StoreFault, match="nothing was overwritten"):
        await bucket.put_file(PLACE, "run/m.csv", path, encryption=PLAIN)
