"""Whole looks at live replication over a strict double: queues, versions, metrics, the manifest."""

import csv
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from io import StringIO
from pathlib import Path
from urllib.parse import unquote

import pytest

from backfill.errors import CampaignError, RefusedError
from backfill.model.attributes import ReplicationStatus
from backfill.ports import DocumentWriter, Event, ProgressCounts
from backfill.watch import queue_reader
from backfill.watch.event_queues import NO_QUEUE
from backfill.watch.ledger import Ledger
from backfill.watch.lines import picture_lines
from backfill.watch.manifests import ManifestPlace, ManifestSizes
from backfill.watch.picture import Picture
from backfill.watch.run import Watch, WatchPorts, find_watched
from backfill.watch.verdicts import METRICS_OFF, Verdict
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.replication_events import (
    DESTINATION,
    QUEUE,
    SOURCE,
    failures,
    message,
    record,
    trial_event,
)
from tests.doubles.watched_account import (
    DESTINATION_OWNER,
    NOW,
    OWNER,
    WatchedAccount,
    fault,
    queue_notification,
    rule,
)

LATE = "Replication:OperationMissedThreshold"
ARRIVED_LATE = "Replication:OperationReplicatedAfterThreshold"
NOT_TRACKED = "Replication:OperationNotTracked"


@dataclass
class Heard:
    """Port Events that remembers names."""

    names: list[str] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.names.append(event.name)

    def progress(self, counts: ProgressCounts) -> None:
        self.names.append(counts.stage)


@dataclass
class AccountClock:
    """Port Clock by the account's time."""

    account: WatchedAccount

    def now(self) -> datetime:
        return self.account.now

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        raise AssertionError(f"a look sleeps {duration_s} s")


@dataclass
class Scene:
    """An account, and what watch keeps of it on disk."""

    folder: Path
    account: WatchedAccount = field(default_factory=WatchedAccount)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    events: Heard = field(default_factory=Heard)
    rows_max: int = 1000
    dies_at: str = ""
    """The file at whose beginning the process dies."""

    async def look(self, *, queue: str = "") -> Picture:
        """Look once, as a process of its own does."""
        ports = WatchPorts(
            control=self.account.control,
            destination_control=self.account.destination_control,
            accounts=self.account.accounts,
            store=self.account.store,
            watching=self.account.watching,
            events=self.events,
            clock=AccountClock(self.account),
        )
        watched = await find_watched(SOURCE, owner="", queue_arn=queue, ports=ports)
        place = ManifestPlace(
            writer=self.writer,
            name_of="manifest/{:04d}.csv".format,
            index_name="manifest/index.json",
            shown=lambda name: name,
        )
        with self.ledger() as ledger:
            sizes = ManifestSizes(rows_max=self.rows_max, bytes_max=10**9)
            return await Watch(watched, ports, ledger, place, sizes).look()

    def writer(self, name: str) -> AbstractContextManager[DocumentWriter]:
        if name == self.dies_at:
            raise RuntimeError(name)
        return self.artifacts.document_writer(name)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        ledger = Ledger.open(self.folder / "ledger", bucket=SOURCE, now=NOW)
        try:
            yield ledger
        finally:
            ledger.close()

    def manifest(self, number: int = 0) -> list[tuple[str, str]]:
        """Read a file as Batch Operations does: key and version ID."""
        data = self.artifacts.read_document(f"manifest/{number:04d}.csv")
        assert data is not None, "there is a manifest"
        rows = list(csv.reader(StringIO(data.decode("ascii"))))
        assert {row[0] for row in rows} <= {SOURCE}
        return [(unquote(key), version_id) for _, key, version_id in rows]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_failed_versions_become_a_manifest_and_leave_the_queue(scene: Scene) -> None:
    """If this fails, somebody must find by hand what live replication did not carry."""
    keys = ["b", "a b+c%2F", "line\nend", "=cmd|' /C'!A0", 'é,"q"']
    scene.account.send(trial_event(), *failures(*keys))
    picture = await scene.look()
    assert (picture.verdict, picture.exit_code) == (Verdict.FAILS, 3)
    assert [key for key, _ in scene.manifest()] == sorted(keys)
    assert scene.account.messages == []
    (cause,) = picture.causes
    assert (cause.code, cause.versions) == ("DstPutObjectNotPermitted", 5)
    assert f"s3:ReplicateObject on arn:aws:s3:::{DESTINATION}/*" in cause.mend
    assert "watch.failures_noted" in scene.events.names


