"""Whose a part is that has this set-up's name: this record's, or that of another set-up so named.

Never reads and never writes. What stands there word for word as it is wanted is taken over into
the record, so that a lost record can be had again.
Law: apply replaces and drops only what the record holds; of anything else it says whose it may be.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from backfill.setup.configuration import is_own_identifier
from backfill.setup.layouts import LIST_KINDS
from backfill.setup.likeness import is_about_the_gone
from backfill.setup.record import MadePart, Record
from backfill.setup.statements import is_own_sid
from backfill.setup.wanted import Action, Change, Difference, DocumentDifference, ResourceKind

_OTHERS: Final = (
    "another set-up of this name, not recorded here: --record DIR of the first one, or another"
    " `name`. Is it yours and the record lost, apply the spec that made it: what stands there word"
    " for word is taken over"
)
_TAKEN_OVER: Final = "not recorded here: apply takes it over, and destroy takes it away"


def owned(difference: Difference, record: Record) -> Difference:
    """Return a difference that takes nothing from another set-up of the same name."""
    documents = tuple(_owned(document, record) for document in difference.documents)
    return replace(difference, documents=documents)


def taking_over(record: Record, document: DocumentDifference) -> Record:
    """Return the record with what stands in a document as it is wanted, and is not in it yet."""
    if document.is_refused:
        return record
    new = [
        MadePart(
            resource=document.resource, identifier=change.identifier, contents=(change.before,)
        )
        for change in _strays(document, record)
        if change.before is not None
    ]
    return replace(record, parts=(*record.parts, *new))


def _held(document: DocumentDifference, record: Record) -> frozenset[str]:
    return frozenset(part.identifier for part in record.parts_of(document.resource))


def _strays(document: DocumentDifference, record: Record) -> Iterator[Change]:
    """Give what is kept, ours by its name or its tag, and not recorded."""
    if document.resource.kind not in LIST_KINDS or document.unread is not None:
        return
    held = _held(document, record)
    for change in document.changes:
        word = change.identifier
        is_named = is_own_sid(word, record.name) or is_own_identifier(word, record.name)
        # A role that is kept has our tag.
        is_role = not word and document.resource.kind is ResourceKind.ROLE_TRUST
        if change.action is Action.KEEP and (is_named or is_role) and word not in held:
            yield change


def _owned(document: DocumentDifference, record: Record) -> DocumentDifference:
    if document.resource.kind not in LIST_KINDS or document.unread is not None:
        return document
    strays = {change.identifier for change in _strays(document, record)}
    held = _held(document, record)
    changes = []
    for change in document.changes:
        if change.identifier in strays and change.action is Action.KEEP:
            changes.append(replace(change, reason=f"{change.reason}; {_TAKEN_OVER}"))
        elif _is_anothers(change, document, held):
            changes.append(replace(change, action=Action.REFUSE, reason=_OTHERS))
        else:
            changes.append(change)
    return replace(document, changes=tuple(changes))


def _is_anothers(change: Change, document: DocumentDifference, held: frozenset[str]) -> bool:
    if change.action not in {Action.REPLACE, Action.REMOVE} or change.identifier in held:
        return False
    if not change.identifier:
        # The one role of all rules, which are this set-up's by name: are they by record?
        there = [each.identifier for each in document.changes if each.before is not None]
        return not all(identifier in held for identifier in there if identifier)
    # Nobody is let in by a statement that names a deleted role, so that nobody loses by its mend.
    is_mend = change.action is Action.REPLACE and is_about_the_gone(
        document.resource.kind, change.before or {}, change.after or {}
    )
    return not is_mend
