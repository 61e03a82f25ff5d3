"""The entries of a page whose versions are all alike: one mark-up between what differs in each.

Most pages of most buckets are such, and nobody need read the same mark-up a thousand times: a loose
pattern skips as many characters as the first version has between its values, and what it found is
written down again with the first version's mark-up. Never believes the pattern, only that the text
so written is the page's own.
Law: every byte of the entries is accounted for, or nothing is returned.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, repeat
from typing import Final, NamedTuple

from backfill.aws.ordinary_entries import (
    FLAGS,
    S3_ZONE,
    decoded_keys,
    is_plain,
    ordinary_entries,
    utc_texts,
)
from backfill.model.listed import Cells

_DIFFERING: Final = ("Key", "VersionId", "IsLatest", "LastModified", "ETag", "Size")
_END: Final = "</Version>"
_VALUE_MAX: Final = 4096
"""Characters of a value: a key of 1,024 bytes has 3,072 if each is percent-encoded. What is longer
is no key of S3's; without a limit, a hostile page could make the pattern take hours."""
_SHAPES_MAX: Final = 64
"""Patterns remembered: lengths of mark-up differ with algorithms, storage classes and owners."""


class _Shape(NamedTuple):
    """A version: what differs, in its order there; the mark-up around each; what it says itself."""

    differing: tuple[str, ...]
    markup: tuple[str, ...]
    storage_class: str
    algorithms: str
    checksum_type: str | None


def alike_entries(text: str, *, is_encoded: bool) -> list[Cells] | None:
    """Return the entries in their order; None if they are not all versions, and all alike."""
    shape = _shape_of_first(text)
    if shape is None or not text.endswith(shape.markup[-1]):
        return None
    rows: list[tuple[str, ...]] = _loose_pattern(shape.markup).findall(text)
    columns = [[row[place] for row in rows] for place in range(len(_DIFFERING))]
    if _written(shape.markup, columns) != text:
        return None
    of = dict(zip(shape.differing, columns, strict=True))
    values = "".join(chain(of["Key"], of["VersionId"], of["ETag"]))
    if "<" in values or '"' in values or not is_plain(values):
        return None
    try:
        return list(
            zip(
                decoded_keys(of["Key"]) if is_encoded else of["Key"],
                of["VersionId"],
                [FLAGS[flag] for flag in of["IsLatest"]],
                utc_texts(of["LastModified"]),
                of["ETag"],
                list(map(int, of["Size"])),
                # Of all these, each is the same for every version.
                *map(repeat, shape[2:]),
                strict=False,
            )
        )
    except (KeyError, ValueError):
        return None


def _shape_of_first(text: str) -> _Shape | None:
    """Return the shape of the first version; None where another entry is first, or an odd one."""
    first = text[: text.find(_END) + len(_END)]
    entries = ordinary_entries(first, is_encoded=False) if first.startswith("<Version>") else None
    if entries is None or len(entries) != 1:
        return None
    # Strictly read, so that each element is there once at most.
    spans = sorted((first.find(f"<{name}>"), name) for name in _DIFFERING)
    if spans[0][0] < 0:
        return None
    markup, end = [], 0
    for opening, name in spans:
        start = opening + len(f"<{name}>")
        if name == "ETag":
            start += len("&quot;" if first.startswith("&quot;", start) else '"')
        markup.append(first[end:start])
        value = _value_at(first, start)
        if name == "LastModified":
            if not value.endswith(S3_ZONE):
                return None
            value = value.removesuffix(S3_ZONE)  # mark-up of a time alone: a key may end so, too
        end = start + len(value)
    return _Shape(tuple(name for _, name in spans), (*markup, first[end:]), *entries[0][6:])


def _value_at(text: str, start: int) -> str:
    return re.split('[<&"]', text[start:], maxsplit=1)[0]


def _loose_pattern(markup: tuple[str, ...]) -> re.Pattern[str]:
    stops = "".join(piece[0] for piece in markup[1:])
    return _pattern_of(markup[0], stops, tuple(map(len, markup[1:])))


@lru_cache(maxsize=_SHAPES_MAX)
def _pattern_of(beginning: str, stops: str, lengths: tuple[int, ...]) -> re.Pattern[str]:
    """Return what finds values: each ends where the character comes that its mark-up begins with.

    `[^<]` runs ten times as fast as a set of characters, and `.{100}` is one step.
    """
    values = (
        f"([^{stop}]{{1,{_VALUE_MAX}}}+).{{{length}}}"
        for stop, length in zip(stops, lengths, strict=True)
    )
    return re.compile(re.escape(beginning) + "".join(values), re.DOTALL)


def _written(markup: tuple[str, ...], columns: list[list[str]]) -> str:
    """Return the entries as this mark-up and these values make them."""
    pieces: list[Iterable[str]] = []
    for piece, column in zip(markup, columns, strict=False):
        pieces += (repeat(piece), column)
    return "".join(chain.from_iterable(zip(*pieces, repeat(markup[-1]), strict=False)))
