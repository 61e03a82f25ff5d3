"""Faults of jobs that a test or the demo plants, in process.

Never random by itself: whoever plants decides, so a seed repeats a run. A CreateJob whose answer is
lost is a fault of the HTTP layer.
Law: a planted fault looks to a client exactly like the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from backfill.sandbox.model.batch_operations.tasks import Task, TaskFailure
from backfill.sandbox.model.operations.jobs import CreateJobRequest

TaskFaultHook: TypeAlias = Callable[[Task], TaskFailure | None]
"""Asked before each task is carried out; a failure stands for it, and nothing is done."""

SLOW_DOWN = TaskFailure(
    code="SlowDown", http_status=503, message="Please reduce your request rate."
)
"""A throttled task."""
PERMANENT_FAILURE = TaskFailure(
    code="PermanentFailure", http_status=500, message="Task failed due to an internal error"
)


class JobEnd(Enum):
    """How a job ends against its will."""

    FAILS = auto()
    IS_CANCELLED = auto()
    EXPIRES = auto()
    """Its time of waiting for confirmation is over as soon as it is Suspended."""


class ReportFault(Enum):
    """What is wrong with a completion report."""

    MISSING = auto()
    """Nothing was written."""
    NO_MANIFEST = auto()
    """Results without their manifest.json."""
    BAD_MD5 = auto()
    """manifest.json tells another MD5 than the first results file has."""
    TRUNCATED = auto()
    """The first results file is cut in its last row; its MD5 is that of the whole file."""
    DUPLICATE_ROWS = auto()
    """The last row of the first results file is there twice; the MD5 is right."""
    MISSING_ROWS = auto()
    """The last row of the first results file is not there; the MD5 is right."""
    FOREIGN_MANIFEST = auto()
    """manifest.json is that of another job: its results lie elsewhere."""


def no_task_fault(_task: Task) -> TaskFailure | None:
    """Let every task be carried out."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFaults:
    """What befalls one job."""

    task: TaskFaultHook = no_task_fault
    end: JobEnd | None = None
    after_tasks: int = 0
    """For FAILS and IS_CANCELLED: the job ends when so many tasks have been carried out."""
    failure_code: str = "InternalError"
    failure_reason: str = "We encountered an internal error. Please try again."
    report: ReportFault | None = None
    more_step_s: float = 0.0
    """How much longer each step of tasks takes: throttled inside S3, but not failed."""


NO_FAULTS = JobFaults()

JobFaultHook: TypeAlias = Callable[[int, CreateJobRequest], JobFaults | None]
"""Asked once for each job as it is made, with its rank from 1; None lets it be."""


def no_job_faults(_number: int, _request: CreateJobRequest) -> JobFaults | None:
    """Let every job be: the default."""
    return None


def failing(
    failure: TaskFailure,
    *,
    keys: Iterable[str] | None = None,
    version_ids: Iterable[str] | None = None,
) -> TaskFaultHook:
    """A hook by which tasks of these keys and versions fail; None means any."""
    some_keys = None if keys is None else frozenset(keys)
    some_ids = None if version_ids is None else frozenset(version_ids)

    def hook(task: Task) -> TaskFailure | None:
        is_key = some_keys is None or task.key in some_keys
        is_version = some_ids is None or task.version_id in some_ids
        return failure if is_key and is_version else None

    return hook
