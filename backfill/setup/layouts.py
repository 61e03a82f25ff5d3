"""Documents as lists of identified items: statements, rules, notifications, inline policies.

Never compares and never changes an item: what is taken out of a document goes back as it was.
Law: `with_items(kind, fields, items_of(kind, fields))` is the document itself, but that a lone
statement may stand in a list afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from backfill.setup.configuration import EVENT_LISTS
from backfill.setup.statements import VERSION
from backfill.setup.wanted import Fields, ResourceKind

TRUST_FIELD: Final = "AssumeRolePolicyDocument"
POLICY_KINDS: Final = frozenset(
    {ResourceKind.BUCKET_POLICY, ResourceKind.KEY_POLICY, ResourceKind.EVENT_DESTINATION_POLICY}
)
LIST_KINDS: Final = POLICY_KINDS | {
    ResourceKind.ROLE_TRUST,
    ResourceKind.ROLE_POLICIES,
    ResourceKind.REPLICATION,
    ResourceKind.NOTIFICATION,
}
_LISTS: Final = tuple(name for name, _ in EVENT_LISTS.values())
_ARN_FIELDS: Final = {field: name for name, field in EVENT_LISTS.values()}


class OddDocumentError(ValueError):
    """The document has a shape in which nothing can be merged; the text says what was met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One element of a document. `identifier` is None where it has none; `list_name` its list."""

    identifier: str | None
    content: Fields
    list_name: str = ""


def items_of(kind: ResourceKind, fields: Fields | None) -> tuple[Item, ...]:
    """Return the items of a document, in its order.

    Raises:
        OddDocumentError: An element that should be a list or a mapping is something else.
    """
    if fields is None:
        return ()
    if kind is ResourceKind.ROLE_TRUST:
        trust = fields.get(TRUST_FIELD)
        return _rows("Statement", _mapping(trust, TRUST_FIELD).get("Statement", ()), "Sid")
    if kind in POLICY_KINDS:
        return _rows("Statement", fields.get("Statement", ()), "Sid")
    if kind is ResourceKind.REPLICATION:
        return _rows("Rules", fields.get("Rules", ()), "ID")
    if kind is ResourceKind.NOTIFICATION:
        return tuple(item for name in _LISTS for item in _rows(name, fields.get(name, ()), "Id"))
    assert kind is ResourceKind.ROLE_POLICIES, "other kinds hold no items"
    return tuple(
        Item(identifier=name, content=_mapping(content, name)) for name, content in fields.items()
    )


def item_of(kind: ResourceKind, identifier: str, content: Fields) -> Item:
    """Return a new item for a part, with the list that it belongs into."""
    name = ""
    if kind is ResourceKind.NOTIFICATION:
        name = next(_ARN_FIELDS[field] for field in content if field in _ARN_FIELDS)
    return Item(identifier=identifier, content=content, list_name=name)


def with_items(
    kind: ResourceKind, fields: Fields | None, items: Sequence[Item]
) -> dict[str, object]:
    """Return the document with these items instead of its own, all else as it was."""
    rest = dict(fields or {})
    contents = [item.content for item in items]
    if kind is ResourceKind.ROLE_TRUST:
        trust = dict(_mapping(rest.get(TRUST_FIELD, {"Version": VERSION}), TRUST_FIELD))
        return {**rest, TRUST_FIELD: {**trust, "Statement": contents}}
    if kind in POLICY_KINDS:
        return {**(rest or {"Version": VERSION}), "Statement": contents}
    if kind is ResourceKind.REPLICATION:
        return {**rest, "Rules": contents}
    if kind is ResourceKind.NOTIFICATION:
        for name in _LISTS:
            rows = [item.content for item in items if item.list_name == name]
            if rows or name in rest:
                rest[name] = rows
        return {name: value for name, value in rest.items() if name not in _LISTS or value}
    assert kind is ResourceKind.ROLE_POLICIES, "other kinds hold no items"
    return {str(item.identifier): item.content for item in items}


def _rows(name: str, value: object, identifier: str) -> tuple[Item, ...]:
    if isinstance(value, Mapping):  # A lone statement may stand without a list.
        value = (value,)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise OddDocumentError(f"{name} is no list")
    rows = [_mapping(row, name) for row in value]
    named = [row.get(identifier) for row in rows]
    return tuple(
        Item(
            identifier=word if isinstance(word, str) and word else None, content=row, list_name=name
        )
        for word, row in zip(named, rows, strict=True)
    )


def _mapping(value: object, name: str) -> Fields:
    if not isinstance(value, Mapping):
        raise OddDocumentError(f"{name} holds what is no element")
    return cast("Fields", value)
