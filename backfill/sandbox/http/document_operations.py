"""The operations on configurations in `model/documents/`: how each is read, done and answered.

Never holds behaviour. One law: as `operations.py`, of which this is a part.
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from backfill.sandbox.http import (
    reading_buckets,
    reading_documents,
    rendering_buckets,
    rendering_documents,
    rendering_objects,
)
from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.model.documents import lifecycle, notification, plain, public_access
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.world import World

_CarryOut: TypeAlias = Callable[[S3Model, Caller, Inbound], HttpResponse]
Q = TypeVar("Q")
R = TypeVar("R")


def _operation(
    read: Callable[[Inbound], Q],
    carry_out: Callable[[World, Caller, Q], R],
    render: Callable[[R, Inbound], HttpResponse],
) -> _CarryOut:
    def operation(model: S3Model, caller: Caller, inbound: Inbound) -> HttpResponse:
        return render(carry_out(model.world, caller, read(inbound)), inbound)

    return operation


_named = reading_buckets.bucket
_done = rendering_objects.nothing
_gone = rendering_objects.no_content

DOCUMENT_OPERATIONS: dict[str, _CarryOut] = {
    "PutBucketNotificationConfiguration": _operation(
        reading_documents.put_notification, notification.put_notification, _done
    ),
    "GetBucketNotificationConfiguration": _operation(
        _named, notification.get_notification, rendering_buckets.xml_document
    ),
    "PutBucketLifecycleConfiguration": _operation(
        reading_documents.put_lifecycle, lifecycle.put_lifecycle, _done
    ),
    "GetBucketLifecycleConfiguration": _operation(
        _named, lifecycle.get_lifecycle, rendering_buckets.xml_document
    ),
    "DeleteBucketLifecycle": _operation(_named, lifecycle.delete_lifecycle, _gone),
    "PutPublicAccessBlock": _operation(
        reading_documents.put_public_access_block, public_access.put_public_access_block, _done
    ),
    "GetPublicAccessBlock": _operation(
        _named, public_access.get_public_access_block, rendering_documents.public_access_block
    ),
    "DeletePublicAccessBlock": _operation(_named, public_access.delete_public_access_block, _gone),
    "GetBucketPolicyStatus": _operation(
        _named, public_access.get_policy_status, rendering_documents.policy_status
    ),
    "PutBucketRequestPayment": _operation(
        reading_documents.put_request_payment, plain.put_request_payment, _done
    ),
    "GetBucketRequestPayment": _operation(
        _named, plain.get_request_payment, rendering_documents.request_payment
    ),
    "GetBucketAcl": _operation(_named, plain.get_bucket_acl, rendering_objects.get_acl),
    "PutBucketTagging": _operation(reading_documents.put_tagging, plain.put_bucket_tagging, _gone),
    "GetBucketTagging": _operation(_named, plain.get_bucket_tagging, rendering_documents.tagging),
    "DeleteBucketTagging": _operation(_named, plain.delete_bucket_tagging, _gone),
    "DeleteBucketEncryption": _operation(_named, plain.delete_bucket_encryption, _gone),
    "DeleteBucketOwnershipControls": _operation(_named, plain.delete_ownership_controls, _gone),
    "DeleteBucket": _operation(_named, plain.delete_bucket, _gone),
}
