"""Finding our jobs again among all that S3 lists, other people's included.

Never asks S3: the driver hands over what ListJobs gives, job by job.
Law: only a digest of the order's own token makes a job ours; likeness never does.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from backfill.batch_operations.standings import Standing
from backfill.batch_operations.tokens import (
    description_digest,
    digest_in_description,
    digest_in_tags,
)
from backfill.model.jobs import JobStatus, JobSummary, JobTags

TAG_READS_MAX: Final = 50
"""Jobs whose tags are read in one look-up; those created soonest after the intent go first. They
matter only where a description was lost on the way, which is not known to happen."""
CLOCKS_APART: Final = timedelta(minutes=15)
"""S3 refuses requests of clocks that are further off (S3 API: RequestTimeTooSkewed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A job recognised as an order's. `status` is None where only its tags were read."""

    index: int
    job_id: str
    found_by: str
    status: JobStatus | None = None


class Search:
    """One look-up: which of the jobs that S3 lists belong to orders without a job ID.

    Only what can matter is kept while ListJobs streams past, page by page. Of several jobs with one
    digest the first is ours: who clones a job in the console copies its description and tags.
    """

    def __init__(self, standings: Sequence[Standing]) -> None:
        self._wanted = {
            description_digest(standing.record.token): index
            for index, standing in enumerate(standings)
            if not standing.is_created
        }
        opened = [index for index, one in enumerate(standings) if one.record.is_open]
        assert len(opened) <= 1, "one order at a time is in doubt"
        self._open_index = opened[0] if opened else None
        self._open = standings[opened[0]] if opened else None
        self._first: dict[int, JobSummary] = {}
        self._near: list[tuple[datetime, str]] = []

    def take(self, summary: JobSummary) -> None:
        """Take the next listed job."""
        digest = digest_in_description(summary.description)
        index = self._wanted.get(digest)
        if index is not None:
            known = self._first.get(index)
            if known is None or _age(summary) < _age(known):
                self._first[index] = summary
        elif not digest and self._may_be_the_open_one(summary):
            bisect.insort(self._near, _age(summary))
            del self._near[TAG_READS_MAX:]

    def _may_be_the_open_one(self, summary: JobSummary) -> bool:
        if self._open is None or self._open.record.intended_at is None:
            return False
        is_same = summary.operation == self._open.order.request.operation.value
        return is_same and summary.created_at >= self._open.record.intended_at - CLOCKS_APART

    @property
    def found(self) -> list[Found]:
        """Return what the descriptions told."""
        return [
            Found(index=index, job_id=one.job_id, found_by="description", status=one.status)
            for index, one in self._first.items()
        ]

    @property
    def candidates(self) -> list[str]:
        """Return the jobs, first one first, whose tags tell whether they are the open order's."""
        is_settled = self._open_index is None or self._open_index in self._first
        return [] if is_settled else [job_id for _, job_id in self._near]

    def found_by_tags(self, job_id: str, tags: JobTags) -> Found | None:
        """Return the job as the open order's, if its tags say so."""
        index = self._wanted.get(digest_in_tags(tags))
        if index is None or index != self._open_index:
            return None
        return Found(index=index, job_id=job_id, found_by="tags")


def _age(summary: JobSummary) -> tuple[datetime, str]:
    return summary.created_at, summary.job_id
