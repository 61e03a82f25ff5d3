"""A job without a terminal: told by environment, file or stdin; seen by streams, code, probes."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backfill.cli.main import EPILOG
from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.command import Command, Ended, Started
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions
from tests.e2e.test_interruptions import FOR_EVER_S, slow_after, until

KEYS = 12


@pytest.fixture
def job(world: OldWorld) -> OldWorld:
    """A source bucket of which a campaign wants a part."""
    with world.days_ago(30):
        for number in range(KEYS):
            world.put(f"wanted/{number:02}")
            world.put(f"other/{number:02}")
    world.set_rules(Rule(to=world.destination))
    return world


def toml(job: OldWorld) -> str:
    """Return a campaign that flags, environment and defaults are not."""
    return f'[source]\nbucket = "{job.source}"\n[scope]\nprefix = "wanted/"\n'


def by_environment(job: OldWorld, command: Command) -> Ended:
    told = command.beside(
        BACKFILL_SOURCE_BUCKET=job.source, BACKFILL_PREFIX="wanted/", BACKFILL_RUN_DIR="run"
    )
    return told.cold().run("run", "--yes", "--json")


def by_file(job: OldWorld, command: Command) -> Ended:
    (command.folder / "campaign.toml").write_text(toml(job))
    return command.cold().run(
        *("run", "--campaign", "campaign.toml", "--run-dir", "run", "--yes", "--json")
    )


def by_stdin(job: OldWorld, command: Command) -> Ended:
    words = ("run", "--campaign", "-", "--run-dir", "run", "--yes", "--json")
    return command.cold().run(*words, stdin=toml(job))


@pytest.mark.parametrize("way", [by_environment, by_file, by_stdin])
def test_a_campaign_comes_wholly_by_environment_file_or_stdin(
    job: OldWorld,
    command: Command,
    destination_client: S3Client,
    way: Callable[[OldWorld, Command], Ended],
) -> None:
    """If this fails, a scheduler's job has to be given a command line made by hand."""
    ended = way(job, command)
    document = ended.document()
    assert document["exit_code"] == ended.code == 0
    assert ended.complaint == [], "off a terminal the log is JSON, each line of it"
    assert {"run.started", "execute.progress"} <= {event["event"] for event in ended.events}
    there = sorted(one.key for one in versions(destination_client, job.destination))
    assert there == [f"wanted/{number:02}" for number in range(KEYS)]


def test_an_empty_stdin_is_no_campaign(command: Command, job: OldWorld) -> None:
    """If this fails, a pipe whose writer failed turns a narrow campaign into a whole bucket."""
    words = ("run", job.source, "--campaign", "-", "--run-dir", "run", "--yes")
    ended = command.run(*words, stdin="\n", code=2)
    assert ended.complaint[0] == "backfill: campaign standard input is empty"
    assert not (command.folder / "run").exists()


def progress(started: Started, name: str) -> list[dict[str, Any]]:
    """Return the lines of progress so far; the last one may be half written."""
    text = started.stderr.read_text(encoding="utf-8")
    ended = Ended(code=0, stdout="", stderr=text[: text.rfind("\n") + 1])
    return [event for event in ended.events if event["event"] == name]


