"""Two texts are alike where they say the same in another form, and nowhere else."""

import pytest

from backfill.setup.likeness import are_alike, is_about_the_gone, parties
from backfill.setup.wanted import Fields, ResourceKind

POLICY = ResourceKind.BUCKET_POLICY
INLINE = ResourceKind.ROLE_POLICIES
RULES = ResourceKind.REPLICATION
EVENTS = ResourceKind.NOTIFICATION
ONE = {"Key": "a", "Value": "1"}
TWO = {"Key": "b", "Value": "2"}


def statement(**more: object) -> Fields:
    return {"Sid": "S", "Effect": "Allow", **more}


ALIKE: dict[str, tuple[ResourceKind, Fields, Fields]] = {
    "actions in another order and case": (
        POLICY,
        statement(Action=["s3:GetObject", "S3:PutObject"], NotAction="A:b"),
        statement(Action=["s3:putobject", "s3:getobject"], NotAction=["a:B"]),
    ),
    "one word and a list of it": (
        POLICY,
        statement(Resource="r", NotResource=["n"]),
        statement(Resource=["r"], NotResource="n"),
    ),
    "a word twice": (POLICY, statement(Resource=["r", "r"]), statement(Resource="r")),
    "a principal with and without its kind": (
        POLICY,
        statement(Principal="*", NotPrincipal={"Service": ["b", "a"]}),
        statement(Principal={"AWS": ["*"]}, NotPrincipal={"Service": ["a", "b"]}),
    ),
    "condition keys in another case, values in another order": (
        POLICY,
        statement(Condition={"Null": {"AWS:SourceArn": ["b", "a"]}}),
        statement(Condition={"Null": {"aws:sourcearn": ["a", "b"]}}),
    ),
    "a switch as a word": (
        POLICY,
        statement(Condition={"Bool": {"k": True, "l": [False]}}),
        statement(Condition={"Bool": {"k": "true", "l": "false"}}),
    ),
    "a number as a word": (
        POLICY,
        statement(Condition={"NumericEquals": {"k": 1}}),
        statement(Condition={"NumericEquals": {"k": "1"}}),
    ),
    "an inline policy with a lone statement": (
        INLINE,
        {"Version": "v", "Statement": statement(Action="a")},
        {"Version": "v", "Statement": [statement(Action=["A"])]},
    ),
    "fields in another order": (
        POLICY,
        {"Sid": "S", "Effect": "Allow"},
        {"Effect": "Allow", "Sid": "S"},
    ),
    "the fields of a tag in another order": (
        RULES,
        {"Filter": {"Tag": {"Key": "a", "Value": "1"}}},
        {"Filter": {"Tag": {"Value": "1", "Key": "a"}}},
    ),
    "no condition and an empty prefix": (
        RULES,
        {"ID": "r", "Filter": {}},
        {"ID": "r", "Filter": {"Prefix": ""}},
    ),
    "a lone tag and a list of it": (
        RULES,
        {"Filter": {"Tag": {"Key": "a", "Value": "1"}}},
        {"Filter": {"And": {"Tags": [{"Value": "1", "Key": "a"}]}}},
    ),
    "tags in another order": (
        RULES,
        {"Filter": {"And": {"Prefix": "p", "Tags": [ONE, TWO]}}},
        {"Filter": {"And": {"Prefix": "p", "Tags": [TWO, ONE]}}},
    ),
    "a prefix alone, and in a conjunction": (
        RULES,
        {"Filter": {"And": {"Prefix": "p"}}},
        {"Filter": {"Prefix": "p"}},
    ),
    "events in another order": (
        EVENTS,
        {"Id": "n", "Events": ["b", "a"]},
        {"Id": "n", "Events": ["a", "b"]},
    ),
}

DIFFERENT: dict[str, tuple[ResourceKind, Fields, Fields]] = {
    "an action more": (POLICY, statement(Action=["a", "b"]), statement(Action="a")),
    "resources in another case": (POLICY, statement(Resource="R"), statement(Resource="r")),
    "principals in another case": (
        POLICY,
        statement(Principal={"AWS": "R"}),
        statement(Principal={"AWS": "r"}),
    ),
    "principals of another kind": (
        POLICY,
        statement(Principal={"AWS": "r"}),
        statement(Principal={"Service": "r"}),
    ),
    "another Sid": (POLICY, statement(), {**statement(), "Sid": "s"}),
    "condition values in another case": (
        POLICY,
        statement(Condition={"StringEquals": {"k": "V"}}),
        statement(Condition={"StringEquals": {"k": "v"}}),
    ),
    "another operator": (
        POLICY,
        statement(Condition={"StringEquals": {"k": "v"}}),
        statement(Condition={"StringLike": {"k": "v"}}),
    ),
    "conditions of no known shape": (
        POLICY,
        statement(Condition={"StringEquals": "k"}),
        statement(Condition={"StringEquals": "l"}),
    ),
    "statements of an inline policy in another order": (
        INLINE,
        {"Statement": [statement(Action="a"), statement(Action="b")]},
        {"Statement": [statement(Action="b"), statement(Action="a")]},
    ),
    "conditions that are none": (POLICY, statement(Condition="a"), statement(Condition="b")),
    "an element that nobody knows, in another order": (
        POLICY,
        statement(Shiny={"k": ["a", "b"]}),
        statement(Shiny={"k": ["b", "a"]}),
    ),
    "an inline policy with a number": (INLINE, {"Statement": 1}, {"Statement": 2}),
    "inline policies of no known shape": (INLINE, {"Statement": "a"}, {"Statement": "b"}),
    "elements of no known shape": (INLINE, {"Statement": ["a"]}, {"Statement": ["b"]}),
    "inline policies of another version": (INLINE, {"Version": "a"}, {"Version": "b"}),
    "another prefix": (RULES, {"Filter": {"Prefix": "a"}}, {"Filter": {"Prefix": "b"}}),
    "another prefix in a conjunction": (
        RULES,
        {"Filter": {"And": {"Prefix": "a", "Tags": [ONE]}}},
        {"Filter": {"And": {"Tags": [ONE]}}},
    ),
    "another tag": (RULES, {"Filter": {"Tag": ONE}}, {"Filter": {"Tag": TWO}}),
    "a tag and none": (RULES, {"Filter": {"Tag": ONE}}, {"Filter": {}}),
    "a rule of the old schema": (RULES, {"Prefix": ""}, {"Filter": {"Prefix": ""}}),
    "filters of no known shape": (RULES, {"Filter": "a"}, {"Filter": "b"}),
    "another state of a rule": (
        RULES,
        {"Filter": {}, "Status": "Enabled"},
        {"Filter": {}, "Status": "Disabled"},
    ),
    "another event": (EVENTS, {"Events": ["a"]}, {"Events": ["b"]}),
    "another queue": (EVENTS, {"QueueArn": "a"}, {"QueueArn": "b"}),
}


