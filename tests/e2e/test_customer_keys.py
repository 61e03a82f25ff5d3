"""SSE-C objects through the command: copied under their own keys, proven, and no key shown."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.values import CustomerKey, RequestedEncryption
from tests.doubles.command import Command, Ended, artifact, report_rows
from tests.doubles.old_world import COPY_BYTES_MAX, PART, OldWorld, Rule, content
from tests.doubles.own_eyes import S3Client, current, versions

KEYS = {name: base64.b64encode(name.encode().ljust(32, b"#")).decode() for name in ("one", "two")}
STRANGE = base64.b64encode(b"nobody has this key".ljust(32)).decode()


def md5_of(key: str) -> str:
    return base64.b64encode(
        hashlib.md5(base64.b64decode(key), usedforsecurity=False).digest()
    ).decode()


def under(key: str) -> RequestedEncryption:
    return RequestedEncryption(customer_key=CustomerKey(key_md5=md5_of(key)))


def unblock(world: OldWorld) -> None:
    """Let both buckets take SSE-C, as buckets from before April 2026 do."""
    with world.sandbox.held() as model:
        for bucket in (world.source, world.destination):
            model.world.buckets[bucket].blocks_sse_c = False


@pytest.fixture
def secret(world: OldWorld, source_client: S3Client) -> OldWorld:
    """Objects under two keys and under none, one of them large, in one prefix and in others."""
    unblock(world)
    with world.days_ago(100):
        world.put("plain/0")
        for number in range(3):
            world.put(f"one/{number}", encryption=under(KEYS["one"]), tags=(("kept", "yes"),))
        world.put("mixed/1", encryption=under(KEYS["one"]))
        world.put("mixed/2", encryption=under(KEYS["two"]))
        world.put("mixed/3")
        world.put("strange", encryption=under(STRANGE))
    upload(source_client, world.source, "two/large", KEYS["two"], (PART, PART[::-1]))
    with world.sandbox.held() as model:
        made = raw_edits.version_of(model, world.source, "two/large")
        long_ago = made.created_at - timedelta(days=100)
        raw_edits.set_times(model, world.source, made.key, made.version_id, long_ago)
    world.set_rules(Rule(to=world.destination))
    return world


def said_of(key: str) -> dict[str, Any]:
    """Return boto3's parameters of a request under a key."""
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": base64.b64decode(key)}


def upload(client: S3Client, bucket: str, key: str, own: str, parts: tuple[bytes, ...]) -> None:
    """Upload in parts under a customer's key, which each part has to say."""
    said = said_of(own)
    made = client.create_multipart_upload(Bucket=bucket, Key=key, **said)
    place = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
    sent = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(**place, PartNumber=number, Body=part, **said)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(**place, MultipartUpload={"Parts": sent})


def key_file(folder: Path, *keys: str, mode: int = 0o600) -> str:
    file = folder / "customer.keys"
    file.write_text("# keys of the old archive\n" + "\n".join(keys) + "\n")
    file.chmod(mode)
    return str(file)


def run(command: Command, world: OldWorld, *words: str, code: int | None = 0) -> Ended:
    return command.run(
        *("run", world.source, "--run-dir", "run", "--yes", "--json", "--deep"), *words, code=code
    )


