"""The entries of an ordinary page of versions, taken apart by one strict pattern.

A page holds a thousand entries and a bucket a hundred thousand pages: expat takes five times as
long. Never guesses: a page with anything but printable ASCII, with unknown or repeated elements,
attributes, white space between elements or a value without a meaning is left to `versions_page`.
Law: every byte of the entries is accounted for, or nothing is returned.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from sys import intern
from typing import Final, NamedTuple, TypeVar
from urllib.parse import unquote_plus

from backfill.model.objects import (
    NULL_VERSION_ID,
    ChecksumType,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)

STAND_IN: Final = "BackfillEntries"
"""The element that takes the place of the entries in what is left of the page."""

_BEGINNINGS: Final = (b'<?xml version="1.0" encoding="UTF-8"?>', b"<ListVersionsResult")
"""How a page begins whose ASCII bytes are ASCII characters."""

_TEXT: Final = r"[ !#-%'-;=?-\\^-~]"
"""What needs no XML parser: printable ASCII but for `<`, `>`, `&`, `"`, `]`."""

_ELEMENTS: Final[Mapping[str, str]] = {
    "Key": f"<Key>({_TEXT}++)</Key>",
    "VersionId": f"<VersionId>({_TEXT}*+)</VersionId>",
    "IsLatest": "<IsLatest>(true|false)</IsLatest>",
    "LastModified": r"<LastModified>([0-9T:.-]++Z)</LastModified>",
    "ETag": f'<ETag>(?:&quot;|")({_TEXT}++)(?:&quot;|")</ETag>',
    "ChecksumAlgorithm": f"((?:<ChecksumAlgorithm>{_TEXT}*+</ChecksumAlgorithm>)+)",
    "ChecksumType": f"<ChecksumType>({_TEXT}*+)</ChecksumType>",
    "Size": "<Size>([0-9]++)</Size>",
    "StorageClass": f"<StorageClass>({_TEXT}*+)</StorageClass>",
    "Owner": f"<Owner>(?:<ID>{_TEXT}*+</ID>)?(?:<DisplayName>{_TEXT}*+</DisplayName>)?</Owner>",
    "RestoreStatus": (
        f"<RestoreStatus>(?:<IsRestoreInProgress>{_TEXT}*+</IsRestoreInProgress>)?"
        f"(?:<RestoreExpiryDate>{_TEXT}*+</RestoreExpiryDate>)?</RestoreStatus>"
    ),
}
"""Each element with the group of its value; stores agree on the elements, not on their order."""

_VALUES: Final = tuple(name for name in _ELEMENTS if name not in ("Owner", "RestoreStatus"))
_OPENING: Final = re.compile(f"<({'|'.join(_ELEMENTS)})>")
_ALGORITHM: Final = re.compile("<ChecksumAlgorithm>([^<]*)<")

_ORDERS_MAX: Final = 16
"""Orders of elements, and sets of those that are there, remembered: a bucket has few."""

_Row = tuple[str, str, VersionId, str, str, ETag, str, str, str, str]
"""The marker's name or nothing, then `_VALUES`; nothing where an element is absent."""

_T = TypeVar("_T")

_FLAGS: Final = {"true": True, "false": False}
_CHECKSUM_TYPES: Final = {"": None} | {kind.value: kind for kind in ChecksumType}


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
    if start < 0 or not body.startswith(_BEGINNINGS) or STAND_IN.encode() in body:
        return None
    entries = body[start:end]
    if not entries.isascii():
        return None
    rest = b"%b<%b/>%b" % (body[:start], STAND_IN.encode(), body[end:])
    return Apart(entries.decode("ascii"), rest)


def ordinary_entries(text: str, *, is_encoded: bool) -> tuple[ListedEntry, ...] | None:
    """Return the entries in their order; None if any of them is not ordinary."""
    seen = _elements_of_first_version(text)
    order = _order(seen)
    # Most pages are all alike; where something may be absent, the pattern takes half as long again.
    for needed in (seen, ()):
        rows = _pattern(order, needed).findall(text)
        if rows and not rows[-1][-1]:  # the last group takes what is no entry, to the very end
            try:
                return tuple(_entries(map(_columns(order), rows), is_encoded=is_encoded))
            except (KeyError, ValueError):
                return None
    return None


def _entries(rows: Iterable[_Row], *, is_encoded: bool) -> list[ListedEntry]:
    entries: list[ListedEntry] = []
    flags, kinds, time = _FLAGS, _CHECKSUM_TYPES, datetime.fromisoformat
    used: dict[str, tuple[str, ...]] = {"": ()}
    classes: dict[str, str] = {"": "STANDARD"}
    for marker, key, version_id, latest, modified, etag, algorithms, kind, size, storage in rows:
        if is_encoded and ("%" in key or "+" in key):
            # S3 encodes as forms do: a space is `+`, a plus `%2B`. Strict: a key is UTF-8.
            key = unquote_plus(key, errors="strict")  # noqa: PLW2901 - the same key, decoded
        if marker:
            entries.append(
                DeleteMarker(
                    _some(key), version_id or NULL_VERSION_ID, flags[latest], time(modified)
                )
            )
            continue
        if algorithms not in used:
            used[algorithms] = tuple(_ALGORITHM.findall(algorithms))
        # By position and in the order of the fields: half the time of keywords, for every version.
        entries.append(
            ObjectVersion(
                key or _some(key),
                version_id or NULL_VERSION_ID,
                flags[latest],
                time(modified),
                etag or _some(etag),
                int(size),
                classes.get(storage) or classes.setdefault(storage, intern(storage)),
                used[algorithms],
                kinds[kind],
            )
        )
    return entries


def _some(value: _T) -> _T:
    if not value:
        raise ValueError("an element that must be there is not")
    return value


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
def _pattern(order: tuple[str, ...], needed: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of an entry; a marker is a version with fewer elements.

    No group is repeated but one without groups inside, so that it fails in linear time.
    """
    elements = [_ELEMENTS[name] if name in needed else f"(?:{_ELEMENTS[name]})?" for name in order]
    return re.compile(
        f"<(?:Version|(DeleteMarker))>{''.join(elements)}</(?(1)DeleteMarker|Version)>"
        r"|([\s\S]++)"
    )


@lru_cache(maxsize=_ORDERS_MAX)
def _columns(order: tuple[str, ...]) -> Callable[[tuple[str, ...]], _Row]:
    """Return what picks a row out of the groups of an order."""
    groups = [name for name in order if name in _VALUES]
    return itemgetter(0, *(1 + groups.index(name) for name in _VALUES))
