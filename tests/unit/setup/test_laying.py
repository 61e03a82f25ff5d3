"""How parts are laid beside those of others, which old ones go, and what is said of each."""

from dataclasses import replace

import pytest

from backfill.model.accounts import RawDocument, Unread
from backfill.policies.replication_needs import WIDELY_COPIED
from backfill.setup.layouts import Item, OddDocumentError, item_of, items_of, with_items
from backfill.setup.merging import merged, text_of
from backfill.setup.recognising import copied_policy_notes
from backfill.setup.rule_faults import rule_faults, rules_faults
from backfill.setup.wanted import (
    NOT_ASKED,
    NOT_THERE,
    Action,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
    WantedPart,
)
from tests.doubles.setup_specs import SOURCE_KEY, Document, plain, source, spec

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mover"
OURS, OWNED = "BackfillBucketForPhotos", "BackfillOwnedForPhotos"
EARLIER = "an earlier spec of this name asked for it, this one does not"
LEFT = "it has this set-up's name and is about something else: left as it is"


def resource(kind: ResourceKind) -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn="arn:aws:s3:::photos", account=ACCOUNT)


def part(kind: ResourceKind, identifier: str, content: Fields) -> WantedPart:
    return WantedPart(resource=resource(kind), identifier=identifier, content=content, reason="why")


def laid(parts: list[WantedPart], before: Fields | None) -> DocumentDifference:
    actual = None if before is None else RawDocument(text="", fields=before)
    return merged(parts[0].resource, parts, actual, name="photos")


def told(document: DocumentDifference) -> list[tuple[str, str, str]]:
    return [(each.identifier, each.action.value, each.reason) for each in document.changes]


def statement(word: str, role: str, action: str = "a") -> dict[str, object]:
    return {"Sid": word, "Effect": "Allow", "Principal": {"AWS": role}, "Action": action}


POLICY, RULES, TRUST, INLINE, EVENTS = (
    ResourceKind.BUCKET_POLICY,
    ResourceKind.REPLICATION,
    ResourceKind.ROLE_TRUST,
    ResourceKind.ROLE_POLICIES,
    ResourceKind.NOTIFICATION,
)


def test_a_statement_of_an_earlier_spec_goes_if_it_is_about_our_roles() -> None:
    """If this fails, a right that nobody asks for any more stays, or another's is taken."""
    ours = [part(POLICY, OURS, statement(OURS, ROLE))]
    old, else_ = statement(OWNED, ROLE), statement(OWNED, "arn:else")
    found = laid(ours, {"Statement": [old, statement("Theirs", ROLE), ours[0].content]})
    assert found.after == {"Statement": [statement("Theirs", ROLE), ours[0].content]}
    assert told(found) == [(OURS, "keep", "why"), (OWNED, "remove", EARLIER)]
    change = found.changes[1]
    assert (change.before, change.after, change.resource) == (old, None, found.resource)
    kept = laid(ours, {"Statement": [else_]})
    assert kept.after == {"Statement": [else_, ours[0].content]}
    assert told(kept) == [(OURS, "add", "why"), (OWNED, "leave", LEFT)]
    assert (kept.changes[1].before, kept.changes[1].after) == (else_, else_)


@pytest.mark.parametrize(("role", "action"), [(ROLE, "remove"), ("arn:else", "leave")])
def test_a_rule_of_an_earlier_spec_goes_if_the_rules_replicate_as_our_role(
    role: str, action: str
) -> None:
    """If this fails, another set-up's rule of the same name stops replicating."""
    rule = {"ID": "backfill.photos.all", "Filter": {}, "Priority": 1}
    old = {"ID": "backfill.photos.old", "Filter": {}, "Priority": 2}
    parts = [part(RULES, "", {"Role": ROLE}), part(RULES, "backfill.photos.all", rule)]
    found = laid(parts, {"Role": role, "Rules": [old, rule]})
    assert [(word, what) for word, what, _ in told(found)] == [
        ("", "keep" if role == ROLE else "replace"),
        ("backfill.photos.all", "keep"),
        ("backfill.photos.old", action),
    ]
    fresh = laid(parts, None)
    assert fresh.after == {"Role": ROLE, "Rules": [rule]}


