"""P5 on a real server on disk: SIGKILL while copies are under way, then the same command.

The server is slow enough by itself; the moment is the first growth of the journal past a seeded
size, so that no clock decides.
"""

import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.doubles.command import TIMEOUT_S, Started, artifact, report
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.kill_rounds import LOOK_EVERY_S, by_journal, killed_rounds
from tests.doubles.on_seaweedfs import Commanded, client, commanded, made_buckets, server
from tests.doubles.own_eyes import Listed, S3Client, versions
from tests.doubles.own_eyes import chains as chains_of

__all__ = ["client", "commanded", "server"]

pytestmark = pytest.mark.seaweedfs

ENTRIES = 80
KILLS = 3
CHAINS = {
    ("lean", 1): figure(ci=1, release=12),
    ("lean", 4): figure(ci=1, release=12),
    ("sdk", 1): figure(ci=1, release=3),
}
"""By client, and by how many versions each key has: one is a run of current versions."""
PART, PARTS = b"0123456789abcdef" * (5 * 1024 * 1024 // 16), 12


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
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError("no parts came")


@pytest.mark.parametrize(
    ("through", "versions_a_key", "seed"),
    [
        (client, edition, first_seed() + seed)
        for (client, edition), chains in CHAINS.items()
        for seed in range(chains)
    ],
    scope="module",
)
def test_kills_on_a_real_server_lose_nothing_and_double_nothing(
    client: S3Client,
    commanded: Commanded,
    tmp_path: Path,
    through: str,
    versions_a_key: int,
    seed: int,
    tried: Tried,
) -> None:
    """If this fails, what holds on our sandbox does not hold on a server that we did not write."""
    source, destination = made_buckets(client, f"crash-{through}-{versions_a_key}-{seed}")
    for number in range(ENTRIES):
        key = f"key/{number // versions_a_key:03}"
        client.put_object(Bucket=source, Key=key, Body=b"x" * (number + 1))
    words = ("run", source, "--destination", destination, "--run-dir", "run", "--yes")
    which = ("--versions", "all" if versions_a_key > 1 else "current")
    aim = by_journal(Random(f"seaweedfs {seed}"), tmp_path / "run", bytes_max=2500)
    killing = killed_rounds(
        commanded(tmp_path), (*words, *which, "--concurrency", "3"), aim, kills=KILLS
    )
    theirs, listing = (chains_of(client, bucket) for bucket in (source, destination))
    assert {key: sizes(chain) for key, chain in listing.items()} == {
        key: sizes(chain) for key, chain in theirs.items()
    }
    made = {one["version_id"] for one in artifact(tmp_path / "run", "outcomes/00")}
    assert made == {one.version_id for chain in listing.values() for one in chain}
    document = report(tmp_path / "run")
    assert document["exit_code"] == 0
    assert [(one["name"], one["rows"]) for one in document["verdicts"]] == [("equal", ENTRIES)]
    tried(Row.KILLS, killing.kills)


def sizes(chain: list[Listed]) -> list[int]:
    """Return what tells the versions of a key apart, newest first."""
    return [one.size_bytes for one in chain]


def test_parts_on_a_real_server_are_gone_on_with(
    client: S3Client, commanded: Commanded, tmp_path: Path, through: str, tried: Tried
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
    command = commanded(tmp_path, **more)
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
    tried(Row.KILLS, 1)
