"""A run directory on S3: the disk may be lost, the process may die, and two may want to work."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.command import TIMEOUT_S, Command, Ended
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions
from tests.e2e.test_interruptions import FOR_EVER_S, slow_after

KEYS = 40
LEASE_S = "2"


class OnS3:
    """A source bucket with work, a bucket for the run directory, and words that name it."""

    def __init__(self, world: OldWorld, command: Command, client: S3Client) -> None:
        self.world = world
        self.bucket = f"{world.source}-runs"
        world.make_bucket(SOURCE, self.bucket)
        with world.days_ago(30):
            for number in range(KEYS):
                world.put(f"key/{number:03}")
        world.set_rules(Rule(to=world.destination))
        self.scratch = command.folder / "scratch"
        self.command = command.beside(
            BACKFILL_RUN_DIR=f"s3://{self.bucket}/runs/first",
            BACKFILL_SCRATCH_DIR=str(self.scratch),
            BACKFILL_RUN_DIR_LEASE_S=LEASE_S,
        )
        self.words = ("run", world.source, "--yes", "--concurrency", "4")
        self._client = client

    def run(self, code: int = 0) -> Ended:
        return self.command.run(*self.words, code=code)

    def lose_the_disk(self) -> None:
        shutil.rmtree(self.scratch)

    def keys(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def head(self) -> dict[str, Any]:
        answer = self._client.get_object(Bucket=self.bucket, Key="runs/first/head.json")
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    def assert_each_key_once(self, client: S3Client) -> None:
        keys = [one.key for one in versions(client, self.world.destination)]
        assert sorted(keys) == [f"key/{number:03}" for number in range(KEYS)]


@pytest.fixture
def on_s3(world: OldWorld, command: Command, source_client: S3Client) -> OnS3:
    """Work, and a place on S3 for what a run knows."""
    return OnS3(world, command, source_client)


def test_a_run_leaves_all_it_knows_on_s3_and_nothing_else_is_needed_to_ask(
    on_s3: OnS3, destination_client: S3Client, tmp_path: Path
) -> None:
    """If this fails, what a container knew is gone with it."""
    ended = on_s3.run()
    on_s3.assert_each_key_once(destination_client)
    head = on_s3.head()
    assert (head["fence"], head["is_released"]) == (1, True)
    assert "report: s3://" in ended.stdout
    on_s3.lose_the_disk()
    status = on_s3.command.run("status", "--json").document()
    assert status["next_stage"] == ""
    assert on_s3.head() == head, "who looks holds nothing"
    looked = on_s3.command.run("report").stdout
    page = Path(next(line for line in looked.splitlines() if line.startswith("report: "))[8:])
    assert page.is_file()
    assert "key/001" in on_s3.command.run("explain", "key/001").stdout
    on_s3.lose_the_disk()
    again = on_s3.run()
    assert "report: s3://" in again.stdout
    on_s3.assert_each_key_once(destination_client)
    assert not list(tmp_path.glob("backfill-*"))


def test_a_process_that_is_killed_and_loses_its_disk_is_followed_by_one_that_finishes(
    on_s3: OnS3, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, a container that dies with its disk begins anew, or doubles its copies."""
    hook, reached = slow_after("CopyObject", 8, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    started = on_s3.command.start(*on_s3.words)
    assert reached.wait(TIMEOUT_S)
    started.send(signal.SIGKILL)
    assert started.end().code == -signal.SIGKILL
    sandbox.set_fault_hook(lambda _: None)
    on_s3.lose_the_disk()
    ended = on_s3.run()
    assert [e["event"] for e in ended.events if e["event"].startswith("run.lease")][:2] == [
        "run.lease_awaited",
        "run.lease_taken",
    ]
    assert on_s3.head()["fence"] == 2
    on_s3.assert_each_key_once(destination_client)
