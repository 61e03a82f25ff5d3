"""Replication rules, notifications and simple settings of a bucket, in the SDK's shape.

Never merges. Rules are of the V2 schema: with Filter, Priority and DeleteMarkerReplication, as
tags, priorities and time control need it (S3 User Guide: replication-add-config).
Law: what S3 would refuse is not made; `ExistingObjectReplication` is never made.
"""

from typing import Final

from backfill.model.accounts import EventDestinationKind, event_destination_kind
from backfill.setup.lanes import Lane, Route
from backfill.setup.spec import NotificationSpec, Owner, RuleSpec
from backfill.setup.statements import bucket_arn
from backfill.setup.wanted import Fields

THRESHOLD: Final = {"Minutes": 15}
"""The one value that S3 takes for time control (S3 API: ReplicationTimeValue)."""

EVENT_LISTS: Final = {
    EventDestinationKind.QUEUE: ("QueueConfigurations", "QueueArn"),
    EventDestinationKind.TOPIC: ("TopicConfigurations", "TopicArn"),
    EventDestinationKind.FUNCTION: ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
}
"""The list that a notification stands in, and the field that holds the ARN."""


def identifier(name: str, what: str) -> str:
    """Return a rule ID, a notification Id or a policy name of ours: ASCII, and known again."""
    return f"backfill.{name}.{what}"


def is_own_identifier(word: object, name: str) -> bool:
    """Whether an identifier is that of the set-up with that name. Names hold no dot."""
    return isinstance(word, str) and word.startswith(f"backfill.{name}.")


def rule_fields(rule: RuleSpec, route: Route, lane: Lane, *, name: str, partition: str) -> Fields:
    """Return one rule; without a priority of its own where merging chooses one."""
    criteria: dict[str, object] = {}
    if rule.kms_key_arn:
        criteria["SseKmsEncryptedObjects"] = {"Status": "Enabled"}
    if rule.syncs_replica_modifications:
        criteria["ReplicaModifications"] = {"Status": "Enabled"}
    is_own_priority = rule.priority is not None
    return {
        "ID": identifier(name, f"reverse.{rule.name}" if lane.is_reverse else rule.name),
        **({"Priority": rule.priority} if is_own_priority else {}),
        "Filter": filter_fields(rule),
        "Status": "Enabled" if rule.is_enabled else "Disabled",
        **({"SourceSelectionCriteria": criteria} if criteria else {}),
        "Destination": _destination(rule, route, partition),
        "DeleteMarkerReplication": {
            "Status": "Enabled" if rule.replicates_delete_markers else "Disabled"
        },
    }


def filter_fields(rule: RuleSpec) -> Fields:
    """Return the filter: exactly one child, `And` where there are several conditions."""
    tags = [{"Key": key, "Value": value} for key, value in rule.tags]
    if not tags:
        return {"Prefix": rule.prefix}
    if len(tags) == 1 and not rule.prefix:
        return {"Tag": tags[0]}
    return {"And": {**({"Prefix": rule.prefix} if rule.prefix else {}), "Tags": tags}}


def _destination(rule: RuleSpec, route: Route, partition: str) -> Fields:
    destination: dict[str, object] = {"Bucket": bucket_arn(partition, route.place.bucket)}
    if route.is_across_accounts:
        destination["Account"] = route.place.expected_owner
        if rule.owner is Owner.DESTINATION:
            destination["AccessControlTranslation"] = {"Owner": "Destination"}
    if rule.storage_class:
        destination["StorageClass"] = rule.storage_class
    if rule.kms_key_arn:
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": rule.kms_key_arn}
    if rule.has_time_control:
        destination["ReplicationTime"] = {"Status": "Enabled", "Time": THRESHOLD}
        destination["Metrics"] = {"Status": "Enabled", "EventThreshold": THRESHOLD}
    elif rule.has_metrics:
        destination["Metrics"] = {"Status": "Enabled"}
    return destination


def notification_fields(notification: NotificationSpec, arn: str, *, name: str) -> Fields:
    """Return one notification to an ARN; the field that holds it says in which list it stands."""
    _, field = EVENT_LISTS[event_destination_kind(arn)]
    return {
        "Id": identifier(name, notification.name),
        field: arn,
        "Events": [event.event_name for event in notification.events],
    }


def bucket_key_fields(key_arn: str) -> Fields:
    """Return default encryption with a KMS key and an S3 Bucket Key, as its one rule."""
    return {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": key_arn,
        },
        "BucketKeyEnabled": True,
    }
