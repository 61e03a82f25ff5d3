"""One simulated run by Batch Replication jobs, and the person who starts it again.

As `simulate`, with S3 Control and a batch bucket, faults planted in jobs, and a process that may
also die at an artefact, before or after it became durable. A run that stops by design (a job waits
or failed, a report does not add up, one cause fails almost everything) is mended and begun again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import cast

from backfill import pipeline
from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.batch_operations import S3BatchOperations
from backfill.aws.calls import Calls
from backfill.aws.retry import ReadRetries
from backfill.campaign import Campaign
from backfill.compose import Clients
from backfill.execute.stop import StopRequest
from backfill.journal.journal import SegmentJournal
from backfill.manifest.run import manifest_name
from backfill.model.rows import Row, Scalar
from backfill.ports import (
    ArtifactIndex,
    ArtifactStore,
    DocumentWriter,
    Events,
    RowWriter,
    StretchedWriter,
)
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.jobs import JobStatus, UpdateJobStatusRequest
from backfill.sandbox.model.roles import BATCH_OPERATIONS
from backfill.sandbox.simulation.nemesis import Nemesis
from tests.doubles.history import Committed, Reopened
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.simulated_calls import JobsWorld, SimulatedCalls
from tests.doubles.simulated_s3 import Process, SimulatedS3, Wire
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.batch_scenario import (
    JOB_ROLE,
    BatchScenario,
    batch_scenario_of,
    new_batch_model,
    planted,
)
from tests.simulation.disk import DiskDiedError
from tests.simulation.program import Work
from tests.simulation.runs import Run
from tests.simulation.scenario import OWNER, SOURCE
from tests.simulation.simulate import PROCESSES_MAX, Simulation, carried_out

DISK_SHARE = 30
"""An interruption's moment, in rounds of the loop, over this is its artefact."""
JOBS_SHARE = 3
"""An interruption's moment modulo this: how many jobs are made before it."""


def simulate_batch(seed: int, scenario: BatchScenario | None = None) -> Run:
    """Run a seed to its end and return what happened."""
    chosen = scenario or batch_scenario_of(seed)
    clock = VirtualClock()
    s3 = SimulatedS3(new_batch_model(chosen, clock), clock, Random(f"s3 {seed}"))
    s3.begin(SOURCE, *chosen.destinations)
    run = Run(
        scenario=chosen,
        s3=s3,
        artifacts=MemoryArtifacts(),
        nemesis=Nemesis(Random(f"nemesis {seed}"), chosen.level, chosen.strikes),
    )
    return carried_out(run, BatchSimulation)


