"""The driver from end to end on virtual time: every order has one job, whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import TypeVar

import pytest

from backfill.aws.faults import error_of
from backfill.batch_operations.driver import DriverPorts, carry_out_jobs
from backfill.batch_operations.ledger import decoded
from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.errors import (
    ArtifactDamagedError,
    BackfillError,
    CredentialsError,
    ForeignRunDirectoryError,
    InterruptedRunError,
    JobWaitsError,
    MissingPermissionError,
    RefusedError,
)
from backfill.execute.stop import StopRequest
from backfill.model.jobs import JobStatus
from backfill.ports import Event, ProgressCounts
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from backfill.settings import Settings
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_batch import PATHS, JobBook, ModelBatch, fault
from tests.doubles.virtual_clock import VirtualClock
from tests.unit.batch_operations.ordering import order

T = TypeVar("T")
LEDGER = "jobs/00.json"
SETTINGS = Settings(active_jobs_max=2, job_poll_s=30.0)
COMPLETES = (PATHS[0],)


@dataclass(slots=True)
class Talk:
    """The port Events, remembered."""

    said: list[Event] = field(default_factory=list)
    counts: list[ProgressCounts] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.said.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        self.counts.append(counts)

    def named(self, name: str) -> list[Event]:
        return [event for event in self.said if event.name == f"batch_operations.{name}"]


@dataclass(slots=True)
class World:
    """S3's side and the run directory; processes come and go."""

    seed: int = 0
    clock: VirtualClock = field(default_factory=VirtualClock)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    talk: Talk = field(default_factory=Talk)
    stop: StopRequest = field(default_factory=StopRequest)
    settings: Settings = SETTINGS
    book: JobBook = field(init=False)
    batch: ModelBatch = field(init=False)

    def __post_init__(self) -> None:
        self.book = JobBook(clock=self.clock, random=Random(f"book {self.seed}"), paths=COMPLETES)
        self.batch = ModelBatch(self.book, Random(f"batch {self.seed}"))

    async def process(self, orders: Sequence[JobOrder]) -> tuple[EndedJob, ...]:
        ports = DriverPorts(
            batch=self.batch,
            artifacts=self.artifacts,
            events=self.talk,
            clock=self.clock,
            random=Random(f"jitter {self.seed}"),
            error_of=error_of,
        )
        return await carry_out_jobs(orders, ports, self.settings, self.stop, ledger_name=LEDGER)


def in_virtual_time(world: World, story: Callable[[], Awaitable[T]]) -> T:
    """Run a story to its end, and require that it leaves nothing behind."""
    loop = VirtualTimeLoop()

    async def told() -> T:
        return await story()

    try:
        result = loop.run_until_complete(told())
        assert not asyncio.all_tasks(loop), "the driver leaves no task behind"
        assert not loop.unhandled
        return result
    finally:
        world.clock.skip(loop.time())
        loop.close()


def carried_out(world: World, orders: Sequence[JobOrder]) -> tuple[EndedJob, ...]:
    world.stop = StopRequest()
    return in_virtual_time(world, lambda: world.process(orders))


def ended_with(world: World, orders: Sequence[JobOrder], kind: type[BackfillError]) -> str:
    """Run until the error that is expected; return its line and its hint."""
    with pytest.raises(kind) as raised:
        carried_out(world, orders)
    return f"{raised.value.message} | {raised.value.hint}"


def test_each_order_gets_one_job_and_slots_are_obeyed() -> None:
    """If this fails, jobs are lost, doubled, or take the slots of the account's other users."""
    world = World()
    orders = [order(shard) for shard in range(5)]
    ended = carried_out(world, orders)
    assert [one.order for one in ended] == orders
    assert {job.job_id: job.request for job in world.book.jobs} == {
        one.job_id: one.order.request for one in ended
    }
    assert {one.description.summary.status for one in ended} == {JobStatus.COMPLETE}
    assert world.book.active_peak == SETTINGS.active_jobs_max
    assert world.batch.sent[0] == "ListJobs", "jobs are looked up before the first is created"
    assert world.talk.counts[-1].done == world.talk.counts[-1].total == 500
    assert len(world.talk.named("job_created")) == len(world.talk.named("job_ended")) == 5


@pytest.mark.parametrize("path", PATHS, ids="-".join)
def test_every_status_is_lived_through_and_every_end_is_returned(
    path: tuple[JobStatus, ...],
) -> None:
    """If this fails, a job that S3 pauses or fails ends the run, or its reasons are lost."""
    world = World()
    world.book.paths = (path,)
    (ended,) = carried_out(world, [order()])
    assert ended.description.summary.status is path[-1]
    assert bool(ended.description.failures) == (path[-1] is JobStatus.FAILED)


def test_a_finished_ledger_asks_s3_nothing() -> None:
    """If this fails, a run cannot be finished once S3 has forgotten its jobs."""
    world = World()
    first = carried_out(world, [order(0), order(1)])
    world.book.jobs.clear()
    world.batch.sent.clear()
    assert carried_out(world, [order(0), order(1)]) == first
    assert world.batch.sent == []
    assert carried_out(world, []) == ()


