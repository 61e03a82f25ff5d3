"""How Batch Operations behaves where S3 promises nothing: its pace, and limits that tests shrink.

Law: what S3 states is the default; what it does not state takes no time by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """Pace and limits of jobs."""

    status_s: float = 0.0
    """How long a job stays in each status that it passes through (New, Preparing, Completing)."""
    step_s: float = 0.0
    """How long an Active job takes for the tasks of one step."""
    tasks_per_step: int = 1000
    rows_per_report_file: int = 100_000
    """S3 splits results as it likes; tests make it split early."""
    active_jobs_count: int = 6
    """Jobs of an account and Region that are Active together (UG: batch-ops)."""
    open_jobs_count: int = 1000
    """Jobs of an account and Region that have not ended: a limit of this model."""
    failure_threshold_tasks: int = 1000
    """From so many tasks on, more than half failed fails the job (UG: batch-ops-job-status)."""
    suspended_for: timedelta = timedelta(days=30)
    """Then a job that nobody confirmed fails (UG: batch-ops-job-status)."""
    kept_for: timedelta = timedelta(days=90)
    """Then a job that has ended is forgotten (UG: batch-ops-job-status)."""


NO_DELAY = BatchSettings()
"""A job is done as soon as `advance` is called: the simplest for tests."""
