"""Members of foreign documents: what is there, and nothing instead of a fault."""

import pytest

from backfill.preflight.evidence import NOT_ASKED as UNREAD
from backfill.preflight.evidence import BucketEvidence, KeyEvidence, RoleEvidence
from backfill.preflight.members import altered, member, members, text, texts
from backfill.preflight.statements import source_key_statement, source_statement

DOCUMENT = {"a": {"b": {"c": "x"}}, "list": [{"n": 1}, "odd", {"n": 2}], "word": "w", "number": 7}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), DOCUMENT),
        (("a",), {"b": {"c": "x"}}),
        (("a", "b"), {"c": "x"}),
        (("a", "b", "c"), {}),
        (("a", "b", "c", "d"), {}),
        (("none", "b"), {}),
        (("word",), {}),
    ],
)
def test_an_element_is_found_by_its_path(path: tuple[str, ...], expected: object) -> None:
    """If this fails, a setting is read from another place, or a strange document is a crash."""
    assert member(DOCUMENT, *path) == expected
    assert member("odd", *path) == {}


@pytest.mark.parametrize(
    ("name", "of_list", "as_text", "as_texts"),
    [
        ("list", ({"n": 1}, {"n": 2}), "", ("odd",)),
        ("word", (), "w", ("w",)),
        ("number", (), "", ()),
        ("none", (), "", ()),
        ("a", (), "", ()),
    ],
)
def test_a_member_of_another_kind_is_as_good_as_absent(
    name: str, of_list: object, as_text: str, as_texts: tuple[str, ...]
) -> None:
    """If this fails, a list is read as a text, or the letters of a text as a list."""
    assert members(DOCUMENT, name) == of_list
    assert text(DOCUMENT, name) == as_text
    assert texts(DOCUMENT, name) == as_texts
    assert (members(None, name), text(None, name), texts(None, name)) == ((), "", ())


def test_a_text_is_found_below_elements() -> None:
    """If this fails, a setting inside another one is never seen."""
    assert text(DOCUMENT, "a", "b", "c") == "x"
    assert text(DOCUMENT, "a", "word") == ""


def test_what_is_altered_is_a_copy() -> None:
    """If this fails, what was read changes while a mend is worded."""
    before = {"a": [1]}
    copied = altered(before)
    copied["a"].append(2)  # type: ignore[attr-defined] # a list
    assert before == {"a": [1]}


def test_the_statements_of_copies_grant_what_copies_need_and_no_more() -> None:
    """If this fails, a pasted statement lets too much in, or S3 refuses whole copies."""
    assert source_statement(source_bucket="from", account="1" * 12) == (
        '{"Sid": "BackfillReadsForCopies", "Effect": "Allow", "Principal": {"AWS":'
        ' "arn:aws:iam::111111111111:root"}, "Action": ["s3:GetObject", "s3:GetObjectTagging",'
        ' "s3:GetObjectVersion", "s3:GetObjectVersionTagging"], "Resource":'
        ' "arn:aws:s3:::from/*"}'
    )
    assert source_key_statement(account="1" * 12) == (
        '{"Sid": "BackfillDecryptsForCopies", "Effect": "Allow", "Principal": {"AWS":'
        ' "arn:aws:iam::111111111111:root"}, "Action": "kms:Decrypt", "Resource": "*"}'
    )


def test_an_arn_tells_account_region_and_name() -> None:
    """If this fails, a command is for another account or Region, or a short ARN is a crash."""
    role = RoleEvidence(arn="arn:aws:iam::1:role/p/q/name", role=None)
    assert (role.account_id, role.name) == ("1", "name")
    short = RoleEvidence(arn="arn:aws:iam::1", role=None)
    assert (short.account_id, short.name) == ("", "arn:aws:iam::1")
    key = KeyEvidence(arn="arn:aws:kms:eu-west-1:2:key/k", key=None, policy=UNREAD)
    assert (key.account_id, key.region) == ("2", "eu-west-1")
    alias = KeyEvidence(arn="alias/aws/s3", key=None, policy=UNREAD)
    assert (alias.account_id, alias.region) == ("", "")


def test_a_bucket_that_nobody_asked_for_is_neither_missing_nor_proven() -> None:
    """If this fails, a bucket of somebody else is created again, or taken for one's own."""
    plain = BucketEvidence(name="b", region="us-east-1")
    assert (plain.arn, plain.region_name, plain.account_id) == ("arn:aws:s3:::b", "us-east-1", "")
    assert not plain.is_missing
    assert not plain.is_owner_proven
    unread = BucketEvidence(name="b", region=UNREAD)
    assert not unread.is_missing
    assert unread.region_name == ""
