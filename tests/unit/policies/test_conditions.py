"""Condition operators, over keys that are known, absent or unknown."""

import pytest

from backfill.policies.conditions import condition_of, holds
from backfill.policies.context import Context, Every, context_of

K = "aws:Key"


def said(operator: str, values: tuple[str, ...], context: Context, key: str = K) -> bool | None:
    answer = holds(condition_of(operator, key, values), context, context)
    assert (answer.value is None) is bool(answer.why), "an open answer has a reason"
    return answer.value


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "answer"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "${aws:other}", "o", True),
        ("StringEquals", "${aws:unheard}", "o", None),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", "a", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringNotEqualsIgnoreCase", "${aws:unheard}", "A", None),
        ("StringLike", "s3.*.amazonaws.com", "s3.eu-west-1.amazonaws.com", True),
        ("StringLike", "${aws:other}*", "over", True),
        ("StringNotLike", "a*", "ab", False),
        ("ArnLike", "arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", True),
        ("ArnEquals", "arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", True),
        ("ArnNotLike", "arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", False),
        ("ArnNotEquals", "arn:aws:iam::*:role/x", "arn:aws:iam::1:role/y", True),
        ("ArnLike", "*", "arn:aws:iam::1:role/x", None),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", "10", "10.0", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "9", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericEquals", "ten", "10", None),
        ("NumericEquals", "10", "NaN", None),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2026-11-23T03:00:00Z", True),
        ("DateGreaterThan", "2030-01-01", "2026-11-23T03:00:00Z", False),
        ("DateEquals", "1893456000", "2030-01-01T00:00:00Z", True),
        ("DateNotEquals", "1893456000", "2030-01-01T00:00:01Z", True),
        ("DateLessThanEquals", "soon", "2030-01-01T00:00:01Z", None),
        ("DateGreaterThanEquals", "2030-01-01T01:00:00+01:00", "2030-01-01T00:00:00Z", True),
        ("Bool", "true", "TRUE", True),
        ("Bool", "false", "true", False),
        ("Bool", "maybe", "true", None),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
        ("BinaryEquals", "?", "QmluYXJ6", None),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("NotIpAddress", "203.0.113.0/24", "198.51.100.7", True),
        ("IpAddress", "2001:db8::/32", "203.0.113.7", False),
        ("IpAddress", "here", "203.0.113.7", None),
        ("StringLikeButNotReally", "a", "a", None),
        ("ForSomeValues:StringEquals", "a", "a", None),
    ],
)
def test_each_operator_compares_as_documented(
    operator: str, wanted: str, value: str, answer: bool | None
) -> None:
    """If this fails, a condition holds here and fails at AWS, or the other way round."""
    context = context_of({K: value, "aws:other": "o"}, absent=())
    assert said(operator, (wanted,), context) is answer


@pytest.mark.parametrize(
    ("operator", "when_absent", "when_unknown"),
    [
        ("StringEquals", False, None),
        ("StringEqualsIfExists", True, None),
        ("StringNotEquals", True, None),
        ("StringNotEqualsIfExists", True, None),
        ("NotIpAddress", True, None),
        ("Bool", False, None),
        ("BoolIfExists", True, None),
        ("ForAllValues:StringEquals", True, None),
        ("ForAnyValue:StringEquals", False, None),
        ("ForAnyValue:StringNotEquals", False, None),
        ("ForAnyValue:StringEqualsIfExists", None, None),
        ("Null", False, None),
    ],
)
def test_a_key_that_is_absent_is_not_a_key_that_is_unknown(
    operator: str, when_absent: bool | None, when_unknown: bool | None
) -> None:
    """If this fails, `we do not know` is taken for `it is not there`."""
    assert said(operator, ("false",), context_of(absent=(K,))) is when_absent
    assert said(operator, ("false",), Context()) is when_unknown


