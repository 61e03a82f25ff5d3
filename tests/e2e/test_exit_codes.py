"""Every exit code of docs/reference/exit-codes.md, each brought about as it comes about in life.

What fails says so in one line with a hint on stderr, without a traceback, and leaves stdout clean.
0, 4 and 5 are in test_main_job and test_damage, 130 and 143 in test_interruptions.
"""

import fcntl
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Ended, artifact, branch
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, current, versions

BREAKER_WINDOW = 200


def write_keys(world: OldWorld, count: int = 6) -> None:
    """Write some old keys and today's rule."""
    with world.days_ago(30):
        for number in range(count):
            world.put(f"key/{number:03}")
    world.set_rules(Rule(to=world.destination))


def assert_one_clear_line(ended: Ended, code: int, *words: str) -> None:
    """One line that says what is wrong, one hint that mends it, and nothing else."""
    assert ended.code == code, ended
    assert not ended.stdout
    line, *hints = ended.complaint
    assert line.startswith("backfill: ")
    assert all(word in line for word in words), line
    assert len(hints) == 1, ended.complaint
    assert hints[0].startswith("  hint: ")
    assert "Traceback" not in ended.stderr


def test_2_a_flag_that_does_not_exist(command: Command) -> None:
    """If this fails, a typing error in a flag runs something else."""
    ended = command.run("run", "some-bucket", "--dryrun", code=2)
    assert not ended.stdout
    assert ended.complaint[-1] == "backfill: error: unrecognized arguments: --dryrun"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[source]\nbuckett = "some-bucket"\n', ("[source] buckett is not known",)),
        ('[source]\nbucket = "Not A Bucket"\n', ("is no bucket name",)),
        ('[source]\nbucket = "abc"\n[limits]\nconcurrency = 0\n', ("concurrency", "out of range")),
        (
            '[source]\nbucket = "abc"\n[scope]\ncreated-before = "2026-01-01T00:00"\n',
            ("time zone",),
        ),
        ("[source\n", ("is no TOML",)),
    ],
    ids=["unknown-key", "bucket-name", "range", "time-zone", "syntax"],
)
def test_2_a_campaign_that_says_something_impossible(
    command: Command, toml: str, words: tuple[str, ...]
) -> None:
    """If this fails, a wrong line in a campaign is taken for another one, or for nothing."""
    ended = command.run("run", "--campaign", "-", "--run-dir", "run", stdin=toml, code=None)
    assert ended.code == 2
    assert not ended.stdout
    assert all(word in ended.complaint[0] for word in words), ended.complaint
    assert not (command.folder / "run").exists()


