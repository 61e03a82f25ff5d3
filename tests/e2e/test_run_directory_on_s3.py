"""A run directory on S3: the disk may be lost, the process may die, and two may want to work."""

import json
import shutil
import signal
import threading
from collections import Counter
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from backfill.execute.shards import ROWS_MIN
from backfill.sandbox.http.faults import Call
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.command import ROOT, TIMEOUT_S, Command, Ended
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions
from tests.e2e.test_interruptions import FOR_EVER_S, slow_after, until

KEYS = 40
LEASE_S = "3"
"""Short, so that a dead holder is soon missed; a busy machine renews it all the same."""


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

    def objects(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def head(self) -> dict[str, Any]:
        answer = self._client.get_object(Bucket=self.bucket, Key="runs/first/head.json")
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    def elsewhere(self, **environment: str) -> Command:
        """Return the command of another container: another disk."""
        scratch = self.command.folder / "elsewhere"
        return self.command.beside(BACKFILL_SCRATCH_DIR=str(scratch), **environment)

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


def held_up(sandbox: Sandbox, count: int) -> threading.Event:
    """Hold all copies back after some; the event is set when the first one waits."""
    hook, reached = slow_after("CopyObject", count, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    return reached


def test_of_two_containers_at_once_one_works_and_the_other_says_who(
    on_s3: OnS3, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, a scheduler's second container doubles every copy (exit 11)."""
    hook, reached = slow_after("CopyObject", 8, delay_s=3.0)
    sandbox.set_fault_hook(hook)
    first = on_s3.command.start(*on_s3.words)
    assert reached.wait(TIMEOUT_S)
    second = on_s3.elsewhere().run(*on_s3.words, code=11)
    assert not second.stdout
    assert f"s3://{on_s3.bucket}/runs/first is in use by process " in second.complaint[0]
    # On the same machine the lock says so at once.
    assert "in use by process" in on_s3.command.run(*on_s3.words, code=11).complaint[0]
    assert on_s3.elsewhere().run("status", "--json").document()["next_stage"] == "outcomes/00"
    sandbox.set_fault_hook(lambda _: None)
    assert first.end().code == 0
    assert on_s3.head()["fence"] == 1
    on_s3.assert_each_key_once(destination_client)


def test_a_zombie_that_wakes_up_writes_nothing_and_says_why(
    on_s3: OnS3, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, a container that slept for an hour copies over its successor's work."""
    reached = held_up(sandbox, 8)
    zombie = on_s3.command.start(*on_s3.words)
    assert reached.wait(TIMEOUT_S)
    zombie.send(signal.SIGSTOP)
    sandbox.set_fault_hook(lambda _: None)
    on_s3.elsewhere().run(*on_s3.words, code=0)
    on_s3.assert_each_key_once(destination_client)
    copies, head, keys = sandbox.calls()["CopyObject"], on_s3.head(), on_s3.objects()
    zombie.send(signal.SIGCONT)
    ended = zombie.end()
    assert ended.code == 11, ended
    assert f"s3://{on_s3.bucket}/runs/first was lost" in ended.complaint[0]
    assert "writes nothing any more" in ended.complaint[0]
    assert sandbox.calls()["CopyObject"] == copies
    assert (on_s3.head(), on_s3.objects()) == (head, keys)
    # Its disk is of another past now: the next one there goes by what is on S3.
    assert on_s3.run().code == 0
    on_s3.assert_each_key_once(destination_client)


def test_a_container_that_is_told_to_go_keeps_its_outcomes_and_gives_the_lease_back(
    on_s3: OnS3, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, a rolling update costs a wait, and what was copied is looked at again."""
    hook, reached = slow_after("CopyObject", 8, delay_s=1.0)
    sandbox.set_fault_hook(hook)
    started = on_s3.command.start(*on_s3.words)
    assert reached.wait(TIMEOUT_S)
    started.send(signal.SIGTERM)
    ended = started.end()
    assert ended.code == 143, ended
    sandbox.set_fault_hook(lambda _: None)
    assert on_s3.head()["is_released"]
    there = len(versions(destination_client, on_s3.world.destination))
    on_s3.lose_the_disk()
    copies = sandbox.calls()["CopyObject"]
    again = on_s3.run()
    assert "run.lease_awaited" not in [event["event"] for event in again.events]
    assert sandbox.calls()["CopyObject"] - copies == KEYS - there
    on_s3.assert_each_key_once(destination_client)


def test_copy_processes_share_the_lease(
    on_s3: OnS3, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, --processes and a run directory on S3 do not go together."""
    world = on_s3.world
    world.drop_rules()  # what is put now is for copies
    for number in range(2 * ROWS_MIN):
        world.put(f"many/{number:05}", b"x")
    words = (
        "run", world.source, "--destination", world.destination, "--engine", "copy",
        "--other-writers", "quiet", "--yes", "--processes", "2",
    )  # fmt: skip
    before = sandbox.calls().get("CopyObject", 0)
    started = on_s3.command.start(*words)
    until(started, lambda: sandbox.calls().get("CopyObject", 0) - before > 100)
    started.send(signal.SIGKILL)
    started.end()
    on_s3.lose_the_disk()
    on_s3.command.run(*words, code=0)
    keys = Counter(one.key for one in versions(destination_client, world.destination))
    assert set(keys.values()) == {1}
    assert len(keys) == KEYS + 2 * ROWS_MIN


def test_a_damaged_object_is_named_by_the_command(on_s3: OnS3, source_client: S3Client) -> None:
    """If this fails, what was damaged passes for what a run knew (exit 20)."""
    on_s3.run()
    on_s3.lose_the_disk()
    (key,) = (key for key in on_s3.objects() if key.endswith("/plan/index.json"))
    whole = source_client.get_object(Bucket=on_s3.bucket, Key=key)["Body"].read()
    source_client.put_object(Bucket=on_s3.bucket, Key=key, Body=whole.replace(b"rows", b"cows"))
    for words in (on_s3.words, ("status",)):
        ended = on_s3.command.run(*words, code=20)
        assert f"s3://{on_s3.bucket}/{key}" in ended.complaint[0]
        assert ended.complaint[1].startswith("  hint: restore the object")
    source_client.delete_object(Bucket=on_s3.bucket, Key=key)
    assert "it is missing" in on_s3.command.run(*on_s3.words, code=20).complaint[0]
    source_client.put_object(Bucket=on_s3.bucket, Key=key, Body=whole)
    on_s3.run()


def test_every_request_names_the_owner_and_a_bucket_of_somebody_else_is_refused(
    on_s3: OnS3,
) -> None:
    """If this fails, a bucket that changed hands gets the keys of all objects (exit 10)."""
    ended = on_s3.command.run(*on_s3.words, "--run-dir-account", "999999999999", code=10)
    assert "AccessDenied" in ended.complaint[0]
    assert not on_s3.objects()


def test_the_policy_that_we_hand_out_suffices_and_less_is_told(
    on_s3: OnS3, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, whoever follows the guide ends in AccessDenied."""
    text = (ROOT / "manifests/iam/run-directory-identity.json").read_text()
    for placeholder, value in {
        "<RUN_BUCKET>": on_s3.bucket,
        "<RUN_PREFIX>": "runs/first",
        "<RUN_ACCOUNT>": SOURCE.account_id,
    }.items():
        text = text.replace(placeholder, value)
    for document, code in ((text.replace('"s3:GetObject",', ""), 10), (text, 0)):
        user = sandbox.add_user("source", f"keeper-{code}-{on_s3.bucket}", document)
        path = Path(on_s3.command.environment["AWS_SHARED_CREDENTIALS_FILE"])
        profiles = ConfigParser(interpolation=None)
        profiles.read(path)
        profiles["keeper"] = {
            **profiles["source"],
            "aws_access_key_id": user.access_key_id,
            "aws_secret_access_key": user.secret_access_key,
        }
        with path.open("w") as file:
            profiles.write(file)
        command = on_s3.command.beside(
            BACKFILL_RUN_DIR_PROFILE="keeper",
            BACKFILL_RUN_DIR_ACCOUNT=SOURCE.account_id,
            AWS_ENDPOINT_URL_S3=sandbox.client_settings("source")["endpoint_url"],
        )
        ended = command.run(*on_s3.words, code=code)
        if code:
            assert "AccessDenied" in ended.complaint[0]
            assert "s3:GetObject" in ended.complaint[1]
    on_s3.assert_each_key_once(destination_client)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ("watch", "--run-dir", "s3://bucket/x", "my-bucket"),
            "watch keeps its ledger in a database",
        ),
        (("run", "--run-dir", "s3://bucket//x", "my-bucket"), "names no run directory on S3"),
        (
            ("run", "--run-dir", "s3://b/x", "--run-dir-account", "1", "my-bucket"),
            "names no run directory",
        ),
        (
            ("run", "--run-dir", "s3://bkt/x", "--run-dir-account", "1", "my-bucket"),
            "is no account",
        ),
        (("run", "--run-dir", "s3://bkt/x", "--run-dir-lease-s", "0", "my-bucket"), "is no lease"),
        (
            ("run", "--run-dir", "s3://bkt/x", "--run-dir-kms-key-arn", "alias/x", "my-bucket"),
            "no key",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_request(
    command: Command, words: tuple[str, ...], complaint: str
) -> None:
    """If this fails, a slip of the finger begins a run elsewhere (exit 2)."""
    ended = command.run(*words, code=2)
    assert complaint in ended.complaint[0]
    assert ended.complaint[1].startswith("  hint: ")


def test_the_verbs_one_by_one_work_on_s3(on_s3: OnS3, destination_client: S3Client) -> None:
    """If this fails, a run directory on S3 is good for `run` only."""
    source = on_s3.world.source
    for words in (
        ("preflight", source), ("inventory", source), ("plan",), ("manifest",),
        ("execute", "--yes"), ("verify",), ("repair", "--dry-run"), ("report",), ("jobs",),
        ("status",),
    ):  # fmt: skip
        on_s3.command.run(*words, code=0)
        on_s3.lose_the_disk()
    on_s3.assert_each_key_once(destination_client)
    assert on_s3.head()["is_released"]


def test_a_restore_is_on_s3_before_it_is_asked_for(on_s3: OnS3, sandbox: Sandbox) -> None:
    """If this fails, a disk that is lost forgets what S3 bills, and the budget is spent twice."""
    with on_s3.world.days_ago(30):
        on_s3.world.put("cold", storage_class="GLACIER")
    sent: list[str] = []

    def listen(call: Call) -> None:
        if call.operation == "PutObject" and call.bucket == on_s3.bucket:
            sent.append(call.key.rpartition("/")[2])
        elif call.operation == "RestoreObject":
            sent.append("asked")

    sandbox.set_fault_hook(listen)
    started = on_s3.command.start(*on_s3.words, "--restore", "--restore-max-bytes", "1000000")
    until(started, lambda: "asked" in sent)
    started.send(signal.SIGKILL)
    started.end()
    sandbox.set_fault_hook(lambda _: None)
    before = sent[: sent.index("asked")]
    kept = before.index("00-00.json")
    assert "head.json" in before[before.index("catalogue.json", kept) :]
