"""What jobs say of manifest entries: one task result for each entry, as rows of an artefact.

Never says whether a version arrived: a task that succeeded has only started replication.
Law: `task_result_of(list(task_row_of(result))) == result`.
"""

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple

from backfill.errors import ArtifactDamagedError
from backfill.model.rows import Row, Scalar


class TaskState(enum.StrEnum):
    """What became of an entry's task."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_ATTEMPTED = "not-attempted"
    """No row of a completion report is about it: its job ended before its turn came."""


class TaskResult(NamedTuple):
    """The task of entry `number`; the rest is as the completion report has it.

    A tuple, as TaskRow is: one is made for each of millions of entries.
    `http_status` is None where the report gives none; `code` and `message` may be empty.
    """

    number: int
    state: TaskState
    http_status: int | None = None
    code: str = ""
    message: str = ""


TASK_COLUMNS: Final = ("number", "state", "http_status", "code", "message")
_STATES: Final[Mapping[Scalar, TaskState]] = {state.value: state for state in TaskState}


def task_row_of(result: TaskResult) -> Row:
    """Return a task result as a row of TASK_COLUMNS."""
    return (result.number, result.state, result.http_status, result.code, result.message)


def task_result_of(row: list[Scalar]) -> TaskResult:
    """Return the task result of a row.

    Raises:
        ArtifactDamagedError: the row is no task result.
    """
    # Type by type and not by a class pattern, which takes six times as long, once a row.
    if len(row) == len(TASK_COLUMNS):
        number, state, http_status, code, message = row
        if (
            type(number) is int
            and state in _STATES
            and (http_status is None or type(http_status) is int)
            and isinstance(code, str)
            and isinstance(message, str)
        ):
            return TaskResult(number, _STATES[state], http_status, code, message)
    raise ArtifactDamagedError(
        "a row of task results is no task result",
        hint="delete the artefact's folder and execute again: the reports are read again",
    )
