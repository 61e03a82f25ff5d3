"""Watch through the command: from a broken policy to the cause, the mend, and the versions there.

The failures are the sandbox's own: its replication engine, its queue and its metrics; jobs are made
by boto3.
"""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Started
from tests.doubles.live_place import (
    DESTINATION_ARN,
    DESTINATION_BUCKET,
    RULE_ID,
    SOURCE_BUCKET,
    LivePlace,
)
from tests.doubles.nursery import Nursery
from tests.doubles.replication_events import message, record
from tests.doubles.waiting import wait_until

KEYS = ("a", "hostile/a b+c%2Fd", "hostile/new\nline", "=1+1", "é/quote\"and'comma,")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of the test's own, in which roles and keys that nobody made do not exist."""
    with Sandbox(seed=7, has_strict_accounts=True) as running:
        yield running


@pytest.fixture
def place(sandbox: Sandbox) -> Iterator[LivePlace]:
    """Live replication whose destination has no bucket policy."""
    made = LivePlace(sandbox=sandbox)
    yield made
    made.close()


@pytest.fixture
def command(sandbox: Sandbox, nursery: Nursery, tmp_path: Path, through: str) -> Command:
    """The command with both accounts' profiles."""
    return make_command(sandbox, nursery, tmp_path, through)


def make_command(sandbox: Sandbox, nursery: Nursery, tmp_path: Path, through: str) -> Command:
    """Make the command, with both accounts' profiles and a client, at work in a folder."""
    profiles = sandbox.write_profiles(tmp_path / "aws")
    names = {"BACKFILL_SOURCE_PROFILE": "source", "BACKFILL_DESTINATION_PROFILE": "destination"}
    return Command(tmp_path, {**profiles, **names, "BACKFILL_CLIENT": through}, nursery)


def look(command: Command, code: int, *words: str) -> dict[str, Any]:
    """Look once and return the document."""
    ended = command.run("watch", SOURCE_BUCKET, "--once", "--json", *words, code=code)
    document: dict[str, Any] = ended.document()
    assert document["exit_code"] == code
    return document


def test_from_a_broken_policy_to_all_versions_at_the_destination(
    place: LivePlace, command: Command
) -> None:
    """If this fails, somebody sees that replication fails and is not told what brings it back."""
    place.put(*KEYS)
    place.pass_minute()
    assert place.arrived() == {}
    found = look(command, 3)
    (cause,) = found["causes"]
    assert (cause["code"], cause["versions"]) == ("DstPutObjectNotPermitted", len(KEYS))
    assert found["rules"][0]["failed_operations"] == len(KEYS)
    assert place.messages() == 0, "what was read is on disk, and gone from the queue"
    # The mend as printed: the statement that belongs into the destination's bucket policy.
    (printed,) = [each for each in cause["statements"] if DESTINATION_ARN in each["document"]]
    assert printed["account_id"] == DESTINATION.account_id
    place.allow(printed["statement"])
    (file,) = found["manifest"]
    job = place.replicate((command.folder / file["file"]).read_bytes(), file["etag"])
    assert job["Status"] == "Complete"
    assert job["ProgressSummary"]["NumberOfTasksFailed"] == 0
    assert place.arrived() == place.versions
    settled = look(command, 0)
    assert (settled["failed_versions"], settled["manifest"]) == (0, [])
    assert (command.folder / file["file"]).read_bytes() == b""