async def test_the_index_names_what_a_job_needs(scene: Scene) -> None:
    """If this fails, a job is made for a manifest of another bucket, or with a wrong ETag."""
    scene.account.send(*failures("a", "b", "c"))
    scene.rows_max = 2
    files = (await scene.look()).manifest
    index = json.loads(scene.artifacts.read_document("manifest/index.json") or b"")
    assert (index["source_bucket"], index["rows"]) == (SOURCE, 3)
    assert index["fields"] == ["Bucket", "Key", "VersionId"]
    assert [(file["file"], file["rows"], file["etag"]) for file in index["files"]] == [
        (file.file, file.rows, file.etag) for file in files
    ]
    assert [key for number in range(2) for key, _ in scene.manifest(number)] == ["a", "b", "c"]
    for file in files:
        data = scene.artifacts.read_document(file.file) or b""
        assert md5(data, usedforsecurity=False).hexdigest() == file.etag


@pytest.mark.parametrize("moment", ["before the delete", "after it"])
async def test_a_process_that_dies_loses_and_doubles_nothing(scene: Scene, moment: str) -> None:
    """If this fails, a kill between disk and queue loses a failed version, or counts it twice."""
    scene.account.send(*failures("a", "b"))

    class Killed(BaseException):
        pass

    def die() -> None:
        if moment == "after it":
            scene.account.messages.clear()
        raise Killed

    scene.account.before_delete = die
    with pytest.raises(Killed):
        await scene.look()
    scene.account.before_delete = lambda: None
    scene.account.wait(31)  # what was received is visible again
    picture = await scene.look()
    assert scene.manifest() == [("a", "3HL4kqtJlcpXroDTDmJ"), ("b", "3HL4kqtJlcpXroDTDmJ")]
    assert picture.failed_versions == 2
    assert picture.queues.new_words == 0
    assert scene.account.messages == []


async def test_what_is_not_ours_stays_in_the_queue_and_is_kept(scene: Scene) -> None:
    """If this fails, another reader of the queue loses its events."""
    foreign = [message(record("x", bucket="another")), "{", message(record("y", event="s3:Put"))]
    mixed = message(record("mine"), record("theirs", event="ObjectCreated:Put"))
    scene.account.send(*foreign, mixed)
    picture = await scene.look()
    assert [m.body for m in scene.account.messages] == [*foreign, mixed]
    assert sum(picture.queues.left.values()) == 4
    assert [key for key, _ in scene.manifest()] == ["mine"]
    with scene.ledger() as ledger:
        assert sum(ledger.unread().values()) == 4


async def test_a_queue_that_only_comes_round_ends_the_look(scene: Scene) -> None:
    """If this fails, one foreign message in a queue without visibility time-out hangs the watch."""
    scene.account.visibility = scene.account.visibility * 0
    scene.account.send("{", "}")
    picture = await scene.look()
    assert picture.queues.messages == 2 * (queue_reader.FRUITLESS_MAX + 1)


async def test_a_backlog_is_read_to_its_end(scene: Scene) -> None:
    """If this fails, a look ends after the first ten messages of thousands."""
    scene.account.send(*failures(*(f"{n:04d}" for n in range(537))))
    picture = await scene.look()
    assert picture.failed_versions == 537
    assert len(scene.manifest()) == 537
    assert scene.account.messages == []