@pytest.mark.parametrize("case", ALIKE)
def test_what_aws_gives_back_in_another_form_is_the_same(case: str) -> None:
    """If this fails, apply writes for ever what is there, or destroy leaves what is ours."""
    assert are_alike(*ALIKE[case])


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_says_something_else_is_different(case: str) -> None:
    """If this fails, what somebody changed is taken for ours, and taken away."""
    assert not are_alike(*DIFFERENT[case])


READERS = "BackfillReadersForPhotos"
ABOUT: dict[str, tuple[ResourceKind, Fields, set[str]]] = {
    "a rule: its destination": (RULES, {"Destination": {"Bucket": "b"}}, {"b"}),
    "a rule of no known shape": (RULES, {"Destination": "b"}, {"None"}),
    "a notification: its ARN": (EVENTS, {"Id": "n", "QueueArn": "q", "Events": ["e"]}, {"q"}),
    "readers: what they read": (
        POLICY,
        {
            "Sid": READERS,
            "Principal": {"AWS": "r"},
            "Condition": {
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": ["b", "b/*"]},
                "StringEquals": {"kms:ViaService": "s3"},
            },
        },
        {"b", "b/*"},
    ),
    "a guard: who is exempt": (
        POLICY,
        statement(
            Effect="Deny",
            Principal="*",
            Condition={"ArnNotEquals": {"aws:PrincipalArn": "r"}, "Null": {"s3:if-match": "true"}},
        ),
        {"r"},
    ),
    "roles": (
        POLICY,
        statement(Principal={"AWS": ["a", "b"]}, Condition={"X": {"aws:SourceArn": "s"}}),
        {"a", "b"},
    ),
    "a service for one bucket: the bucket": (
        POLICY,
        statement(
            Principal={"Service": "s3.amazonaws.com"},
            Condition={"ArnLike": {"aws:SourceArn": "b"}, "Y": "odd"},
        ),
        {"b"},
    ),
    "a service": (
        POLICY,
        statement(Principal={"Service": "s3.amazonaws.com"}),
        {"s3.amazonaws.com"},
    ),
    "nobody": (POLICY, statement(), set()),
    "everybody": (POLICY, statement(Principal="*"), set()),
}


@pytest.mark.parametrize("case", ABOUT)
def test_an_item_is_about_whom_it_names(case: str) -> None:
    """If this fails, an edited item of ours is taken for another set-up's, or theirs for ours."""
    kind, item, named = ABOUT[case]
    assert parties(kind, item) == named


@pytest.mark.parametrize(
    ("principal", "action", "is_gone"),
    [
        ({"AWS": "AROAEXAMPLEEXAMPLE"}, "a", True),
        ({"AWS": ["arn:aws:iam::111111111111:role/r", "AIDAEXAMPLEEXAMPLE"]}, "a", True),
        ({"AWS": "AROAEXAMPLEEXAMPLE"}, "b", False),
        ({"AWS": "arn:aws:iam::111111111111:role/AROAEXAMPLEEXAMPLE"}, "a", False),
        ({"AWS": "AROASHORT"}, "a", False),
        ({"AWS": []}, "a", False),
        ({"Service": "AROAEXAMPLEEXAMPLE"}, "a", False),
        ("AROAEXAMPLEEXAMPLE", "a", False),
        (None, "a", False),
    ],
)
def test_a_statement_of_a_deleted_role_is_known_by_its_unique_id(
    principal: object, action: str, is_gone: bool
) -> None:
    """If this fails, a role made again stays without rights, or another's is replaced."""
    ours = statement(Principal={"AWS": "arn:aws:iam::111111111111:role/r"}, Action="a")
    theirs = statement(Principal=principal, Action=action)
    assert is_about_the_gone(POLICY, theirs, ours) is is_gone
