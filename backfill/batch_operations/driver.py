"""The driver of jobs: creates what is ordered, finds again what exists, watches until all ended.

Never decides: `steps` says what is next, `standings` what an answer means. Never cancels a job.
Law: an intent is durable before CreateJob is sent, and the job ID before anything else is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from backfill.batch_operations import standings, steps, wording
from backfill.batch_operations.finding import Found, Search
from backfill.batch_operations.ledger import decoded, encoded, records_of
from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.batch_operations.standings import Standing
from backfill.errors import (
    BackfillError,
    Disposition,
    MissingPermissionError,
    RefusedError,
    StoreFault,
)
from backfill.events.jobs import JobCallFailed, JobChanged, JobCreated, JobEnded, JobFound, JobWaits
from backfill.execute.stop import StopRequest
from backfill.model.jobs import JobDescription
from backfill.ports import ArtifactStore, BatchOperations, Clock, Events, ProgressCounts, Random
from backfill.settings import Settings

T = TypeVar("T")

FAILED_CALLS_MAX: Final = 5
"""Consecutive failures of one kind of call; the adapter asked again each time before it gave up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverPorts:
    """Where jobs live, and where the driver remembers them. `error_of` as the adapter's."""

    batch: BatchOperations
    artifacts: ArtifactStore
    events: Events
    clock: Clock
    random: Random
    error_of: Callable[[StoreFault], BackfillError]


async def carry_out_jobs(
    orders: Sequence[JobOrder],
    ports: DriverPorts,
    settings: Settings,
    stop: StopRequest,
    *,
    ledger_name: str,
) -> tuple[EndedJob, ...]:
    """Create, find again and watch jobs until each is Complete, Failed or Cancelled.

    Each order has exactly one job, however often this is called with the same ledger: the caller
    judges how it ended, and asks for another attempt by another order.

    Raises:
        JobWaitsError: nothing is left but jobs that a person must confirm.
        InterruptedRunError: `stop` was requested; jobs go on in S3, and the same call resumes.
        ForeignRunDirectoryError: the ledger knows an order as other work.
        ArtifactDamagedError: the ledger was altered.
        RefusedError: S3 refuses, or a job or its token is not what we remember.
        BackfillError: a fault that did not pass.
    """
    assert len({order.name for order in orders}) == len(orders), "an order's name is its own"
    assert len({order.request.token for order in orders}) == len(orders), "so is its token"
    assert len({order.request.place for order in orders}) <= 1, "one call, one account and Region"
    if not orders:
        return ()
    driver = _Driver(orders, ports, settings, stop, ledger_name)
    await driver.work()
    return driver.ended()


