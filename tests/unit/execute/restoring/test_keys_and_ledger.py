"""Which rows wait for restores, what a ledger keeps, and what a HEAD says of an archive."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.execute.restoring.keys import archived_bytes, archived_keys, rows_apart
from backfill.execute.restoring.ledger import Ledger, decoded, encoded, summed, with_asked
from backfill.manifest.entries import ManifestEntry
from backfill.model.archives import (
    Access,
    Archive,
    Retrieved,
    access_to,
    archive_of,
    copies_usd_a_day,
    has_tier,
    readable_usd,
    retrieval_usd,
)
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    ReplicationStatus,
)
from backfill.model.objects import ETag, VersionId
from backfill.model.store import IfAbsent
from backfill.plan.routes import Handling, Route
from tests.unit.execute.campaign_double import MemoryJournal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def row(number: int, key: str, version: str, handling: int, size_bytes: int = 1) -> ManifestEntry:
    return ManifestEntry(
        number,
        number,
        key,
        VersionId(version),
        ETag("e"),
        size_bytes,
        NOW,
        0,
        Route.COPY_OBJECT,
        precondition=IfAbsent(),
        handling=Handling(handling),
    )


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 1, 4, 5])), max_size=30))
def test_a_key_is_wholly_among_the_archived_or_wholly_elsewhere(
    drawn: list[tuple[str, int]],
) -> None:
    """If this fails, one key is worked on by two engines at a time, or by none."""
    keyed = sorted(drawn, key=lambda pair: pair[0])
    rows = [row(n, key, f"v{n}", handling) for n, (key, handling) in enumerate(keyed)]
    apart = list(rows_apart(lambda: iter(rows), archived=True))
    others = list(rows_apart(lambda: iter(rows), archived=False))
    cold = {each.key for each in rows if each.handling & Handling.RESTORE}
    assert apart == [each for each in rows if each.key in cold]
    assert others == [each for each in rows if each.key not in cold]
    found = list(archived_keys(lambda: iter(rows), MemoryJournal()))
    assert [list(key.rows.newest_first()) for key in found] == [
        list(of_key) for _, of_key in groupby(apart, lambda each: each.key)
    ]


def test_a_version_with_several_destinations_is_restored_once() -> None:
    """If this fails, each destination of a version is a restore of its own."""
    rows = [row(n, "k", version, 4, 7) for n, version in enumerate(["v2", "v2", "v1", "v1"])]
    (key,) = archived_keys(lambda: iter(rows), MemoryJournal())
    assert [version.number for version in key.versions] == [0, 2]
    assert archived_bytes(rows) == 14


AMOUNTS = st.builds(Retrieved, restores=st.integers(0, 10**9), size_bytes=st.integers(0, 10**18))
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
LEDGERS = st.builds(
    Ledger,
    tier=st.sampled_from(["Bulk", "Standard", "Expedited"]),
    days=st.integers(1, 365),
    asked=st.dictionaries(st.sampled_from(Archive), AMOUNTS),
    opened=st.frozensets(st.integers(0, 10**9), max_size=5),
    extended=st.integers(0, 10**6),
    left_out=AMOUNTS,
    waiting=AMOUNTS,
    begun_at=TIMES,
    looked_at=TIMES,
)


@given(ledger=LEDGERS)
def test_a_ledger_survives_its_document(ledger: Ledger) -> None:
    """If this fails, a resume has another budget than the run that it goes on with."""
    assert decoded(encoded(ledger), "restores/00-00.json") == ledger


def test_a_ledger_that_was_altered_is_refused() -> None:
    """If this fails, a torn file lets a run spend its budget twice."""
    data = encoded(Ledger(tier="Bulk", days=3, extended=5))
    for damaged in (data.replace(b'"extended": 5', b'"extended": 0'), data[:-9], b"", b"[]"):
        with pytest.raises(ArtifactDamagedError):
            decoded(damaged, "f")
    with pytest.raises(ForeignRunDirectoryError, match="schema 2"):
        decoded(data.replace(b'"schema": 1', b'"schema": 2'), "f")


def test_ledgers_of_shards_add_up() -> None:
    """If this fails, a report of several processes tells the bill of one."""
    one = Ledger(tier="Bulk", days=3, asked=with_asked({}, Archive.GLACIER, 5), begun_at=NOW)
    other = Ledger(
        tier="Bulk",
        days=3,
        asked=with_asked(with_asked({}, Archive.GLACIER, 7), Archive.DEEP_ARCHIVE, 1),
        begun_at=NOW - timedelta(hours=1),
    )
    total = summed([one, None, other])
    assert total is not None
    assert (total.restores, total.asked_bytes) == (3, 13)
    assert total.begun_at == NOW - timedelta(hours=1)
    assert summed([None]) is None


def head(
    storage_class: str, restore: str | None = None, archive_status: str | None = None
) -> ObjectHead:
    return ObjectHead(
        VersionId("v"),
        ETag("e"),
        1,
        NOW,
        storage_class,
        (),
        ContentHeaders(),
        0,
        (),
        Encryption(kind=EncryptionKind.SSE_S3),
        ReplicationStatus.NONE,
        archive_status=archive_status,
        restore=restore,
    )


LATER = 'ongoing-request="false", expiry-date="Fri, 27 Nov 2026 00:00:00 GMT"'
EARLIER = 'ongoing-request="false", expiry-date="Mon, 23 Nov 2026 00:00:00 GMT"'
HEADS = [
    (head("STANDARD"), None, Access.READABLE),
    (head("GLACIER_IR"), None, Access.READABLE),
    (head("INTELLIGENT_TIERING"), None, Access.READABLE),
    (head("GLACIER"), Archive.GLACIER, Access.ARCHIVED),
    (head("DEEP_ARCHIVE", 'ongoing-request="true"'), Archive.DEEP_ARCHIVE, Access.RESTORING),
    (head("GLACIER", LATER), Archive.GLACIER, Access.READABLE),
    (head("GLACIER", EARLIER), Archive.GLACIER, Access.ARCHIVED),
    (head("GLACIER", 'ongoing-request="false"'), Archive.GLACIER, Access.ARCHIVED),
    (head("GLACIER", 'ongoing-request="false", expiry-date="soon"'), Archive.GLACIER,
     Access.ARCHIVED),
    (head("GLACIER", "what is this"), Archive.GLACIER, Access.ARCHIVED),
    (head("INTELLIGENT_TIERING", None, "ARCHIVE_ACCESS"), Archive.ARCHIVE_ACCESS, Access.ARCHIVED),
    (head("INTELLIGENT_TIERING", 'ongoing-request="true"', "DEEP_ARCHIVE_ACCESS"),
     Archive.DEEP_ARCHIVE_ACCESS, Access.RESTORING),
    (head("INTELLIGENT_TIERING", None, "SOMETHING_NEW"), Archive.DEEP_ARCHIVE_ACCESS,
     Access.ARCHIVED),
]  # fmt: skip


@pytest.mark.parametrize(("told", "archive", "access"), HEADS)
def test_what_a_head_says_of_an_archive(
    told: ObjectHead, archive: Archive | None, access: Access
) -> None:
    """If this fails, an archived version is copied too early, or waited for in vain."""
    assert archive_of(told) is archive
    assert access_to(told, NOW) is access


def test_deep_archives_have_no_expedited_retrieval() -> None:
    """S3 refuses it, so the plan must not promise it."""
    assert [a.value for a in Archive if has_tier(a, "Expedited")] == ["GLACIER", "ARCHIVE_ACCESS"]
    assert all(has_tier(a, tier) for a in Archive for tier in ("Bulk", "Standard"))


def test_an_estimate_adds_requests_bytes_and_the_copies_days() -> None:
    """AWS's own example: 15 million objects of 100 TB by Standard from GLACIER (re:Post)."""
    amounts = {Archive.GLACIER: Retrieved(restores=15_000_000, size_bytes=102_400 * 10**9)}
    assert retrieval_usd(amounts, "Standard") == pytest.approx(750 + 1024)
    assert retrieval_usd(amounts, "Bulk") == 0
    assert copies_usd_a_day(amounts) == pytest.approx(102_400 * 0.023 / 30)
    tiers = {Archive.ARCHIVE_ACCESS: Retrieved(restores=1, size_bytes=10**12)}
    assert (retrieval_usd(tiers, "Standard"), copies_usd_a_day(tiers)) == (0, 0)
    assert [readable_usd(usd) for usd in (0, 0.001, 1234.5)] == [
        "0.00 USD", "less than 0.01 USD", "1,234.50 USD",
    ]  # fmt: skip
