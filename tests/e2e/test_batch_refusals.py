"""What a run by jobs asks for, refuses and leaves alone, through the command."""

import hashlib
import json
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault, no_faults
from backfill.sandbox.model.batch_operations.faults import JobFaults, ReportFault, no_job_faults
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command
from tests.doubles.jobs_place import (
    POLICIES,
    POLLS,
    JobsPlace,
    make_jobs_place,
    statements_of,
)
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions


def old_world(sandbox: Sandbox, name: str, *, is_open: bool = True) -> OldWorld:
    """Return a world with two versions of each of three keys, written before the rule."""
    world = OldWorld(sandbox, name, is_open=is_open)
    with world.days_ago(9):
        for number in range(3):
            world.put(f"k/{number}", b"first")
            world.put(f"k/{number}", b"second")
    world.set_rules(Rule(to=world.destination))
    return world


@pytest.mark.parametrize("engine", ["auto", "batch-replication"])
def test_the_source_need_not_be_open_to_the_destinations_account(
    sandbox: Sandbox, command: Command, destination_client: S3Client, engine: str
) -> None:
    """If this fails, who lets S3 replicate must first grant reads that nobody will use."""
    world = old_world(sandbox, f"closed-{engine}", is_open=False)
    place = make_jobs_place(sandbox, world)
    words = "run", world.source, "--yes", "--engine", engine, *place.words
    command.beside(**POLLS).run(*words, code=0)
    assert len(versions(destination_client, world.destination)) == 6


