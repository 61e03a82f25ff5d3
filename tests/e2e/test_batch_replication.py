"""The main job by Batch Replication, through the command: history, order and IDs are kept.

Looked at from outside: by a boto3 listing of both buckets, and by the jobs that S3 Control shows.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backfill.sandbox.service import DESTINATION, Sandbox
from tests.doubles.command import Command, Ended, artifact, branch, report, report_rows
from tests.doubles.jobs_place import POLLS, JobsPlace, make_jobs_place
from tests.doubles.old_world import OldWorld, Rule, write_everything
from tests.doubles.own_eyes import Listed, S3Client, versions

WRITES = ("PutObject", "CopyObject", "DeleteObject", "CompleteMultipartUpload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A finished run, and what both buckets were before it."""

    world: OldWorld
    way: str
    place: JobsPlace
    command: Command
    run_directory: Path
    ended: Ended
    source_before: list[Listed]
    calls: Counter[str]

    def words(self, verb: str) -> tuple[str, ...]:
        """Return a verb on this run directory."""
        return verb, "--run-dir", str(self.run_directory)


WAYS = {
    "csv": ("--batch-manifest", "own"),
    "inventory": ("--batch-manifest", "own", "--batch-manifest-format", "inventory"),
}
UPLOADS = {"csv": 1, "inventory": 3}
"""Files that we put into the batch bucket."""


@pytest.fixture(scope="module", params=sorted(WAYS))
def job(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    make_command: Callable[[Path], Command],
    tmp_path_factory: pytest.TempPathFactory,
    source_client: S3Client,
) -> Job:
    """Fill a source bucket with everything, and backfill it by jobs only."""
    way = request.param
    world = OldWorld(sandbox, f"batch-{way}")
    write_everything(world, Rule(to=world.destination, wants_markers=True))
    place = make_jobs_place(sandbox, world)
    folder = tmp_path_factory.mktemp(f"batch-{way}")
    source_before = versions(source_client, world.source)
    calls_before = Counter(sandbox.calls())
    command = make_command(folder).beside(**POLLS)
    run_directory = folder / "run"
    words = "--engine", "batch-replication", *WAYS[way], *place.words
    ended = command.run(
        "run", world.source, "--run-dir", str(run_directory), "--yes", "--json", *words, code=0
    )
    return Job(
        world=world,
        way=way,
        place=place,
        command=command,
        run_directory=run_directory,
        ended=ended,
        source_before=source_before,
        calls=Counter(sandbox.calls()) - calls_before,
    )


def identities(listing: list[Listed]) -> set[tuple[str, str, bool, bool, int]]:
    """Return what a replica keeps of every version and marker."""
    return {(v.key, v.version_id, v.is_latest, v.is_marker, v.size_bytes) for v in listing}


