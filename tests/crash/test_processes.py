"""Several copy processes: each its shard, and whoever dies, the same command comes to the end."""

import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from backfill.execute.shards import ROWS_MIN
from backfill.sandbox.http.faults import Call, Fault, FaultKind, no_faults
from backfill.sandbox.model import raw_edits
from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command, Started, artifact, report
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.kill_rounds import by_request, killed_rounds
from tests.doubles.killer import Killer, Moment, Way
from tests.doubles.old_world import OldWorld
from tests.doubles.own_eyes import S3Client, versions
from tests.doubles.relay import Relay
from tests.doubles.waiting import wait_until

ROWS = figure(ci=150, release=ROWS_MIN)
"""Of a shard. In CI few are made worth a process: what a death costs does not hang on how many."""
OBJECTS = 2 * ROWS
SOME = 25
"""Copies after which a process is in the midst of its shard: more than it has in flight."""
KILLS, CHAINS = figure(ci=2, release=4), figure(ci=1, release=10)
AGENTS = {"lean": b"s3-backfill", "sdk": b"aiobotocore"}
"""How the name begins that each client gives itself."""
DEADLINE_S = 120.0
"""For what takes a moment: only a hang reaches it."""


class AtWork:
    """Tells when both processes are in the midst of their shards, and lets them stay there."""

    def __init__(self) -> None:
        self._asked = [0, 0]

    def __call__(self, call: Call) -> Fault | None:
        if call.operation != "CopyObject":
            return None
        self._asked[is_of_copy_process(call.key)] += 1
        return Fault(kind=FaultKind.NONE, delay_s=2.0 if self.are_both() else 0.1)

    def are_both(self) -> bool:
        return min(self._asked) >= SOME


def is_of_copy_process(key: str) -> bool:
    """Whether a key is of the second shard."""
    return int(key) >= ROWS


@pytest.fixture
def command(command: Command) -> Command:
    """The command, to which a shard of so many rows is worth a process."""
    return command.beside(SHARD_ROWS_MIN=str(ROWS))


@pytest.fixture
def words(world: OldWorld) -> tuple[str, ...]:
    """The command for a bucket that is worth two processes."""
    for number in range(OBJECTS):
        world.put(f"{number:05}", b"x")
    return (
        "run", world.source, "--destination", world.destination, "--engine", "copy",
        "--other-writers", "quiet", "--run-dir", "run", "--yes", "--concurrency", "16",
        "--processes", "2",
    )  # fmt: skip


def copy_process_of(started: Started) -> int:
    """Return the process that the command has started, once it has begun to write."""
    children = Path(f"/proc/{started.child.pid}/task/{started.child.pid}/children")
    found: list[str] = []

    def is_there() -> bool:
        if not found and children.exists():
            found.extend(children.read_text().split())
        return bool(found)

    wait_until(is_there, "a copy process", is_over=started.has_ended, within_s=DEADLINE_S)
    return int(found[0])


def wait_for_work(started: Started, at_work: AtWork) -> int:
    """Wait until both processes copy; return the one that the command has started."""
    wait_until(at_work.are_both, "both copy", is_over=started.has_ended, within_s=DEADLINE_S)
    return copy_process_of(started)


def has_gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def assert_done(world: OldWorld, sandbox: Sandbox, folder: Path) -> None:
    """Every key was copied exactly once, and every row has one outcome and its proof."""
    with sandbox.held() as model:
        keys = Counter(entry.key for entry in raw_edits.snapshot(model, world.destination))
    assert keys == Counter({f"{number:05}": 1 for number in range(OBJECTS)})
    assert [row["number"] for row in artifact(folder, "outcomes/00")] == list(range(OBJECTS))
    document = report(folder)
    assert document["exit_code"] == 0
    assert {count["name"]: count["rows"] for count in document["verdicts"]} == {"equal": OBJECTS}


def test_two_processes_copy_a_shard_each_and_nothing_twice(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    words: tuple[str, ...],
    through: str,
) -> None:
    """If this fails, more processes lose rows, copy them twice, do nothing, or do it otherwise.

    Who sends tells its name, so it is seen that the copy process uses the client that was named.
    """
    with Relay(sandbox.port) as relay:
        ended = command.run(*words, "--endpoint-url", relay.endpoint_url, code=0)
    agents = relay.agents()
    assert agents["copy"] == agents["list"] == {AGENTS[through]}
    assert_done(world, sandbox, tmp_path / "run")
    started = [event for event in ended.events if event["event"] == "execute.processes_started"]
    assert [event["processes"] for event in started] == [2]
    journals = sorted(path.name for path in (tmp_path / "run" / "journal").iterdir())
    assert journals == ["manifest-00", "manifest-00-shard-01"]


