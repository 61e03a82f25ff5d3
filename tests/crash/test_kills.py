"""P5: SIGKILL at any moment, then the same command: nothing lost, nothing twice, totals right.

Real kills of `backfill run` at seeded moments, five for each bucket, one after the other.
"""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from backfill.journal.journal import SegmentJournal
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.service import Sandbox
from tests.doubles import own_eyes
from tests.doubles.command import Command, artifact, branch, report
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.kill_rounds import by_request, killed_rounds
from tests.doubles.killer import Killer, Moment, Way
from tests.doubles.old_world import PART, OldWorld, Rule, content
from tests.doubles.own_eyes import S3Client

KILLS = 5
CHAINS = {"lean": figure(ci=2, release=40), "sdk": figure(ci=1, release=5)}
"""Where a kill falls depends on requests and the journal, not on who sends them, and each command
takes twice as long through the SDK."""

SMALL, CHANGED, DELETED, LARGE = 60, 5, 4, 2
ENTRIES = SMALL + CHANGED + DELETED + LARGE


def write_work(world: OldWorld) -> None:
    """Write work of every route: onto absent keys, over older copies, in parts, delete markers."""
    with world.days_ago(90):
        world.set_rules(Rule(to=world.destination, prefix="had/", wants_kms=False))
        for number in range(CHANGED + DELETED):
            world.put(f"had/{number}")
    with world.days_ago(60):
        world.drop_rules()
        for number in range(CHANGED):
            world.put(f"had/{number}", content(f"had/{number}", 1))
        for number in range(CHANGED, CHANGED + DELETED):
            world.delete(f"had/{number}")
        for number in range(SMALL):
            world.put(f"new/{number:02}", tags=(("n", str(number % 3)),) if number % 5 else ())
        for number in range(LARGE):
            world.upload(f"large/{number}", (PART, b"tail" * 400_000), "CRC32")
    world.set_rules(Rule(to=world.destination, wants_markers=True))


def chains(world: OldWorld, bucket: str) -> dict[str, list[Entry]]:
    """Return every key's chain, oldest first."""
    found: dict[str, list[Entry]] = {}
    with world.sandbox.held() as model:
        for entry in raw_edits.snapshot(model, bucket):
            found.setdefault(entry.key, []).insert(0, entry)
    return found


def assert_nothing_lost_and_nothing_twice(
    world: OldWorld, known_uploads: frozenset[str] | None = None
) -> None:
    """Every key shows what the source shows, and holds exactly one version of ours.

    No upload is left with parts, of those that the journal could know (None: all).
    """
    source, destination = (chains(world, name) for name in (world.source, world.destination))
    assert destination.keys() == source.keys()
    for key, chain in destination.items():
        theirs, ours = source[key][-1], chain[-1]
        assert len(chain) == (2 if key.startswith("had/") else 1), f"{key}: {chain}"
        if isinstance(theirs, DeleteMarker):
            assert isinstance(ours, DeleteMarker), key
            continue
        assert isinstance(theirs, ObjectVersion)
        assert isinstance(ours, ObjectVersion), key
        assert ours.body.data == theirs.body.data, key
        assert (ours.metadata, ours.tags, ours.content) == (
            theirs.metadata,
            theirs.tags,
            theirs.content,
        )
        assert [part.size_bytes for part in ours.parts] == [p.size_bytes for p in theirs.parts]
    with world.sandbox.held() as model:
        uploads = raw_edits.bucket_of(model, world.destination).uploads
        # Nobody who dies before CreateMultipartUpload's answer knows the upload's ID. What is left
        # has no parts and costs nothing; a part is sent only when the journal has the ID.
        left = {upload.upload_id for upload in uploads.values() if upload.parts}
    assert not (left if known_uploads is None else left & known_uploads), "parts are left behind"


def opened_journal(run_directory: Path) -> SegmentJournal:
    index = json.loads((run_directory / "manifest" / "00" / "index.json").read_bytes())
    return SegmentJournal.open(
        run_directory / "journal" / "manifest-00", manifest_digest=index["digest"]
    )


def journalled_uploads(run_directory: Path) -> frozenset[str]:
    """Return the uploads that a journal with a torn tail still knows."""
    journal = opened_journal(run_directory)
    known = frozenset(found.intent.upload_id for found in journal.open_intents())
    asyncio.run(journal.close())
    return known


def journal_outcomes(run_directory: Path) -> Counter[str]:
    """Replay the journal: every entry has one outcome, the artefact's own; return the kinds."""
    journal = opened_journal(run_directory)
    try:
        found = list(journal.outcomes())
        assert not list(journal.open_intents())
    finally:
        asyncio.run(journal.close())
    assert [outcome.number for outcome in found] == list(range(ENTRIES))
    written = artifact(run_directory, "outcomes/00")
    assert [(one["kind"], one["version_id"]) for one in written] == [
        (outcome.kind, outcome.version_id) for outcome in found
    ]
    return Counter(outcome.kind.value for outcome in found)