def test_another_attempt_in_the_same_ledger_keeps_what_the_first_left() -> None:
    """If this fails, the second attempt forgets the jobs of the first."""
    world = World()
    first = carried_out(world, [order(0)])
    second = carried_out(world, [order(0, attempt=2)])
    assert first[0].job_id != second[0].job_id
    world.batch.sent.clear()
    assert carried_out(world, [order(0), order(0, attempt=2)]) == first + second
    assert world.batch.sent == [], "both are in the ledger"


def test_polls_keep_their_distance_and_grow_apart_while_nothing_changes() -> None:
    """If this fails, S3 throttles us, or a job that takes days costs thousands of requests."""
    world = World()
    world.book.status_s = 40_000.0
    asked: list[float] = []

    def note(operation: str) -> None:
        if operation == "DescribeJob":
            asked.append(world.clock.monotonic_s())

    world.batch.before = note
    carried_out(world, [order()])
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert min(gaps) >= 30.0
    assert 295.0 < max(gaps) < 310.0, "300 s, and what the request itself takes"
    assert len(asked) < 2000


def test_with_confirmation_all_are_created_and_the_run_says_how_to_go_on() -> None:
    """If this fails, a person does not learn which jobs wait, or none starts when confirmed."""
    world = World()
    orders = [order(shard, needs_confirmation=True) for shard in range(4)]
    line = ended_with(world, orders, JobWaitsError)
    assert "4 jobs are Suspended" in line
    for job in world.book.jobs:
        assert f"`backfill jobs confirm {job.job_id}`" in line
    assert "Awaiting confirmation" in line
    assert "then the same command again" in line
    assert len(world.talk.named("job_waits")) == 4
    world.clock.skip(3600)
    for job in world.book.jobs[:2]:
        world.book.confirm(job.job_id)
    line = ended_with(world, orders, JobWaitsError)
    assert "2 jobs are Suspended" in line
    assert world.book.jobs[0].job_id not in line
    world.clock.skip(3600)
    for job in world.book.jobs[2:]:
        world.book.confirm(job.job_id)
    assert len(carried_out(world, orders)) == len(world.book.jobs) == 4


def test_a_job_suspended_for_no_reason_of_ours_is_shown_and_takes_no_slot() -> None:
    """If this fails, a job that S3 holds back stops all others, or is waited for for ever."""
    world = World(settings=replace(SETTINGS, active_jobs_max=1))
    world.book.paths = ((JobStatus.SUSPENDED,),)
    orders = [order(shard) for shard in range(3)]
    assert "3 jobs are Suspended" in ended_with(world, orders, JobWaitsError)


def test_many_waiting_jobs_are_named_in_part() -> None:
    """If this fails, a terminal drowns in job IDs."""
    world = World()
    orders = [order(shard, needs_confirmation=True) for shard in range(12)]
    line = ended_with(world, orders, JobWaitsError)
    assert "12 jobs" in line
    assert "and 2 more" in line
    assert line.count("`backfill jobs confirm") == 10


def test_a_signal_leaves_jobs_running_and_says_so() -> None:
    """If this fails, Ctrl-C hangs for minutes, or nobody learns that jobs go on."""
    world = World()
    world.book.status_s = 4000.0
    orders = [order(0), order(1), order(2)]

    async def story() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1000, world.stop.request, 15)
        with pytest.raises(InterruptedRunError) as raised:
            await world.process(orders)
        assert world.clock.monotonic_s() == 1000, "it stops in the middle of a pause"
        assert raised.value.exit_status == 143
        assert "job-0000, job-0001" in raised.value.message
        assert "same command again" in raised.value.hint

    in_virtual_time(world, story)
    assert len(carried_out(world, orders)) == len(world.book.jobs) == 3


def test_a_signal_waits_for_the_answer_of_create_job_a_second_one_does_not() -> None:
    """If this fails, each Ctrl-C during CreateJob leaves a job without its ID."""
    for signals, known in ((1, "job-0000"), (2, "")):
        world = World()

        def interrupt(operation: str, world: World = world, signals: int = signals) -> None:
            if operation == "CreateJob":
                for _ in range(signals):
                    world.stop.request()

        world.batch.before = interrupt
        ended_with(world, [order()], InterruptedRunError)
        (record,) = decoded(world.artifacts.documents[LEDGER], LEDGER)
        assert record.job_id == known
        assert record.is_open == (not known)


def test_a_lost_answer_is_settled_by_looking_the_job_up() -> None:
    """If this fails, a broken connection makes a second job or loses the first."""
    world = World()
    world.book.token_memory_s = 0.0
    losing_answers(world, "CreateJob", 1)
    carried_out(world, [order(0), order(1)])
    assert len(world.book.jobs) == 2
    assert [event.name for event in world.talk.said if "found" in event.name] == [
        "batch_operations.job_found"
    ]


def test_a_job_without_its_description_is_found_by_its_tags() -> None:
    """If this fails, a job is doubled where its description was lost; or one of others is taken."""
    world = World()
    world.book.token_memory_s = 0.0
    world.book.loses_descriptions = True
    for number in range(3):
        world.book.add(f"other-{number}", tags={"backfill-token": "0" * 32})
    losing_answers(world, "CreateJob", 1)
    (ended,) = carried_out(world, [order()])
    assert [job.job_id for job in world.book.ours] == [ended.job_id]
    assert world.batch.sent.count("CreateJob") == 1