def test_notifications_and_inline_policies_of_an_earlier_spec_go_by_their_names() -> None:
    """If this fails, a queue gets events that nobody reads any more."""
    content = {"Id": "backfill.photos.n", "QueueArn": "q", "Events": ["e"]}
    old = {"Id": "backfill.photos.old", "TopicArn": "t", "Events": ["f"]}
    found = laid([part(EVENTS, "backfill.photos.n", content)], {"TopicConfigurations": [old]})
    assert found.after == {"QueueConfigurations": [content]}
    assert told(found)[1] == ("backfill.photos.old", "remove", EARLIER)
    inline = laid([part(INLINE, "backfill.photos.a", {"x": 1})], {"backfill.photos.b": {}, "t": {}})
    assert inline.after == {"t": {}, "backfill.photos.a": {"x": 1}}


def test_an_inline_policy_of_our_name_is_put_right_whatever_it_says() -> None:
    """If this fails, a role keeps the rights of an older version."""
    found = laid([part(INLINE, "backfill.photos.a", {"x": 1})], {"backfill.photos.a": {"x": 0}})
    assert told(found) == [
        ("backfill.photos.a", "replace", "why; what stands there says something else")
    ]
    assert found.after == {"backfill.photos.a": {"x": 1}}


def test_what_was_not_read_is_laid_as_if_it_were_empty_and_never_written() -> None:
    """If this fails, an export of what nobody read is empty, or overwrites what is there."""
    ours = [part(POLICY, OURS, statement(OURS, ROLE))]
    unread = Unread(operation="GetBucketPolicy", code="AccessDenied")
    found = merged(ours[0].resource, ours, unread, name="photos")
    assert (found.unread, found.before) == (unread, None)
    assert found.after == {"Version": "2012-10-17", "Statement": [ours[0].content]}
    assert found.is_refused
    assert (NOT_ASKED.operation, NOT_ASKED.code, NOT_THERE) == ("", "NotAsked", "NotFound")


def test_an_odd_document_is_refused_whole() -> None:
    """If this fails, setup ends in a traceback at a document that somebody wrote by hand."""
    ours = [part(POLICY, OURS, statement(OURS, ROLE))]
    found = laid(ours, {"Statement": "odd"})
    (change,) = found.changes
    assert (change.action, change.identifier) == (Action.REFUSE, "")
    assert change.reason.endswith("a shape that setup does not know: Statement is no list")
    assert found.after == found.before == {"Statement": "odd"}


def test_a_text_for_eyes_is_json_as_it_is() -> None:
    """If this fails, a person compares escapes."""
    assert text_of(None) == ""
    assert text_of({"a": "é"}) == '{\n  "a": "é"\n}'


# --- Documents as lists ---

