"""One attempt after the other: manifest, jobs, completion reports, and who needs another job.

Never judges whether anything arrived (`arrivals` does).
Law: what an attempt holds follows from the artefacts before it alone, so that a process which
comes after a crash makes the same manifest, the same token, and finds the same job.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, tee
from typing import Final

from backfill.batch_operations.collecting import CollectedReport, merge_reports
from backfill.batch_operations.driver import carry_out_jobs
from backfill.batch_operations.explaining import job_failure_texts
from backfill.batch_operations.failure_codes import FailureClass, failure_of
from backfill.batch_operations.joining import joined
from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.batch_operations.task_results import (
    TASK_COLUMNS,
    TaskResult,
    TaskState,
    task_result_of,
    task_row_of,
)
from backfill.batch_operations.workplace import (
    Assignment,
    job_order,
    report_of,
    shard_orders,
)
from backfill.errors import (
    BackfillError,
    FailureRateError,
    RefusedError,
    ReportRefusedError,
)
from backfill.execute.batch_replication.judgement import failure_in, is_tried_again
from backfill.execute.batch_replication.work import (
    BREATH_ROWS,
    OPEN_COLUMNS,
    BatchPorts,
    BatchWork,
    ledger_name,
    open_name,
    refusal_name,
    tasks_name,
    workplace_of,
)
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.operations_rows import object_rows
from backfill.manifest.rows import entry_of, row_of
from backfill.model.jobs import JobOperation, JobStatus

STOP_ROWS_MIN: Final = 10
"""Rows below which one code that hits almost all of them is no reason to stop."""

_READ_AGAIN: Final = (
    "nothing of this report was counted. Run the same command again: it reads the report once more,"
    " and if it stays so it makes another job for these versions, which AWS charges again"
)


class Attempts:
    """The attempts of one round."""

    def __init__(self, work: BatchWork, ports: BatchPorts) -> None:
        self._work = work
        self._ports = ports
        self._workplace = workplace_of(work, ports)

    async def carry_out(self, stop: StopRequest) -> int:
        """Make attempts until no row can gain by another; return how many there were.

        Raises:
            JobWaitsError: Jobs are Suspended until a person confirms them.
            ReportRefusedError: A completion report does not add up; the next call reads it once
                more, and makes another job for its versions if it stays so.
            FailureRateError: One cause fails almost everything; the next call tries again.
            RefusedError: A job failed as a whole, or was cancelled; the next call tries again.
            InterruptedRunError: `stop` was requested; the jobs go on without us.
        """
        for attempt in count(1):
            index = self._ports.artifacts.index(tasks_name(self._work.round, attempt))
            if index is None:
                # What an earlier process made under another limit counts all the same.
                if attempt > self._work.settings.job_attempts_max:
                    return attempt - 1
                await self._attempt(attempt, stop)
                index = self._ports.artifacts.index(tasks_name(self._work.round, attempt))
                assert index is not None, "an attempt leaves its tasks"
            if not index.summary["open_rows"]:
                return attempt
        raise AssertionError("attempts have a limit")

    def results(self, attempt: int) -> Iterator[TaskResult]:
        """Stream the results of an attempt, in entry order."""
        rows = self._ports.artifacts.rows(tasks_name(self._work.round, attempt))
        return map(task_result_of, rows)

    def _entries(self, attempt: int) -> Iterator[ManifestEntry]:
        """Stream the rows of an attempt: all at first, later those that can succeed now."""
        if attempt == 1:
            yield from self._work.entries()
            return
        index = self._ports.artifacts.index(tasks_name(self._work.round, attempt - 1))
        assert index is not None, "the attempt before has ended"
        was_stopped = bool(index.summary["was_stopped"])
        for *row, needs_mend in self._ports.artifacts.rows(
            open_name(self._work.round, attempt - 1)
        ):
            if was_stopped or not needs_mend:
                yield entry_of(row)

    async def _attempt(self, attempt: int, stop: StopRequest) -> None:
        ended = await carry_out_jobs(
            await self._orders(attempt),
            self._ports.driver,
            self._work.settings,
            stop,
            ledger_name=ledger_name(self._work.round),
        )
        reports, refused, ending = await self._collected(attempt, ended, stop)
        try:
            if refused is not None:
                self._refuse_once(attempt, refused, ending)
            try:
                trouble = await self._write_tasks(attempt, ended, reports, ending)
            except ReportRefusedError as error:
                # Each report adds up by itself, and not with the manifest: none is believed.
                self._refuse_once(attempt, error, ending)
                refused, trouble = error, await self._write_tasks(attempt, ended, (), ending)
        finally:
            for report in reports:
                report.close()
        is_told = refused is not None and trouble is ending  # by the call before this one
        if trouble is not None and not is_told:
            raise trouble

    # --- the jobs ---

    async def _orders(self, attempt: int) -> list[JobOrder]:
        work, at = self._work, self._workplace
        source = work.header.source.bucket
        assignment = Assignment(
            name=f"{work.round:02d}-{attempt}",
            operation=JobOperation.REPLICATE,
            bucket=source,
            digest=work.manifest.digest,
            attempt=attempt,
        )
        if attempt == 1 and work.generated is not None:
            return [job_order(at, assignment, 0, work.generated, rows=work.rows)]
        return await shard_orders(at, assignment, object_rows(source, self._entries(attempt)))

    # --- the reports ---

    def _what_follows(self, attempt: int) -> str:
        """Return what the same command does next about what could not be delivered."""
        if attempt < self._work.settings.job_attempts_max:
            return "the same command makes a new job for what is left"
        return (
            f"the same command ends the round, because these were jobs {attempt} of {attempt} for"
            " what is left; after it backfill repair makes new ones"
        )

    async def _collected(
        self, attempt: int, ended: Sequence[EndedJob], stop: StopRequest
    ) -> tuple[list[CollectedReport], ReportRefusedError | None, BackfillError | None]:
        """Collect what can be believed; the first report that cannot be, and the first bad end."""
        reports: list[CollectedReport] = []
        refused: ReportRefusedError | None = None
        trouble: BackfillError | None = None
        for job in ended:
            trouble = trouble or _job_trouble(job, self._what_follows(attempt))
            try:
                report = await report_of(
                    self._workplace, job, bucket=self._work.header.source.bucket, stop=stop
                )
            except ReportRefusedError as error:
                refused = refused or error
            else:
                reports += [report] if report is not None else []
        return reports, refused, trouble

    def _refuse_once(
        self, attempt: int, refused: ReportRefusedError, ending: BackfillError | None
    ) -> None:
        """Raise at the first refusal of an attempt: the next call reads its reports once more.

        A report may be late, or damaged on its way to us, and another job is charged for every
        version again. What is refused twice stays so: its versions get that job.
        """
        artifacts, name = self._ports.artifacts, refusal_name(self._work.round, attempt)
        if artifacts.read_document(name) is None:
            artifacts.write_document(name, json.dumps({"refused": refused.message}).encode())
            raise ending or type(refused)(refused.message, hint=_READ_AGAIN)

    async def _write_tasks(
        self,
        attempt: int,
        ended: Sequence[EndedJob],
        reports: Sequence[CollectedReport],
        trouble: BackfillError | None,
    ) -> BackfillError | None:
        """Join the reports with the attempt's rows, and say whether one cause stops it all."""
        work, writer_of = self._work, self._ports.artifacts.writer
        to_join, entries = tee(self._entries(attempt))  # in step: no more than a row is held
        results = joined(
            to_join,
            merge_reports(*reports),
            allows_foreign=attempt == 1 and work.generated is not None,
        )
        with (
            writer_of(
                tasks_name(work.round, attempt), columns=TASK_COLUMNS, inputs=work.inputs
            ) as writer,
            writer_of(
                open_name(work.round, attempt), columns=OPEN_COLUMNS, inputs=work.inputs
            ) as left,
        ):
            codes: Counter[str] = Counter()
            states: Counter[TaskState] = Counter()
            open_after: Counter[bool] = Counter()
            for passed, (entry, result) in enumerate(zip(entries, results, strict=True)):
                if passed % BREATH_ROWS == 0:
                    await asyncio.sleep(0)
                writer.write(task_row_of(result))
                states[result.state] += 1
                if result.state is TaskState.SUCCEEDED:
                    continue  # as nearly all do: neither code nor another attempt
                if (failure := failure_in(result)) is not None:
                    codes[failure.code] += 1
                is_open = is_tried_again(result, was_stopped=False)
                is_open_after_stop = is_tried_again(result, was_stopped=True)
                open_after.update({False: is_open, True: is_open_after_stop})
                if is_open_after_stop:
                    left.write((*row_of(entry), not is_open))
            follows = self._what_follows(attempt)
            trouble = trouble or _common_cause(codes, states.total(), self._work, follows)
            left.commit({})  # before the tasks: an attempt that has ended leaves both
            writer.commit(
                {
                    "states": {state.value: states[state] for state in TaskState},
                    "codes": dict(sorted(codes.items())),
                    # Versions that S3 listed itself and the plan did not mean: live writes, mostly.
                    "foreign": results.foreign,
                    "jobs": [_job_summary(job) for job in ended],
                    "was_stopped": trouble is not None,
                    "open_rows": open_after[trouble is not None],
                }
            )
        return trouble


