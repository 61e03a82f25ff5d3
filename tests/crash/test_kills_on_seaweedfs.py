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
PART, PARTS = b"0123456789abcdef" * (5 * 1024 * 1024 // 16), 12


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


def kill_when_parts_are_there(started: Started, client: S3Client, bucket: str, count: int) -> None:
    """Kill the command when its one upload holds so many parts."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s:
        assert not started.has_ended(), "the command came to its end"
        for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            named = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            if len(client.list_parts(**named).get("Parts", ())) >= count:
                started.send(signal.SIGKILL)
                assert started.end().code == -signal.SIGKILL
                return
        time.sleep(0.001)
    raise TimeoutError("no parts came")


def commanded(
    server: SeaweedFS, nursery: Nursery, folder: Path, through: str, **more: str
) -> Command:
    """Return the command as it talks to this server."""
    settings = server.client_settings()
    environment = {
        "AWS_ACCESS_KEY_ID": settings["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": settings["aws_secret_access_key"],
        "AWS_REGION": REGION,
        "BACKFILL_CLIENT": through,
        "BACKFILL_ENDPOINT_URL": server.endpoint_url,
        "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
    }
    return Command(folder, environment | more, nursery)


def made_buckets(client: S3Client, name: str) -> tuple[str, str]:
    buckets = f"{name}-source", f"{name}-destination"
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)
        versioning = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    return buckets


def test_kills_on_a_real_server_lose_nothing_and_double_nothing(
    server: SeaweedFS, client: S3Client, nursery: Nursery, tmp_path: Path, through: str
) -> None:
    """If this fails, what holds on our sandbox does not hold on a server that we did not write."""
    command = commanded(server, nursery, tmp_path, through)
    source, destination = made_buckets(client, f"crash-{through}")
    for number in range(KEYS):
        client.put_object(Bucket=source, Key=f"key/{number:03}", Body=b"x" * (number + 1))
    words = ("run", source, "--destination", destination, "--run-dir", "run")
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
    listing = versions(client, destination)
    assert sorted(one.key for one in listing) == [f"key/{number:03}" for number in range(KEYS)]
    made = {one["version_id"] for one in artifact(tmp_path / "run", "outcomes/00")}
    assert made == {one.version_id for one in listing}
    document = report(tmp_path / "run")
    assert document["exit_code"] == 0
    assert [(one["name"], one["rows"]) for one in document["verdicts"]] == [("equal", KEYS)]


def test_parts_on_a_real_server_are_gone_on_with(
    server: SeaweedFS, client: S3Client, nursery: Nursery, tmp_path: Path, through: str
) -> None:
    """If this fails, what a list of parts says on a server that we did not write is misread."""
    source, destination = made_buckets(client, f"parts-{through}")
    created = client.create_multipart_upload(Bucket=source, Key="large")
    named = {"Bucket": source, "Key": "large", "UploadId": created["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": client.upload_part(**named, PartNumber=n, Body=PART)["ETag"]}
        for n in range(1, PARTS + 1)
    ]
    client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    more = {
        "BACKFILL_LIMITS_COPY_OBJECT_BYTES_MAX": str(len(PART)),
        "BACKFILL_LIMITS_PARTS_IN_FLIGHT": "1",
    }
    command = commanded(server, nursery, tmp_path, through, **more)
    words = ("run", source, "--destination", destination, "--run-dir", "run", "--yes")
    started = command.start(*words)
    kill_when_parts_are_there(started, client, destination, 2)
    # Not 0: the ETags that this server gives to copied parts are not S3's, so verify doubts them.
    ended = command.run(*words, code=None)
    (resumed,) = [one for one in ended.events if one["event"] == "execute.upload_resumed"]
    assert (resumed["parts_found"] >= 2, resumed["parts"]) == (True, PARTS)
    (made,) = versions(client, destination)
    copied = client.get_object(Bucket=destination, Key="large", VersionId=made.version_id)
    assert copied["Body"].read() == PART * PARTS
    assert not client.list_multipart_uploads(Bucket=destination).get("Uploads")
