"""A difference as lines for a terminal, and as a document for programs.

Never colours and never prints: the command line does. What stands in documents is hostile: what
could move a cursor or hide is written as an escape, so that each line is one line.
Law: every change has a line with its reason; what is refused or changed shows both texts.
"""

import difflib
import enum
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.model.escaping import visible_text
from backfill.setup.wanted import Action, Change, Difference, DocumentDifference, Fields


class LineKind(enum.StrEnum):
    """What a line is, so that a caller may colour it."""

    HEADING = "heading"
    CHANGE = "change"
    KEPT = "kept"
    REFUSED = "refused"
    ADDED = "added"
    TAKEN = "taken"
    CONTEXT = "context"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a plan, without its end."""

    kind: LineKind
    text: str


_SIGNS: Final = {
    Action.ADD: "+",
    Action.REPLACE: "~",
    Action.KEEP: "=",
    Action.REMOVE: "-",
    Action.LEAVE: "=",
    Action.REFUSE: "!",
}
_KINDS: Final = {
    Action.KEEP: LineKind.KEPT,
    Action.LEAVE: LineKind.KEPT,
    Action.REFUSE: LineKind.REFUSED,
}
_MARKS: Final = {"+": LineKind.ADDED, "-": LineKind.TAKEN, " ": LineKind.CONTEXT}


TEXTS: Final = frozenset(_MARKS.values())
"""Lines of the documents' own texts; without them a plan is its headings and reasons."""


def lines_of(difference: Difference) -> Iterator[Line]:
    """Give the plan: per account, per document, per part with its reason; then the notes.

    Within an account documents stand in the order in which they are written.
    """
    owners = dict.fromkeys(_owner(document) for document in difference.documents)
    for owner in owners:
        yield Line(kind=LineKind.HEADING, text=visible_text(owner))
        for document in difference.documents:
            if _owner(document) == owner:
                yield from _document(document)
    for note in difference.notes:
        yield Line(kind=LineKind.NOTE, text=f"note: {visible_text(note)}")


def _owner(document: DocumentDifference) -> str:
    return f"{document.resource.side.value} account {document.resource.account}"


def _document(document: DocumentDifference) -> Iterator[Line]:
    yield Line(kind=LineKind.HEADING, text=f"  {visible_text(document.resource.title)}")
    if document.unread is not None:
        said = " ".join(filter(None, (document.unread.operation, document.unread.code)))
        reason = f"    ? could not be read ({said}): what follows is as if it were empty"
        yield Line(kind=LineKind.REFUSED, text=visible_text(reason))
    for change in document.changes:
        yield from _change(change)
    for note in document.notes:
        yield Line(kind=LineKind.NOTE, text=f"    note: {visible_text(note)}")


def _change(change: Change) -> Iterator[Line]:
    what = f" {change.identifier}" if change.identifier else ""
    text = f"    {_SIGNS[change.action]} {change.action.value}{what}: {change.reason}"
    yield Line(kind=_KINDS.get(change.action, LineKind.CHANGE), text=visible_text(text))
    if change.action in {Action.KEEP, Action.LEAVE}:
        return
    before, after = _texts(change.before), _texts(change.after)
    for line in difflib.ndiff(before, after) if before != after else ():
        if line[0] in _MARKS:  # `?` lines point at letters; reasons say enough.
            yield Line(kind=_MARKS[line[0]], text=f"        {line}")


def _texts(fields: Fields | None) -> list[str]:
    return [] if fields is None else shown(fields).splitlines()


def shown(fields: Fields) -> str:
    """Return a document as JSON that a terminal shows as it is: still valid, nothing invisible."""
    text = json.dumps(fields, indent=2, ensure_ascii=False, default=str)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        mark if mark in "\n\\" or visible_text(mark) == mark else _escaped(mark) for mark in text
    )


def _escaped(mark: str) -> str:
    return json.dumps(mark)[1:-1] if not mark.isascii() else f"\\u{ord(mark):04x}"


def document_of(difference: Difference) -> dict[str, object]:
    """Return the whole difference for `--json`: documents before and after, changes, notes."""
    return {
        "name": difference.name,
        "is_refused": difference.is_refused,
        "is_change": difference.is_change,
        "notes": list(difference.notes),
        "documents": [_document_fields(document) for document in difference.documents],
    }


def _document_fields(document: DocumentDifference) -> dict[str, object]:
    resource, unread = document.resource, document.unread
    return {
        "side": resource.side.value,
        "kind": resource.kind.value,
        "arn": resource.arn,
        "account": resource.account,
        "region": resource.region,
        "unread": None
        if unread is None
        else {"operation": unread.operation, "code": unread.code, "message": unread.message},
        "changes": [
            {
                "identifier": change.identifier,
                "action": change.action.value,
                "reason": change.reason,
                "before": change.before,
                "after": change.after,
            }
            for change in document.changes
        ],
        "before": document.before,
        "after": document.after,
        "notes": list(document.notes),
    }


def counted(documents: Sequence[DocumentDifference]) -> dict[Action, int]:
    """Return how many parts each action meets, for a summary line."""
    found = [change.action for document in documents for change in document.changes]
    return {action: found.count(action) for action in Action}
