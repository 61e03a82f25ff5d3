"""SIGKILL inside whole histories, then the same command: every chain as at the source.

Twenty-four real kills of `backfill run --versions all`, and six through the SDK, at seeded moments,
three for each bucket; after some of them the journal's tail is lost as well.
"""

import signal
from pathlib import Path
from random import Random

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.command import Command, artifact
from tests.doubles.killer import Killer, Moment, any_moment
from tests.doubles.old_world import OldWorld, caller_of
from tests.doubles.version_histories import hostile_history, write_into

KILLS = 3
CHAINS = 8
CHAINS_OF_SDK = 2
"""Where a kill falls depends on requests and the journal, not on who sends them."""
PROCESSES_MAX = 5 * KILLS
"""Some processes end before their moment comes; it must not take for ever."""
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


@pytest.mark.parametrize(
    ("through", "seed"),
    [
        *(("lean", seed) for seed in range(CHAINS)),
        *(("sdk", seed) for seed in range(CHAINS_OF_SDK)),
    ],
    scope="module",
)
def test_kills_inside_histories_and_the_same_command_bring_every_chain_whole(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path, seed: int
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
    told: list[tuple[int, Moment]] = []
    kills = 0
    try:
        while kills < KILLS:
            assert len(told) < PROCESSES_MAX, told
            moment = any_moment(random, is_early=bool(told) and told[-1][0] == 0)
            started = command.start(*words)
            killer.aim(started.child.pid, moment)
            ended = started.end()
            killer.rest()
            assert ended.code in (0, -signal.SIGKILL), f"{told} {moment}: {ended}"
            told.append((ended.code, moment))
            if ended.code == -signal.SIGKILL:
                kills += 1
                if random.random() < 0.5:
                    lose_tail(tmp_path / "run", random)
    finally:
        killer.rest()
    command.run(*words, code=0)
    assert_whole(world, tmp_path / "run")