def faulty(world: World, operation: str, code: str, status: int) -> list[str]:
    """Let an operation fail always; return a list that grows with each call."""
    calls: list[str] = []

    def strike(named: str) -> None:
        if named == operation:
            calls.append(named)
            raise fault(operation, code, status)

    world.batch.before = strike
    return calls


def losing_answers(world: World, operation: str, count: int) -> None:
    """Let an operation be carried out, and its first answers be lost."""
    left = [operation] * count

    def lose(named: str) -> None:
        if named in left:
            left.pop()
            raise fault(operation, "ConnectionClosedError", 0)

    world.batch.after = lose


@pytest.mark.parametrize(
    ("operation", "code", "status", "kind", "said"),
    [
        ("ListJobs", "AccessDenied", 403, MissingPermissionError, "so none is created"),
        ("CreateJob", "AccessDenied", 403, MissingPermissionError, "CreateJob"),
        ("CreateJob", "InvalidRequest", 400, RefusedError, "CreateJob"),
        ("CreateJob", "IdempotencyException", 400, RefusedError, "a request that differs"),
        ("DescribeJob", "NoSuchJob", 404, RefusedError, "forgets a job 90 days after"),
        ("DescribeJob", "AccessDenied", 403, MissingPermissionError, "DescribeJob"),
    ],
)
def test_a_fault_that_does_not_pass_ends_the_run_with_its_cause(
    operation: str, code: str, status: int, kind: type[BackfillError], said: str
) -> None:
    """If this fails, a run polls for ever what will never be, or hides why."""
    world = World()
    calls = faulty(world, operation, code, status)
    assert said in ended_with(world, [order(0), order(1)], kind)
    assert len(calls) == 1
    if operation == "ListJobs":
        assert "CreateJob" not in world.batch.sent


@pytest.mark.parametrize("operation", ["ListJobs", "CreateJob", "DescribeJob"])
def test_a_fault_that_may_pass_is_borne_five_times(operation: str) -> None:
    """If this fails, a throttled minute ends a run of days, or an outage is never reported."""
    world = World()
    calls = faulty(world, operation, "TooManyRequestsException", 400)
    assert "TooManyRequestsException" in ended_with(world, [order()], RefusedError)
    assert len(calls) == 5


def test_a_refused_creation_is_sent_again_at_once_by_the_next_run() -> None:
    """If this fails, who has mended a policy waits for a look-up of what cannot exist."""
    world = World()
    faulty(world, "CreateJob", "AccessDenied", 403)
    ended_with(world, [order()], MissingPermissionError)
    (record,) = decoded(world.artifacts.documents[LEDGER], LEDGER)
    assert record.sent_at is None
    world.batch.before = lambda _operation: None
    assert len(carried_out(world, [order()])) == 1


def test_a_request_that_cannot_be_said_leaves_no_intent_behind() -> None:
    """If this fails, a prefix that XML cannot carry makes the next run look for a job of it."""
    world = World()

    def refuse(operation: str) -> None:
        if operation == "CreateJob":
            raise RefusedError("XML has no such characters")

    world.batch.before = refuse
    assert "XML" in ended_with(world, [order()], RefusedError)
    (record,) = decoded(world.artifacts.documents[LEDGER], LEDGER)
    assert not record.is_open


def test_a_ledger_of_other_work_is_refused() -> None:
    """If this fails, a job of another plan is taken for this one's."""
    world = World()
    carried_out(world, [order(0)])
    other = order(0, attempt=2)
    mixed = JobOrder(name="00-1-0000", request=other.request, rows=1)
    assert "00-1-0000" in ended_with(world, [mixed], ForeignRunDirectoryError)
    world.artifacts.documents[LEDGER] = world.artifacts.documents[LEDGER].replace(
        b"job-0", b"job-1"
    )
    ended_with(world, [order(0)], ArtifactDamagedError)


def test_an_intent_is_durable_before_it_is_sent_and_the_id_before_anything_else() -> None:
    """If this fails, a crash leaves a job that nobody looks for."""
    world = World()
    wanted = order()

    def check(operation: str) -> None:
        data = world.artifacts.documents.get(LEDGER)
        records = decoded(data, LEDGER) if data is not None else ()
        if operation == "CreateJob":
            assert [(one.token, one.is_open) for one in records] == [(wanted.request.token, True)]
        if operation == "DescribeJob":
            assert [one.job_id for one in records] == ["job-0000"]

    world.batch.before = check
    assert len(carried_out(world, [order()])) == 1


@pytest.mark.parametrize("operation", ["ListJobs", "CreateJob", "DescribeJob"])
def test_an_expired_token_ends_the_run_with_its_mend(operation: str) -> None:
    """If this fails, a person reads a traceback instead of a line and a hint."""
    world = World()
    faulty(world, operation, "ExpiredToken", 400)
    assert "sign in again" in ended_with(world, [order()], CredentialsError)
