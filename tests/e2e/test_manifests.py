"""`backfill manifest --export` and `--check`: what people hand to Batch Operations themselves."""

import csv
import hashlib
from pathlib import Path
from urllib.parse import unquote

import pytest

from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command
from tests.doubles.jobs_place import POLLS, make_jobs_place
from tests.doubles.old_world import HOSTILE_KEYS, OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions


@pytest.fixture
def planned(sandbox: Sandbox, world: OldWorld, command: Command) -> tuple[Command, tuple[str, ...]]:
    """A plan whose rows all go by Batch Replication, and the words that name its run."""
    with world.days_ago(9):
        for key in HOSTILE_KEYS:
            world.put(key, b"first")
            world.put(key, b"second")
    world.set_rules(Rule(to=world.destination))
    place = make_jobs_place(sandbox, world)
    here = "--run-dir", str(command.folder / "run")
    words = world.source, "--engine", "batch-replication", *place.words, *here
    mine = command.beside(**POLLS)
    mine.run("run", *words, "--dry-run")
    return mine, here


def test_an_exported_manifest_names_every_planned_version_and_nothing_else(
    planned: tuple[Command, tuple[str, ...]], world: OldWorld, source_client: S3Client
) -> None:
    """If this fails, a job that somebody creates by hand moves other versions than the plan."""
    command, here = planned
    folder = command.folder / "exported"
    document = command.run("manifest", "--export", str(folder), "--json", *here).document()
    (shard,) = document["exported"]
    data = Path(shard["file"]).read_bytes()
    assert shard["etag"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
    rows = list(csv.reader(data.decode("ascii").splitlines()))
    assert {(bucket, unquote(key), version) for bucket, key, version in rows} == {
        (world.source, one.key, one.version_id) for one in versions(source_client, world.source)
    }
    checked = command.run("manifest", "--check", shard["file"], "--json").document()
    assert checked["rows"] == shard["rows"] == len(rows)
    assert not checked["oddities"]


def test_an_inventory_export_is_read_back_too(planned: tuple[Command, tuple[str, ...]]) -> None:
    command, here = planned
    folder = command.folder / "exported"
    words = "--batch-manifest-format", "inventory", "--batch-bucket", "somewhere-else"
    told = command.run("manifest", "--export", str(folder), *words, *here).stdout
    assert "manifest.json" in told
    (main,) = folder.rglob("manifest.json")
    checked = command.run("manifest", "--check", str(main)).stdout
    assert f"{2 * len(HOSTILE_KEYS)} rows of 1 buckets" in checked
    assert "odd" not in checked


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("\ufeffBucket,Key,VersionId\na-bucket,a b,\\N\n\na-bucket,c,v1\n", 0, "byte order mark"),
        ("a-bucket,a%20b,null\n", 0, "1 rows"),
        ("a-bucket,a,b,v1\n", 20, "row 1"),
        ("a-bucket,a,v1\na-bucket,b\n", 20, "row 2"),
        ("", 0, "0 rows"),
    ],
)
def test_somebodys_manifest_is_read_or_refused_with_its_row(
    command: Command, text: str, code: int, words: str
) -> None:
    """If this fails, a job of 17 million rows fails at 0 % and nobody learns which row it was."""
    path = command.folder / "theirs.csv"
    path.write_text(text, encoding="utf-8")
    ended = command.run("manifest", "--check", str(path), code=code)
    assert words in ended.stdout + ended.stderr


def test_a_file_that_is_not_there_is_named(command: Command) -> None:
    ended = command.run("manifest", "--check", "nowhere.csv", code=2)
    assert "nowhere.csv" in ended.stderr
