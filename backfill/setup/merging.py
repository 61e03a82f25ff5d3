"""Lays what is wanted into a document as it is, part by part; what others put there stays.

Never writes and never reorders: others' items keep their place and every field.
Law: where a part cannot be laid in without touching another's, the document is refused with both
texts, and nothing of it is written.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from backfill.model.accounts import Unread
from backfill.setup.collisions import collisions, overlapping
from backfill.setup.configuration import is_own_identifier
from backfill.setup.layouts import (
    LIST_KINDS,
    Item,
    OddDocumentError,
    item_of,
    items_of,
    with_items,
)
from backfill.setup.likeness import are_alike, is_about_the_gone, parties
from backfill.setup.limits import limit_refusals
from backfill.setup.priorities import with_priorities
from backfill.setup.recognising import copied_policy_notes
from backfill.setup.settings import merged_setting, role_change, role_name_change
from backfill.setup.statements import is_own_sid
from backfill.setup.wanted import (
    Action,
    Actual,
    Change,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    WantedPart,
)


def merged(
    resource: Resource, parts: Sequence[WantedPart], actual: Actual, *, name: str
) -> DocumentDifference:
    """Return what becomes of one document when the parts are laid into it.

    Args:
        resource: The document.
        parts: What it must hold, all of that resource.
        actual: The document as it was read.
        name: The set-up's name, by which its own items are known again.
    """
    assert all(part.resource == resource for part in parts), "parts of one document"
    before = None if actual is None or isinstance(actual, Unread) else actual.fields
    try:
        made = _merged(resource, parts, before, name)
    except OddDocumentError as error:
        refused = _refusal(resource, f"the document has a shape that setup does not know: {error}")
        return DocumentDifference(
            resource=resource, changes=(refused,), before=before, after=before
        )
    if isinstance(actual, Unread):
        return replace(made, unread=actual)
    if not made.is_change:
        return made
    refusals = list(limit_refusals(resource, made.after))
    if actual is not None and actual.unmodelled:
        refusals.append(
            "the document holds what this version's SDK does not know, and would lose it:"
            f" {', '.join(actual.unmodelled)}"
        )
    added = tuple(_refusal(resource, reason) for reason in refusals)
    return replace(made, changes=(*made.changes, *added))


def _merged(
    resource: Resource, parts: Sequence[WantedPart], before: Fields | None, name: str
) -> DocumentDifference:
    if resource.kind not in LIST_KINDS:
        after, changes = merged_setting(resource, parts, before)
        return DocumentDifference(resource=resource, changes=changes, before=before, after=after)
    head = [part for part in parts if not part.identifier]
    body = [part for part in parts if part.identifier]
    items = items_of(resource.kind, before)
    laid = _Laid(resource=resource, name=name, items=items)
    others = [item for item in items if not laid.is_own(item.identifier)]
    if resource.kind is ResourceKind.REPLICATION:
        body = with_priorities(body, items)
    fields: dict[str, object] = dict(before or {})
    for part in head:
        change = (
            role_change(part, before)
            if resource.kind is ResourceKind.ROLE_TRUST
            else role_name_change(part, before, has_others=bool(others))
        )
        laid.changes.append(change)
        if change.action in {Action.ADD, Action.REPLACE}:
            fields = {**fields, **part.content}
    for part in body:
        laid.lay(part)
    laid.drop_stale(parts, has_own_role=_has_own_role(head, before))
    laid.changes.extend(collisions(resource, body, others))
    return DocumentDifference(
        resource=resource,
        changes=tuple(laid.changes),
        before=before,
        after=with_items(resource.kind, fields, laid.after),
        notes=(*overlapping(body, others), *copied_policy_notes(resource, body, others)),
    )


def _has_own_role(head: Sequence[WantedPart], before: Fields | None) -> bool:
    """Whether a replication configuration names the wanted role already: then it is ours to keep.

    Roles and their policies were known by their tag before this is asked.
    """
    return before is not None and all(
        before.get(word) == value
        for part in head
        for word, value in part.content.items()
        if word == "Role"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Laid:
    """A document in the making: its items, and what became of each part."""

    resource: Resource
    name: str
    items: Sequence[Item]
    changes: list[Change] = field(default_factory=list)
    replaced: dict[str, Fields | None] = field(default_factory=dict)
    added: list[Item] = field(default_factory=list)

    @property
    def after(self) -> list[Item]:
        """The items as they will stand: in their places, new ones behind."""
        kept: list[Item] = []
        for item in self.items:
            if item.identifier not in self.replaced:
                kept.append(item)
            elif (content := self.replaced[item.identifier]) is not None:
                kept.append(replace(item, content=content))
        return [*kept, *self.added]

    def is_own(self, identifier: str | None) -> bool:
        """Whether an identifier is this set-up's."""
        return is_own_sid(identifier, self.name) or is_own_identifier(identifier, self.name)

    def lay(self, part: WantedPart) -> None:
        """Lay one part in."""
        there = [item for item in self.items if item.identifier == part.identifier]
        if not there:
            self.added.append(item_of(self.resource.kind, part.identifier, part.content))
            self._change(part, Action.ADD, part.reason, before=None)
            return
        before = there[0].content
        if len(there) > 1:
            reason = f"{len(there)} elements have the identifier {part.identifier}: which is ours?"
            self._change(part, Action.REFUSE, reason, before=before)
        elif are_alike(self.resource.kind, before, part.content):
            self._change(part, Action.KEEP, part.reason, before=before)
        elif self._is_ours(before, part.content):
            self.replaced[part.identifier] = part.content
            reason = f"{part.reason}; what stands there says something else"
            self._change(part, Action.REPLACE, reason, before=before)
        else:
            reason = (
                f"{part.identifier} is there and is about something else: another set-up of this"
                " name? Give the spec another `name`, or settle it by hand"
            )
            self._change(part, Action.REFUSE, reason, before=before)

    def _is_ours(self, before: Fields, content: Fields) -> bool:
        kind = self.resource.kind
        if kind is ResourceKind.ROLE_POLICIES:
            return True  # By its name: `backfill.NAME.` is nobody else's within one role.
        return bool(parties(kind, before) & parties(kind, content)) or is_about_the_gone(
            kind, before, content
        )

    def _change(
        self, part: WantedPart, action: Action, reason: str, *, before: Fields | None
    ) -> None:
        self.changes.append(
            Change(
                resource=self.resource,
                identifier=part.identifier,
                action=action,
                reason=reason,
                before=before,
                after=before if action is Action.KEEP else part.content,
            )
        )

    def drop_stale(self, parts: Sequence[WantedPart], *, has_own_role: bool) -> None:
        """Take away what an earlier spec of this name asked for and this one does not."""
        wanted = {part.identifier for part in parts}
        ours = {
            party
            for part in parts
            if part.identifier
            for party in parties(self.resource.kind, part.content)
        }
        for item in self.items:
            if item.identifier in wanted or not self.is_own(item.identifier):
                continue
            assert item.identifier is not None, "an own identifier is a word"
            is_known = (
                has_own_role
                if self.resource.kind is ResourceKind.REPLICATION
                else self.resource.kind in {ResourceKind.ROLE_POLICIES, ResourceKind.NOTIFICATION}
                or parties(self.resource.kind, item.content) <= ours
            )
            if is_known:
                self.replaced[item.identifier] = None
            self.changes.append(
                Change(
                    resource=self.resource,
                    identifier=item.identifier,
                    action=Action.REMOVE if is_known else Action.LEAVE,
                    reason="an earlier spec of this name asked for it, this one does not"
                    if is_known
                    else "it has this set-up's name and is about something else: left as it is",
                    before=item.content,
                    after=None if is_known else item.content,
                )
            )


def _refusal(resource: Resource, reason: str) -> Change:
    return Change(resource=resource, identifier="", action=Action.REFUSE, reason=reason)


def text_of(fields: Fields | None) -> str:
    """Return a document as JSON for eyes and for putting; absent: empty."""
    return "" if fields is None else json.dumps(fields, indent=2, ensure_ascii=False)