class BatchSimulation(Simulation):
    """The story of one run by jobs."""

    async def carry_out(self) -> None:
        """Plant what the seed says, then write, run, resume, come to rest, verify."""
        scenario, model = self._scenario, self._run.s3.model
        self._is_mended = False
        self._dies_at: tuple[int, str] | None = None
        self._world = JobsWorld(
            s3=self._run.s3,
            token_memory_s=scenario.token_memory_s,
            listing_lag_s=scenario.listing_lag_s,
            report_lag_s=scenario.report_lag_s,
            page_max=3,
        )
        model.batch_operations.fault_hook = planted(scenario, is_mended=lambda: self._is_mended)
        if not scenario.is_role_trusted:
            model.world.roles.put(JOB_ROLE, ())
        await super().carry_out()

    @property
    def _scenario(self) -> BatchScenario:
        scenario = self._run.scenario
        assert isinstance(scenario, BatchScenario), "a run by jobs"
        return scenario

    async def _execute(self, run: pipeline.Run, stop: StopRequest) -> None:
        await pipeline.deliver(run, stop)

    async def _until_finished(self, work: Work) -> bool:
        """Begin again after every end, as a person does who has read why."""
        for _ in range(PROCESSES_MAX):
            ending = await self._live(work)
            self._run.endings.append(ending)
            if ending == "finished":
                return True
            if ending == "endless":
                return False
            self._help(ending)
            await self._run.s3.clock.sleep(self._random.choice((0.0, 0.5, 5.0, 40.0)))
        return False

    def _help(self, ending: str) -> None:
        """Do what the run asked for: confirm its jobs, or mend what it named."""
        model = self._run.s3.model
        if ending.startswith("error"):
            self._is_mended = True
            model.world.roles.put(JOB_ROLE, (BATCH_OPERATIONS,))
        if ending == "waits":
            waiting = [j for j in model.batch_operations.jobs() if j.status is JobStatus.SUSPENDED]
            for job in waiting:
                confirmation = UpdateJobStatusRequest(
                    account_id=OWNER.account_id, job_id=job.job_id, requested_job_status="Ready"
                )
                try:
                    model.batch_operations.update_job_status(OWNER, confirmation)
                except S3Error:
                    continue  # it has just expired
            self._run.s3.expect_jobs()

    # --- where a process dies ---

    def _interrupt(self, process: Process, stop: StopRequest, kind: str, when: int) -> None:
        self._dies_at = (when // DISK_SHARE + 1, kind) if kind in ("lost", "kept") else None
        if kind == "job":
            # Right after S3 made it: nobody has been told of the job.
            self._world.on_created = _countdown(when % JOBS_SHARE, process.die)
        super()._interrupt(process, stop, kind, when)

    def _artifacts(self, process: Process) -> ArtifactStore:
        dies_at, self._dies_at = self._dies_at, None
        return ProcessArtifacts(self._run.artifacts, process, self._run.s3, dies_at)

    async def _reopen(self, actor: str, ending: str) -> None:
        """Count what the journals of all rounds hold."""
        held = 0
        for number in range(10):
            name = manifest_name(number)
            index = self._run.artifacts.index(name)
            folder = self._root / "journal" / name.replace("/", "-")
            if index is not None and folder.exists():
                journal = SegmentJournal.open(folder, manifest_digest=index.digest)
                held += sum(1 for _ in journal.outcomes())
                await journal.close()
        at_s = self._run.s3.clock.monotonic_s()
        self._run.history.events.append(
            Reopened(at_s=at_s, actor=actor, outcomes=held, ending=ending)
        )

    # --- the ports ---

    def _clients(self, campaign: Campaign, process: Process, talk: Events) -> Clients:
        plain = super()._clients(campaign, process, talk)
        retries = ReadRetries(
            attempts_max=campaign.settings.control_attempts_max,
            pauses=plain.pauses,
            budget=plain.budget,
            clock=self._run.s3.clock,
            random=self._random,
            events=talk,
        )
        wire = Wire(
            s3=self._run.s3,
            nemesis=self._run.nemesis,
            process=process,
            caller=OWNER,
            random=self._random,
        )
        calls = cast("Calls", SimulatedCalls(wire, self._world))
        return replace(
            plain,
            source_batch=S3BatchOperations(calls, retries),
            source_batch_bucket=S3BatchBucket(calls, retries),
        )


def _countdown(calls: int, act: Callable[[], object]) -> Callable[[], None]:
    """Return what acts at its call after so many, and at no other."""
    left = [True, *([False] * calls)]

    def count() -> None:
        if left and left.pop():
            act()

    return count


@dataclass(slots=True)
class ProcessArtifacts:
    """The run directory as one process writes it; it may die at its n-th artefact or document."""

    store: MemoryArtifacts
    process: Process
    s3: SimulatedS3
    dies_at: tuple[int, str] | None
    writes: int = 0

    def index(self, name: str) -> ArtifactIndex | None:
        return self.store.index(name)

    def rows(self, name: str, *, start: int = 0) -> Iterator[list[Scalar]]:
        return self.store.rows(name, start=start)

    def row_blocks(self, name: str, *, start: int = 0) -> Iterator[list[list[Scalar]]]:
        return self.store.row_blocks(name, start=start)

    def read_document(self, name: str) -> bytes | None:
        return self.store.read_document(name)

    def write_document(self, name: str, data: bytes) -> None:
        self.written(name, lambda: self.store.write_document(name, data))

    def document_writer(self, name: str) -> AbstractContextManager[DocumentWriter]:
        return self.store.document_writer(name)

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator[RowWriter]:
        with self.store.writer(name, columns=columns, inputs=inputs) as writer:
            yield _Writer(self, name, writer)

    @contextmanager
    def stretched_writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator[StretchedWriter]:
        with self.store.stretched_writer(name, columns=columns, inputs=inputs) as writer:
            yield _Stretches(self, name, writer)

    def written(self, name: str, write: Callable[[], object]) -> None:
        """Make something durable, unless this is where the process dies."""
        if self.process.is_dead:
            raise DiskDiedError
        self.writes += 1
        number, kind = self.dies_at or (0, "")
        is_end = self.writes == number
        if not is_end or kind == "kept":
            write()
            at_s = self.s3.clock.monotonic_s()
            self.s3.history.events.append(Committed(at_s=at_s, actor=self.process.name, name=name))
        if is_end:
            self.process.die()
            raise DiskDiedError


@dataclass(slots=True)
class _Writer:
    """A RowWriter that knows who commits."""

    artifacts: ProcessArtifacts
    name: str
    inner: RowWriter

    def write(self, row: Row) -> None:
        self.inner.write(row)

    def write_rows(self, rows: Sequence[Row]) -> None:
        self.inner.write_rows(rows)

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        self.artifacts.written(self.name, lambda: self.inner.commit(summary))
        index = self.artifacts.index(self.name)
        assert index is not None, "what was committed stands"
        return index


@dataclass(slots=True)
class _Stretches:
    """A StretchedWriter that knows who seals and commits."""

    artifacts: ProcessArtifacts
    name: str
    inner: StretchedWriter

    def sealed(self) -> Mapping[int, Row]:
        return self.inner.sealed()

    def begin(self) -> int:
        return self.inner.begin()

    def write(self, stretch: int, rows: Sequence[Row]) -> bool:
        return self.inner.write(stretch, rows)

    def seal(self, stretch: int, note: Row) -> None:
        if self.artifacts.process.is_dead:
            raise DiskDiedError
        self.inner.seal(stretch, note)

    def discard(self) -> None:
        self.inner.discard()

    def commit(self, order: Sequence[int], summary: Mapping[str, object]) -> ArtifactIndex:
        self.artifacts.written(self.name, lambda: self.inner.commit(order, summary))
        index = self.artifacts.index(self.name)
        assert index is not None, "what was committed stands"
        return index
