"""Counts what the completion reports of a set of jobs say of their tasks.

Never decides what follows from it.
Law: every result counts once in a state, and every failure once by its code.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from backfill.batch_operations.failure_codes import failure_of
from backfill.batch_operations.task_results import TaskResult, TaskState


class TaskTally:
    """The counts so far."""

    def __init__(self) -> None:
        self.states: Counter[TaskState] = Counter()
        self.codes: Counter[str] = Counter()

    def counted(self, results: Iterable[TaskResult]) -> Iterator[TaskResult]:
        """Pass results on and count them."""
        for result in results:
            self.states[result.state] += 1
            if result.state is TaskState.FAILED:
                failure = failure_of(result.code, result.http_status, result.message)
                self.codes[failure.code] += 1
            yield result

    def summary(self, job_ids: Sequence[str]) -> dict[str, object]:
        """Return the counts for an artefact's summary, as `jobs_of_run.report_read` reads them."""
        return {
            "jobs": [{"job_id": job_id} for job_id in job_ids],
            "states": {state.value: self.states[state] for state in TaskState},
            "codes": dict(sorted(self.codes.items())),
        }
