"""What apply would write and what destroy would take away, document by document.

Never reads and never writes: it is given every document as it was read.
Law: the same wanted parts and documents give the same difference; an empty one means nothing to do.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from backfill.model.accounts import Unread
from backfill.setup.layouts import items_of
from backfill.setup.merging import merged
from backfill.setup.removing import removed
from backfill.setup.wanted import (
    NOT_ASKED,
    NOT_THERE,
    Action,
    Actual,
    Change,
    Difference,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Wanted,
)

_USERS = frozenset({ResourceKind.REPLICATION, ResourceKind.NOTIFICATION})
"""Documents that use what stands in others."""


def differences(wanted: Wanted, actual: Mapping[Resource, Actual]) -> Difference:
    """Return what apply would write, in the safe order."""
    documents = []
    made_queues = {each.arn for each in wanted.resources if each.kind is ResourceKind.QUEUE}
    for resource in wanted.resources:
        found = actual.get(resource, NOT_ASKED)
        if resource.arn in made_queues and isinstance(found, Unread) and found.code == NOT_THERE:
            found = None  # Its policy comes after it.
        made = merged(resource, wanted.parts_of(resource), found, name=wanted.name)
        if found is None and resource.arn in wanted.expects:
            made = _missing_role(made)
        documents.append(made)
    return Difference(name=wanted.name, documents=tuple(documents), notes=wanted.notes)


def removals(
    wanted: Wanted,
    actual: Mapping[Resource, Actual],
    *,
    standing: Iterable[DocumentDifference] = (),
) -> Difference:
    """Return what destroy would take away, users first: rules before roles and policies.

    `standing` are documents that stay because the spec asks for them: what their rules name stays.
    """
    documents: list[DocumentDifference] = []
    used: dict[str, str] = {}
    named = {
        f"{document.resource.title} still names it": json.dumps(document.after, default=str)
        for document in standing
        if document.resource.kind in _USERS
    }
    for resource in reversed(wanted.resources):
        parts = wanted.parts_of(resource)
        text = json.dumps([resource.arn, *(part.content for part in parts)], default=str)
        why = next((why for arn, why in used.items() if f'"{arn}"' in text), "")
        quoted_arn = f'"{resource.arn}"'
        why = why or next((why for why, names in named.items() if quoted_arn in names), "")
        is_user = resource.kind in _USERS
        made = removed(
            resource,
            parts,
            actual.get(resource, NOT_ASKED),
            name=wanted.name,
            still_needed="" if is_user else why,
        )
        documents.append(made)
        if is_user:
            asked = [part.content for part in parts]
            used |= dict.fromkeys(_used_by(made, asked), f"{resource.title} still uses it")
    return Difference(name=wanted.name, documents=tuple(documents))


def _used_by(document: DocumentDifference, asked: list[Fields]) -> Iterator[str]:
    """Give the ARNs that a document goes on using; of an unread one all that it may use.

    One that is left to its owner keeps nothing back: who takes one side away is shown what goes.
    """
    if document.unread == NOT_ASKED:
        return
    if document.unread is not None or document.is_refused:
        for content in asked:
            yield from _arns(content)
    elif document.after is not None:
        yield from _arns(document.after)
        if document.resource.kind is ResourceKind.NOTIFICATION:
            for item in items_of(document.resource.kind, document.after):
                yield from _arns(item.content)


def _arns(content: Fields) -> Iterator[str]:
    for name in ("Role", "QueueArn", "TopicArn", "LambdaFunctionArn"):
        if isinstance(value := content.get(name), str):
            yield value


def _missing_role(made: DocumentDifference) -> DocumentDifference:
    refusal = Change(
        resource=made.resource,
        identifier="",
        action=Action.REFUSE,
        reason="the spec names this role as an existing one, and it is not there",
    )
    return DocumentDifference(
        resource=made.resource, changes=(*made.changes, refusal), before=None, after=made.after
    )
