"""Wildcards, ARN patterns and policy variables."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.policies.context import Context, Every, Said, context_of
from backfill.policies.patterns import (
    is_action_named,
    is_arn_like,
    literal_of,
    pattern_of,
    plain,
    tokens_of,
)


@pytest.mark.parametrize(
    ("pattern", "text", "is_covered"),
    [
        ("*", "", True),
        ("", "", True),
        ("?", "", False),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("arn:aws:s3:::b*", "arn:aws:s3:::b/k:with:colons\n", True),
        ("a?c*e", "abcde", True),
        ("a?c*e", "acde", False),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("**a**", "xxaxx", True),
        ("A", "a", False),
    ],
)
def test_wildcards_stand_for_what_aws_says(pattern: str, text: str, is_covered: bool) -> None:
    """If this fails, a statement means other resources than AWS thinks."""
    assert plain(pattern).covers(text) is is_covered


WILD_TEXT = st.text("ab/*?", max_size=8)


@given(WILD_TEXT, st.text("ab/", max_size=10))
def test_wildcards_agree_with_the_regular_expression(pattern: str, text: str) -> None:
    """If this fails, the machine of positions skips or repeats a character."""
    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    assert plain(pattern).covers(text) is (re.fullmatch(expression, text) is not None)


@given(WILD_TEXT, st.text("ab/", max_size=5), st.lists(st.text("ab/", max_size=4), max_size=8))
def test_an_answer_about_every_string_holds_for_each(
    pattern: str, prefix: str, rests: list[str]
) -> None:
    """If this fails, a policy for a part of a bucket is taken for one of the whole."""
    answer = plain(pattern).covers(Every(prefix=prefix))
    each = {plain(pattern).covers(prefix + rest) for rest in (*rests, "", "a", "ba/b")}
    assert answer is None or each == {answer}


@pytest.mark.parametrize(
    ("pattern", "prefix", "answer"),
    [
        ("b/*", "b/", True),
        ("*", "b/", True),
        ("b*", "b/logs/", True),
        ("b/logs/*", "b/", None),
        ("b/*.txt", "b/", None),
        ("b/?*", "b/", None),  # the key that is the prefix itself is not in it
        ("c/*", "b/", False),
        ("b", "b/", False),
    ],
)
def test_a_part_of_the_objects_is_neither_all_nor_none(
    pattern: str, prefix: str, answer: bool | None
) -> None:
    """If this fails, `cannot tell` becomes a yes or a no for objects that differ."""
    assert plain(pattern).covers(Every(prefix=prefix)) is answer


def test_hostile_wildcards_cost_no_more_than_their_length() -> None:
    """If this fails, this test hangs: one policy could stop preflight for ever."""
    assert plain("a*" * 2_000 + "b").covers("a" * 2_000) is False


def test_actions_ignore_case() -> None:
    """If this fails, S3:getobject in a policy grants nothing here and all at AWS."""
    assert is_action_named("S3:get*", "s3:GetObject")
    assert not is_action_named("s3:GetObject", "s3:GetObjectAcl")


CONTEXT = context_of(
    {
        "aws:PrincipalAccount": "111111111111",
        "aws:userid": "AIDA:*",
        "many": ("a", "b"),
        "open": Every(prefix="a"),
    },
    absent=("aws:PrincipalTag/*",),
)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("b/${aws:principalaccount}/x", "b/111111111111/x"),
        ("${*}${?}${$}", "*?$"),
        ("${aws:PrincipalTag/team, 'none'}", "none"),
        ("${aws:PrincipalTag/team}", None),
        ("${aws:unheard}", None),
        ("${aws:unheard, 'default'}", None),
        ("${aws:userid}", None),
        ("${many}", None),
        ("${open}", None),
        ("${}", None),
        ("${open", "${open"),
    ],
)
def test_variables_are_filled_in_or_left_open(text: str, literal: str | None) -> None:
    """If this fails, a variable nobody knows is taken for a name."""
    assert literal_of(text, CONTEXT) == literal
    assert literal_of(text, None) == text


def test_escaped_wildcards_are_characters() -> None:
    """If this fails, ${*} covers everything."""
    pattern = pattern_of("b/${*}/*", CONTEXT)
    assert pattern is not None
    assert pattern.covers("b/*/k") is True
    assert pattern.covers("b/x/k") is False


@pytest.mark.parametrize(
    ("said", "wanted", "answer"),
    [
        ("arn:aws:s3:::b", "arn:aws:s3:::b", True),
        ("arn:aws:s3:::b", "arn:aws:s3:::*", True),
        ("arn:aws:iam::1:role/a/b", "arn:aws:iam::*:role/*", True),
        ("arn:aws:iam::1:role/a", "arn:*:role/a", None),  # a wildcard covers no colon
        ("arn:aws:iam::1:role/a", "arn:*:*:*:*:role/a", True),
        ("arn:aws:iam::1:role/a", "arn:aws:iam::2:role/a", False),
        ("arn:aws:x:r:1:a:b", "arn:aws:x:r:1:a:*", True),
        ("arn:aws:s3:::b", "*", None),
        ("no arn", "arn:aws:s3:::*", None),
        (Every(prefix="arn:aws:s3:::b/"), "arn:aws:s3:::b/*", True),
        (Every(prefix="arn:aws:s3:::b/"), "arn:aws:s3:::b/x", None),
        (Every(prefix="arn:aws:s3:::b/"), "arn:aws:s3:::c/*", False),
    ],
)
def test_arns_compare_part_by_part(said: Said, wanted: str, answer: bool | None) -> None:
    """If this fails, a wildcard in one part of an ARN reaches into the next."""
    tokens = tokens_of(wanted, None)
    assert tokens is not None
    assert is_arn_like(said, tokens) is answer


def test_what_is_said_of_the_request_counts_before_what_follows_from_it() -> None:
    """If this fails, a caller cannot say that a key which we derive is absent or other."""
    said = context_of({"A": "1"}, absent=("b", "tag/*"))
    both = said.beside(context_of({"a": "2", "b": "2", "tag/x": "2", "c": "2"}, absent=("a", "d")))
    assert [both.values(key) for key in ("a", "b", "tag/x", "c", "d", "e")] == [
        ("1",),
        (),
        (),
        ("2",),
        (),
        None,
    ]
    assert Context().values("anything") is None
