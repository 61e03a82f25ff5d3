"""A plan is readable, says a reason per line, and does nothing to the terminal it is shown on."""

import json
from dataclasses import replace

from backfill.model.accounts import RawDocument
from backfill.setup.desired import wanted_of
from backfill.setup.difference import differences
from backfill.setup.rendering import LineKind, counted, document_of, lines_of, shown
from backfill.setup.wanted import Action, Actual, Difference, Fields, Resource, ResourceKind
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