def test_after_the_mend_a_run_brings_over_what_failed(place: LivePlace, command: Command) -> None:
    """If this fails, the way that watch names to people who have no job at hand is none."""
    place.put(*KEYS)
    cause = look(command, 3)["causes"][0]
    (printed,) = [each for each in cause["statements"] if DESTINATION_ARN in each["document"]]
    place.sandbox.clock.offset = timedelta()  # a run looks at the clock
    place.allow(
        printed["statement"],
        {  # the rule replicates delete markers, too, and a run begins with a preflight
            "Effect": "Allow",
            "Principal": {"AWS": place.role_arn},
            "Action": ["s3:ReplicateDelete", "s3:ReplicateTags"],
            "Resource": f"{DESTINATION_ARN}/*",
        },
        {  # what copies need, which a run may make of versions that no job is to carry
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{DESTINATION.account_id}:root"},
            "Action": "s3:*",
            "Resource": [DESTINATION_ARN, f"{DESTINATION_ARN}/*"],
        },
    )
    words = ("--engine", "batch-replication", "--batch-role-arn", place.batch_role_arn)
    quick = command.beside(
        BACKFILL_LIMITS_JOB_POLL_S="0.1",
        BACKFILL_LIMITS_SETTLE_DELAY_S="0.1",
        BACKFILL_LIMITS_REPLICATION_DEADLINE_S="20",
    )
    quick.run(
        *("run", SOURCE_BUCKET, "--run-dir", "again", "--yes", *words),
        *("--batch-bucket", "live-batch", "--batch-manifest", "own"),
        code=0,
    )
    assert place.arrived() == place.versions
    assert look(command, 0)["failed_versions"] == 0


def test_what_setup_made_is_watched_and_what_setup_makes_again_mends(
    sandbox: Sandbox, nursery: Nursery, tmp_path: Path, through: str
) -> None:
    """If this fails, watch does not find the queue that setup has S3 send events to."""
    place = LivePlace(sandbox=sandbox, is_bare=True)
    command = make_command(sandbox, nursery, tmp_path, through)
    apply = (
        *("setup", "apply", "--yes", "--name", "live", "--source-bucket", SOURCE_BUCKET),
        *("--destination-bucket", DESTINATION_BUCKET, "--notify", place.queue_arn),
    )
    command.run(*apply, code=0)
    place.put("before")
    assert place.arrived() == place.versions
    assert look(command, 0)["remarks"] == []
    place.other_s3.delete_bucket_policy(Bucket=DESTINATION_BUCKET)
    place.put(*KEYS)
    found = look(command, 3)
    assert [cause["code"] for cause in found["causes"]] == ["DstPutObjectNotPermitted"]
    assert found["failed_versions"] == len(KEYS)
    command.run(*apply, code=0)
    (file,) = found["manifest"]
    place.replicate((command.folder / file["file"]).read_bytes(), file["etag"])
    assert place.arrived() == place.versions
    place.close()


def test_a_queue_that_setup_makes_is_the_one_that_watch_reads(
    sandbox: Sandbox, nursery: Nursery, tmp_path: Path, through: str
) -> None:
    """If this fails, who has no queue must make one by hand, or watch names no failed version."""
    place = LivePlace(sandbox=sandbox, is_bare=True)
    command = make_command(sandbox, nursery, tmp_path, through)
    (tmp_path / "live.toml").write_text(
        f"""\
name = "live"
source.bucket = "{SOURCE_BUCKET}"
destination.bucket = "{DESTINATION_BUCKET}"
rule.name = "all"

[[notification]]
name = "failures"
queue = "failures"
events = ["failed"]
"""
    )
    for _ in range(2):  # Again it is there, and is not made again.
        command.run("setup", "apply", str(tmp_path / "live.toml"), "--yes", code=0)
    url = place.sqs.get_queue_url(QueueName="failures")["QueueUrl"]
    told = place.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert told["MessageRetentionPeriod"] == "1209600"
    assert place.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"backfill:setup": "live"}
    place.other_s3.delete_bucket_policy(Bucket=DESTINATION_BUCKET)
    place.put(*KEYS)
    found = look(command, 3)
    assert (found["failed_versions"], found["remarks"]) == (len(KEYS), [])
    command.run("setup", "destroy", str(tmp_path / "live.toml"), "--yes", code=0)
    left = place.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert "Policy" not in left.get("Attributes", {}), "the queue stays, and S3 may send no more"
    place.close()


