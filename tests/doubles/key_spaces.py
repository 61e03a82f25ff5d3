"""Key spaces of every shape, and a store that lists them with latencies of the loop's time.

The store pages as S3 does, by searching a sorted list, so that a hundred thousand keys are cheap.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from hashlib import md5
from random import Random
from typing import Final, cast

from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.ports import ObjectStore
from tests.doubles.listings import START, page_of


def entry(key: str, depth: int = 0, *, is_marker: bool = False) -> ListedEntry:
    version_id = VersionId(f"{depth:08d}")
    if is_marker:
        return DeleteMarker(key, version_id, depth == 0, START)
    return ObjectVersion(key, version_id, depth == 0, START, ETag("e"), len(key), "STANDARD")


def single(keys: Iterator[str] | Sequence[str]) -> list[ListedEntry]:
    return [entry(key) for key in sorted(keys)]


def _hex(number: int) -> str:
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _uuid(number: int) -> str:
    text = _hex(number)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _day(number: int) -> str:
    return f"{2019 + number // 336:04d}/{number // 28 % 12 + 1:02d}/{number % 28 + 1:02d}"


def _skewed(count: int) -> list[str]:
    few = [
        f"{chr(97 + number % 26)}{number:03d}/{_hex(number)[:6]}" for number in range(count // 100)
    ]
    most = [f"production-eu/events/v2/data-{number:010d}.json" for number in range(count)]
    return [*few, *most[: count - len(few)]]


def _unicode(count: int) -> list[str]:
    chance = Random(7)
    alphabet = "aZ09/ \n\x01\x7f~éß\u0416\ud7ff\ue000\ufffd\U00010000\U0001f600\U0010ffff"
    keys: set[str] = set()
    while len(keys) < count:
        keys.add("".join(chance.choices(alphabet, k=chance.randint(3, 9))))
    return list(keys)


def _tenants(count: int) -> list[str]:
    return [
        f"tenant-{_hex(number % 50)[:5]}/{'inbox' if number % 3 else 'archive/cold'}/{number:09d}"
        for number in range(count)
    ]


def _versioned(count: int) -> list[ListedEntry]:
    return [
        entry(f"doc/{number:07d}", depth, is_marker=depth == 0 and number % 7 == 0)
        for number in range(count // 4)
        for depth in range(4)
    ]


def _one_long_chain(count: int) -> list[ListedEntry]:
    long = [entry("m/busy.lock", depth) for depth in range(count // 2)]
    keys = [f"{letter}/{number:06d}" for letter in "az" for number in range(count // 4)]
    return sorted([*single(keys), *long], key=lambda one: one.key)


SHAPES: Final[dict[str, Callable[[int], list[ListedEntry]]]] = {
    "hexadecimal": lambda count: single([_hex(number) for number in range(count)]),
    "uuid": lambda count: single([_uuid(number) for number in range(count)]),
    "counters": lambda count: single([f"{number:012d}" for number in range(count)]),
    "decimal": lambda count: single([str(number) for number in range(count)]),
    "dates": lambda count: single(
        [f"logs/{_day(number * 2000 // count)}/host-{number:09d}.gz" for number in range(count)]
    ),
    "skewed": lambda count: single(_skewed(count)),
    "deep": lambda count: single([f"{'very/long/' * 40}{number:08d}" for number in range(count)]),
    "tenants": lambda count: single(_tenants(count)),
    "unicode": lambda count: single(_unicode(count)),
    "versions": _versioned,
    "one long chain": _one_long_chain,
}
"""Shape: what a bucket of so many entries lists."""


class SlowBucket:
    """Lists given entries after a latency; counts requests, the empty ones too."""

    def __init__(
        self,
        entries: Sequence[ListedEntry],
        *,
        latency_s: Callable[[], float] = lambda: 0.1,
        given_max: int = 1000,
    ) -> None:
        self.hold(entries)
        self._latency_s = latency_s
        self._given_max = given_max
        self.requests = 0
        self.empty = 0
        self.in_flight = 0
        self.in_flight_most = 0
        self.before_page: Callable[[], None] = lambda: None

    def hold(self, entries: Sequence[ListedEntry]) -> None:
        """Have other entries from now on; equal keys stand newest first already."""
        self.entries = sorted(entries, key=lambda one: one.key)
        self._order = [one.key for one in self.entries]
        self._places = {(one.key, one.version_id): n for n, one in enumerate(self.entries)}

    @property
    def port(self) -> ObjectStore:
        return cast("ObjectStore", self)

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        del place
        self.requests += 1
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            await asyncio.sleep(self._latency_s())
        finally:
            self.in_flight -= 1
        self.before_page()
        first = self._first(prefix, after)
        last = min(first + min(max_keys, self._given_max), len(self.entries))
        while last > first and not self._order[last - 1].startswith(prefix):
            last -= 1
        is_truncated = last < len(self.entries) and self._order[last].startswith(prefix)
        self.empty += last == first
        return page_of(self.entries[first:last], is_truncated=is_truncated)

    def _first(self, prefix: str, after: VersionsPosition | None) -> int:
        first = bisect_left(self._order, prefix)
        if after is None:
            return first
        behind = bisect_right(self._order, after.key)
        if after.version_id is not None:
            behind = self._places.get((after.key, after.version_id), behind - 1) + 1
        return max(first, behind)
