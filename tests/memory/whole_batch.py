"""One round of Batch Replication, or a plan of it, in this process over buckets held nowhere.

    python -m tests.memory.whole_batch prepare|execute|plan FOLDER VERSIONS OF_EACH_KEY [small]

`prepare` writes what the two others begin with: a manifest, and the inventories of both sides.
`execute` is the product's own from the manifest's artefact to that of the outcomes; each job's
tasks are carried out by another process (`computed_tasks`). Prints one JSON document of phases:
CPU and wall seconds without those of the doubles, and the peak of resident memory in each. With
`small`, what is held of a report for a while is little beside what a leak would hold for good.
Law: every outcome is looked at, and must be what its version's number says.
"""

import asyncio
import json
import os
import sys
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast
from unittest.mock import patch

from backfill.aws.faults import error_of
from backfill.batch_operations import collecting, sorting
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.sorting import RowSorter
from backfill.campaign import BatchOptions, Scope
from backfill.compose import journal, machine
from backfill.execute.batch_replication.work import BatchPorts, BatchWork
from backfill.execute.bench import ExecutePorts
from backfill.execute.outcome_rows import outcomes_of
from backfill.execute.run import ExecuteJob, execute
from backfill.execute.stop import StopRequest
from backfill.inventory import rows as inventory_rows
from backfill.inventory.run import SOURCE as SOURCE_INVENTORY
from backfill.inventory.run import destination_name
from backfill.manifest import rows as manifest_rows
from backfill.model.attributes import Encryption, ObjectHead, ReplicationStatus
from backfill.model.jobs import (
    JobDescription,
    JobPlace,
    JobProgress,
    JobRequest,
    JobStatus,
    JobSummary,
    ManifestLocation,
    Uploaded,
)
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CopyObjectRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.plan.rules import Rule, RuleDestination, Rules
from backfill.plan.run import PLAN, PlanWork, make_plan
from backfill.plan.terms import Delivery, DestinationTerms, Terms
from backfill.plan.totals import totals_of
from backfill.ports import (
    BatchBucket,
    BatchOperations,
    ControlPlane,
    ObjectStore,
    ProgressCounts,
)
from backfill.run_directory import segments
from backfill.run_directory.artifacts import ArtifactWriter, LocalArtifacts
from backfill.settings import Settings
from backfill.stage_inputs import listings_of
from tests.doubles.known_versions import fault
from tests.doubles.listings import KeptEvents, page_of, place
from tests.doubles.planning import head_of
from tests.memory.computed_tasks import (
    BATCH,
    DESTINATION,
    SOURCE,
    ComputedSource,
    fate_of,
    is_late,
)

ROOT = Path(__file__).parents[2]
HORIZON = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = PlanHeader(source=place(SOURCE), destinations=(place(DESTINATION),), horizon=HORIZON)
OPTIONS = BatchOptions(role_arn="arn:aws:iam::111122223333:role/batch", bucket=BATCH)
MANIFEST, OUTCOMES = "manifest/00", "outcomes/00"
RULE = Rule(
    id="all",
    is_enabled=True,
    prefix="",
    tags=(),
    priority=1,
    destination=RuleDestination(bucket=DESTINATION, replica_kms_key="arn:aws:kms:::key/1"),
    replicates_delete_markers=True,
    selects_kms=True,
)
"""A rule that selects KMS objects, too: listings alone decide, and no version is read."""


class Watch:
    """What each phase took. What runs under `aside` is a double's, and counts for none."""

    def __init__(self) -> None:
        self.phases: dict[str, list[float]] = {}
        self._phase = ""
        self._aside_s = (0.0, 0.0)
        self._before = self._now()
        self.doubles_cpu_s = 0.0

    def begin(self, phase: str) -> None:
        """End the phase that is under way and begin another, or go on with it."""
        now = self._now()
        if self._phase:
            sums = self.phases.setdefault(self._phase, [0.0, 0.0, 0.0])
            for which in (0, 1):
                sums[which] += now[which] - self._before[which]
            sums[2] = max(sums[2], peak_kib())
        forget_peak()
        self._phase, self._before = phase, now

    @contextmanager
    def aside(self) -> Iterator[None]:
        began = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            cpu_s, wall_s = time.process_time() - began[0], time.perf_counter() - began[1]
            self._aside_s = self._aside_s[0] + cpu_s, self._aside_s[1] + wall_s
            self.doubles_cpu_s = self._aside_s[0]

    def _now(self) -> tuple[float, float]:
        return time.process_time() - self._aside_s[0], time.perf_counter() - self._aside_s[1]


