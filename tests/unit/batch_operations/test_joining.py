"""The join of entries with rows against one with a dictionary."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.batch_operations.joining import joined
from backfill.batch_operations.report_rows import TaskRow
from backfill.batch_operations.task_results import (
    TASK_COLUMNS,
    TaskResult,
    TaskState,
    task_result_of,
    task_row_of,
)
from backfill.errors import ArtifactDamagedError, ReportRefusedError
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ETag, VersionId
from backfill.plan.routes import Route
from tests.doubles.written_reports import in_order, rows_of_tasks, unique


def entry(number: int, key: str, version_id: str | None, destination: int = 0) -> ManifestEntry:
    return ManifestEntry(
        number=number,
        plan_number=number,
        key=key,
        version_id=None if version_id is None else VersionId(version_id),
        etag=ETag("e"),
        size_bytes=1,
        last_modified=datetime(2026, 1, 1, tzinfo=UTC),
        destination=destination,
        route=Route.BATCH_REPLICATION,
    )


def row(key: str, version_id: str | None = "v", *, is_succeeded: bool = True) -> TaskRow:
    return TaskRow(
        key=key,
        version_id=version_id,
        is_succeeded=is_succeeded,
        http_status=200 if is_succeeded else 500,
        code="" if is_succeeded else "InternalError",
        message="",
    )


def entries_of(places: Iterable[tuple[str, str | None, int]]) -> list[ManifestEntry]:
    """Number entries in key order; within a key they stand as they were drawn."""
    ordered = sorted(places, key=lambda place: place[0])
    return [entry(number, *place) for number, place in enumerate(ordered)]


places = st.tuples(
    st.sampled_from(["a", "a\0", "b", "c/d", "\U0010ffff", "\ue000"]),
    st.sampled_from([None, "null", "3HL4kqtJlcpXroDTDmJ", "a.b_C-d"]),
    st.integers(0, 2),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(places, max_size=20), st.lists(rows_of_tasks, max_size=20))
def test_the_join_is_that_of_a_dictionary(
    asked: list[tuple[str, str | None, int]], told: list[TaskRow]
) -> None:
    """If this fails, an entry gets another's result, none, or two."""
    entries, rows = entries_of(asked), in_order(unique(told))
    of = {(one.key, one.version_id): one for one in rows}
    join = joined(entries, rows, allows_foreign=True)
    expected = []
    for one in entries:
        found = of.get((one.key, one.version_id))
        if found is None:
            expected.append(TaskResult(number=one.number, state=TaskState.NOT_ATTEMPTED))
        else:
            state = TaskState.SUCCEEDED if found.is_succeeded else TaskState.FAILED
            expected.append(
                TaskResult(
                    number=one.number,
                    state=state,
                    http_status=found.http_status,
                    code=found.code,
                    message=found.message,
                )
            )
    assert list(join) == expected
    assert join.foreign == len(of.keys() - {(one.key, one.version_id) for one in entries})


def test_entries_of_one_version_share_its_row() -> None:
    """If this fails, the second destination of a version looks as if nobody had tried."""
    entries = [entry(0, "a", "v", 0), entry(1, "a", "v", 1), entry(2, "a", "null", 0)]
    states = [one.state for one in joined(entries, [row("a")], allows_foreign=False)]
    assert states == [TaskState.SUCCEEDED, TaskState.SUCCEEDED, TaskState.NOT_ATTEMPTED]


@pytest.mark.parametrize(
    "foreign",
    [row("a"), row("k", "w"), row("k", None), row("k", "null"), row("z")],
    ids=["before", "version", "no-version", "null", "after"],
)
def test_a_row_that_nobody_asked_for_is_refused_unless_s3_made_the_manifest(
    foreign: TaskRow,
) -> None:
    """If this fails, the report of other work passes for this job's."""
    rows = in_order([row("k"), foreign])
    with pytest.raises(ReportRefusedError, match="was not asked for"):
        list(joined([entry(0, "k", "v")], rows, allows_foreign=False))
    join = joined([entry(0, "k", "v")], rows, allows_foreign=True)
    assert [one.state for one in join] == [TaskState.SUCCEEDED]
    assert join.foreign == 1


def test_a_version_with_tasks_of_two_jobs_is_refused() -> None:
    """If this fails, one of two results of a version is believed by chance."""
    rows = [row("k"), row("k", is_succeeded=False)]
    with pytest.raises(ReportRefusedError, match="k version v was a task of two jobs"):
        list(joined([entry(0, "k", "v")], rows, allows_foreign=True))


def test_streams_out_of_order_are_a_bug() -> None:
    """If this fails, rows are lost where a caller forgot to sort."""
    with pytest.raises(AssertionError, match="entries come sorted"):
        list(joined([entry(0, "b", "v"), entry(1, "a", "v")], [], allows_foreign=True))
    with pytest.raises(AssertionError, match="rows are sorted"):
        list(joined([], [row("b"), row("a")], allows_foreign=True))


@given(
    st.builds(
        TaskResult,
        number=st.integers(min_value=0),
        state=st.sampled_from(TaskState),
        http_status=st.none() | st.integers(100, 599),
        code=st.text(),
        message=st.text(),
    )
)
def test_a_task_result_survives_its_artefact(result: TaskResult) -> None:
    """If this fails, a resumed run knows something else than the one that read the report."""
    told = list(task_row_of(result))
    assert len(told) == len(TASK_COLUMNS)
    assert task_result_of(told) == result


@pytest.mark.parametrize(
    "told",
    [
        [],
        [0, "succeeded", 200, ""],
        [0, "done", 200, "", ""],
        [True, "failed", 200, "", ""],
        [0, "failed", "200", "", ""],
        [0, "failed", True, "", ""],
        [0, "failed", 200, None, ""],
        [0, "failed", 200, "", 1],
    ],
)
def test_a_row_that_is_no_task_result_is_refused(told: list[str | int | None]) -> None:
    """If this fails, a damaged artefact is believed."""
    with pytest.raises(ArtifactDamagedError, match="no task result"):
        task_result_of([*told])
