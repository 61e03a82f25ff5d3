"""Events of replication: which, when, to whom, and what they say."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import pytest

from backfill.sandbox.model.documents.notification import put_notification
from backfill.sandbox.model.operations.documents import PutNotificationRequest
from tests.unit.sandbox.model.replicating import (
    LAG_S,
    MARKERS,
    NEAR,
    OWN,
    SOURCE,
    Theatre,
    destination,
    rule,
)

MINUTE = 60.0
QUEUE = f"arn:aws:sqs:us-east-1:{OWN}:events"
METRICS = "<Metrics><Status>Enabled</Status></Metrics>"
TIMED = (
    "<ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>"
    "<Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold>"
    "</Metrics>"
)


class Listening(Theatre):
    """The theatre with a queue that hears everything of replication."""

    def __init__(self, more: str = METRICS, where: str = "", lag_s: float = LAG_S) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.model.world.notify = lambda _arn, body: self.messages.append(body)
        self.listen(where)
        self.messages.clear()
        self.configure(rule(markers=MARKERS, to=destination(more=more)))
        self.lag(lag_s)

    def lag(self, seconds: float) -> None:
        settings = self.model.replication.settings
        self.model.replication.settings = replace(
            settings, shortest_lag_s=seconds, longest_lag_s=seconds
        )

    def listen(self, where: str = "") -> None:
        document = (
            f"<NotificationConfiguration><QueueConfiguration><Id>here</Id><Queue>{QUEUE}</Queue>"
            f"<Event>s3:Replication:*</Event>{where}</QueueConfiguration>"
            "</NotificationConfiguration>"
        )
        request = PutNotificationRequest(bucket=SOURCE, document=document)
        put_notification(self.model.world, self.own, request)

    def records(self) -> list[dict[str, Any]]:
        found = [record for body in self.messages for record in json.loads(body)["Records"]]
        self.messages.clear()
        return found

    def names(self) -> list[str]:
        return [one["eventName"].removeprefix("Replication:") for one in self.records()]


def test_a_failure_says_what_s3_says_of_it() -> None:
    """If this fails, the reader of the queue is never tried on the real shape of an event."""
    theatre = Listening()
    theatre.version(NEAR, "Suspended")
    version_id = theatre.put("a b/+%ä", body=b"12345")
    theatre.wait()
    (record,) = theatre.records()
    assert record["eventVersion"] == "2.2"
    assert record["eventName"] == "Replication:OperationFailedReplication"
    assert record["eventTime"] == "2026-01-01T00:00:11.000Z"
    assert record["awsRegion"] == "us-east-1"
    bucket, item = record["s3"]["bucket"], record["s3"]["object"]
    assert record["s3"]["configurationId"] == "here"
    assert (bucket["name"], bucket["arn"]) == (SOURCE, f"arn:aws:s3:::{SOURCE}")
    assert item["key"] == "a+b/%2B%25%C3%A4"
    assert unquote_plus(item["key"]) == "a b/+%ä"
    assert (item["versionId"], item["size"]) == (version_id, 5)
    assert int(item["sequencer"], 16) > 0
    assert record["replicationEventData"] == {
        "replicationRuleId": "r",
        "destinationBucket": f"arn:aws:s3:::{NEAR}",
        "s3Operation": "OBJECT_PUT",
        "requestTime": "2026-01-01T00:00:01.000Z",
        "failureReason": "DstBucketUnversioned",
    }


def test_a_marker_that_fails_has_no_size() -> None:
    """If this fails, a delete marker's event has another shape than AWS's."""
    theatre = Listening()
    theatre.put()
    theatre.wait()
    theatre.denied.add("s3:ReplicateDelete")
    theatre.delete()
    theatre.wait()
    (record,) = theatre.records()
    assert record["replicationEventData"]["failureReason"] == "DstDelObjNotPermitted"
    assert set(record["s3"]["object"]) == {"key", "versionId", "sequencer"}


@pytest.mark.parametrize(("more", "count"), [("", 0), (METRICS, 1), (TIMED, 1)])
def test_failures_are_told_only_by_rules_with_metrics(more: str, count: int) -> None:
    """If this fails, a set-up without metrics seems to tell of failures."""
    theatre = Listening(more)
    theatre.version(NEAR, "Suspended")
    theatre.put()
    theatre.wait()
    assert len(theatre.records()) == count


FILTER = (
    "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>a/</Value></FilterRule>"
    "<FilterRule><Name>suffix</Name><Value>.x</Value></FilterRule></S3Key></Filter>"
)


def test_prefix_and_suffix_decide_which_keys_are_told() -> None:
    """If this fails, a filter of a notification does nothing here."""
    theatre = Listening(where=FILTER)
    theatre.version(NEAR, "Suspended")
    for key in ("a/1.x", "a/1.y", "b/1.x"):
        theatre.put(key)
    theatre.wait()
    assert [record["s3"]["object"]["key"] for record in theatre.records()] == ["a/1.x"]


@pytest.mark.parametrize(
    ("lag_s", "waits", "told"),
    [
        (10 * MINUTE, (15 * MINUTE + 1,), [[]]),
        (
            20 * MINUTE,
            (14 * MINUTE, 2 * MINUTE, 5 * MINUTE),
            [[], ["OperationMissedThreshold"], ["OperationReplicatedAfterThreshold"]],
        ),
        (
            20 * MINUTE,
            (60 * MINUTE,),
            [["OperationMissedThreshold", "OperationReplicatedAfterThreshold"]],
        ),
    ],
)
def test_replication_time_control_tells_what_is_late(
    lag_s: float, waits: tuple[float, ...], told: list[list[str]]
) -> None:
    """If this fails, a threshold is missed in silence, or told of what was in time."""
    theatre = Listening(TIMED, lag_s=lag_s)
    theatre.put()
    heard = []
    for seconds in waits:
        theatre.wait(seconds)
        heard.append(theatre.names())
    assert heard == told
    assert theatre.status() == "COMPLETED"


def test_a_late_arrival_says_how_long_it_took() -> None:
    """If this fails, the event of a late arrival lacks what it is about."""
    theatre = Listening(TIMED, lag_s=20 * MINUTE)
    theatre.put()
    theatre.wait(60 * MINUTE)
    missed, late = (record["replicationEventData"] for record in theatre.records())
    assert missed["threshold"] == late["threshold"] == "900"
    assert late["replicationTime"] == "1200"


def test_without_time_control_nothing_is_late() -> None:
    """If this fails, RTC's events come from rules that never asked for them."""
    theatre = Listening(METRICS, lag_s=20 * MINUTE)
    theatre.put()
    theatre.wait(60 * MINUTE)
    assert theatre.names() == []


