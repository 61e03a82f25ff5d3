"""Reads a document of an account as it is, in the shape in which setup writes it.

Never writes. Law: what is denied, or not this command's to ask, is `Unread` with its reason.
"""

import json
from collections.abc import Mapping
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.model.accounts import RawDocument, Role, Unread
from backfill.model.places import BucketPlace
from backfill.ports.accounts import AccountReader
from backfill.setup.layouts import TRUST_FIELD
from backfill.setup.wanted import NOT_ASKED, NOT_THERE, Actual, Resource, ResourceKind

_SAYS_OF_ITSELF: Final = frozenset({"NoSuchBucket"})
"""Codes that end a run elsewhere, and here are about one document."""


async def actual_of(resource: Resource, reader: AccountReader | None) -> Actual:
    """Return a document as it is now; None where there is none.

    Raises:
        StoreFault: What no document can be read without: credentials, a clock, a connection.
    """
    if reader is None:
        return NOT_ASKED
    try:
        return await _read(resource, reader)
    except StoreFault as fault:
        if is_about_the_document(fault):
            return Unread(operation=fault.operation, code=fault.code, message=fault.message)
        raise


def is_about_the_document(fault: StoreFault) -> bool:
    """Whether a fault is a refusal of this one request, rather than the end of all."""
    is_refusal = fault.disposition in {Disposition.FAIL, Disposition.SKIP}
    return is_refusal or fault.code in _SAYS_OF_ITSELF


def place_of(resource: Resource) -> BucketPlace:
    """Return where a bucket is that a document is about."""
    return BucketPlace(
        bucket=resource.name,
        region=resource.region,
        expected_owner=resource.account,
        owner_origin="setup spec",
    )


async def _read(resource: Resource, reader: AccountReader) -> Actual:
    if (document := resource.kind.bucket_document) is not None:
        return await reader.bucket_document(place_of(resource), document)
    match resource.kind:
        case ResourceKind.BUCKET:
            is_there = await reader.has_bucket(place_of(resource))
            return _made({"Region": resource.region}) if is_there else None
        case ResourceKind.QUEUE:
            return await _queue(resource, reader)
        case ResourceKind.ROLE_TRUST | ResourceKind.ROLE_POLICIES:
            return _role(resource, await reader.role(resource.name))
        case ResourceKind.KEY_POLICY:
            return await reader.key_policy(resource.arn)
        case _:
            assert resource.kind is ResourceKind.EVENT_DESTINATION_POLICY, "all kinds are read"
            return await reader.event_destination_policy(resource.arn)


async def _queue(resource: Resource, reader: AccountReader) -> Actual:
    try:
        await reader.event_destination_policy(resource.arn)
    except StoreFault as fault:
        if fault.code != NOT_THERE:
            raise
        return None
    return _made({"QueueName": resource.name})


def _role(resource: Resource, role: Role | None) -> Actual:
    if role is None:
        return None
    if role.arn != resource.arn:
        # IAM finds roles by name; policies that name another path let nobody in.
        return Unread(operation="GetRole", code=f"its ARN is {role.arn}")
    # A role without policies is not a role that is not there.
    return _role_document(role) if resource.kind is ResourceKind.ROLE_TRUST else _policies(role)


def _role_document(role: Role) -> RawDocument:
    return _made(
        {
            TRUST_FIELD: json.loads(role.trust),
            "Path": role.path,
            "Tags": dict(role.tags),
            "Policies": [*role.inline, *role.attached],
        }
    )


def _policies(role: Role) -> RawDocument:
    return _made({name: json.loads(policy) for name, policy in role.inline.items()})


def _made(fields: Mapping[str, object]) -> RawDocument:
    """Return a document that no answer holds as one: its text is its JSON."""
    return RawDocument(text=json.dumps(fields), fields=fields)