def peak_kib() -> int:
    """Return the peak of resident memory since the last `forget_peak`.

    Not ru_maxrss: that begins with what the parent held when it started this process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("the kernel does not say VmHWM")


def forget_peak() -> None:
    """Let the kernel begin anew from what is resident now (proc(5): clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


class QuietEvents(KeptEvents):
    """Events that are not kept."""

    def emit(self, event: object) -> None:
        assert event is not None, "there is something to tell"

    def progress(self, counts: ProgressCounts) -> None:
        assert counts.total is None or counts.done <= counts.total, "no more is done than there is"


@dataclass(slots=True)
class LeapingClock:
    """The port Clock: a pause is over at once."""

    slept_s: float = 0.0

    def now(self) -> datetime:
        return HORIZON + timedelta(seconds=self.slept_s)

    def monotonic_s(self) -> float:
        return self.slept_s

    async def sleep(self, duration_s: float) -> None:
        self.slept_s += duration_s
        await asyncio.sleep(0)


class WatchedArtifacts(LocalArtifacts):
    """The run directory; which artefact is written tells which phase it is."""

    def __init__(self, root: Path, watch: Watch) -> None:
        super().__init__(root)
        self._watch = watch

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator[ArtifactWriter]:
        is_beside = "waiting" in name or "open" in name  # written beside a look or tasks
        if not is_beside:
            self._watch.begin(phase_of(name))
        with super().writer(name, columns=columns, inputs=inputs) as writer:
            yield writer
        if not is_beside:
            self._watch.begin("between")


def phase_of(name: str) -> str:
    """Return the phase in which an artefact is written."""
    if name == PLAN:
        return PLAN
    words = {"tasks-1": "join", "tasks": "later attempts", "look-0": "look", "look": "later looks"}
    for word, phase in words.items():
        if word in name:
            return phase
    return "conclude" if name.startswith("replication/") else "outcomes"


@dataclass(slots=True, kw_only=True)
class World:
    """What all doubles share."""

    folder: Path
    source: ComputedSource
    watch: Watch
    clock: LeapingClock = field(default_factory=LeapingClock)
    complete_s: float = 0.0
    """When the last job was complete; what is late arrives after the next pause."""
    jobs: dict[str, JobDescription] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)

    def count(self, request: str) -> None:
        self.requests[request] = self.requests.get(request, 0) + 1

    def is_there(self, number: int) -> bool:
        has_come = not is_late(number) or self.clock.slept_s > self.complete_s
        return has_come and fate_of(number).is_delivered


