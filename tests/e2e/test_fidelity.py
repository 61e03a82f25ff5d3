"""The fidelity table, cell by cell, through the command: what becomes of everything on every way.

One run for each route and client; then each field is looked at on both sides by plain boto3, which
had no part in it.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.model.restore_settings import RestoreSettings
from backfill.sandbox.model.values import ObjectLock
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, report_rows
from tests.doubles.fidelity_table import E2E, TABLE, FidelityField, Keeping
from tests.doubles.jobs_place import POLLS, make_jobs_place
from tests.doubles.old_world import PART, REPLICA_KEY_ARN, OldWorld, Rule
from tests.doubles.own_eyes import S3Client
from tests.doubles.specimens import Facts, Specimen, facts_of, specimens, write

F = FidelityField
WORDS: dict[str, tuple[str, ...]] = {
    "copy-object": ("--delete-markers",),
    "multipart-copy": (),
    "history": ("--versions", "all", "--delete-markers"),
    "restore": (
        *("--restore", "--restore-max-bytes", "100000000", "--restore-poll-s", "0.2"),
        *("--storage-class", "STANDARD"),
    ),
}
"""The copy workers' routes, and what a run is asked for beside its destination."""
ROUTES = ("batch-replication", *WORDS)
DELETED = "fidelity/deleted"
OF_MARKERS = {"Owner", "Key", "VersionId", "IsLatest", "LastModified"}
"""All that a delete marker has (S3 API: DeleteMarkerEntry)."""
REASONS = {F.ARCHIVED: "archived", F.SSE_C: "sse-c"}
"""Why a version stays behind that has a field."""
QUIET = ("--other-writers", "quiet", "--kms-key-arn", REPLICA_KEY_ARN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A finished run of one route: every field's facts on both sides."""

    route: str
    run_directory: Path
    ended_at: datetime
    markers: list[Any]
    specimens: dict[F, Specimen]
    source: dict[F, Facts | None]
    destination: dict[F, Facts | None]

    def value(self, field: F, *, is_source: bool) -> object:
        """Return what one side shows of a field."""
        facts = (self.source if is_source else self.destination)[field]
        assert facts is not None, f"{field} is there"
        return self.specimens[field].probe(facts)

    def decision(self, field: F) -> str:
        """Return what the plan decided about a field's current version."""
        (row,) = (row for row in report_rows(self.run_directory) if row["key"] == key_of(field))
        return row["decision"]

    def by_bucket(self, field: F) -> object:
        """Return what the destination bucket sets by itself: three days, and no Bucket Key."""
        if field is F.BUCKET_KEY:
            return False
        facts = self.destination[field]
        assert facts is not None, "it is there"
        mode, until = facts["lock"]
        assert mode == "GOVERNANCE"
        assert timedelta(days=2) < until - self.ended_at < timedelta(days=3)
        return facts["lock"], "OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Two buckets with Object Lock and ACLs, the destination's with a default retention."""

    sandbox: Sandbox
    world: OldWorld
    source_client: S3Client
    destination_client: S3Client

    def make_bucket(self, client: S3Client, name: str, *, is_open: bool = True, **more: Any) -> str:
        """Make a versioned bucket where ACLs count, public ones too if it is open."""
        location = {"LocationConstraint": client.meta.region_name}
        if client.meta.region_name != "us-east-1":
            more["CreateBucketConfiguration"] = location
        client.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter", **more)
        if "ObjectLockEnabledForBucket" not in more:
            versioning = {"Status": "Enabled"}
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
        with self.sandbox.held() as model:
            model.world.buckets[name].blocks_sse_c = False  # as it blocks SSE-C there
        if is_open:
            client.delete_public_access_block(Bucket=name)  # S3 closes new buckets
        return name

    def make_source(self, name: str) -> str:
        """Make a source bucket that the destination account may read."""
        bucket = self.make_bucket(self.source_client, name, ObjectLockEnabledForBucket=True)
        self.world.allow_copies(bucket, DESTINATION, owner=SOURCE)
        return bucket

    def make_pair(self, name: str) -> tuple[str, str]:
        """Make both buckets; whatever comes into the destination is locked for three days."""
        destination = self.make_bucket(
            self.destination_client, f"copies-of-{name}", ObjectLockEnabledForBucket=True
        )
        self.destination_client.put_object_lock_configuration(
            Bucket=destination,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
            },
        )
        return self.make_source(f"all-of-{name}"), destination

    def by_jobs(self, source: str, destination: str) -> tuple[str, ...]:
        """Switch replication on, and return the words that have jobs deliver."""
        self.world.allow_replicas(destination)
        self.world.set_rules(Rule(to=destination, wants_markers=True), bucket=source)
        there = copy(self.world)
        there.source = source
        return "--engine", "batch-replication", *make_jobs_place(self.sandbox, there).words

    def end_retention(self, bucket: str, key: str) -> None:
        """Let a version's retention have ended yesterday."""
        ended = self.sandbox.clock() - timedelta(days=1)
        self.edit(bucket, key, lock=ObjectLock(mode="GOVERNANCE", retain_until=ended))

    def make_old(self, bucket: str, key: str) -> None:
        """Let a version be of yesterday: S3 tells whole seconds, and a run may take less."""
        self.edit(bucket, key, created_at=self.sandbox.clock() - timedelta(days=1))

    def edit(self, bucket: str, key: str, **fields: Any) -> None:
        """Change what is stored of a key's current version."""
        with self.sandbox.held() as model:
            place = model.world.buckets[bucket]
            version = place.current(key)
            assert isinstance(version, ObjectVersion), "it was just written"
            place.swap(replace(version, **fields))


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, source_client: S3Client, destination_client: S3Client) -> Stage:
    """Make buckets and specimens."""
    return Stage(
        sandbox=sandbox,
        world=OldWorld(sandbox, "fidelity"),
        source_client=source_client,
        destination_client=destination_client,
    )


