"""What one command means for the next: its consent, its tolerance, its verdicts, its places.

Each test is two or more commands on one run directory, with something changed between them.
"""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.model import raw_edits
from backfill.sandbox.service import DESTINATION, Sandbox
from tests.doubles.command import TIMEOUT_S, Command, artifact, report, report_rows
from tests.doubles.old_world import KMS, OldWorld, Rule, content
from tests.doubles.own_eyes import S3Client, current, versions

WRITES = ("Put", "Copy", "Delete", "Create", "Upload", "Complete", "Abort")
"""How the names of S3's writing operations begin."""
HERE = ("--run-dir", "run")


def write_keys(world: OldWorld, *prefixes: str) -> None:
    """Write three old keys under each prefix, one of them twice, so that no numbering is alike."""
    with world.days_ago(30):
        for prefix in prefixes or ("key/",):
            for number in range(3):
                world.put(f"{prefix}{number}")
            world.put(f"{prefix}0", content(f"{prefix}0", 1))


def stray(world: OldWorld) -> None:
    """Put what nobody asked for into the destination."""
    with world.days_ago(1):
        world.put("key/stray", bucket=world.destination, account=DESTINATION)


def writes(sandbox: Sandbox, before: Counter[str]) -> Counter[str]:
    """Return the writing requests that came since `before`."""
    since = Counter(sandbox.calls()) - before
    return Counter({name: n for name, n in since.items() if name.startswith(WRITES)})


def work_lists(run_directory: Path) -> set[str]:
    """Return what a run directory holds of manifests and repairs."""
    return {
        str(path.relative_to(run_directory))
        for folder in ("manifest", "repair")
        for path in run_directory.glob(f"{folder}/*")
    }


def keys_of(client: S3Client, bucket: str) -> set[str]:
    """Return the keys that readers of a bucket see."""
    return set(current(versions(client, bucket)))


# --- places ---


def test_rules_that_are_put_again_in_another_order_send_nothing_elsewhere(
    command: Command, world: OldWorld, destination_client: S3Client
) -> None:
    """If this fails, a tool that shuffles rules makes copies land in the other bucket."""
    other = f"{world.destination}-0"
    world.make_bucket(DESTINATION, other)
    world.allow_replicas(other)
    write_keys(world, "a/", "b/")
    rules = (
        Rule(to=world.destination, rule_id="a", prefix="a/", wants_kms=False),
        Rule(to=other, rule_id="b", prefix="b/", priority=2, wants_kms=False),
    )
    world.set_rules(*rules)
    command.run("run", world.source, *HERE, "--dry-run")
    command.run("manifest", *HERE)
    world.set_rules(*reversed(rules))
    command.run("execute", *HERE, "--yes")
    assert keys_of(destination_client, world.destination) == {"a/0", "a/1", "a/2"}
    assert keys_of(destination_client, other) == {"b/0", "b/1", "b/2"}


def test_a_verb_that_asks_nobody_is_refused_another_campaign_all_the_same(
    command: Command, world: OldWorld
) -> None:
    """If this fails, a report names a bucket that the run never saw."""
    write_keys(world)
    world.set_rules(Rule(to=world.destination))
    command.run("run", world.source, *HERE, "--dry-run")
    for verb in ("report", "manifest"):
        ended = command.run(verb, *HERE, "--destination", "another-bucket", code=2)
        assert "another campaign" in ended.complaint[0]
        assert "another-bucket" in ended.complaint[0]
        assert not ended.stdout
        assert not (command.folder / "run" / verb).exists()


def test_who_names_both_accounts_needs_no_sts(command: Command, world: OldWorld) -> None:
    """If this fails, a network that has a way to S3 and none to STS cannot be backfilled."""
    write_keys(world)
    world.set_rules(Rule(to=world.destination))
    with socket.socket() as closed:
        # Bound and not listening: whoever connects is refused, and nobody else gets the port.
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        cut_off = command.beside(
            AWS_ENDPOINT_URL_S3=world.sandbox.endpoint_url,
            AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{port}",
        )
        named = ("--source-account", "1" * 12, "--destination-account", "2" * 12)
        ended = cut_off.run("run", world.source, *HERE, *named, "--yes", "--json", code=0)
    assert ended.document()["asked"]["source"]["account_origin"] == "flag"
    assert {one["name"]: one["rows"] for one in ended.document()["verdicts"]} == {"equal": 3}


