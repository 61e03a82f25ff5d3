"""SIGINT and SIGTERM: running copies end, the exit code says resumable, the same command goes on.

The sandbox holds answers back, so that a signal meets copies in flight whatever the machine's load.
"""

import signal
import threading
from collections.abc import Callable

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultHook, FaultKind
from backfill.sandbox.service import Sandbox
from tests.doubles.command import TIMEOUT_S, Command, Ended, Started
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, chains, versions
from tests.doubles.waiting import came_true

KEYS = 40
CHAINS, EDITIONS = 6, 4
FOR_EVER_S = 10 * TIMEOUT_S
"""No test would live to see the answer."""

LATER = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture
def job(world: OldWorld) -> OldWorld:
    """A source bucket with work for a while."""
    with world.days_ago(30):
        for number in range(KEYS):
            world.put(f"key/{number:03}")
    world.set_rules(Rule(to=world.destination))
    return world


def slow_after(operation: str, count: int, delay_s: float) -> tuple[FaultHook, threading.Event]:
    """Answer `operation` at once `count` times, later ones (carried out at once) only in a while.

    The event is set when the first answer is held back.
    """
    reached = threading.Event()
    met = 0

    def hook(call: Call) -> Fault | None:
        nonlocal met
        if call.operation != operation:
            return None
        met += 1
        if met <= count:
            return None
        reached.set()
        return Fault(kind=FaultKind.NONE, delay_s=delay_s)

    return hook, reached


def until(started: Started, is_so: Callable[[], bool]) -> None:
    """Wait until something is so, or the command is stuck."""
    came = came_true(is_so, within_s=TIMEOUT_S)
    assert came, started.stderr.read_text(encoding="utf-8")


def assert_interrupted(ended: Ended, number: signal.Signals) -> None:
    """Interrupted, resumable, said in one line."""
    assert ended.code == LATER[number], ended
    assert not ended.stdout
    line, hint = ended.complaint
    assert line == f"backfill: stopped by {number.name}; what was copied is recorded"
    assert hint == "  hint: run the same command again to go on"


def assert_each_key_once(client: S3Client, world: OldWorld) -> None:
    """Every key is there, and none was written twice."""
    keys = [one.key for one in versions(client, world.destination)]
    assert sorted(keys) == [f"key/{number:03}" for number in range(KEYS)]


@pytest.mark.parametrize("number", LATER)
def test_a_first_signal_lets_running_copies_end_and_the_same_command_goes_on(
    sandbox: Sandbox,
    command: Command,
    job: OldWorld,
    destination_client: S3Client,
    number: signal.Signals,
) -> None:
    """If this fails, a container that is told to go loses or repeats work."""
    words = ("run", job.source, "--run-dir", "run", "--yes", "--concurrency", "4")
    hook, reached = slow_after("CopyObject", 8, delay_s=1.5)
    sandbox.set_fault_hook(hook)
    # In its own process from the first import on, as a supervisor would have it.
    started = command.cold().start(*words)
    assert reached.wait(TIMEOUT_S)
    started.send(number)
    ended = started.end()
    sandbox.set_fault_hook(lambda _: None)
    assert_interrupted(ended, number)
    draining = [event for event in ended.events if event["event"] == "execute.draining"]
    assert [(event["signal"], event["in_flight"] > 0) for event in draining] == [
        (number.name, True)
    ]
    there = versions(destination_client, job.destination)
    assert 8 <= len(there) < KEYS
    waiting = command.run("status", "--run-dir", "run", "--json").document()
    assert waiting["next_stage"] == "outcomes/00"
    copies = sandbox.calls()["CopyObject"]
    command.run(*words, code=0)
    assert sandbox.calls()["CopyObject"] - copies == KEYS - len(there)
    assert_each_key_once(destination_client, job)