@pytest.fixture(scope="module", params=ROUTES)
def delivered(
    request: pytest.FixtureRequest,
    stage: Stage,
    make_command: Callable[[Path], Command],
    tmp_path_factory: pytest.TempPathFactory,
) -> Delivered:
    """Write every specimen, deliver by one route, and look at both sides."""
    route: str = request.param
    source, destination = stage.make_pair(route)
    until = (stage.sandbox.clock() + timedelta(days=400)).replace(microsecond=0)
    some = specimens(until)
    if route == "restore":
        some = {field: archived(specimen) for field, specimen in some.items()}
    for field, specimen in some.items():
        in_parts = route == "multipart-copy"
        write(stage.source_client, source, key_of(field), specimen, in_parts=in_parts)
    stage.end_retention(source, key_of(F.ENDED_RETENTION))
    stage.make_old(source, key_of(F.LAST_MODIFIED))
    stage.source_client.put_object(Bucket=source, Key=DELETED, Body=b"deleted")
    stage.source_client.delete_object(Bucket=source, Key=DELETED)
    folder = tmp_path_factory.mktemp(route)
    command = make_command(folder)
    words: tuple[str, ...] = (*QUIET, "--destination", destination)
    if route == "multipart-copy":
        command = command.beside(BACKFILL_LIMITS_COPY_OBJECT_BYTES_MAX=str(len(PART)))
    if route == "batch-replication":
        command, words = command.beside(**POLLS), stage.by_jobs(source, destination)
    stage.sandbox.model.world.restores = RestoreSettings(scale=0.00001)
    command.run(
        *("run", source, "--run-dir", str(folder / "run"), "--yes", "--allow-unverified"),
        *(*words, *WORDS.get(route, ())),
        code=0,
    )
    return Delivered(
        route=route,
        ended_at=stage.sandbox.clock(),
        run_directory=folder / "run",
        markers=markers(stage.destination_client, destination),
        specimens=some,
        source={field: facts_of(stage.source_client, source, key_of(field)) for field in some},
        destination={
            field: facts_of(stage.destination_client, destination, key_of(field)) for field in some
        },
    )


def archived(specimen: Specimen) -> Specimen:
    """Return a specimen in an archive class."""
    return replace(specimen, attributes={**specimen.attributes, "StorageClass": "GLACIER"})


def markers(client: S3Client, bucket: str) -> list[Any]:
    """Return what a bucket lists under the deleted key."""
    listed = client.list_object_versions(Bucket=bucket, Prefix=DELETED)
    return [set(marker) for marker in listed.get("DeleteMarkers", []) if marker["IsLatest"]]


def key_of(field: F) -> str:
    """Return the key of a field's specimen."""
    return f"fidelity/{field.name.lower()}"


TRIED = [field for field in F if any(TABLE[field, route].proof == E2E for route in ROUTES)]


@pytest.mark.parametrize("field", TRIED)
def test_a_field_fares_as_the_table_says(delivered: Delivered, field: F) -> None:
    """If this fails, the reference says of a field what the command does not do."""
    cell = TABLE[field, delivered.route]
    if cell.proof != E2E:
        assert cell.proof, "another test tries it"
        return
    if cell.keeping is Keeping.REFUSED:
        assert delivered.destination[field] is None
        assert delivered.decision(field) == REASONS[field]
        return
    here, there = (delivered.value(field, is_source=side) for side in (True, False))
    if cell.keeping is Keeping.NOT_KEPT:
        assert there != here
    elif cell.keeping is Keeping.SET_BY_BUCKET:
        assert there == delivered.by_bucket(field)
    else:
        assert cell.keeping in (Keeping.KEPT, Keeping.SET_BY_RULE)
        is_asked = (field, delivered.route) == (F.STORAGE_CLASS, "restore")
        assert there == ("STANDARD" if is_asked else here)


