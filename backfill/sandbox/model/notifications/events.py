"""The JSON of an event of replication, as S3 publishes it (UG: notification-content-structure).

Never decides who gets it.
Law: the key is encoded as a form encodes it, and a marker has neither size nor ETag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.versions import Entry, ObjectVersion

FAILED = "s3:Replication:OperationFailedReplication"
MISSED = "s3:Replication:OperationMissedThreshold"
LATE = "s3:Replication:OperationReplicatedAfterThreshold"
NOT_TRACKED = "s3:Replication:OperationNotTracked"

_S3 = "s3.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationEvent:
    """What happened to a version on its way by a rule."""

    event: str
    """As configurations name it."""
    bucket: Bucket
    entry: Entry
    rule_id: str
    destination_bucket: str
    requested_at: datetime
    at: datetime
    more: Pairs = ()
    """`failureReason`, `threshold` or `replicationTime`: the last two in seconds."""


def event_json(said: ReplicationEvent, *, configuration_id: str, number: int) -> str:
    """The event's message for one configuration; `number` is its rank among all events."""
    entry, bucket = said.entry, said.bucket
    item: dict[str, object] = {"key": quote_plus(entry.key, safe="/")}
    if isinstance(entry, ObjectVersion):
        item |= {"size": entry.size_bytes, "eTag": entry.etag}
    item |= {"versionId": entry.version_id, "sequencer": f"{entry.sequence:018X}"}
    record = {
        "eventVersion": "2.2",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": instant_text(said.at),
        "eventName": said.event.removeprefix("s3:"),
        "userIdentity": {"principalId": _S3},
        "requestParameters": {"sourceIPAddress": _S3},
        "responseElements": {
            "x-amz-request-id": f"{number:016X}",
            "x-amz-id-2": f"replication/{number:016X}",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.owner_id},
                "arn": bucket.arn,
            },
            "object": item,
        },
        "replicationEventData": {
            "replicationRuleId": said.rule_id,
            "destinationBucket": f"arn:aws:s3:::{said.destination_bucket}",
            # Names beside OBJECT_PUT are not documented: this one is a guess.
            "s3Operation": "OBJECT_PUT" if isinstance(entry, ObjectVersion) else "OBJECT_DELETE",
            "requestTime": instant_text(said.requested_at),
            **dict(said.more),
        },
    }
    return json.dumps({"Records": [record]})


def instant_text(moment: datetime) -> str:
    """A time as events write it: milliseconds and Z."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