def test_flags_for_jobs_that_come_after_the_plan_are_told_not_ignored(
    sandbox: Sandbox, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a dry run without them decides for copies, and history never comes."""
    world = old_world(sandbox, "flags-later")
    place = make_jobs_place(sandbox, world)
    mine = command.beside(**POLLS)
    mine.run("run", world.source, "--dry-run", code=0)
    refused = mine.run("run", world.source, "--yes", *place.words, code=2)
    assert "planned for copy workers" in refused.stderr
    assert "--run-dir" in refused.stderr
    assert not versions(destination_client, world.destination)
    mine.run("run", world.source, "--yes", "--run-dir", "anew", *place.words, code=0)
    assert len(versions(destination_client, world.destination)) == 6


def test_flags_for_jobs_that_come_before_the_plan_count(
    sandbox: Sandbox, command: Command, destination_client: S3Client
) -> None:
    """If this fails, who lists the buckets first has chosen an engine without knowing."""
    world = old_world(sandbox, "flags-in-time")
    place = make_jobs_place(sandbox, world)
    mine = command.beside(**POLLS)
    mine.run("inventory", world.source, code=0)
    mine.run("run", world.source, "--yes", *place.words, code=0)
    assert len(versions(destination_client, world.destination)) == 6


def test_another_batch_bucket_is_refused_once_there_is_a_plan(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a person looks for manifests and reports where there are none."""
    world = old_world(sandbox, "another-bucket")
    place = make_jobs_place(sandbox, world)
    other = f"{world.source}-other"
    world.make_bucket(SOURCE, other)
    mine = command.beside(**POLLS)
    mine.run("run", world.source, "--dry-run", *place.words, code=0)
    refused = mine.run("run", world.source, "--yes", "--batch-bucket", other, code=2)
    assert place.bucket in refused.stderr
    assert other in refused.stderr
    mine.run("run", world.source, "--yes", "--batch-bucket", place.bucket, code=0)


@pytest.mark.parametrize("engine", ["auto", "batch-replication"])
def test_a_batch_bucket_that_reports_cannot_be_written_to_is_refused_before_a_job(
    sandbox: Sandbox, command: Command, source_client: S3Client, engine: str
) -> None:
    """If this fails, a job runs and is charged, and nobody learns how its tasks ended."""
    world = old_world(sandbox, f"retained-{engine}")
    place = make_jobs_place(sandbox, world)
    world.set_versioning(SOURCE, place.bucket, "Enabled")
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    source_client.put_object_lock_configuration(
        Bucket=place.bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    calls = Counter(sandbox.calls())
    words = "run", world.source, "--yes", "--engine", engine, *place.words
    line, hint = command.beside(**POLLS).run(*words, code=10).complaint
    assert "default retention of Object Lock" in line
    assert place.bucket in hint
    assert not (Counter(sandbox.calls()) - calls)["CreateJob"]
    assert not versions(source_client, place.bucket)


def test_a_batch_bucket_of_another_account_is_refused_before_anything_is_listed(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, hours of listing end at an upload that is denied."""
    world = old_world(sandbox, "foreign-batch")
    place = make_jobs_place(sandbox, world)
    foreign = f"{world.source}-theirs"
    world.make_bucket(replace(DESTINATION, region=SOURCE.region), foreign)
    # Whoever may list it sees no difference, but for the owner that S3 is told to expect.
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": SOURCE.root.arn},
        "Action": ["s3:ListBucket"],
        "Resource": f"arn:aws:s3:::{foreign}",
    }
    world.set_policy(DESTINATION, foreign, statement)
    calls = Counter(sandbox.calls())
    words = "run", world.source, "--yes", *place.words, "--batch-bucket", foreign
    line, hint = command.beside(**POLLS).run(*words, code=10).complaint
    assert f"{foreign!r} must be the source account's ({SOURCE.account_id}) own" in line
    assert "s3:ListBucket" in hint
    assert not (Counter(sandbox.calls()) - calls)["ListObjectVersions"]


def test_what_was_written_at_the_destination_before_versioning_survives(
    sandbox: Sandbox, command: Command, tmp_path: Path, destination_client: S3Client
) -> None:
    """If this fails, the replica of a null version destroys somebody's null version for good."""
    world = OldWorld(sandbox, "nulls-below")
    sides = ((SOURCE, world.source), (DESTINATION, world.destination))
    with world.days_ago(300):
        for account, bucket in sides:
            world.set_versioning(account, bucket, "Suspended")
        world.put("k", b"the source's")
        world.put("k", b"written by others", bucket=world.destination, account=DESTINATION)
        for account, bucket in sides:
            world.set_versioning(account, bucket, "Enabled")
    with world.days_ago(5):
        world.set_rules(Rule(to=world.destination))
        world.put("k", b"newer")
    place = make_jobs_place(sandbox, world)
    words = "run", world.source, "--yes", "--run-dir", str(tmp_path / "run"), *place.words
    command.beside(**POLLS).run(*words, code=0)
    kept = destination_client.get_object(Bucket=world.destination, Key="k", VersionId="null")
    assert kept["Body"].read() == b"written by others"


def test_a_report_that_comes_right_is_read_and_no_second_job_is_made(
    sandbox: Sandbox, command: Command, source_client: S3Client
) -> None:
    """If this fails, a report that is late or was damaged on its way costs every version twice."""
    world = old_world(sandbox, "report-comes-right")
    place = make_jobs_place(sandbox, world)
    with sandbox.held() as model:
        model.batch_operations.fault_hook = lambda *_: JobFaults(report=ReportFault.BAD_MD5)
    words = "run", world.source, "--yes", "--run-dir", str(command.folder / "run"), *place.words
    calls = Counter(sandbox.calls())
    mine = command.beside(**POLLS)
    refused = mine.run(*words, code=20)
    assert "reads the report once more" in refused.stderr
    with sandbox.held() as model:
        model.batch_operations.fault_hook = no_job_faults
    mend_report(source_client, place.bucket)
    mine.run(*words, code=0)
    assert (Counter(sandbox.calls()) - calls)["CreateJob"] == 1


def mend_report(client: S3Client, bucket: str) -> None:
    """Let the manifest.json of the only report name the right MD5s."""
    keys = [each.key for each in versions(client, bucket)]
    (manifest_key,) = (key for key in keys if "/job-" in key and key.endswith("/manifest.json"))
    body = client.get_object(Bucket=bucket, Key=manifest_key)["Body"].read()
    document = json.loads(body)
    for result in document["Results"]:
        data = client.get_object(Bucket=bucket, Key=result["Key"])["Body"].read()
        result["MD5Checksum"] = hashlib.md5(data, usedforsecurity=False).hexdigest()
    client.put_object(Bucket=bucket, Key=manifest_key, Body=json.dumps(document).encode())


def test_a_manifest_that_the_role_cannot_read_is_told_with_the_statement_it_lacks(
    sandbox: Sandbox, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a person mends the wrong thing, or believes in a job that never comes."""
    world = old_world(sandbox, "unread-manifest")
    place = make_jobs_place(sandbox, world, without=["s3:GetObject", "s3:GetObjectVersion"])
    here = "--run-dir", str(command.folder / "run"), "--skip-preflight"
    words = "run", world.source, "--yes", *here, *place.words
    mine = command.beside(**POLLS)
    for _ in range(2):
        _, hint = mine.run(*words, code=10).complaint
        assert "s3:GetObject and s3:GetObjectVersion on the batch bucket's objects" in hint
        assert hint.endswith("the same command makes a new job for what is left")
    _, last = mine.run(*words, code=10).complaint
    assert "the same command ends the round" in last
    mine.run(*words, code=3)
    assert mended_place(sandbox, world, place) == place
    mine.run("repair", "--yes", "--run-dir", str(command.folder / "run"), code=0)
    assert len(versions(destination_client, world.destination)) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"BACKFILL_LIMITS_JOB_MANIFEST_ROWS_MAX": "100"},
        {"BACKFILL_BATCH_MANIFEST_FORMAT": "inventory"},
        {"BACKFILL_BATCH_PREFIX": "elsewhere"},
    ],
)
def test_jobs_that_wait_are_gone_on_with_though_manifests_would_be_cut_otherwise_now(
    sandbox: Sandbox,
    command: Command,
    destination_client: S3Client,
    changes: dict[str, str],
) -> None:
    """If this fails, a changed limit leaves paid jobs alone, and the run cannot go on."""
    (name,) = changes
    world = old_world(sandbox, name.lower().replace("_", "-")[-30:])
    place = make_jobs_place(sandbox, world)
    here = "--run-dir", str(command.folder / "run")
    words = "run", world.source, "--yes", *here, "--confirm", *place.words
    mine = command.beside(**POLLS, BACKFILL_LIMITS_JOB_MANIFEST_ROWS_MAX="2")
    calls = Counter(sandbox.calls())
    mine.run(*words, code=13)
    told = mine.run("status", *here, code=0).stdout.splitlines()[-1]
    assert told.startswith("next: outcomes/00; waits for a person to confirm jobs ")
    assert told.endswith(": see backfill jobs")
    changed = mine.beside(**changes)
    changed.run(*words, code=13)
    changed.run("jobs", "confirm", "--all", "--yes", *here, code=0)
    changed.run(*words, code=0)
    assert (Counter(sandbox.calls()) - calls)["CreateJob"] == 3
    assert len(versions(destination_client, world.destination)) == 6


def test_a_scratch_folder_that_cannot_be_made_is_told_as_the_disks_fault(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a full disk reads as a bug of ours."""
    world = old_world(sandbox, "no-scratch")
    place = make_jobs_place(sandbox, world)
    run_directory = command.folder / "run"
    words = "run", world.source, "--run-dir", str(run_directory), *place.words
    mine = command.beside(**POLLS)
    mine.run(*words, "--dry-run", code=0)
    (run_directory / "scratch").write_text("in the way")
    line, hint = mine.run(*words, "--yes", code=10).complaint
    assert "scratch" in line
    assert "the same command resumes" in hint
    (run_directory / "scratch").unlink()
    mine.run(*words, "--yes", code=0)


def test_ctrl_c_while_copies_are_left_tells_of_the_jobs_that_go_on(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a person believes that all has stopped, while S3 goes on and charges."""
    world = OldWorld(sandbox, "both-at-work")
    with world.days_ago(9):
        for number in range(20):
            world.put(f"by-job/{number}")
        for number in range(400):
            world.put(f"by-copy/{number}", b"one")
            world.put(f"by-copy/{number}", b"one", bucket=world.destination, account=DESTINATION)
            world.put(f"by-copy/{number}", b"two")
    world.set_rules(Rule(to=world.destination))
    place = make_jobs_place(sandbox, world)
    with sandbox.held() as model:
        engine = model.batch_operations
        before, settings = len(engine.jobs()), engine.settings
        engine.settings = replace(settings, step_s=60.0)

    def slowly(_call: Call) -> Fault | None:
        time.sleep(0.01)
        return None

    sandbox.set_fault_hook(slowly)
    try:
        started = command.beside(**POLLS, BACKFILL_CONCURRENCY="2").start(
            "run", world.source, "--yes", *place.words
        )
        job_id = ""
        while not job_id and not started.has_ended():
            time.sleep(0.02)
            with sandbox.held() as model:
                jobs = model.batch_operations.jobs()[before:]
                job_id = next((job.job_id for job in jobs if job.status == "Active"), "")
        started.send(signal.SIGINT)
        ended = started.end()
    finally:
        sandbox.set_fault_hook(no_faults)
        with sandbox.held() as model:
            model.batch_operations.settings = settings
    assert ended.code == 130
    assert job_id
    assert job_id in "\n".join(ended.complaint)


def mended_place(sandbox: Sandbox, world: OldWorld, place: JobsPlace) -> JobsPlace:
    """Mend the batch role of a place."""
    statements = role_statements(world.source, place.bucket)
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    role_arn = sandbox.add_role("source", f"batch-{world.source}", policy)
    return JobsPlace(bucket=place.bucket, role_arn=role_arn)


def role_statements(source: str, batch: str) -> list[dict[str, object]]:
    """Return the batch role's statements that the project hands out."""
    filled = {"<SOURCE_BUCKET>": source, "<BATCH_BUCKET>": batch}
    return list(statements_of(POLICIES / "batch-role-replicate.json", filled))
