"""A plan is readable, says a reason per line, and does nothing to the terminal it is shown on."""

import json
from dataclasses import replace

import pytest

from backfill.model.accounts import RawDocument, Unread
from backfill.setup.desired import wanted_of
from backfill.setup.difference import differences
from backfill.setup.rendering import TEXTS, LineKind, counted, document_of, lines_of, shown
from backfill.setup.wanted import (
    Action,
    Actual,
    Change,
    Difference,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
)
from tests.doubles.setup_specs import GOLDEN, ground, spec

HOSTILE = "\x1b[2Jgone\u202e\n\x7f\u2028é\\"


def difference(documents: dict[ResourceKind, Fields]) -> Difference:
    found = spec(GOLDEN["two-accounts"])
    wanted = wanted_of(found, ground(found))
    actual: dict[Resource, Actual] = {
        resource: RawDocument(text="", fields=documents[resource.kind])
        if resource.kind in documents
        else None
        for resource in wanted.resources
    }
    return differences(wanted, actual)


def test_every_part_has_a_line_with_its_reason() -> None:
    """If this fails, a person agrees to something that the plan did not show."""
    made = difference({})
    lines = list(lines_of(made))
    for document in made.documents:
        for change in document.changes:
            assert any(change.reason in line.text for line in lines)
    headings = [line.text for line in lines if line.kind is LineKind.HEADING]
    assert headings[0] == "source account 111111111111"
    assert [text for text in headings if text.startswith("dest")] == [
        "destination account 222222222222"
    ]
    added = [line.text for line in lines if line.kind is LineKind.ADDED]
    assert any('"s3:ReplicateObject"' in text for text in added)
    assert lines[-1].kind is LineKind.NOTE


def test_what_changes_is_shown_beside_what_is_there() -> None:
    """If this fails, a person cannot see what a replaced statement said."""
    made = difference({})
    policy = next(d for d in made.documents if d.resource.kind is ResourceKind.BUCKET_POLICY)
    assert policy.after is not None
    statements = policy.after["Statement"]
    assert isinstance(statements, list)
    weaker = {**statements[0], "Action": "s3:ReplicateObject"}
    lines = list(lines_of(difference({ResourceKind.BUCKET_POLICY: {"Statement": [weaker]}})))
    assert any(
        line.kind is LineKind.TAKEN and '"s3:ReplicateObject"' in line.text for line in lines
    )
    assert any(line.kind is LineKind.CHANGE and "~ replace" in line.text for line in lines)


BUCKET = Resource(
    side=Side.SOURCE,
    kind=ResourceKind.VERSIONING,
    arn="arn:aws:s3:::photos",
    account="111111111111",
    region="eu-west-1",
)


def one(action: Action, before: Fields | None, after: Fields | None) -> DocumentDifference:
    change = Change(
        resource=BUCKET,
        identifier="" if action is Action.KEEP else "p",
        action=action,
        reason="why",
        before=before,
        after=after,
    )
    return DocumentDifference(
        resource=BUCKET, changes=(change,), before=before, after=after, notes=("see",)
    )


def shown_lines(document: DocumentDifference) -> list[tuple[str, str]]:
    made = Difference(name="photos", documents=(document,), notes=("n",))
    return [(line.kind.value, line.text) for line in lines_of(made)]


A, B = {"a": 1}, {"a": 2}
SHOWN = [
    (Action.ADD, None, A, "change", "+ add p", ["+ {", '+   "a": 1', "+ }"]),
    (Action.REPLACE, A, B, "change", "~ replace p", ["  {", '-   "a": 1', '+   "a": 2', "  }"]),
    (Action.REPLACE, A, A, "change", "~ replace p", []),
    (Action.REMOVE, A, None, "change", "- remove p", ["- {", '-   "a": 1', "- }"]),
    (Action.KEEP, A, B, "kept", "= keep", []),
    (Action.LEAVE, A, B, "kept", "= leave p", []),
    (Action.REFUSE, A, A, "refused", "! refuse p", []),
    (Action.REFUSE, None, A, "refused", "! refuse p", ["+ {", '+   "a": 1', "+ }"]),
]
MARKS = {"+": "added", "-": "taken", " ": "context"}


