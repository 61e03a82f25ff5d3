"""Jobs that fail, are cancelled, report nonsense or lose their answers: told, and gone on from.

Every fault is planted in the sandbox; every end is read from the exit code, the one line that a
person gets, and the jobs that S3 Control lists afterwards.
"""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultKind, no_faults
from backfill.sandbox.model.batch_operations.faults import (
    SLOW_DOWN,
    JobEnd,
    JobFaults,
    ReportFault,
    failing,
    no_job_faults,
)
from backfill.sandbox.model.batch_operations.tasks import TaskFailure
from backfill.sandbox.service import Sandbox
from tests.doubles.command import TIMEOUT_S, Command, Ended, artifact
from tests.doubles.jobs_place import POLLS, make_jobs_place
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions
from tests.doubles.waiting import wait_until

KEYS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A source bucket with two versions of each key, and the words that bring them over."""

    sandbox: Sandbox
    world: OldWorld
    command: Command
    words: tuple[str, ...]
    run_directory: Path
    jobs_before: int

    def run(self, code: int, *more: str) -> Ended:
        return self.command.run(*self.words, *more, code=code)

    def jobs(self) -> list[str]:
        """Return the statuses of the jobs that were made since, the first first."""
        with self.sandbox.held() as model:
            jobs = model.batch_operations.jobs()[self.jobs_before :]
            return [job.status for job in jobs]

    def plant(self, *faults: JobFaults) -> None:
        """Let the next jobs, in turn, have these faults."""
        with self.sandbox.held() as model:
            first = len(model.batch_operations.jobs()) + 1
            model.batch_operations.fault_hook = lambda number, _request: (
                faults[number - first] if number - first < len(faults) else None
            )


@pytest.fixture
def work(sandbox: Sandbox, world: OldWorld, command: Command) -> Iterator[Work]:
    with world.days_ago(9):
        for number in range(KEYS):
            world.put(f"key/{number:02}", b"first")
            world.put(f"key/{number:02}", b"second")
    world.set_rules(Rule(to=world.destination))
    place = make_jobs_place(sandbox, world)
    run_directory = command.folder / "run"
    words = (
        *("run", world.source, "--yes", "--engine", "batch-replication"),
        *(*place.words, "--run-dir", str(run_directory)),
    )
    with sandbox.held() as model:
        before, settings = len(model.batch_operations.jobs()), model.batch_operations.settings
    yield Work(
        sandbox=sandbox,
        world=world,
        command=command.beside(**POLLS),
        words=words,
        run_directory=run_directory,
        jobs_before=before,
    )
    sandbox.set_fault_hook(no_faults)
    with sandbox.held() as model:
        model.batch_operations.fault_hook = no_job_faults
        model.batch_operations.settings = settings


def delivered(client: S3Client, work: Work) -> int:
    return len(versions(client, work.world.destination))


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (JobFaults(end=JobEnd.FAILS, failure_reason="no luck"), 10, "no luck"),
        (JobFaults(end=JobEnd.FAILS, after_tasks=7), 21, "7 of 40 tasks"),
        (JobFaults(end=JobEnd.IS_CANCELLED, after_tasks=7), 10, "was cancelled"),
        (JobFaults(report=ReportFault.MISSING), 20, "no completion report"),
        (JobFaults(report=ReportFault.NO_MANIFEST), 20, "no completion report"),
        (JobFaults(report=ReportFault.BAD_MD5), 20, "MD5"),
        (JobFaults(report=ReportFault.TRUNCATED), 20, ""),
        (JobFaults(report=ReportFault.DUPLICATE_ROWS), 20, ""),
        (JobFaults(report=ReportFault.MISSING_ROWS), 20, ""),
        (JobFaults(report=ReportFault.FOREIGN_MANIFEST), 20, ""),
    ],
)
def test_a_job_that_ends_badly_is_told_and_the_same_command_goes_on(
    work: Work, destination_client: S3Client, fault: JobFaults, code: int, words: str
) -> None:
    """If this fails, a person reads a traceback, or what nobody can believe is believed."""
    work.plant(fault)
    stopped = work.run(code)
    line, hint = stopped.complaint
    assert line.startswith("backfill: ")
    assert words in line
    assert hint.startswith("  hint: ")
    assert not (work.run_directory / "outcomes").exists()
    work.run(0)
    assert delivered(destination_client, work) == 2 * KEYS
    assert len(work.jobs()) == 2, "one job more, for what was left"
    kinds = {row["kind"] for row in artifact(work.run_directory, "outcomes/00")}
    assert kinds <= {"replicated", "already-there"}


def test_throttled_tasks_go_into_a_second_job_by_themselves(
    work: Work, destination_client: S3Client
) -> None:
    throttled = failing(SLOW_DOWN, keys=["key/03", "key/07"])
    work.plant(JobFaults(task=throttled))
    work.run(0)
    assert delivered(destination_client, work) == 2 * KEYS
    assert work.jobs() == ["Complete", "Complete"]
    again = list(artifact(work.run_directory, "replication/00-tasks-2"))
    assert len(again) == 4, "only the rows of the two keys"


def test_a_few_that_need_a_mend_end_failed_with_it_and_repair_brings_them(
    work: Work, destination_client: S3Client
) -> None:
    """If this fails, three broken objects stop two million good ones, or are forgotten."""
    denied = TaskFailure(code="DstPutObjectNotPermitted", http_status=403, message="denied")
    work.plant(JobFaults(task=failing(denied, keys=["key/05"])))
    ended = work.run(3, "--json")
    document = ended.document()
    (code,) = document["codes"]
    assert (code["name"], code["rows"]) == ("DstPutObjectNotPermitted", 2)
    assert "s3:ReplicateObject" in code["remedy"]
    assert work.jobs() == ["Complete"], "no other job before somebody mended it"
    assert delivered(destination_client, work) == 2 * (KEYS - 1)
    work.command.run("repair", "--yes", "--run-dir", str(work.run_directory), code=0)
    assert delivered(destination_client, work) == 2 * KEYS
    assert work.jobs() == ["Complete", "Complete"]


def test_a_lost_answer_to_create_job_makes_no_second_job(
    work: Work, destination_client: S3Client
) -> None:
    """If this fails, every object is paid for twice whenever a connection breaks."""
    lost: list[Call] = []

    def hook(call: Call) -> Fault | None:
        if call.operation == "CreateJob" and not lost:
            lost.append(call)
            return Fault(kind=FaultKind.RESET, is_applied=True)
        return None

    work.sandbox.set_fault_hook(hook)
    work.run(0)
    assert lost
    assert work.jobs() == ["Complete"]
    assert delivered(destination_client, work) == 2 * KEYS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_jobs_go_on_without_us_and_are_found_again(
    work: Work, destination_client: S3Client, number: signal.Signals
) -> None:
    """If this fails, Ctrl-C costs a second job, or leaves one that nobody reads."""
    with work.sandbox.held() as model:
        engine = model.batch_operations
        engine.settings = replace(engine.settings, step_s=1.5, tasks_per_step=20)
    started = work.command.start(*work.words)
    until(lambda: work.jobs() == ["Active"], started.has_ended)
    os.kill(started.child.pid, number)
    ended = started.end()
    assert ended.code == (-9 if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        line, hint = ended.complaint
        assert "go on" in line + hint
        assert "same command" in hint
    assert work.jobs()[0] not in {"Cancelled", "Failed"}
    work.run(0)
    assert work.jobs() == ["Complete"]
    assert delivered(destination_client, work) == 2 * KEYS


def until(is_so: Callable[[], bool], has_ended: Callable[[], bool]) -> None:
    """Wait until something is so."""
    wait_until(is_so, "what the test waits for", is_over=has_ended, within_s=TIMEOUT_S)
