"""Whole histories through the command, on the sandbox and on a real S3 server.

The world is made by seed, and what a bucket must hold is known before anybody lists it. Both
buckets are then looked at by plain boto3, whose raw answers are read here: nothing of the product
takes part in the proof.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from pathlib import Path
from random import Random

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE
from tests.doubles.command import Command, artifact, branch
from tests.doubles.figures import Row, Tried, figure
from tests.doubles.old_world import OldWorld, caller_of
from tests.doubles.on_seaweedfs import Commanded, client, commanded, made_buckets, server
from tests.doubles.own_eyes import Listed, S3Client, chains, seen
from tests.doubles.version_histories import (
    MILD_KEYS,
    Delete,
    Expected,
    History,
    Put,
    hostile_history,
    write_into,
    write_through,
)

__all__ = ["client", "commanded", "server"]

VERSIONS = {"lean": figure(ci=3_000, release=20_000), "sdk": figure(ci=300, release=5_000)}
"""Through the SDK a part is enough: each request takes twenty times as long, and is the same."""
SEAWEEDFS_VERSIONS = {
    "lean": figure(ci=600, release=20_000),
    "sdk": figure(ci=200, release=2_000),
}
"""There 20,000 took 13 minutes on a busy machine, half of them to write the world."""
TIMEOUT_S = 3_600.0
"""Of one command over a whole history; only a hang reaches it."""
SAMPLE = 300
"""Versions that are read byte by byte on both sides."""
READERS = 8

Chains = Mapping[str, list[Listed]]


def assert_holds(found: Chains, history: History) -> None:
    """Check that a bucket holds exactly a history: every key, every version, in its order."""
    wanted = history.chains()
    assert found.keys() == wanted.keys()
    for key, chain in wanted.items():
        there = found[key][::-1]
        assert [is_like(one, each) for one, each in zip(there, chain, strict=True)] == [True] * len(
            chain
        ), key
        assert [one.is_latest for one in found[key]] == [True] + [False] * (len(chain) - 1), key


def is_like(one: Listed, expected: Expected) -> bool:
    """Whether a listed entry is what was written."""
    step = expected.step
    if isinstance(step, Delete) or one.is_marker:
        return isinstance(step, Delete) and one.is_marker
    return one.size_bytes == len(step.body) and one.etag.strip('"') in etags(step)


def etags(put: Put) -> set[str]:
    """Return the ETags that S3 gives these bytes: of PutObject or CopyObject, and of parts."""
    whole = md5(put.body, usedforsecurity=False)
    parts = [md5(part, usedforsecurity=False).digest() for part in put.parts]
    joined = md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return {whole.hexdigest(), f"{joined}-{len(parts)}"} if parts else {whole.hexdigest()}


def assert_graphs_agree(source: Chains, destination: Chains) -> None:
    """Check both buckets against each other: kinds, order, sizes and what is current."""
    assert destination.keys() == source.keys()
    for key, chain in source.items():
        there = destination[key]
        shapes = [
            [(one.is_marker, one.size_bytes, one.is_latest) for one in each]
            for each in (chain, there)
        ]
        assert shapes[0] == shapes[1], key
        # A copy has an ID of its own, and what was suspended once has one, too.
        assert "null" not in {one.version_id for one in there}, key
        assert {one.version_id for one in chain}.isdisjoint(one.version_id for one in there), key


def assert_versions_read_alike(
    clients: tuple[S3Client, S3Client], buckets: tuple[str, str], found: tuple[Chains, Chains]
) -> None:
    """Read a sample of versions on both sides: bytes, metadata, tags and headers."""
    pairs = [
        (key, mine.version_id, theirs.version_id)
        for key in found[0]
        for mine, theirs in zip(found[0][key], found[1][key], strict=True)
        if not mine.is_marker
    ]
    sample = Random(5).sample(pairs, min(SAMPLE, len(pairs)))

    def are_alike(pair: tuple[str, str, str]) -> bool:
        key, *version_ids = pair
        mine, theirs = (
            seen(client, bucket, key, version_id)
            for client, bucket, version_id in zip(clients, buckets, version_ids, strict=True)
        )
        return mine == theirs

    with ThreadPoolExecutor(READERS) as threads:
        differing = [
            pair
            for pair, is_same in zip(sample, threads.map(are_alike, sample), strict=True)
            if not is_same
        ]
    assert differing == []


def words(source: str, destination: str, run_dir: str) -> tuple[str, ...]:
    """Return how a person asks for all versions."""
    return (
        "run",
        source,
        "--destination",
        destination,
        "--delete-markers",
        *("--versions", "all", "--run-dir", run_dir, "--yes", "--json"),
    )


def write_history(world: OldWorld, history: History) -> None:
    with world.days_ago(200), world.sandbox.held() as model:
        write_into(model, caller_of(SOURCE), world.source, history)


def test_all_versions_arrive_in_their_order(
    world: OldWorld,
    command: Command,
    source_client: S3Client,
    destination_client: S3Client,
    through: str,
    tried: Tried,
) -> None:
    """If this fails, a history loses a version, or has one in another's place."""
    history = hostile_history(seed=7, versions=VERSIONS[through])
    write_history(world, history)
    source = chains(source_client, world.source)
    assert_holds(source, history)
    ended = command.start(*words(world.source, world.destination, "run")).end(timeout_s=TIMEOUT_S)
    assert ended.code == 0, ended.stderr[-2_000:]
    assert branch(ended.document()["totals"], "routed") == history.versions
    destination = chains(destination_client, world.destination)
    assert_holds(destination, history)
    assert_graphs_agree(source, destination)
    buckets = world.source, world.destination
    clients = source_client, destination_client
    assert_versions_read_alike(clients, buckets, (source, destination))
    tried(Row.FULL_HISTORIES, VERSIONS[through])


