"""The first command that a new reader runs: the demo, whole, as a process of its own."""

from pathlib import Path

from tests.doubles.command import Command, report, report_rows


def test_the_demo_holds_and_shows_both_ways_with_their_reasons(
    tmp_path: Path, through: str
) -> None:
    """If this fails, the first thing that anybody tries is broken, or shows copies only."""
    place = tmp_path / "demo"
    told = Command(tmp_path, {"BACKFILL_CLIENT": through})
    ended = told.run("demo", "--run-dir", str(place), code=0)
    assert "all of it held" in ended.stdout
    assert "verify found exactly these 6" in ended.stdout
    ways = {way["name"]: way for way in report(place)["ways"]}
    refused = ways["skipped (DstObjectHardDeleted), then copied"]
    assert "deleted this very version" in refused["sentence"]
    assert ways["replicated"]["rows"] > 500
    assert ways["replicated, then copied"]["rows"] == 5, "each damaged replica was mended"
    kept = [row for row in report_rows(place) if row["outcome"] == "replicated"]
    assert {row["destination_version_id"] == row["version_id"] for row in kept} == {True}
    assert any(row["type"] == "delete marker" for row in kept)
    assert any(row["version_id"] == "null" for row in kept)
    assert any(row["current"] == "no" for row in kept)


def test_a_directory_that_is_no_demos_is_left_alone(tmp_path: Path) -> None:
    """If this fails, a demo in the wrong place deletes somebody's files."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("kept")
    ended = Command(tmp_path, {}).run("demo", "--run-dir", str(mine), code=2)
    assert "is no demo's" in "\n".join(ended.complaint)
    assert (mine / "precious").read_text() == "kept"