@pytest.mark.parametrize(
    ("operator", "values", "answer"),
    [
        ("ForAnyValue:StringEquals", ("a", "x"), True),
        ("ForAnyValue:StringEquals", ("x",), False),
        ("ForAnyValue:StringNotEquals", ("a",), True),
        ("ForAllValues:StringEquals", ("a", "b", "c"), True),
        ("ForAllValues:StringEquals", ("a",), False),
        ("ForAllValues:StringNotLike", ("a",), False),
        ("ForAllValues:StringNotLike", ("x",), True),
        ("ForAnyValue:StringLike", ("${aws:unheard}",), None),
        ("ForAnyValue:StringLike", ("${aws:unheard}", "a"), True),
        ("StringEquals", ("a",), None),
    ],
)
def test_keys_with_several_values(
    operator: str, values: tuple[str, ...], answer: bool | None
) -> None:
    """If this fails, one tag of many is taken for all, or all for one."""
    assert said(operator, values, context_of({K: ("a", "b")})) is answer


@pytest.mark.parametrize(
    ("operator", "wanted", "answer"),
    [
        ("StringLike", "arn:aws:s3:::b/*", True),
        ("StringLike", "arn:aws:s3:::b/x*", None),
        ("StringNotLike", "arn:aws:s3:::c/*", True),
        ("StringEquals", "arn:aws:s3:::b", False),
        ("StringEquals", "arn:aws:s3:::b/x", None),
        ("StringEqualsIgnoreCase", "ARN:aws:s3:::b/x", None),
        ("StringEqualsIgnoreCase", "x", False),
        ("ArnLike", "arn:aws:s3:::b/*", True),
        ("IpAddress", "203.0.113.0/24", None),
        ("Bool", "true", None),
    ],
)
def test_a_key_whose_values_only_begin_alike(
    operator: str, wanted: str, answer: bool | None
) -> None:
    """If this fails, an encryption context for one object is taken for that of all."""
    assert said(operator, (wanted,), context_of({K: Every(prefix="arn:aws:s3:::b/")})) is answer


@pytest.mark.parametrize(
    ("operator", "values", "context", "answer"),
    [
        ("Null", ("true",), context_of(absent=(K,)), True),
        ("Null", ("false",), context_of({K: "x"}), True),
        ("Null", ("true",), context_of({K: "x"}), False),
        ("Null", ("true", "false"), context_of(possible={K: ("x", None)}), True),
        ("Null", ("true",), context_of(possible={K: ("x", None)}), None),
        ("Null", ("yes",), context_of({K: "x"}), None),
        ("NullIfExists", ("true",), context_of({K: "x"}), None),
    ],
)
def test_null_asks_whether_the_key_is_there(
    operator: str, values: tuple[str, ...], context: Context, answer: bool | None
) -> None:
    """If this fails, a guard on missing keys is read the wrong way round."""
    assert said(operator, values, context) is answer


def test_condition_keys_ignore_case() -> None:
    """If this fails, aws:sourceAccount in a policy is a key that nobody knows."""
    assert said("StringEquals", ("x",), context_of({"AWS:SourceAccount": "x"}), "aws:sourceaccount")


def test_a_reason_shows_a_hostile_key_harmlessly() -> None:
    """If this fails, a policy can write escape sequences to a terminal."""
    (why,) = holds(condition_of("Bad\x1b", "k\n\x1b[2J", ("x",)), Context(), None).why
    assert why.isprintable()


@pytest.mark.parametrize(
    ("operator", "wanted", "answer"),
    [
        ("StringEquals", "a", None),
        ("StringEquals", "other", False),
        ("StringEqualsIfExists", "a", True),
        ("StringNotEquals", "other", True),
        ("StringNotEquals", "a", None),
        ("Null", "true", None),
    ],
)
def test_a_key_of_which_two_things_are_possible(
    operator: str, wanted: str, answer: bool | None
) -> None:
    """If this fails, a condition that cannot hold either way is left open, or one is guessed."""
    assert said(operator, (wanted,), context_of(possible={K: ("a", None)})) is answer
