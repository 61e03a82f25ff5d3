"""Writes one document as its difference says, with the calls that its kind has.

Never decides what is written, and never reads.
Law: a document is put whole; of a role's policies and of a bucket nothing is touched but ours.
"""

import json
from typing import cast

from backfill.ports.accounts import AccountWriter
from backfill.setup.layouts import TRUST_FIELD
from backfill.setup.reading import place_of
from backfill.setup.wanted import Action, DocumentDifference, Fields, ResourceKind


async def write(document: DocumentDifference, writer: AccountWriter, *, name: str) -> None:
    """Write a document; `name` is the set-up's, which a new role's description says.

    Raises:
        StoreFault: AWS refused, or nobody knows whether it was done.
    """
    assert document.is_change, "nothing is written without a difference"
    assert not document.is_refused, "what is refused is not written"
    resource, after = document.resource, document.after
    if (kind := resource.kind.bucket_document) is not None:
        place = place_of(resource)
        if after:
            await writer.put_bucket_document(place, kind, after)
        else:
            await writer.delete_bucket_document(place, kind)
        return
    match resource.kind:
        case ResourceKind.BUCKET:
            assert after is not None, "buckets are never deleted"
            await writer.create_bucket(place_of(resource), has_object_lock=False)
        case ResourceKind.QUEUE:
            assert after is not None, "queues are never deleted"
            await writer.create_queue(
                resource.arn,
                retention_s=cast("int", after["MessageRetentionPeriod"]),
                tags=cast("dict[str, str]", after["Tags"]),
            )
        case ResourceKind.ROLE_TRUST:
            await _write_role(document, writer, name)
        case ResourceKind.ROLE_POLICIES:
            await _write_policies(document, writer)
        case ResourceKind.KEY_POLICY:
            assert after is not None, "a key always has a policy"
            await writer.put_key_policy(resource.arn, json.dumps(after))
        case _:
            await writer.put_event_destination_policy(resource.arn, after, before=document.before)


async def _write_role(document: DocumentDifference, writer: AccountWriter, name: str) -> None:
    role, before, after = document.resource.name, document.before, document.after
    if after is None:
        await writer.delete_role(role)
        return
    trust = json.dumps(after[TRUST_FIELD])
    if before is None:
        await writer.create_role(
            role,
            path=str(after["Path"]),
            trust=trust,
            description=f"Made by backfill setup for {name}",
            tags=cast("dict[str, str]", after["Tags"]),
        )
    else:
        await writer.put_role_trust(role, trust)


async def _write_policies(document: DocumentDifference, writer: AccountWriter) -> None:
    after: Fields = document.after or {}
    for change in document.changes:
        if change.action is Action.REMOVE:
            await writer.delete_role_policy(document.resource.name, change.identifier)
        elif change.action in {Action.ADD, Action.REPLACE}:
            policy = json.dumps(after[change.identifier])
            await writer.put_role_policy(document.resource.name, change.identifier, policy)
