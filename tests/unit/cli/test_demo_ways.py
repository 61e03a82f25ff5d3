"""The demo claims which way versions went only as far as rows.csv says so."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from backfill.cli.demo.history import COPIED_BY_HAND, DELETED_FOR_GOOD
from backfill.cli.demo.ways import checked_ways
from backfill.errors import BugError
from backfill.report.csv_rows import COLUMNS, encoded_key

Row = dict[str, str]


def rows() -> list[Row]:
    """Return a small report of which every claim holds."""
    by_hand = encoded_key(COPIED_BY_HAND[0])
    why = "an object is current that is no replica of a version listed at the source"
    return [
        replicated("logs/0000.json", "v1", current="no"),
        replicated("logs/0000.json", "v2", type="delete marker"),
        replicated("legacy/000.dat", "null"),
        replicated("secret/000", "v3"),
        row(
            DELETED_FOR_GOOD[0],
            "v4",
            decision="batch-replication",
            outcome="copied",
            earlier_outcomes="skipped DstObjectHardDeleted",
        ),
        row(by_hand, "v6", decision="copy-object", outcome="copied"),
        row(by_hand, "v5", current="no", decision="noncurrent", detail=why),
        row("archive/000", "v7", decision="archived"),
    ]


def row(key: str, version_id: str, **cells: str) -> Row:
    own = {"key": key, "version_id": version_id, "type": "object version", "current": "yes"}
    return {**dict.fromkeys(COLUMNS, ""), **own, **cells}


def replicated(key: str, version_id: str, **cells: str) -> Row:
    made = {"outcome": "replicated", "destination_version_id": version_id}
    return row(key, version_id, decision="batch-replication", **{**made, **cells})


def claimed(found: list[Row], folder: Path) -> Iterator[str]:
    path = folder / "rows.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(found)
    return checked_ways(path)


def test_each_claim_counts_the_rows_that_it_speaks_of(tmp_path: Path) -> None:
    """If this fails, the demo tells numbers that its own report does not have."""
    told = list(claimed(rows(), tmp_path))
    assert [int(line.split()[0]) for line in told] == [4, 1, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"destination_version_id": "another"}),
        (4, {"earlier_outcomes": ""}),
        (4, {"outcome": "skipped"}),
        (5, {"decision": "batch-replication"}),
        (6, {"detail": ""}),
        (6, {"decision": "batch-replication"}),
        (7, {"outcome": "copied"}),
    ],
)
def test_a_row_that_went_another_way_stops_the_demo(
    tmp_path: Path, number: int, change: Mapping[str, str]
) -> None:
    """If this fails, the demo says that all held where the report says otherwise."""
    found = rows()
    found[number] = {**found[number], **change}
    with pytest.raises(BugError, match="not so"):
        list(claimed(found, tmp_path))


@pytest.mark.parametrize("number", range(8))
def test_a_claim_about_no_row_is_no_claim(tmp_path: Path, number: int) -> None:
    """If this fails, "0 came as replicas" counts as a story that held."""
    found = rows()
    del found[number]
    with pytest.raises(BugError, match="not so: 0"):
        list(claimed(found, tmp_path))
