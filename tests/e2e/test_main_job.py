"""The main job through the command: every kind of version, every total, every evidence.

One run for each schema of replication configuration, looked at from all
sides by those who had no part in it: a boto3 listing, the artefacts as plain JSON, and a table of
what S3's documentation says must happen to each version.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command, Ended, artifact, branch, report, report_rows
from tests.doubles.old_world import (
    HOSTILE_KEYS,
    REPLICA_KEY_ARN,
    OldWorld,
    Rule,
    expected_decision,
    write_everything,
)
from tests.doubles.own_eyes import Listed, S3Client, current, seen, versions

ROUTES = ("copy-object", "multipart-copy", "delete-marker")
WRITES = ("Put", "Copy", "Delete", "Create", "Upload", "Complete", "Abort")
"""How the names of S3's writing operations begin."""


ONLY_V2 = pytest.mark.parametrize("job", ["v2"], indirect=True)
"""For what does not depend on the schema of the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MainJob:
    """A finished `backfill run` and what both buckets were before it."""

    world: OldWorld
    command: Command
    run_directory: Path
    ended: Ended
    source_before: list[Listed]
    destination_before: list[Listed]
    calls: Counter[str]

    def words(self, verb: str) -> tuple[str, ...]:
        """Return a verb on this run directory."""
        return verb, "--run-dir", str(self.run_directory)


@pytest.fixture(scope="module", params=["v2", "v1"])
def job(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    make_command: Callable[[Path], Command],
    tmp_path_factory: pytest.TempPathFactory,
    source_client: S3Client,
    destination_client: S3Client,
) -> MainJob:
    """Fill a source bucket, and backfill it."""
    world = OldWorld(sandbox, f"main-{request.param}")
    is_v1 = request.param == "v1"
    write_everything(world, Rule(to=world.destination, wants_markers=True, is_v1=is_v1))
    folder = tmp_path_factory.mktemp(f"main-{request.param}")
    source_before = versions(source_client, world.source)
    destination_before = versions(destination_client, world.destination)
    calls_before = Counter(sandbox.calls())
    command = make_command(folder)
    run_directory = folder / "run"
    words = ("run", world.source, "--run-dir", str(run_directory), "--yes", "--deep", "--json")
    ended = command.run(*words, code=0)
    return MainJob(
        world=world,
        command=command,
        run_directory=run_directory,
        ended=ended,
        source_before=source_before,
        destination_before=destination_before,
        calls=Counter(sandbox.calls()) - calls_before,
    )


def test_every_version_is_decided_as_s3_documents_it(job: MainJob) -> None:
    """If this fails, a version is moved that the rules do not want, or left that they want."""
    rows = {(row["key"], row["version_id"]): row for row in artifact(job.run_directory, "plan")}
    assert len(rows) == len(job.source_before)
    decided = {
        (one.key, one.version_id): rows[one.key, one.version_id]["route"]
        or rows[one.key, one.version_id]["reason"]
        for one in job.source_before
    }
    assert decided == {
        (one.key, one.version_id): expected_decision(one) for one in job.source_before
    }
    told = Counter(decided.values())
    assert all(told[kind] for kind in (*ROUTES, "archived", "noncurrent", "already-replicated"))


def test_what_readers_see_is_the_same_on_both_sides(
    job: MainJob, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, somebody who reads the destination gets something else than at the source."""
    world = job.world
    at_source = current(versions(source_client, world.source))
    at_destination = current(versions(destination_client, world.destination))
    archived = {key for key in at_source if key.startswith("archive/")}
    assert at_destination.keys() == at_source.keys() - archived
    for key in sorted(at_destination):
        ours = seen(destination_client, world.destination, key)
        theirs = seen(source_client, world.source, key)
        assert ours == theirs, f"{key!r} differs"
    head = destination_client.head_object(Bucket=world.destination, Key="secret/0")
    assert head["SSEKMSKeyId"] == REPLICA_KEY_ARN


def test_the_totals_of_plan_journal_report_and_listing_agree(
    job: MainJob, destination_client: S3Client
) -> None:
    """If this fails, somebody signs a report whose numbers the bucket contradicts."""
    document = job.ended.document()
    assert document == report(job.run_directory)
    decided = Counter(expected_decision(one) for one in job.source_before)
    totals = job.command.run(*job.words("plan"), "--json").document()
    destination = totals["destinations"][0]
    size_bytes = sum(one.size_bytes for one in job.source_before)
    assert totals["source"] == [len(job.source_before), size_bytes]
    assert totals["source_delete_markers"] == sum(one.is_marker for one in job.source_before)
    amounts = {**destination["routes"], **destination["reasons"]}
    assert {name: rows for name, (rows, _) in amounts.items()} == decided
    assert sum(bytes_ for _, bytes_ in amounts.values()) == size_bytes
    routed = sum(decided[route] for route in ROUTES)
    manifest = list(artifact(job.run_directory, "manifest/00"))
    outcomes = list(artifact(job.run_directory, "outcomes/00"))
    assert len(manifest) == len(outcomes) == routed
    kinds = Counter(outcome["kind"] for outcome in outcomes)
    assert kinds == {
        "copied": routed - decided["delete-marker"],
        "marked": decided["delete-marker"],
    }
    rows = report_rows(job.run_directory)
    assert Counter(row["decision"] for row in rows) == decided
    assert Counter(row["outcome"] for row in rows if row["outcome"]) == kinds
    assert document["totals"]["rows"] == len(rows) == len(job.source_before)
    assert branch(document["totals"], "routed") == routed
    for decision, number in decided.items():
        side = "routed" if decision in ROUTES else "explained"
        assert branch(document["totals"], side, decision) == number
    verdicts = Counter(row["verdict"] for row in rows if row["verdict"])
    assert {one["name"]: one["rows"] for one in document["verdicts"]} == verdicts
    assert set(verdicts) == {"equal"}
    listing = versions(destination_client, job.world.destination)
    made = {(one.key, one.version_id) for one in listing} - {
        (one.key, one.version_id) for one in job.destination_before
    }
    keys = {entry["number"]: entry["key"] for entry in manifest}
    assert {(keys[one["number"]], one["version_id"]) for one in outcomes} == made
    assert len(listing) == len(job.destination_before) + routed


