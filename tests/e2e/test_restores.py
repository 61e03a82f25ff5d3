"""Archived versions through the command: restored within a budget, waited for, copied, billed."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backfill.sandbox.http.faults import Fault, FaultKind, no_faults
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.restore_settings import RestoreSettings
from backfill.sandbox.model.values import ArchiveStatus, Restore
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import TIMEOUT_S, Command, Ended, Started, artifact, report_rows
from tests.doubles.old_world import OldWorld, Rule, content
from tests.doubles.own_eyes import S3Client, current, versions

TWELVE_HOURS = timedelta(hours=12).total_seconds()
WORDS = ("--restore", "--restore-max-bytes", "1000000", "--restore-poll-s", "0.2")
CLASSES = {"cold/glacier": "GLACIER", "cold/deep": "DEEP_ARCHIVE"}
TIERS = {
    "cold/tier": ArchiveStatus.ARCHIVE_ACCESS,
    "cold/deep-tier": ArchiveStatus.DEEP_ARCHIVE_ACCESS,
}


@contextmanager
def restores_take(sandbox: Sandbox, bulk_s: float, *, has_expedited: bool = True) -> Iterator[None]:
    """Let a Bulk restore from GLACIER take so long, and others in proportion."""
    world = sandbox.model.world
    before = world.restores
    world.restores = RestoreSettings(
        scale=bulk_s / TWELVE_HOURS, is_expedited_available=has_expedited
    )
    try:
        yield
    finally:
        world.restores = before


@pytest.fixture
def cold(world: OldWorld) -> OldWorld:
    """A bucket with a plain object and one of each kind of archive, all current."""
    with world.days_ago(100):
        world.put("plain")
        for key, storage_class in CLASSES.items():
            world.put(key, storage_class=storage_class, tags=(("kept", "yes"),))
        for key, status in TIERS.items():
            world.put(key, storage_class="INTELLIGENT_TIERING")
            with world.sandbox.held() as model:
                raw_edits.set_archived(
                    model,
                    world.source,
                    key,
                    storage_class="INTELLIGENT_TIERING",
                    archive_status=status,
                )
    world.set_rules(Rule(to=world.destination))
    return world


def words_of(world: OldWorld, *words: str) -> tuple[str, ...]:
    return ("run", world.source, "--run-dir", "run", "--yes", "--json", *words)


def run(command: Command, world: OldWorld, *words: str, code: int | None = 0) -> Ended:
    return command.run(*words_of(world, *words), code=code)


def asked(world: OldWorld) -> int:
    """Return how many restores S3 was asked for so far, by anybody."""
    return world.sandbox.calls().get("RestoreObject", 0)


def until_waiting(started: Started) -> None:
    """Wait until the command says that it waits."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while "execute.restores_waiting" not in started.stderr.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline_s, started.stderr.read_text(encoding="utf-8")
        assert not started.has_ended(), started.end()
        time.sleep(0.02)


def restores_of(command: Command) -> Any:
    (document,) = (command.folder / "run/restores").iterdir()
    return json.loads(document.read_bytes())


def arrived(world: OldWorld, client: S3Client) -> dict[str, str]:
    """Return the storage class of what is current at the destination, bytes and tags checked."""
    found = {}
    for key, one in current(versions(client, world.destination)).items():
        head = client.head_object(Bucket=world.destination, Key=key, VersionId=one.version_id)
        found[key] = head.get("StorageClass", "STANDARD")
        assert head["ContentLength"] == len(content(key))
        tags = client.get_object_tagging(Bucket=world.destination, Key=key)["TagSet"]
        assert len(tags) == (key in CLASSES)
    return found


