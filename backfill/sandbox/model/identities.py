"""Who calls, through which Region, and the question that authorization answers.

The model never evaluates a policy: it asks `Authorize` the questions that S3 asks, one IAM action
each, and turns a no into 403 AccessDenied.
Law: an operation asks for every action that AWS documents for it, before it changes anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from backfill.sandbox.model.errors import Pairs


@lru_cache(maxsize=1024)
def canonical_id(account_id: str) -> str:
    """A canonical user ID: 64 hexadecimal digits, made up from the account ID."""
    return hashlib.sha256(account_id.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated identity, and the Region of the endpoint that it called."""

    account_id: str
    arn: str
    region: str
    is_paying: bool = False
    """The request says `x-amz-request-payer: requester` (UG: RequesterPaysBuckets)."""

    @property
    def is_anonymous(self) -> bool:
        """Whether the request was not signed (account ID and ARN are then empty)."""
        return not self.account_id


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuestion:
    """May this caller do this action on this resource?

    For `s3:` actions the resource is `bucket`, with `key` for actions on objects, or
    `resource_arn` for actions on jobs. For `kms:` actions it is `kms_key_arn`; `bucket` and `key`
    then name the object on whose behalf S3 asks.
    """

    caller: Caller
    action: str
    """IAM action, e.g. `s3:GetObjectVersion` or `kms:Decrypt`."""
    bucket: str
    bucket_owner: str | None
    """Account ID of the bucket's owner; None for actions on the account (CreateBucket)."""
    key: str | None = None
    version_id: str | None = None
    kms_key_arn: str | None = None
    resource_arn: str | None = None
    """What is neither in a bucket nor a key: a Batch Operations job, a role to pass."""
    conditions: Pairs = ()
    """IAM condition keys with their values, e.g. `("s3:if-none-match", "*")`."""


Authorize = Callable[[AccessQuestion], bool]


def allow_everything(question: AccessQuestion) -> bool:
    """Answer yes: the default, for tests that are about something other than permissions."""
    assert question.action
    return True
