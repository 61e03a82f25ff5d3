"""run.json: one run directory, one campaign, one horizon."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from backfill.errors import ArtifactDamagedError, BackfillError, ForeignRunDirectoryError
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.identity import RUN_FILE, new_run_id, open_run, read_run
from backfill.run_directory.sealed import sealed

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
CAMPAIGN = {"source bucket": "photos", "prefix": "", "replication configuration": "ab12"}


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path)


def test_a_resumed_run_keeps_its_id_and_horizon(store: LocalArtifacts) -> None:
    """A new horizon at each resume would move versions between us and live replication."""
    assert read_run(store) is None
    begun = open_run(store, CAMPAIGN, now=NOON, random=Random(1))
    later = NOON + timedelta(days=1)
    resumed = open_run(store, CAMPAIGN, now=later, random=Random(2))
    assert (begun.is_resumed, resumed.is_resumed) == (False, True)
    assert begun.identity == resumed.identity == read_run(store)
    assert resumed.identity.horizon == NOON


@pytest.mark.parametrize(
    ("asked", "difference"),
    [
        (CAMPAIGN | {"source bucket": "films"}, 'source bucket was "photos", now "films"'),
        (CAMPAIGN | {"prefix": "\x1b[2J"}, r'prefix was "", now "\\x1b\[2J"'),
        (CAMPAIGN | {"replication configuration": "cd34"}, 'configuration was "ab12", now "cd34"'),
        (CAMPAIGN | {"other writers": "quiet"}, 'other writers was "", now "quiet"'),
        ({"source bucket": "photos"}, 'configuration was "ab12", now ""'),
    ],
)
def test_another_campaign_is_refused_by_name(
    store: LocalArtifacts, asked: dict[str, str], difference: str
) -> None:
    """Resuming with other rules would mix two plans; control characters must stay inert."""
    open_run(store, CAMPAIGN, now=NOON, random=Random(1))
    with pytest.raises(ForeignRunDirectoryError, match=difference) as caught:
        open_run(store, asked, now=NOON, random=Random(1))
    assert "--run-dir" in caught.value.hint


def test_a_name_that_a_newer_version_adds_counts_as_empty(store: LocalArtifacts) -> None:
    """A run begun before an option existed must stay resumable."""
    open_run(store, CAMPAIGN, now=NOON, random=Random(1))
    asked = CAMPAIGN | {"new option": ""}
    assert open_run(store, asked, now=NOON, random=Random(1)).is_resumed


def test_an_altered_run_file_is_refused(store: LocalArtifacts) -> None:
    """A horizon with one digit changed would silently change what is copied."""
    open_run(store, CAMPAIGN, now=NOON, random=Random(1))
    data = store.read_document(RUN_FILE)
    assert data is not None
    for position in range(0, len(data), 25):
        flipped = bytearray(data)
        flipped[position] ^= 1
        store.write_document(RUN_FILE, bytes(flipped))
        with pytest.raises((ArtifactDamagedError, ForeignRunDirectoryError)):
            read_run(store)


def test_a_newer_schema_is_refused(store: LocalArtifacts) -> None:
    """An old backfill must not resume what a newer one began."""
    store.write_document(RUN_FILE, sealed({"run_id": "x", "more": 1}, schema=9))
    with pytest.raises(BackfillError, match="schema 9") as caught:
        read_run(store)
    assert caught.value.exit_code == 2


def test_run_ids_sort_by_time_and_differ_by_chance() -> None:
    """Run IDs name sessions and listings: equal ones would let a foreign listing be reused."""
    ids = [new_run_id(NOON + timedelta(milliseconds=n), Random(n)) for n in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert new_run_id(NOON, Random(1)) != new_run_id(NOON, Random(2))
    assert all(len(one) == 26 and one.isalnum() and one.isupper() for one in ids)
