"""How much AWS takes in one document, so that it is refused before it is written.

Never trims. Counted as AWS counts: characters without blanks for roles, bytes for the rest.
Law: a limit stands here with its source.
"""

import json
from collections.abc import Iterator
from typing import Final

from backfill.model.accounts import EventDestinationKind, event_destination_kind
from backfill.setup.layouts import TRUST_FIELD, items_of
from backfill.setup.wanted import Fields, Resource, ResourceKind

RULES_MAX: Final = 1_000
"""Of one configuration (S3 API: ReplicationConfiguration)."""
REPLICATION_BYTES_MAX: Final = 2 * 1024 * 1024
"""S3 API: PutBucketReplication."""
NOTIFICATIONS_MAX: Final = 100
"""S3 User Guide: how-to-enable-disable-notification-intro."""
INLINE_CHARACTERS_MAX: Final = 10_240
TRUST_CHARACTERS_MAX: Final = 2_048
"""IAM User Guide: reference_iam-quotas. All inline policies of a role together; a trust policy, of
which an account may ask for more."""
BYTES_MAX: Final = {
    ResourceKind.BUCKET_POLICY: 20_480,  # S3 User Guide: bucket-policies
    ResourceKind.KEY_POLICY: 32_768,  # KMS Developer Guide: resource-limits
}
EVENT_POLICY_BYTES_MAX: Final = {
    EventDestinationKind.QUEUE: 8_192,  # SQS Developer Guide: quotas-policies
    EventDestinationKind.TOPIC: 30_720,  # SNS API: SetTopicAttributes
    EventDestinationKind.FUNCTION: 20_480,  # Lambda Developer Guide: gettingstarted-limits
}
QUEUE_STATEMENTS_MAX: Final = 20
"""SQS Developer Guide: quotas-policies."""


def limit_refusals(resource: Resource, after: Fields | None) -> Iterator[str]:
    """Give a sentence for every limit that the document would break."""
    if after is None:
        return
    for what, amount, most in _measures(resource, after):
        if amount > most:
            yield f"the document would have {amount} {what}, AWS takes {most}"


def _measures(resource: Resource, after: Fields) -> Iterator[tuple[str, int, int]]:
    kind = resource.kind
    if kind is ResourceKind.REPLICATION:
        yield "rules", len(items_of(kind, after)), RULES_MAX
        yield "bytes", _bytes(after), REPLICATION_BYTES_MAX
    elif kind is ResourceKind.NOTIFICATION:
        yield "notifications", len(items_of(kind, after)), NOTIFICATIONS_MAX
    elif kind is ResourceKind.ROLE_POLICIES:
        total = sum(characters(policy) for policy in after.values())
        yield "characters in all inline policies", total, INLINE_CHARACTERS_MAX
    elif kind is ResourceKind.ROLE_TRUST:
        yield "characters", characters(after.get(TRUST_FIELD, {})), TRUST_CHARACTERS_MAX
    elif kind is ResourceKind.EVENT_DESTINATION_POLICY:
        receiver = event_destination_kind(resource.arn)
        yield "bytes", _bytes(after), EVENT_POLICY_BYTES_MAX[receiver]
        if receiver is EventDestinationKind.QUEUE:
            yield "statements", len(items_of(kind, after)), QUEUE_STATEMENTS_MAX
    elif kind in BYTES_MAX:
        yield "bytes", _bytes(after), BYTES_MAX[kind]


def _bytes(fields: Fields) -> int:
    return len(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode())


def characters(policy: object) -> int:
    """Return the characters of a policy as IAM counts them: without blanks."""
    return len("".join(json.dumps(policy, ensure_ascii=False).split()))
