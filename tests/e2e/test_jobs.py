"""`backfill jobs` about jobs that a run made on the sandbox, beside that run's directory."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill.sandbox.model.batch_operations.faults import JobFaults, failing, no_job_faults
from backfill.sandbox.model.batch_operations.tasks import TaskFailure
from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command
from tests.doubles.jobs_place import POLLS, make_jobs_place
from tests.doubles.old_world import OldWorld, Rule

KEYS = 12


def digest(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return what lies in a folder: every file with when it was last written, and its bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


class Person:
    """Somebody with a run of Batch Replication whose jobs must be confirmed."""

    def __init__(self, sandbox: Sandbox, command: Command, world: OldWorld) -> None:
        with world.days_ago(30):
            for number in range(KEYS):
                world.put(f"key/{number:03}")
        world.set_rules(Rule(to=world.destination))
        place = make_jobs_place(sandbox, world)
        self.command = command.beside(**POLLS)
        self.words = (world.source, "--yes", *place.words, "--engine", "batch-replication")
        self.run_directory = command.folder / f"backfill-{world.source}"

    def run(self, code: int, *more: str) -> None:
        self.command.run("run", *self.words, *more, code=code)

    def jobs(self, *words: str, code: int = 0) -> str:
        ended = self.command.run("jobs", *words, code=code)
        assert not ended.events, "looking at jobs is no stage: its log is empty"
        return ended.stdout + "\n".join(ended.complaint)

    def job_id(self, number: int = 0) -> str:
        document = self.command.run("jobs", "--json").document()
        return str(document["jobs"][number]["job_id"])


@pytest.fixture
def person(sandbox: Sandbox, command: Command, world: OldWorld) -> Iterator[Person]:
    yield Person(sandbox, command, world)
    with sandbox.held() as model:
        model.batch_operations.fault_hook = no_job_faults


def test_a_job_is_seen_confirmed_and_seen_again_by_who_never_read_the_manual(
    person: Person,
) -> None:
    """If this fails, what `backfill run` tells a person to do at exit 13 leads nowhere."""
    person.run(13, "--confirm")
    job_id = person.job_id()
    before = digest(person.run_directory)
    listed = person.jobs()
    assert f"00-1-0000  {job_id}  Suspended: waits for a person to confirm it\n" in listed
    assert f"  0 of {KEYS} tasks done" in listed
    assert "1 waits for a person: backfill jobs confirm --all\n" in listed
    shown = person.jobs("show", job_id)
    assert f"backfill jobs confirm {job_id}" in shown
    assert "nobody can be asked" in person.jobs("confirm", job_id, code=2)
    assert f"{job_id}  Ready: " in person.jobs("confirm", job_id, "--yes")
    assert digest(person.run_directory) == before
    person.run(0, "--confirm")
    shown = person.jobs("show", job_id)
    assert f"Job {job_id}: Complete, every task was tried\n" in shown
    assert f"tasks     {KEYS} of {KEYS} tasks done: {KEYS} succeeded, 0 failed\n" in shown
    assert f"  {KEYS} succeeded\n" in shown
    assert f"job {job_id} is Complete" in person.jobs("cancel", job_id, "--yes", code=10)


def test_jobs_are_seen_and_cancelled_while_another_process_holds_the_run_directory(
    person: Person,
) -> None:
    """If this fails, the only way to look at the jobs of a run at work is to kill it."""
    person.run(13, "--confirm")
    job_id = person.job_id()
    lock = os.open(person.run_directory / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert f"{job_id}  Suspended" in person.jobs()
        assert f"{job_id}  Cancel" in person.jobs("cancel", "--all", "--yes")
    finally:
        os.close(lock)
    assert "no job of this run is under way" in person.jobs("cancel", "--all", "--yes")
    assert f"job {job_id} was cancelled" in "".join(
        person.command.run("run", *person.words, "--confirm", code=10).complaint
    )
    person.run(13, "--confirm")
    assert person.job_id(1) != job_id


def test_what_failed_is_explained_with_its_mend(person: Person, sandbox: Sandbox) -> None:
    """If this fails, a person reads a code of S3's and must search for what it means."""
    refusal = TaskFailure(code="DstPutObjectNotPermitted", http_status=403, message="no")
    with sandbox.held() as model:
        model.batch_operations.fault_hook = lambda _number, _request: JobFaults(
            task=failing(refusal, keys=["key/003"])
        )
    person.run(3)
    shown = person.jobs("show", person.job_id())
    assert f"What the completion report says (replication/00-tasks-1)\n  {KEYS - 1} succeeded" in (
        shown
    )
    assert "  1 x DstPutObjectNotPermitted: can succeed once this is mended\n" in shown
    assert "mend: Grant s3:ReplicateObject" in shown


def test_a_job_of_another_run_is_shown_and_never_touched(person: Person) -> None:
    """If this fails, one run's `cancel --all` ends the jobs of another."""
    person.run(13, "--confirm")
    mine = person.job_id()
    theirs_at = ("--run-dir", "theirs")
    person.run(13, "--confirm", *theirs_at)
    (theirs,) = person.command.run("jobs", "--json", *theirs_at).document()["jobs"]
    assert theirs["job_id"] != mine
    listed = person.jobs("--all")
    assert listed.index(mine) < listed.index("Jobs of others") < listed.index(theirs["job_id"])
    refused = person.jobs("confirm", theirs["job_id"], "--yes", code=10)
    assert "is no job of run" in refused
    person.jobs("cancel", "--all", "--yes")
    (still,) = person.command.run("jobs", "--json", *theirs_at).document()["jobs"]
    assert still["status"] == "Suspended"


def test_what_cannot_be_done_is_said_in_a_line(person: Person) -> None:
    """If this fails, a mistyped job ID gives no exit code that a script can act on."""
    unknown = "00000000-0000-0000-0000-000000000000"
    person.run(13, "--confirm")
    for words, code, what in (
        (("show", "no/job"), 2, "'no/job' is no job ID"),
        (("confirm",), 2, "name the jobs to confirm, or say --all"),
        (("cancel", "--all", "job-1"), 2, "name the jobs to cancel, or say --all"),
        (("show", unknown), 10, f"S3 knows no job {unknown}"),
        (("confirm", unknown), 10, f"job {unknown} is no job of run"),
        (("--source-profile", "nobody"), 12, "nobody"),
    ):
        ended = person.command.run("jobs", *words, code=code)
        assert not ended.stdout
        assert what in ended.complaint[0]
        assert ended.complaint[1].startswith("  hint: ")


def test_one_run_here_needs_no_name_and_two_do(person: Person, command: Command) -> None:
    """If this fails, `backfill jobs` shows the jobs of some run, or of none."""
    nothing = command.run("jobs", code=2)
    assert "neither a source bucket nor a run directory is named" in nothing.complaint[0]
    person.run(13, "--confirm")
    assert person.job_id()
    person.run(13, "--confirm", "--run-dir", "backfill-other")
    ended = command.run("jobs", code=2)
    assert "there are 2 runs here" in ended.complaint[0]
    assert "--run-dir backfill-other" in ended.complaint[1]
