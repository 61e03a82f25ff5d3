"""SIGKILL inside whole histories, then the same command: every chain as at the source.

Real kills of `backfill run --versions all` at seeded moments, three for each bucket; after some of
them the journal's tail is lost as well.
"""

from pathlib import Path
from random import Random

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles import own_eyes
from tests.doubles.command import Command, artifact
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.kill_rounds import by_request, killed_rounds
from tests.doubles.killer import Killer
from tests.doubles.old_world import OldWorld, caller_of
from tests.doubles.own_eyes import S3Client
from tests.doubles.version_histories import hostile_history, write_into

KILLS = 3
CHAINS = {"lean": figure(ci=2, release=40), "sdk": figure(ci=1, release=5)}
"""Where a kill falls depends on requests and the journal, not on who sends them."""
VERSIONS = 160


def chains(world: OldWorld, bucket: str) -> dict[str, list[Entry]]:
    """Return every key's chain, oldest first."""
    found: dict[str, list[Entry]] = {}
    with world.sandbox.held() as model:
        for entry in raw_edits.snapshot(model, bucket):
            found.setdefault(entry.key, []).insert(0, entry)
    return found


def looks(entry: Entry) -> object:
    """Return all of an entry that a copy keeps."""
    if isinstance(entry, DeleteMarker):
        return "delete marker"
    assert isinstance(entry, ObjectVersion)
    return entry.body.data, sorted(entry.metadata), sorted(entry.tags), entry.content


def assert_whole(world: OldWorld, run_directory: Path) -> None:
    """Each chain is the source's, and each outcome names the version that stands for its row."""
    source, destination = (chains(world, name) for name in (world.source, world.destination))
    assert destination.keys() == source.keys()
    stands: dict[tuple[str, str], str] = {}
    for key, chain in source.items():
        theirs = destination[key]
        assert list(map(looks, theirs)) == list(map(looks, chain)), key
        for mine, their in zip(chain, theirs, strict=True):
            stands[key, mine.version_id] = their.version_id
    rows = artifact(run_directory, "manifest/00")
    outcomes = artifact(run_directory, "outcomes/00")
    told = {
        (row["key"], row["version_id"]): outcome["version_id"]
        for row, outcome in zip(rows, outcomes, strict=True)
        if outcome["kind"] in ("copied", "marked")
    }
    assert all(stands[one] == version_id for one, version_id in told.items())
    assert {outcome["kind"] for outcome in outcomes} <= {"copied", "marked", "already-there"}


def lose_tail(run_directory: Path, random: Random) -> None:
    """Cut the newest segment of the journal anywhere."""
    folder = run_directory / "journal" / "manifest-00"
    segment = max(folder.glob("segment-*"), default=None)
    if segment is not None:
        whole = segment.read_bytes()
        segment.write_bytes(whole[: random.randint(len(whole) // 2, len(whole))])


def assert_listed_alike(
    world: OldWorld, source_client: S3Client, destination_client: S3Client
) -> None:
    """Plain boto3 lists the same chains on both sides, version by version."""
    source, destination = (
        {
            key: [(one.is_marker, one.size_bytes, one.is_latest) for one in chain]
            for key, chain in own_eyes.chains(client, bucket).items()
        }
        for client, bucket in (
            (source_client, world.source),
            (destination_client, world.destination),
        )
    )
    assert destination == source


@pytest.mark.parametrize(
    ("through", "seed"),
    [(client, first_seed() + seed) for client, chains in CHAINS.items() for seed in range(chains)],
    scope="module",
)
def test_kills_inside_histories_and_the_same_command_bring_every_chain_whole(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    source_client: S3Client,
    destination_client: S3Client,
    seed: int,
    tried: Tried,
) -> None:
    """If this fails, a process that dies inside a chain loses, doubles or moves a version."""
    random, killer = Random(f"kill histories {seed}"), Killer()
    with world.days_ago(200), world.sandbox.held() as model:
        history = hostile_history(seed=seed, versions=VERSIONS, large_uploads=1)
        write_into(model, caller_of(SOURCE), world.source, history)
    sandbox.set_fault_hook(killer)
    words = (
        *("run", world.source, "--destination", world.destination, "--delete-markers"),
        *("--versions", "all", "--run-dir", "run", "--yes", "--concurrency", "6"),
    )

    def lose_sometimes() -> None:
        if random.random() < 0.5:
            lose_tail(command.folder / "run", random)

    killing = killed_rounds(
        command, words, by_request(killer, random), kills=KILLS, after_each=lose_sometimes
    )
    assert_listed_alike(world, source_client, destination_client)
    assert_whole(world, command.folder / "run")
    tried(Row.KILLS, killing.kills)
