"""Rows of a manifest's artefact: every field of an entry comes back as it was."""

from datetime import UTC, datetime

import pytest

from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import (
    COLUMNS,
    entry_of,
    key_of,
    numbers_of,
    row_of,
    rows_of_planned,
)
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.routes import Handling, Route
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS

ENTRY = ManifestEntry(
    number=3,
    plan_number=7,
    key="a,\n\u202e%2F",
    version_id=VersionId("v1"),
    etag=ETag("e1"),
    size_bytes=11,
    last_modified=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    destination=2,
    route=Route.COPY_OBJECT,
    rule_id="rule",
    storage_class="GLACIER_IR",
    encryption=Encryption(
        kind=EncryptionKind.SSE_KMS, kms_key_arn="arn", is_bucket_key_enabled=True
    ),
    precondition=IfReplaces(etag=ETag("e0")),
    seen_version_id=VersionId("v0"),
    has_other_writers=False,
    replicates_delete_markers=True,
    handling=Handling(5),
)
COLUMN_WORDS = (
    "number plan_number key version_id etag size_bytes last_modified destination route rule_id"
    " storage_class encryption kms_key_arn is_bucket_key_enabled precondition seen_version_id"
    " has_other_writers replicates_delete_markers handling"
)


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        ENTRY._replace(plan_number=None, version_id=None, etag=None, route=Route.HIDE_EXTRA),
        ENTRY._replace(encryption=None, precondition=None, seen_version_id=None),
        ENTRY._replace(precondition=IfAbsent(), has_other_writers=True, handling=Handling(31)),
        ENTRY._replace(encryption=Encryption(kind=EncryptionKind.SSE_S3)),
        *(ENTRY._replace(route=route) for route in Route),
    ],
)
def test_an_entry_comes_back_as_it_was(entry: ManifestEntry) -> None:
    """If this fails, a resumed run carries out other work than was planned."""
    row = list(row_of(entry))
    assert len(row) == len(COLUMNS)
    assert entry_of(row) == entry
    assert all(isinstance(cell, str | int | None) for cell in row)
    assert key_of(row) == entry.key
    assert list(numbers_of([row])) == [(entry.number, entry.plan_number)]


def test_columns_are_what_a_reader_is_told() -> None:
    """If this fails, a manifest of an earlier version is read with its columns shifted."""
    assert COLUMN_WORDS.split() == list(COLUMNS)
    cells = dict(zip(COLUMNS, row_of(ENTRY), strict=True))
    assert (cells["destination"], cells["rule_id"], cells["handling"]) == (2, "rule", 5)
    assert (cells["etag"], cells["seen_version_id"], cells["kms_key_arn"]) == ("e1", "v0", "arn")


def test_an_entry_has_these_cells_under_these_names() -> None:
    """If this fails, a manifest that another release wrote is read as something else."""
    row = row_of(ENTRY)
    assert dict(zip(COLUMNS, row, strict=True)) == {
        "number": 3,
        "plan_number": 7,
        "key": "a,\n\u202e%2F",
        "version_id": "v1",
        "etag": "e1",
        "size_bytes": 11,
        "last_modified": "2026-01-02T03:04:05.678901+00:00",
        "destination": 2,
        "route": "copy-object",
        "rule_id": "rule",
        "storage_class": "GLACIER_IR",
        "encryption": "aws:kms",
        "kms_key_arn": "arn",
        "is_bucket_key_enabled": True,
        "precondition": "e0",
        "seen_version_id": "v0",
        "has_other_writers": ENTRY.has_other_writers,
        "replicates_delete_markers": ENTRY.replicates_delete_markers,
        "handling": int(ENTRY.handling),
    }
    assert COLUMNS[0] == "number"
    # What a plan's row says is taken over, name by name; only the number is the work's own.
    planned = [f"cell {name}" for name in PLAN_COLUMNS]
    ((number, *cells),) = rows_of_planned(5, [list(planned)])
    names = ["number" if name == "plan_number" else name for name in COLUMNS[1:]]
    assert (number, cells) == (5, [f"cell {name}" for name in names])