class ComputedStore:
    """The port ObjectStore, as far as looking for replicas needs it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = range(world.source.versions // world.source.of_each_key)

    def _key_at(self, at: int) -> str:
        return self._world.source.key(at * self._world.source.of_each_key)

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        assert (place.bucket, prefix) == (DESTINATION, ""), "the destination is looked along"
        await asyncio.sleep(0)
        self._world.count("ListObjectVersions")
        with self._world.watch.aside():
            number = self._first(after)
            found: list[ListedEntry] = []
            while number < self._world.source.versions and len(found) <= max_keys:
                if self._world.is_there(number):
                    found.append(self._world.source.entry(number))
                number += 1
            return page_of(found[:max_keys], is_truncated=len(found) > max_keys)

    def _first(self, after: VersionsPosition | None) -> int:
        if after is None:
            return 0
        if after.version_id is not None:
            return self._world.source.number(after.key, after.version_id) + 1
        at = bisect_right(self._keys, after.key, key=self._key_at)
        return at * self._world.source.of_each_key

    async def head_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectHead:
        await asyncio.sleep(0)
        self._world.count(f"HeadObject {place.bucket}")
        with self._world.watch.aside():
            assert version_id is not None, "a version is asked for"
            number = self._world.source.number(key, version_id)
            is_source = place.bucket == SOURCE
            if not is_source and not self._world.is_there(number):
                raise fault("NoSuchVersion", 404)
            entry = self._world.source.entry(number)
            if not isinstance(entry, ObjectVersion):
                raise fault("MethodNotAllowed", 405)
            status = ReplicationStatus.PENDING if is_source else ReplicationStatus.REPLICA
            return head_of(entry, replication_status=status)

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        raise AssertionError(f"jobs deliver all of it, and {request.key} was copied")


class ComputedJobs:
    """The ports BatchOperations and BatchBucket. Another process carries out each job's tasks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bucket = world.folder / "batch-bucket"

    async def put_file(
        self, place: BucketPlace, key: str, path: Path, *, encryption: Encryption
    ) -> Uploaded:
        assert place.bucket == BATCH, f"{key} has no business elsewhere, {encryption}"
        self._world.watch.begin("upload")
        copy = self._bucket / key
        copy.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, copy)
        self._world.watch.begin("between")
        return Uploaded(etag=ETag(f"etag-of-{path.name}"))

    async def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
        assert place.bucket == BATCH
        self._world.watch.begin("reports")
        path = self._bucket / key
        if not path.exists():
            raise fault("NoSuchKey", 404, "GetObject")
        with path.open("rb") as file:
            while chunk := file.read(1024 * 1024):
                yield chunk

    async def create_job(self, request: JobRequest) -> str:
        assert isinstance(request.manifest, ManifestLocation), "there is a manifest of our own"
        job_id = f"{len(self._world.jobs)}"
        manifest = self._bucket / request.manifest.key
        (manifest.parent / "source.json").write_text(json.dumps(asdict(self._world.source)))
        attempt = manifest.parent.name.partition("-")[2]
        reports = f"{request.report.prefix}/job-{job_id}"
        self._world.watch.begin("jobs")
        tasks = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.memory.computed_tasks"),
            *(str(self._bucket), request.manifest.key, reports, attempt),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        told, _ = await tasks.communicate()
        assert tasks.returncode == 0, "the tasks were carried out"
        self._world.watch.begin("between")
        counts = json.loads(told)
        self._world.jobs[job_id] = JobDescription(
            summary=JobSummary(
                job_id=job_id,
                status=JobStatus.COMPLETE,
                operation=request.operation.value,
                priority=request.priority,
                description=request.description,
                created_at=self._world.clock.now(),
                progress=JobProgress(total=sum(counts.values()), **counts),
            ),
            report=request.report,
        )
        return job_id

    async def describe_job(self, place: JobPlace, job_id: str) -> JobDescription:
        assert place.region == "eu-west-1"
        self._world.complete_s = self._world.clock.slept_s
        return self._world.jobs[job_id]

    async def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        assert place.region == "eu-west-1"
        for job in self._world.jobs.values():
            yield job.summary


class ComputedControl:
    """The port ControlPlane, as far as execute needs it."""

    async def versioning(self, place: BucketPlace) -> str:
        assert place.bucket == DESTINATION
        return "Enabled"


