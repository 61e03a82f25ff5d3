"""From the XML of PutBucketNotificationConfiguration to what is sent where.

Shares nothing with the product's reader of the same document.
Law: the whole configuration is validated, every destination included, before any of it is kept.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.markup import (
    check_only,
    malformed,
    only_child,
    optional_text,
    refuse_if,
    root_of,
    text_of,
    written,
)
from backfill.sandbox.model.notifications import refusals
from backfill.sandbox.model.notifications.rules import Notification, NotificationConfiguration
from backfill.sandbox.model.world import World

_ARN_ELEMENTS = {
    "TopicConfiguration": ("Topic", "sns"),
    "QueueConfiguration": ("Queue", "sqs"),
    "CloudFunctionConfiguration": ("CloudFunction", "lambda"),
}
_GROUPS = {
    "s3:ReducedRedundancyLostObject": "",
    "s3:ObjectCreated:": "* Put Post Copy CompleteMultipartUpload",
    "s3:ObjectRemoved:": "* Delete DeleteMarkerCreated",
    "s3:ObjectRestore:": "* Post Completed Delete",
    "s3:Replication:": "* OperationFailedReplication OperationNotTracked OperationMissedThreshold"
    " OperationReplicatedAfterThreshold",
    "s3:LifecycleTransition": "",
    "s3:IntelligentTiering": "",
    "s3:ObjectAcl:": "Put",
    "s3:LifecycleExpiration:": "* Delete DeleteMarkerCreated",
    "s3:ObjectTagging:": "* Put Delete",
}
EVENTS = frozenset(
    group + name for group, names in _GROUPS.items() for name in (names.split() or [""])
)
"""The event types that SNS, SQS and Lambda may be sent (API: NotificationConfiguration)."""
_CONFIGURATIONS = 100


def validated_notifications(
    document: str, *, bucket: Bucket, world: World, is_unvalidated: bool
) -> NotificationConfiguration:
    """The configuration that a document describes, if S3 would take it for this bucket.

    `is_unvalidated`: the caller asked S3 not to try the destinations.
    """
    root = root_of(document, "NotificationConfiguration")
    check_only(root, {*_ARN_ELEMENTS, "EventBridgeConfiguration"})
    elements = [child for child in root if child.tag in _ARN_ELEMENTS]
    refuse_if(refusals.TOO_MANY, len(elements) > _CONFIGURATIONS)
    for element in elements:
        _name(element, world)
    notifications = tuple(_notification(element, bucket) for element in elements)
    _check_together(notifications)
    if not is_unvalidated:
        _try_destinations(notifications, bucket, world)
    return NotificationConfiguration(
        document=written(root),
        notifications=notifications,
        has_event_bridge=root.find("EventBridgeConfiguration") is not None,
    )


def _name(element: ET.Element, world: World) -> None:
    """Give it an ID where it has none (API: QueueConfiguration)."""
    if not element.findtext("Id"):
        for empty in element.findall("Id"):
            element.remove(empty)
        child = ET.Element("Id")
        child.text = world.new_id()
        element.insert(0, child)


def _notification(element: ET.Element, bucket: Bucket) -> Notification:
    arn_element, service = _ARN_ELEMENTS[element.tag]
    check_only(element, {"Id", arn_element, "Event", "Filter"})
    events = tuple(event.text or "" for event in element.findall("Event"))
    if not events:
        raise malformed()
    for event in events:
        if event not in EVENTS:
            fields = (("ArgumentName", "Event"), ("ArgumentValue", event))
            raise S3Error(refusals.UNKNOWN_EVENT, fields=fields)
    arn = text_of(element, arn_element)
    _check_arn(arn, service, bucket)
    prefix, suffix = _filter(element)
    return Notification(
        configuration_id=text_of(element, "Id"),
        destination_arn=arn,
        events=events,
        prefix=prefix,
        suffix=suffix,
    )


def _check_arn(arn: str, service: str, bucket: Bucket) -> None:
    pieces = arn.split(":")
    fields = (("ArgumentName", arn), ("ArgumentValue", "null"))
    is_shaped = len(pieces) >= 6 and pieces[:3] == ["arn", "aws", service]
    if not is_shaped or not pieces[4].isdecimal() or not pieces[5]:
        raise S3Error(refusals.NO_ARN, fields=fields)
    if pieces[3] != bucket.region:
        raise S3Error(refusals.WRONG_REGION, fields=fields)
    if arn.endswith(".fifo"):
        raise S3Error(refusals.FIFO, fields=fields)


def _filter(element: ET.Element) -> tuple[str, str]:
    """Prefix and suffix; names ignore case, and answers have them capitalised."""
    if element.find("Filter") is None:
        return "", ""
    found = only_child(element, "Filter")
    check_only(found, {"S3Key"})
    rules: dict[str, str] = {}
    for key in found:
        check_only(key, {"FilterRule"})
        for rule in key:
            check_only(rule, {"Name", "Value"})
            name = text_of(rule, "Name").lower()
            refuse_if(refusals.BAD_FILTER, name not in {"prefix", "suffix"})
            refuse_if(refusals.FILTER_TWICE, name in rules)
            rules[name] = optional_text(rule, "Value") or ""
            only_child(rule, "Name").text = name.capitalize()
    return rules.get("prefix", ""), rules.get("suffix", "")


def _check_together(notifications: tuple[Notification, ...]) -> None:
    ids = [one.configuration_id for one in notifications]
    refuse_if(refusals.SAME_ID, len(set(ids)) != len(ids))
    for one, other in combinations(notifications, 2):
        is_common = any(_overlap(mine, theirs) for mine in one.events for theirs in other.events)
        is_prefix = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
        is_suffix = one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix)
        refuse_if(refusals.OVERLAP, is_common and is_prefix and is_suffix)


def _overlap(one: str, other: str) -> bool:
    """Whether some event is meant by both."""
    if one.endswith("*") or other.endswith("*"):
        return one.startswith(other.rstrip("*")) or other.startswith(one.rstrip("*"))
    return one == other


def _try_destinations(
    notifications: tuple[Notification, ...], bucket: Bucket, world: World
) -> None:
    """Refuse with every destination that cannot be sent to, as one error."""
    arns = dict.fromkeys(one.destination_arn for one in notifications)
    flaws = [(arn, flaw) for arn in arns if (flaw := world.may_notify(arn, bucket.name))]
    if len(flaws) == 1:
        fields = (("ArgumentName", flaws[0][0]), ("ArgumentValue", flaws[0][1]))
        raise S3Error(refusals.NOT_VALIDATED, fields=fields)
    if flaws:
        numbered = tuple(
            pair
            for number, (arn, flaw) in enumerate(flaws, start=1)
            for pair in ((f"ArgumentName{number}", arn), (f"ArgumentValue{number}", flaw))
        )
        raise S3Error(refusals.NOT_VALIDATED, fields=numbered)
