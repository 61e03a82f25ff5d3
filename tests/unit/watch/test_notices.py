"""What is read of S3's event notifications, and what is left alone."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.watch.notices import RECORDS_MAX, Word, moment_of, reading_of
from tests.doubles.replication_events import (
    DESTINATION,
    SOURCE,
    by_topic,
    message,
    record,
    trial_event,
)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(
    lambda key: len(key.encode()) <= 1024
)
VERSION_IDS = st.from_regex(r"[A-Za-z0-9._~-]{1,64}", fullmatch=True)
HOSTILE = ["a b+c%2Fd%", "a//../b", "=cmd|' /C'!A0", "line\nend\r\x00\x1b[31m", "\u202e\ufffe", "é"]


@given(key=KEYS, version_id=VERSION_IDS, word=st.sampled_from(Word), wraps=st.integers(0, 3))
def test_an_event_is_read_as_it_was_written(
    key: str, version_id: str, word: Word, wraps: int
) -> None:
    """If this fails, a version is repaired that did not fail, and the one that did is not."""
    body = message(record(key, version_id, event=f"Replication:{word}"))
    for _ in range(wraps):
        body = by_topic(body)
    reading = reading_of(body, bucket=SOURCE)
    (notice,) = reading.notices
    assert reading.is_ours
    assert (notice.word, notice.key, notice.version_id) == (word, key, version_id)
    assert (notice.rule_id, notice.destination_bucket) == ("everything", DESTINATION)
    assert (notice.reason, notice.operation) == ("DstPutObjectNotPermitted", "OBJECT_PUT")


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_come_through_unharmed(key: str) -> None:
    """If this fails, a plus becomes a space or a percent sign swallows what follows it."""
    (notice,) = reading_of(message(record(key)), bucket=SOURCE).notices
    assert notice.key == key


def test_several_records_are_several_notices() -> None:
    """If this fails, only the first of the failures in a message is known."""
    body = message(record("a"), record("b", event="s3:Replication:OperationMissedThreshold"))
    reading = reading_of(body, bucket=SOURCE)
    assert [(n.key, n.word) for n in reading.notices] == [("a", Word.FAILED), ("b", Word.LATE)]


def test_a_version_without_an_id_is_the_null_version() -> None:
    """If this fails, a version that stood before versioning is not brought over."""
    (notice,) = reading_of(message(record("a", None)), bucket=SOURCE).notices
    assert notice.version_id == "null"


def test_a_failure_without_its_rule_is_a_failure() -> None:
    """If this fails, an event that tells less than usual loses a failed version."""
    bare = record("a")
    del bare["replicationEventData"]
    reading = reading_of(message(bare), bucket=SOURCE)
    assert reading.is_ours
    assert [(n.key, n.rule_id, n.reason) for n in reading.notices] == [("a", "", "")]


def test_a_test_event_is_ours_and_says_nothing() -> None:
    """If this fails, the message that S3 sends first stays in the queue for ever."""
    reading = reading_of(trial_event(), bucket=SOURCE)
    assert reading.is_ours
    assert not reading.notices
    assert not reading_of(trial_event("another"), bucket=SOURCE).is_ours


def broken(**changes: object) -> str:
    item = record("a")
    s3 = item["s3"]
    assert isinstance(s3, dict)
    s3["object"] = {**s3["object"], **changes}
    return message(item)


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        ("", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("9" * 5000, "it is no JSON"),
        ("[]", "it is no event notification of S3"),
        ('{"Records": []}', "it is no event notification of S3"),
        ('{"Records": [7]}', "it is no event record"),
        (json.dumps({"Records": [{}]}), "it is no event record of S3"),
        (json.dumps({"Type": "SubscriptionConfirmation"}), "SNS asks to confirm"),
        (json.dumps({"Type": "UnsubscribeConfirmation"}), "SNS asks to confirm"),
        (json.dumps({"Type": "Notification", "Message": 7}), "it is no event notification of S3"),
        (
            json.dumps({"Type": "Other", "Message": message(record("a"))}),
            "it is no event notification of S3",
        ),
        ('{"Type": ["Notification"]}', "it is no event notification of S3"),
        ('{"Type": {"a": 1}, "Message": "{}"}', "it is no event notification of S3"),
        (by_topic(by_topic(by_topic(by_topic("{}")))), "too many envelopes"),
        (message(record("a", bucket="another")), "it is of another bucket"),
        (message(record("a", event="ObjectCreated:Put")), "of another kind than replication"),
        (message(record("a", at="yesterday")), "its time cannot be read"),
        (broken(key="%FF"), "its key is no UTF-8"),
        (broken(key="\ud800"), "its key is no UTF-8"),
        (broken(key="k" * 1025), "its key is too long"),
        (broken(key=""), "it names no key"),
        (broken(versionId="a,b"), "its version ID is none"),
    ],
)
def test_what_cannot_be_read_is_remarked_upon_and_not_ours(body: str, remark: str) -> None:
    """If this fails, a message of somebody else, or one that means a failure, is deleted."""
    reading = reading_of(body, bucket=SOURCE)
    assert not reading.is_ours
    assert not reading.notices
    assert remark in reading.remarks[0]


def test_a_message_with_others_records_is_read_and_left() -> None:
    """If this fails, a queue that somebody else reads, too, loses their events, or we ours."""
    body = message(record("a"), record("b", event="ObjectCreated:Put"))
    reading = reading_of(body, bucket=SOURCE)
    assert [n.key for n in reading.notices] == ["a"]
    assert not reading.is_ours


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_message_ends_the_watch(body: str) -> None:
    """If this fails, one odd message in the queue stops everything behind it."""
    assert reading_of(body, bucket=SOURCE).is_ours is False


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*record("a"), "object", "key", "name"]), inner)
        ),
        max_leaves=20,
    )
)
def test_no_record_ends_the_watch(odd: object) -> None:
    """If this fails, an event of another shape than documented stops the watch."""
    reading = reading_of(json.dumps({"Records": [{**record("a"), "s3": odd}, odd]}), bucket=SOURCE)
    assert not reading.is_ours


def test_moments_are_ordered_by_time_and_then_by_sequencer() -> None:
    """If this fails, an older word about a version is taken for its newest."""
    early = datetime(2026, 11, 23, 3, tzinfo=UTC)
    west = timezone(timedelta(hours=-5))
    assert moment_of(early, "FF") < moment_of(early + timedelta(microseconds=1), "00")
    assert moment_of(early, "0A") < moment_of(early, "0a1")
    assert moment_of(early, "0A") == moment_of(early.astimezone(west), "0a000")
    assert moment_of(early) < moment_of(early, "01")


def told(**data: object) -> str:
    """Return an event whose replication data are these beside those that S3 sends."""
    item = record("a")
    held = item["replicationEventData"]
    assert isinstance(held, dict)
    item["replicationEventData"] = {**held, **data}
    return message(item)


@pytest.mark.parametrize(
    ("given", "bucket"),
    [
        ("arn:aws:s3:::replicas", "replicas"),
        ("arn:aws-cn:s3:::replicas.eu", "replicas.eu"),
        ("replicas", "replicas"),
        ("re/plicas", ""),
        ("ab", ""),
        ("arn:aws:s3:::", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_destination_is_named_by_its_arn_or_its_name(given: object, bucket: str) -> None:
    """If this fails, failures are counted for a bucket that is called by its ARN, or hides."""
    (notice,) = reading_of(told(destinationBucket=given), bucket=SOURCE).notices
    assert notice.destination_bucket == bucket


@pytest.mark.parametrize(
    ("sequencer", "after"),
    [("0055aed6dcd9028100", "0055AED6DCD90281"), ("f", "F"), ("", ""), ("odd", ""), (7, "")],
)
def test_a_sequencer_parts_events_of_one_time(sequencer: object, after: str) -> None:
    """If this fails, which of two events of one moment is the newer is a matter of luck."""
    item = record("a")
    s3 = item["s3"]
    assert isinstance(s3, dict)
    s3["object"] = {**s3["object"], "sequencer": sequencer}
    (notice,) = reading_of(message(item), bucket=SOURCE).notices
    assert notice.moment.partition(" ")[2] == after


def test_a_message_holds_at_most_so_many_records() -> None:
    """If this fails, one message of a stranger takes all memory, or a full one is left."""
    most = [record(f"k{number}") for number in range(RECORDS_MAX)]
    assert len(reading_of(message(*most), bucket=SOURCE).notices) == RECORDS_MAX
    more = reading_of(message(*most, record("one-more")), bucket=SOURCE)
    assert more.remarks == ("it is no event notification of S3",)


@pytest.mark.parametrize(
    ("text", "kept"), [("x" * 255, "x" * 255), ("x" * 256, "x" * 255), ("\ud800", "?"), (7, "")]
)
def test_words_of_s3_are_bounded_and_can_be_stored(text: object, kept: str) -> None:
    """If this fails, a word of a stranger ends the ledger."""
    body = told(replicationRuleId=text, failureReason=text, s3Operation=text)
    (notice,) = reading_of(body, bucket=SOURCE).notices
    assert (notice.rule_id, notice.reason, notice.operation) == (kept, kept, kept)


@pytest.mark.parametrize(
    ("key", "is_read"), [("k" * 1024, True), ("k" * 1025, False), ("é" * 512, True)]
)
def test_a_key_is_at_most_1024_bytes(key: str, *, is_read: bool) -> None:
    """If this fails, a version with the longest key that there can be is not repaired."""
    assert bool(reading_of(message(record(key)), bucket=SOURCE).notices) is is_read


def test_equal_remarks_are_said_once_and_read_records_stay() -> None:
    """If this fails, a queue of another bucket fills the terminal."""
    body = message(record("a", bucket="another"), record("b"), record("c", bucket="another"))
    reading = reading_of(body, bucket=SOURCE)
    assert reading.remarks == ("it is of another bucket",)
    assert [notice.key for notice in reading.notices] == ["b"]
    assert not reading.is_ours


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2026-11-23T03:30:00.000Z", "2026-11-23T03:30:00.000000"),
        ("2026-11-23T03:30:00", "2026-11-23T03:30:00.000000"),
        ("2026-11-23T03:30:00+01:00", "2026-11-23T02:30:00.000000"),
    ],
)
def test_times_are_compared_in_utc(at: str, moment: str) -> None:
    """If this fails, an event of another zone is taken for a later one."""
    (notice,) = reading_of(message(record("a", at=at)), bucket=SOURCE).notices
    assert notice.moment.partition(" ")[0] == moment