class _Driver:
    """One process's knowledge of a set of jobs."""

    def __init__(
        self,
        orders: Sequence[JobOrder],
        ports: DriverPorts,
        settings: Settings,
        stop: StopRequest,
        ledger_name: str,
    ) -> None:
        self._ports = ports
        self._stop = stop
        self._emit = ports.events.emit
        self._place = orders[0].request.place
        self._ledger_name = ledger_name
        self._limits = standings.limits_of(settings)
        self._failed_look_ups = 0
        self._look_up_due_s = 0.0
        data = ports.artifacts.read_document(ledger_name)
        kept = decoded(data, ledger_name) if data is not None else ()
        names = {order.name for order in orders}
        self._others = [record for record in kept if record.name not in names]
        now, now_s = ports.clock.now(), ports.clock.monotonic_s()
        self._standings: list[Standing] = [
            standings.standing_of(order, record, now=now, now_s=now_s)
            for order, record in zip(orders, records_of(orders, kept, ledger_name), strict=True)
        ]

    @property
    def _now_s(self) -> float:
        return self._ports.clock.monotonic_s()

    def ended(self) -> tuple[EndedJob, ...]:
        """Return every job, in the orders' order."""
        return tuple(_ended(standing) for standing in self._standings)

    async def work(self) -> None:
        """Take one step after the other until all jobs have ended."""
        self._tell_progress()
        while True:
            if self._stop.draining.is_set():
                raise self._interrupted()
            step = steps.next_step(
                self._standings,
                now_s=self._now_s,
                limits=self._limits,
                look_up_due_s=self._look_up_due_s,
            )
            match step:
                case steps.Done():
                    return
                case steps.LookUp():
                    await self._look_up()
                case steps.Create(index=index):
                    await self._create(index)
                case steps.Poll(index=index):
                    await self._poll(index)
                case steps.Pause(duration_s=duration_s):
                    await self._unless(self._stop.draining, self._ports.clock.sleep(duration_s))
                case steps.GiveUp(index=index):
                    raise self._hopeless(self._standings[index])
                case steps.WaitForPerson(indexes=indexes):
                    raise wording.waiting([self._standings[index] for index in indexes])

    async def _look_up(self) -> None:
        began_s = self._now_s
        try:
            found = await self._unless(self._stop.draining, self._search())
        except StoreFault as fault:
            self._look_up_failed(fault)
            return
        self._failed_look_ups = 0
        for one in found:
            before = self._standings[one.index]
            after = standings.created(before, one.job_id, due_s=self._now_s, status=one.status)
            self._keep(one.index, after)
            name = before.order.name
            self._emit(JobFound(order=name, job_id=one.job_id, found_by=one.found_by))
        for index, standing in enumerate(self._standings):
            if not standing.is_created:
                self._standings[index] = replace(standing, looked_up_s=began_s)

    async def _search(self) -> list[Found]:
        """List all jobs, then read the tags of those that nothing else can tell apart."""
        batch, search = self._ports.batch, Search(self._standings)
        async for summary in batch.list_jobs(self._place):
            search.take(summary)
        for job_id in search.candidates:
            try:
                tags = await batch.job_tags(self._place, job_id)
            except StoreFault as fault:
                if standings.is_gone(fault):
                    continue
                raise
            if (found := search.found_by_tags(job_id, tags)) is not None:
                return [*search.found, found]
        return search.found

    def _look_up_failed(self, fault: StoreFault) -> None:
        """Refuse to create what could not be found again; else look up once more after a pause."""
        error = self._ports.error_of(fault)
        if isinstance(error, MissingPermissionError):
            raise wording.unlistable(error) from fault
        self._failed_look_ups += 1
        if not self._may_pass(fault, self._failed_look_ups):
            raise error from fault
        pause_s = self._pause_s(self._failed_look_ups)
        self._look_up_due_s = self._now_s + pause_s
        self._tell_failed(fault, "", pause_s)

    async def _create(self, index: int) -> None:
        clock = self._ports.clock
        before = self._standings[index]
        intent = standings.about_to_send(before, now=clock.now(), now_s=self._now_s)
        self._keep(index, intent)
        try:
            # A first signal waits for the answer, so that the next run need not look for it.
            sending = self._ports.batch.create_job(before.order.request)
            job_id = await self._unless(self._stop.ending, sending)
        except StoreFault as fault:
            self._create_failed(index, fault)
            return
        except RefusedError:
            # The adapter cannot say it to S3 at all, so nothing was sent.
            self._keep(index, standings.sending_refused(intent))
            raise
        due_s = self._now_s + self._limits.poll_s
        self._keep(index, standings.created(intent, job_id, due_s=due_s))
        order = before.order
        operation = order.request.operation.value
        self._emit(
            JobCreated(order=order.name, job_id=job_id, operation=operation, rows=order.rows)
        )

    def _create_failed(self, index: int, fault: StoreFault) -> None:
        standing = self._standings[index]
        if not standings.may_have_created(fault):
            self._keep(index, standings.sending_refused(standing))
            raise self._ports.error_of(fault) from fault
        self._keep(index, standings.sending_in_doubt(standing, fault, now_s=self._now_s))
        self._tell_failed(fault, standing.order.name, self._limits.listing_lag_s)

    def _hopeless(self, standing: Standing) -> BackfillError:
        if standings.is_conflict(standing.fault):
            return wording.conflicting(standing)
        assert standing.fault is not None, "only what failed is sent again"
        return self._ports.error_of(standing.fault)

    async def _poll(self, index: int) -> None:
        before = self._standings[index]
        asking = self._ports.batch.describe_job(self._place, before.record.job_id)
        try:
            description = await self._unless(self._stop.draining, asking)
        except StoreFault as fault:
            self._poll_failed(index, fault)
            return
        after = standings.polled(
            before,
            description,
            now_s=self._now_s,
            draw=self._ports.random.random(),
            limits=self._limits,
        )
        self._keep(index, after)
        if after.record.status is not before.record.status or after.has_ended:
            self._emit(_change(after, description))
        self._tell_progress()

    def _poll_failed(self, index: int, fault: StoreFault) -> None:
        standing = self._standings[index]
        if standings.is_gone(fault):
            raise wording.vanished(standing) from fault
        failed = standing.failed_polls + 1
        if not self._may_pass(fault, failed):
            raise self._ports.error_of(fault) from fault
        pause_s = self._pause_s(failed)
        self._standings[index] = standings.poll_failed(standing, due_s=self._now_s + pause_s)
        self._tell_failed(fault, standing.order.name, pause_s)

    @staticmethod
    def _may_pass(fault: StoreFault, failed: int) -> bool:
        return fault.disposition is Disposition.RETRY and failed < FAILED_CALLS_MAX

    def _pause_s(self, failed: int) -> float:
        draw = self._ports.random.random()
        return standings.poll_pause_s(failed, draw=draw, poll_s=self._limits.poll_s)

    def _keep(self, index: int, standing: Standing) -> None:
        """Take a standing over; what is durable of it is on disk when this returns."""
        before, self._standings[index] = self._standings[index], standing
        if standing.record != before.record:
            records = [one.record for one in self._standings]
            data = encoded([*self._others, *records])
            self._ports.artifacts.write_document(self._ledger_name, data)

    async def _unless(self, signal: asyncio.Event, awaitable: Awaitable[T]) -> T:
        """Return what is awaited; if the signal comes first, cancel it and end the run."""
        work = asyncio.ensure_future(awaitable)
        told = asyncio.ensure_future(signal.wait())
        try:
            await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                told.result()
                raise self._interrupted()
            return work.result()
        finally:
            work.cancel()
            told.cancel()
            await asyncio.gather(work, told, return_exceptions=True)

    def _interrupted(self) -> BackfillError:
        stop = self._stop
        return wording.interrupted(stop.signal_name, stop.signal_number, self._standings)

    def _tell_failed(self, fault: StoreFault, order: str, pause_s: float) -> None:
        self._emit(
            JobCallFailed(operation=fault.operation, code=fault.code, order=order, pause_s=pause_s)
        )

    def _tell_progress(self) -> None:
        """Tell how many tasks of all orders have ended; a generated manifest may hold more."""
        done = total = 0
        for standing in self._standings:
            progress = standing.progress
            done += progress.done
            total += max(standing.order.rows, progress.total)
        self._ports.events.progress(ProgressCounts(stage="jobs", done=done, total=total))


def _ended(standing: Standing) -> EndedJob:
    record = standing.record
    assert record.ended is not None, "the driver is done when every job has ended"
    return EndedJob(order=standing.order, job_id=record.job_id, description=record.ended)


def _change(standing: Standing, description: JobDescription) -> JobChanged | JobWaits | JobEnded:
    """Return the event of a job's new status."""
    order, job_id, summary = standing.order.name, standing.record.job_id, description.summary
    if standing.is_suspended:
        return JobWaits(order=order, job_id=job_id, cause=description.suspended_cause)
    if not standing.has_ended:
        return JobChanged(order=order, job_id=job_id, status=summary.status.value)
    return JobEnded(
        order=order,
        job_id=job_id,
        status=summary.status.value,
        succeeded=summary.progress.succeeded,
        failed=summary.progress.failed,
        reasons=description.failure_words,
    )