@pytest.mark.parametrize(("action", "before", "after", "kind", "head", "texts"), SHOWN)
def test_each_action_has_its_sign_its_kind_and_both_texts(
    action: Action,
    before: Fields | None,
    after: Fields | None,
    kind: str,
    head: str,
    texts: list[str],
) -> None:
    """If this fails, a person reads an addition for a removal, or sees one of two texts alone."""
    assert shown_lines(one(action, before, after)) == [
        ("heading", "source account 111111111111"),
        ("heading", "  versioning of arn:aws:s3:::photos"),
        (kind, f"    {head}: why"),
        *((MARKS[text[0]], f"        {text}") for text in texts),
        ("note", "    note: see"),
        ("note", "note: n"),
    ]
    assert {LineKind.ADDED, LineKind.TAKEN, LineKind.CONTEXT} == TEXTS


def test_a_document_that_was_denied_says_by_which_call_and_code() -> None:
    """If this fails, a person cannot tell which permission is lacking."""
    denied = Unread(operation="GetBucketPolicy", code="AccessDenied", message="no")
    document = replace(one(Action.ADD, None, A), unread=denied)
    kind, text = shown_lines(document)[2]
    assert kind == "refused"
    assert text.startswith("    ? could not be read (GetBucketPolicy AccessDenied): ")


def test_a_document_for_programs_has_every_field_under_its_name() -> None:
    """If this fails, a program that reads --json breaks with the next version."""
    denied = Unread(operation="GetBucketPolicy", code="AccessDenied", message="no")
    told = replace(one(Action.REPLACE, A, B), unread=denied)
    assert document_of(Difference(name="photos", documents=(told,), notes=("n",))) == {
        "name": "photos",
        "is_refused": True,
        "is_change": True,
        "notes": ["n"],
        "documents": [
            {
                "side": "source",
                "kind": "versioning",
                "arn": "arn:aws:s3:::photos",
                "account": "111111111111",
                "region": "eu-west-1",
                "unread": {
                    "operation": "GetBucketPolicy", "code": "AccessDenied", "message": "no",
                },
                "changes": [
                    {
                        "identifier": "p",
                        "action": "replace",
                        "reason": "why",
                        "before": A,
                        "after": B,
                    }
                ],
                "before": A,
                "after": B,
                "notes": ["see"],
            }
        ],
    }  # fmt: skip
    assert counted((told, one(Action.KEEP, A, A))) == {
        **dict.fromkeys(Action, 0), Action.REPLACE: 1, Action.KEEP: 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "is_shown_as"),
    [
        ("a", "a"),
        ("é", "é"),
        ("\x7f", "\\u007f"),
        ("é\x7f", "é\\u007f"),
        ("é\u202e", "é\\u202e"),
        ("é\\", "é\\\\"),
        ("é\n", "é\\n"),
    ],
)
def test_a_document_is_shown_as_it_is_but_for_what_nobody_sees(text: str, is_shown_as: str) -> None:
    """If this fails, what a person copies from the plan is no JSON, or hides something."""
    assert shown({"k": text}) == f'{{\n  "k": "{is_shown_as}"\n}}'


def test_hostile_documents_move_no_cursor() -> None:
    """If this fails, a policy of somebody else's hides lines of the plan from its reader."""
    theirs: Fields = {
        "Sid": "BackfillOwnedForPhotos",
        "Effect": "Allow",
        "Principal": {"AWS": HOSTILE},
        "Action": HOSTILE,
    }
    made = difference({ResourceKind.BUCKET_POLICY: {"Statement": [theirs]}})
    made = replace(made, notes=(HOSTILE,))
    lines = list(lines_of(made))
    assert any(line.kind is LineKind.REFUSED for line in lines)
    for line in lines:
        assert line.text.isprintable()


def test_what_is_shown_is_still_the_document() -> None:
    """If this fails, a person who copies a document from the plan pastes another one."""
    fields = {"Sid": HOSTILE, "Список": "é"}
    assert json.loads(shown(fields)) == fields
    assert "Список" in shown(fields)


def test_the_document_for_programs_holds_everything() -> None:
    """If this fails, --json leaves out what the table shows."""
    made = difference({})
    document = json.loads(json.dumps(document_of(made)))
    assert document["is_change"] is True
    assert document["is_refused"] is False
    kinds = {each["kind"] for each in document["documents"]}
    assert kinds == {each.resource.kind.value for each in made.documents}
    assert counted(made.documents)[Action.ADD] == sum(
        len(each["changes"]) for each in document["documents"]
    )


def test_what_was_not_read_says_so() -> None:
    """If this fails, a plan of one account looks like a plan of both."""
    found = spec(GOLDEN["two-accounts"])
    wanted = wanted_of(found, ground(found))
    lines = list(lines_of(differences(wanted, {})))
    assert any("could not be read (NotAsked)" in line.text for line in lines)
    document = document_of(differences(wanted, {}))
    assert document["is_refused"] is True
