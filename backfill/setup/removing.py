"""Takes out of a document what setup put there, and nothing else.

Never takes away what somebody changed: it is told and left. Versioning, Object Lock, encryption and
buckets stay, since others live by them.
Law: `removed(merged(document)) == document`, but that a lone statement may then stand in a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from backfill.model.accounts import Unread
from backfill.setup.configuration import is_own_identifier
from backfill.setup.layouts import LIST_KINDS, Item, OddDocumentError, items_of, with_items
from backfill.setup.likeness import are_alike, is_about_the_gone
from backfill.setup.statements import is_own_sid
from backfill.setup.wanted import (
    ROLE_TAG,
    Action,
    Actual,
    Change,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    WantedPart,
)

_GONE: Final = frozenset(
    {"NoSuchBucket", "NotFoundException", "NotFound"}  # A bucket; a key; a queue, topic, function.
)


def removed(
    resource: Resource,
    parts: Sequence[WantedPart],
    actual: Actual,
    *,
    name: str,
    still_needed: str = "",
) -> DocumentDifference:
    """Return what becomes of one document when the parts are taken out of it.

    `still_needed` says why nothing of it may go yet: a rule that stays uses it.
    """
    if isinstance(actual, Unread) and _is_gone(actual):
        return DocumentDifference(
            resource=resource,
            changes=(),
            before=None,
            after=None,
            notes=(f"it is gone ({actual.code}), and what setup made of it with it",),
        )
    if actual is None or isinstance(actual, Unread):
        return DocumentDifference(
            resource=resource, changes=(), before=None, after=None, unread=actual
        )
    before = actual.fields
    removal = _Removal(resource=resource, parts=parts, before=before, name=name)
    after: Fields | None
    if still_needed or resource.kind not in LIST_KINDS:
        after = removal.leave_all(still_needed or "stays: others may live by it by now")
    else:
        try:
            after = removal.after()
        except OddDocumentError as error:
            after = removal.leave_all(f"the document has a shape that setup does not know: {error}")
    is_change = any(change.action is Action.REMOVE for change in removal.changes)
    if is_change and actual.unmodelled:
        words = ", ".join(actual.unmodelled)
        reason = f"this version's SDK does not know, and would lose: {words}"
        removal.leave(Action.REFUSE, "", reason)
        after = before
    return DocumentDifference(
        resource=resource, changes=tuple(removal.changes), before=before, after=after
    )


def _is_gone(unread: Unread) -> bool:
    # An account has one role of a name: where that one's ARN is another, ours was deleted.
    is_other_role = unread.operation == "GetRole" and unread.code.startswith("its ARN is ")
    return is_other_role or unread.code in _GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Removal:
    """A document that is being emptied of what is ours."""

    resource: Resource
    parts: Sequence[WantedPart]
    before: Fields
    name: str
    changes: list[Change] = field(default_factory=list)

    def leave_all(self, reason: str) -> Fields:
        for part in self.parts:
            self.leave(Action.LEAVE, part.identifier, reason)
        return self.before

    def leave(self, action: Action, identifier: str, reason: str) -> None:
        self.changes.append(
            Change(
                resource=self.resource,
                identifier=identifier,
                action=action,
                reason=reason,
                before=self.before if not identifier else None,
                after=self.before if not identifier else None,
            )
        )

    def after(self) -> Fields | None:
        kind = self.resource.kind
        items = items_of(kind, self.before)
        wanted = {part.identifier: part for part in self.parts}
        if kind is ResourceKind.ROLE_TRUST:
            if reason := self._role_stays():
                return self.leave_all(reason)
            # A role that others use stays with its name and tags, and loses our trust alone.
            if any(item.identifier not in wanted for item in items):
                self.leave(Action.LEAVE, "", "others are trusted by the role, too")
        kept = [item for item in items if not self._goes(item, wanted)]
        if not kept and _has_always_a_policy(self.resource):
            self.changes.clear()
            return self.leave_all("it cannot be without a policy, and nothing else stands in it")
        if kept or kind is ResourceKind.ROLE_POLICIES:
            if "" in wanted and kind is ResourceKind.REPLICATION:
                self.leave(Action.LEAVE, "", "the rules that stay replicate as this role")
            return with_items(kind, self.before, kept) if len(kept) < len(items) else self.before
        return self._emptied(items)

    def _emptied(self, items: Sequence[Item]) -> Fields | None:
        """Return a document of which no item is left: gone, unless it says something else."""
        kind = self.resource.kind
        if kind is ResourceKind.NOTIFICATION:
            return with_items(kind, self.before, ()) if items else self.before
        if not items:
            return self.before
        for part in self.parts:
            if not part.identifier:
                reason = (
                    "nothing is left in it" if kind is ResourceKind.REPLICATION else part.reason
                )
                self.changes.append(
                    Change(
                        resource=self.resource,
                        identifier="",
                        action=Action.REMOVE,
                        reason=reason,
                        before=self.before,
                    )
                )
        return None

    def _goes(self, item: Item, wanted: dict[str, WantedPart]) -> bool:
        part = wanted.get(item.identifier) if item.identifier is not None else None
        if part is None:
            word = item.identifier
            if word is not None and (
                is_own_sid(word, self.name) or is_own_identifier(word, self.name)
            ):
                self._change(item, Action.LEAVE, "the spec does not ask for it: left as it is")
            return False
        if not self._is_as_made(item, part):
            self._change(item, Action.LEAVE, "somebody changed it since: left as it is")
            return False
        self._change(item, Action.REMOVE, "setup made it")
        return True

    def _is_as_made(self, item: Item, part: WantedPart) -> bool:
        content = dict(item.content)
        if self.resource.kind is ResourceKind.REPLICATION and "Priority" not in part.content:
            content.pop("Priority", None)  # Chosen when it was laid in: any is ours.
        kind = self.resource.kind
        return are_alike(kind, content, part.content) or is_about_the_gone(
            kind, content, part.content
        )

    def _change(self, item: Item, action: Action, reason: str) -> None:
        self.changes.append(
            Change(
                resource=self.resource,
                identifier=item.identifier or "",
                action=action,
                reason=reason,
                before=item.content,
                after=None if action is Action.REMOVE else item.content,
            )
        )

    def _role_stays(self) -> str:
        """Return why the role stays as it is; empty where it is ours, without others' policies."""
        tags = self.before.get("Tags")
        if not isinstance(tags, dict) or tags.get(ROLE_TAG) != self.name:
            return "the role was not made by this set-up"
        policies = self.before.get("Policies", ())
        words = policies if isinstance(policies, list | tuple) else ()
        others = [str(word) for word in words if not is_own_identifier(word, self.name)]
        return f"it has policies of others: {', '.join(others)}" if others else ""


def _has_always_a_policy(resource: Resource) -> bool:
    """Whether AWS keeps no such thing without a policy: keys and topics (KMS, SNS API)."""
    return resource.kind is ResourceKind.KEY_POLICY or resource.arn.split(":")[2] == "sns"
