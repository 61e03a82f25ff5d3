"""Restores take their time, last for days, and tell how far they are."""

from datetime import timedelta

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.objects import ObjectDescription, RestoreObjectRequest
from backfill.sandbox.model.restore_settings import RestoreSettings
from backfill.sandbox.model.values import ArchiveStatus, WrittenAttributes
from tests.unit.sandbox.model.acts import changed
from tests.unit.sandbox.model.conftest import BUCKET, Stage

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TIMES = [
    ("GLACIER", None, "Bulk", 12 * HOUR),
    ("GLACIER", None, "Standard", 5 * HOUR),
    ("GLACIER", None, None, 5 * HOUR),
    ("GLACIER", None, "Expedited", 5 * MINUTE),
    ("DEEP_ARCHIVE", None, "Bulk", 48 * HOUR),
    ("DEEP_ARCHIVE", None, "Standard", 12 * HOUR),
    ("INTELLIGENT_TIERING", ArchiveStatus.ARCHIVE_ACCESS, "Standard", 5 * HOUR),
    ("INTELLIGENT_TIERING", ArchiveStatus.DEEP_ARCHIVE_ACCESS, "Bulk", 48 * HOUR),
]


@pytest.fixture
def slow(stage: Stage) -> Stage:
    """Restores take as long as S3 says."""
    stage.model.world.restores = RestoreSettings(scale=1.0)
    return stage


def archived(stage: Stage, storage_class: str, status: ArchiveStatus | None = None) -> None:
    stage.put(attributes=WrittenAttributes(storage_class=storage_class))
    changed(stage, archive_status=status)


def restore(stage: Stage, *, days: int | None = 2, tier: str | None = "Bulk") -> int:
    request = RestoreObjectRequest(bucket=BUCKET, key="k", days=days, tier=tier)
    return stage.model.restore_object(stage.own, request).status


def is_ongoing(head: ObjectDescription) -> bool:
    return head.restore is not None and head.restore.is_ongoing


@pytest.mark.parametrize(("storage_class", "status", "tier", "longest"), TIMES)
def test_a_restore_is_under_way_until_its_time_has_come(
    slow: Stage,
    storage_class: str,
    status: ArchiveStatus | None,
    tier: str | None,
    longest: timedelta,
) -> None:
    """If this fails, who waits for a restore here learns nothing about waiting for S3's."""
    archived(slow, storage_class, status)
    assert restore(slow, days=2 if status is None else None, tier=tier) == 202
    slow.now += longest - MINUTE
    assert is_ongoing(slow.head())
    assert slow.head().archive_status is status
    with pytest.raises(S3Error, match=r"InvalidObjectState|ObjectNotInActiveTierError"):
        slow.copy()
    with pytest.raises(S3Error, match="RestoreAlreadyInProgress"):
        restore(slow, days=2 if status is None else None, tier=tier)
    slow.now += MINUTE
    assert not is_ongoing(slow.head())
    assert slow.head().archive_status is None
    assert slow.copy().etag


def test_a_restored_copy_gets_more_days_at_once_and_expires_at_a_midnight(slow: Stage) -> None:
    """If this fails, a second request for what is restored would wait, or last for ever."""
    archived(slow, "GLACIER")
    restore(slow)
    slow.now += 12 * HOUR
    first = slow.head().restore
    assert first is not None
    slow.now += 24 * HOUR
    assert restore(slow) == 200
    second = slow.head().restore
    assert second is not None
    assert first.expires_at is not None
    assert second.expires_at == first.expires_at + timedelta(days=1)
    assert second.expires_at.hour == 0
    slow.now = second.expires_at
    assert slow.head().restore is None
    with pytest.raises(S3Error, match="InvalidObjectState"):
        slow.read()
    assert restore(slow) == 202, "and it is archived as before"


def test_what_came_back_from_a_tier_stays_and_is_not_restored_again(slow: Stage) -> None:
    """If this fails, INTELLIGENT_TIERING falls back into its archive after some days."""
    archived(slow, "INTELLIGENT_TIERING", ArchiveStatus.ARCHIVE_ACCESS)
    restore(slow, days=None)
    slow.now += timedelta(days=30)
    assert slow.head().restore is None
    assert slow.copy().etag
    with pytest.raises(S3Error, match="InvalidObjectState"):
        restore(slow, days=None)


@pytest.mark.parametrize(
    ("status", "days"), [(None, None), (None, 0), (ArchiveStatus.ARCHIVE_ACCESS, 2)]
)
def test_days_go_with_archive_classes_and_with_nothing_else(
    slow: Stage, status: ArchiveStatus | None, days: int | None
) -> None:
    """S3 refuses such requests, so whoever sends them would wait for ever."""
    archived(slow, "GLACIER" if status is None else "INTELLIGENT_TIERING", status)
    with pytest.raises(S3Error, match="MalformedXML"):
        restore(slow, days=days)
    with pytest.raises(S3Error, match="MalformedXML"):
        restore(slow, days=2 if status is None else None, tier="Fast")
