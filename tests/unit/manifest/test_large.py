"""The note of large objects: whole keys, of this very manifest, or nothing."""

from pathlib import Path

import pytest

from backfill.manifest.entries import ManifestEntry
from backfill.manifest.large import LARGE, LargeRows, large_name
from backfill.manifest.rows import COLUMNS, row_of
from backfill.model.objects import ETag, VersionId
from backfill.model.store import IfAbsent
from backfill.plan.routes import Route
from backfill.ports import ArtifactIndex
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.work_done import large_entries
from tests.doubles.planning import BEFORE

NAME = "manifest/00"
SMALL, BIG = Route.COPY_OBJECT, Route.MULTIPART_COPY


def stored(
    artifacts: LocalArtifacts, rows: list[tuple[str, Route]], *, is_finished: bool = True
) -> ArtifactIndex | None:
    """Write a manifest of these keys and routes, as its three writers do."""
    with (
        artifacts.writer(NAME, columns=COLUMNS, inputs={"plan": "p"}) as manifest,
        artifacts.writer(large_name(NAME), columns=COLUMNS, inputs={"plan": "p"}) as noting,
    ):
        large = LargeRows(noting.write)
        for number, (key, route) in enumerate(rows):
            row = row_of(entry(number, key, route))
            manifest.write(row)
            large.add(row)
        count = large.finish()
        noted = {LARGE: noting.commit({"rows": count}).digest} if count else {}
        return manifest.commit({"rows": len(rows), **noted}) if is_finished else None


def entry(number: int, key: str, route: Route) -> ManifestEntry:
    return ManifestEntry(
        number=number,
        plan_number=number,
        key=key,
        version_id=VersionId("v"),
        etag=ETag("e"),
        size_bytes=1,
        last_modified=BEFORE,
        destination=0,
        route=route,
        precondition=IfAbsent(),
    )


def numbers(artifacts: LocalArtifacts, index: ArtifactIndex | None, **cut: int) -> list[int] | None:
    assert index is not None
    entries = large_entries(artifacts, index, **cut)
    return None if entries is None else [each.number for each in entries()]


ROWS = [("a", SMALL), ("b", SMALL), ("b", BIG), ("b", SMALL), ("c", SMALL), ("d", BIG)]


@pytest.mark.parametrize(
    ("cut", "expected"),
    [({}, [1, 2, 3, 5]), ({"first": 0, "end": 4}, [1, 2, 3]), ({"first": 4, "end": 6}, [5])],
)
def test_keys_are_noted_whole_and_by_shard(
    tmp_path: Path, cut: dict[str, int], expected: list[int]
) -> None:
    """If this fails, two passes share out one key's rows, or two processes copy one object."""
    artifacts = LocalArtifacts(tmp_path)
    assert numbers(artifacts, stored(artifacts, ROWS), **cut) == expected


def test_without_large_objects_there_is_no_note(tmp_path: Path) -> None:
    """If this fails, an ordinary campaign reads its manifest twice."""
    artifacts = LocalArtifacts(tmp_path)
    assert numbers(artifacts, stored(artifacts, ROWS[:2])) is None
    assert artifacts.index(f"{NAME}-large") is None


def test_a_note_of_a_manifest_that_was_never_finished_is_not_believed(tmp_path: Path) -> None:
    """If this fails, rows of another decision are carried out, and their numbers are taken."""
    artifacts = LocalArtifacts(tmp_path)
    stored(artifacts, ROWS, is_finished=False)
    assert artifacts.index(f"{NAME}-large") is not None
    assert numbers(artifacts, stored(artifacts, ROWS[:2])) is None
    assert numbers(artifacts, stored(artifacts, ROWS[2:])) == [0, 1, 3]