def test_a_line_of_progress_comes_with_every_interval_though_nothing_ends(
    sandbox: Sandbox, command: Command, job: OldWorld
) -> None:
    """If this fails, whoever reads the log of a job that waits takes it for dead."""
    hook, reached = slow_after("CopyObject", 4, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    quick = command.beside(
        BACKFILL_PROGRESS_INTERVAL_S="0.05", BACKFILL_LIMITS_DRAIN_TIMEOUT_S="0.2"
    )
    started = quick.start("run", job.source, "--run-dir", "run", "--yes", "--concurrency", "4")
    assert reached.wait(FOR_EVER_S)
    # Four answers came, so that most of these lines repeat what stands still.
    until(started, lambda: len(progress(started, "execute.progress")) > 8)
    assert {line["done"] for line in progress(started, "execute.progress")} <= set(range(5))
    started.send(signal.SIGTERM)
    assert started.end().code == 143


def probe(command: Command, question: str) -> int:
    ended = command.run("status", question, "--run-dir", "run", code=None)
    assert ended.stderr == ""
    assert ended.stdout.startswith("no: " if ended.code else "yes: ")
    return ended.code


def test_probes_say_yes_while_a_run_works_and_no_when_it_drains_or_is_over(
    sandbox: Sandbox, command: Command, job: OldWorld
) -> None:
    """If this fails, a platform kills a run that works, or waits for one that is over."""
    assert (probe(command, "--live"), probe(command, "--ready")) == (1, 1)
    hook, reached = slow_after("CopyObject", 4, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    patient = command.beside(BACKFILL_LIMITS_DRAIN_TIMEOUT_S=str(FOR_EVER_S))
    started = patient.start("run", job.source, "--run-dir", "run", "--yes")
    assert reached.wait(FOR_EVER_S)
    until(started, lambda: probe(command, "--ready") == 0)
    assert probe(command, "--live") == 0
    started.send(signal.SIGTERM)
    until(started, lambda: probe(command, "--ready") == 1)
    assert probe(command, "--live") == 0, "who drains must not be killed before its time"
    started.send(signal.SIGTERM)
    assert started.end().code == 143
    assert (probe(command, "--live"), probe(command, "--ready")) == (1, 1)


def test_a_killed_run_is_not_live(sandbox: Sandbox, command: Command, job: OldWorld) -> None:
    """If this fails, what a killed process left behind passes for its life."""
    hook, reached = slow_after("CopyObject", 4, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    started = command.start("run", job.source, "--run-dir", "run", "--yes")
    assert reached.wait(FOR_EVER_S)
    until(started, lambda: probe(command, "--live") == 0)
    started.send(signal.SIGKILL)
    assert started.end().code == -signal.SIGKILL
    assert probe(command, "--live") == 1


def test_a_probe_on_another_machine_asks_the_lease(
    sandbox: Sandbox, command: Command, job: OldWorld
) -> None:
    """If this fails, nobody but its own platform can see whether a job on S3 lives."""
    bucket = f"{job.source}-runs"
    job.make_bucket(SOURCE, bucket)
    here = command.beside(
        BACKFILL_RUN_DIR=f"s3://{bucket}/job", BACKFILL_LIMITS_DRAIN_TIMEOUT_S="0.2"
    )
    ours = here.beside(BACKFILL_SCRATCH_DIR=str(command.folder / "ours"))
    theirs = here.beside(BACKFILL_SCRATCH_DIR=str(command.folder / "theirs"))

    def answers(asking: Command) -> tuple[int, int]:
        questions = ("--live", "--ready")
        live, ready = (asking.run("status", asked, code=None).code for asked in questions)
        return live, ready

    assert answers(theirs) == (1, 1)
    hook, reached = slow_after("CopyObject", 4, delay_s=FOR_EVER_S)
    sandbox.set_fault_hook(hook)
    started = ours.start("run", job.source, "--yes")
    assert reached.wait(FOR_EVER_S)
    until(started, lambda: answers(ours) == (0, 0))
    assert answers(theirs) == (0, 0)
    started.send(signal.SIGTERM)
    assert started.end().code == 143
    assert answers(ours) == answers(theirs) == (1, 1)


def test_a_probe_is_cheap(command: Command, tmp_path: Path) -> None:
    """If this fails, a probe every few seconds takes the processor that the copies need."""
    program = (
        "import sys\n"
        "from backfill.cli.main import main\n"
        f"assert main(['status', '--live', '--run-dir', {str(tmp_path)!r}]) == 1\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=command.environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    imported = set(done.stdout.splitlines()[-1].split())
    assert imported.isdisjoint({"botocore", "aiobotocore", "boto3", "aiohttp", "asyncio", "rich"})


def test_a_refusal_leaves_stdout_empty_also_with_json(
    sandbox: Sandbox, command: Command, job: OldWorld
) -> None:
    """If this fails, a job that failed hands half a document to the next one."""

    def fail(call: Call) -> Fault | None:
        if call.operation == "ListObjectVersions":
            return Fault(kind=FaultKind.ERROR, code="AccessDenied", status=403, message="no")
        return None

    sandbox.set_fault_hook(fail)
    ended = command.run("run", job.source, "--run-dir", "run", "--yes", "--json", code=10)
    assert ended.stdout == ""


def test_every_documented_exit_code_is_brought_about_by_a_test() -> None:
    """If this fails, a scheduler's table of codes says something that nobody has ever seen."""
    codes = re.findall(r"(?:codes: |· |\n)((?:\d+, )?\d+) ", EPILOG)
    documented = sorted({int(code) for words in codes for code in words.split(", ")})
    assert documented == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 20, 21, 22, 70, 130, 143]
    source = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    forms = r"(?:code=|clear_line\(ended, |code == |returncode == |SIG\w+: |\) == \(){}\b"
    assert [code for code in documented if not re.search(forms.format(code), source)] == []
