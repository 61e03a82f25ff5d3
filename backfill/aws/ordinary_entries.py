"""The entries of an ordinary page of versions, taken apart by one strict pattern.

A page holds a thousand entries and a bucket a hundred thousand pages: expat takes ten times as
long, and so do nouns that are only written down again; so the entries come as cells. Never guesses:
a page with anything but printable ASCII, with unknown or repeated elements, attributes, white space
between elements or a value without a meaning is left to `versions_page`.
Law: every byte of the entries is accounted for, or nothing is returned.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from backfill.model.listed import CHECKSUM_TYPES, Cells
from backfill.model.objects import NULL_VERSION_ID

STAND_IN: Final = "BackfillEntries"
"""The element that takes the place of the entries in what is left of the page."""

_BEGINNINGS: Final = (b'<?xml version="1.0" encoding="UTF-8"?>', b"<ListVersionsResult")
"""How a page begins whose ASCII bytes are ASCII characters."""

_AND_ANOTHER: Final = "</ChecksumAlgorithm><ChecksumAlgorithm>"
_ELEMENTS: Final[Mapping[str, str]] = {
    "Key": "<Key>([^<]++)</Key>",
    "VersionId": "<VersionId>([^<]*+)</VersionId>",
    "IsLatest": "<IsLatest>([^<]++)</IsLatest>",
    "LastModified": "<LastModified>([^<]++)</LastModified>",
    "ETag": "<ETag>{quote}([^{first}]++){quote}</ETag>",
    "ChecksumAlgorithm": (
        f"<ChecksumAlgorithm>([^<]++(?:{_AND_ANOTHER}[^<]++)*)</ChecksumAlgorithm>"
    ),
    "ChecksumType": "<ChecksumType>([^<]*+)</ChecksumType>",
    "Size": "<Size>([^<]++)</Size>",
    "StorageClass": "<StorageClass>([^<]*+)</StorageClass>",
    "Owner": "<Owner>(?:<ID>[^<]*+</ID>)?(?:<DisplayName>[^<]*+</DisplayName>)?</Owner>",
    "RestoreStatus": (
        "<RestoreStatus>(?:<IsRestoreInProgress>[^<]*+</IsRestoreInProgress>)?"
        "(?:<RestoreExpiryDate>[^<]*+</RestoreExpiryDate>)?</RestoreStatus>"
    ),
}
"""Each element with the group of its value; stores agree on the elements, not on their order.

A value is whatever is no mark-up: `[^<]` runs ten times as fast as a set of characters. That it is
plain, too, is asked once for all of a page.
"""

_VALUES: Final = tuple(name for name in _ELEMENTS if name not in ("Owner", "RestoreStatus"))
_OPENING: Final = re.compile(f"<({'|'.join(_ELEMENTS)})>")

_ORDERS_MAX: Final = 16
"""Orders of elements, and spellings of quotes, remembered: a bucket has few."""

_Row = tuple[str, str, str, str, str, str, str, str, str, str, str]
"""The marker's name or nothing, `_VALUES` (nothing where an element is absent), and the rest."""

_CONTROLS: Final = tuple(map(chr, range(0x20)))
_SECONDS: Final = "dddd-dd-ddTdd:dd:dd"
S3_ZONE: Final = ".000Z"
"""S3 writes times in whole seconds, and this behind each; `d` is a digit."""
FLAGS: Final = {"true": True, "false": False}
"""The values of IsLatest."""
_CHECKSUM_TYPES: Final = {kind or "": kind and str(kind) for kind in CHECKSUM_TYPES}


class Apart(NamedTuple):
    """A page taken apart: its entries, and the rest of it with `STAND_IN` in their place."""

    entries: str
    rest: bytes


def taken_apart(body: bytes) -> Apart | None:
    """Return the two pieces of a page; None for one without entries, or not made of ASCII."""
    first = body.find(b"<Version>")
    marker = body.find(b"<DeleteMarker>", 0, first if first >= 0 else len(body))
    start = marker if marker >= 0 else first
    last = body.rfind(b"</Version>")
    end = max(last + 10, body.rfind(b"</DeleteMarker>", max(last, 0)) + 15)
    if start < 0 or not body.startswith(_BEGINNINGS):
        return None
    entries, before, after = body[start:end], body[:start], body[end:]
    if not entries.isascii() or STAND_IN.encode() in before + after:
        return None
    return Apart(entries.decode("ascii"), b"%b<%b/>%b" % (before, STAND_IN.encode(), after))


def ordinary_entries(text: str, *, is_encoded: bool) -> list[Cells] | None:
    """Return the entries in their order; None if any of them is not ordinary."""
    quote = '"' if '"' in text else "&quot;"
    order = _order(_elements_of_first_version(text))
    rows: list[_Row] = _pattern(order, quote).findall(text)
    if not rows or rows[-1][-1]:  # the last group takes what is no entry, to the very end
        return None
    if (pick := _usual(order)) is not None:
        rows = list(map(pick, rows))
    etags = [row[5] for row in rows]
    # Each ETag was found between two of them, so that many are accounted for.
    entities = 2 * (len(etags) - etags.count("")) if quote == "&quot;" else 0
    if "<" in "".join(etags) or not is_plain(text, entities=entities):
        return None
    if not all(etags) and not all(row[5] or row[0] for row in rows):  # a marker needs none
        return None
    try:
        return _cells(rows, is_encoded=is_encoded)
    except (KeyError, ValueError):
        return None


