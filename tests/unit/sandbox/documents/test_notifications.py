"""PutBucketNotificationConfiguration refuses what S3 refuses, as a whole."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backfill.sandbox.model.notifications.rules import Notification
from tests.unit.sandbox.documents.conftest import Place, code_of

QUEUE = "arn:aws:sqs:us-east-1:111111111111:events"
OTHER_QUEUE = "arn:aws:sqs:us-east-1:111111111111:others"
TOPIC = "arn:aws:sns:us-east-1:111111111111:events"
FAILED = "s3:Replication:OperationFailedReplication"


def queue(arn: str = QUEUE, *events: str, **more: object) -> dict[str, object]:
    return {"QueueArn": arn, "Events": list(events or (FAILED,)), **more}


def where(**rules: str) -> dict[str, object]:
    named = [{"Name": name, "Value": value} for name, value in rules.items()]
    return {"Key": {"FilterRules": named}}


def put(place: Place, *queues: dict[str, object], **more: Any) -> None:
    configuration = {"QueueConfigurations": list(queues), **more.pop("beside", {})}
    place.own.put_bucket_notification_configuration(
        Bucket=place.bucket, NotificationConfiguration=configuration, **more
    )


REFUSED: dict[str, list[dict[str, object]]] = {
    "no ARN": [queue("events")],
    "an ARN of another service": [queue(TOPIC)],
    "another Region": [queue(QUEUE.replace("us-east-1", "eu-west-1"))],
    "a FIFO queue": [queue(QUEUE + ".fifo")],
    "an event that is none": [queue(QUEUE, "s3:Replication:Failed")],
    "another name in a filter": [queue(Filter=where(middle="x"))],
    "two prefixes": [
        queue(
            Filter={
                "Key": {
                    "FilterRules": [
                        {"Name": "prefix", "Value": "a"},
                        {"Name": "Prefix", "Value": "b"},
                    ]
                }
            }
        )
    ],
    "one ID twice": [
        queue(Id="same", Filter=where(prefix="a")),
        queue(Id="same", Filter=where(prefix="b")),
    ],
    "one event twice": [queue(), queue(OTHER_QUEUE)],
    "an event and its group": [queue(), queue(OTHER_QUEUE, "s3:Replication:*")],
    "filters that some key passes both": [
        queue(Filter=where(prefix="a", suffix=".x")),
        queue(OTHER_QUEUE, Filter=where(prefix="a/b")),
    ],
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_s3_refuses_changes_nothing(place: Place, case: str) -> None:
    """If this fails, setup writes a configuration here that AWS refuses."""
    put(place, queue(Id="before"))
    assert code_of(lambda: put(place, *REFUSED[case])) == (400, "InvalidArgument")
    kept = place.own.get_bucket_notification_configuration(Bucket=place.bucket)
    assert [one["Id"] for one in kept["QueueConfigurations"]] == ["before"]


def test_configurations_that_share_no_key_or_no_event_go_together(place: Place) -> None:
    """If this fails, sound configurations of several owners are refused."""
    put(
        place,
        queue(Filter=where(prefix="a/")),
        queue(Filter=where(prefix="b/", suffix=".x")),
        queue(OTHER_QUEUE, "s3:Replication:OperationNotTracked", Filter=where(suffix=".y")),
    )
    found = place.own.get_bucket_notification_configuration(Bucket=place.bucket)
    assert all(one["Id"] for one in found["QueueConfigurations"])
    assert len(found["QueueConfigurations"]) == 3


def test_more_than_a_hundred_are_too_many(place: Place) -> None:
    """If this fails, the limit is first met on AWS."""
    many = [queue(Filter=where(prefix=f"{number:03}/")) for number in range(101)]
    put(place, *many[:100])
    assert code_of(lambda: put(place, *many))[0] == 400


def test_one_destination_that_refuses_refuses_the_whole_configuration(place: Place) -> None:
    """If this fails, a queue policy that is put too late goes unnoticed until AWS."""
    flaw = "Permissions on the destination queue do not allow S3 to publish notifications"
    place.flaws[OTHER_QUEUE] = flaw
    with pytest.raises(ClientError, match="Unable to validate the following destination") as error:
        put(place, queue(), queue(OTHER_QUEUE, "s3:ObjectTagging:Put"))
    told: dict[str, Any] = dict(error.value.response["Error"])
    assert (told["ArgumentName"], told["ArgumentValue"]) == (OTHER_QUEUE, flaw)
    kept = place.own.get_bucket_notification_configuration(Bucket=place.bucket)
    assert "QueueConfigurations" not in kept
    put(place, queue(OTHER_QUEUE), SkipDestinationValidation=True)


def test_every_queue_and_topic_gets_the_test_event_at_every_put(place: Place) -> None:
    """If this fails, the reader of the queue never meets S3's test message."""
    put(place, queue(Filter=where(prefix="a")), queue(Filter=where(prefix="b")))
    topic = {"TopicArn": TOPIC, "Events": ["s3:ObjectTagging:*"]}
    put(place, queue(), beside={"TopicConfigurations": [topic]})
    assert sorted(arn for arn, _ in place.told) == [TOPIC, QUEUE, QUEUE]
    message = json.loads(place.told[0][1])
    assert (message["Event"], message["Bucket"]) == ("s3:TestEvent", place.bucket)
    assert set(message) == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}
    place.told.clear()
    put(place, queue(), SkipDestinationValidation=True)
    assert place.told == []


@pytest.mark.parametrize(
    ("events", "event", "key", "is_wanted"),
    [
        ((FAILED,), FAILED, "a/k.x", True),
        (("s3:Replication:*",), FAILED, "a/k.x", True),
        (("s3:Replication:OperationNotTracked",), FAILED, "a/k.x", False),
        ((FAILED,), FAILED, "b/k.x", False),
        ((FAILED,), FAILED, "a/k.y", False),
        ((FAILED,), FAILED, "a/.x", True),
    ],
)
def test_events_and_keys_decide_what_is_sent(
    events: tuple[str, ...], event: str, key: str, is_wanted: bool
) -> None:
    """If this fails, events go to nobody or to everybody."""
    one = Notification(
        configuration_id="i", destination_arn=QUEUE, events=events, prefix="a/", suffix=".x"
    )
    assert one.wants(event, key) is is_wanted