def assert_totals_are_right(document: Any, kinds: Counter[str]) -> None:
    """The report counts what the journal holds, and calls all of it equal."""
    totals = document["totals"]
    assert document["exit_code"] == 0
    assert branch(totals, "routed") == ENTRIES
    assert branch(totals, "routed", "multipart-copy") == LARGE
    assert branch(totals, "routed", "delete-marker") == DELETED
    for route, children in (("copy-object", SMALL + CHANGED), ("multipart-copy", LARGE)):
        told = sum(branch(totals, "routed", route, kind) for kind in kinds)
        assert told == children
    assert not document["troubles"]


def assert_listed_as_at_the_source(
    world: OldWorld, source_client: S3Client, destination_client: S3Client
) -> None:
    """Plain boto3 lists of each key what the source shows, and one version of ours."""
    source = own_eyes.chains(source_client, world.source)
    destination = own_eyes.chains(destination_client, world.destination)
    assert destination.keys() == source.keys()
    for key, chain in destination.items():
        assert len(chain) == (2 if key.startswith("had/") else 1), f"{key}: {chain}"
        shown, shows = chain[0], source[key][0]
        assert (shown.is_latest, shown.is_marker) == (True, shows.is_marker), key
        assert shown.size_bytes == shows.size_bytes, key


@pytest.mark.parametrize(
    ("through", "seed"),
    [(client, first_seed() + seed) for client, chains in CHAINS.items() for seed in range(chains)],
    scope="module",
)
def test_five_kills_and_the_same_command_come_to_what_one_run_comes_to(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    source_client: S3Client,
    destination_client: S3Client,
    seed: int,
    tried: Tried,
) -> None:
    """If this fails, a process that dies loses a version, or makes one twice."""
    killer = Killer()
    write_work(world)
    sandbox.set_fault_hook(killer)
    words = ("run", world.source, "--run-dir", "run", "--yes", "--concurrency", "6")
    aim = by_request(killer, Random(f"kill {seed}"))
    killing = killed_rounds(command, words, aim, kills=KILLS)
    assert_listed_as_at_the_source(world, source_client, destination_client)
    assert_nothing_lost_and_nothing_twice(world)
    kinds = journal_outcomes(command.folder / "run")
    assert kinds == {"copied": SMALL + CHANGED + LARGE, "marked": DELETED}, killing
    assert_totals_are_right(report(command.folder / "run"), kinds)
    tried(Row.KILLS, killing.kills)


TORN_AT = [
    (way, operation, nth)
    for way in (Way.UNDONE, Way.UNHEARD)
    for operation, nth in (("CopyObject", 20), ("CompleteMultipartUpload", 1), ("DeleteObject", 2))
]
TORN = {"lean": len(TORN_AT), "sdk": figure(ci=1, release=len(TORN_AT))}
"""What is read of a torn journal does not hang on who sends, either."""


@pytest.mark.parametrize(
    ("through", "way", "operation", "nth"),
    [(client, *row) for client, rows in TORN.items() for row in TORN_AT[:rows]],
    scope="module",
)
def test_a_torn_or_lost_tail_of_the_journal_costs_reading_again_not_writing_again(
    sandbox: Sandbox,
    command: Command,
    world: OldWorld,
    operation: str,
    nth: int,
    way: Way,
    tried: Tried,
) -> None:
    """If this fails, a disk that lost its last page makes versions twice or stops for good."""
    random, killer = Random(f"tear {operation} {way.name}"), Killer()
    write_work(world)
    sandbox.set_fault_hook(killer)
    words = ("run", world.source, "--run-dir", "run", "--yes", "--concurrency", "6")
    started = command.start(*words)
    moment = Moment(operation=operation, nth=nth, way=way, later_s=0.0)
    killer.aim(started.child.pid, moment)
    assert started.end().code == -signal.SIGKILL
    killer.rest()
    segment = max((command.folder / "run" / "journal" / "manifest-00").glob("segment-*"))
    whole = segment.read_bytes()
    cut = random.choice((1, 7, random.randint(8, 90), random.randint(90, len(whole) // 2)))
    segment.write_bytes(whole[:-cut])
    # The last commit is gone, and with it the ID of an upload that it told of: only the bucket's
    # lifecycle can abort that one.
    known = journalled_uploads(command.folder / "run")
    command.run(*words, code=0)
    assert_nothing_lost_and_nothing_twice(world, known)
    kinds = journal_outcomes(command.folder / "run")
    assert kinds.total() == ENTRIES
    odd = [
        one for one in artifact(command.folder / "run", "outcomes/00") if one["kind"] == "skipped"
    ]
    assert set(kinds) <= {"copied", "marked", "already-there"}, (kinds, odd)
    assert_totals_are_right(report(command.folder / "run"), kinds)
    tried(Row.KILLS, 1)
