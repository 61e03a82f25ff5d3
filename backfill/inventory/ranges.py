"""Ranges of keys: how far one was listed, how much of it is left, and where to cut it in two.

Never cuts inside a key: a range is all versions of the keys after one string, up to another.
Law: a cut lies strictly between the last key listed and the end of the range; wherever it lies,
both halves together list the same entries as the whole. So a bad guess costs a request, not a key.

Sources: S3 API reference, ListObjectVersions (KeyMarker is exclusive, and need not be a key that
exists); S3 User Guide, object-keys (UTF-8, at most 1,024 bytes).
"""

from bisect import bisect_right
from collections import deque
from math import inf
from typing import Final

from backfill.inventory.columns import Columns
from backfill.model.store import VersionsPosition

KEY_BYTES_MAX: Final = 1024
WORTH_PAGES: Final = 8.0
"""Expected pages that are left, from which on a range is cut: four for each half, as each half
costs a page more than the whole, and halves are never equal."""
_WINDOW_PAGES: Final = 4
"""Pages whose density tells what is left: density changes along a key space."""
_PATIENCE_MAX: Final = 4
"""A range that was cut in vain twice waits 2, 4, 8 pages before it is cut again."""
_HIGHEST: Final = "\U0010ffff"


class OpenRange:
    """The keys after `start`, up to and with `upto` (None: to the end), as far as listed.

    `first` is the first key that its pages showed, in the range or beyond it, and `beyond` the
    first one beyond; None where nothing follows. `anchor` is a key below the range, or its first,
    from which the range is explored outward while nothing is known of what follows.
    """

    def __init__(
        self,
        *,
        prefix: str,
        start: VersionsPosition | None = None,
        upto: str | None = None,
        anchor: str | None = None,
        parent: "OpenRange | None" = None,
    ) -> None:
        self.prefix = prefix
        self.start = start
        self.upto = upto
        self.parent = parent
        self.is_outward = anchor is not None
        self.first: str | None = None
        self.beyond: str | None = None
        self.pages = 0
        self._anchor = anchor
        self._explores = anchor is not None or parent is None
        self._key: str | None = None
        self._window: deque[tuple[str, int]] = deque(maxlen=_WINDOW_PAGES)
        self._pages_at_cut = 0
        self._key_at_cut: str | None = None
        self._refusals = 0
        self._value: float | None = None

    def advance(self, page_first: str | None, key: str | None, rows: int) -> None:
        """Take note of a page: its first key, and the last one of its `rows` in the range."""
        if self.pages == 0:
            self.first = page_first
        self.pages += 1
        self._value = None
        if page_first is None or key is None:
            return
        self._key = key
        self._window.append((page_first, rows))
        if self._explores and self._anchor is None:
            self._anchor = page_first

    def answer(self, *, is_worth: bool, is_outward: bool) -> None:
        """Take note of whether a range that was cut off this one was worth its request."""
        if is_worth:
            self._refusals = 0
        elif not is_outward:
            self._refusals = min(self._refusals + 1, _PATIENCE_MAX)
            if self._refusals > 1 and self._window:
                # What is expected from the alphabet is not there: look closer.
                self._anchor = self._window[-1][0]
        self._value = None

    def value(self, columns: Columns, page_rows: int) -> float:
        """Return the expected rows left, infinite where nothing is known; 0: do not cut now."""
        if self._value is None:
            self._value = self._worth(columns, page_rows)
        return self._value

    def _worth(self, columns: Columns, page_rows: int) -> float:
        patience = 1 << max(self._refusals - 1, 0)
        if self._key is None or self._key in (self._key_at_cut, self.upto):
            return 0.0
        if self.pages - self._pages_at_cut < patience:
            return 0.0
        if self.upto is None and self._outward() is not None:
            return inf
        left = self._rows_left(columns)
        return left if left >= WORTH_PAGES * page_rows else 0.0

    def cut(self, columns: Columns) -> "OpenRange | None":
        """Give away the upper part, at a key of the learned alphabet; None: it has no middle."""
        assert self._key is not None, "a range is cut beyond what was listed"
        self._pages_at_cut, self._key_at_cut, self._value = self.pages, self._key, 0.0
        outward = self._outward()
        middle = outward or _middle(self._key, self.upto, self.prefix, columns)
        if middle is None:
            return None
        upper = OpenRange(
            prefix=self.prefix,
            start=VersionsPosition(key=middle),
            upto=self.upto,
            anchor=self._key if outward else None,
            parent=self,
        )
        self.upto = middle
        return upper

    def _outward(self) -> str | None:
        """Return the end of the folder, in a wide sense, that all keys since the anchor share."""
        if self._anchor is None or self._key is None:
            return None
        shared = shared_length(self._anchor, self._key)
        following = successor(self._key[:shared])
        if following is None or not _lies_between(following, self._key, self.upto, self.prefix):
            return None
        return following

    def _rows_left(self, columns: Columns) -> float:
        assert self._key is not None, "a page was listed"
        begin, rows = self._window[0][0], sum(rows for _, rows in self._window)
        base = shared_length(begin, self._key)
        if self.upto is not None:
            base = min(base, shared_length(self._key, self.upto))
        else:
            base = len(self.prefix)
        here = columns.fraction(self._key, base)
        end = columns.fraction(self.upto, base) if self.upto is not None else 1.0
        covered = here - columns.fraction(begin, base)
        return rows * max(end - here, 0.0) / covered if covered > 0.0 else inf


def _middle(key: str, upto: str | None, prefix: str, columns: Columns) -> str | None:
    """Return a string between, at the first place whose alphabet has characters between."""
    shared = shared_length(key, upto) if upto is not None else len(prefix)
    for place in range(shared, len(key) + 1):
        alphabet = columns.alphabet(place)
        low = bisect_right(alphabet, key[place]) if place < len(key) else 0
        high = len(alphabet)
        if place == shared and upto is not None:
            high = bisect_right(alphabet, upto[place])
        found = alphabet[low:high]
        for character in (found[len(found) // 2 :] + found[: len(found) // 2])[:2]:
            middle = key[:place] + character
            if _lies_between(middle, key, upto, prefix):
                return middle
        if not found and upto is None and place == shared:
            # Nothing above is known: what follows this character's keys will tell.
            following = successor(key[: place + 1])
            if following is not None and _lies_between(following, key, upto, prefix):
                return following
    return None


def _lies_between(middle: str, key: str, upto: str | None, prefix: str) -> bool:
    return (
        key < middle
        and (upto is None or middle < upto)
        and middle.startswith(prefix)
        and len(middle.encode()) <= KEY_BYTES_MAX
    )


def shared_length(one: str, two: str) -> int:
    """Return how many characters two strings have in common from their beginning."""
    length = min(len(one), len(two))
    if one[:length] == two[:length]:
        return length
    return next(place for place in range(length) if one[place] != two[place])


def successor(text: str) -> str | None:
    """Return the least string above all that begin with `text`; None where there is none.

    Surrogates are no characters of UTF-8, and nothing is above U+10FFFF.
    """
    text = text.rstrip(_HIGHEST)
    if not text:
        return None
    above = ord(text[-1]) + 1
    return text[:-1] + chr(0xE000 if above == 0xD800 else above)