def test_archived_versions_are_restored_waited_for_and_copied(
    cold: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, --restore leaves versions behind, asks twice, or says nothing of the bill."""
    before = asked(cold)
    with restores_take(cold.sandbox, 0.5):
        ended = run(command, cold, *WORDS)
    assert asked(cold) - before == 4
    assert arrived(cold, destination_client) == {
        "plain": "STANDARD",
        **CLASSES,
        **dict.fromkeys(TIERS, "INTELLIGENT_TIERING"),
    }
    waiting = [e for e in ended.events if e["event"] == "execute.restores_waiting"]
    assert waiting[0]["versions"] == 4
    assert waiting[0]["since"]
    kept = restores_of(command)
    size = sum(len(content(key)) for key in (*CLASSES, *TIERS))
    assert sum(size_bytes for _, size_bytes in kept["asked"].values()) == size
    assert kept["waiting"] == [0, 0]


def outcomes(command: Command) -> dict[str, tuple[str, str]]:
    """Return kind and code of every outcome, by key."""
    keys = {row["number"]: row["key"] for row in artifact(command.folder / "run", "manifest/00")}
    return {
        keys[row["number"]]: (row["kind"], row["code"])
        for row in artifact(command.folder / "run", "outcomes/00")
    }


def test_the_budget_is_never_exceeded_and_what_it_leaves_out_says_so(
    cold: OldWorld, command: Command
) -> None:
    """If this fails, somebody gets a bill that they had forbidden."""
    size = len(content("cold/deep"))
    budget = ("--restore", "--restore-max-bytes", str(2 * size + 20), "--restore-poll-s", "0.1")
    before = asked(cold)
    with restores_take(cold.sandbox, 0.05):
        run(command, cold, *budget, code=None)
    assert asked(cold) - before == 2
    found = outcomes(command)
    assert found["cold/deep"][0] == found["cold/deep-tier"][0] == "copied", "in manifest order"
    assert found["cold/glacier"] == found["cold/tier"] == ("skipped", "restore-budget")
    assert found["plain"] == ("copied", "")
    kept = restores_of(command)
    assert sum(size_bytes for _, size_bytes in kept["asked"].values()) <= 2 * size + 20
    assert kept["left_out"][0] == 2
    rows = {row["key"]: row for row in report_rows(command.folder / "run")}
    assert "restore-budget" in rows["cold/glacier"].values()
    more = ("--restore-max-bytes", str(3 * size + 20))
    with restores_take(cold.sandbox, 0.05):
        command.run("repair", "--run-dir", "run", "--yes", *more, code=None)
    assert asked(cold) - before == 3, "the budget is of all rounds together"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_ends_while_it_waits_goes_on_and_asks_for_nothing_twice(
    cold: OldWorld, command: Command, destination_client: S3Client, number: signal.Signals
) -> None:
    """If this fails, a container that is moved in the night pays for each restore again."""
    before = asked(cold)
    with restores_take(cold.sandbox, 3600):
        started = command.start(*words_of(cold, *WORDS))
        until_waiting(started)
        started.send(number)
        ended = started.end()
        assert ended.code == (143 if number is signal.SIGTERM else -signal.SIGKILL)
    assert asked(cold) - before == 4
    status = command.run("status", "--run-dir", "run").stdout
    assert "4 archived versions wait for their restore" in status
    for key in (*CLASSES, *TIERS):
        with cold.sandbox.held() as model:  # as if the hours had passed
            version = raw_edits.version_of(model, cold.source, key)
            assert version.restore is not None
            now = model.world.clock()
            raw_edits.set_restore(model, cold.source, key, replace(version.restore, ready_at=now))
    run(command, cold, *WORDS)
    assert asked(cold) - before == 4
    assert len(arrived(cold, destination_client)) == 5


def test_what_expired_while_nobody_was_there_is_asked_for_again_within_the_budget(
    cold: OldWorld, command: Command
) -> None:
    """If this fails, a run that slept too long gives up, or spends twice what it may."""
    size = sum(len(content(key)) for key in (*CLASSES, *TIERS))
    budget = ("--restore", "--restore-max-bytes", str(size + len(content("cold/deep"))))
    with restores_take(cold.sandbox, 3600):
        started = command.start(*words_of(cold, *budget, "--restore-poll-s", "0.1"))
        until_waiting(started)
        started.send(signal.SIGTERM)
        started.end()
    for key in CLASSES:
        with cold.sandbox.held() as model:
            raw_edits.set_restore(model, cold.source, key, None)
    with restores_take(cold.sandbox, 0.05):
        for key in TIERS:
            with cold.sandbox.held() as model:
                now = model.world.clock()
                done = Restore(is_ongoing=True, ready_at=now)
                raw_edits.set_restore(model, cold.source, key, done)
        run(command, cold, *budget, "--restore-poll-s", "0.1", code=None)
    found = outcomes(command)
    assert found["cold/deep"][0] == "copied"
    assert found["cold/glacier"] == ("skipped", "restore-budget")
    assert found["cold/tier"][0] == found["cold/deep-tier"][0] == "copied"


def test_a_restore_that_somebody_else_began_is_waited_for_and_not_counted(
    cold: OldWorld, command: Command, destination_client: S3Client, source_client: S3Client
) -> None:
    """If this fails, S3's 409 fails the version, or the bill holds what others paid."""
    with restores_take(cold.sandbox, 0.5):
        source_client.restore_object(
            Bucket=cold.source, Key="cold/glacier", RestoreRequest={"Days": 1}
        )
        run(command, cold, *WORDS)
    assert restores_of(command)["asked"].get("GLACIER", [0, 0]) == [0, 0]
    assert "cold/glacier" in arrived(cold, destination_client)


def test_without_capacity_for_expedited_restores_it_is_asked_again_later(
    cold: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a moment without capacity leaves versions behind."""
    fast = ("--restore-tier", "Expedited")
    with restores_take(cold.sandbox, 3600, has_expedited=False):
        started = command.start(*words_of(cold, *WORDS, *fast))
        until_waiting(started)
        assert sum(n for n, _ in restores_of(command)["asked"].values()) == 0, "nothing is billed"
        cold.sandbox.model.world.restores = RestoreSettings()
        assert started.end().code == 0
    # Deep archives have no such retrieval, and the plan says so.
    assert set(arrived(cold, destination_client)) == {"plain", "cold/glacier", "cold/tier"}
    plan = {row["key"]: row for row in artifact(command.folder / "run", "plan")}
    assert plan["cold/deep"]["reason"] == "archived"
    assert "no Expedited retrieval" in plan["cold/deep"]["detail"]


def test_a_history_waits_for_its_oldest_archived_version_and_arrives_in_order(
    world: OldWorld, command: Command, destination_client: S3Client, source_client: S3Client
) -> None:
    """If this fails, a history has a gap for ever, or its versions arrive in another order."""
    with world.days_ago(100):
        for edition in range(4):
            world.put(
                "deep/history", content("deep/history", edition), storage_class=_class(edition)
            )
    words = ("--destination", world.destination, "--versions", "all", "--other-writers", "quiet")
    with restores_take(world.sandbox, 0.3):
        run(command, world, *WORDS, *words, "--engine", "copy")
    assert sums(destination_client, world.destination) == sums(source_client, world.source)


def sums(client: S3Client, bucket: str) -> list[str]:
    """Return the checksums of a bucket's versions, as they are listed."""
    heads = [
        client.head_object(
            Bucket=bucket, Key=one.key, VersionId=one.version_id, ChecksumMode="ENABLED"
        )
        for one in versions(client, bucket)
    ]
    return [str(head["ChecksumCRC64NVME"]) for head in heads]


def _class(edition: int) -> str:
    return ("DEEP_ARCHIVE", "STANDARD", "GLACIER", "STANDARD")[edition]


def test_two_processes_share_the_budget_and_each_restores_its_own(
    world: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, two processes spend the budget twice, or one of them none of it."""
    with world.days_ago(100):
        for number in range(5):
            world.put(f"a-cold/{number}", b"x" * 100, storage_class="GLACIER")
            world.put(f"z-cold/{number}", b"x" * 100, storage_class="GLACIER")
        for number in range(1_990):
            world.put(f"plain/{number:04}", b"")
    world.set_rules(Rule(to=world.destination))
    budget = ("--restore", "--restore-max-bytes", "750", "--restore-poll-s", "0.1")
    before = asked(world)
    with restores_take(world.sandbox, 0.05):
        run(command, world, *budget, "--processes", "2", code=None)
    assert asked(world) - before == 7
    there = [one.key for one in versions(destination_client, world.destination)]
    cold = sorted(key for key in there if "cold" in key)
    assert cold == [*(f"a-cold/{n}" for n in range(5)), "z-cold/0", "z-cold/1"]
    assert len(there) == 1_997


def test_a_run_that_may_not_restore_says_which_permission_and_goes_on_with_it(
    cold: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a person hears of a missing permission after the whole plan."""
    who = SOURCE.root.arn
    denial = {
        "Effect": "Deny",
        "Principal": {"AWS": who},
        "Action": "s3:RestoreObject",
        "Resource": f"arn:aws:s3:::{cold.source}/*",
    }
    cold.set_policy(SOURCE, cold.source, denial, *_reading(cold))
    ended = run(command, cold, *WORDS, code=10)
    assert any("s3:RestoreObject" in line for line in ended.complaint)
    assert not (command.folder / "run/restores").exists(), "said before anything is asked for"
    cold.set_policy(SOURCE, cold.source, *_reading(cold))
    with restores_take(cold.sandbox, 0.05):
        run(command, cold, *WORDS)
    assert len(arrived(cold, destination_client)) == 5


def test_restores_that_are_denied_in_the_middle_end_the_run_and_nothing_was_billed(
    cold: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, every archived version fails by itself, or what is denied is called paid."""
    denied = Fault(kind=FaultKind.ERROR, code="AccessDenied", status=403, message="Access Denied")
    cold.sandbox.set_fault_hook(lambda call: denied if call.operation == "RestoreObject" else None)
    ended = run(command, cold, *WORDS, code=10)
    assert any("s3:RestoreObject" in line for line in ended.complaint)
    assert not any(n for n, _ in restores_of(command)["asked"].values()), "nothing was billed"
    cold.sandbox.set_fault_hook(no_faults)
    with restores_take(cold.sandbox, 0.05):
        run(command, cold, *WORDS)
    assert len(arrived(cold, destination_client)) == 5


def _reading(world: OldWorld) -> list[dict[str, object]]:
    """Return what lets the destination account read a source for copies."""
    actions = ("GetObject", "GetObjectTagging", "GetObjectVersion", "GetObjectVersionTagging")
    return [
        {
            "Effect": "Allow",
            "Principal": {"AWS": DESTINATION.root.arn},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": f"arn:aws:s3:::{world.source}/*",
        }
    ]


def test_a_plan_says_what_restores_would_cost(cold: OldWorld, command: Command) -> None:
    """If this fails, nobody knows the bill before it is written."""
    words = ("plan", cold.source, "--run-dir", "run", *WORDS, "--restore-tier", "Standard")
    said = command.run(*words, "--log-level", "error").stdout
    line = next(line for line in said.splitlines() if "to restore first" in line)
    assert "4 versions" in line
    assert "1 GLACIER" in line
    assert "1 DEEP_ARCHIVE_ACCESS" in line
    assert "USD" in line
    assert "prices: May 2026" in line
