"""How long setup waits for AWS to agree with itself, and for what.

IAM, bucket configurations and policies of queues are eventually consistent: what was written a
moment ago may be refused as unknown, or not be seen yet (IAM User Guide: troubleshoot_general,
"Changes that I make are not always immediately visible"; S3 User Guide: Welcome, "Bucket
configurations have an eventual consistency model").
Never sleeps by itself. Law: every wait has an end, and only a refusal that can pass is waited for.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.setup.wanted import Resource, ResourceKind, Side

SETTLE_LIMIT_S: Final = 180.0
"""For a role, a policy or versioning to be seen by another service. AWS's own samples wait 60 s;
three minutes is what one must reckon with, and not so long that a slip is not told."""

REPEAT_LIMIT_S: Final = 20.0
"""The same where this command has written nothing that may not be seen yet: one before it that was
cut short may have. Else what is named is not there at all, and that is soon told."""

SEEN_LIMIT_S: Final = 60.0
"""For a document that was put to be what is read."""

_FIRST_PAUSE_S: Final = 1.0
_PAUSE_S_MAX: Final = 15.0


# Words side by side, so that the list below reads as one.
@dataclass(frozen=True, slots=True)
class _Passing:
    """A refusal that passes when AWS has settled after a document of the kind `after` was written.

    `word` stands in its message, in any case; `side` is whose document it is, None for either.
    """

    operation: str
    code: str
    word: str
    after: ResourceKind
    side: Side | None = None


_PASSING: Final = (
    _Passing("PutBucketPolicy", "MalformedPolicy", "principal", ResourceKind.ROLE_TRUST),
    _Passing(
        "PutKeyPolicy", "MalformedPolicyDocumentException", "principal", ResourceKind.ROLE_TRUST
    ),
    _Passing("PutRolePolicy", "NoSuchEntity", "", ResourceKind.ROLE_TRUST),
    _Passing("DeleteRole", "DeleteConflict", "", ResourceKind.ROLE_POLICIES),
    _Passing("PutBucketReplication", "InvalidArgument", "role", ResourceKind.ROLE_TRUST),
    _Passing("PutBucketReplication", "InvalidRequest", "role", ResourceKind.ROLE_TRUST),
    _Passing("PutBucketReplication", "InvalidRequest", "versioning must", ResourceKind.VERSIONING),
    _Passing(
        "PutBucketReplication",
        "InvalidRequest",
        "must have versioning",
        ResourceKind.VERSIONING,
        Side.DESTINATION,
    ),
    _Passing(
        "PutObjectLockConfiguration", "InvalidBucketState", "versioning", ResourceKind.VERSIONING
    ),
    # SQS says it in two ways, by the protocol of the client.
    _Passing("GetQueueUrl", "AWS.SimpleQueueService.NonExistentQueue", "", ResourceKind.QUEUE),
    _Passing("GetQueueUrl", "QueueDoesNotExist", "", ResourceKind.QUEUE),
    _Passing(
        "PutBucketNotificationConfiguration",
        "InvalidArgument",
        "validate",
        ResourceKind.EVENT_DESTINATION_POLICY,
    ),
)

_AGAIN: Final = frozenset({Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE})
"""Throttled; or perhaps done, or changed by another meanwhile: read again, then decide anew."""


def limit_s(fault: StoreFault, written: Collection[Resource]) -> float:
    """Return how long a write that was answered so is tried again, all pauses together.

    `written` are the documents that this command has written.
    """
    is_fresh = any(
        resource.kind is each.after and each.side in (None, resource.side)
        for each in _passing(fault)
        for resource in written
    )
    return SETTLE_LIMIT_S if is_fresh or fault.disposition in _AGAIN else REPEAT_LIMIT_S


def may_pass(fault: StoreFault) -> bool:
    """Whether a write that was answered so may succeed a little later."""
    return fault.disposition in _AGAIN or bool(_passing(fault))


def _passing(fault: StoreFault) -> list[_Passing]:
    return [
        each
        for each in _PASSING
        if (each.operation, each.code) == (fault.operation, fault.code)
        and each.word in fault.message.lower()
    ]


def passing_pattern() -> str:
    """Return what the AWS CLI says of a refusal that may pass, as an extended regular expression.

    Of codes, operations and plain words alone: no character of it means anything to a shell.
    """
    return "|".join(
        rf"\({each.code}\) when calling the {each.operation} operation.*{each.word}"
        for each in _PASSING
    )


def pauses(limit_s: float) -> Iterator[float]:
    """Give the pauses between attempts, doubling up to 15 s, together no longer than the limit."""
    pause_s, waited_s = _FIRST_PAUSE_S, 0.0
    while waited_s + pause_s <= limit_s:
        yield pause_s
        waited_s += pause_s
        pause_s = min(2 * pause_s, _PAUSE_S_MAX)
