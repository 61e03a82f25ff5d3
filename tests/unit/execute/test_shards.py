"""Shards cover a manifest exactly, and keep the rows of a key together."""

from itertools import pairwise
from random import Random

import pytest

from backfill.errors import ArtifactDamagedError
from backfill.execute.shards import (
    ROWS_MIN,
    Shard,
    document_of,
    shard_count,
    shards_name,
    shards_of,
    start_at,
    starts_of,
    wanted_starts,
)

DIGEST = "d" * 64


@pytest.mark.parametrize("seed", range(30))
def test_every_row_is_in_one_shard_and_rows_of_a_key_are_in_the_same(seed: int) -> None:
    """If this fails, a row is never copied, or two processes write one key at a time."""
    random = Random(seed)
    keys: list[str] = []
    while len(keys) < random.randint(1, 200):
        keys += [f"k{len(keys):05}"] * random.choice([1, 1, 1, 2, 7, 90])
    wanted = wanted_starts(len(keys), shards=random.randint(1, 9))
    starts = [start_at(row, keys[row - 1 :]) for row in wanted if row]
    shards = shards_of(starts, len(keys))
    assert shards[0].first == 0
    assert shards[-1].end == len(keys)
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert all(shard.first < shard.end for shard in shards)
    for one, two in pairwise(shards):
        assert one.end == two.first
        assert keys[one.end - 1] != keys[two.first]


def test_an_empty_manifest_is_one_empty_shard() -> None:
    """If this fails, a run with nothing to copy breaks."""
    assert shards_of((), 0) == (Shard(0, 0, 0),)


def test_few_rows_are_not_worth_more_processes() -> None:
    """If this fails, a hundred objects start eight interpreters."""
    assert shard_count(ROWS_MIN - 1, processes=8) == 1
    assert shard_count(3 * ROWS_MIN, processes=8) == 3
    assert shard_count(100 * ROWS_MIN, processes=8) == 8


def test_how_a_manifest_was_cut_is_read_back_as_it_was() -> None:
    """If this fails, a resume looks for a row's outcome in another shard's journal."""
    shards = shards_of((5, 9), 12)
    data = document_of(shards, DIGEST)
    assert shards_of(starts_of(data, DIGEST, name="n"), 12) == shards


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1]", b'{"manifest": "other", "starts": [1]}']
    + [
        f'{{"manifest": "{DIGEST}", "starts": {starts}}}'.encode()
        for starts in ("[2, 1]", "[1, 1]", '["1"]', "3", "[true]")
    ],
)
def test_a_document_that_is_none_is_refused(data: bytes) -> None:
    """If this fails, a damaged document sends rows to the wrong journals, and they are doubled."""
    with pytest.raises(ArtifactDamagedError):
        starts_of(data, DIGEST, name="manifest/00-shards.json")


def test_a_manifest_is_cut_where_keys_begin() -> None:
    """If this fails, shards are uneven, or a cut goes through a key."""
    assert wanted_starts(10, shards=3) == (3, 6)
    assert wanted_starts(10, shards=1) == ()
    assert start_at(4, ["a", "b", "b"]) == 4
    assert start_at(4, ["a", "a", "b"]) == 5
    assert start_at(4, ["a", "a", "a", "b"]) == 6
    assert start_at(4, ["a", "a"]) == 5  # the end: nobody begins there
    assert start_at(4, ["a", "b", "a"]) == 4
    assert shards_of((5, 9), 12) == (Shard(0, 0, 5), Shard(1, 5, 9), Shard(2, 9, 12))
    assert shards_of((0, 5, 5, 11, 12, 13), 12) == (
        Shard(0, 0, 5),
        Shard(1, 5, 11),
        Shard(2, 11, 12),
    )
    assert shards_of((1,), 1) == (Shard(0, 0, 1),)


@pytest.mark.parametrize(
    ("rows", "processes", "count"),
    [(0, 8, 1), (2 * ROWS_MIN - 1, 8, 1), (2 * ROWS_MIN, 8, 2), (9 * ROWS_MIN, 2, 2)],
)
def test_no_more_shards_than_processes_or_rows_that_are_worth_one(
    rows: int, processes: int, count: int
) -> None:
    """If this fails, a process is started for nothing, or two share a shard."""
    assert shard_count(rows, processes=processes) == count


def test_the_document_of_an_earlier_backfill_is_read() -> None:
    """If this fails, a resume by a newer version looks for journals that there are not."""
    data = f'{{"manifest": "{DIGEST}", "starts": [5, 9]}}\n'.encode()
    assert document_of(shards_of((5, 9), 12), DIGEST) == data
    assert starts_of(data, DIGEST, name="n") == (5, 9)
    assert starts_of(document_of(shards_of((), 12), DIGEST), DIGEST, name="n") == ()
    assert shards_name("manifest/00") == "manifest/00-shards.json"
