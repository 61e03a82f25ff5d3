"""Bytes proved without a download, through the command: jobs compute checksums on both sides.

The objects' ETags say nothing (SSE-KMS, other part layouts), and their stored checksums are gone.
"""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.values import RequestedEncryption
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, artifact, report
from tests.doubles.jobs_place import POLLS, make_checksum_place
from tests.doubles.old_world import KMS, PART, REPLICA_KEY_ARN, OldWorld, Rule
from tests.doubles.waiting import wait_until

KEYS = ("secret/a b+%", "secret/b", "secret/\n\u202e=1+1")
AT_DESTINATION = RequestedEncryption(algorithm="aws:kms", kms_key_id=REPLICA_KEY_ARN)


def strip(world: OldWorld, *keys: str) -> None:
    """Take the stored checksums of current versions away, on both sides."""
    with world.sandbox.held() as model:
        for bucket in (world.source, world.destination):
            for key in keys:
                raw_edits.strip_checksum(model, bucket, key)


def copied(sandbox: Sandbox, name: str, command: Command) -> tuple[OldWorld, Path]:
    """Make a world of KMS objects that backfill has copied, and nothing stored can prove."""
    world = OldWorld(sandbox, name)
    with world.days_ago(9):
        for key in KEYS:
            world.put(key, encryption=KMS)
    world.set_rules(Rule(to=world.destination))
    run_directory = command.folder / "run"
    words = "run", world.source, "--yes", "--run-dir", str(run_directory)
    command.run(*words, "--engine", "copy", code=0)
    strip(world, *KEYS)
    return world, run_directory


def verdicts(run_directory: Path, number: int) -> dict[str, dict[str, object]]:
    """Return a verification's verdicts by key."""
    return {row["key"]: row for row in artifact(run_directory, f"verify/{number:02d}")}


