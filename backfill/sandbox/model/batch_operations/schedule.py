"""Which job's step comes next: the soonest due, of those the one of the highest priority.

Knows nothing of what a step does.
Law: no more jobs of an account and Region are Active together than the settings allow; a job of a
higher priority pauses one of a lower (UG: batch-ops-job-priority).
"""

from __future__ import annotations

from datetime import datetime

from backfill.sandbox.model.batch_operations.faults import JobEnd
from backfill.sandbox.model.batch_operations.job import Job
from backfill.sandbox.model.batch_operations.stages import Stages
from backfill.sandbox.model.operations.jobs import JobStatus

_WAITING = (JobStatus.READY, JobStatus.PAUSED)


class Schedule:
    """All jobs that S3 still knows."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self.jobs: list[Job] = []
        """Oldest first."""

    def add(self, job: Job) -> None:
        """Take a new job in."""
        self.jobs.append(job)

    def advance(self, now: datetime) -> int:
        """Do all steps due by `now`, then let old jobs expire; the number of steps done.

        A step is done as of when it was due, so that one long stride is as good as many short ones.
        """
        steps = 0
        while (job := self._next(now)) is not None:
            self._do(job)
            steps += 1
        kept_for = self._stages.settings.kept_for
        for job in tuple(self.jobs):
            if job.status is JobStatus.SUSPENDED and self._stages.expire(job, now):
                steps += 1
            if job.ended_at is not None and job.ended_at + kept_for <= now:
                self.jobs.remove(job)
        return steps

    def next_due_at(self) -> datetime | None:
        """When the next step is due; None while no job runs."""
        due = [job.due_at for job in self.jobs if self._may_step(job) or self._is_doomed(job)]
        return min(due, default=None)

    def _next(self, now: datetime) -> Job | None:
        due = [job for job in self.jobs if job.due_at <= now and self._may_step(job)]
        return min(due, key=lambda job: (job.due_at, -job.priority, job.number), default=None)

    def _may_step(self, job: Job) -> bool:
        if job.has_ended or job.status is JobStatus.SUSPENDED:
            return False
        if job.status not in _WAITING or self._has_room(job):
            return True
        return self._weakest(job) is not None

    def _is_doomed(self, job: Job) -> bool:
        return job.status is JobStatus.SUSPENDED and job.faults.end is JobEnd.EXPIRES

    def _do(self, job: Job) -> None:
        if job.status in _WAITING and not self._has_room(job):
            weakest = self._weakest(job)
            assert weakest is not None, "else the job may not step"
            self._stages.pause(weakest, job.due_at)
        else:
            self._stages.step(job)

    def _has_room(self, job: Job) -> bool:
        count = len(self._neighbours(job, JobStatus.ACTIVE, JobStatus.PAUSING))
        return count < self._stages.settings.active_jobs_count

    def _weakest(self, job: Job) -> Job | None:
        """The Active job that has to make room, if one is weaker and none makes room already."""
        if self._neighbours(job, JobStatus.PAUSING):
            return None
        active = self._neighbours(job, JobStatus.ACTIVE)
        weakest = min(active, key=lambda one: (one.priority, -one.number), default=None)
        return weakest if weakest is not None and weakest.priority < job.priority else None

    def _neighbours(self, job: Job, *statuses: JobStatus) -> list[Job]:
        place = (job.account_id, job.region)
        return [
            one
            for one in self.jobs
            if one.status in statuses and (one.account_id, one.region) == place
        ]
