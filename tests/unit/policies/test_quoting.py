"""What others wrote is shown harmless, and not for ever."""

import pytest

from backfill.policies.quoting import quoted, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", "a b"),
        ("\x1b[2J", "\\x1b[2J"),
        ("x" * 160, "x" * 160),
        ("x" * 161, "x" * 160 + "…"),
    ],
)
def test_a_text_is_visible_and_of_bounded_length(text: str, expected: str) -> None:
    """If this fails, a Sid moves the cursor, or a pasted novel hides the finding."""
    assert shown(text) == expected
    assert quoted(text) == f'"{expected}"'
