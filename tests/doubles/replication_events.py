"""S3's replication events, written as S3 writes them, by a writer of its own.

Nothing here is shared with what reads them; keys are form-encoded by urllib, as S3's are.
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus

SOURCE = "amzn-source"
DESTINATION = "amzn-replicas"
QUEUE = "arn:aws:sqs:us-east-1:111111111111:replication-events"
FAILED = "Replication:OperationFailedReplication"


def record(
    key: str,
    version_id: str | None = "3HL4kqtJlcpXroDTDmJ",
    *,
    event: str = FAILED,
    reason: str | None = "DstPutObjectNotPermitted",
    rule: str = "everything",
    bucket: str = SOURCE,
    destination: str = DESTINATION,
    at: str = "2026-11-23T03:10:00.000Z",
    sequencer: str = "0066DA1CBF104C0D51",
) -> dict[str, object]:
    """Return one record of a notification (S3 User Guide: replication-metrics-events)."""
    data = {
        "replicationRuleId": rule,
        "destinationBucket": f"arn:aws:s3:::{destination}",
        "s3Operation": "OBJECT_PUT",
        "requestTime": at,
    }
    item = {
        "key": quote_plus(key, safe="/"),
        "size": 520080,
        "eTag": "e12345ca7e88a38428305d3ff7fcb99f",
        "sequencer": sequencer,
    }
    return {
        "eventVersion": "2.2",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": at,
        "eventName": event,
        "userIdentity": {"principalId": "s3.amazonaws.com"},
        "requestParameters": {"sourceIPAddress": "s3.amazonaws.com"},
        "responseElements": {"x-amz-request-id": "123bf045", "x-amz-id-2": "12VAWNDIHnwJ"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "replication",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "111111111111"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": item if version_id is None else {**item, "versionId": version_id},
        },
        "replicationEventData": data if reason is None else {**data, "failureReason": reason},
    }


def message(*records: Mapping[str, object]) -> str:
    """Return the body of a notification."""
    return json.dumps({"Records": list(records)})


def by_topic(body: str) -> str:
    """Return what SQS gets of a topic without raw message delivery."""
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92",
        "TopicArn": "arn:aws:sns:us-east-1:111111111111:events",
        "Subject": "Amazon S3 Notification",
        "Message": body,
        "Timestamp": "2026-11-23T03:10:01.000Z",
    }
    return json.dumps(envelope)


def trial_event(bucket: str = SOURCE) -> str:
    """Return what S3 sends when a notification configuration is put."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": "2026-11-23T03:00:00.000Z",
            "Bucket": bucket,
            "RequestId": "5582815E1AEA5ADF",
            "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
        }
    )


def failures(*keys: str) -> Sequence[str]:
    """Return a message for each key, of one version that failed."""
    return [message(record(key)) for key in keys]
