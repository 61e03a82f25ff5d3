"""CBOR, as far as newer SDKs speak it with CloudWatch: the values of JSON, and moments.

Never decodes what such calls do not hold: byte strings, undefined values, big numbers. One law:
what is cut short or nested too deeply is refused, not guessed (RFC 8949; Smithy RPC v2 CBOR).
"""

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime

from backfill.sandbox.services.fields import Value

_DEPTH_LIMIT = 32
_INDEFINITE = 31
_BREAK = 0xFF
_SIZES = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE: Mapping[int, bool | None] = {20: False, 21: True, 22: None}


class CborError(ValueError):
    """The bytes are no CBOR that a call of CloudWatch would be made of."""


def decoded(data: bytes) -> Value:
    """The one value in the bytes. A moment is the number of its seconds since 1970."""
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise CborError("cut short or no UTF-8") from error
    if reader.at != len(data):
        raise CborError("more than one value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Value:
        if depth > _DEPTH_LIMIT:
            raise CborError("nested too deeply")
        major, minor = divmod(self._data[self.at], 32)
        self.at += 1
        if major == 7:
            return self._simple(minor)
        count = None if minor == _INDEFINITE else self._number(minor)
        if major in {0, 1}:
            return self._whole(major, count)
        if major == 3:
            return self._text(count)
        if major == 4:
            return [self.value(depth + 1) for _ in self._times(count)]
        if major == 5:
            return {self._name(depth): self.value(depth + 1) for _ in self._times(count)}
        if major == 6:
            return self.value(depth + 1)  # a moment is tagged as one, and is a number
        raise CborError("byte strings are not carried")

    def _number(self, minor: int) -> int:
        if minor < 24:
            return minor
        if minor not in _SIZES:
            raise CborError("a reserved length")
        return int(self._unpacked(_SIZES[minor]))

    def _unpacked(self, form: str) -> float:
        (value,) = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return value  # type: ignore[no-any-return]  # struct knows no types

    def _simple(self, minor: int) -> Value:
        if minor in _SIMPLE:
            return _SIMPLE[minor]
        if minor not in _FLOATS:
            raise CborError("a simple value that JSON has not")
        return self._unpacked(_FLOATS[minor])

    @staticmethod
    def _whole(major: int, count: int | None) -> int:
        if count is None:
            raise CborError("a number without end")
        return count if major == 0 else -1 - count

    def _text(self, size: int | None) -> str:
        if size is None:
            raise CborError("text in pieces is not carried")
        raw = self._data[self.at : self.at + size]
        if len(raw) < size:
            raise CborError("cut short")
        self.at += size
        return raw.decode("utf-8")

    def _name(self, depth: int) -> str:
        name = self.value(depth + 1)
        if not isinstance(name, str):
            raise CborError("a name that is no text")
        return name

    def _times(self, count: int | None) -> "_Times":
        return _Times(self, count)

    def is_broken_off(self) -> bool:
        """Whether the end of a list without a length has come; it is read then."""
        if self._data[self.at] != _BREAK:
            return False
        self.at += 1
        return True


class _Times:
    """As many turns as a list or map has members."""

    def __init__(self, reader: _Reader, count: int | None) -> None:
        self._reader = reader
        self._left = count

    def __iter__(self) -> "_Times":
        return self

    def __next__(self) -> None:
        if self._left is None:
            if self._reader.is_broken_off():
                raise StopIteration
            return
        if self._left == 0:
            raise StopIteration
        self._left -= 1


def encoded(value: object) -> bytes:
    """One value as bytes."""
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return _head(3, len(raw)) + raw
    if isinstance(value, datetime):
        return b"\xc1" + encoded(value.timestamp())
    if value is None or isinstance(value, bool | int | float):
        return _scalar(value)
    if isinstance(value, Mapping):
        pairs = (encoded(name) + encoded(inner) for name, inner in value.items())
        return _head(5, len(value)) + b"".join(pairs)
    assert isinstance(value, Sequence), f"{type(value)} has no place in an answer"
    return _head(4, len(value)) + b"".join(map(encoded, value))


def _scalar(value: bool | int | float | None) -> bytes:  # noqa: PYI041, FBT001 - each differs
    if value is None or isinstance(value, bool):
        return bytes([0xE0 | {False: 20, True: 21, None: 22}[value]])
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    return b"\xfb" + struct.pack(">d", value)


def _head(major: int, count: int) -> bytes:
    if count < 24:
        return bytes([major << 5 | count])
    minor, form = next((m, f) for m, f in _SIZES.items() if count < 256 ** struct.calcsize(f))
    return bytes([major << 5 | minor]) + struct.pack(form, count)