async def test_an_endless_queue_ends_a_look_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a storm of failures keeps anybody from learning of it."""
    monkeypatch.setattr(queue_reader, "MESSAGES_MAX", 20)
    scene.account.send(*failures(*(f"{n:04d}" for n in range(200))))
    picture = await scene.look()
    assert picture.queues.has_more
    assert 20 <= picture.queues.messages < 200


async def test_what_arrived_since_leaves_the_manifest(scene: Scene) -> None:
    """If this fails, versions that were brought over are paid for again with each job."""
    version_id = "3HL4kqtJlcpXroDTDmJ"
    scene.account.send(*failures("arrived", "gone", "pending", "stays"))
    assert (await scene.look()).failed_versions == 4
    scene.account.statuses = {
        ("arrived", version_id): ReplicationStatus.COMPLETED,
        ("gone", version_id): fault("HeadObject", "NoSuchVersion", 404),
        ("pending", version_id): ReplicationStatus.PENDING,
        ("stays", version_id): fault("HeadObject", "MethodNotAllowed", 405),
    }
    picture = await scene.look()
    assert [key for key, _ in scene.manifest()] == ["pending", "stays"]
    assert picture.failed_versions == 2
    scene.account.statuses = dict.fromkeys(
        [("pending", version_id), ("stays", version_id)], ReplicationStatus.COMPLETED
    )
    assert (await scene.look()).exit_code == 0
    assert scene.manifest() == []


async def test_a_manifest_that_a_dead_process_left_is_emptied_all_the_same(scene: Scene) -> None:
    """If this fails, a job is made for versions that have long arrived."""
    scene.account.send(*failures("a"))
    scene.dies_at = "manifest/index.json"
    with pytest.raises(RuntimeError):
        await scene.look()
    assert scene.manifest()
    scene.dies_at = ""
    scene.account.statuses = {("a", "3HL4kqtJlcpXroDTDmJ"): ReplicationStatus.COMPLETED}
    assert (await scene.look()).failed_versions == 0
    assert scene.manifest() == []


async def test_a_failure_after_the_arrival_stands_again(scene: Scene) -> None:
    """If this fails, tags that could not follow a replica are never brought over."""
    scene.account.send(*failures("a"))
    await scene.look()
    scene.account.statuses = {("a", "3HL4kqtJlcpXroDTDmJ"): ReplicationStatus.COMPLETED}
    assert (await scene.look()).failed_versions == 0
    scene.account.statuses.clear()
    scene.account.send(message(record("a", at="2026-11-23T03:20:00Z")), *failures("a"))
    assert (await scene.look()).failed_versions == 1


async def test_a_source_that_may_not_be_read_is_said_once_and_changes_nothing(scene: Scene) -> None:
    """If this fails, a denial clears failures, or a thousand requests are denied a minute."""
    scene.account.send(*failures(*map(str, range(100))))
    scene.account.statuses = {
        (str(n), "3HL4kqtJlcpXroDTDmJ"): fault("HeadObject", "AccessDenied", 403)
        for n in range(100)
    }
    picture = await scene.look()
    assert picture.failed_versions == 100
    assert len(scene.account.heads) < 40
    assert any("s3:GetObjectVersion" in remark for remark in picture.remarks)


async def test_events_of_rtc_make_late_versions_and_clear_them(scene: Scene) -> None:
    """If this fails, a version that is late counts as failed, or one that came as late."""
    scene.account.send(
        message(record("late", event=LATE, reason=None)),
        message(record("came", event=LATE, reason=None)),
        message(record("came", event=ARRIVED_LATE, reason=None, at="2026-11-23T03:12:00Z")),
        message(record("lost", event=NOT_TRACKED, reason=None)),
    )
    picture = await scene.look()
    (rule_picture,) = picture.rules
    assert (rule_picture.late_versions, rule_picture.untracked_versions) == (1, 1)
    assert (picture.verdict, picture.exit_code) == (Verdict.FALLS_BEHIND, 5)
    assert picture.manifest == ()


@pytest.mark.parametrize(
    ("reason", "is_in_manifest", "exit_code"),
    [
        ("DstPutObjectNotPermitted", True, 3),
        ("SomethingNew", True, 3),
        ("", True, 3),
        ("SrcObjectNotEligible", False, 3),
        ("DstObjectHardDeleted", False, 3),
        ("SrcVersionNotFound", False, 0),
        ("SrcReplicationNotPending", False, 0),
    ],
)
async def test_only_what_batch_replication_can_deliver_is_in_the_manifest(
    scene: Scene, reason: str, is_in_manifest: bool, exit_code: int
) -> None:
    """If this fails, a job is charged for versions that it never delivers."""
    scene.account.send(message(record("a", reason=reason)))
    picture = await scene.look()
    assert bool(picture.manifest) is is_in_manifest
    assert picture.exit_code == exit_code
    assert picture.causes[0].sentence


async def test_a_version_stands_once_in_the_manifest_whatever_its_destinations(
    scene: Scene,
) -> None:
    """If this fails, a job is charged twice for one version."""
    scene.account.send(
        message(record("a"), record("a", destination="second"), record("a", "v2")),
        message(record("a", reason="SrcObjectNotEligible", destination="third")),
    )
    await scene.look()
    assert scene.manifest() == [("a", "3HL4kqtJlcpXroDTDmJ"), ("a", "v2")]


async def test_numbers_are_asked_where_s3_publishes_them(scene: Scene) -> None:
    """If this fails, the watch says `no data` for ever: it asks in the wrong Region."""
    scene.account.publish("OperationsPendingReplication", 4, 3, 2, 1, region="eu-west-1")
    scene.account.publish("BytesPendingReplication", 9e6, 8e6, 7e6, 6e6, region="eu-west-1")
    scene.account.publish("ReplicationLatency", 20, 12, region="eu-west-1")
    scene.account.publish("OperationsFailedReplication", 0, 0, region="us-east-1")
    picture = await scene.look()
    (rule_picture,) = picture.rules
    assert (rule_picture.pending_operations, rule_picture.pending_bytes) == (1, 6e6)
    assert (rule_picture.latency_s, rule_picture.failed_operations) == (12, 0)
    assert (picture.verdict, picture.exit_code) == (Verdict.KEEPS_UP, 5)  # one is under way
    assert "1 operation pending (6 MB), falling; latency 12 s" in rule_picture.sentence


async def test_no_data_is_not_zero(scene: Scene) -> None:
    """If this fails, silence of CloudWatch is taken for proof."""
    picture = await scene.look()
    (rule_picture,) = picture.rules
    assert rule_picture.pending_operations is None
    assert (picture.verdict, picture.exit_code) == (Verdict.NO_DATA, 0)
    assert "which is not zero" in rule_picture.sentence


async def test_failures_without_an_event_are_failures(scene: Scene) -> None:
    """If this fails, a bucket without a queue seems to keep up while everything fails."""
    scene.account.notification = None
    scene.account.publish("OperationsFailedReplication", 3, 2, region="us-east-1")
    picture = await scene.look()
    assert (picture.verdict, picture.exit_code) == (Verdict.FAILS, 3)
    assert "5 operations failed" in picture.rules[0].sentence
    assert picture.remarks == (NO_QUEUE,)


async def test_failures_that_events_named_and_that_arrived_are_settled(scene: Scene) -> None:
    """If this fails, a bucket that was mended fails for an hour more."""
    scene.account.publish("OperationsFailedReplication", 1, region="us-east-1")
    scene.account.send(*failures("a"))
    scene.account.statuses = {("a", "3HL4kqtJlcpXroDTDmJ"): ReplicationStatus.COMPLETED}
    picture = await scene.look()
    assert picture.exit_code == 0
    assert "1 operation failed within the last 60 minutes, settled since" in (
        picture.rules[0].sentence
    )


async def test_rules_without_metrics_cannot_be_told(scene: Scene) -> None:
    """If this fails, a rule that nobody measures is called healthy."""
    scene.account.rules = [rule(has_metrics=False), rule("off", is_enabled=False)]
    picture = await scene.look()
    (rule_picture,) = picture.rules
    assert (rule_picture.verdict, rule_picture.sentence) == (Verdict.CANNOT_TELL, METRICS_OFF)
    assert picture.exit_code == 5


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("GetMetricData", "GetMetricData: AccessDenied"),
        ("ReceiveMessage", "sqs:ReceiveMessage"),
        ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
        ("DeleteMessageBatch", "could not be deleted: AccessDenied"),
    ],
)
async def test_what_may_not_be_asked_is_said_and_ends_nothing(
    scene: Scene, operation: str, words: str
) -> None:
    """If this fails, one missing permission hides all else, or is hidden itself."""
    scene.account.send(*failures("a"))
    scene.account.faults[operation] = fault(operation, "AccessDenied", 403)
    text = " ".join(" ".join(picture_lines(await scene.look())).split())
    assert words in text
    assert "not proof of parity" in text


async def test_a_queue_can_be_named(scene: Scene) -> None:
    """If this fails, a queue that a topic feeds cannot be read."""
    scene.account.notification = None
    scene.account.send(*failures("a"))
    assert (await scene.look(queue=QUEUE)).failed_versions == 1


@pytest.mark.parametrize(
    ("notification", "remark"),
    [
        (queue_notification("s3:Replication:OperationMissedThreshold"), "failed versions are not"),
        (queue_notification("s3:ObjectCreated:*"), NO_QUEUE),
        (
            {
                "TopicConfigurations": [
                    {"TopicArn": "arn:aws:sns:r:1:t", "Events": ["s3:Replication:*"]}
                ]
            },
            "arn:aws:sns:r:1:t",
        ),
        (
            {
                "QueueConfigurations": [
                    {
                        "QueueArn": QUEUE,
                        "Events": ["s3:Replication:*"],
                        "Filter": {"Key": {"FilterRules": []}},
                    }
                ]
            },
            "only events of some keys",
        ),
        ({"QueueConfigurations": ["odd"], "TopicConfigurations": 7}, NO_QUEUE),
    ],
)
async def test_what_the_notifications_lack_is_said(
    scene: Scene, notification: dict[str, object], remark: str
) -> None:
    """If this fails, nobody knows that failed versions are not, or not all, named."""
    scene.account.notification = notification
    assert any(remark in each for each in (await scene.look()).remarks)


@pytest.mark.parametrize("rules", [None, [rule(is_enabled=False)]])
async def test_without_live_replication_there_is_nothing_to_watch(
    scene: Scene, rules: list[dict[str, object]] | None
) -> None:
    """If this fails, a bucket whose replication was switched off seems to keep up."""
    scene.account.rules = rules
    with pytest.raises(RefusedError, match="live replication"):
        await scene.look()


async def test_a_configuration_that_is_not_understood_is_refused(scene: Scene) -> None:
    """If this fails, a rule that means something else is judged."""
    scene.account.rules = [{**rule(), "Shiny": {}}]
    with pytest.raises(CampaignError):
        await scene.look()


async def test_hostile_words_cannot_move_the_cursor(scene: Scene) -> None:
    """If this fails, a rule ID or a message can forge what a person reads."""
    item = record("a\x1b[2J", reason="\x1b[31mEvil\n", rule="\u202erule")
    scene.account.send(message(item))
    text = "\n".join(picture_lines(await scene.look()))
    assert text.replace("\n", "").isprintable()


async def test_a_person_reads_everything_in_order(scene: Scene) -> None:
    """If this fails, a cause, the manifest or the caveat is missing from what people see."""
    scene.account.send(*failures("a"))
    scene.account.publish("OperationsPendingReplication", 0, region="eu-west-1")
    text = "\n".join(picture_lines(await scene.look()))
    places = [
        f"{SOURCE} (us-east-1, account 111111111111) at 2026-11-23T03:30:00+00:00",
        f"rule everything to {DESTINATION} (eu-west-1)",
        "fails: 1 version failed",
        f"events from {QUEUE}",
        "1 messages read",
        "1 x DstPutObjectNotPermitted",
        "mend: Grant s3:ReplicateObject",
        "repair manifest: manifest/0000.csv: 1 rows",
        "not proof of",
    ]
    found = [text.index(place) for place in places]
    assert found == sorted(found)


async def test_the_missing_statements_name_the_owner_of_the_destination(scene: Scene) -> None:
    """If this fails, a mend is told for the wrong account, or not at all."""
    scene.account.send(*failures("a"))
    (cause,) = (await scene.look()).causes
    assert {each.account_id for each in cause.statements} == {OWNER, DESTINATION_OWNER}
    scene.account.faults["RequireOwner"] = fault("HeadBucket", "403", 403)
    (cause,) = (await scene.look()).causes
    assert cause.statements == ()  # whose the bucket is, nobody said
    assert cause.mend