async def delivered(world: World) -> None:
    """Execute the manifest."""
    here = machine(world.folder)
    artifacts = WatchedArtifacts(world.folder, world.watch)
    store, jobs = cast("ObjectStore", ComputedStore(world)), ComputedJobs(world)
    events = QuietEvents()
    manifest = artifacts.index(MANIFEST)
    assert manifest is not None, "it was prepared"
    settings = Settings(job_manifest_rows_max=world.source.versions * 2 // 5)
    batch = BatchWork(
        round=0,
        run_id="RUN",
        manifest=manifest,
        header=HEADER,
        entries=lambda: (),
        rows=0,
        options=OPTIONS,
        bucket=place(BATCH),
        generated=None,
        settings=settings,
    )
    ports = BatchPorts(
        driver=DriverPorts(
            batch=cast("BatchOperations", jobs),
            artifacts=artifacts,
            events=events,
            clock=world.clock,
            random=here.random,
            error_of=error_of,
        ),
        bucket=cast("BatchBucket", jobs),
        source=store,
        destination=store,
        scratch=world.folder / "scratch",
    )
    world.watch.begin("manifest")
    async with journal(here, manifest) as opened:
        others = ExecutePorts(
            source=store,
            destination=store,
            control=cast("ControlPlane", ComputedControl()),
            journal=opened,
            artifacts=artifacts,
            events=events,
            clock=world.clock,
            random=here.random,
            error_of=error_of,
        )
        job = ExecuteJob(
            header=HEADER,
            manifest=manifest,
            entries=lambda: map(manifest_rows.entry_of, artifacts.rows(MANIFEST)),
            outcomes_name=OUTCOMES,
            allows_hiding=False,
            settings=settings,
        )
        await execute(job, others, StopRequest(), (batch, ports))
    world.watch.begin("")
    require_outcomes(artifacts, world.source)


def require_outcomes(artifacts: LocalArtifacts, source: ComputedSource) -> None:
    """Require every version's outcome to be what its number says."""
    numbers = iter(range(source.versions))
    for number, outcome in zip(numbers, outcomes_of(artifacts.rows(OUTCOMES)), strict=False):
        fate = fate_of(number)
        found = outcome.number, outcome.kind, outcome.attempts
        assert found == (number, fate.kind, fate.attempts), outcome
    assert next(numbers, None) is None, "every version has its outcome"


async def planned(world: World) -> None:
    """Plan for Batch Replication."""
    artifacts = WatchedArtifacts(world.folder, world.watch)
    store = cast("ObjectStore", ComputedStore(world))
    mine = DestinationTerms(bucket=DESTINATION, rules=(RULE,), live_rules=(RULE,), has_acls=False)
    work = PlanWork(
        header=HEADER,
        terms=Terms(
            scope=Scope(),
            horizon=HORIZON,
            destinations=(mine,),
            delivery=Delivery(batch=True, copy=True),
        ),
        rules=Rules(rules=(RULE,)),
        listings=partial(listings_of, artifacts, destinations=1),
        inventories={SOURCE_INVENTORY: "computed"},
        source_store=store,
        destination_store=store,
        concurrency=128,
    )
    world.watch.begin("forecast")
    plan = await make_plan(work, artifacts=artifacts, events=QuietEvents())
    world.watch.begin("")
    routes = totals_of(plan.summary).destinations[0].routes
    asked_for = sum(not world.source.is_old(number) for number in range(world.source.versions))
    assert plan.rows == world.source.versions
    assert routes[Route.BATCH_REPLICATION].rows == asked_for
    assert not world.requests, "listings tell everything"


def prepare(folder: Path, source: ComputedSource) -> None:
    """Write the manifest, and the inventories of both sides."""
    artifacts = LocalArtifacts(folder)
    numbers = range(source.versions)
    held = (source.entry(number) for number in numbers if source.is_old(number))
    for name, columns, rows in (
        (MANIFEST, manifest_rows.COLUMNS, map(manifest_rows.row_of, map(source.work, numbers))),
        (
            SOURCE_INVENTORY,
            inventory_rows.COLUMNS,
            map(inventory_rows.row_of, map(source.entry, numbers)),
        ),
        (destination_name(0), inventory_rows.COLUMNS, map(inventory_rows.row_of, held)),
    ):
        with artifacts.writer(name, columns=columns, inputs={}) as writer:
            for row in rows:
                writer.write(row)
            writer.commit({})


@contextmanager
def small_windows() -> Iterator[None]:
    with (
        patch.object(collecting, "RowSorter", partial(RowSorter, run_chars=64 * 1024)),
        patch.object(sorting, "BLOCKS_BYTES", 64 * 1024),
        patch.object(segments, "BLOCK_BYTES", 8 * 1024),
    ):
        yield


def main() -> None:
    verb, folder, versions, of_each_key, *windows = sys.argv[1:]
    source = ComputedSource(int(versions), int(of_each_key))
    if verb == "prepare":
        prepare(Path(folder), source)
        return
    base_kib = peak_kib()
    world = World(folder=Path(folder), source=source, watch=Watch())
    with small_windows() if windows else nullcontext():
        asyncio.run({"execute": delivered, "plan": planned}[verb](world))
    told = {
        "base_kib": base_kib,
        "phases": world.watch.phases,
        "doubles_cpu_s": world.watch.doubles_cpu_s,
        "requests": world.requests,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
