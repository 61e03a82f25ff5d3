"""PutBucketNotificationConfiguration and its Get.

Law: what is put replaces everything; there is no merging (API: PutBucketNotificationConfiguration).
"""

from __future__ import annotations

import json

from backfill.sandbox.model.access import asked_bucket
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.markup import S3_NAMESPACE
from backfill.sandbox.model.notifications.configuration import validated_notifications
from backfill.sandbox.model.operations.buckets import BucketRequest, DocumentResult
from backfill.sandbox.model.operations.documents import PutNotificationRequest
from backfill.sandbox.model.world import World

_NONE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<NotificationConfiguration xmlns="{S3_NAMESPACE}"></NotificationConfiguration>'
)


def put_notification(world: World, caller: Caller, request: PutNotificationRequest) -> None:
    """Replace the configuration, and send S3's test message to each queue and topic in it."""
    bucket = asked_bucket(world, caller, request, "s3:PutBucketNotification")
    found = validated_notifications(
        request.document, bucket=bucket, world=world, is_unvalidated=request.is_unvalidated
    )
    bucket.notifications = found
    if request.is_unvalidated:
        return
    for arn in dict.fromkeys(one.destination_arn for one in found.notifications):
        if ":lambda:" not in arn:  # a function's permission is only looked at
            world.notify(arn, _test_event(world, bucket))


def _test_event(world: World, bucket: Bucket) -> str:
    """What S3 sends when notifications are configured (UG: notification-content-structure)."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": world.clock().isoformat(timespec="milliseconds")[:23] + "Z",
            "Bucket": bucket.name,
            "RequestId": world.new_id(16),
            "HostId": world.new_id(64),
        }
    )


def get_notification(world: World, caller: Caller, request: BucketRequest) -> DocumentResult:
    """The configuration; an empty one where none was ever put."""
    bucket = asked_bucket(world, caller, request, "s3:GetBucketNotification")
    found = bucket.notifications
    return DocumentResult(document=_NONE if found is None else found.document)
