"""Policy documents: what is read, what stays unknown, and where a malformed one is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.policies.document import (
    DOCUMENT_CHARACTERS_MAX,
    NamedPrincipal,
    PolicyError,
    parsed,
)

PLAIN = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def with_statement(**elements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": {**PLAIN, **elements}}


def test_a_full_statement_is_read_element_by_element() -> None:
    """If this fails, a statement decides about something else than it says."""
    (statement,) = parsed(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Id": "whatever",
                "Statement": [
                    {
                        "Sid": "Objects",
                        "Effect": "Deny",
                        "NotPrincipal": {
                            "AWS": ["111111111111", "arn:aws:iam::222222222222:role/a/b"],
                            "Service": "s3.amazonaws.com",
                        },
                        "NotAction": ["s3:Get*", "s3:List*"],
                        "NotResource": "arn:aws:s3:::b/*",
                        "Condition": {
                            "ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]},
                            "Bool": {"aws:SecureTransport": False},
                            "NumericLessThan": {"s3:max-keys": 10},
                        },
                    }
                ],
            }
        )
    ).statements
    assert (statement.sid, statement.effect, statement.label) == (
        "Objects",
        "Deny",
        'statement "Objects"',
    )
    assert (statement.is_not_principal, statement.is_not_action) == (True, True)
    assert statement.is_not_resource
    assert statement.principals == (
        NamedPrincipal(kind="AWS", value="111111111111"),
        NamedPrincipal(kind="AWS", value="arn:aws:iam::222222222222:role/a/b"),
        NamedPrincipal(kind="Service", value="s3.amazonaws.com"),
    )
    assert statement.actions == ("s3:Get*", "s3:List*")
    assert statement.resources == ("arn:aws:s3:::b/*",)
    said = [
        (c.qualifier, c.operator, c.is_if_exists, c.key, c.values) for c in statement.conditions
    ]
    assert said == [
        ("ForAnyValue", "StringLike", True, "aws:TagKeys", ("a", "b")),
        ("", "Bool", False, "aws:SecureTransport", ("false",)),
        ("", "NumericLessThan", False, "s3:max-keys", ("10",)),
    ]
    assert statement.unknown == ()


def test_everybody_is_the_same_in_both_spellings() -> None:
    """If this fails, one of two spellings of a public bucket goes unnoticed."""
    short = parsed(with_statement(Principal="*")).statements[0].principals
    assert short == parsed(with_statement(Principal={"AWS": "*"})).statements[0].principals


def test_unknown_elements_stay_by_name() -> None:
    """If this fails, an element that narrows a statement is silently dropped."""
    document = {**with_statement(NotBefore="2030"), "Future": 1}
    read = parsed(document)
    assert read.unknown == ("Future",)
    assert read.statements[0].unknown == ("Future", "NotBefore")


def test_the_text_stays_beside_the_statements() -> None:
    """If this fails, a merge would write what we understood instead of what was there."""
    text = json.dumps(with_statement(), indent=7)
    assert parsed(text).text == text
    assert parsed(text.encode()).text == text
    assert json.loads(parsed(with_statement()).text) == with_statement()


def test_a_document_without_version_knows_no_variables() -> None:
    """If this fails, ${aws:username} of an old document is taken for a variable."""
    assert not parsed({"Statement": [PLAIN]}).statements[0].has_variables
    assert parsed(with_statement()).statements[0].has_variables


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("", "document"),
        ("[]", "document"),
        ("[" * 200_000, "document"),
        ("[" * 100_000, "document"),
        (b"\xff", "document"),
        ("{" + " " * DOCUMENT_CHARACTERS_MAX + "}", "document"),
        ('{"Statement": [], "Statement": []}', "document"),
        ({"a": object()}, "document"),
        ({"Version": "2020-01-01", "Statement": [PLAIN]}, "Version"),
        ({"Version": "2012-10-17"}, "Statement 1"),
        ({"Statement": []}, "Statement"),
        ({"Statement": [PLAIN, 3]}, "Statement 2"),
        (with_statement(Effect="allow"), "Statement 1, Effect"),
        (with_statement(Sid=1), "Statement 1, Sid"),
        (with_statement(Sid="x\n", Effect=""), 'Statement 1 ("x\\n"), Effect'),
        (with_statement(NotAction="s3:*"), "Statement 1"),
        (with_statement(Action=[]), "Statement 1, Action"),
        (with_statement(Action=["s3:*", 1]), "Statement 1, Action"),
        (with_statement(NotResource="*"), "Statement 1"),
        (with_statement(Principal="*", NotPrincipal="*"), "Statement 1"),
        (with_statement(Principal={}), "Statement 1, Principal"),
        (with_statement(Principal="111111111111"), "Statement 1, Principal"),
        (with_statement(Principal={"AWS": [None]}), 'Statement 1, Principal, "AWS"'),
        (with_statement(Condition=[]), "Statement 1, Condition"),
        (with_statement(Condition={"Bool": True}), 'Statement 1, Condition, "Bool"'),
        (with_statement(Condition={"Bool": {"k": {}}}), 'Statement 1, Condition, "Bool", "k"'),
        ({"Version": "2012-10-17", "Statement": {"Effect": "Deny"}}, "Statement 1"),
    ],
)
def test_a_malformed_document_says_where(
    document: str | bytes | dict[str, object], where: str
) -> None:
    """If this fails, what is no policy is read as one, or nobody learns where it is wrong."""
    with pytest.raises(PolicyError) as caught:
        parsed(document)
    assert caught.value.where == where
    assert str(caught.value).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Principal", "Condition", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.text(max_size=40))
def test_reading_is_total(value: object, text: str) -> None:
    """If this fails, somebody else's document ends preflight with a stack trace."""
    for document in (json.dumps(value), text, text.encode()):
        try:
            read = parsed(document)
        except PolicyError:
            continue
        assert read.statements
