"""campaign.json: what a later verb need not be told, and what damage to it means."""

import json
from datetime import UTC, date, datetime

import pytest

from backfill.campaign.parsing import campaign_of
from backfill.cli.remembered import DOCUMENT, remember, remembered_values
from backfill.errors import ArtifactDamagedError
from tests.doubles.memory_artifacts import MemoryArtifacts


def test_a_new_run_directory_remembers_nothing() -> None:
    """If this fails, a first run cannot begin."""
    assert remembered_values(MemoryArtifacts()) == {}


@pytest.mark.parametrize(
    "created_before", ["2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC), date(2026, 11, 1)]
)
def test_a_campaign_is_the_same_when_it_is_remembered(created_before: object) -> None:
    """If this fails, the same command is refused as another campaign when it resumes."""
    values = {
        ("source", "bucket"): "old-bucket",
        ("destination", "bucket"): "copies",
        ("scope", "prefix"): "a\n\u2028/+%2F",
        ("scope", "tags"): {"team": "a"},
        ("scope", "created-before"): created_before,
        ("limits", "settle-delay-s"): 0.25,
    }
    artifacts = MemoryArtifacts()
    remember(artifacts, values)
    assert campaign_of(remembered_values(artifacts)) == campaign_of(values)


def test_what_one_command_tolerates_is_not_remembered() -> None:
    """If this fails, one tolerant verify makes every later strict one exit 0."""
    artifacts = MemoryArtifacts()
    said: dict[tuple[str, str], object] = {
        ("source", "bucket"): "old-bucket",
        ("verify", "allow-unverified"): True,
        ("verify", "deep"): True,
        ("repair", "allow-hiding"): True,
    }
    remember(artifacts, said)
    assert remembered_values(artifacts) == {("source", "bucket"): "old-bucket"}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"7", b"[]", b"\xff", b'{"source": 7}', b'{"sauce": {}}', b'{"source": {"x": 1}}'],
)
def test_a_damaged_campaign_is_called_so(data: bytes) -> None:
    """If this fails, damage becomes a stack trace, or a run goes on with half a campaign."""
    with pytest.raises(ArtifactDamagedError) as refused:
        remembered_values(MemoryArtifacts(documents={DOCUMENT: data}))
    assert refused.value.exit_status == 20
    assert DOCUMENT in refused.value.message
    assert refused.value.hint


def test_no_credentials_are_written() -> None:
    """If this fails, somebody hands on a run directory with secrets in it."""
    artifacts = MemoryArtifacts()
    remember(artifacts, {("source", "profile"): "prod", ("source", "bucket"): "b"})
    assert json.loads(artifacts.documents[DOCUMENT]) == {
        "source": {"bucket": "b", "profile": "prod"}
    }
