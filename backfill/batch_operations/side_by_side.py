"""Jobs of several accounts or Regions, carried out at the same time.

Never decides what jobs are about.
Law: a place that waits for a person does not end the others: all their jobs are there to confirm.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from backfill.batch_operations.driver import carry_out_jobs
from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.batch_operations.workplace import Workplace
from backfill.errors import JobWaitsError
from backfill.execute.stop import StopRequest

Draining = Callable[[], AbstractContextManager[StopRequest]]
"""Entered while jobs are at work: a first signal then ends the run with word of its jobs, which go
on in S3, instead of cutting it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The orders of one place, and the document that remembers them: no other shift has it."""

    at: Workplace
    orders: Sequence[JobOrder]
    ledger_name: str


async def carry_out_side_by_side(
    shifts: Sequence[Shift], draining: Draining
) -> list[tuple[EndedJob, ...]]:
    """Carry out the orders of all shifts; return the ended jobs of each.

    Raises:
        JobWaitsError: Nothing is left anywhere but jobs that a person must confirm.
        BackfillError: As `carry_out_jobs`; the first of a shift cuts the others off.
    """
    assert len({shift.ledger_name for shift in shifts}) == len(shifts), "a ledger has one writer"
    waits: list[JobWaitsError] = []
    with draining() as stop:

        async def carried_out(shift: Shift) -> tuple[EndedJob, ...]:
            at = shift.at
            try:
                return await carry_out_jobs(
                    shift.orders, at.driver, at.settings, stop, ledger_name=shift.ledger_name
                )
            except JobWaitsError as error:
                waits.append(error)
                return ()

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(carried_out(shift)) for shift in shifts]
        except BaseExceptionGroup as failures:
            # The first failure cancelled the others, so it is the one to tell.
            raise failures.exceptions[0] from None
    if waits:
        raise _waiting(waits)
    return [task.result() for task in tasks]


def _waiting(waits: Sequence[JobWaitsError]) -> JobWaitsError:
    if len(waits) == 1:
        return waits[0]
    return JobWaitsError(
        "; ".join(one.message for one in waits),
        hint="`backfill jobs confirm --all`, then the same command again; S3 fails a job that"
        " stays Suspended for 30 days",
    )