def is_plain(text: str, *, entities: int = 0) -> bool:
    """Return whether ASCII text is what XML makes of it, but for so many entities.

    There is nothing else to expand, to normalise, or to refuse.
    """
    return (
        text.count("&") == entities
        # Looking for each alone takes a twentieth of one pattern for all.
        and not any(map(text.__contains__, _CONTROLS))
        and ("]" not in text or "]]>" not in text)
    )


def decoded_keys(keys: list[str]) -> list[str]:
    """Return the keys without the URL encoding of a listing; raises ValueError.

    S3 encodes as forms do: a space is `+`, a plus `%2B`. Strict: a key is UTF-8.
    """
    joined = "".join(keys)
    if "%" not in joined and "+" not in joined:
        return keys
    return [unquote_plus(key, errors="strict") if "%" in key or "+" in key else key for key in keys]


def _cells(rows: Sequence[_Row], *, is_encoded: bool) -> list[Cells]:
    keys, flags, kinds = [row[1] for row in rows], FLAGS, _CHECKSUM_TYPES
    if not all(keys):
        raise ValueError("an entry without a key")
    if is_encoded:
        keys = decoded_keys(keys)
    times = _utc_texts([row[4] for row in rows])
    names = {text: _names(text) for text in {row[6] for row in rows}}
    null = NULL_VERSION_ID
    return [
        (key, version_id or null, flags[latest], time, None, 0, "", "", None)
        if marker
        else (
            key,
            version_id or null,
            flags[latest],
            time,
            etag,
            int(size),
            storage_class or "STANDARD",
            names[algorithms],
            kinds[kind],
        )
        for (
            (marker, _, version_id, latest, _, etag, algorithms, kind, size, storage_class, _),
            key,
            time,
        ) in zip(rows, keys, times, strict=True)
    ]


def _names(text: str) -> str:
    if "," in text:
        raise ValueError("a name that reads as two")
    return text.replace(_AND_ANOTHER, ",")


def _utc_texts(times: Sequence[str]) -> list[str]:
    if all(time.endswith(S3_ZONE) for time in times):
        return utc_texts([time[: -len(S3_ZONE)] for time in times])
    return list(map(_utc_text, times))


def utc_texts(seconds: list[str]) -> list[str]:
    """Return times as cells have them, of what S3 writes before `S3_ZONE`; raises ValueError."""
    joined, count = "".join(seconds), len(seconds)
    is_form = set(map(len, seconds)) == {len(_SECONDS)} and all(
        joined[place :: len(_SECONDS)] == character * count
        for place, character in enumerate(_SECONDS)
        if character != "d"
    )
    if not is_form:
        raise ValueError("a time of another form")
    # What is left to be wrong is a digit that is none, or a day that is in no calendar.
    deque(map(datetime.fromisoformat, seconds), maxlen=0)
    return [second + "+00:00" for second in seconds]


def _utc_text(time: str) -> str:
    if not time.endswith("Z"):
        raise ValueError(f"{time!r} is not said to be UTC")
    return datetime.fromisoformat(time).isoformat()


def _elements_of_first_version(text: str) -> tuple[str, ...]:
    end = text.find("</Version>")
    return tuple(dict.fromkeys(_OPENING.findall(text[: max(end, 0)].rpartition("<Version>")[2])))


@lru_cache(maxsize=_ORDERS_MAX)
def _order(seen: tuple[str, ...]) -> tuple[str, ...]:
    """Return all elements in the order of those seen, the others at their usual places."""
    usual, order = tuple(_ELEMENTS), list(seen)
    for place, name in enumerate(usual):
        if name not in order:
            order.insert(order.index(usual[place - 1]) + 1 if place else 0, name)
    return tuple(order)


@lru_cache(maxsize=_ORDERS_MAX)
def _pattern(order: tuple[str, ...], quote: str) -> re.Pattern[str]:
    """Return the pattern of an entry; a marker is a version with fewer elements.

    No group is repeated but one without groups inside, so that it fails in linear time.
    """
    elements = [f"(?:{_ELEMENTS[name]})?" for name in order]
    spelled = "".join(elements).replace("{quote}", quote).replace("{first}", quote[0])
    return re.compile(
        f"<(?:Version|(DeleteMarker))>{spelled}</(?(1)DeleteMarker|Version)>|((?s:.++))"
    )


@lru_cache(maxsize=_ORDERS_MAX)
def _usual(order: tuple[str, ...]) -> Callable[[tuple[str, ...]], _Row] | None:
    """Return what picks a row out of the groups of an order; None where they lie as usual."""
    groups = [name for name in order if name in _VALUES]
    if groups == list(_VALUES):
        return None
    return itemgetter(0, *(1 + groups.index(name) for name in _VALUES), 1 + len(groups))