ITEMS: list[tuple[ResourceKind, Fields, list[tuple[str | None, str]]]] = [
    (POLICY, {"Statement": [{"Sid": "a"}, {"Sid": ""}, {"Sid": 1}, {}]}, [
        ("a", "Statement"), (None, "Statement"), (None, "Statement"), (None, "Statement"),
    ]),
    (POLICY, {"Id": "x"}, []),
    (ResourceKind.KEY_POLICY, {"Statement": {"Sid": "a"}}, [("a", "Statement")]),
    (TRUST, {"AssumeRolePolicyDocument": {"Statement": [{"Sid": "a"}]}}, [("a", "Statement")]),
    (TRUST, {"AssumeRolePolicyDocument": {}}, []),
    (RULES, {"Role": "r", "Rules": [{"ID": "a"}, {"Id": "b"}]}, [("a", "Rules"), (None, "Rules")]),
    (RULES, {"Role": "r"}, []),
    (
        EVENTS,
        {
            "LambdaFunctionConfigurations": [{"Id": "l"}],
            "QueueConfigurations": [{"Id": "q"}],
            "TopicConfigurations": [{"Id": "t"}],
            "EventBridgeConfiguration": {},
        },
        [
            ("q", "QueueConfigurations"),
            ("t", "TopicConfigurations"),
            ("l", "LambdaFunctionConfigurations"),
        ],
    ),
    (INLINE, {"a": {}, "b": {}}, [("a", ""), ("b", "")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "found"), ITEMS)
def test_a_document_is_its_items_and_all_else_stays(
    kind: ResourceKind, fields: Fields, found: list[tuple[str | None, str]]
) -> None:
    """If this fails, setup loses a statement of others, or takes one without a name for its own."""
    items = items_of(kind, fields)
    assert [(item.identifier, item.list_name) for item in items] == found
    again = with_items(kind, fields, items)
    assert items_of(kind, again) == items
    emptied = with_items(kind, fields, ())
    assert items_of(kind, emptied) == ()
    names = {"Statement", "Rules", *(name for _, name in found)}
    if kind is not INLINE and kind is not TRUST:
        rest = {name: value for name, value in fields.items() if name not in names}
        assert {name: value for name, value in emptied.items() if name not in names} == rest
    assert items_of(kind, None) == ()


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (POLICY, {"Statement": 1}, "Statement is no list"),
        (POLICY, {"Statement": "a"}, "Statement is no list"),
        (POLICY, {"Statement": [1]}, "Statement holds what is no element"),
        (RULES, {"Rules": None}, "Rules is no list"),
        (TRUST, {}, "AssumeRolePolicyDocument holds what is no element"),
        (EVENTS, {"TopicConfigurations": "a"}, "TopicConfigurations is no list"),
        (INLINE, {"a": 1}, "a holds what is no element"),
    ],
)
def test_a_document_of_another_shape_is_told(kind: ResourceKind, fields: Fields, said: str) -> None:
    """If this fails, an odd document is taken for an empty one, and written over."""
    with pytest.raises(OddDocumentError) as raised:
        items_of(kind, fields)
    assert str(raised.value) == said


def test_a_new_document_begins_with_what_its_kind_begins_with() -> None:
    """If this fails, AWS refuses a policy without a version, or an event goes to no list."""
    version = {"Version": "2012-10-17"}
    row = Item(identifier="a", content={"Sid": "a"})
    assert with_items(POLICY, None, [row]) == {**version, "Statement": [{"Sid": "a"}]}
    assert with_items(TRUST, None, [row]) == {
        "AssumeRolePolicyDocument": {**version, "Statement": [{"Sid": "a"}]}
    }
    assert with_items(POLICY, {"Id": "x"}, [row]) == {"Id": "x", "Statement": [{"Sid": "a"}]}
    for name, list_name in (
        ("QueueArn", "QueueConfigurations"),
        ("TopicArn", "TopicConfigurations"),
        ("LambdaFunctionArn", "LambdaFunctionConfigurations"),
    ):
        content = {"Id": "n", name: "arn", "Events": []}
        item = item_of(EVENTS, "n", content)
        assert (item.identifier, item.list_name) == ("n", list_name)
        assert with_items(EVENTS, None, [item]) == {list_name: [content]}
    assert item_of(POLICY, "n", {"QueueArn": "q"}).list_name == ""
    assert with_items(EVENTS, {"QueueConfigurations": []}, []) == {}


# --- The widely copied policy ---

NEEDED = ["s3:ReplicateObject", "s3:ReplicateTags"]


def notes(theirs: Fields, kind: ResourceKind = POLICY) -> list[str]:
    ours = part(kind, OURS, {**statement(OURS, ROLE), "Action": NEEDED})
    others = [
        Item(identifier="Else", content={**statement("Else", "arn:x"), "Action": "s3:*"}),
        Item(identifier=None, content=theirs),
    ]
    return list(copied_policy_notes(ours.resource, [ours], others))


STAYS = "It stays: setup's own statements stand beside it"