def _job_trouble(job: EndedJob, follows: str) -> BackfillError | None:
    """Return why a job that ended is a reason to stop; None where its report tells everything."""
    summary, description = job.description.summary, job.description
    if summary.status is JobStatus.COMPLETE:
        return None
    why = description.failure_words or description.status_reason or "S3 gives no reason"
    done = f"{summary.progress.done} of {summary.progress.total} tasks were done"
    if summary.status is JobStatus.CANCELLED:
        return RefusedError(f"job {job.job_id} was cancelled ({why}); {done}", hint=follows)
    mends = dict.fromkeys(text.mend for text in job_failure_texts(description))
    mend = " ".join(filter(None, mends)) or f"See backfill jobs show {job.job_id}; mend the cause."
    hint = f"{mend} Then {follows}"
    if summary.progress.done:
        return FailureRateError(f"job {job.job_id} failed ({why}); {done}", hint=hint)
    return RefusedError(f"job {job.job_id} failed: {why}", hint=hint)


def _common_cause(
    codes: Counter[str], rows: int, work: BatchWork, follows: str
) -> BackfillError | None:
    """Return the one cause that fails almost everything, if there is one."""
    for code, hit in codes.most_common(1):
        failure = failure_of(code, None, "")
        is_common = hit >= rows * work.settings.breaker_failure_ratio and rows >= STOP_ROWS_MIN
        if is_common and failure.cls is FailureClass.AFTER_MEND:
            return FailureRateError(
                f"{hit:,} of {rows:,} versions failed with {code}: {failure.sentence}",
                hint=f"{failure.mend} Then {follows}",
            )
    return None


def _job_summary(job: EndedJob) -> Mapping[str, object]:
    summary = job.description.summary
    return {
        "name": job.order.name,
        "job_id": job.job_id,
        "status": summary.status.value,
        "rows": job.order.rows,
        "succeeded": summary.progress.succeeded,
        "failed": summary.progress.failed,
        "failures": [f"{one.code}: {one.reason}" for one in job.description.failures],
    }
