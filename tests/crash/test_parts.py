"""A large object whose process was killed in the midst of its parts goes on with those it has.

Real processes and real kills; the sandbox's own counts say what was asked of it.
"""

import signal
from collections import Counter
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.operations.objects import PutObjectTaggingRequest
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Ended, report
from tests.doubles.killer import Killer, Moment, Way
from tests.doubles.old_world import PART, OldWorld, Rule, caller_of

KEY = "large/a b+c%2F//é"
PARTS = (PART, PART, PART, PART, PART, b"the last part")


class CountingKiller(Killer):
    """Counts the requests of each operation; kills as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def __call__(self, call: Call) -> Fault | None:
        self.asked[call.operation] += 1
        return super().__call__(call)


@pytest.fixture
def one_by_one(command: Command) -> Command:
    """The command with one part in flight, so that a kill leaves none that lands later."""
    return command.beside(BACKFILL_LIMITS_PARTS_IN_FLIGHT="1")


def words_of(world: OldWorld) -> tuple[str, ...]:
    """Write one large object and return the command that copies it."""
    with world.days_ago(60):
        world.upload(KEY, PARTS, "CRC32")
    world.set_rules(Rule(to=world.destination, wants_markers=True))
    return "run", world.source, "--run-dir", "run", "--yes"


def killed(
    command: Command, sandbox: Sandbox, words: tuple[str, ...], moment: Moment
) -> CountingKiller:
    """Run the command to a moment at which it dies; return who counts what comes next."""
    killer = CountingKiller()
    sandbox.set_fault_hook(killer)
    started = command.start(*words)
    killer.aim(started.child.pid, moment)
    assert started.end().code == -signal.SIGKILL
    killer.rest()
    assert killer.asked["CreateMultipartUpload"] == 1
    killer.asked.clear()
    return killer


def at(operation: str, nth: int, way: Way) -> Moment:
    return Moment(operation=operation, nth=nth, way=way, later_s=0.0)


def assert_copied_once(world: OldWorld, tmp_path: Path) -> ObjectVersion:
    """One version with all bytes and parts, no upload left, and a report that says so."""
    with world.sandbox.held() as model:
        (made,) = raw_edits.snapshot(model, world.destination)
        assert not raw_edits.bucket_of(model, world.destination).uploads
    assert isinstance(made, ObjectVersion)
    assert (made.key, made.body.data) == (KEY, b"".join(PARTS))
    assert [part.size_bytes for part in made.parts] == [len(part) for part in PARTS]
    assert report(tmp_path / "run")["exit_code"] == 0
    return made


def events(ended: Ended, name: str) -> list[tuple[object, ...]]:
    """Return the fields of the log's events of a name that are no line's usual ones."""
    usual = {"timestamp", "level", "event", "run_id", "key", "number", "hint"}
    return [
        tuple(value for field, value in event.items() if field not in usual)
        for event in ended.events
        if event["event"] == name
    ]


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        (at("UploadPartCopy", 1, Way.UNDONE), 0),
        (at("UploadPartCopy", 4, Way.UNDONE), 3),
        (at("UploadPartCopy", 4, Way.UNHEARD), 4),
        (at("CompleteMultipartUpload", 1, Way.UNDONE), 6),
    ],
    ids=["at the first", "in the midst", "in the midst, unheard", "at the end"],
)
def test_parts_that_are_there_are_not_copied_again(
    sandbox: Sandbox,
    one_by_one: Command,
    world: OldWorld,
    tmp_path: Path,
    moment: Moment,
    found: int,
) -> None:
    """If this fails, whoever is killed at 99 % of a terabyte begins at its first byte."""
    words = words_of(world)
    killer = killed(one_by_one, sandbox, words, moment)
    ended = one_by_one.run(*words, code=0)
    assert_copied_once(world, tmp_path)
    assert killer.asked["UploadPartCopy"] == len(PARTS) - found
    assert killer.asked["ListParts"] == 1
    assert killer.asked["CreateMultipartUpload"] == killer.asked["AbortMultipartUpload"] == 0
    assert killer.asked["CompleteMultipartUpload"] == 1
    assert events(ended, "execute.upload_resumed") == [(found, len(PARTS))]


def test_an_upload_that_was_completed_unheard_is_recognised(
    sandbox: Sandbox, one_by_one: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, the copy is made a second time."""
    words = words_of(world)
    killer = killed(one_by_one, sandbox, words, at("CompleteMultipartUpload", 1, Way.UNHEARD))
    one_by_one.run(*words, code=0)
    assert_copied_once(world, tmp_path)
    assert killer.asked["UploadPartCopy"] == killer.asked["CreateMultipartUpload"] == 0


def test_an_object_with_other_tags_since_is_copied_anew(
    sandbox: Sandbox, one_by_one: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, the copy has the tags of the day on which its process died."""
    words = words_of(world)
    killer = killed(one_by_one, sandbox, words, at("UploadPartCopy", 3, Way.UNDONE))
    with sandbox.held() as model:
        tagging = PutObjectTaggingRequest(bucket=world.source, key=KEY, tags=(("a", "b"),))
        model.put_object_tagging(caller_of(SOURCE), tagging)
    ended = one_by_one.run(*words, code=0)
    assert assert_copied_once(world, tmp_path).tags == (("a", "b"),)
    assert killer.asked["UploadPartCopy"] == len(PARTS)
    assert killer.asked["AbortMultipartUpload"] == 1
    assert events(ended, "execute.upload_resumed") == []


def test_without_the_permission_to_list_parts_it_begins_anew_and_says_so(
    sandbox: Sandbox, one_by_one: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, a policy from before this permission keeps a run from being resumed."""
    words = words_of(world)
    killer = killed(one_by_one, sandbox, words, at("UploadPartCopy", 3, Way.UNDONE))
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ListMultipartUploadParts",
        "Resource": f"arn:aws:s3:::{world.destination}/*",
    }
    world.set_policy(DESTINATION, world.destination, denial)
    ended = one_by_one.run(*words, code=0)
    assert_copied_once(world, tmp_path)
    assert killer.asked["UploadPartCopy"] == len(PARTS)
    assert events(ended, "execute.parts_not_listed") == [(world.destination, "AccessDenied")]
