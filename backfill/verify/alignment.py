"""Two sequences brought together in order: what stands where, and what is out of order.

Never reads a store, and never calls two things equal: whoever pairs by place compares them then.
Law: each place is taken once, and as few as can be are called out of order.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Final

CELLS_MAX: Final = 1_000_000
"""Pairs that are weighed against each other between two ends that agree: half a second. Beyond it
the n-th of a kind is paired with the n-th of that kind, in one pass, and may leave more unpaired.
"""

Place = int | None
"""Where in the other sequence something stands; None: nowhere."""


def out_of_order(places: Sequence[Place]) -> frozenset[int]:
    """Return which of these stand out of order, so that the others ascend.

    `places` are where things stand, in the order in which they should.
    """
    # The longest ascending run, by patience: `tails` are the lowest ends of runs of each length.
    tails, ends = array("q"), array("q")
    before = array("q", repeat(-1, len(places)))
    for number, place in enumerate(places):
        if place is None:
            continue
        length = bisect_left(tails, place)
        if length:
            before[number] = ends[length - 1]
        tails[length : length + 1] = array("q", (place,))
        ends[length : length + 1] = array("q", (number,))
    is_kept = bytearray(len(places))
    last = ends[-1] if ends else -1
    while last >= 0:
        is_kept[last] = True
        last = before[last]
    return frozenset(n for n, place in enumerate(places) if place is not None and not is_kept[n])


def in_order(wanted: Sequence[Hashable], found: Sequence[Hashable]) -> list[Place]:
    """Return where each of what is wanted stands in what was found, in ascending places."""
    shorter = min(len(wanted), len(found))
    first = next((n for n in range(shorter) if wanted[n] != found[n]), shorter)
    rest = shorter - first
    last = next((n for n in range(rest) if wanted[-1 - n] != found[-1 - n]), rest)
    ends = len(wanted) - last, len(found) - last
    ours, theirs = wanted[first : ends[0]], found[first : ends[1]]
    is_small = len(ours) * len(theirs) <= CELLS_MAX
    between = _longest(ours, theirs) if is_small else _in_one_pass(ours, theirs)
    return [
        *range(first),
        *(None if place is None else first + place for place in between),
        *range(ends[1], len(found)),
    ]


def by_kind(wanted: Sequence[Hashable], found: Sequence[Hashable]) -> list[Place]:
    """Return for the n-th of each kind that is wanted where the n-th of that kind was found."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for place, kind in enumerate(found):
        waiting[kind].append(place)
    return [waiting[kind].popleft() if waiting.get(kind) else None for kind in wanted]


def _in_one_pass(wanted: Sequence[Hashable], found: Sequence[Hashable]) -> list[Place]:
    places = by_kind(wanted, found)
    for number in out_of_order(places):
        places[number] = None
    return places


def _longest(wanted: Sequence[Hashable], found: Sequence[Hashable]) -> list[Place]:
    """Pair as many as can be in order: a longest common subsequence."""
    width = len(found)
    lengths = [[0] * (width + 1)]
    for kind in reversed(wanted):
        below, row = lengths[-1], [0] * (width + 1)
        for at in range(width - 1, -1, -1):
            row[at] = below[at + 1] + 1 if kind == found[at] else max(below[at], row[at + 1])
        lengths.append(row)
    lengths.reverse()
    places: list[Place] = [None] * len(wanted)
    number = at = 0
    while number < len(wanted) and at < width:
        if wanted[number] == found[at]:
            places[number] = at
            number, at = number + 1, at + 1
        elif lengths[number + 1][at] >= lengths[number][at + 1]:
            number += 1
        else:
            at += 1
    return places
