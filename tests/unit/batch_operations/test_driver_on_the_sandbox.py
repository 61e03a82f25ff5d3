"""The driver against the sandbox's own engine: real manifests, real tasks, and a death anywhere."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from random import Random

import pytest

from backfill.batch_operations.driver import carry_out_jobs
from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.batch_operations.tokens import (
    client_request_token,
    job_description,
    job_tags,
    manifest_text,
)
from backfill.errors import JobWaitsError, RefusedError
from backfill.execute.stop import StopRequest
from backfill.model.jobs import JobPlace, JobStatus, ManifestLocation
from backfill.model.objects import ETag
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from backfill.settings import Settings
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_batch import ModelBatch
from tests.doubles.sandbox_jobs import SandboxJobs
from tests.doubles.virtual_clock import VirtualClock
from tests.unit.batch_operations.ordering import order
from tests.unit.batch_operations.test_driver_under_faults import driver_ports
from tests.unit.sandbox.batch_operations.works import BATCH, OWN, ROLE, SOURCE, Works
from tests.unit.sandbox.model.replicating import rule

LEDGER = "jobs/00.json"
SETTINGS = Settings(active_jobs_max=2, job_poll_s=30.0)


class Stage:
    """The sandbox with a rule, a run directory and a clock; processes come and go."""

    def __init__(self, seed: int = 0, *, orders: int = 3, needs_confirmation: bool = False) -> None:
        self.random = Random(f"stage {seed}")
        self.clock = VirtualClock()
        self.works = Works()
        self.works.set(status_s=20.0, step_s=15.0, tasks_per_step=1)
        versions = [(f"k{number}", self.works.put(f"k{number}")) for number in range(2 * orders)]
        self.works.configure(rule())
        self.orders = [
            self.order(shard, versions[2 * shard : 2 * shard + 2], needs_confirmation)
            for shard in range(orders)
        ]
        self.artifacts = MemoryArtifacts()
        self.rate = 0.0

    def order(
        self, shard: int, versions: list[tuple[str, str]], needs_confirmation: bool
    ) -> JobOrder:
        like = order(shard, needs_confirmation=needs_confirmation)
        rows = "".join(f"{SOURCE},{key},{version_id}\n" for key, version_id in versions)
        key = f"manifest-{shard}.csv"
        etag = ETag(self.works.upload(rows.encode(), key).strip('"'))
        assert isinstance(like.request.manifest, ManifestLocation)
        manifest = replace(like.request.manifest, bucket=BATCH, key=key, etag=etag)
        token = client_request_token(
            plan_digest="plan", shard=str(shard), attempt=1, manifest=manifest_text(manifest)
        )
        request = replace(
            like.request,
            place=JobPlace(account_id=OWN, region="us-east-1"),
            manifest=manifest,
            report=replace(like.request.report, bucket=BATCH, expected_owner=OWN),
            role_arn=ROLE,
            token=token,
            description=job_description(token, like.name),
            tags=job_tags(token, "RUN"),
        )
        return JobOrder(name=like.name, request=request, rows=len(versions))

    def show_time(self) -> datetime:
        self.works.now = self.clock.now()
        return self.works.now

    async def process(self) -> tuple[EndedJob, ...]:
        jobs = SandboxJobs(engine=self.works.jobs, caller=self.works.own, show_time=self.show_time)
        batch = ModelBatch(jobs, self.random, rate=self.rate, arrives_late_s=15.0)
        ports = driver_ports(batch, self.artifacts, self.clock, self.random)
        return await carry_out_jobs(self.orders, ports, SETTINGS, StopRequest(), ledger_name=LEDGER)

    def check(self, ended: tuple[EndedJob, ...]) -> None:
        made = self.works.jobs.jobs()
        tokens = [job.token for job in made]
        assert sorted(tokens) == sorted(one.request.token for one in self.orders)
        assert {one.job_id for one in ended} == {job.job_id for job in made}
        for one in ended:
            progress = one.description.summary.progress
            assert one.description.summary.status is JobStatus.COMPLETE
            assert (progress.total, progress.succeeded, progress.failed) == (2, 2, 0)


@pytest.fixture
def loop() -> Iterator[VirtualTimeLoop]:
    loop = VirtualTimeLoop()
    yield loop
    assert not loop.unhandled
    loop.close()


def test_jobs_of_the_sandbox_are_created_watched_and_ended(loop: VirtualTimeLoop) -> None:
    """If this fails, the driver and the sandbox do not mean the same by a job."""
    stage = Stage()
    stage.check(loop.run_until_complete(stage.process()))
    before = [job.job_id for job in stage.works.jobs.jobs()]
    loop.run_until_complete(stage.process())
    assert [job.job_id for job in stage.works.jobs.jobs()] == before


def test_a_job_of_the_sandbox_waits_for_a_person(loop: VirtualTimeLoop) -> None:
    """If this fails, --confirm runs jobs that nobody confirmed, or never ends with code 13."""
    stage = Stage(needs_confirmation=True)
    with pytest.raises(JobWaitsError, match="3 jobs are Suspended"):
        loop.run_until_complete(stage.process())
    for job in stage.works.jobs.jobs():
        assert not job.results
        stage.works.confirm(job.job_id)
    stage.check(loop.run_until_complete(stage.process()))


def test_the_reason_why_a_job_failed_is_kept(loop: VirtualTimeLoop) -> None:
    """If this fails, a person learns that a job failed, and not why."""
    stage = Stage(orders=1)
    stage.works.upload(b"another manifest", "manifest-0.csv")
    (ended,) = loop.run_until_complete(stage.process())
    assert ended.description.summary.status is JobStatus.FAILED
    assert "ETag" in ended.description.failures[0].reason


@pytest.mark.parametrize("seed", range(40))
def test_deaths_and_lost_answers_leave_one_job_an_order(seed: int, loop: VirtualTimeLoop) -> None:
    """If this fails, jobs and ledger disagree after a crash, with an S3 that behaves like S3."""
    stage = Stage(seed)
    stage.rate = stage.random.choice((0.0, 0.15))
    for _ in range(3):
        task = loop.create_task(stage.process())
        moment = int(stage.random.triangular(1, 150, 15))
        loop.after_steps(moment, partial(_cancel, task))
        loop.run_until_complete(_settled(task))
    stage.rate = 0.0
    stage.check(loop.run_until_complete(stage.process()))


def _cancel(task: asyncio.Task[tuple[EndedJob, ...]]) -> None:
    task.cancel()


async def _settled(task: asyncio.Task[tuple[EndedJob, ...]]) -> None:
    """Wait for a life to end; a person starts again what faults or a death ended."""
    await asyncio.wait({task})
    if not task.cancelled() and task.exception() is not None:
        assert isinstance(task.exception(), RefusedError)
