"""What lies in an archive, whether it can be read now, and what getting it back costs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backfill.model.archives import (
    NOTHING,
    Access,
    Archive,
    Retrieved,
    access_to,
    archive_of,
    copies_usd_a_day,
    expiry_of,
    has_tier,
    readable_usd,
    retrieval_usd,
)
from tests.doubles.planning import head_of, version

ENTRY = version("k", "v", "e", 1)
EXPIRY = datetime(2026, 1, 9, tzinfo=UTC)
RESTORED = 'ongoing-request="false", expiry-date="Fri, 09 Jan 2026 00:00:00 GMT"'
COLD = {"storage_class": "GLACIER"}
GB = 10**9


@pytest.mark.parametrize(
    ("head", "archive"),
    [
        ({}, None),
        ({"storage_class": "GLACIER_IR"}, None),
        ({"storage_class": "INTELLIGENT_TIERING"}, None),
        (COLD, Archive.GLACIER),
        ({"storage_class": "DEEP_ARCHIVE"}, Archive.DEEP_ARCHIVE),
        # A tier is told by its own header, never by the class.
        ({"storage_class": "ARCHIVE_ACCESS"}, None),
        ({"archive_status": "ARCHIVE_ACCESS"}, Archive.ARCHIVE_ACCESS),
        ({"archive_status": "DEEP_ARCHIVE_ACCESS"}, Archive.DEEP_ARCHIVE_ACCESS),
        ({"archive_status": "COLDER_STILL"}, Archive.DEEP_ARCHIVE_ACCESS),
    ],
)
def test_an_archive_is_told_by_class_or_tier(head: dict[str, Any], archive: Archive | None) -> None:
    """If this fails, an archived object is copied, which fails, or one at hand is restored."""
    assert archive_of(head_of(ENTRY, **head)) is archive


@pytest.mark.parametrize(
    ("head", "now", "access"),
    [
        ({"restore": RESTORED}, EXPIRY + timedelta(days=9), Access.READABLE),
        (COLD, EXPIRY, Access.ARCHIVED),
        ({**COLD, "restore": 'ongoing-request="true"'}, EXPIRY, Access.RESTORING),
        ({**COLD, "restore": RESTORED}, EXPIRY - timedelta(seconds=1), Access.READABLE),
        ({**COLD, "restore": RESTORED}, EXPIRY, Access.ARCHIVED),
        ({**COLD, "restore": 'ongoing-request="false"'}, EXPIRY, Access.ARCHIVED),
        (
            {**COLD, "restore": 'ongoing-request="false", expiry-date="soon"'},
            EXPIRY,
            Access.ARCHIVED,
        ),
        ({**COLD, "restore": "words"}, EXPIRY, Access.ARCHIVED),
    ],
)
def test_what_is_restored_can_be_read_until_it_expires(
    head: dict[str, Any], now: datetime, access: Access
) -> None:
    """If this fails, a copy is begun that must fail, or a restore is waited for that is there."""
    assert access_to(head_of(ENTRY, **head), now) is access


def test_the_expiry_is_read_where_it_is_told() -> None:
    """If this fails, a restored version counts as gone while it is there, or the other way."""
    told = [RESTORED, 'ongoing-request="true"', "", None, RESTORED.replace("Jan", "Xxx")]
    found = [expiry_of(head_of(ENTRY, restore=each)) for each in told]
    assert found == [EXPIRY, None, None, None, None]


def test_deep_archives_have_no_expedited_retrieval() -> None:
    """If this fails, a restore is asked for that S3 refuses for every version."""
    shallow = {Archive.GLACIER, Archive.ARCHIVE_ACCESS}
    assert {each for each in Archive if has_tier(each, "Expedited")} == shallow
    assert all(has_tier(each, tier) for each in Archive for tier in ("Bulk", "Standard"))


@pytest.mark.parametrize(
    ("archive", "tier", "thousand_usd", "gigabyte_usd"),
    [
        (Archive.GLACIER, "Bulk", 0.0, 0.0),
        (Archive.GLACIER, "Standard", 0.05, 0.01),
        (Archive.GLACIER, "Expedited", 10.0, 0.03),
        (Archive.DEEP_ARCHIVE, "Bulk", 0.025, 0.0025),
        (Archive.DEEP_ARCHIVE, "Standard", 0.1, 0.02),
        (Archive.ARCHIVE_ACCESS, "Bulk", 0.0, 0.0),
        (Archive.ARCHIVE_ACCESS, "Standard", 0.0, 0.0),
        (Archive.ARCHIVE_ACCESS, "Expedited", 10.0, 0.03),
        (Archive.DEEP_ARCHIVE_ACCESS, "Bulk", 0.0, 0.0),
        (Archive.DEEP_ARCHIVE_ACCESS, "Standard", 0.0, 0.0),
    ],
)
def test_a_retrieval_costs_what_the_price_list_says(
    archive: Archive, tier: str, thousand_usd: float, gigabyte_usd: float
) -> None:
    """If this fails, a person agrees to a restore that costs another sum."""
    requests = retrieval_usd({archive: Retrieved(restores=2000, size_bytes=0)}, tier)
    volume = retrieval_usd({archive: Retrieved(restores=0, size_bytes=3 * GB)}, tier)
    assert requests == pytest.approx(2 * thousand_usd)
    assert volume == pytest.approx(3 * gigabyte_usd)


def test_costs_add_up_over_archives() -> None:
    """If this fails, the sum that is shown is one archive's alone."""
    some = Retrieved(restores=1000, size_bytes=GB)
    both = {Archive.GLACIER: some, Archive.DEEP_ARCHIVE: some}
    assert retrieval_usd(both, "Standard") == pytest.approx(0.05 + 0.01 + 0.1 + 0.02)
    assert retrieval_usd({}, "Standard") == 0
    assert some + some + NOTHING == Retrieved(restores=2000, size_bytes=2 * GB)
    # Only from a class is there a copy beside it, billed as S3 Standard: 0.023 USD a GB and month.
    tiers = {Archive.ARCHIVE_ACCESS: some, Archive.DEEP_ARCHIVE_ACCESS: some}
    assert copies_usd_a_day({**both, **tiers}) == pytest.approx(2 * 0.023 / 30)


@pytest.mark.parametrize(
    ("amount_usd", "words"),
    [
        (0.0, "0.00 USD"),
        (0.004, "less than 0.01 USD"),
        (0.01, "0.01 USD"),
        (1234.5, "1,234.50 USD"),
    ],
)
def test_less_than_a_cent_is_not_called_nothing(amount_usd: float, words: str) -> None:
    """If this fails, a person reads that something is free which is not."""
    assert readable_usd(amount_usd) == words
