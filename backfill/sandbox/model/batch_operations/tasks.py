"""Tasks: one entry of a manifest each, and how each ended.

Law: what the completion report repeats (bucket, key as encoded, version ID) is kept as the manifest
says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One entry of a manifest. `version_id` None: the manifest has no such column."""

    bucket: str
    encoded_key: str
    """As in the manifest, percent-encoded."""
    version_id: str | None

    @property
    def key(self) -> str:
        """The key that is meant; a `+` is a plus sign (UG: batch-ops-create-job)."""
        return unquote(self.encoded_key, errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """How a task ended, as its row of the completion report says it."""

    task: Task
    is_success: bool
    http_status: int
    error_code: str
    """Empty for success."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """Why a task failed: the last columns of its row."""

    code: str
    http_status: int
    message: str

    def of(self, task: Task) -> TaskResult:
        """The result of a task that ended so."""
        return TaskResult(
            task=task,
            is_success=False,
            http_status=self.http_status,
            error_code=self.code,
            message=self.message,
        )


def success(task: Task, message: str) -> TaskResult:
    """The result of a task that ended well."""
    return TaskResult(task=task, is_success=True, http_status=200, error_code="", message=message)