def test_verify_finds_nothing_to_say_but_what_the_bucket_sets(delivered: Delivered) -> None:
    """If this fails, a faithful copy is called different, or a bucket's lock is told nobody."""
    rows = [row for row in report_rows(delivered.run_directory) if row["destination_version_id"]]
    assert len(rows) >= len(TRIED) - 2
    # One part under KMS leaves nothing that both sides store of an upload with COMPOSITE checksums.
    unproven = {row["key"] for row in rows if row["verdict"] == "unverified"}
    assert unproven <= {key_of(F.CHECKSUM_TYPE)}
    assert {row["verdict"] for row in rows} <= {"equal", "unverified"}
    if delivered.route == "batch-replication":
        return
    objects = [row for row in rows if row["type"] != "delete marker"]
    assert {row["fidelity"] for row in objects} == {"equal"}
    told = {row["key"] for row in objects if "Set by the destination bucket" in row["detail"]}
    own = {key_of(field) for field in (F.COMPLIANCE, F.GOVERNANCE)}
    assert told == {row["key"] for row in objects} - own


def test_a_marker_has_nothing_that_could_be_lost(delivered: Delivered) -> None:
    """If this fails, a delete marker is no delete marker, or is not there."""
    wanted = delivered.route in ("copy-object", "history", "batch-replication")
    assert len(delivered.markers) == wanted
    assert all(marker <= OF_MARKERS for marker in delivered.markers)


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("algorithm", ["CRC64NVME", "SHA256"])
def test_every_copy_has_the_algorithm_that_was_asked_for(
    stage: Stage, command: Command, algorithm: str, *, in_parts: bool
) -> None:
    """If this fails, the campaign asks for an algorithm, and copies have their sources'."""
    name = f"chosen-{algorithm.lower()}-{in_parts}".lower()
    source, destination = stage.make_pair(name)
    some = specimens(stage.sandbox.clock() + timedelta(days=9))
    for field in (F.CHECKSUM_ALGORITHM, F.CHOSEN_ALGORITHM, F.COMPLIANCE, F.BYTES):
        write(stage.source_client, source, key_of(field), some[field], in_parts=in_parts)
    if in_parts:
        command = command.beside(BACKFILL_LIMITS_COPY_OBJECT_BYTES_MAX=str(len(PART)))
    words = "--destination-checksum-algorithm", algorithm, "--destination", destination
    command.run("run", source, "--run-dir", "run", "--yes", *QUIET, *words, code=0)
    for field in (F.CHECKSUM_ALGORITHM, F.CHOSEN_ALGORITHM, F.COMPLIANCE, F.BYTES):
        facts = facts_of(stage.destination_client, destination, key_of(field))
        assert facts is not None
        assert facts["algorithms"] == [f"Checksum{algorithm}"]


def test_what_a_destination_cannot_keep_stays_behind(stage: Stage, command: Command) -> None:
    """If this fails, locks and grants are lost, or S3's refusals end the run as failures."""
    source = stage.make_source("all-of-elsewhere")
    bare = stage.make_bucket(stage.destination_client, "copies-elsewhere", is_open=False)
    some = specimens(stage.sandbox.clock() + timedelta(days=9))
    stay = {
        F.COMPLIANCE: "object-lock",
        F.GOVERNANCE: "object-lock",
        F.LEGAL_HOLD: "object-lock",
        F.ACL: "acl",
    }
    go = (F.ENDED_RETENTION, F.WEBSITE_REDIRECT, F.BYTES)
    for field in (*stay, *go):
        write(stage.source_client, source, key_of(field), some[field], in_parts=False)
    stage.end_retention(source, key_of(F.ENDED_RETENTION))
    words = "--destination", bare, "--run-dir", "run", "--yes"
    command.run("run", source, *words, *QUIET, code=0)
    rows = {row["key"]: row for row in report_rows(command.folder / "run")}
    assert {field: rows[key_of(field)]["decision"] for field in stay} == stay
    for field in stay:
        assert facts_of(stage.destination_client, bare, key_of(field)) is None
    for field in go:
        assert facts_of(stage.destination_client, bare, key_of(field)) is not None


@pytest.mark.parametrize("way", ["copy-object", "multipart-copy", "batch-replication"])
def test_an_owner_that_owns_all_needs_no_acl(stage: Stage, command: Command, way: str) -> None:
    """If this fails, an ACL keeps a version from where no ACL counts."""
    source, destination = stage.make_pair(f"owned-by-{way}")
    ownership = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    stage.destination_client.put_bucket_ownership_controls(
        Bucket=destination, OwnershipControls=ownership
    )
    acl = specimens(stage.sandbox.clock() + timedelta(days=9))[F.ACL]
    write(stage.source_client, source, key_of(F.ACL), acl, in_parts=way == "multipart-copy")
    words: tuple[str, ...] = (*QUIET, "--destination", destination)
    if way == "multipart-copy":
        command = command.beside(BACKFILL_LIMITS_COPY_OBJECT_BYTES_MAX=str(len(PART)))
    if way == "batch-replication":
        command, words = command.beside(**POLLS), stage.by_jobs(source, destination)
    command.run("run", source, "--run-dir", "run", "--yes", *words, code=0)
    facts = facts_of(stage.destination_client, destination, key_of(F.ACL))
    assert facts is not None
    assert facts["grants"] == [("owner", "FULL_CONTROL")]
