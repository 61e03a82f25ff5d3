"""Every document of both accounts of a sandbox, each as the set of its parts, to be compared.

    before = document_picture(sandbox, iam, "site-7")
    ...
    lost(before, document_picture(sandbox, iam, "site-7"))

Read from the sandbox itself and by IAM's own client, never by the product.
Law: a document that says the same in another order is the same; nothing else is.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.service import Sandbox

Parts = frozenset[str]
Picture = Mapping[tuple[str, str], Parts]
"""By kind of document and what it is of."""


def document_picture(sandbox: Sandbox, iam: Any, roles: str) -> Picture:
    """Return the documents of all buckets and keys, and of the roles whose names begin so."""
    picture: dict[tuple[str, str], Parts] = {}
    with sandbox.held() as model:
        for bucket in model.world.buckets.values():
            picture |= {(kind, bucket.name): parts for kind, parts in _of_bucket(bucket)}
        for arn, policy in sandbox.key_policies.items():
            picture["key policy", arn] = _statements(policy)
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith(roles):
                picture |= _of_role(iam, role)
    return picture


def lost(before: Picture, after: Picture, *, of: Picture | None = None) -> list[str]:
    """Return what stood in a document and does not any more; of what `of` held, too, if given."""
    return [
        f"{kind} of {name}: {part}"
        for (kind, name), parts in before.items()
        for part in parts - after.get((kind, name), frozenset())
        if of is None or part in of.get((kind, name), frozenset())
    ]


def _of_bucket(bucket: Bucket) -> Iterable[tuple[str, Parts]]:
    replication, notifications = bucket.replication, bucket.notifications
    yield "bucket policy", _statements(bucket.policy)
    yield "replication", _elements(replication.document if replication else None)
    yield "notification", _elements(notifications.document if notifications else None)
    yield "lifecycle", _elements(bucket.lifecycle)
    yield "encryption", frozenset({f"{bucket.encryption} {bucket.blocks_sse_c}"})
    yield "versioning", frozenset({str(bucket.versioning)})
    yield "lock", frozenset({f"{bucket.is_object_lock_enabled} {bucket.default_retention}"})
    yield "ownership", frozenset({bucket.object_ownership})
    yield "public access", frozenset({str(bucket.public_access_block)})
    yield "request payment", frozenset({str(bucket.is_requester_pays)})


def _of_role(iam: Any, role: Mapping[str, Any]) -> Picture:
    name = role["RoleName"]
    inline: set[str] = set()
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        held = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        inline |= {f"{policy}: {part}" for part in _statements(held)}
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    boundary = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary")
    return {
        ("trust policy", name): _statements(role["AssumeRolePolicyDocument"]),
        ("inline policies", name): frozenset(inline),
        ("attached policies", name): frozenset(each["PolicyArn"] for each in attached),
        ("boundary", name): frozenset({json.dumps(boundary, sort_keys=True)}),
    }


def _statements(policy: str | Mapping[str, Any] | None) -> Parts:
    if policy is None:
        return frozenset()
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return frozenset(json.dumps(each, sort_keys=True) for each in listed)


def _elements(document: str | None) -> Parts:
    if document is None:
        return frozenset()
    return frozenset(_told(element) for element in ET.fromstring(document))  # noqa: S314 - the sandbox's own


def _told(element: ET.Element) -> str:
    """Return an element with all beneath it, in an order of its own."""
    name = element.tag.rpartition("}")[2]
    beneath = ", ".join(sorted(map(_told, element)))
    return f"{name}({(element.text or '').strip()}{beneath})"