def test_what_is_late_and_then_fails_is_told_as_a_failure() -> None:
    """If this fails, a late failure looks like a late arrival."""
    theatre = Listening(TIMED, lag_s=20 * MINUTE)
    theatre.put()
    theatre.version(NEAR, "Suspended")
    theatre.wait(60 * MINUTE)
    assert theatre.names() == ["OperationMissedThreshold", "OperationFailedReplication"]


def test_what_is_removed_or_loses_its_rule_is_not_tracked_any_more() -> None:
    """If this fails, OperationNotTracked is never met before AWS."""
    theatre = Listening(TIMED)
    version_id = theatre.put("removed")
    theatre.put("unruled")
    theatre.delete("removed", version_id)
    theatre.configure(rule(markers=MARKERS, to=destination(more=METRICS)))
    theatre.wait()
    assert theatre.names() == ["OperationNotTracked", "OperationNotTracked"]
    assert theatre.status("unruled") == "COMPLETED"


def test_events_may_come_late_unordered_and_twice() -> None:
    """If this fails, a reader that trusts order or single delivery passes here."""
    theatre = Listening()
    settings = theatre.model.replication.settings
    theatre.model.replication.settings = replace(
        settings, longest_event_lag_s=100.0, doubled_events=1.0
    )
    theatre.version(NEAR, "Suspended")
    keys = [f"{number:02}" for number in range(20)]
    for key in keys:
        theatre.put(key)
    theatre.wait()
    early = theatre.records()
    theatre.wait(200)
    heard = [record["s3"]["object"]["key"] for record in early + theatre.records()]
    assert len(early) < 40
    assert sorted(heard) == sorted(keys * 2)
    assert heard != sorted(heard)


def test_a_bucket_without_notifications_tells_nobody() -> None:
    """If this fails, events reach those who were never asked to hear them."""
    theatre = Listening()
    theatre.model.world.buckets[SOURCE].notifications = None
    theatre.version(NEAR, "Suspended")
    theatre.put()
    theatre.wait()
    assert theatre.records() == []
