"""Whose a part is, document by document: what is recorded is ours, the rest only as it stands."""

from dataclasses import replace

import pytest

from backfill.model.accounts import Unread
from backfill.setup.owning import owned, taking_over
from backfill.setup.record import MadePart, Record
from backfill.setup.wanted import (
    Action,
    Change,
    Difference,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
)

OURS = "BackfillBucketForPhotos"
RULE = "backfill.photos.all"
BEFORE: Fields = {"Sid": OURS, "Principal": {"AWS": "arn:a"}}
AFTER: Fields = {"Sid": OURS, "Principal": {"AWS": "arn:b"}}
GONE: Fields = {"Sid": OURS, "Principal": {"AWS": "AROAEXAMPLEEXAMPLE"}}


def resource(kind: ResourceKind) -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn="arn:aws:s3:::photos", account="1")


def document(kind: ResourceKind, *changes: tuple[str, Action, Fields | None]) -> DocumentDifference:
    of = resource(kind)
    made = tuple(
        Change(resource=of, identifier=word, action=action, reason="why", before=was, after=AFTER)
        for word, action, was in changes
    )
    return DocumentDifference(resource=of, changes=made, before={}, after={})


def record(kind: ResourceKind, *held: str) -> Record:
    parts = (MadePart(resource=resource(kind), identifier=each, contents=({},)) for each in held)
    return Record(name="photos", parts=tuple(parts))


def said(one: DocumentDifference, of: Record) -> list[tuple[Action, str]]:
    made = Difference(name="photos", documents=(one,), notes=("n",))
    found = owned(made, of)
    assert (found.name, found.notes) == ("photos", ("n",))
    (document,) = found.documents
    assert document == replace(one, changes=document.changes)
    return [(each.action, _short(each.reason)) for each in document.changes]


def _short(reason: str) -> str:
    if reason.startswith("why; not recorded here: apply takes it over"):
        return "taken over"
    return "another's" if reason.startswith("another set-up of this name") else reason


POLICY, RULES, TRUST = (
    ResourceKind.BUCKET_POLICY,
    ResourceKind.REPLICATION,
    ResourceKind.ROLE_TRUST,
)
KEPT, REFUSED = (Action.KEEP, "taken over"), (Action.REFUSE, "another's")


@pytest.mark.parametrize(
    ("one", "held", "found"),
    [
        # Kept and not recorded: taken over, if its name or its tag is ours.
        (document(POLICY, (OURS, Action.KEEP, BEFORE)), [], [KEPT]),
        (document(POLICY, (OURS, Action.KEEP, BEFORE)), [OURS], [(Action.KEEP, "why")]),
        (document(POLICY, ("Theirs", Action.KEEP, BEFORE)), [], [(Action.KEEP, "why")]),
        (document(RULES, (RULE, Action.KEEP, BEFORE)), [], [KEPT]),
        (document(RULES, ("", Action.KEEP, BEFORE)), [], [(Action.KEEP, "why")]),
        (document(TRUST, ("", Action.KEEP, BEFORE)), [], [KEPT]),
        (document(TRUST, ("", Action.KEEP, BEFORE)), [""], [(Action.KEEP, "why")]),
        # Replaced or taken away: only what is recorded.
        (document(POLICY, (OURS, Action.REPLACE, BEFORE)), [OURS], [(Action.REPLACE, "why")]),
        (document(POLICY, (OURS, Action.REPLACE, BEFORE)), [], [REFUSED]),
        (document(POLICY, (OURS, Action.REMOVE, BEFORE)), [], [REFUSED]),
        (document(POLICY, (OURS, Action.REMOVE, BEFORE)), [OURS], [(Action.REMOVE, "why")]),
        # Nobody loses by the mend of a statement about a deleted role.
        (document(POLICY, (OURS, Action.REPLACE, GONE)), [], [(Action.REPLACE, "why")]),
        (document(POLICY, (OURS, Action.REMOVE, GONE)), [], [REFUSED]),
        (document(POLICY, (OURS, Action.REPLACE, None)), [], [REFUSED]),
        # What is added, left or refused is nobody's yet.
        *(
            (document(POLICY, (OURS, action, None)), [], [(action, "why")])
            for action in (Action.ADD, Action.LEAVE, Action.REFUSE)
        ),
        # The one role of all rules: ours if all rules that are there are recorded.
        (
            document(RULES, ("", Action.REPLACE, {}), (RULE, Action.KEEP, BEFORE)),
            [],
            [REFUSED, KEPT],
        ),
        (
            document(RULES, ("", Action.REPLACE, {}), (RULE, Action.KEEP, BEFORE)),
            [RULE],
            [(Action.REPLACE, "why"), (Action.KEEP, "why")],
        ),
        (
            document(RULES, ("", Action.REPLACE, {}), (RULE, Action.ADD, None)),
            [],
            [(Action.REPLACE, "why"), (Action.ADD, "why")],
        ),
        (
            document(
                RULES, ("", Action.REPLACE, {}), (RULE, Action.KEEP, {}), ("b", Action.KEEP, {})
            ),
            [RULE],
            [REFUSED, (Action.KEEP, "why"), (Action.KEEP, "why")],
        ),
        # Settings of buckets are no lists: nothing in them is anybody's.
        (
            document(ResourceKind.VERSIONING, ("", Action.REPLACE, {})),
            [],
            [(Action.REPLACE, "why")],
        ),
    ],
)
def test_only_what_is_recorded_is_replaced_or_taken_away(
    one: DocumentDifference, held: list[str], found: list[tuple[Action, str]]
) -> None:
    """If this fails, a second set-up of one name stops the replication of the first."""
    assert said(one, record(one.resource.kind, *held)) == found


def test_a_document_that_was_not_read_is_nobodys() -> None:
    """If this fails, an export without reading tells its owner of set-ups that nobody saw."""
    one = document(POLICY, (OURS, Action.REPLACE, BEFORE), (OURS, Action.KEEP, BEFORE))
    unread = replace(one, unread=Unread(operation="x", code="y"))
    assert said(unread, record(POLICY)) == [(Action.REPLACE, "why"), (Action.KEEP, "why")]


def test_what_stands_there_word_for_word_is_taken_over_into_the_record() -> None:
    """If this fails, a lost record is lost for ever, or holds what others made."""
    one = document(
        POLICY,
        (OURS, Action.KEEP, BEFORE),
        ("Theirs", Action.KEEP, BEFORE),
        ("BackfillOwnedForPhotos", Action.KEEP, None),
        ("BackfillGuardForPhotos", Action.ADD, BEFORE),
    )
    first = record(POLICY, "BackfillOwnedForPhotos")
    found = taking_over(first, one)
    new = MadePart(resource=one.resource, identifier=OURS, contents=(BEFORE,))
    assert found == replace(first, parts=(*first.parts, new))
    assert taking_over(found, one) == found
    refused = replace(one, changes=(*one.changes, replace(one.changes[0], action=Action.REFUSE)))
    assert taking_over(first, refused) == first
