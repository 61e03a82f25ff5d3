"""Which queues are read, and what a person is told of those that are not, or not whole."""

import pytest

from backfill.watch.event_queues import NO_QUEUE, EventQueues, event_queues_of, is_queue

QUEUE = "arn:aws:sqs:us-east-1:111111111111:q"
OTHER = "arn:aws:sqs:us-east-1:111111111111:r"
TOPIC = "arn:aws:sns:us-east-1:111111111111:t"
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
FAILED, MISSED = (f"s3:Replication:Operation{each}" for each in ("FailedReplication", "NotTracked"))
NO_FAILURES = f"no queue receives {FAILED}: failed versions are not named"


def to(arn: str, *events: str, **more: object) -> dict[str, object]:
    return {"QueueArn": arn, "Events": list(events), **more}


@pytest.mark.parametrize(
    ("queues", "arns", "remarks"),
    [
        ([to(QUEUE, FAILED)], (QUEUE,), ()),
        ([to(QUEUE, "s3:Replication:*")], (QUEUE,), ()),
        ([to(QUEUE, MISSED)], (QUEUE,), (NO_FAILURES,)),
        ([to(QUEUE, MISSED), to(OTHER, FAILED), to(QUEUE, FAILED)], (QUEUE, OTHER), ()),
        ([to(OTHER, FAILED), to(QUEUE, MISSED)], (OTHER, QUEUE), ()),
        ([to(QUEUE, "s3:ObjectCreated:*")], (), (NO_QUEUE,)),
        ([to("", FAILED)], (), (NO_QUEUE,)),
        (
            [to(QUEUE, FAILED, Filter={"Key": {}})],
            (QUEUE,),
            (f"only events of some keys go to {QUEUE}: its notification has a filter",),
        ),
        (["odd", {"QueueArn": QUEUE, "Events": FAILED}, to(OTHER, FAILED)], (OTHER,), ()),
        ("odd", (), (NO_QUEUE,)),
        ([{"QueueArn": QUEUE, "Events": 7}, to(OTHER, FAILED)], (OTHER,), ()),
    ],
)
def test_queues_with_replication_events_are_read(
    queues: object, arns: tuple[str, ...], remarks: tuple[str, ...]
) -> None:
    """If this fails, failed versions wait in a queue that nobody reads, or nobody says so."""
    found = event_queues_of({"QueueConfigurations": queues})
    assert found == EventQueues(arns=arns, remarks=remarks)


def test_what_goes_to_topics_and_functions_is_said_once_each() -> None:
    """If this fails, a person looks for failures where they were never sent."""
    found = event_queues_of(
        {
            "QueueConfigurations": [to(QUEUE, FAILED)],
            "TopicConfigurations": [{"TopicArn": TOPIC, "Events": [FAILED]}] * 2,
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": FUNCTION, "Events": [FAILED]},
                {"LambdaFunctionArn": TOPIC, "Events": ["s3:ObjectCreated:*"]},
            ],
        }
    )
    assert found.arns == (QUEUE,)
    assert found.remarks == tuple(
        f"replication events go to {arn}, too, which cannot be read" for arn in (TOPIC, FUNCTION)
    )
    assert event_queues_of(None) == EventQueues(remarks=(NO_QUEUE,))


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (QUEUE, True),
        ("arn:aws-cn:sqs:cn-north-1:111111111111:q", True),
        (TOPIC, False),
        (FUNCTION, False),
        (f"{QUEUE}:more", False),
        ("arn:aws:sqs:us-east-1:111111111111", False),
        ("arn:aws:sqs::111111111111:q", False),
        ("urn:aws:sqs:us-east-1:111111111111:q", False),
        ("", False),
    ],
)
def test_a_queue_is_known_by_its_arn(arn: str, *, expected: bool) -> None:
    """If this fails, --queue takes a name that SQS cannot find."""
    assert is_queue(arn) is expected
