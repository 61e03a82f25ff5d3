"""Documents that are almost right: a specimen, and a recipe of what is done to it.

A recipe is a few bytes, each of which means something, so that hypothesis shrinks it, a seed makes
it, and a coverage-guided fuzzer may bend it. Never knows a format: lines, numbers, quoted words and
brackets are alike in all of ours.
Law: the same specimens and recipe give the same document.
"""

import re
from collections.abc import Callable, Sequence

DOCUMENT_BYTES_MAX = 60_000
"""A document grows no further: what takes longer to make than to parse finds nothing."""
RECIPE_BYTES = 24
"""Of a seeded recipe: a specimen and some four steps."""

_TOKENS: tuple[bytes, ...] = (
    *(b"\xef\xbb\xbf", b"\0", b"\xff", b"\xed\xa0\x80", rb"\ud800", rb"\u0000", b"\x85", b"\x1b["),
    *(b"9" * 20, b"-1", b"0", b"1e999", b"-1e999", b"NaN", b"9" * 5_000),
    *(b"18446744073709551616", b"-9223372036854775809", b"0.5", b"1_000", "\u0663".encode()),
    *(b"null", b"true", b"{}", b"[]", b'""', b"'", b'"', b"\\", b"[", b"]", b"{", b"}", b","),
    *(b"\n", b"\r\n", b"\r", b"\t", b" ", b"\x0b", b"=", b":", b";", b"#", b"<", b">", b"/"),
    *(b"%", b"%00", b"%FF", b"%2F", b"+", b"&#0;", b"&#xD800;", b"&amp;", b"&x;", b"../"),
    *(b"<!DOCTYPE r>", b'<!DOCTYPE r [<!ENTITY a "b">]>', b"<![CDATA[", b"]]>", b"<!--", b"<a/>"),
    *(b"=?utf-8?q?", b"?=", b"${", b"${*}", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"\xc3\xa9"),
    *(b"0001-01-01T00:00:00+01:00", b"9999-12-31T23:59:59-01:00", b"2026-02-30", b"2027-01-01"),
    *(b"Mon, 01 Nov 2026 10:00:00 +99999999999", b"Mon, 01 Nov 2026 10:00:00 -0000", b"24:00"),
    *(b"PARTIAL", b"aws-chunked", b"\x1f\x8b\x08\0", b"S", b"x" * 2_000),
)
_DEPTHS = (3, 60, 1_100, 5_000)
"""Of brackets in brackets: beyond a recursive parser's limit, and far beyond it."""
_NESTS = (
    (b"[", b"]"),
    (b'{"a":', b"}"),
    (b"<a>", b"</a>"),
    (b"a=[", b"]"),
    (b'{"Message":"', b'"}'),
)
_VALUE = re.compile(rb'"[^"\n]*"|[-+]?[0-9][0-9.:TZ+-]*|true|false|null|>[^<>]+<')


class _Recipe:
    """Takes choices off a recipe; where it has ended, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def below(self, limit: int) -> int:
        """Return a number below `limit`."""
        size = 1 if limit <= 256 else 2
        chosen = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(chosen, "little") % max(limit, 1)

    def span(self, text: bytes) -> tuple[int, int]:
        """Return where something short of a text begins and ends."""
        start = self.below(len(text) + 1)
        return start, min(len(text), start + 1 + self.below(1 + min(len(text), 64)))


def mutated(specimens: Sequence[bytes], recipe: bytes) -> bytes:
    """Return what a recipe makes of one of the specimens; an empty recipe, the first itself."""
    choices = _Recipe(recipe)
    document = specimens[choices.below(len(specimens))]
    while choices and len(document) <= DOCUMENT_BYTES_MAX:
        step = _STEPS[choices.below(len(_STEPS))]
        document = step(document, choices, specimens)
    return document[: 2 * DOCUMENT_BYTES_MAX]


_Step = Callable[[bytes, _Recipe, Sequence[bytes]], bytes]


def _cut(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    at = choices.below(len(text) + 1)
    return text[at:] if choices.below(4) == 3 else text[:at]


def _without(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    start, end = choices.span(text)
    return text[:start] + text[end:]


def _doubled(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    start, end = choices.span(text)
    return text[:end] + text[start:end] * (1, 2, 40)[choices.below(3)] + text[end:]


def _line_moved(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    one, other = choices.below(len(lines)), choices.below(len(lines))
    match choices.below(3):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(other, lines[one])
        case _:
            del lines[one]
    return b"".join(lines)


def _byte_changed(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    at = choices.below(len(text) + 1)
    return text[:at] + bytes([choices.below(256)]) + text[at + 1 :]


def _token_inserted(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    at = choices.below(len(text) + 1)
    return text[:at] + _TOKENS[choices.below(len(_TOKENS))] + text[at:]


def _value_replaced(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    return _with_value(text, choices, lambda old: _like(old, _TOKENS[choices.below(len(_TOKENS))]))


def _value_nested(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    depth = _DEPTHS[choices.below(len(_DEPTHS))]
    opening, closing = _NESTS[choices.below(len(_NESTS))]
    ends = depth * choices.below(2)
    return _with_value(text, choices, lambda old: opening * depth + old + closing * ends)


def _values_exchanged(text: bytes, choices: _Recipe, _: Sequence[bytes]) -> bytes:
    values = _VALUE.findall(text)
    other = values[choices.below(len(values))] if values else b"0"
    return _with_value(text, choices, lambda _: other)


def _spliced(text: bytes, choices: _Recipe, specimens: Sequence[bytes]) -> bytes:
    other = specimens[choices.below(len(specimens))]
    return text[: choices.below(len(text) + 1)] + other[choices.below(len(other) + 1) :]


def _with_value(text: bytes, choices: _Recipe, change: Callable[[bytes], bytes]) -> bytes:
    found = list(_VALUE.finditer(text))
    if not found:
        return text + change(b"0")
    place = found[choices.below(len(found))]
    return text[: place.start()] + change(place[0]) + text[place.end() :]


def _like(old: bytes, new: bytes) -> bytes:
    """Return a value in the other one's marks, unless it has marks of its own."""
    if old.startswith(b">"):
        return b">" + new + b"<"
    is_bare = new.startswith((b"{", b"[", b'"', b"-", b"n", b"t")) or new[:1].isdigit()
    return b'"' + new + b'"' if old.startswith(b'"') and not is_bare else new


_STEPS: tuple[_Step, ...] = (
    *(_value_replaced, _value_replaced, _token_inserted, _byte_changed, _values_exchanged, _cut),
    *(_without, _doubled, _line_moved, _value_nested, _spliced),
)
