"""The objects of both buckets as arithmetic: number and version to name, ETag, time, and back.

Never stores an object. Law: names grow with their numbers, so that a listing counts upward and a
marker, whatever it says, is found by bisection.
"""

import bisect
import re
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_MASK: Final = (1 << 128) - 1
_ODD: Final = 0xD1B54A32D192ED03A0761D6478BD642F
EPOCH: Final = datetime(2022, 1, 1, tzinfo=UTC)
EPOCH_S: Final = int(EPOCH.timestamp())
DAYS: Final = 4000
_WRITTEN_S: Final = 1000 * 86400
HEX_WIDTH: Final = 12
DATED_A_DAY: Final = 1000
SOURCE_ID: Final = b"3sL4kqtJlcpXroDT"
COPY_ID: Final = b"hB7Zq0WcN2yEvKuM"
"""Each bucket's version IDs begin alike and end in version and number: 32 characters, as S3's."""

_ISO_DAYS: Final = [
    (EPOCH + timedelta(days=day)).strftime("%Y-%m-%dT").encode() for day in range(DAYS)
]
_HTTP_DAYS: Final = [
    (EPOCH + timedelta(days=day)).strftime("%a, %d %b %Y ").encode() for day in range(DAYS)
]


def bits_of(number: int, version: int) -> int:
    """Return 128 bits that look like chance, the upper ones most."""
    return (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + version * _ODD + _ODD) & _MASK


def _hex_step(count: int) -> int:
    return (1 << 4 * HEX_WIDTH) // max(2, count)


def _hex_name(count: int) -> Callable[[int], bytes]:
    step = _hex_step(count)
    return lambda number: b"%012x.json" % (number * step + number * 0x9E3779B97F4A7C15 % step)


def _hex_number(count: int) -> Callable[[bytes], int]:
    step = _hex_step(count)
    return lambda name: int(name[:HEX_WIDTH], 16) // step


def _dated_name(number: int) -> bytes:
    day, of_day = divmod(number, DATED_A_DAY)
    moment = datetime.fromordinal(EPOCH.toordinal() + day)
    return b"logs/%04d/%02d/%02d/part-%05d.parquet" % (
        moment.year,
        moment.month,
        moment.day,
        of_day,
    )


def _dated_number(name: bytes) -> int:
    day = datetime(int(name[5:9]), int(name[10:12]), int(name[13:15]), tzinfo=UTC).toordinal()
    return (day - EPOCH.toordinal()) * DATED_A_DAY + int(name[21:26])


def _skewed_name(count: int) -> Callable[[int], bytes]:
    edge = max(1, count // 200)

    def name(number: int) -> bytes:
        if number < edge:
            return b"a/%02x/%08x" % (number * 64 // edge, number)
        folder = b"z" if number >= count - edge else b"most"
        return b"%s/%08x" % (folder, number)

    return name


_LAST_HEX: Final = re.compile(rb"([0-9a-f]{8})$")


def _skewed_number(name: bytes) -> int:
    match = _LAST_HEX.search(name)
    if match is None:
        raise ValueError(name)
    return int(match[1], 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the keys of a bucket look."""

    name: Callable[[int], bytes]
    number: Callable[[bytes], int]


def shape_of(word: str, count: int) -> Shape:
    """Return a shape by its word: `hex` is flat, `dated` deep, `skewed` has 99 % in one prefix."""
    if word == "hex":
        return Shape(name=_hex_name(count), number=_hex_number(count))
    if word == "dated":
        return Shape(name=_dated_name, number=_dated_number)
    return Shape(name=_skewed_name(count), number=_skewed_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """All objects: `count` keys with `versions` versions each, newest first, numbered from 0."""

    count: int
    versions: int
    shape: Shape
    size_bytes: int | None
    has_checksums: bool

    def number(self, key: bytes) -> int | None:
        """Return the number of a key, None where it is no key of ours."""
        try:
            number = self.shape.number(key)
        except ValueError:
            return None
        return number if 0 <= number < self.count and self.shape.name(number) == key else None

    def rank(self, key: bytes, *, is_after: bool) -> int:
        """Return how many keys come before a text (or, `is_after`, are at most it)."""
        find = bisect.bisect_right if is_after else bisect.bisect_left
        return find(range(self.count), key, key=self.shape.name)

    def facts(self, number: int, version: int) -> tuple[bytes, int, bytes, int]:
        """Return ETag, size in bytes, CRC64NVME, and when it was written in seconds since 1970."""
        bits = bits_of(number, version)
        chance = bits >> 64
        size_bytes = self.size_bytes
        return (
            b"%032x" % bits,
            1000 + chance % 900_000 if size_bytes is None else size_bytes,
            b2a_base64(chance.to_bytes(8, "big"), newline=False),
            EPOCH_S + 86400 + (bits_of(number, 0) >> 90) % _WRITTEN_S - min(version, 86400),
        )

    def source_id(self, number: int, version: int) -> bytes:
        """Return the version ID of a source version."""
        return b"%s%08x%08x" % (SOURCE_ID, version, number)

    def copy_id(self, number: int) -> bytes:
        """Return the version ID of a copy."""
        return b"%s%08x%08x" % (COPY_ID, 0, number)

    def version(self, version_id: bytes, number: int) -> int | None:
        """Return which version of a source key an ID names, None if it is none of them."""
        if len(version_id) != 32 or not version_id.startswith(SOURCE_ID):
            return None
        version, of_number = int(version_id[16:24], 16), int(version_id[24:], 16)
        return version if of_number == number and version < self.versions else None

    def iso_time(self, moment_s: int) -> bytes:
        """Return a time as XML has it."""
        day, second = divmod(moment_s - EPOCH_S, 86400)
        hour, rest = divmod(second, 3600)
        return b"%s%02d:%02d:%02d.000Z" % (_ISO_DAYS[day], hour, rest // 60, rest % 60)

    def http_time(self, moment_s: int) -> bytes:
        """Return a time as headers have it."""
        day, second = divmod(moment_s - EPOCH_S, 86400)
        hour, rest = divmod(second, 3600)
        return b"%s%02d:%02d:%02d GMT" % (_HTTP_DAYS[day], hour, rest // 60, rest % 60)