def test_each_planned_version_was_written_by_exactly_one_request(job: MainJob) -> None:
    """If this fails, a run costs twice, or a version was made that nobody counts."""
    decided = Counter(expected_decision(one) for one in job.source_before)
    assert job.calls["CopyObject"] == decided["copy-object"]
    assert job.calls["CompleteMultipartUpload"] == decided["multipart-copy"]
    assert job.calls["DeleteObject"] == decided["delete-marker"]
    assert not job.calls["PutObject"]
    assert not job.calls["DeleteObjects"]


@ONLY_V2
def test_every_verdict_stands_on_the_evidence_that_s3_offers(job: MainJob) -> None:
    """If this fails, something is called equal because nobody complained."""
    evidence = {
        (row["key"], row["decision"]): row["evidence"]
        for row in report_rows(job.run_directory)
        if row["verdict"]
    }
    assert set(evidence.values()) <= {
        "full-object-checksum",
        "composite-checksum",
        "version-id-and-etag",
        "md5-etag",
        "listing",
        "bytes",
    }
    assert evidence["legacy/0", "copy-object"] in {"md5-etag", "bytes"}
    assert evidence["media/composite", "multipart-copy"] == "composite-checksum"
    assert evidence["media/small", "multipart-copy"] == "composite-checksum"
    assert evidence["media/full-object", "multipart-copy"] == "full-object-checksum"
    assert evidence["invoices/3", "delete-marker"] == "listing"


@ONLY_V2
def test_a_second_run_after_the_end_writes_nothing_and_says_the_same(
    job: MainJob, sandbox: Sandbox, destination_client: S3Client
) -> None:
    """If this fails, a scheduler that runs the command again makes new versions every night."""
    before = Counter(sandbox.calls())
    listing = versions(destination_client, job.world.destination)
    again = job.command.run(*job.words("run"), "--yes", "--deep", "--json").document()
    calls = Counter(sandbox.calls()) - before
    assert not [name for name in calls if name.startswith(WRITES)]
    assert versions(destination_client, job.world.destination) == listing
    assert again["totals"] == job.ended.document()["totals"]


@ONLY_V2
def test_status_says_that_every_stage_stands(job: MainJob) -> None:
    """If this fails, nobody can see how far a run is without reading its files."""
    status = job.command.run(*job.words("status"), "--json").document()
    assert status["source_bucket"] == job.world.source
    assert not status["next_stage"]
    rows = {stage["name"]: stage["rows"] for stage in status["stages"]}
    assert rows["plan"] == rows["inventory/source"] == len(job.source_before)
    assert rows["inventory/destination-00"] == len(job.destination_before)
    words = job.command.run(*job.words("status")).stdout
    assert "every stage stands" in words


@ONLY_V2
def test_explain_gives_the_proof_for_any_version(job: MainJob) -> None:
    """If this fails, a person who asks why one key was left alone gets no answer."""
    words = job.command.run("explain", "invoices/0", *job.words("explain")[1:]).stdout
    assert "already-replicated" in words
    noncurrent = next(
        one for one in job.source_before if one.key == "logs/03" and not one.is_latest
    )
    document = job.command.run(
        "explain",
        "logs/03",
        "--version-id",
        noncurrent.version_id,
        "--json",
        *job.words("explain")[1:],
    ).document()
    assert "noncurrent" in str(document)


@ONLY_V2
def test_hostile_keys_are_inert_in_everything_that_the_run_left(job: MainJob) -> None:
    """If this fails, a key moves a terminal, becomes a formula, a script or a second log line."""
    folder = job.run_directory / "report"
    raw = (folder / "rows.csv").read_bytes().decode("utf-8")
    assert not _CONTROLS.search(raw)
    cells = [cell for row in csv.reader(io.StringIO(raw)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not _CONTROLS.search(page)
    assert "<script" not in page
    assert "\u202e" not in page
    assert _is_plain((folder / "report.json").read_text(encoding="utf-8"))
    assert _is_plain(job.ended.stdout)
    assert all(line.startswith("{") for line in job.ended.stderr.splitlines())
    assert _is_plain(job.ended.stderr)


@ONLY_V2
def test_rows_csv_gives_every_hostile_key_back(job: MainJob) -> None:
    """If this fails, the report cannot be joined with any other list of keys."""
    keys = {unquote(row["key"]) for row in report_rows(job.run_directory)}
    assert keys == {one.key for one in job.source_before}
    assert keys > set(HOSTILE_KEYS)


_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def _is_plain(text: str) -> bool:
    return not _CONTROLS.search(text) and "\u202e" not in text
