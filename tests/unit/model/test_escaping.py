"""A key must not be able to drive a terminal, forge a log line or pass for another key."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.model.escaping import original_text, quoted, visible_text

ANY_TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=sys.maxunicode), max_size=60)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("photos/2019/a b.jpg", "photos/2019/a b.jpg"),
        ("grüße/日本/🙂", "grüße/日本/🙂"),
        ("a\nlevel=error", r"a\nlevel=error"),
        ("a\\nb", r"a\\nb"),
        ("\x1b[2J\x07\x9b", r"\x1b[2J\x07\x9b"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("a\u200bb\u2028c\u3164d\ufe0f", r"a\u200bb\u2028c\u3164d\ufe0f"),
        ("\U000e0041", r"\U000e0041"),
        ("\x00\x7f\x85\xa0\xad", r"\x00\x7f\x85\xa0\xad"),
        ("\udc80", r"\udc80"),
        ("\r\t", r"\r\t"),
        ("\uffff\U0001d173", r"\uffff\U0001d173"),
    ],
)
def test_hostile_characters_become_visible_escapes(text: str, visible: str) -> None:
    """Each class of character that a terminal acts upon or a person cannot see has its escape."""
    assert visible_text(text) == visible
    assert original_text(visible) == text


@given(ANY_TEXT)
def test_the_original_comes_back_from_what_is_shown(text: str) -> None:
    """If this fails, a person who copies a key from a log line names another object."""
    assert original_text(visible_text(text)) == text


@given(ANY_TEXT)
def test_what_is_shown_is_one_line_without_controls(text: str) -> None:
    """If this fails, a key can end a log line, move the cursor or turn the reading direction."""
    shown = visible_text(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1


def test_a_value_in_quotes_is_not_escaped_twice() -> None:
    """If this fails, a key in a sentence is shown with twice the backslashes it has."""
    assert (quoted("a\n"), quoted(7), quoted(None)) == ("'a\n'", "7", "None")