def test_2_the_run_directory_of_another_campaign(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, the plan of one campaign is carried out for another."""
    write_keys(world)
    here = ("--run-dir", "run")
    command.run("run", world.source, *here, "--dry-run")
    ended = command.run("run", world.source, *here, "--prefix", "other/", "--yes", code=None)
    assert_one_clear_line(ended, 2, "belongs to another campaign", "prefix")
    world.set_rules(Rule(to=world.destination, prefix="key/"))
    ended = command.run("run", world.source, *here, "--yes", code=None)
    assert_one_clear_line(ended, 2, "replication configuration")
    assert not sandbox.calls().get("CopyObject")


def test_3_some_versions_failed_and_a_repair_brings_them(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    destination_client: S3Client,
) -> None:
    """If this fails, one bad object stops the others, or passes for done."""
    write_keys(world)

    def fail_one(call: Call) -> Fault | None:
        if call.operation == "CopyObject" and call.key == "key/003":
            return Fault(kind=FaultKind.ERROR, code="InvalidRequest", status=400, message="no")
        return None

    sandbox.set_fault_hook(fail_one)
    here = ("--run-dir", "run", "--yes", "--json")
    document = command.run("run", world.source, *here, code=3).document()
    assert document["exit_code"] == 3
    assert branch(document["totals"], "routed", "copy-object", "failed") == 1
    assert branch(document["totals"], "routed", "copy-object", "copied") == 5
    assert [one["key"] for one in document["troubles"]] == ["key/003"]
    outcomes = Counter(row["code"] for row in artifact(tmp_path / "run", "outcomes/00"))
    assert outcomes["InvalidRequest"] == 1
    sandbox.set_fault_hook(lambda _: None)
    command.run("repair", *here, code=0)
    assert len(current(versions(destination_client, world.destination))) == 6


def test_10_the_statement_that_the_source_bucket_policy_lacks_is_the_hint(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, whoever meets AccessDenied has to guess which of two policies lacks what."""
    closed = OldWorld(sandbox, "closed", is_open=False)
    write_keys(closed)
    # Preflight says so, too, before the listing: tests/e2e/test_preflight_copies.py.
    words = ("--run-dir", "run", "--yes", "--skip-preflight")
    ended = command.run("run", closed.source, *words, code=None)
    assert_one_clear_line(ended, 10, "may not read", closed.source)
    hint = ended.complaint[1]
    statement = json.loads(hint[hint.index("{") :])
    assert statement["Resource"] == f"arn:aws:s3:::{closed.source}/*"
    assert "s3:GetObjectVersionTagging" in statement["Action"]
    assert DESTINATION.account_id in str(statement["Principal"])
    closed.set_policy(SOURCE, closed.source, statement)
    command.run("run", closed.source, "--run-dir", "run", "--yes", code=0)


@pytest.mark.parametrize("versioning", ["", "Suspended"])
@pytest.mark.parametrize("verb", ["run", "execute", "repair"])
def test_10_a_destination_that_keeps_no_versions(
    sandbox: Sandbox, command: Command, versioning: str, verb: str
) -> None:
    """If this fails, what a copy replaces is lost for good."""
    name = f"unsafe-{verb}-{versioning.lower() or 'never'}"
    world = OldWorld(sandbox, name)
    bare = f"{name}-bare"
    world.make_bucket(DESTINATION, bare, versioning=versioning)
    with world.days_ago(3):
        world.put("key")
    words = ("--destination", bare, "--run-dir", "run")
    if verb != "run":
        command.run("plan", world.source, *words)
        command.run("manifest", world.source, *words)
    before = sandbox.calls().get("CopyObject", 0)
    ended = command.run(verb, world.source, *words, "--yes", code=None)
    assert_one_clear_line(ended, 10, bare, versioning or "not switched on")
    assert "put-bucket-versioning" in ended.complaint[1]
    assert sandbox.calls().get("CopyObject", 0) == before


def test_10_a_bucket_that_does_not_exist(command: Command) -> None:
    """If this fails, a misspelt bucket is an empty one."""
    ended = command.run("run", "no-such-bucket-here", "--run-dir", "run", "--yes", code=None)
    assert_one_clear_line(ended, 10, "no-such-bucket-here", "does not exist")


def test_11_a_run_directory_that_another_process_holds(
    command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, two processes write one journal."""
    write_keys(world)
    command.run("run", world.source, "--run-dir", "run", "--dry-run")
    descriptor = os.open(tmp_path / "run" / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for verb in ("run", "manifest"):
            ended = command.run(verb, world.source, "--run-dir", "run", code=None)
            assert_one_clear_line(ended, 11, "in use by")
        told = command.run("status", "--run-dir", "run")
        assert "next: manifest/00" in told.stdout
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("keys", "words"),
    [({}, ("credentials",)), ({"AWS_SECRET_ACCESS_KEY": "wrong"}, ("SignatureDoesNotMatch",))],
    ids=["none", "wrong-secret"],
)
def test_12_credentials_that_are_not_there_or_do_not_work(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    keys: dict[str, str],
    words: tuple[str, ...],
) -> None:
    """If this fails, a wrong key looks like a missing permission or a bug."""
    write_keys(world)
    own = sandbox.environment("source")
    del own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
    given = {"AWS_ACCESS_KEY_ID": SOURCE.root.access_key_id, **keys} if keys else {}
    nobody = command.beside(
        **own,
        **given,
        BACKFILL_SOURCE_PROFILE="",
        BACKFILL_DESTINATION_PROFILE="",
        AWS_CONFIG_FILE=str(command.folder / "none"),
        AWS_SHARED_CREDENTIALS_FILE=str(command.folder / "none"),
    )
    ended = nobody.run("run", world.source, "--run-dir", "run", "--yes", code=None)
    assert_one_clear_line(ended, 12, *words)
    assert "wrong" not in ended.complaint[0].split("Match")[-1]


def test_12_a_profile_that_nobody_configured(command: Command) -> None:
    """If this fails, a misspelt profile falls back to somebody else's credentials."""
    told = command.beside(BACKFILL_SOURCE_PROFILE="nobody")
    ended = told.run("run", "some-bucket", "--run-dir", "run", "--yes", code=None)
    assert_one_clear_line(ended, 12, "nobody")


@pytest.mark.parametrize("damage", ["altered", "cut", "removed"])
def test_20_an_artefact_that_is_not_what_was_written(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path, damage: str
) -> None:
    """If this fails, a damaged plan is carried out."""
    write_keys(world)
    command.run("run", world.source, "--run-dir", "run", "--dry-run")
    rows = next((tmp_path / "run" / "plan").glob("rows-*"))
    whole = rows.read_bytes()
    if damage == "altered":
        rows.write_bytes(gzip.compress(gzip.decompress(whole).replace(b"key/001", b"key/007")))
    elif damage == "cut":
        rows.write_bytes(whole[: len(whole) // 2])
    else:
        rows.unlink()
    before = sandbox.calls().get("CopyObject", 0)
    ended = command.run("run", world.source, "--run-dir", "run", "--yes", code=None)
    assert_one_clear_line(ended, 20, "plan")
    assert sandbox.calls().get("CopyObject", 0) == before


def test_21_almost_everything_fails_and_the_run_stops_by_itself(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, a million requests are paid for after the first two hundred were denied."""
    write_keys(world, count=BREAKER_WINDOW + 150)

    def deny(call: Call) -> Fault | None:
        if call.operation == "CopyObject":
            return Fault(kind=FaultKind.ERROR, code="AccessDenied", status=403, message="no")
        return None

    sandbox.set_fault_hook(deny)
    before = sandbox.calls().get("CopyObject", 0)
    here = ("--run-dir", "run", "--yes", "--concurrency", "20")
    ended = command.run("run", world.source, *here, code=None)
    assert_one_clear_line(ended, 21, "AccessDenied")
    assert sandbox.calls()["CopyObject"] - before < BREAKER_WINDOW + 100
    sandbox.set_fault_hook(lambda _: None)
    told = command.run("execute", *here, "--json", code=3).document()
    assert told["kinds"]["failed"] >= BREAKER_WINDOW * 9 // 10
    assert sum(told["kinds"].values()) == BREAKER_WINDOW + 150


def test_22_a_clock_that_is_an_hour_off(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, a wrong clock looks like a wrong key."""
    write_keys(world)
    sandbox.clock.offset = timedelta(hours=1)
    try:
        ended = command.run("run", world.source, "--run-dir", "run", "--yes", code=None)
    finally:
        sandbox.clock.offset = timedelta()
    assert_one_clear_line(ended, 22, "expired")
    assert "clock" in ended.complaint[1]


def test_70_totals_that_do_not_add_up_are_a_bug_and_nothing_is_written(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, a plan that lost a version is carried out.

    No way to bring this about by requests is known, so the plan's own totals are rewritten, digest
    and seal included, as a faulty plan stage would have written them.
    """
    write_keys(world)
    command.run("run", world.source, "--run-dir", "run", "--dry-run")
    path = tmp_path / "run" / "plan" / "index.json"
    document = json.loads(path.read_bytes())
    document["summary"]["totals"]["source"][0] += 1
    document.pop("seal")
    content = {
        "name": document["name"],
        "columns": document["columns"],
        "rows": document["rows"],
        "segments": [[s["rows"], s["bytes"], s["sha256"]] for s in document["segments"]],
        "inputs": document["inputs"],
        "summary": document["summary"],
    }
    document["digest"] = hashlib.sha256(_canonical(content)).hexdigest()
    document["seal"] = hashlib.sha256(_canonical(document)).hexdigest()
    path.write_bytes(_canonical(document))
    before = sandbox.calls().get("CopyObject", 0)
    ended = command.run("run", world.source, "--run-dir", "run", "--yes", code=None)
    assert_one_clear_line(ended, 70, "does not add up")
    assert sandbox.calls().get("CopyObject", 0) == before


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",), ("run", "--help")])
def test_help_and_version_need_nothing(command: Command, words: tuple[str, ...]) -> None:
    """If this fails, nobody finds out how to use the command."""
    ended = command.run(*words, code=None)
    assert ended.code == (0 if words else 2)
    assert bool(ended.stdout) == bool(words)


def test_a_reader_that_leaves_is_no_error(command: Command, world: OldWorld) -> None:
    """If this fails, `backfill explain ... | head` ends in a traceback."""
    write_keys(world)
    command.run("run", world.source, "--run-dir", "run", "--dry-run")
    process = subprocess.Popen(
        [sys.executable, "-m", "backfill", "status", "--run-dir", "run"],
        env=command.environment,
        cwd=command.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=300) == 0
    assert told == b""


def _canonical(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=1)
    return text.encode("ascii") + b"\n"
