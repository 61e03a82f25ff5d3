"""What characters the keys of a bucket have at each place: learned from listed keys.

Never asks what a key means: a place is an index into the string, and delimiters are characters.
Law: an estimate made from here may be wrong, and costs a request then, never a key.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

_DIGITS: Final = frozenset("0123456789")
_LOWER: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_UPPER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NARROW: Final = (_DIGITS, _DIGITS | frozenset("abcdef"), _DIGITS | frozenset("ABCDEF"))
"""Where all characters of a place are of one of these, hexadecimal digits above all, no others are
expected."""
_CHARACTERS_MAX: Final = 256
"""Characters remembered of one place: enough to halve it eight times."""
_WEIGHT_MIN: Final = 1e-12
"""Places that weigh less do not change an estimate."""


class Columns:
    """The alphabet of each place."""

    def __init__(self) -> None:
        self._seen: list[set[str]] = []
        self._alphabets: list[str | None] = []

    def learn(self, keys: Iterable[str]) -> None:
        """Take in some keys."""
        for key in keys:
            missing = len(key) - len(self._seen)
            if missing > 0:
                self._seen.extend(set() for _ in range(missing))
                self._alphabets.extend([None] * missing)
            for place, (character, seen) in enumerate(zip(key, self._seen, strict=False)):
                if character not in seen and len(seen) < _CHARACTERS_MAX:
                    seen.add(character)
                    self._alphabets[place] = None

    def alphabet(self, place: int) -> str:
        """Return the characters to expect at a place, sorted; empty where no key reached."""
        if place >= len(self._seen):
            return ""
        alphabet = self._alphabets[place]
        if alphabet is None:
            alphabet = "".join(sorted(_completed(self._seen[place])))
            self._alphabets[place] = alphabet
        return alphabet

    def fraction(self, key: str, base: int) -> float:
        """Return where a key lies among all that share its first `base` characters, 0 to 1.

        Keys are numbers here: each place is a digit, its alphabet the system.
        """
        total, weight = 0.0, 1.0
        for place in range(base, min(len(key), len(self._seen))):
            alphabet, character = self.alphabet(place), key[place]
            weight /= len(alphabet)
            index = bisect_left(alphabet, character)
            total += weight * index
            # Between two digits: what follows has no weight.
            if weight < _WEIGHT_MIN or alphabet[index : index + 1] != character:
                break
        return min(total, 1.0)


def _completed(seen: set[str]) -> set[str]:
    """Return a place's characters with those that two of a class announce."""
    if len(seen) < 2:
        return seen
    for characters in _NARROW:
        if seen <= characters and not seen <= _LOWER | _UPPER:
            return set(characters)
    classes = (one for one in (_DIGITS, _LOWER, _UPPER) if len(seen & one) > 1)
    return seen.union(*classes)
