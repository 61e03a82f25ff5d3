"""P5 on a real server on disk: SIGKILL while copies are under way, then the same command.

The server is slow enough by itself; the moment is the first growth of the journal past a seeded
size, so that no clock decides.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.doubles.command import TIMEOUT_S, Command, Started, artifact, report
from tests.doubles.nursery import Nursery
from tests.doubles.own_eyes import S3Client, s3_client, versions
from tests.doubles.seaweedfs import REGION, SeaweedFS

pytestmark = pytest.mark.seaweedfs

KEYS = 80
KILLS = 4


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


def kill_when_the_journal_grows(started: Started, run_directory: Path, by_bytes: int) -> int:
    """Kill the command when it has journalled so much more; return how it ended."""
    folder = run_directory / "journal"
    deadline_s = time.monotonic() + TIMEOUT_S
    first = None
    while time.monotonic() < deadline_s and not started.has_ended():
        size = sum(path.stat().st_size for path in folder.glob("*/segment-*"))
        first = size if first is None else first
        if size - first >= by_bytes:
            started.send(signal.SIGKILL)
            break
        time.sleep(0.001)
    return started.end().code


def test_kills_on_a_real_server_lose_nothing_and_double_nothing(
    server: SeaweedFS, client: S3Client, nursery: Nursery, tmp_path: Path
) -> None:
    """If this fails, what holds on our sandbox does not hold on a server that we did not write."""
    settings = server.client_settings()
    command = Command(
        tmp_path,
        {
            "AWS_ACCESS_KEY_ID": settings["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": settings["aws_secret_access_key"],
            "AWS_REGION": REGION,
            "BACKFILL_ENDPOINT_URL": server.endpoint_url,
            "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
        },
        nursery,
    )
    for bucket in ("crash-source", "crash-destination"):
        client.create_bucket(Bucket=bucket)
        versioning = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    for number in range(KEYS):
        client.put_object(Bucket="crash-source", Key=f"key/{number:03}", Body=b"x" * (number + 1))
    words = ("run", "crash-source", "--destination", "crash-destination", "--run-dir", "run")
    random = Random("seaweedfs")
    kills = 0
    for _ in range(KILLS):
        started = command.start(*words, "--yes", "--concurrency", "3")
        size = random.randint(1, 2500)
        code = kill_when_the_journal_grows(started, tmp_path / "run", size)
        assert code in (0, -signal.SIGKILL)
        kills += code == -signal.SIGKILL
    assert kills >= 2, "most moments come before the end"
    command.run(*words, "--yes")
    listing = versions(client, "crash-destination")
    assert sorted(one.key for one in listing) == [f"key/{number:03}" for number in range(KEYS)]
    made = {one["version_id"] for one in artifact(tmp_path / "run", "outcomes/00")}
    assert made == {one.version_id for one in listing}
    document = report(tmp_path / "run")
    assert document["exit_code"] == 0
    assert [(one["name"], one["rows"]) for one in document["verdicts"]] == [("equal", KEYS)]
