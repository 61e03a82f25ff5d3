"""The program under test, as one life of it goes: `backfill.pipeline` on ports that a seed drives.

What it does is the product's; ports, clock and copy processes are this world's.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import cast

from backfill import pipeline
from backfill.aws.faults import error_of
from backfill.aws.retry import ReadRetries, RetryingControlPlane, RetryingStore
from backfill.campaign import Campaign
from backfill.cli.copier import Told, job_of, serve
from backfill.compose import Clients, Machine, journal
from backfill.copiers import CopierTask
from backfill.events.copying import UploadResumed
from backfill.execute.bench import ExecutePorts
from backfill.execute.run import carry_out_shard
from backfill.execute.stop import StopRequest
from backfill.model.pauses import Pauses, RetryBudget
from backfill.ports import ArtifactStore, Event, Events, ProgressCounts
from tests.doubles.history import Committed, Counted
from tests.doubles.model_control_plane import ModelControlPlane
from tests.doubles.model_store import ModelStore
from tests.doubles.no_batch import NO_BATCH_BUCKET, NO_BATCH_OPERATIONS
from tests.doubles.simulated_copiers import Child, Nursery, Pipe
from tests.doubles.simulated_s3 import Process, SimulatedS3, Wire
from tests.simulation.disk import Disk
from tests.simulation.runs import Run
from tests.simulation.scenario import OWNER, RECEIVER

Work = Callable[[Process, StopRequest], Coroutine[object, object, None]]
"""What one life of the program is there for."""


class Talk:
    """The port Events: counts go into the history as they are told."""

    def __init__(self, process: Process, s3: SimulatedS3, resumed: list[UploadResumed]) -> None:
        self._process = process
        self._s3 = s3
        self._resumed = resumed

    def emit(self, event: Event) -> None:
        assert event.name, "an event has a name"
        if isinstance(event, UploadResumed):
            self._resumed.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        if counts.stage == "execute" and not self._process.is_dead:
            self._s3.history.events.append(
                Counted(
                    at_s=self._s3.clock.monotonic_s(), actor=self._process.name, done=counts.done
                )
            )


class Program(Disk):
    """What each process of a run does, and through what."""

    def __init__(self, run: Run, root: Path) -> None:
        super().__init__(run, root)
        self._nursery = Nursery(Process("nobody"), self._serve)

    async def _work(self, process: Process, stop: StopRequest) -> None:
        """What `backfill run` does, up to verify."""
        run = await self._begin(process)
        await pipeline.refuse_unsafe(run)
        await pipeline.take_inventories(run)
        await pipeline.plan(run)
        await self._execute(run, stop)

    async def _execute(self, run: pipeline.Run, stop: StopRequest) -> None:
        await pipeline.execute(run, stop)

    async def _repair(self, process: Process, stop: StopRequest) -> None:
        """What `backfill repair` does, up to verify."""
        run = await self._begin(process)
        await pipeline.refuse_unsafe(run)
        if not pipeline.has_open_manifest(run):
            await pipeline.plan_repair(run)
        begun = Committed(
            at_s=self._run.s3.clock.monotonic_s(), actor=process.name, name=self._newest()
        )
        self._run.history.events.append(begun)
        await self._execute(run, stop)

    async def _verify(self, process: Process, _stop: StopRequest) -> None:
        await pipeline.verify(await self._begin(process))

    def copier_started(
        self, task: CopierTask, lock: int
    ) -> AbstractAsyncContextManager[tuple[asyncio.StreamReader, Pipe, Child]]:
        """Start a copy process of the life that is being lived."""
        return self._nursery.started(task, lock)

    async def _serve(self, reader: asyncio.StreamReader, words: Pipe, process: Process) -> int:
        """Do as `backfill.cli.copier`, with the ports of a simulated process."""

        async def carry_out(task: CopierTask, told: Told, stop: StopRequest) -> None:
            both, here = self._clients(task.campaign, process, told), self._machine(process)
            async with journal(here, task.manifest, shard=task.shard.number) as opened:
                ports = ExecutePorts(
                    source=both.source,
                    destination=both.destination,
                    control=both.destination_control,
                    journal=opened,
                    artifacts=here.artifacts,
                    events=told,
                    clock=here.clock,
                    random=here.random,
                    error_of=error_of,
                    budget=both.budget,
                    keep=here.keep_documents,
                )
                job = job_of(task, here)
                await carry_out_shard(job, task.shard, ports, stop, has_jobs=task.has_jobs)

        return await serve(reader, cast("asyncio.StreamWriter", words), carry_out)

    def _machine(self, process: Process) -> Machine:
        return Machine(
            root=self._root,
            artifacts=self._artifacts(process),
            clock=self._run.s3.clock,
            random=self._random,
            lock=0,
        )

    async def _begin(self, process: Process) -> pipeline.Run:
        campaign = self._run.scenario.campaign
        talk = Talk(process, self._run.s3, self._run.resumed)
        clients = self._clients(campaign, process, talk)
        return await pipeline.begin(campaign, self._machine(process), clients, talk)

    def _artifacts(self, process: Process) -> ArtifactStore:
        assert not process.is_dead, "the dead write nothing"
        return self._run.artifacts

    def _clients(self, campaign: Campaign, process: Process, talk: Events) -> Clients:
        settings, s3 = campaign.settings, self._run.s3
        pauses = Pauses(base_s=settings.retry_base_s, cap_s=settings.retry_cap_s)
        budget = RetryBudget(ratio=settings.retry_budget_ratio, floor=settings.retry_budget_floor)
        retries = ReadRetries(
            attempts_max=settings.control_attempts_max,
            pauses=pauses,
            budget=budget,
            clock=s3.clock,
            random=self._random,
            events=talk,
        )
        document = self._run.scenario.document
        wires = [
            Wire(
                s3=s3,
                nemesis=self._run.nemesis,
                process=process,
                caller=caller,
                random=self._random,
            )
            for caller in (OWNER, RECEIVER)
        ]
        source, destination = (RetryingStore(ModelStore(wire), retries) for wire in wires)
        source_control, destination_control = (
            RetryingControlPlane(ModelControlPlane(wire, document), retries) for wire in wires
        )
        return Clients(
            source=source,
            destination=destination,
            source_control=source_control,
            destination_control=destination_control,
            source_batch=NO_BATCH_OPERATIONS,
            destination_batch=NO_BATCH_OPERATIONS,
            source_batch_bucket=NO_BATCH_BUCKET,
            destination_batch_bucket=NO_BATCH_BUCKET,
            pauses=pauses,
            budget=budget,
        )