# --- time ---


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_the_horizon_is_by_the_clock_that_stamps_versions(
    command: Command, tmp_path: Path, ahead: timedelta
) -> None:
    """If this fails, a slow clock leaves the newest objects behind, a fast one takes tomorrow's."""
    with Sandbox(seed=6) as sandbox:
        sandbox.clock.offset = ahead
        world = OldWorld(sandbox, "skewed")
        world.put("before")
        told = command.beside(**sandbox.write_profiles(tmp_path / "skewed"))
        to = ("--destination", world.destination)
        # It begins the run and takes no inventory that the plan would go by.
        told.run("verify", world.source, *HERE, *to, code=4)
        sandbox.clock.offset += timedelta(seconds=3)
        world.put("after")
        told.run("run", *HERE, "--dry-run")
    decided = {row["key"]: row["reason"] for row in artifact(tmp_path / "run", "plan")}
    assert decided == {"before": None, "after": "after-horizon"}


# --- consent ---


def test_a_dry_repair_leaves_nothing_that_a_later_command_would_carry_out(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    destination_client: S3Client,
) -> None:
    """If this fails, looking at a repair is the yes to it, for what it may hide as well."""
    write_keys(world)
    world.set_rules(Rule(to=world.destination))
    stray(world)
    command.run("run", world.source, *HERE, "--yes", code=4)
    lists, before = work_lists(tmp_path / "run"), Counter(sandbox.calls())
    told = command.run("repair", *HERE, "--dry-run", "--allow-hiding", "--json").document()
    assert sum(told["routes"].values()) == 1
    assert work_lists(tmp_path / "run") == lists
    # Nobody can be asked. What the first would do stays open, for the second to come upon.
    for words in (("repair", "--allow-hiding"), ("run", "--allow-hiding")):
        ended = command.run(*words, *HERE, code=2)
        assert "nobody can be asked" in ended.complaint[0]
    command.run("repair", *HERE, "--yes", "--no-allow-hiding", code=4)
    assert not writes(sandbox, before)
    assert "key/stray" in keys_of(destination_client, world.destination)


_WITH_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from backfill.cli.main import entry_point
entry_point()
"""


def test_ctrl_c_at_the_question_ends_the_command_and_nothing_is_written(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, whoever is unsure can only kill the process from another window."""
    write_keys(world)
    world.set_rules(Rule(to=world.destination))
    before = Counter(sandbox.calls())
    person, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _WITH_A_TERMINAL, "run", world.source, *HERE],
            env=command.environment,
            cwd=command.folder,
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            assert "Write 3 versions (manifest/00)? [y/N]" in until_shown(person, "[y/N]")
            os.write(person, b"\x03")
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(person)
    assert not writes(sandbox, before)


def until_shown(terminal: int, words: str) -> str:
    """Read what a terminal shows until these words stand there."""
    shown = b""
    while words.encode() not in shown:
        readable, _, _ = select.select([terminal], [], [], TIMEOUT_S)
        assert readable, shown
        shown += os.read(terminal, 4096)
    return shown.decode()


# --- tolerance ---


def test_what_one_command_may_tolerate_or_hide_the_next_may_not(
    command: Command, world: OldWorld
) -> None:
    """If this fails, one tolerant command makes every later one exit 0, or hide objects."""
    with world.days_ago(20):
        world.put("key/secret", encryption=KMS)
    world.set_rules(Rule(to=world.destination))
    stray(world)
    command.run("run", world.source, *HERE, "--yes", code=4)
    words = ("repair", *HERE, "--dry-run", "--json")
    hiding = command.run(*words, "--allow-hiding").document()
    assert sum(hiding["routes"].values()) == 1
    assert not command.run(*words).document()["routes"]
    world.delete("key/stray", bucket=world.destination, account=DESTINATION)
    with world.sandbox.held() as model:
        # An ETag under KMS says nothing of the bytes, and now nothing else does.
        raw_edits.strip_checksum(model, world.destination, "key/secret")
    command.run("verify", *HERE, "--deep", "--allow-unverified", code=0)
    command.run("verify", *HERE, code=5)


