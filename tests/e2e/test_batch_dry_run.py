"""--dry-run with a role and a bucket for jobs: shows the engine and the manifest, does nothing."""

from collections import Counter

from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command
from tests.doubles.jobs_place import make_jobs_place
from tests.doubles.old_world import OldWorld, Rule, write_everything
from tests.doubles.own_eyes import S3Client, versions

WRITES = ("Put", "Copy", "Delete", "Create", "Upload", "Complete", "Abort", "Update")
"""How the names of writing operations of S3 and S3 Control begin."""


def test_a_dry_run_shows_engine_and_manifest_and_writes_nothing(
    sandbox: Sandbox, command: Command, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, nobody sees before the first job which way versions go, or a look costs."""
    world = OldWorld(sandbox, "dry-batch")
    write_everything(world, Rule(to=world.destination, wants_markers=True))
    place = make_jobs_place(sandbox, world)
    sides = (source_client, world.source), (destination_client, world.destination)
    before = [versions(client, bucket) for client, bucket in sides]
    calls = Counter(sandbox.calls())
    words = "run", world.source, "--dry-run", *place.words
    shown = command.run(*words, code=0).stdout.splitlines()
    asked = Counter(sandbox.calls()) - calls
    assert not [name for name in asked if name.startswith(WRITES)]
    assert [versions(client, bucket) for client, bucket in sides] == before
    assert not versions(source_client, place.bucket)
    (engine,) = (line for line in shown if line.startswith("engine: "))
    assert engine.startswith("engine: S3 Batch Replication, copy workers for the rest (")
    assert any(line.startswith("    batch-replication: ") for line in shown)
    (manifest,) = (line for line in shown if "manifest" in line)
    assert manifest.startswith("Batch Replication by backfill's own manifests: ")
    assert "delete markers" in manifest


def test_a_dry_run_without_a_role_says_what_is_missing_for_batch_replication(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, somebody copies years of history away without hearing of the other way."""
    world = OldWorld(sandbox, "dry-copy")
    with world.days_ago(3):
        world.put("a")
    world.set_rules(Rule(to=world.destination))
    shown = command.run("run", world.source, "--dry-run", code=0).stdout
    (engine,) = (line for line in shown.splitlines() if line.startswith("engine: "))
    assert engine.startswith("engine: copy workers (")
    assert "--batch-role-arn" in engine
    assert "--batch-bucket" in engine