def texts_of(command: Command, *ended: Ended) -> Iterator[tuple[str, bytes]]:
    """Give everything that the command left: its outputs and every file of the run directory."""
    for number, one in enumerate(ended):
        yield f"stdout {number}", one.stdout.encode()
        yield f"stderr {number}", one.stderr.encode()
    for path in sorted((command.folder / "run").rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()
            if path.suffix == ".gz":
                yield f"{path}, unpacked", gzip.decompress(path.read_bytes())


def assert_nothing_shown(command: Command, *ended: Ended) -> None:
    """No key, in no spelling, anywhere."""
    planted = [*KEYS.values(), *(base64.b64decode(key).hex() for key in KEYS.values())]
    planted += [base64.b64decode(key).decode() for key in KEYS.values()]
    for where, data in texts_of(command, *ended):
        for text in planted:
            assert text.encode() not in data, where


def test_objects_under_customer_keys_are_copied_under_the_same_keys(
    secret: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a copy is readable without its key, or with another one, or is missing."""
    file = key_file(command.folder, *KEYS.values())
    ended = run(command, secret, "--customer-key-file", file)
    there = current(versions(destination_client, secret.destination))
    wanted = {"plain/0": None, "mixed/3": None, "mixed/1": "one", "mixed/2": "two"}
    wanted |= {f"one/{number}": "one" for number in range(3)} | {"two/large": "two"}
    assert there.keys() == wanted.keys()
    for key, name in wanted.items():
        said = said_of(KEYS[name]) if name else {}
        got = destination_client.get_object(Bucket=secret.destination, Key=key, **said)
        assert got.get("SSECustomerKeyMD5") == (md5_of(KEYS[name]) if name else None)
        with got["Body"] as body:
            whole = PART + PART[::-1] if key == "two/large" else content(key)
            assert body.read() == whole
    assert len(PART) * 2 > COPY_BYTES_MAX, "it went by parts"
    tags = destination_client.get_object_tagging(Bucket=secret.destination, Key="one/0")["TagSet"]
    assert tags == [{"Key": "kept", "Value": "yes"}]
    plan = {row["key"]: row for row in artifact(command.folder / "run", "plan")}
    assert plan["strange"]["reason"] == "sse-c"
    assert plan["one/0"]["encryption"] == "SSE-C"
    assert plan["one/0"]["kms_key_arn"] == md5_of(KEYS["one"])
    rows = {row["key"]: row for row in report_rows(command.folder / "run")}
    assert {rows[key]["verdict"] for key in wanted} == {"equal"}
    assert_nothing_shown(command, ended)


def test_a_key_costs_one_more_request_a_prefix_and_not_one_an_object(
    world: OldWorld, command: Command
) -> None:
    """If this fails, a plan over SSE-C objects takes twice its requests."""
    with world.days_ago(100):
        unblock(world)
        for number in range(20):
            world.put(f"one/{number:02}", encryption=under(KEYS["one"]))
    world.set_rules(Rule(to=world.destination))
    file = key_file(command.folder, *KEYS.values())
    before = world.sandbox.calls().get("HeadObject", 0)
    command.run(
        "plan", world.source, "--run-dir", "run", "--customer-key-file", file, "--concurrency", "1"
    )
    assert world.sandbox.calls().get("HeadObject", 0) - before <= 20 + 3


def test_a_run_whose_keys_were_taken_away_fails_there_and_weakens_nothing(
    secret: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a resume without the keys writes copies that anybody with access can read."""
    file = key_file(command.folder, *KEYS.values())
    words = (secret.source, "--run-dir", "run")
    command.run("plan", *words, "--customer-key-file", file)
    key_file(command.folder, STRANGE)  # the run remembers where the keys are, and none of them
    ended = command.run("execute", *words, "--yes", "--json", code=None)
    assert ended.code == 3
    there = current(versions(destination_client, secret.destination))
    assert set(there) == {"plain/0", "mixed/3"}
    codes = {row["code"] for row in artifact(command.folder / "run", "outcomes/00") if row["code"]}
    assert codes == {"CustomerKeyMissing", "InvalidRequest"}, "S3 refuses the HEAD before the parts"


@pytest.mark.parametrize("what", ["absent", "no keys", "hexadecimal"])
def test_a_file_that_holds_no_keys_is_refused_before_anything_is_asked(
    world: OldWorld, command: Command, what: str
) -> None:
    """If this fails, a slip costs a plan without the objects it was about, or shows a secret."""
    world.put("plain/0")
    world.set_rules(Rule(to=world.destination))
    file = key_file(command.folder, *([] if what == "no keys" else ["ab" * 32]))
    words = ("--customer-key-file", "absent" if what == "absent" else file)
    ended = command.run("plan", world.source, "--run-dir", "run", *words, code=2)
    assert any("customer-key-file" in line for line in ended.complaint)
    assert "ab" * 32 not in ended.stderr


def test_a_file_that_everybody_may_read_is_warned_about(world: OldWorld, command: Command) -> None:
    """If this fails, nobody notices that the keys lie open."""
    world.put("plain/0")
    world.set_rules(Rule(to=world.destination))
    file = key_file(command.folder, KEYS["one"], mode=0o644)
    words = ("plan", world.source, "--run-dir", "run", "--customer-key-file", file)
    ended = command.run(*words, "--log-format", "json")
    (warning,) = [e for e in ended.events if e["event"] == "aws.customer_keys_open"]
    assert warning["path"] == file
    campaign = (command.folder / "run").rglob("run.json")
    assert all(KEYS["one"] not in json.dumps(each.read_text()) for each in campaign)
