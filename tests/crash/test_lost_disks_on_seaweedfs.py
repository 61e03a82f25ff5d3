"""A run directory on a real server: SIGKILL, the disk lost, another container, the same command."""

import shutil
from random import Random

import pytest

from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.kill_rounds import by_journal, killed_rounds
from tests.doubles.on_seaweedfs import Commanded, client, commanded, made_buckets, server
from tests.doubles.own_eyes import S3Client, versions

__all__ = ["client", "commanded", "server"]

pytestmark = pytest.mark.seaweedfs

KEYS = 80
KILLS = 2
CHAINS = {"lean": figure(ci=1, release=10), "sdk": figure(ci=1, release=2)}


@pytest.mark.parametrize(
    ("through", "seed"),
    [(client, first_seed() + seed) for client, chains in CHAINS.items() for seed in range(chains)],
    scope="module",
)
def test_lost_disks_lose_nothing_and_double_nothing(
    client: S3Client,
    commanded: Commanded,
    tmp_path_factory: pytest.TempPathFactory,
    through: str,
    seed: int,
    tried: Tried,
) -> None:
    """If this fails, conditional writes of a server that we did not write are misunderstood."""
    folder = tmp_path_factory.mktemp("container")
    name = f"disks-{through}-{seed}"
    source, destination = made_buckets(client, name)
    client.create_bucket(Bucket=f"{name}-runs")
    for number in range(KEYS):
        client.put_object(Bucket=source, Key=f"key/{number:03}", Body=b"x" * (number + 1))
    scratch = folder / "scratch"
    command = commanded(
        folder,
        BACKFILL_RUN_DIR=f"s3://{name}-runs/first",
        BACKFILL_RUN_DIR_LEASE_S="3",
        BACKFILL_SCRATCH_DIR=str(scratch),
    )
    words = ("run", source, "--destination", destination, "--yes", "--concurrency", "3")
    killing = killed_rounds(
        command,
        words,
        by_journal(Random(f"disks {seed}"), scratch, bytes_max=2500),
        kills=KILLS,
        after_each=lambda: shutil.rmtree(scratch),
    )
    keys = sorted(one.key for one in versions(client, destination))
    assert keys == [f"key/{number:03}" for number in range(KEYS)]
    tried(Row.KILLS, killing.kills)
