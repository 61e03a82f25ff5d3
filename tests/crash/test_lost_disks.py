"""A run directory on S3: SIGKILL at any request, also to its bucket, and then the disk is lost."""

import shutil
from random import Random

import pytest

from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.command import Command
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.kill_rounds import by_request, killed_rounds
from tests.doubles.killer import Killer
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions

KEYS = 60
KILLS = 3
CHAINS = figure(ci=2, release=20)
LEASE_S = "2"
"""Short: who died with the disk is missed so soon."""


@pytest.mark.parametrize(
    ("through", "seed"), [("lean", first_seed() + seed) for seed in range(CHAINS)], scope="module"
)
def test_kills_and_lost_disks_and_the_same_command_come_to_what_one_run_comes_to(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    destination_client: S3Client,
    seed: int,
    tried: Tried,
) -> None:
    """If this fails, a container that dies with its disk loses or doubles what it delivered."""
    random, killer = Random(f"lost disks {seed}"), Killer()
    bucket = f"{world.source}-runs"
    world.make_bucket(SOURCE, bucket)
    with world.days_ago(30):
        for number in range(KEYS):
            world.put(f"key/{number:03}")
    world.set_rules(Rule(to=world.destination))
    scratch = command.folder / "scratch"
    contained = command.beside(
        BACKFILL_RUN_DIR=f"s3://{bucket}/runs/first",
        BACKFILL_SCRATCH_DIR=str(scratch),
        BACKFILL_RUN_DIR_LEASE_S=LEASE_S,
    )

    def lose_sometimes() -> None:
        if random.random() < 0.7:
            shutil.rmtree(scratch, ignore_errors=True)

    sandbox.set_fault_hook(killer)
    killing = killed_rounds(
        contained,
        ("run", world.source, "--yes", "--concurrency", "6"),
        by_request(killer, random),
        kills=KILLS,
        after_each=lose_sometimes,
    )
    listing = versions(destination_client, world.destination)
    assert sorted(one.key for one in listing) == [f"key/{number:03}" for number in range(KEYS)]
    assert f"all {KEYS} versions that could be delivered are equal" in killing.last.stdout
    tried(Row.KILLS, killing.kills)
