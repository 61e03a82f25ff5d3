"""RFC 2047 words in metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.aws.mail_words import decoded_words, encoded_words

CASES = {
    "plain": "plain",
    "=?UTF-8?B?w6k=?=": "é",
    "=?utf-8?q?caf=C3=A9_au_lait?=": "café au lait",
    "=?ISO-8859-1?Q?caf=E9?=": "café",
    "a =?UTF-8?B?w6k=?= b": "a é b",
    "=?UTF-8?B?w6k=?= =?UTF-8?B?w6k=?=": "éé",
    "=?UTF-8?B?ww==?= =?UTF-8?B?qQ==?=": "é",
    "=?UTF-8*en?Q?x?=": "x",
    "=?no-such-charset?B?w6k=?=": "=?no-such-charset?B?w6k=?=",
    "=?UTF-8?B?w6k?=": "=?UTF-8?B?w6k?=",
    "=?UTF-8?B?/w==?=": "=?UTF-8?B?/w==?=",
    "=?UTF-8?X?w6k=?=": "=?UTF-8?X?w6k=?=",
    "a =?b? c": "a =?b? c",
    "a?=  =?b": "a?=  =?b",
    "é raw": "é raw",
    "": "",
}


@pytest.mark.parametrize(("value", "text"), CASES.items())
def test_a_value_is_decoded_only_where_it_is_a_word(value: str, text: str) -> None:
    """Metadata that is altered on its way makes a copy that is no copy."""
    assert decoded_words(value) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encoded_is_decoded_again(text: str) -> None:
    """UploadPartCopy carries no metadata over: we read it and write it again."""
    encoded = encoded_words(text)
    assert encoded.isascii()
    assert encoded == encoded.strip()
    assert decoded_words(encoded) == text


@given(st.text(st.sampled_from("=?UTFutf-8*bBqQ_ aw6k/+é")))
def test_no_value_raises(value: str) -> None:
    """Values come from strangers."""
    assert isinstance(decoded_words(value), str)