def test_the_destination_has_the_whole_history_under_its_own_version_ids(
    job: Job, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, history is lost, doubled or out of order, which only this engine keeps."""
    at_source = versions(source_client, job.world.source)
    at_destination = versions(destination_client, job.world.destination)
    archived = {(v.key, v.version_id) for v in at_source if v.key.startswith("archive/")}
    wanted = [v for v in at_source if (v.key, v.version_id) not in archived]
    assert identities(at_destination) == identities(wanted)
    assert [(v.key, v.version_id) for v in at_destination] == [
        (v.key, v.version_id) for v in wanted
    ], "the order within each key is the source's"


def test_the_source_is_as_it_was_and_nothing_was_written_by_us(
    job: Job, source_client: S3Client
) -> None:
    """If this fails, a tool that lets S3 replicate wrote objects itself."""
    assert versions(source_client, job.world.source) == job.source_before
    written = {name: job.calls[name] for name in WRITES if job.calls[name]}
    assert written == {"PutObject": UPLOADS[job.way]}
    assert job.calls["CreateJob"] == 1


def test_plan_outcomes_report_and_listing_agree(job: Job) -> None:
    """If this fails, somebody signs numbers that the bucket contradicts."""
    document = job.ended.document()
    assert document == report(job.run_directory)
    outcomes = Counter(row["kind"] for row in artifact(job.run_directory, "outcomes/00"))
    routed = branch(document["totals"], "routed", "batch-replication")
    assert routed > 50
    assert outcomes == {"replicated": routed}
    rows = report_rows(job.run_directory)
    assert len(rows) == len(job.source_before)
    assert {row["verdict"] for row in rows if row["decision"] == "batch-replication"} == {"equal"}
    assert Counter(row["decision"] for row in rows)["archived"] == branch(
        document["totals"], "explained", "archived"
    )


def test_a_second_run_creates_no_second_job(job: Job, sandbox: Sandbox) -> None:
    """If this fails, a scheduler that runs the command again pays for every object each night."""
    before = Counter(sandbox.calls())
    again = job.command.run(*job.words("run"), "--yes", "--json").document()
    calls = Counter(sandbox.calls()) - before
    assert not calls["CreateJob"]
    assert not [name for name in calls if name in WRITES]
    assert again["totals"] == job.ended.document()["totals"]


# --- S3 lists the versions itself ---


def test_a_generated_manifest_brings_the_same_versions_and_uploads_nothing(
    sandbox: Sandbox, command: Command, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, S3's own list and the plan are about different versions."""
    world = OldWorld(sandbox, "generated")
    with world.days_ago(50):
        for number in range(6):
            world.put(f"old/{number}", b"first")
            world.put(f"old/{number}", b"second")
            world.put(f"other/{number}")
    world.set_rules(Rule(to=world.destination, prefix="old/"))
    place = make_jobs_place(sandbox, world)
    before = Counter(sandbox.calls())
    words = "run", world.source, *place.words, "--batch-manifest", "generated"
    mine = command.beside(**POLLS)
    plan = mine.run(*words, "--dry-run", "--json").document()
    assert plan["manifest way"]["kind"] == "generated"
    mine.run(*words, "--yes", "--engine", "auto", code=0)
    calls = Counter(sandbox.calls()) - before
    assert calls["CreateJob"] == 1
    assert not [name for name in WRITES if calls[name]]
    wanted = [v for v in versions(source_client, world.source) if v.key.startswith("old/")]
    assert identities(versions(destination_client, world.destination)) == identities(wanted)


# --- auto: the rest goes by copies ---


def test_what_jobs_cannot_deliver_goes_by_copies_and_the_report_says_which_way(
    sandbox: Sandbox, command: Command, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, a hard-deleted replica or a key with a foreign version stays behind."""
    world = OldWorld(sandbox, "both-ways")
    with world.days_ago(200):
        world.set_rules(Rule(to=world.destination))
        for number in range(4):
            world.put(f"replicated/{number}")
    with world.days_ago(190):
        world.drop_rules()
        for number in range(12):
            world.put(f"old/{number}", b"first")
            world.put(f"old/{number}", b"second")
        # A copy of a first version, made by hand long ago: no job may bring history under it.
        world.put("old/3", b"first", bucket=world.destination, account=DESTINATION)
    gone = next(
        v for v in versions(destination_client, world.destination) if v.key == "replicated/1"
    )
    destination_client.delete_object(
        Bucket=world.destination, Key=gone.key, VersionId=gone.version_id
    )
    world.set_rules(Rule(to=world.destination))
    place = make_jobs_place(sandbox, world)
    ended = command.beside(**POLLS).run(
        "run", world.source, "--yes", "--json", "--deep", *place.words, code=0
    )
    rows = {
        (row["key"], row["current"]): row for row in report_rows(ended_directory(command, world))
    }
    assert rows["replicated/1", "yes"]["decision"] == "batch-replication"
    assert rows["replicated/1", "yes"]["outcome"] == "copied"
    assert "DstObjectHardDeleted" in rows["replicated/1", "yes"]["earlier_outcomes"]
    assert rows["old/3", "yes"]["decision"] == "copy-object"
    assert rows["old/3", "no"]["decision"] == "noncurrent"
    assert rows["old/4", "no"]["outcome"] == "replicated"
    assert branch(ended.document()["totals"], "routed", "copy-object") == 1
    bodies = {
        key: destination_client.get_object(Bucket=world.destination, Key=key)["Body"].read()
        for key in ("replicated/1", "old/3", "old/4")
    }
    assert bodies == {
        key: source_client.get_object(Bucket=world.source, Key=key)["Body"].read() for key in bodies
    }


def ended_directory(command: Command, world: OldWorld) -> Path:
    """Return where a run without --run-dir left its artefacts."""
    (found,) = (path.parent for path in command.folder.rglob("scene.json"))
    assert world.source in str(found)
    return found


# --- a person confirms; a role lacks something ---


def test_confirm_leaves_the_job_suspended_and_says_how_to_go_on(
    sandbox: Sandbox, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a job starts that a person wanted to see first, or nobody can go on."""
    world = OldWorld(sandbox, "confirmed")
    with world.days_ago(9):
        world.put("a")
    world.set_rules(Rule(to=world.destination))
    place = make_jobs_place(sandbox, world)
    mine = command.beside(**POLLS)
    here = "--run-dir", str(command.folder / "run")
    words = "run", world.source, "--yes", "--engine", "batch-replication", *place.words, *here
    waits = mine.run(*words, "--confirm", code=13)
    assert not versions(destination_client, world.destination)
    assert "backfill jobs confirm" in waits.stderr
    jobs = mine.run("jobs", "list", "--json", *here).document()["jobs"]
    assert [job["status"] for job in jobs] == ["Suspended"]
    assert mine.run(*words, "--confirm", code=13).complaint
    mine.run("jobs", "confirm", "--all", "--yes", *here)
    mine.run(*words, "--confirm", code=0)
    assert [v.key for v in versions(destination_client, world.destination)] == ["a"]
    assert len(mine.run("jobs", "list", "--json", *here).document()["jobs"]) == 1


def test_one_cause_that_hits_everything_stops_the_run_with_its_mend(
    sandbox: Sandbox, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a missing permission costs a job for every retry, and nobody learns why."""
    world = OldWorld(sandbox, "no-initiate")
    with world.days_ago(9):
        for number in range(12):
            world.put(f"k/{number}")
    world.set_rules(Rule(to=world.destination))
    place = make_jobs_place(sandbox, world, without=["s3:InitiateReplication"])
    words = "run", world.source, "--yes", "--engine", "batch-replication", *place.words
    words = *words, "--skip-preflight"
    mine = command.beside(**POLLS)
    stopped = mine.run(*words, code=21)
    text = "\n".join(stopped.complaint)
    assert "InitiateReplicationNotPermitted" in text
    assert "s3:InitiateReplication" in text
    assert not versions(destination_client, world.destination)
    # The mend: the same role, with the permission. The same command goes on.
    add_permission(sandbox, world, place)
    mine.run(*words, code=0)
    assert len(versions(destination_client, world.destination)) == 12


def add_permission(sandbox: Sandbox, world: OldWorld, place: JobsPlace) -> None:
    """Give the batch role what it lacked."""
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":['
        '"s3:InitiateReplication","s3:GetReplicationConfiguration","s3:GetObject",'
        f'"s3:GetObjectVersion","s3:PutObject"],"Resource":["arn:aws:s3:::{world.source}/*",'
        f'"arn:aws:s3:::{world.source}","arn:aws:s3:::{place.bucket}/*"]}}]}}'
    )
    sandbox.add_role("source", f"batch-{world.source}", policy)