@pytest.mark.parametrize(
    ("principal", "actions", "said"),
    [
        (ROLE, ["S3:replicateobject"], "; lacking: s3:ReplicateTags"),
        (ROLE, "s3:Replicate*", None),
        (f"arn:aws:iam::{ACCOUNT}:root", ["s3:ReplicateTags"], "; lacking: s3:ReplicateObject"),
        ("arn:aws:iam::999999999999:root", ["s3:ReplicateTags"], None),
        (ROLE, ["s3:GetObject"], None),
        (
            ROLE,
            ["s3:Replicate*", "s3:PutObject"],
            "; more than is needed: s3:putobject (replication writes by s3:ReplicateObject)",
        ),
    ],
)
def test_a_policy_that_lets_the_role_in_already_is_told_by_what_it_lacks_and_exceeds(
    principal: str, actions: str | list[str], said: str | None
) -> None:
    """If this fails, a person trusts a copied policy that lacks a right, or grants too much."""
    theirs = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions}
    told = f"statement 'without Sid' lets the role in already{said}. {STAYS}"
    assert notes(theirs) == ([] if said is None else [told])
    assert notes({**theirs, "Effect": "Deny"}) == []
    assert notes(theirs, ResourceKind.KEY_POLICY) == []


def test_the_widely_copied_statement_is_called_so() -> None:
    """If this fails, nobody learns that the article was wrong."""
    copied = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": list(WIDELY_COPIED)}
    (note,) = notes(copied)
    assert note.startswith("the widely copied statement 'without Sid' lets the role in already")
    for shape in ({"a": 1}, None, 7):
        assert notes({**copied, "Action": shape}) == []


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("s3:PutObject", "replication writes by s3:ReplicateObject"),
        ("s3:PutObjectAcl", "replication writes ACLs by s3:ReplicateObject"),
        ("s3:PutObjectVersionAcl", "replication writes ACLs by s3:ReplicateObject"),
        ("s3:GetObjectVersionForReplication", "that is read on the source"),
        ("s3:GetObjectVersionAcl", "that is read on the source"),
        ("s3:GetObjectVersionTagging", "that is read on the source"),
        ("s3:ListBucket", None),
    ],
)
def test_what_replication_never_asks_for_on_the_destination_is_told_with_its_reason(
    action: str, why: str | None
) -> None:
    """If this fails, a right that replication needs is called superfluous."""
    theirs = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": ["s3:Replicate*", action],
    }
    said = [] if why is None else [f"; more than is needed: {action.lower()} ({why}). {STAYS}"]
    assert [note.partition(" already")[2] for note in notes(theirs)] == said


# --- Edges of what a rule may say ---


def rule(**more: object) -> Document:
    return plain(rule=[{"name": "all", **{name.replace("_", "-"): v for name, v in more.items()}}])


@pytest.mark.parametrize(
    "document",
    [
        rule(priority=0),
        rule(priority=2_147_483_647),
        rule(prefix="ü" * 512),
        rule(tags={f"k{number}": "" for number in range(10)}),
        rule(tags={"k" * 128: "v" * 256}),
        rule(tags={"Ключ +-=._:/@": "ภาษาไทย 9"}),
        rule(tags={"my-aws:k": "aws:v"}),
        rule(tags={"a": "b"}, delete_markers=False),
        plain(name="a" * 32),
        plain(rule=[{"name": "r" * 100}]),
        plain(rule=[{"name": f"r{number}", "priority": number} for number in range(1_000)]),
        plain(
            destination=[
                {"bucket": f"b{number:02}", "account": ACCOUNT, "region": "eu-west-1"}
                for number in range(28)
            ],
            rule=[{"name": f"r{number}", "destination": f"b{number:02}"} for number in range(28)],
        ),
        plain(source=source(bucket="Old_Name", **{"kms-key-arns": [SOURCE_KEY]})),
        plain(role={"name": "r" * 64, "path": "/a/"}),
        plain(notification=[{"name": "n", "queue": "q" * 80, "events": ["failed"]}]),
    ],
)
def test_the_last_that_s3_takes_passes(document: Document) -> None:
    """If this fails, a sound spec is refused."""
    assert spec(document).rules


def test_faults_of_rules_name_their_place() -> None:
    """If this fails, a person looks for a fault in another rule."""
    found = spec(rule())
    (none,) = rules_faults(replace(found, rules=()))
    assert (none.place, none.message) == ("[[rule]]", "is missing")
    first, *_ = rules_faults(replace(found, rules=found.rules * 1_001))
    assert (first.place, first.message) == ("[[rule]]", "1001 rules")
    assert list(rule_faults(found, found.rules[0], "[rule 1]")) == []
