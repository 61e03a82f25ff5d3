"""Damage that no S3 request could do: verify names it, repair mends what a copy can mend.

Bytes are replaced with the ETag and checksums that S3 itself would have stored, so that only an
honest comparison finds them.
"""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.values import Encryption, ServerSideEncryption
from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command, artifact, report
from tests.doubles.old_world import KMS, PART, SOURCE_KEY_ARN, OldWorld, Rule, content
from tests.doubles.own_eyes import S3Client, current, seen, versions

WRITES = ("Put", "Copy", "Delete", "Create", "Upload", "Complete", "Abort")
HOUR = timedelta(hours=1)


def backfilled(world: OldWorld, command: Command, *words: str) -> tuple[str, ...]:
    """Fill a source bucket, backfill it, and return the words that name its run directory."""
    with world.days_ago(60):
        world.set_rules(Rule(to=world.destination, prefix="replica/", wants_kms=False))
        world.put("replica/0")
    with world.days_ago(50):
        world.drop_rules()
        for number in range(12):
            world.put(f"key/{number:02}", tags=(("n", str(number)),))
        world.put("key/06", content("key/06", 1), tags=(("n", "6"),))
        world.put("secret", encryption=KMS)
        world.upload("parts", (PART, PART[::-1], b"end"), "CRC32")
    world.set_rules(Rule(to=world.destination, wants_markers=True))
    here = ("--run-dir", "run")
    command.run("run", world.source, *here, "--yes", "--deep", *words)
    return here


def flipped(data: bytes) -> bytes:
    """Return the same number of bytes, one bit of them other."""
    return bytes([data[0] ^ 1]) + data[1:]


def damage_everything(world: OldWorld) -> dict[str, str]:
    """Damage one key for each thing that can differ; return what verify must call each."""
    bucket = world.destination
    with world.sandbox.held() as model:

        def change(key: str, **attributes: Any) -> None:
            raw_edits.change_attributes(model, bucket, key, **attributes)

        raw_edits.replace_bytes(model, bucket, "key/00", content("key/00")[:-1])
        raw_edits.replace_bytes(model, bucket, "key/01", flipped(content("key/01")))
        change("key/02", metadata=(("origin", "forged"),))
        before = raw_edits.version_of(model, bucket, "key/03").content
        change("key/03", content=replace(before, content_type="text/forged"))
        change("key/04", tags=(("n", "5"),))
        change("key/05", storage_class="STANDARD_IA")
        raw_edits.add_version(model, bucket, "key/06", content("key/06"))
        raw_edits.remove_version(model, bucket, "key/07")
        raw_edits.add_version(model, bucket, "key/08a", b"nobody asked for this")
        sse = Encryption(
            algorithm=ServerSideEncryption.SSE_KMS,
            kms_key_arn=SOURCE_KEY_ARN.replace("us-east-1:111111111111", "eu-west-1:222222222222"),
        )
        change("secret", encryption=sse)
        data = raw_edits.version_of(model, bucket, "parts").body.data
        raw_edits.replace_bytes(model, bucket, "parts", flipped(data))
    return {
        "key/00": "different: size",
        "key/01": "different: content",
        "key/02": "different: metadata",
        "key/03": "different: content-headers",
        "key/04": "different: tags",
        "key/05": "different: storage-class",
        "key/06": "different: current-version",
        "key/07": "missing",
        "key/08a": "extra",
        "secret": "different: encryption",
        "parts": "different: content",
    }


def troubles(run_directory: Path) -> dict[str, str]:
    """Return what the report calls each key that is not right."""
    return {one["key"]: one["problem"] for one in report(run_directory)["troubles"]}


def test_each_damage_is_found_named_mended_and_gone(
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    source_client: S3Client,
    destination_client: S3Client,
) -> None:
    """If this fails, a wrong byte, tag, class or version at the destination passes for right."""
    here = backfilled(world, command)
    expected = damage_everything(world)
    command.run("verify", *here, code=4)
    assert troubles(tmp_path / "run") == expected
    left = command.run("repair", *here, "--yes", "--json", code=4).document()
    assert {one["key"] for one in left["troubles"]} == {"key/08a"}
    assert any("--allow-hiding" in row["sentence"] for row in _repair_rows(tmp_path / "run"))
    again = command.run("repair", *here, "--yes", "--allow-hiding", "--json").document()
    assert again["exit_code"] == 0
    assert not again["troubles"]
    command.run("verify", *here, "--deep", code=0)
    at_source = current(versions(source_client, world.source))
    at_destination = current(versions(destination_client, world.destination))
    assert at_destination.keys() == at_source.keys()
    for key in at_source:
        ours = seen(destination_client, world.destination, key)
        assert ours == seen(source_client, world.source, key), key
    hidden = versions(destination_client, world.destination, "key/08a")
    assert [one.is_marker for one in hidden if one.is_latest] == [True]
    assert [one.is_marker for one in hidden if not one.is_latest] == [False]


