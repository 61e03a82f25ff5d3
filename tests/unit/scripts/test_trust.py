"""The release lane runs what it must, once for a commit, and keeps only what a run has left."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import trust
from tests.doubles.figures import Row
from tests.doubles.trust_table import BEGIN, END, LINES, Figure, Lane, kept_figures

LINE = next(line for line in LINES if line.row is Row.GUARD_MUTANTS)
TREE = trust.Tree(commit="0123456789", seed=77)
SCRIPT = """
import os
from pathlib import Path
said = [os.environ[name] for name in ("BACKFILL_TRUST_LANE", "BACKFILL_TRUST_SEED")]
with Path("CALLS").open("a") as calls:
    calls.write(" ".join(said) + "\\n")
from tests.doubles.figures import leave
leave(ROW, cases=1, of=2)
leave(ROW, cases=2, of=2, failed=CODE)
raise SystemExit(CODE)
"""


class Place:
    """A folder for everything that the release lane writes, and lanes that count their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.figures = folder / "trust.json"
        self.calls = folder / "calls"
        self.figures.write_text('{"ci": {}, "release": {}}')
        (folder / "page.md").write_text(f"{BEGIN}\n{END}\n")

    def lane(self, code: int) -> Lane:
        text = SCRIPT
        words = {"CALLS": str(self.calls), "ROW": repr(LINE.name), "CODE": str(code)}
        for name, value in words.items():
            text = text.replace(name, value)
        return Lane(name=LINE.lane, script=(sys.executable, "-c", text))

    def kept(self) -> dict[str, Figure]:
        return kept_figures(self.figures)["release"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.setattr(trust, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(trust, "FIGURES", made.figures)
    monkeypatch.setattr(trust, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(trust, "kept_figures", lambda: kept_figures(made.figures))
    return made


def test_a_lane_that_passed_is_not_run_again_for_the_same_commit(place: Place) -> None:
    """If this fails, a release lane that was stopped begins anew, or a new commit is not tried."""
    lanes = [place.lane(0)]
    assert trust.release(lanes, TREE, 1, 1.0) == 0
    assert trust.release(lanes, TREE, 1, 1.0) == 0
    assert place.calls.read_text().splitlines() == ["release 77"]
    figure = place.kept()[LINE.name]
    assert (figure.cases, figure.failed, figure.commit) == (3, 0, TREE.commit)
    page = (place.folder / "page.md").read_text()
    (told,) = [line for line in page.splitlines() if line.startswith(f"| {LINE.name} |")]
    assert "| 3 of 4 (75.0 %) |" in told
    assert trust.release(lanes, TREE, 1, 0.5) == 0
    assert trust.release(lanes, replace(TREE, commit="new", seed=78), 1, 0.5) == 0
    assert place.calls.read_text().splitlines() == ["release 77", "release 77", "release 78"]


def test_a_lane_that_failed_fails_the_command_and_is_run_again(place: Place) -> None:
    """If this fails, a release goes out over a broken promise."""
    lanes = [place.lane(1)]
    assert [trust.release(lanes, TREE, 1, 1.0) for _ in range(2)] == [1, 1]
    assert len(place.calls.read_text().splitlines()) == 2
    assert place.kept()[LINE.name].failed == 1


SLICES = """
import os, signal
from pathlib import Path
calls = Path("CALLS")
before = calls.read_text() if calls.exists() else ""
said = [os.environ[name] for name in ("BACKFILL_TRUST_SEED", "BACKFILL_TRUST_SHARE")]
calls.write_text(before + " ".join(said) + "\\n")
from tests.doubles.figures import leave
leave(ROW, cases=5, of=6)
if before.count("\\n") == 1:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_slice_that_was_killed_fails_its_lane_and_alone_is_run_again(place: Place) -> None:
    """If this fails, a long lane that somebody stopped is kept as one that passed."""
    script = SLICES.replace("CALLS", str(place.calls)).replace("ROW", repr(LINE.name))
    lanes = [Lane(name=LINE.lane, script=(sys.executable, "-c", script), slices=2)]
    assert [trust.release(lanes, TREE, 1, 1.0) for _ in range(3)] == [1, 0, 0]
    second = 77 + trust.SEEDS_APART // 2
    assert place.calls.read_text().splitlines() == ["77 0.5", f"{second} 0.5", f"{second} 0.5"]
    assert (place.kept()[LINE.name].cases, place.kept()[LINE.name].of) == (10, 12)


def test_a_lane_that_left_nothing_leaves_no_figure(place: Place) -> None:
    """If this fails, a lane that could not start stands in the table as if it had run."""
    lane = Lane(name=LINE.lane, script=(sys.executable, "-c", "raise SystemExit(3)"))
    assert trust.release([lane], TREE, 1, 1.0) == 1
    assert place.kept() == {}


def test_figures_of_ci_are_taken_as_they_were_left(place: Place, tmp_path: Path) -> None:
    """If this fails, the table tells other figures of CI than its run, or hides what failed."""
    passed = {"cases": 5, "tests": 5, "failed": 0, "test_s": 2.5}
    left = {
        "rows": {LINE.name: passed},
        "files": {"tests/unit/cli/test_a.py": passed, "tests/unit/plan/test_b.py": passed},
    }
    (tmp_path / "left.json").write_text(json.dumps(left))
    assert trust.take_ci(tmp_path / "left.json", TREE) == 0
    figures = kept_figures(place.figures)["ci"]
    by_files = next(line.name for line in LINES if line.row is None and line.lane == "cli")
    assert {name: (one.cases, one.took_s) for name, one in figures.items()} == {
        LINE.name: (5, 2.5),
        by_files: (5, 2.5),
    }
    left["files"]["tests/unit/plan/test_b.py"] = {**passed, "failed": 1}
    (tmp_path / "left.json").write_text(json.dumps(left))
    assert trust.take_ci(tmp_path / "left.json", TREE) == 1