def test_what_arrives_in_time_keeps_up(nursery: Nursery, tmp_path: Path, through: str) -> None:
    """If this fails, healthy replication wakes somebody at night, or what waits is not seen."""
    lag = ReplicationSettings(longest_lag_s=90.0)
    with Sandbox(seed=7, has_strict_accounts=True, replication=lag) as sandbox:
        place = LivePlace(sandbox=sandbox)
        command = make_command(sandbox, nursery, tmp_path, through)
        place.allow(
            {
                "Effect": "Allow",
                "Principal": {"AWS": place.role_arn},
                "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                "Resource": f"{DESTINATION_ARN}/*",
            }
        )
        assert look(command, 0)["verdict"] == "no-data"
        sandbox.clock.fixed = datetime.now(UTC)  # minutes pass when the test says so
        place.put(*KEYS)
        place.pass_minute()
        waiting = look(command, 5)
        assert waiting["verdict"] == "keeps-up"
        assert waiting["rules"][0]["pending_operations"] > 0
        place.pass_minute()
        place.pass_minute()
        assert place.arrived() == place.versions
        found = look(command, 0)
        assert found["verdict"] == "keeps-up"
        assert found["rules"][0]["pending_operations"] == 0
        assert found["manifest"] == []
        place.close()


def test_events_that_come_twice_and_in_any_order_are_one_failure_each(
    nursery: Nursery, tmp_path: Path, through: str
) -> None:
    """If this fails, SQS's promises (at least once, in any order) double a manifest."""
    odd = ReplicationSettings(longest_event_lag_s=20.0, doubled_events=1.0)
    with Sandbox(seed=7, has_strict_accounts=True, replication=odd) as sandbox:
        place = LivePlace(sandbox=sandbox)
        command = make_command(sandbox, nursery, tmp_path, through)
        place.put(*(f"{number:02d}" for number in range(30)))
        place.pass_minute()
        found = look(command, 3)
        assert found["queues"]["messages"] > 60
        assert (found["failed_versions"], found["queues"]["new_words"]) == (30, 30)
        (file,) = found["manifest"]
        rows = (command.folder / file["file"]).read_text().splitlines()
        assert rows == [
            f"{SOURCE_BUCKET},{key},{place.versions[key]}" for key in sorted(place.versions)
        ]
        place.close()


def test_a_queue_behind_a_topic_is_read_when_it_is_named(
    place: LivePlace, command: Command
) -> None:
    """If this fails, people whose events go to several readers cannot watch."""
    place.put_topic_between()
    place.put(*KEYS)
    unnamed = look(command, 0)
    assert any(":sns:" in remark for remark in unnamed["remarks"])
    assert look(command, 3, "--queue", place.queue_arn)["failed_versions"] == len(KEYS)


def test_a_rule_without_metrics_says_how_to_switch_them_on(
    place: LivePlace, command: Command
) -> None:
    """If this fails, failures that S3 tells nobody look like health."""
    place.put_rule(has_metrics=False)
    place.put("a")
    found = look(command, 5)
    assert found["verdict"] == "cannot-tell"
    assert '"Metrics": {"Status": "Enabled"}' in found["rules"][0]["sentence"]


def test_what_others_sent_to_the_queue_stays_there(place: LivePlace, command: Command) -> None:
    """If this fails, watching one bucket loses another one's events."""
    place.sqs.send_message(QueueUrl=place.queue_url, MessageBody=message(record("x")))
    found = look(command, 0)
    assert found["queues"]["left"] == {"it is of another bucket": 1}
    place.sandbox.clock.offset += timedelta(seconds=2)  # the queue's visibility time-out
    assert place.messages() == 1


def test_a_manifest_can_be_written_elsewhere(place: LivePlace, command: Command) -> None:
    """If this fails, a job that expects its manifest somewhere must be changed."""
    place.put("a")
    name = str(command.folder / "failed.csv")
    found = look(command, 3, "--manifest", name)
    assert [file["file"] for file in found["manifest"]] == [name]
    rows = Path(name).read_text()
    assert rows == f"{SOURCE_BUCKET},a,{place.versions['a']}\n"
    assert json.loads(Path(f"{name}.index.json").read_text())["rows"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_watch_with_a_summary(
    place: LivePlace, command: Command, number: int, code: int
) -> None:
    """If this fails, Ctrl-C ends in a traceback, or nobody knows what was seen."""
    place.put("a")
    started = command.start("watch", SOURCE_BUCKET, "--every", "1", "--json")
    wait_for_looks(started, 2)
    started.send(number)
    ended = started.end()
    assert ended.code == code
    looks = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {look["schema"] for look in looks} == {"backfill.watch/1"}
    assert {event["event"] for event in ended.events} >= {"watch.looked", "watch.failures_noted"}
    assert "1 failed and did not arrive since; repair manifest" in "\n".join(ended.complaint)


def test_a_watch_that_is_killed_goes_on_where_it_was(place: LivePlace, command: Command) -> None:
    """If this fails, what a dead watch had read from the queue is lost."""
    place.put("a")
    started = command.start("watch", SOURCE_BUCKET, "--every", "1", "--json")
    wait_for_looks(started, 1)
    started.send(signal.SIGKILL)
    assert started.end().code == -signal.SIGKILL
    place.put("b")
    found = look(command, 3)
    assert found["failed_versions"] == 2
    assert found["queues"]["new_words"] == 1


def test_two_watches_do_not_share_a_directory_but_a_run_may(
    place: LivePlace, command: Command
) -> None:
    """If this fails, two watches write one ledger, or a watch keeps runs out for weeks."""
    assert place.versions == {}, "there is nothing to wait for"
    started = command.start("watch", SOURCE_BUCKET, "--every", "60", "--json")
    wait_for_looks(started, 1)
    command.run("watch", SOURCE_BUCKET, "--once", code=11)
    command.run("plan", SOURCE_BUCKET, code=0)
    started.send(signal.SIGINT)
    assert started.end().code == 130


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("--queue", "live-events"), 2, "no ARN of an SQS queue"),
        (("--manifest", "no/such/folder/failed.csv"), 2, "cannot be written"),
        (("--every", "0"), 2, "at least a second"),
        (("--source-profile", "nobody"), 12, "nobody"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    place: LivePlace, command: Command, words: tuple[str, ...], code: int, complaint: str
) -> None:
    """If this fails, a slip of the finger ends in a bug report."""
    assert place.queue_arn
    pace = () if "--every" in words else ("--once",)
    ended = command.run("watch", SOURCE_BUCKET, *pace, *words, code=code)
    assert complaint in "\n".join(ended.complaint)


def test_a_bucket_without_replication_is_refused(place: LivePlace, command: Command) -> None:
    """If this fails, a bucket that replicates nothing seems to keep up."""
    place.s3.delete_bucket_replication(Bucket=SOURCE_BUCKET)
    ended = command.run("watch", SOURCE_BUCKET, "--once", code=10)
    assert "no replication configuration" in "\n".join(ended.complaint)


def test_a_person_reads_cause_and_mend(place: LivePlace, command: Command) -> None:
    """If this fails, a terminal shows less than the JSON."""
    place.put(*KEYS)
    text = " ".join(command.run("watch", SOURCE_BUCKET, "--once", code=3).stdout.split())
    for words in (
        f"{SOURCE_BUCKET} ({SOURCE.region}, account {SOURCE.account_id})",
        f"rule {RULE_ID} to {DESTINATION_BUCKET} ({DESTINATION.region})",
        f"{len(KEYS)} x DstPutObjectNotPermitted",
        "s3:ReplicateObject",
        f"repair manifest: backfill-{SOURCE_BUCKET}/watch/manifest/0000.csv",
        "zero pending is not proof of parity",
    ):
        assert words in text


def wait_for_looks(started: Started, number: int) -> None:
    """Wait until so many looks were printed."""
    wait_until(
        lambda: len(started.stdout.read_text().splitlines()) >= number,
        f"{number} looks",
        is_over=started.has_ended,
    )
