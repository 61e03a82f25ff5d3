"""A row of task results is what the report said of an entry; anything else is a damage."""

import pytest

from backfill.batch_operations.task_results import (
    TASK_COLUMNS,
    TaskResult,
    TaskState,
    task_result_of,
    task_row_of,
)
from backfill.batch_operations.task_tally import TaskTally
from backfill.errors import ArtifactDamagedError
from backfill.model.rows import Scalar

ROW: list[Scalar] = [3, "failed", 403, "AccessDenied", "no"]
RESULT = TaskResult(
    number=3, state=TaskState.FAILED, http_status=403, code="AccessDenied", message="no"
)


def test_a_row_has_the_fields_of_a_result_under_their_names() -> None:
    """If this fails, another version of backfill reads a code for a message."""
    assert TASK_COLUMNS == ("number", "state", "http_status", "code", "message")
    assert TaskResult._fields == TASK_COLUMNS
    assert list(task_row_of(RESULT)) == ROW
    assert task_result_of(ROW) == RESULT
    assert task_result_of([3, "failed", None, "", ""]) == TaskResult(3, TaskState.FAILED)


@pytest.mark.parametrize("state", TaskState)
def test_every_state_comes_back(state: TaskState) -> None:
    """If this fails, a task that was never tried counts as one that failed."""
    assert task_result_of([3, state.value, *ROW[2:]]).state is state


@pytest.mark.parametrize(
    "row",
    [
        [],
        ROW[:-1],
        [*ROW, ""],
        ["3", *ROW[1:]],
        [True, *ROW[1:]],
        [3, "lost", *ROW[2:]],
        [3, "failed", "403", "", ""],
        [3, "failed", True, "", ""],
        [3, "failed", 403, None, ""],
        [3, "failed", 403, "", 1],
    ],
)
def test_a_row_that_is_no_result_is_told(row: list[Scalar]) -> None:
    """If this fails, a damaged row counts as replicated, or ends in a traceback."""
    with pytest.raises(ArtifactDamagedError) as raised:
        task_result_of(row)
    assert raised.value.hint


def test_results_are_counted_once_by_state_and_failures_by_code() -> None:
    """If this fails, the totals of a job are not those of its report."""
    tally = TaskTally()
    results = [
        TaskResult(0, TaskState.SUCCEEDED),
        RESULT,
        RESULT._replace(number=4),
        TaskResult(5, TaskState.FAILED, 500),
        TaskResult(6, TaskState.NOT_ATTEMPTED, code="ignored"),
    ]
    assert list(tally.counted(results)) == results
    assert dict(tally.states) == {
        TaskState.SUCCEEDED: 1, TaskState.FAILED: 3, TaskState.NOT_ATTEMPTED: 1,
    }  # fmt: skip
    assert dict(tally.codes) == {"AccessDenied": 2, "HTTP500": 1}
    assert tally.summary(["j1", "j2"]) == {
        "jobs": [{"job_id": "j1"}, {"job_id": "j2"}],
        "states": {"succeeded": 1, "failed": 3, "not-attempted": 1},
        "codes": {"AccessDenied": 2, "HTTP500": 1},
    }
