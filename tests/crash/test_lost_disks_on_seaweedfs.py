"""A run directory on a real server: SIGKILL, the disk lost, another container, the same command."""

import shutil
import signal
from random import Random

import pytest

from tests.crash.test_kills_on_seaweedfs import (
    client,
    commanded,
    kill_when_the_journal_grows,
    made_buckets,
    server,
)
from tests.doubles.nursery import Nursery
from tests.doubles.own_eyes import S3Client, versions
from tests.doubles.seaweedfs import SeaweedFS

__all__ = ["client", "server"]

pytestmark = pytest.mark.seaweedfs

KEYS = 80
KILLS = 3


def test_lost_disks_lose_nothing_and_double_nothing(
    server: SeaweedFS,
    client: S3Client,
    nursery: Nursery,
    tmp_path_factory: pytest.TempPathFactory,
    through: str,
) -> None:
    """If this fails, conditional writes of a server that we did not write are misunderstood."""
    folder = tmp_path_factory.mktemp("container")
    source, destination = made_buckets(client, f"disks-{through}")
    runs = f"disks-{through}-runs"
    client.create_bucket(Bucket=runs)
    for number in range(KEYS):
        client.put_object(Bucket=source, Key=f"key/{number:03}", Body=b"x" * (number + 1))
    command = commanded(
        server,
        nursery,
        folder,
        through,
        BACKFILL_RUN_DIR=f"s3://{runs}/first",
        BACKFILL_RUN_DIR_LEASE_S="3",
        BACKFILL_SCRATCH_DIR=str(folder / "scratch"),
    )
    words = ("run", source, "--destination", destination, "--yes", "--concurrency", "3")
    random, kills = Random("disks"), 0
    for _ in range(KILLS):
        started = command.start(*words)
        (folder / "scratch").mkdir(exist_ok=True)
        copy = folder / "scratch" / "working"
        while not (found := list((folder / "scratch").glob("backfill-*/journal"))):
            if started.has_ended():
                break
        copy = found[0].parent if found else copy
        code = kill_when_the_journal_grows(started, copy, random.randint(1, 2500))
        assert code in (0, -signal.SIGKILL)
        kills += code == -signal.SIGKILL
        shutil.rmtree(folder / "scratch")
    assert kills, "most moments come before the end"
    command.run(*words, code=0)
    keys = sorted(one.key for one in versions(client, destination))
    assert keys == [f"key/{number:03}" for number in range(KEYS)]
