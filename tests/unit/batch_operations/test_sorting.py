"""The external sort against `sorted`, in runs so small that every row is merged many times."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.batch_operations.report_rows import TaskRow
from backfill.batch_operations.sorting import BLOCKS_BYTES, RowSorter, line_of, merged_lines, row_of
from backfill.errors import ReportRefusedError
from tests.doubles.written_reports import in_order, rows_of_tasks, unique


def sorted_rows(
    rows: list[TaskRow], folder: Path, *, run_chars: int = 1, fan_in: int = 2
) -> list[TaskRow]:
    sorter = RowSorter(folder, run_chars=run_chars, fan_in=fan_in)
    for row in rows:
        sorter.add(row)
    path = folder / "rows"
    for _ in sorter.finish(path):
        pass
    assert list(folder.iterdir()) == [path], "runs are removed"
    return [row_of(line) for line in merged_lines([path])]


def numbered(count: int, *, message: str = "") -> list[TaskRow]:
    return [
        TaskRow(
            key=f"{number * 7919 % count:06d}",
            version_id="v",
            is_succeeded=True,
            http_status=200,
            code="",
            message=message,
        )
        for number in range(count)
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(rows_of_tasks, max_size=25), st.integers(1, 200), st.integers(2, 5))
def test_rows_come_back_sorted_and_whole(rows: list[TaskRow], run_chars: int, fan_in: int) -> None:
    """If this fails, rows are lost on disk, or come in an order in which the join misses them."""
    one_each = unique(rows)
    with TemporaryDirectory() as folder:
        found = sorted_rows(one_each, Path(folder), run_chars=run_chars, fan_in=fan_in)
    assert found == in_order(one_each)


@settings(max_examples=300, deadline=None)
@given(rows_of_tasks, rows_of_tasks)
def test_lines_sort_as_their_rows_do(one: TaskRow, two: TaskRow) -> None:
    """If this fails, a key with control characters stands where no merge finds it."""
    assert "\n" not in line_of(one)
    assert row_of(line_of(one)) == one
    places = [(row.key, row.version_id or "") for row in (one, two)]
    if places[0] != places[1]:
        assert (line_of(one) < line_of(two)) is (places[0] < places[1])


def test_more_runs_than_are_merged_at_once_are_merged_in_passes(tmp_path: Path) -> None:
    """If this fails, a large report needs more memory or files than there are."""
    rows = numbered(500)
    assert sorted_rows(rows, tmp_path, run_chars=100, fan_in=3) == in_order(rows)


def test_lines_longer_than_a_block_are_read_whole(tmp_path: Path) -> None:
    """If this fails, one long message cuts the rows behind it off."""
    rows = numbered(64, message="m" * 100_000)
    assert BLOCKS_BYTES // 64 < 100_000, "a block of 64 files holds no line"
    assert sorted_rows(rows, tmp_path, run_chars=1, fan_in=64) == in_order(rows)


def test_no_rows_are_a_file_without_rows(tmp_path: Path) -> None:
    """If this fails, the report of a job without tasks cannot be read."""
    assert sorted_rows([], tmp_path) == []


@pytest.mark.parametrize("run_chars", [1, 1_000_000])
@pytest.mark.parametrize("version_id", [None, "null", "v"])
def test_two_rows_of_one_version_are_refused(
    tmp_path: Path, run_chars: int, version_id: str | None
) -> None:
    """If this fails, a task that is reported twice hides one that is not reported."""
    rows = [*numbered(5), *(row._replace(version_id=version_id) for row in numbered(5))]
    rows = rows if version_id == "v" else [*rows, rows[-1]._replace(is_succeeded=False)]
    with pytest.raises(ReportRefusedError, match=r"00000\d.* has two rows"):
        sorted_rows(rows, tmp_path, run_chars=run_chars)