# --- verdicts ---


def test_a_verification_before_there_was_a_plan_says_nothing_about_the_plan(
    command: Command, world: OldWorld, tmp_path: Path, destination_client: S3Client
) -> None:
    """If this fails, verdicts are read as those of other versions, and repair is a bug (70)."""
    write_keys(world, "key/", "more/")
    world.set_rules(Rule(to=world.destination))
    alone = command.run("verify", world.source, *HERE, "--json", code=4).document()
    assert alone["verdicts"] == {"missing": 6}
    command.run("run", *HERE, "--dry-run")
    told = command.run("report", *HERE, "--json").document()
    assert told["verdicts"] == []
    assert told["exit_code"] == 5
    assert not [row for row in report_rows(tmp_path / "run") if row["verdict"]]
    command.run("execute", *HERE, "--yes")
    document = command.run("repair", *HERE, "--yes", "--json", code=0).document()
    assert {one["name"]: one["rows"] for one in document["verdicts"]} == {"equal": 6}
    listing = versions(destination_client, world.destination)
    assert len(listing) == 6, "each was copied once"


def slow_after(count: int) -> tuple[Callable[[Call], Fault | None], threading.Event]:
    """Answer so many copies at once and later ones in a while; the event says that one waits."""
    reached = threading.Event()
    met = 0

    def hook(call: Call) -> Fault | None:
        nonlocal met
        if call.operation != "CopyObject":
            return None
        met += 1
        if met <= count:
            return None
        reached.set()
        return Fault(kind=FaultKind.NONE, delay_s=0.7)

    return hook, reached


def test_a_verification_in_the_midst_of_the_copies_is_not_what_repair_goes_by(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    destination_client: S3Client,
) -> None:
    """If this fails, what arrived after a look is reported missing and copied again."""
    write_keys(world, "a/", "b/", "c/")
    world.set_rules(Rule(to=world.destination))
    hook, reached = slow_after(3)
    sandbox.set_fault_hook(hook)
    started = command.start("run", world.source, *HERE, "--yes", "--concurrency", "2")
    assert reached.wait(TIMEOUT_S)
    started.send(signal.SIGINT)
    assert started.end().code == 130
    sandbox.set_fault_hook(lambda _: None)
    early = command.run("verify", *HERE, "--json", code=4).document()
    assert early["verdicts"]["missing"] > 0
    command.run("execute", *HERE, "--yes")
    told = command.run("report", *HERE, "--json").document()
    assert told["verdicts"] == []
    assert not [one for one in told["troubles"] if one["problem"] == "missing"]
    copies = sandbox.calls()["CopyObject"]
    document = command.run("repair", *HERE, "--yes", "--json", code=0).document()
    assert {one["name"]: one["rows"] for one in document["verdicts"]} == {"equal": 9}
    assert sandbox.calls()["CopyObject"] == copies
    assert len(versions(destination_client, world.destination)) == 9
    decided = list(artifact(tmp_path / "run", "repair/01"))
    assert not decided, "it looked again, and nothing was wrong"


def test_verify_ends_as_the_report_that_it_writes_does(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, a script reads 4 where the report says that copies failed (3)."""
    write_keys(world)
    world.set_rules(Rule(to=world.destination))

    def fail_one(call: Call) -> Fault | None:
        if call.operation == "CopyObject" and call.key == "key/1":
            return Fault(kind=FaultKind.ERROR, code="InvalidRequest", status=400, message="no")
        return None

    sandbox.set_fault_hook(fail_one)
    command.run("run", world.source, *HERE, "--yes", code=3)
    sandbox.set_fault_hook(lambda _: None)
    found = command.run("verify", *HERE, "--json", code=3).document()
    assert found["verdicts"] == {"equal": 2, "missing": 1}
    assert report(tmp_path / "run")["exit_code"] == 3
