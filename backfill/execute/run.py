"""Execute: carry out one manifest, by Batch Replication jobs and copy workers, resumable.

The rows of Batch Replication and those of copy workers never share a key, so both work at once:
jobs may take hours, and copies need not wait for them.
Never runs beside another process on the same run directory: the directory's lock sees to that.
Law: the outcomes artefact exists only when every row of the manifest has its outcome.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, takewhile

from backfill.campaign import RestoreOptions
from backfill.errors import InterruptedRunError, StoreFault, VersioningError
from backfill.events.copying import Draining
from backfill.execute.batch_replication.arrivals import Arrivals
from backfill.execute.batch_replication.attempts import Attempts
from backfill.execute.batch_replication.work import (
    BREATH_ROWS,
    BatchPorts,
    BatchWork,
    replication_name,
)
from backfill.execute.bench import ExecutePorts
from backfill.execute.crew import CopyJob, Crew
from backfill.execute.outcome_rows import outcomes_of
from backfill.execute.outcomes import write_outcomes
from backfill.execute.restoring.engine import RestoreWork
from backfill.execute.restoring.keys import Entries, rows_apart
from backfill.execute.shards import Shard
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import ArtifactIndex
from backfill.settings import Settings

LEAVING_S = 10.0
"""Beyond their drain time, how long copy processes may take to be seen off, by force if need be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteJob:
    """One manifest to carry out. `entries` gives its rows in order, anew at every call.

    `large_entries` gives those of the keys that have an object to copy in parts, anew as well;
    None: there are none, or nobody noted them.
    `outcomes_name` is what is made. `allows_hiding`: the campaign allows hiding; rules that
    replicate delete markers imply it for their keys. `leaves_newer_out`: the campaign names a
    horizon of its own.
    """

    header: PlanHeader
    manifest: ArtifactIndex
    entries: Callable[[], Iterable[ManifestEntry]]
    large_entries: Callable[[], Iterable[ManifestEntry]] | None = None
    outcomes_name: str
    allows_hiding: bool
    settings: Settings
    leaves_newer_out: bool = False
    restore: RestoreOptions | None = None
    """What the shard (`shard`) may have restored; None: archived versions are as others."""
    shard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Copy processes beside this one, for the rows from `own_rows` on; the first are our own.

    `carry_out` has them work until all is done or the request to stop drained them, and raises what
    a process ended with; `outcomes` then streams theirs in entry order.
    """

    own_rows: int
    carry_out: Callable[[StopRequest], Awaitable[None]]
    outcomes: Callable[[], Iterator[Outcome]]


BatchSide = tuple[BatchWork, BatchPorts]
"""What rows of Batch Replication are worked on with; `execute` fills in which rows they are."""


async def execute(
    job: ExecuteJob,
    ports: ExecutePorts,
    stop: StopRequest,
    batch: BatchSide | None = None,
    fleet: Fleet | None = None,
) -> ArtifactIndex:
    """Carry out a manifest and return the index of its outcomes artefact.

    Raises:
        VersioningError: a destination's versioning is not Enabled.
        FailureRateError: almost everything failed.
        JobWaitsError, RefusedError, ReportRefusedError: see `batch_replication.attempts`.
        InterruptedRunError: `stop` was requested; the same call resumes.
        BugError: an entry met what must not be; it stays open, and all others were worked on.
        BackfillError: a fault that no entry survives, or a disk that refuses.
    """
    await _require_versioning(job, ports)
    replicated_rows = await _batch_row_count(job.entries()) if batch else 0
    copying = partial(_copied, job, ports, stop, fleet, replicated_rows=replicated_rows)
    if batch is None or not replicated_rows:
        return _concluded(job, ports, await copying())
    work = replace(batch[0], entries=lambda: _batch_rows(job.entries()), rows=replicated_rows)
    replicating = asyncio.create_task(_replicated(work, batch[1], stop))
    try:
        copied = await copying()
        replicated = await replicating
    except InterruptedRunError as interrupted:
        # The signal came to both; only who leads the jobs can say that they go on.
        raise _told_by(replicating) or interrupted from None
    finally:
        replicating.cancel()
        await asyncio.wait({replicating})
        if not replicating.cancelled():
            replicating.exception()  # looked at: the other engine's error may be the one to tell
    merged = heapq.merge(replicated, copied, key=lambda outcome: outcome.number)
    return _concluded(job, ports, merged)


async def carry_out_shard(
    job: ExecuteJob, shard: Shard, ports: ExecutePorts, stop: StopRequest, *, has_jobs: bool
) -> None:
    """Carry out the rows of one shard, which `job.entries` gives, into the ports' own journal.

    Raises: as `execute`.
    """
    await _require_versioning(job, ports)
    rows = shard.end - shard.first
    if has_jobs:
        rows -= await _batch_row_count(job.entries())
    await _work(_crew(job, job.entries, rows, ports, has_jobs=has_jobs), stop, ports, job)


async def _copied(
    job: ExecuteJob,
    ports: ExecutePorts,
    stop: StopRequest,
    fleet: Fleet | None,
    *,
    replicated_rows: int,
) -> Iterator[Outcome]:
    """Carry out what copy workers carry out, beside other processes, and stream the outcomes."""
    has_jobs = replicated_rows > 0
    if fleet is None:
        rows = job.manifest.rows - replicated_rows
        await _work(_crew(job, job.entries, rows, ports, has_jobs=has_jobs), stop, ports, job)
        return ports.journal.outcomes()
    rows = fleet.own_rows
    if has_jobs:
        rows -= await _batch_row_count(islice(job.entries(), rows))
    entries = partial(_first, job.entries, fleet.own_rows)
    if (large := job.large_entries) is not None:
        job = replace(job, large_entries=lambda: _first_rows(large(), fleet.own_rows))
    crew = _crew(job, entries, rows, ports, has_jobs=has_jobs)
    await _beside(fleet, crew, stop, ports, job)
    return chain(ports.journal.outcomes(), fleet.outcomes())


async def _beside(
    fleet: Fleet, crew: Crew, stop: StopRequest, ports: ExecutePorts, job: ExecuteJob
) -> None:
    """Work beside other processes: an error on one side drains the other, and is raised."""
    others = asyncio.ensure_future(fleet.carry_out(stop))
    own = asyncio.create_task(_work(crew, stop, ports, job))
    try:
        await asyncio.wait({others, own}, return_when=asyncio.FIRST_EXCEPTION)
        crew.bench.halt.set()
        if not stop.draining.is_set():
            others.cancel()
        await asyncio.wait({others, own}, timeout=2 * job.settings.drain_timeout_s + LEAVING_S)
    finally:
        for task in (others, own):
            task.cancel()
        await asyncio.wait({others, own})
    for task in (own, others):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    assert crew.is_complete, "who ends without an error has carried out all rows"


def _crew(
    job: ExecuteJob,
    entries: Entries,
    rows: int,
    ports: ExecutePorts,
    *,
    has_jobs: bool,
) -> Crew:
    """Return the copy workers of some entries, of which `rows` are theirs."""
    large, take, restoring = job.large_entries, entries, None
    if job.restore is not None:
        restoring = RestoreWork(
            entries=entries, manifest=job.manifest.name, shard=job.shard, options=job.restore
        )
        take = partial(rows_apart, entries, archived=False)
        large = large and partial(rows_apart, large, archived=False)
    copies = CopyJob(
        header=job.header,
        # Where all rows are a job's, no copy worker need pass them.
        entries=take() if rows else (),
        large=large() if rows and large is not None else None,
        restoring=restoring if rows else None,
        rows=rows,
        has_jobs=has_jobs,
        allows_hiding=job.allows_hiding,
        settings=job.settings,
        leaves_newer_out=job.leaves_newer_out,
    )
    return Crew(copies, ports)


def _first(entries: Entries, rows: int) -> Iterator[ManifestEntry]:
    return islice(entries(), rows)


def _first_rows(entries: Iterable[ManifestEntry], end: int) -> Iterator[ManifestEntry]:
    return takewhile(lambda entry: entry.number < end, entries)


def _concluded(job: ExecuteJob, ports: ExecutePorts, outcomes: Iterator[Outcome]) -> ArtifactIndex:
    return write_outcomes(ports.artifacts, job.outcomes_name, outcomes, job.manifest)


async def _batch_row_count(entries: Iterable[ManifestEntry]) -> int:
    """Count the rows that go by Batch Replication."""
    rows = 0
    for passed, entry in enumerate(entries):
        if passed % BREATH_ROWS == 0:
            await asyncio.sleep(0)
        rows += entry.route is Route.BATCH_REPLICATION
    return rows


def _told_by(replicating: "asyncio.Task[Iterator[Outcome]]") -> InterruptedRunError | None:
    has_ended = replicating.done() and not replicating.cancelled()
    error = replicating.exception() if has_ended else None
    return error if isinstance(error, InterruptedRunError) else None


def _batch_rows(entries: Iterable[ManifestEntry]) -> Iterator[ManifestEntry]:
    return (entry for entry in entries if entry.route is Route.BATCH_REPLICATION)


async def _replicated(work: BatchWork, ports: BatchPorts, stop: StopRequest) -> Iterator[Outcome]:
    """Carry out the rows of Batch Replication, and stream their outcomes."""
    name = replication_name(work.round)
    if ports.artifacts.index(name) is None:
        attempts = Attempts(work, ports)
        made = await attempts.carry_out(stop)
        await Arrivals(work, ports, attempts=made, results=attempts.results).settle(stop)
    return outcomes_of(ports.artifacts.rows(name))


async def _require_versioning(job: ExecuteJob, ports: ExecutePorts) -> None:
    """An overwrite in a bucket without versioning would lose what was there, for good."""
    for place in job.header.destinations:
        try:
            versioning = await ports.control.versioning(place)
        except StoreFault as fault:
            raise ports.error_of(fault) from fault
        if versioning != "Enabled":
            raise VersioningError(
                f"versioning of destination bucket {place.bucket} is "
                f"{versioning or 'not set'}, so a write could lose what is there",
                hint=f"aws s3api put-bucket-versioning --bucket {place.bucket} "
                "--versioning-configuration Status=Enabled",
            )


async def _work(crew: Crew, stop: StopRequest, ports: ExecutePorts, job: ExecuteJob) -> None:
    """Run the crew until it is done, drained or told to end."""
    work = asyncio.create_task(crew.work())
    draining = asyncio.create_task(stop.draining.wait())
    ending = asyncio.create_task(stop.ending.wait())
    try:
        await asyncio.wait({work, draining}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            ports.events.emit(Draining(signal=stop.signal_name, in_flight=crew.in_flight))
            crew.bench.halt.set()
            await asyncio.wait(
                {work, ending},
                timeout=job.settings.drain_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
    finally:
        for task in (work, draining, ending):
            task.cancel()
        await asyncio.wait({work, draining, ending})
    is_stopped = stop.draining.is_set() and not crew.is_complete
    if work.cancelled() or (work.exception() is None and is_stopped):
        raise stop.error()
    work.result()
