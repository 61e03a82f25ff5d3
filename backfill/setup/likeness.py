"""Whether two statements, rules or notifications say the same, and whose they are.

Never decides what a policy allows: the same words in another order or form are alike, nothing else.
Law: where it is unsure it says `different`, and what differs is shown or left, never overwritten.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from backfill.setup.wanted import Fields, ResourceKind

_SETS: Final = frozenset({"Action", "NotAction", "Resource", "NotResource", "Events"})
_PRINCIPALS: Final = frozenset({"Principal", "NotPrincipal"})
_GONE: Final = re.compile(r"A(?:ROA|IDA)[A-Z0-9]{12,}")
"""What AWS shows for a role or user that was deleted (IAM User Guide: reference_identifiers)."""
READERS: Final = "BackfillReadersFor"


def are_alike(kind: ResourceKind, one: Fields, other: Fields) -> bool:
    """Return whether two items of such a document say the same."""
    return canonical(kind, one) == canonical(kind, other)


def canonical(kind: ResourceKind, item: Fields) -> str:
    """Return an item in one form, whatever order and shape it came in."""
    return json.dumps(_canonical(kind, item), sort_keys=True, ensure_ascii=True)


def _canonical(kind: ResourceKind, item: Fields) -> object:
    match kind:
        case ResourceKind.REPLICATION:
            return {**item, "Filter": _filter(item.get("Filter"))} if "Filter" in item else item
        case ResourceKind.ROLE_POLICIES:
            statements = item.get("Statement", ())
            rows = [statements] if isinstance(statements, Mapping) else statements
            if not isinstance(rows, Sequence) or isinstance(rows, str):
                return item
            return {
                **item,
                "Statement": [_statement(row) if isinstance(row, Mapping) else row for row in rows],
            }
        case _:
            return _statement(item)  # Of a notification only the events have no order.


def _statement(statement: Fields) -> Fields:
    return {name: _element(name, value) for name, value in statement.items()}


def _element(name: str, value: object) -> object:
    if name in _PRINCIPALS:
        named = {"AWS": value} if isinstance(value, str) else value
        if isinstance(named, Mapping):
            return {kind: _words(words) for kind, words in named.items()}
    if name in _SETS:
        words = _words(value)
        return sorted({word.lower() for word in words}) if "Action" in name else words
    if name == "Condition" and isinstance(value, Mapping):
        return {
            operator: {str(key).lower(): _words(words) for key, words in keys.items()}
            if isinstance(keys, Mapping)
            else keys
            for operator, keys in value.items()
        }
    return value


def _words(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted({word for each in value for word in _words(each)})
    return [str(value)]


def _filter(value: object) -> object:
    """A filter without conditions is one with an empty prefix; tags have no order."""
    if not isinstance(value, Mapping):
        return value
    whole = value.get("And")
    if isinstance(whole, Mapping):
        tags = whole.get("Tags", ())
        rows = tags if isinstance(tags, Sequence) else ()
        return {
            "Prefix": whole.get("Prefix", ""),
            "Tags": sorted(json.dumps(tag, sort_keys=True) for tag in rows),
        }
    if "Tag" in value:
        return {"Prefix": "", "Tags": [json.dumps(value["Tag"], sort_keys=True)]}
    return {"Prefix": value.get("Prefix", ""), "Tags": []}


def parties(kind: ResourceKind, item: Fields) -> frozenset[str]:
    """Return whom or what an item is about: so an edited item of ours is told from another's.

    A rule is about its destination bucket, a notification about its ARN, a statement about its
    principals: a service's about the bucket that it serves, readers' about the bucket they read,
    a guard about the roles that it exempts.
    """
    if kind is ResourceKind.REPLICATION:
        destination = item.get("Destination")
        bucket = destination.get("Bucket") if isinstance(destination, Mapping) else None
        return frozenset({str(bucket)})
    if kind is ResourceKind.NOTIFICATION:
        return frozenset(str(value) for name, value in item.items() if name.endswith("Arn"))
    return frozenset(_statement_parties(item))


def _statement_parties(statement: Fields) -> Iterator[str]:
    if str(statement.get("Sid", "")).startswith(READERS):
        yield from _condition(statement, "kms:encryptioncontext:aws:s3:arn")
        return
    if statement.get("Effect") == "Deny":
        yield from _condition(statement, "aws:principalarn")
        return
    principal = statement.get("Principal")
    if isinstance(principal, Mapping) and "AWS" in principal:
        yield from _words(principal["AWS"])
        return
    if sources := list(_condition(statement, "aws:sourcearn")):
        yield from sources
    elif isinstance(principal, Mapping) and "Service" in principal:
        yield from _words(principal["Service"])


def _condition(statement: Fields, key: str) -> Iterator[str]:
    conditions = statement.get("Condition")
    for keys in conditions.values() if isinstance(conditions, Mapping) else ():
        for name, words in keys.items() if isinstance(keys, Mapping) else ():
            if str(name).lower() == key:
                yield from _words(words)


def is_about_the_gone(kind: ResourceKind, one: Fields, other: Fields) -> bool:
    """Return whether `one` is `other`, but for a role that was deleted since.

    AWS then shows the role's unique ID, and the statement grants nothing to a new role of its name.
    """
    principal = one.get("Principal")
    words = (
        _words(principal["AWS"]) if isinstance(principal, Mapping) and "AWS" in principal else []
    )
    return bool(words) and any(_GONE.fullmatch(word) for word in words) and are_alike(
        kind, {**one, "Principal": None}, {**other, "Principal": None}
    )  # fmt: skip