def test_what_was_written_since_is_appended(
    world: OldWorld,
    command: Command,
    source_client: S3Client,
    destination_client: S3Client,
    through: str,
) -> None:
    """If this fails, a second run writes a history twice, or gives it up as somebody else's."""
    earlier = hostile_history(seed=3, versions=VERSIONS[through] // 40 + 100)
    write_history(world, earlier)
    command.run(*words(world.source, world.destination, "first"))
    before = chains(destination_client, world.destination)
    with world.days_ago(100):
        for key in list(before)[::3]:
            world.put(key, b"written since")
        for key in list(before)[::4]:
            world.delete(key)
    command.run(*words(world.source, world.destination, "second"))
    source, after = (
        chains(client, bucket)
        for client, bucket in (
            (source_client, world.source),
            (destination_client, world.destination),
        )
    )
    assert_graphs_agree(source, after)
    for key, chain in before.items():
        kept = [one.version_id for one in after[key][-len(chain) :]]
        assert kept == [one.version_id for one in chain], key
    rows = [row for row in artifact(command.folder / "second", "plan") if row["handling"]]
    assert len(rows) == len(list(before)[::3]) + len(list(before)[::4])
    # A third run finds all of it there, and writes nothing.
    third = command.run(*words(world.source, world.destination, "third")).document()
    assert branch(third["totals"], "routed") == 0
    assert chains(destination_client, world.destination) == after


def test_a_key_that_somebody_wrote_gets_its_current_version_alone(
    world: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a history is laid over somebody's object."""
    with world.days_ago(50):
        for edition in range(3):
            world.put("theirs", b"edition %d" % edition)
            world.put("ours", b"edition %d" % edition)
        world.put("theirs", b"edition 1", bucket=world.destination, account=DESTINATION)
    command.run(*words(world.source, world.destination, "run"))
    found = chains(destination_client, world.destination)
    assert [len(found[key]) for key in ("ours", "theirs")] == [3, 2]
    proof = command.run("explain", "theirs", "--run-dir", "run", "--version-id", "x", code=2)
    assert "has no version x" in proof.complaint[0]
    (noncurrent, *_) = (
        row for row in artifact(command.folder / "run", "plan") if row["reason"] == "noncurrent"
    )
    told = command.run(
        *("explain", "theirs", "--run-dir", "run", "--version-id", noncurrent["version_id"])
    )
    assert f"no history to {world.destination}: version" in told.stdout


def test_an_archived_version_keeps_its_whole_history_back(
    world: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, a history arrives with a gap that nobody can ever fill."""
    with world.days_ago(50):
        world.put("key", b"1")
        world.put("key", b"2", storage_class="GLACIER")
        world.put("key", b"3")
        world.put("other", b"1")
        world.put("other", b"2")
    document = command.run(*words(world.source, world.destination, "run"), code=None).document()
    found = chains(destination_client, world.destination)
    assert {key: len(chain) for key, chain in found.items()} == {"other": 2}
    assert branch(document["totals"], "explained", "history-incomplete") == 2
    assert branch(document["totals"], "explained", "archived") == 1


# --- On a real server ---


@pytest.mark.seaweedfs
def test_all_versions_arrive_on_seaweedfs(
    client: S3Client, commanded: Commanded, tmp_path: Path, through: str, tried: Tried
) -> None:
    """If this fails, histories work on our own idea of S3 only."""
    told, buckets = commanded(tmp_path), made_buckets(client, through)
    history = hostile_history(
        seed=9, versions=SEAWEEDFS_VERSIONS[through], names=MILD_KEYS, has_nulls_everywhere=False
    )
    write_through(client, buckets[0], history)
    source = chains(client, buckets[0])
    assert_holds(source, history)
    ended = told.start(*words(*buckets, "run")).end(timeout_s=TIMEOUT_S)
    assert ended.code == 0, ended.stderr[-2_000:]
    assert branch(ended.document()["totals"], "routed") == history.versions
    destination = chains(client, buckets[1])
    assert_holds(destination, history)
    assert_graphs_agree(source, destination)
    assert_versions_read_alike((client, client), buckets, (source, destination))
    tried(Row.FULL_HISTORIES, SEAWEEDFS_VERSIONS[through])