def test_a_second_signal_ends_at_once_and_what_was_under_way_is_settled_at_the_resume(
    sandbox: Sandbox, command: Command, job: OldWorld, destination_client: S3Client
) -> None:
    """If this fails, an impatient person has to kill the process, or copies are made twice."""
    words = ("run", job.source, "--run-dir", "run", "--yes", "--concurrency", "4")
    hook, reached = slow_after("CopyObject", 8, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    patient = command.beside(BACKFILL_LIMITS_DRAIN_TIMEOUT_S=str(FOR_EVER_S))
    started = patient.start(*words)
    assert reached.wait(TIMEOUT_S)
    started.send(signal.SIGINT)
    until(started, lambda: "execute.draining" in started.stderr.read_text(encoding="utf-8"))
    started.send(signal.SIGINT)
    assert_interrupted(started.end(), signal.SIGINT)
    sandbox.set_fault_hook(lambda _: None)
    command.run(*words, code=0)
    assert_each_key_once(destination_client, job)


@pytest.mark.parametrize(
    ("through", "number", "is_impatient"),
    [("lean", signal.SIGTERM, False), ("lean", signal.SIGINT, True), ("sdk", signal.SIGTERM, True)],
    scope="module",
)
def test_a_signal_amid_histories_leaves_beginnings_and_the_same_command_brings_the_rest(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    destination_client: S3Client,
    number: signal.Signals,
    *,
    is_impatient: bool,
) -> None:
    """If this fails, who is told to go in the middle of a chain loses or doubles a version."""
    with world.days_ago(30):
        for edition in range(1, EDITIONS + 1):
            for key in range(CHAINS):
                world.put(f"key/{key}", b"x" * edition)
    words = (
        *("run", world.source, "--destination", world.destination, "--versions", "all"),
        *("--run-dir", "run", "--yes", "--concurrency", "4"),
    )
    hook, reached = slow_after("CopyObject", 5, delay_s=FOR_EVER_S if is_impatient else 1.5)
    sandbox.set_fault_hook(hook)
    patient = command.beside(BACKFILL_LIMITS_DRAIN_TIMEOUT_S=str(FOR_EVER_S))
    started = patient.start(*words)
    assert reached.wait(TIMEOUT_S)
    started.send(number)
    if is_impatient:
        until(started, lambda: "execute.draining" in started.stderr.read_text(encoding="utf-8"))
        started.send(number)
    assert_interrupted(started.end(), number)
    sandbox.set_fault_hook(lambda _: None)
    for chain in chains(destination_client, world.destination).values():
        sizes = [one.size_bytes for one in chain]
        assert sizes == list(range(len(chain), 0, -1)), "a beginning, without a gap"
    command.run(*words, code=0)
    found = chains(destination_client, world.destination)
    assert {key: [one.size_bytes for one in chain] for key, chain in found.items()} == {
        f"key/{key}": list(range(EDITIONS, 0, -1)) for key in range(CHAINS)
    }


def test_draining_has_an_end(
    sandbox: Sandbox, command: Command, job: OldWorld, destination_client: S3Client
) -> None:
    """If this fails, a hanging store outlasts the grace period, and SIGKILL comes."""
    words = ("run", job.source, "--run-dir", "run", "--yes", "--concurrency", "4")
    hook, reached = slow_after("CopyObject", 3, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    started = command.beside(BACKFILL_LIMITS_DRAIN_TIMEOUT_S="0.2").start(*words)
    assert reached.wait(TIMEOUT_S)
    started.send(signal.SIGTERM)
    assert_interrupted(started.end(), signal.SIGTERM)
    sandbox.set_fault_hook(lambda _: None)
    command.run(*words, code=0)
    assert_each_key_once(destination_client, job)


@pytest.mark.parametrize(
    ("number", "operation", "count"),
    [
        (signal.SIGTERM, "ListObjectVersions", 0),
        (signal.SIGINT, "HeadObject", 10),
        (signal.SIGTERM, "HeadObject", KEYS + 10),
    ],
    ids=["inventory", "plan", "verify"],
)
def test_a_signal_in_a_stage_that_only_reads_ends_it_and_the_same_command_goes_on(
    sandbox: Sandbox,
    command: Command,
    job: OldWorld,
    destination_client: S3Client,
    number: signal.Signals,
    operation: str,
    count: int,
) -> None:
    """If this fails, a long listing cannot be stopped, or leaves half an artefact behind."""
    words = ("run", job.source, "--run-dir", "run", "--yes")
    hook, reached = slow_after(operation, count, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    started = command.start(*words)
    assert reached.wait(TIMEOUT_S)
    started.send(number)
    assert_interrupted(started.end(), number)
    sandbox.set_fault_hook(lambda _: None)
    command.run(*words, code=0)
    assert_each_key_once(destination_client, job)


def test_two_commands_at_once_on_one_run_directory_are_one_too_many(
    sandbox: Sandbox, command: Command, job: OldWorld, destination_client: S3Client
) -> None:
    """If this fails, a scheduler's second instance doubles every copy (exit 11)."""
    words = ("run", job.source, "--run-dir", "run", "--yes", "--concurrency", "4")
    hook, reached = slow_after("CopyObject", 4, delay_s=0.5)
    sandbox.set_fault_hook(hook)
    first = command.start(*words)
    assert reached.wait(TIMEOUT_S)
    second = command.run(*words, code=11)
    assert not second.stdout
    assert f"in use by process {first.child.pid}" in second.complaint[0]
    sandbox.set_fault_hook(lambda _: None)
    assert first.end().code == 0
    assert_each_key_once(destination_client, job)
