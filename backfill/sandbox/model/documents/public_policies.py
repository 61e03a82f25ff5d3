"""Whether a bucket policy is public, as S3 Block Public Access sees it.

Never decides about a request. (UG: access-control-block-public-access, the meaning of "public".)
Law: a statement for everybody is public unless it is narrowed to fixed values of a key that names
who or where.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

_NARROWING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
_FIXING = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress"})
_WHOLE_INTERNET = frozenset({"0.0.0.0/0", "::/0"})


def is_public(document: str) -> bool:
    """Whether the policy lets somebody in whom nothing names."""
    found = json.loads(document)
    statements = found.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return any(_is_open(one) for one in listed if isinstance(one, dict))


def _is_open(statement: Mapping[str, object]) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    if "*" not in (named if isinstance(named, list) else [named]):
        return False
    conditions = statement.get("Condition")
    return not (isinstance(conditions, dict) and _is_narrowed(conditions))


def _is_narrowed(conditions: Mapping[str, object]) -> bool:
    for operator, keys in conditions.items():
        if operator not in _FIXING or not isinstance(keys, dict):
            continue
        for key, raw in keys.items():
            values = raw if isinstance(raw, list) else [raw]
            if key.lower() in _NARROWING and all(_is_fixed(value) for value in values):
                return True
    return False


def _is_fixed(value: object) -> bool:
    return isinstance(value, str) and "*" not in value and value not in _WHOLE_INTERNET
