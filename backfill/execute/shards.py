"""Shards: the stretches of one manifest that copy processes carry out, each with its own journal.

Never touches a file. Stretches rather than every n-th row, because neighbouring keys share listings
and rows of one key must stay together.
Law: every row is in exactly one shard, rows of one key in the same one; how a manifest was cut when
work on it began stays, however many processes a resume has.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from backfill.errors import ArtifactDamagedError
from backfill.model.json_values import json_value

ROWS_MIN: Final = 1_000
"""Rows that are worth a process of their own, which takes a second of CPU to start."""
_HINT: Final = "delete it only together with the journals of this manifest; else restore it"


class Shard(NamedTuple):
    """Rows `first` to `end` (not included) of a manifest. Shard 0 is the holder's own."""

    number: int
    first: int
    end: int


def shards_name(manifest_name: str) -> str:
    """Return the name of the document that says how a manifest was cut."""
    return f"{manifest_name}-shards.json"


def shard_count(rows: int, *, processes: int) -> int:
    """Return into how many shards a manifest should be cut."""
    return max(1, min(processes, rows // ROWS_MIN))


def wanted_starts(rows: int, *, shards: int) -> tuple[int, ...]:
    """Return where shards after the first would begin if keys did not matter."""
    return tuple(rows * number // shards for number in range(1, shards))


def start_at(wanted: int, keys: Iterable[str]) -> int:
    """Return the first row from `wanted` on that begins a key.

    `keys` are those of the row before `wanted` and of all that follow.
    """
    remaining = iter(keys)
    before = next(remaining)
    start = wanted
    for key in remaining:
        if key != before:
            break
        start += 1
    return start


def shards_of(starts: Sequence[int], rows: int) -> tuple[Shard, ...]:
    """Return the shards that begin at row 0 and at each of `starts`; none is empty."""
    if rows == 0:
        return (Shard(0, 0, 0),)
    edges = sorted({0, *(start for start in starts if 0 < start < rows), rows})
    return tuple(Shard(number, first, end) for number, (first, end) in enumerate(pairwise(edges)))


def document_of(shards: Sequence[Shard], manifest_digest: str) -> bytes:
    """Return the document of shards."""
    starts = [shard.first for shard in shards[1:]]
    return json.dumps({"manifest": manifest_digest, "starts": starts}).encode() + b"\n"


def starts_of(data: bytes, manifest_digest: str, *, name: str) -> tuple[int, ...]:
    """Return where the shards of a document begin.

    Raises:
        ArtifactDamagedError: It is no such document, or of another manifest.
    """
    try:
        document = json_value(data)
        is_ours = document["manifest"] == manifest_digest
        starts = tuple(document["starts"])
    except (ValueError, KeyError, TypeError) as fault:
        raise ArtifactDamagedError(f"{name} is cut or altered", hint=_HINT) from fault
    is_sound = all(type(start) is int for start in starts) and list(starts) == sorted(set(starts))
    if not is_ours or not is_sound:
        raise ArtifactDamagedError(f"{name} is of another manifest, or altered", hint=_HINT)
    return starts
