r"""Keys shown to a person: what could move a cursor, hide or end a line becomes a visible escape.

Never decodes or alters a key that the product works with; it only makes text for eyes.
Law: `original_text(visible_text(text)) == text`, and two different texts never look the same.
"""

import re
from typing import Final

_SHORT: Final = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LONG_OF_SHORT: Final = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}

# Printable by Python's rule, and yet invisible: fillers, joiners and variation selectors
# (Unicode: Default_Ignorable_Code_Point). Controls and bidi overrides are not printable anyway.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_ESCAPE: Final = re.compile(
    r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))", re.ASCII
)


def visible_text(text: str) -> str:
    r"""Return `text` with everything but visible characters written as `\n`, `\x1b`, `\u202e` ...

    A backslash is doubled, so that an escape in a key cannot be mistaken for one of ours.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_visible(character) for character in text)


def quoted(value: object) -> str:
    """Return a value in quotes for a sentence that `visible_text` will escape as a whole.

    Not `repr`, which escapes by itself: then each backslash would be shown four times.
    """
    return f"'{value}'" if isinstance(value, str) else str(value)


def _visible(character: str) -> str:
    if (short := _SHORT.get(character)) is not None:
        return short
    if character.isprintable() and not _INVISIBLE.match(character):
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def original_text(visible: str) -> str:
    """Return what `visible_text` was given."""
    return _ESCAPE.sub(_original, visible)


def _original(escape: re.Match[str]) -> str:
    short, *codes = escape.groups()
    if short is not None:
        return _LONG_OF_SHORT[short]
    return chr(int(next(code for code in codes if code is not None), 16))
