"""How long setup waits for AWS to agree with itself, and for what.

IAM, bucket configurations and policies of queues are eventually consistent: what was written a
moment ago may be refused as unknown, or not be seen yet (IAM User Guide: troubleshoot_general,
"Changes that I make are not always immediately visible"; S3 User Guide: Welcome, "Bucket
configurations have an eventual consistency model").
Never sleeps by itself. Law: every wait has an end, and only a refusal that can pass is waited for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backfill.errors import Disposition, StoreFault

SETTLE_LIMIT_S: Final = 180.0
"""For a role, a policy or versioning to be seen by another service. AWS's own samples wait 60 s;
three minutes is what one must reckon with, and not so long that a slip is not told."""

SEEN_LIMIT_S: Final = 60.0
"""For a document that was put to be what is read."""

_FIRST_PAUSE_S: Final = 1.0
_PAUSE_S_MAX: Final = 15.0


# Two words side by side, so that the list below reads as one.
@dataclass(frozen=True, slots=True)
class _Passing:
    """A refusal that passes when AWS has settled; `word` stands in its message, in any case."""

    operation: str
    code: str
    word: str = ""


_PASSING: Final = (
    _Passing("PutBucketPolicy", "MalformedPolicy", "principal"),
    _Passing("PutKeyPolicy", "MalformedPolicyDocumentException", "principal"),
    _Passing("UpdateAssumeRolePolicy", "MalformedPolicyDocument", "principal"),
    _Passing("PutRolePolicy", "NoSuchEntity"),
    _Passing("DeleteRole", "DeleteConflict"),
    _Passing("PutBucketReplication", "InvalidArgument", "role"),
    _Passing("PutBucketReplication", "InvalidRequest", "versioning"),
    _Passing("PutBucketReplication", "InvalidRequest", "role"),
    _Passing("PutObjectLockConfiguration", "InvalidBucketState", "versioning"),
    _Passing("PutBucketNotificationConfiguration", "InvalidArgument", "validate"),
    _Passing("SetQueueAttributes", "InvalidAttributeValue", "policy"),
    _Passing("SetTopicAttributes", "InvalidParameter", "polic"),
    # A bucket that was made a moment ago.
    _Passing("PutBucketPolicy", "NoSuchBucket"),
)

_AGAIN: Final = frozenset({Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE})
"""Throttled; or perhaps done, or changed by another meanwhile: read again, then decide anew."""


def may_pass(fault: StoreFault) -> bool:
    """Whether a write that was answered so may succeed a little later."""
    return fault.disposition in _AGAIN or any(
        (each.operation, each.code) == (fault.operation, fault.code)
        and each.word in fault.message.lower()
        for each in _PASSING
    )


def pauses(limit_s: float) -> Iterator[float]:
    """Give the pauses between attempts, doubling up to 15 s, together no longer than the limit."""
    pause_s, waited_s = _FIRST_PAUSE_S, 0.0
    while waited_s + pause_s <= limit_s:
        yield pause_s
        waited_s += pause_s
        pause_s = min(2 * pause_s, _PAUSE_S_MAX)