def test_what_no_copy_can_mend_is_left_to_a_person_and_not_tried_again(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, repair loops over what only a person can decide, or overrides a person."""
    here = backfilled(world, command)
    with sandbox.held() as model:
        raw_edits.add_delete_marker(model, world.destination, "key/00")
        replica = raw_edits.version_of(model, world.destination, "replica/0")
        raw_edits.replace_bytes(model, world.destination, "replica/0", flipped(replica.body.data))
    command.run("verify", *here, code=4)
    expected = {"key/00": "different: delete-marker", "replica/0": "different: content"}
    assert troubles(tmp_path / "run") == expected
    before = Counter(sandbox.calls())
    for _ in range(2):
        command.run("repair", *here, "--yes", "--allow-hiding", code=4)
        assert troubles(tmp_path / "run") == expected
    since = Counter(sandbox.calls()) - before
    assert not [name for name in since if name.startswith(WRITES)]
    rows = _repair_rows(tmp_path / "run")
    assert len(rows) == 2
    assert all(row["sentence"] for row in rows)


def test_damage_that_comes_back_is_not_mended_a_second_time(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, repair and somebody else overwrite each other's work for ever."""
    here = backfilled(world, command)
    for round_number in range(2):
        with sandbox.held() as model:
            raw_edits.change_attributes(
                model, world.destination, "key/09", tags=(("by", "somebody"),)
            )
        command.run("verify", *here, code=4)
        before = Counter(sandbox.calls())
        command.run("repair", *here, "--yes", code=4 if round_number else 0)
        copies = (Counter(sandbox.calls()) - before)["CopyObject"]
        assert copies == (0 if round_number else 1)
    assert troubles(tmp_path / "run") == {"key/09": "different: tags"}


def test_a_dry_repair_says_what_it_would_do_and_does_not_do_it(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, somebody who only asked has changed the destination."""
    here = backfilled(world, command)
    with sandbox.held() as model:
        raw_edits.remove_version(model, world.destination, "key/03")
    command.run("verify", *here, code=4)
    before = Counter(sandbox.calls())
    told = command.run("repair", *here, "--dry-run", "--json").document()
    assert told["routes"] == {"copy-object": 1}
    since = Counter(sandbox.calls()) - before
    assert not [name for name in since if name.startswith(WRITES)]
    command.run("repair", *here, "--yes", code=0)
    assert (Counter(sandbox.calls()) - before)["CopyObject"] == 1


def test_without_common_evidence_nothing_is_called_equal_until_bytes_are_read(
    command: Command, world: OldWorld
) -> None:
    """If this fails, two objects that nobody compared are reported as proven (exit 5)."""
    with world.days_ago(20):
        # Under KMS not even parts make equal ETags, so CopyObject takes it, which keeps neither
        # its parts nor a checksum of checksums.
        world.upload("parts", (PART, b"end"), "CRC32", encryption=KMS)
    world.set_rules(Rule(to=world.destination))
    here = ("--run-dir", "run", "--json")
    told = command.run("run", world.source, *here, "--yes", code=5).document()
    assert [(one["name"], one["rows"]) for one in told["verdicts"]] == [("unverified", 1)]
    assert any("--deep" in step for step in told["next_steps"])
    command.run("verify", *here, "--allow-unverified", code=0)
    read = command.run("verify", *here, "--deep", "--no-allow-unverified").document()
    assert read["evidence"] == {"bytes": 1}


def _repair_rows(run_directory: Path) -> list[dict[str, Any]]:
    """Return the newest repair's decisions."""
    newest = max(path.name for path in (run_directory / "repair").iterdir())
    return list(artifact(run_directory, f"repair/{newest}"))


def test_what_live_replication_has_under_way_is_in_flight_and_then_equal(
    command: Command, tmp_path: Path
) -> None:
    """If this fails, a copy races a replica, or a wait is reported as a fault (exit 5)."""
    lag = ReplicationSettings(shortest_lag_s=HOUR.total_seconds(), longest_lag_s=3600.0)
    with Sandbox(seed=5, replication=lag) as sandbox:
        world = OldWorld(sandbox, "in-flight")
        told = command.beside(**sandbox.write_profiles(tmp_path / "lagging"))
        with world.days_ago(9):
            world.put("old")
        world.set_rules(Rule(to=world.destination, wants_kms=False))
        world.put("new")
        here = ("--run-dir", "run")
        document = told.run("run", world.source, *here, "--yes", "--json", code=5).document()
        plan = {row["key"]: row for row in artifact(tmp_path / "run", "plan")}
        assert plan["new"]["reason"] == "in-flight"
        assert troubles(tmp_path / "run") == {"new": "in-flight"}
        assert document["exit_code"] == 5
        told.run("verify", *here, "--allow-unverified", code=5)
        with sandbox.held() as model:
            model.replication.advance(sandbox.clock() + HOUR)
        told.run("verify", *here, code=0)
        assert sandbox.calls()["CopyObject"] == 1
