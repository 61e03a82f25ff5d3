"""Inventory rows: any legal key and version survives, byte for byte."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backfill.inventory.rows import COLUMNS, entries_of, entry_of, row_of
from backfill.model.objects import (
    ChecksumType,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.run_directory.artifacts import LocalArtifacts

ALL_CONTROLS = "".join(map(chr, [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x202E]))

# A key is UTF-8 of 1 to 1,024 bytes (S3 User Guide: object-keys); UTF-8 has no surrogates.
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256)
times = st.datetimes(
    min_value=datetime(2006, 3, 14),  # noqa: DTZ001 - hypothesis adds the zone; S3 began that day
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)
version_ids = st.just("null") | st.text("abcXYZ019._-", min_size=1, max_size=1024)
markers = st.builds(
    DeleteMarker,
    key=keys,
    version_id=version_ids.map(VersionId),
    is_latest=st.booleans(),
    last_modified=times,
)
versions = st.builds(
    ObjectVersion,
    key=keys,
    version_id=version_ids.map(VersionId),
    is_latest=st.booleans(),
    last_modified=times,
    etag=st.text("0123456789abcdef-", min_size=1).map(ETag),
    size_bytes=st.integers(0, 50 * 1024**4),
    storage_class=st.sampled_from(["STANDARD", "DEEP_ARCHIVE", ""]),
    checksum_algorithms=st.lists(st.sampled_from(["CRC32", "SHA256", "XXHASH3"])).map(tuple),
    checksum_type=st.none() | st.sampled_from(ChecksumType),
)


def marker(key: str) -> DeleteMarker:
    return DeleteMarker(
        key=key,
        version_id=VersionId("null"),
        is_latest=True,
        last_modified=datetime(2026, 1, 1, tzinfo=UTC),
    )


@given(st.lists(markers | versions, max_size=5))
@example([marker(ALL_CONTROLS)])
@example([marker("\U0010ffff" * 256), marker("//../%2F+ /./")])
@example([marker('","\\\n],\n['), marker('],["')])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_entry_survives_the_disk(
    tmp_path_factory: pytest.TempPathFactory, entries: list[ListedEntry]
) -> None:
    """A key altered by one byte is another key: it would be copied wrongly or not at all."""
    store = LocalArtifacts(tmp_path_factory.getbasetemp() / "rows")
    with store.writer("inventory/source", columns=COLUMNS, inputs={}) as writer:
        for entry in entries:
            writer.write(row_of(entry))
        writer.commit({})
    read = list(entries_of(store.rows("inventory/source")))
    assert read == entries
    assert [entry.key.encode() for entry in read] == [entry.key.encode() for entry in entries]


def test_rows_fit_their_columns() -> None:
    """A column too many or too few shifts every field behind it."""
    row = row_of(marker("key"))
    assert len(row) == len(COLUMNS)
    assert dict(zip(COLUMNS, row, strict=True))["last_modified"] == "2026-01-01T00:00:00+00:00"
    assert entry_of(list(row)) == marker("key")


def test_a_time_without_a_zone_is_a_programmers_error() -> None:
    """It would be read back as another moment on another machine."""
    entry = DeleteMarker(
        key="key",
        version_id=VersionId("v"),
        is_latest=True,
        last_modified=datetime(2026, 1, 1),  # noqa: DTZ001 - the mistake that is tested
    )
    with pytest.raises(AssertionError, match="aware"):
        row_of(entry)
