"""Damaged histories look as if S3 itself had stored them: only comparing chains finds them."""

from itertools import pairwise

import pytest

from backfill.sandbox.model import raw_histories
from backfill.sandbox.model.versions import DeleteMarker, ObjectVersion
from tests.unit.sandbox.model.conftest import BUCKET, Stage


@pytest.fixture(name="ids")
def ids_of_a_history(stage: Stage) -> list[str]:
    """A chain of three versions with a marker before the last, oldest first."""
    for body in (b"1", b"2"):
        stage.put("k", body)
    stage.delete("k")
    stage.put("k", b"3")
    return [entry.version_id for entry in raw_histories.chain_of(stage.model, BUCKET, "k")]


def told(stage: Stage) -> list[bytes | None]:
    """The bodies, oldest first, None for a marker; the chain is one that S3 could show."""
    chain = raw_histories.chain_of(stage.model, BUCKET, "k")
    assert all(
        a.created_at <= b.created_at and a.sequence <= b.sequence for a, b in pairwise(chain)
    )
    assert len({entry.version_id for entry in chain}) == len(chain)
    for entry in chain:
        if isinstance(entry, ObjectVersion):
            honest = stage.put("honest", entry.body.data)
            assert entry.etag == honest.etag
    return [entry.body.data if isinstance(entry, ObjectVersion) else None for entry in chain]


def test_entries_change_places_but_time_does_not_run_back(stage: Stage, ids: list[str]) -> None:
    """If this fails, reordered chains could be told by their times, and no test of order counts."""
    raw_histories.exchange_places(stage.model, BUCKET, "k", ids[0], ids[3])
    assert told(stage) == [b"3", b"2", None, b"1"]
    raw_histories.reorder(stage.model, BUCKET, "k", ids[::-1])
    assert told(stage) == [b"3", None, b"2", b"1"]
    listed = [entry.version_id for entry in raw_histories.chain_of(stage.model, BUCKET, "k")]
    assert listed == ids[::-1]


def test_an_order_that_loses_an_entry_is_a_mistake_of_the_test(
    stage: Stage, ids: list[str]
) -> None:
    """If this fails, a test that meant to reorder may have dropped versions unseen."""
    with pytest.raises(AssertionError, match="one place"):
        raw_histories.reorder(stage.model, BUCKET, "k", ids[:-1])


def test_contents_change_hands_with_all_that_is_derived(stage: Stage, ids: list[str]) -> None:
    """If this fails, swapped bytes would be found by an ETag that does not fit them."""
    raw_histories.exchange_contents(stage.model, BUCKET, "k", ids[0], ids[3])
    assert told(stage) == [b"3", b"2", None, b"1"]
    listed = [entry.version_id for entry in raw_histories.chain_of(stage.model, BUCKET, "k")]
    assert listed == ids


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0, [b"new", b"1", b"2", None, b"3"]),
        (1, [b"1", b"new", b"2", None, b"3"]),
        (4, [b"1", b"2", None, b"3", b"new"]),
        (-1, [b"1", b"2", None, b"3", b"new"]),
        (-2, [b"1", b"2", None, b"new", b"3"]),
    ],
)
def test_versions_and_markers_come_in_between(
    stage: Stage, ids: list[str], position: int, expected: list[bytes | None]
) -> None:
    """If this fails, an extra entry stands elsewhere than a damage test believes."""
    assert len(ids) == 4
    version = raw_histories.insert_version(stage.model, BUCKET, "k", b"new", position=position)
    assert told(stage) == expected
    chain = raw_histories.chain_of(stage.model, BUCKET, "k")
    index = [entry.version_id for entry in chain].index(version.version_id)
    marker = raw_histories.insert_marker(stage.model, BUCKET, "k", position=index)
    chain = raw_histories.chain_of(stage.model, BUCKET, "k")
    assert chain[index] == marker
    assert chain[index + 1].version_id == version.version_id
    assert len(told(stage)) == 6


def test_a_first_entry_makes_the_key(stage: Stage) -> None:
    """If this fails, an extra key cannot be planted as a chain of its own."""
    marker = raw_histories.insert_marker(stage.model, BUCKET, "k", position=0)
    assert raw_histories.chain_of(stage.model, BUCKET, "k") == (marker,)


def test_an_entry_turns_into_the_other_kind_in_its_place(stage: Stage, ids: list[str]) -> None:
    """If this fails, a marker for a version is found by its ID instead of by its kind."""
    raw_histories.turn_into_marker(stage.model, BUCKET, "k", ids[1])
    raw_histories.turn_into_version(stage.model, BUCKET, "k", ids[2], b"was a marker")
    assert told(stage) == [b"1", None, b"was a marker", b"3"]
    chain = raw_histories.chain_of(stage.model, BUCKET, "k")
    assert [entry.version_id for entry in chain] == ids
    assert isinstance(chain[1], DeleteMarker)


def test_an_entry_may_be_another_writes(stage: Stage, ids: list[str]) -> None:
    """If this fails, equal bytes under another version ID cannot be planted."""
    renamed = raw_histories.rename_version(stage.model, BUCKET, "k", ids[0])
    chain = raw_histories.chain_of(stage.model, BUCKET, "k")
    assert chain[0] == renamed
    assert [entry.version_id for entry in chain[1:]] == ids[1:]
    assert renamed.version_id not in ids
    assert told(stage) == [b"1", b"2", None, b"3"]
