"""The page of trust says what its figures say, and what tries a promise is there."""

import re
from collections import defaultdict

import pytest

from tests.architecture.house import ROOT
from tests.doubles.figures import Row
from tests.doubles.trust_table import (
    LANES,
    LINES,
    PAGE,
    PROMISES,
    Figure,
    kept_figures,
    lane_of,
    numbers,
    tables,
    with_tables,
)


def test_the_page_is_what_its_figures_say() -> None:
    """If this fails, the page tells a figure that no run left: scripts/trust --page writes it."""
    page = PAGE.read_text()
    assert with_tables(page, kept_figures()) == page


def test_every_row_has_its_line() -> None:
    """If this fails, something is counted and nobody reads it."""
    rows = [line.row for line in LINES if line.row is not None]
    assert sorted(rows) == sorted(Row)
    assert len({line.name for line in LINES}) == len(LINES)
    assert {number for line in LINES for number in numbers(line)} <= PROMISES.keys()


def test_every_lane_runs_what_is_there_and_every_line_has_its_lane() -> None:
    """If this fails, the command that reproduces a figure does not run."""
    names = {lane.name for lane in LANES}
    assert len(names) == len(LANES)
    assert {line.lane for line in LINES} == names
    assert [path for lane in LANES for path in lane.tried_by if not (ROOT / path).exists()] == []


def tellers() -> dict[str, set[str]]:
    """Return the files that tell how much of a row they tried, by row."""
    found = defaultdict[str, set[str]](set)
    for path in (path for top in ("tests", "scripts") for path in (ROOT / top).rglob("*.py")):
        for name in re.findall(r"(?:tried|leave)\(\s*Row\.(\w+)", path.read_text()):
            found[name].add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("row", Row, ids=lambda row: row.name)
def test_a_row_is_counted_where_its_lane_looks(row: Row, told: dict[str, set[str]]) -> None:
    """If this fails, a figure lacks what some test tried, or nothing counts it at all."""
    lane = lane_of(next(line for line in LINES if line.row is row))
    assert told[row.name]
    if lane.tests:
        assert [path for path in told[row.name] if not path.startswith(lane.tests)] == []


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    return tellers()


def test_what_never_ran_has_no_figure() -> None:
    """If this fails, the table makes a promise out of a plan."""
    assert "not run yet" in tables({"ci": {}, "release": {}})
    assert not re.search(r"\| CI \d", tables({"ci": {}, "release": {}}))


def test_a_failure_is_not_hidden() -> None:
    """If this fails, a figure with failures looks like one without, or like its goal."""
    figure = Figure(
        cases=1_999, failed=2, took_s=61, machine_s=118.0, date="2026-01-02", commit="abc"
    )
    line = next(line for line in LINES if line.goal)
    (told,) = [
        one
        for one in tables({"ci": {}, "release": {line.name: figure}}).splitlines()
        if one.startswith(f"| {line.name}")
    ]
    assert f"1,999 of {line.goal:,}, **2 failed**" in told
    assert "release 61 s (2 min of CPU)" in told
    assert "release 2026-01-02, abc" in told
