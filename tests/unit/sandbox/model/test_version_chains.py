"""Random histories of one bucket against the simplest list of versions that could be right."""

from dataclasses import dataclass, field
from random import Random

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.listings import ListObjectVersionsRequest
from backfill.sandbox.model.values import WriteConditions
from tests.unit.sandbox.model.conftest import PLAIN, SMALL, Stage

PAGES_MAX = 200
"""More than any history fills: a pager that does not advance fails instead of hanging."""
KEYS = ["a", "a/b", "é", "\U0010ffff", "z\n"]


@dataclass(kw_only=True)
class Row:
    key: str
    version_id: str
    body: bytes | None
    """None for a delete marker."""


@dataclass(kw_only=True)
class Oracle:
    """S3's versioning as UG: Versioning tells it, on one flat list, newest first."""

    versioning: str | None = None
    rows: list[Row] = field(default_factory=list)

    def current(self, key: str) -> Row | None:
        return next((row for row in self.rows if row.key == key), None)

    def write(self, key: str, version_id: str | None, body: bytes | None) -> None:
        if self.versioning != "Enabled":
            assert version_id in (None, "null")
            self.rows = [row for row in self.rows if (row.key, row.version_id) != (key, "null")]
        row = Row(key=key, version_id=version_id or "null", body=body)
        self.rows.insert(0, row)

    def remove(self, key: str, version_id: str) -> None:
        self.rows = [row for row in self.rows if (row.key, row.version_id) != (key, version_id)]

    def listing(self) -> list[tuple[str, str, bool, bool]]:
        """Key, version ID, is latest, is delete marker; keys ascending, newest first."""
        listed = []
        for key in sorted({row.key for row in self.rows}, key=str.encode):
            chain = [row for row in self.rows if row.key == key]
            listed += [(key, row.version_id, row is chain[0], row.body is None) for row in chain]
        return listed


def pages(stage: Stage, size: int, prefix: str = "") -> list[tuple[str, str, bool, bool]]:
    rows: list[tuple[str, str, bool, bool]] = []
    markers: dict[str, str | None] = {}
    for _ in range(PAGES_MAX):
        request = ListObjectVersionsRequest(
            bucket=PLAIN,
            max_keys=size,
            prefix=prefix,
            **markers,
        )
        page = stage.model.list_object_versions(stage.own, request)
        assert len(page.entries) <= size
        rows += [
            (row.key, row.version_id, row.is_latest, row.is_delete_marker) for row in page.entries
        ]
        if not page.is_truncated:
            return rows
        markers = {
            "key_marker": page.next_key_marker,
            "version_id_marker": page.next_version_id_marker,
        }
    raise AssertionError("the listing does not advance")


def step(stage: Stage, oracle: Oracle, random: Random) -> None:
    key = random.choice(KEYS)
    match random.randrange(10):
        case 0:
            status = random.choice(["Enabled", "Suspended"])
            stage.version(PLAIN, status)
            oracle.versioning = status
        case 1 | 2 | 3:
            body = random.randbytes(2)
            oracle.write(key, stage.put(key, body, PLAIN).version_id, body)
        case 4:
            body = random.randbytes(2)
            exists = (row := oracle.current(key)) is not None and row.body is not None
            conditions = WriteConditions(if_none_match="*")
            if exists:
                with pytest.raises(S3Error, match="PreconditionFailed"):
                    stage.put(key, body, PLAIN, conditions=conditions)
                return
            oracle.write(key, stage.put(key, body, PLAIN, conditions=conditions).version_id, body)
        case 5 | 6:
            deleted = stage.delete(key, bucket=PLAIN)
            assert deleted.is_delete_marker is (oracle.versioning is not None)
            if oracle.versioning is None:
                oracle.remove(key, "null")
            else:
                oracle.write(key, deleted.version_id, None)
        case 7 if oracle.rows:
            row = random.choice(oracle.rows)
            removed = stage.delete(row.key, row.version_id, PLAIN)
            assert removed.is_delete_marker is (row.body is None)
            oracle.remove(row.key, row.version_id)
        case _:
            current = oracle.current(key)
            if current is not None and current.body is not None:
                assert stage.read(key, PLAIN) == current.body
                return
            with pytest.raises(S3Error, match="NoSuchKey") as missing:
                stage.read(key, PLAIN)
            has_header = ("x-amz-delete-marker", "true") in missing.value.headers
            assert has_header is (current is not None)


@pytest.mark.parametrize("seed", range(40))
def test_chains_are_what_the_naive_list_says(seed: int) -> None:
    """If this fails, versions, null versions or delete markers are kept otherwise than S3's."""
    random = Random(seed)
    stage, oracle = Stage(limits=SMALL), Oracle()
    for _ in range(120):
        step(stage, oracle, random)
    for row in oracle.rows:
        if row.body is not None:
            assert stage.read(row.key, PLAIN, version_id=row.version_id) == row.body
    assert pages(stage, 7) == oracle.listing()
    assert pages(stage, 1) == oracle.listing()
    assert pages(stage, 3, prefix="a") == [row for row in oracle.listing() if row[0][0] == "a"]


@pytest.mark.parametrize("seed", range(10))
def test_a_listing_goes_on_where_versions_vanish_between_its_pages(seed: int) -> None:
    """If this fails, removing a version while somebody pages makes the pager skip others."""
    random = Random(seed)
    stage = Stage(limits=SMALL)
    stage.version(PLAIN, "Enabled")
    for index in range(12):
        stage.put("k", bytes([index]), PLAIN)
    seen: list[str] = []
    removed: set[str] = set()
    key_marker = version_id_marker = None
    before = [entry.version_id for entry in reversed(stage.bucket(PLAIN).chain("k"))]
    for _ in range(PAGES_MAX):
        request = ListObjectVersionsRequest(
            bucket=PLAIN, max_keys=3, key_marker=key_marker, version_id_marker=version_id_marker
        )
        page = stage.model.list_object_versions(stage.own, request)
        seen += [row.version_id for row in page.entries]
        if not page.is_truncated:
            break
        gone = random.choice([page.entries[-1].version_id, random.choice(before)])
        stage.delete("k", gone, PLAIN)
        removed.add(gone)
        key_marker, version_id_marker = page.next_key_marker, page.next_version_id_marker
    assert len(seen) == len(set(seen))
    assert [one for one in before if one not in removed] == [
        one for one in seen if one not in removed
    ]