def test_what_nothing_stored_proves_is_proved_by_jobs_on_both_sides(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, KMS objects stay `unverified` unless every byte is downloaded twice."""
    world, run_directory = copied(sandbox, "proved", command)
    mine = command.beside(**POLLS)
    verify = "verify", "--run-dir", str(run_directory)
    mine.run(*verify, code=5)
    assert report(run_directory)["evidence"] == [
        {"name": "none", "rows": 3, "sentence": "nothing common was found to compare", "remedy": ""}
    ]
    place = make_checksum_place(sandbox, world)
    before = Counter(sandbox.calls())
    mine.run(*verify, *place.words, code=0)
    calls = Counter(sandbox.calls()) - before
    assert calls["CreateJob"] == 2
    assert not calls["GetObject"] or calls["GetObject"] <= 4, "reports are read, objects are not"
    found = verdicts(run_directory, 3)
    assert {row["content"] for row in found.values()} == {"equal"}
    assert {row["evidence"] for row in found.values()} == {"checksum-jobs"}
    assert [(each["name"], each["rows"]) for each in report(run_directory)["evidence"]] == [
        ("checksum-jobs", 3)
    ]


def test_a_damaged_copy_is_found_by_jobs_and_the_sound_ones_are_not_suspected(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a copy with other bytes under an opaque ETag passes for unprovable."""
    world, run_directory = copied(sandbox, "damaged", command)
    with sandbox.held() as model:
        data = bytearray(raw_edits.version_of(model, world.destination, KEYS[1]).body.data)
        data[0] ^= 1
        raw_edits.replace_bytes(model, world.destination, KEYS[1], bytes(data))
    strip(world, KEYS[1])
    place = make_checksum_place(sandbox, world)
    words = "verify", "--run-dir", str(run_directory), *place.words
    command.beside(**POLLS).run(*words, "--checksum-algorithm", "CRC64NVME", code=4)
    found = verdicts(run_directory, 2)
    assert {key: row["content"] for key, row in found.items()} == {
        KEYS[0]: "equal",
        KEYS[1]: "different",
        KEYS[2]: "equal",
    }
    assert found[KEYS[1]]["fields"] == "content"
    assert "CRC64NVME" in str(found[KEYS[1]]["detail"])


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_role_that_may_not_read_leaves_its_rows_unverified_and_says_why(
    sandbox: Sandbox, command: Command, side: str
) -> None:
    """If this fails, a refused task passes for a proof, or nobody learns what to grant."""
    world, run_directory = copied(sandbox, f"denied-{side}", command)
    place = make_checksum_place(sandbox, world, without=["kms:Decrypt"], on=side)
    mine = command.beside(**POLLS)
    mine.run("verify", "--run-dir", str(run_directory), *place.words, code=5)
    for row in verdicts(run_directory, 2).values():
        assert (row["content"], row["evidence"]) == ("unverified", "none")
        assert f"No checksum of the {side} version: AccessDenied" in str(row["detail"])
        assert "kms:Decrypt" in str(row["detail"])


def test_two_buckets_without_a_run_are_proved_other_parts_and_archived_ones_included(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, copies that somebody else made long ago can be proved by download only."""
    world = OldWorld(sandbox, "lone-checksums")
    body = PART + b"end"
    with world.days_ago(9):
        world.upload("media/parts", (PART, b"end"), None)
        world.put("media/parts", body, bucket=world.destination, account=DESTINATION)
        for bucket, account, encryption in (
            (world.source, SOURCE, KMS),
            (world.destination, DESTINATION, AT_DESTINATION),
        ):
            world.put("archived", bucket=bucket, account=account, encryption=encryption)
            world.set_versioning(account, bucket, "Suspended")
            world.put("null", bucket=bucket, account=account, encryption=encryption)
            world.set_versioning(account, bucket, "Enabled")
    strip(world, "media/parts", "archived", "null")
    with sandbox.held() as model:
        for bucket in (world.source, world.destination):
            raw_edits.set_archived(model, bucket, "archived", storage_class="DEEP_ARCHIVE")
    place = make_checksum_place(sandbox, world)
    run_directory = command.folder / "lone"
    words = "verify", world.source, "--destination", world.destination
    mine = command.beside(**POLLS)
    mine.run(*words, "--run-dir", str(command.folder / "stored"), code=None)
    stored = verdicts(command.folder / "stored", 1)
    assert {row["content"] for row in stored.values()} == {"unverified"}
    mine.run(*words, "--run-dir", str(run_directory), *place.words, code=None)
    found = verdicts(run_directory, 1)
    assert {key: row["version_id"] == "null" for key, row in found.items()} == {
        "media/parts": False,
        "archived": False,
        "null": True,
    }
    assert {row["evidence"] for row in found.values()} == {"checksum-jobs"}
    assert {row["content"] for row in found.values()} == {"equal"}


def test_jobs_wait_for_a_person_and_the_same_verification_goes_on_with_them(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, jobs start unseen, or each look at the wait makes two more of them."""
    world, run_directory = copied(sandbox, "waits", command)
    place = make_checksum_place(sandbox, world)
    mine = command.beside(**POLLS)
    here = "--run-dir", str(run_directory)
    before = Counter(sandbox.calls())
    for _ in range(2):
        waits = mine.run("verify", *here, *place.words, "--confirm", code=13)
        assert "backfill jobs confirm" in waits.stderr
    jobs = mine.run("jobs", "list", "--json", *here).document()["jobs"]
    assert [job["status"] for job in jobs] == ["Suspended", "Suspended"]
    names = sorted(job["name"] for job in jobs)
    digest = names[0].split("-")[2]
    assert names == [
        f"verify-02-{digest}-destination-00-0000",
        f"verify-02-{digest}-source-0000",
    ]
    mine.run("jobs", "confirm", "--all", "--yes", *here)
    mine.run("verify", *here, *place.words, "--confirm", code=0)
    calls = Counter(sandbox.calls()) - before
    assert calls["CreateJob"] == 2
    for job in jobs:
        shown = mine.run("jobs", "show", job["job_id"], "--json", *here).document()
        assert shown["results"]["artifact"] == "verify/02-checksums"
        assert shown["results"]["states"]["succeeded"] == len(KEYS)
    assert json.loads((run_directory / "verify/02/index.json").read_bytes())["rows"] == len(KEYS)
    assert not (run_directory / "verify/03").exists()


def test_a_signal_leaves_the_jobs_at_work_and_the_same_command_comes_back_to_them(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, Ctrl-C loses jobs that are paid for, or the next run makes them again."""
    world, run_directory = copied(sandbox, "signalled", command)
    place = make_checksum_place(sandbox, world)
    words = "verify", "--run-dir", str(run_directory), *place.words
    before = Counter(sandbox.calls())
    # An hour between looks at a job: the command is still waiting when the signal comes.
    started = command.beside(**{**POLLS, "BACKFILL_LIMITS_JOB_POLL_S": "3600"}).start(*words)
    wait_until(
        lambda: (Counter(sandbox.calls()) - before)["CreateJob"] >= 2,
        "a job on each side",
        is_over=started.has_ended,
    )
    started.send(signal.SIGINT)
    ended = started.end()
    assert ended.code == 130, ended
    assert "jobs go on in AWS" in ended.stderr
    command.beside(**POLLS).run(*words, code=0)
    assert (Counter(sandbox.calls()) - before)["CreateJob"] == 2
    assert not (run_directory / "verify/03").exists()


def test_a_job_that_fails_as_a_whole_leaves_everything_unverified_and_is_named(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a role that S3 may not assume ends in a proof, or in a riddle."""
    world, run_directory = copied(sandbox, "untrusted", command)
    place = make_checksum_place(sandbox, world)
    sandbox.add_role("source", f"checksums-{world.source}", trusts=())
    words = "verify", "--run-dir", str(run_directory), *place.words
    command.beside(**POLLS).run(*words, code=5)
    for row in verdicts(run_directory, 2).values():
        assert row["content"] == "unverified"
        assert "No checksum of the source version: job " in str(row["detail"])
        assert "is Failed" in str(row["detail"])
