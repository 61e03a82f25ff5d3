"""The bucket policy that setup offers: without our preconditions S3 refuses what we write."""

import subprocess
import sys

import pytest

from backfill.sandbox.service import DESTINATION
from backfill.setup.statements import guard
from tests.doubles.command import TIMEOUT_S, Command, Ended, report_rows
from tests.doubles.old_world import PART, OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions

REPLICATION = "arn:aws:iam::111111111111:role/replication"
UNGUARDED = """
import sys
from backfill.aws import requests
requests._precondition = lambda _: {}
from backfill.cli.main import main
sys.exit(main())
"""
"""The command with its guard against lost updates taken out: no If-None-Match, no If-Match."""


def guarded(world: OldWorld) -> None:
    """Put the guard into the destination's policy, as setup words it."""
    arn = f"arn:aws:s3:::{world.destination}"
    statement = guard("BackfillGuard", arn, [REPLICATION])
    world.set_policy(DESTINATION, world.destination, statement)


def fill(world: OldWorld) -> set[str]:
    with world.days_ago(9):
        world.put("a")
        world.put("b", tags=(("c", "d"),))
        world.upload("parts", (PART, b"!"), "CRC32")
    world.set_rules(Rule(to=world.destination, wants_kms=False))
    return {"a", "b", "parts"}


def run_unguarded(command: Command, world: OldWorld, run_directory: str) -> Ended:
    """Run the mutant, in a process of its own."""
    words = ("run", world.source, "--run-dir", run_directory, "--yes")
    done = subprocess.run(
        [sys.executable, "-c", UNGUARDED, *words],
        env=command.environment,
        cwd=command.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


# The policy is S3's, whoever sends.
@pytest.mark.parametrize("through", ["lean"], scope="module")
def test_without_its_preconditions_a_run_ends_in_denials_and_writes_nothing(
    world: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a bug of ours can bury a newer object although the bucket has the guard."""
    keys = fill(world)
    guarded(world)
    ended = run_unguarded(command, world, "first")
    assert ended.code in {3, 10}, ended.stderr
    assert "AccessDenied" in ended.stdout + ended.stderr
    assert versions(destination_client, world.destination) == []
    codes = {row["outcome_code"] for row in report_rows(command.folder / "first")}
    assert codes == {"AccessDenied"}

    sound = command.run("run", world.source, "--run-dir", "second", "--yes", code=0)
    assert "AccessDenied" not in sound.stderr
    assert {one.key for one in versions(destination_client, world.destination)} == keys


@pytest.mark.parametrize("through", ["lean"], scope="module")
def test_without_the_guard_the_same_run_writes(
    world: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, it is something else that the guard's test sees denied."""
    keys = fill(world)
    run_unguarded(command, world, "first")
    assert {one.key for one in versions(destination_client, world.destination)} == keys
