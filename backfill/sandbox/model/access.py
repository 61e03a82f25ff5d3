"""The first steps of every operation: find the bucket, check its owner, ask for permission.

Law: nothing about a bucket's content is told before authorization has said yes.
"""

from __future__ import annotations

from typing import Protocol

from backfill.sandbox.model import refusals
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.identities import AccessQuestion, Caller, allow_everything
from backfill.sandbox.model.world import World


class OfBucket(Protocol):
    """A request about a bucket's configuration: all that finding the bucket needs."""

    @property
    def bucket(self) -> str:
        """Its name."""

    @property
    def expected_bucket_owner(self) -> str | None:
        """Whose it should be."""


def find_bucket(world: World, name: str, expected_owner: str | None) -> Bucket:
    """The bucket of that name, if it belongs to whom the caller expects (or says nothing)."""
    bucket = world.buckets.get(name)
    if bucket is None:
        raise S3Error(refusals.NO_SUCH_BUCKET, fields=(("BucketName", name),))
    if expected_owner is not None and expected_owner != bucket.owner_id:
        raise S3Error(refusals.WRONG_BUCKET_OWNER)
    return bucket


def is_allowed(  # noqa: PLR0913 - what a policy may speak of, no more
    world: World,
    caller: Caller,
    action: str,
    bucket: Bucket,
    key: str | None = None,
    version_id: str | None = None,
    *,
    kms_key_arn: str | None = None,
    conditions: Pairs = (),
) -> bool:
    """Whether authorization allows one action; nobody else uses a Requester Pays bucket for free.

    (UG: ObjectsinRequesterPaysBuckets.)
    """
    is_guest = caller.account_id != bucket.owner_id
    if bucket.is_requester_pays and is_guest and not caller.is_paying:
        return False
    if world.authorize is allow_everything:
        return True
    return world.authorize(
        AccessQuestion(
            caller=caller,
            action=action,
            bucket=bucket.name,
            bucket_owner=bucket.owner_id,
            key=key,
            version_id=version_id,
            kms_key_arn=kms_key_arn,
            conditions=conditions,
        )
    )


def require(  # noqa: PLR0913 - as is_allowed
    world: World,
    caller: Caller,
    action: str,
    bucket: Bucket,
    key: str | None = None,
    version_id: str | None = None,
    *,
    kms_key_arn: str | None = None,
    conditions: Pairs = (),
) -> None:
    """Refuse with AccessDenied unless authorization allows the action."""
    if not is_allowed(
        world,
        caller,
        action,
        bucket,
        key,
        version_id,
        kms_key_arn=kms_key_arn,
        conditions=conditions,
    ):
        who = caller.arn or "anonymous"
        resource = kms_key_arn or (bucket.arn if key is None else f"{bucket.arn}/{key}")
        message = f'User: {who} is not authorized to perform: {action} on resource: "{resource}"'
        raise S3Error(refusals.ACCESS_DENIED, message=message)


def require_of_resource(
    world: World, caller: Caller, action: str, resource_arn: str, conditions: Pairs = ()
) -> None:
    """Refuse unless the caller may do this with a job or role of its own account."""
    question = AccessQuestion(
        caller=caller,
        action=action,
        bucket="",
        bucket_owner=None,
        resource_arn=resource_arn,
        conditions=conditions,
    )
    if caller.is_anonymous or not world.authorize(question):
        who = caller.arn or "anonymous"
        message = f"User: {who} is not authorized to perform: {action} on resource: {resource_arn}"
        raise S3Error(refusals.ACCESS_DENIED, message=message)


def require_of_account(world: World, caller: Caller, action: str, bucket: str = "") -> None:
    """Refuse unless the caller may do this in its own account: bucket is "" or a new one's name."""
    question = AccessQuestion(caller=caller, action=action, bucket=bucket, bucket_owner=None)
    if caller.is_anonymous or not world.authorize(question):
        raise S3Error(refusals.ACCESS_DENIED)


def asked_bucket(world: World, caller: Caller, request: OfBucket, action: str) -> Bucket:
    """The bucket that a request is about, once the caller may do this with it."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    require(world, caller, action, bucket)
    return bucket