def test_a_copy_process_that_is_killed_ends_the_run_and_the_same_command_goes_on(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    words: tuple[str, ...],
    tried: Tried,
) -> None:
    """If this fails, rows of a process that died are taken for done, or copied twice."""
    at_work = AtWork()
    sandbox.set_fault_hook(at_work)
    started = command.start(*words)
    process = wait_for_work(started, at_work)
    os.kill(process, signal.SIGKILL)
    sandbox.set_fault_hook(no_faults)
    ended = started.end()
    assert ended.code == 128 + signal.SIGKILL, ended
    assert any("a copy process ended by itself" in line for line in ended.complaint)
    # One process is asked for now: the manifest stays cut as it was.
    command.run(*words[:-1], "1", code=0)
    assert_done(world, sandbox, tmp_path / "run")
    tried(Row.KILLS, 1)


def test_when_the_holder_is_killed_its_copy_process_ends_and_the_same_command_goes_on(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    words: tuple[str, ...],
    tried: Tried,
) -> None:
    """If this fails, an orphan goes on writing beside the next run."""
    at_work = AtWork()
    sandbox.set_fault_hook(at_work)
    started = command.start(*words)
    process = wait_for_work(started, at_work)
    started.send(signal.SIGKILL)
    sandbox.set_fault_hook(no_faults)
    assert started.end().code == -signal.SIGKILL
    wait_until(lambda: has_gone(process), "the copy process goes", within_s=DEADLINE_S)
    command.run(*words, code=0)
    assert_done(world, sandbox, tmp_path / "run")
    tried(Row.KILLS, 1)


@pytest.mark.parametrize("seed", [first_seed() + seed for seed in range(CHAINS)])
def test_kills_of_either_process_and_the_same_command_come_to_what_one_run_comes_to(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    destination_client: S3Client,
    words: tuple[str, ...],
    seed: int,
    tried: Tried,
) -> None:
    """If this fails, a death in one of several processes loses or doubles rows of either."""
    random, killer = Random(f"processes {seed}"), Killer()
    orphans: list[int] = []

    def one_of(holder: int) -> int:
        found = Path(f"/proc/{holder}/task/{holder}/children").read_text().split()
        orphans.extend(map(int, found))
        return random.choice([holder, *map(int, found)])

    def among_copies(random: Random, *, is_early: bool) -> Moment:
        nth = 1 if is_early else random.randint(1, OBJECTS // 3)
        way = random.choice(list(Way))
        return Moment(operation="CopyObject", nth=nth, way=way, later_s=0.0)

    def wait_for_orphans() -> None:
        # They hold the lock of the run directory until they see that their holder is gone.
        wait_until(
            lambda: all(map(has_gone, orphans)), "the copy processes go", within_s=DEADLINE_S
        )

    def slower_by_the_holder(call: Call) -> Fault | None:
        # It begins alone, and has half the rows: let some of the moments find both at work.
        is_slow = call.operation == "CopyObject" and not is_of_copy_process(call.key)
        fault = killer(call)
        if fault is None or fault.kind is not FaultKind.NONE:
            return fault
        return replace(fault, delay_s=0.3) if is_slow else fault

    sandbox.set_fault_hook(slower_by_the_holder)
    aim = by_request(killer, random, victim=one_of, moments=among_copies)
    killing = killed_rounds(command, words, aim, kills=KILLS, after_each=wait_for_orphans)
    keys = Counter(one.key for one in versions(destination_client, world.destination))
    assert keys == Counter({f"{number:05}": 1 for number in range(OBJECTS)})
    assert_done(world, sandbox, command.folder / "run")
    tried(Row.KILLS, killing.kills)


def test_a_signal_drains_all_processes_and_the_same_command_goes_on(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    """If this fails, Ctrl-C leaves copy processes behind, or says that a bug was met."""
    at_work = AtWork()
    sandbox.set_fault_hook(at_work)
    started = command.start(*words)
    process = wait_for_work(started, at_work)
    started.send(signal.SIGTERM)
    sandbox.set_fault_hook(no_faults)
    ended = started.end()
    assert ended.code == 128 + signal.SIGTERM, ended
    assert has_gone(process)
    command.run(*words, code=0)
    assert_done(world, sandbox, tmp_path / "run")
