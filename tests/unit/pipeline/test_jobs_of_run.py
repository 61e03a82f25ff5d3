"""Whose a job is, what a run knows of it, and what may be asked of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from backfill.batch_operations.known_jobs import Job, KnownBy, chosen
from backfill.batch_operations.ledger import JobRecord, encoded
from backfill.batch_operations.task_results import TASK_COLUMNS
from backfill.batch_operations.tokens import RUN_TAG
from backfill.errors import BackfillError, RefusedError, StoreFault
from backfill.execute.batch_replication.work import ledger_name, tasks_name
from backfill.jobs_of_run import REASONS, View, described, job_of, jobs_of, report_read, update
from backfill.manifest.run import manifest_name
from backfill.model.jobs import JobDescription, JobPlace, JobStatus, RequestedStatus
from tests.doubles.listed_jobs import ListedJobs
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_batch import fault
from tests.unit.batch_operations.ordering import NOW, PLACE, description, order

READY, CANCELLED = RequestedStatus.READY, RequestedStatus.CANCELLED


class World:
    """A run directory with ledgers, and the jobs that S3 has."""

    def __init__(self) -> None:
        self.batch = ListedJobs(PLACE)
        self.artifacts = MemoryArtifacts()
        self.view = View(
            run_id="RUN",
            source_bucket="source-bucket",
            begun_at=NOW,
            artifacts=self.artifacts,
            sides={PLACE: self.batch},
            destinations=1,
        )

    def ledgers(self, *rounds: Iterable[JobRecord]) -> None:
        for number, records in enumerate(rounds):
            with self.artifacts.writer(manifest_name(number), columns=("n",), inputs={}) as writer:
                writer.commit({})
            self.artifacts.write_document(ledger_name(number), encoded(records))

    def job(
        self, job_id: str, status: JobStatus = JobStatus.ACTIVE, *, shard: int = 0, age_s: int = 0
    ) -> JobDescription:
        """Let S3 have a job with the digest of a shard's order."""
        made = description(order(shard), job_id, status)
        summary = replace(made.summary, created_at=NOW - timedelta(seconds=age_s))
        self.batch.add(replace(made, summary=summary))
        return self.batch.jobs[job_id]

    async def seen(self) -> list[tuple[str, str, str, str]]:
        jobs = (await jobs_of(self.view)).jobs
        return [
            (job.name, job.job_id, job.known_by.value, job.status.value if job.status else "")
            for job in jobs
        ]


@pytest.fixture
def world() -> World:
    return World()


def record(
    shard: int = 0,
    job_id: str = "",
    *,
    is_sent: bool = True,
    ended: JobDescription | None = None,
) -> JobRecord:
    wanted = order(shard)
    sent_at = NOW if is_sent else None
    return JobRecord(
        name=wanted.name,
        token=wanted.request.token,
        intended_at=sent_at,
        sent_at=sent_at,
        job_id=job_id,
        ended=ended,
    )


async def test_jobs_come_in_the_order_of_the_ledgers_and_with_what_s3_says_now(
    world: World,
) -> None:
    """If this fails, a person reads old statuses, or takes a repair's job for a first one."""
    later = replace(record(2, "job-2"), name="01-1-0000")
    world.ledgers([record(1, "job-1"), record(0, "job-0")], [later])
    world.job("job-2", JobStatus.SUSPENDED, shard=2)
    world.job("job-0", JobStatus.FAILING)
    world.job("job-1", JobStatus.COMPLETE, shard=1)
    assert await world.seen() == [
        ("00-1-0001", "job-1", "ledger", "Complete"),
        ("00-1-0000", "job-0", "ledger", "Failing"),
        ("01-1-0000", "job-2", "ledger", "Suspended"),
    ]
    assert world.batch.asked == ["ListJobs"]


async def test_a_run_without_jobs_asks_s3_for_nothing(world: World) -> None:
    """If this fails, who may not list jobs cannot look at a run of copy workers."""
    assert await world.seen() == []
    assert world.batch.asked == []


async def test_a_job_whose_id_never_came_back_is_the_runs_and_a_later_copy_of_it_is_not(
    world: World,
) -> None:
    """If this fails, a job lost in a crash is hidden, or a colleague's clone is cancelled."""
    world.ledgers([record(0)])
    world.job("copy", age_s=10)
    world.job("first", age_s=20)
    assert await world.seen() == [
        ("00-1-0000", "first", "digest", "Active"),
        ("00-1-0000", "copy", "copy", "Active"),
    ]
    jobs = (await jobs_of(world.view)).jobs
    assert [job.job_id for job in chosen("RUN", jobs, (), CANCELLED)] == ["first"]
    with pytest.raises(RefusedError, match="copy is no job of run RUN"):
        chosen("RUN", jobs, ["copy"], CANCELLED)


async def test_a_clone_of_a_known_job_is_shown_as_one(world: World) -> None:
    """If this fails, a cloned job passes for the run's own, however old it is."""
    world.ledgers([record(0, "mine")])
    world.job("mine")
    world.job("clone", age_s=99)
    assert await world.seen() == [
        ("00-1-0000", "mine", "ledger", "Active"),
        ("00-1-0000", "clone", "copy", "Active"),
    ]


async def test_what_s3_does_not_list_is_said_as_far_as_it_is_known(world: World) -> None:
    """If this fails, a job that is new, forgotten or only intended looks like none at all."""
    ended = description(order(1), "forgotten", JobStatus.COMPLETE, done=100)
    world.ledgers(
        [
            record(0, "new"),
            record(1, "forgotten", ended=ended),
            record(2),
            record(3, is_sent=False),
            record(4, "vanished"),
        ]
    )
    world.job("new", JobStatus.NEW)
    world.batch.unlisted.add("new")
    jobs = (await jobs_of(world.view)).jobs
    assert [(job.job_id, job.status, job.is_forgotten) for job in jobs] == [
        ("new", JobStatus.NEW, False),
        ("forgotten", JobStatus.COMPLETE, True),
        ("", None, False),
        ("", None, False),
        ("vanished", None, False),
    ]
    assert [job.sent_at for job in jobs[2:4]] == [NOW, None]
    assert (await described(world.view, "forgotten"))[1] == ended


async def test_a_damaged_ledger_hides_no_job_that_is_tagged_with_the_run(world: World) -> None:
    """If this fails, jobs run on and are charged, and nobody can say whose they are."""
    world.ledgers([record(0, "mine")])
    world.artifacts.write_document(ledger_name(0), b"{}")
    for job_id, age_s, run in (
        ("mine", 0, "RUN"),
        ("theirs", 0, "OTHER"),
        ("before", 7200, "RUN"),
    ):
        world.job(job_id, age_s=age_s)
        world.batch.tags[job_id] = {RUN_TAG: run}
    unmarked = world.job("unmarked")
    world.batch.add(replace(unmarked, summary=replace(unmarked.summary, description="")))
    jobs = await jobs_of(world.view)
    assert jobs.damaged == (ledger_name(0),)
    assert [(job.job_id, job.known_by) for job in jobs.jobs] == [("mine", KnownBy.TAG)]
    assert world.batch.asked.count("GetJobTagging") == 2
    assert [job.job_id for job in chosen("RUN", jobs.jobs, ["mine"], CANCELLED)] == ["mine"]


async def test_others_are_listed_only_when_asked_for(world: World) -> None:
    """If this fails, `--all` hides jobs, or without it an account's thousand jobs are shown."""
    world.ledgers([record(0, "mine")])
    world.job("mine")
    world.job("theirs", shard=7)
    assert (await jobs_of(world.view)).others == ()
    everything = await jobs_of(world.view, with_others=True)
    assert [job.job_id for job in everything.others] == ["theirs"]
    job, _ = await job_of(world.view, "theirs")
    assert (job.known_by, job.is_ours) == (KnownBy.NOTHING, False)


CONFIRMABLE = {JobStatus.SUSPENDED}
CANCELLABLE = {
    JobStatus.NEW,
    JobStatus.PREPARING,
    JobStatus.SUSPENDED,
    JobStatus.READY,
    JobStatus.ACTIVE,
    JobStatus.PAUSING,
    JobStatus.PAUSED,
}


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize(("requested", "fitting"), [(READY, CONFIRMABLE), (CANCELLED, CANCELLABLE)])
async def test_only_a_job_that_is_as_it_must_be_is_chosen(
    world: World, status: JobStatus, requested: RequestedStatus, fitting: set[JobStatus]
) -> None:
    """If this fails, a person confirms what does not wait, or cancels what has ended."""
    world.ledgers([record(0, "mine")])
    world.job("mine", status)
    jobs = (await jobs_of(world.view)).jobs
    assert bool(chosen("RUN", jobs, (), requested)) == (status in fitting)
    if status in fitting:
        assert len(chosen("RUN", jobs, ["mine", "mine"], requested)) == 1
    else:
        with pytest.raises(RefusedError, match=f"mine is {status.value}: only a"):
            chosen("RUN", jobs, ["mine"], requested)


async def the_one(world: World, status: JobStatus) -> Job:
    world.ledgers([record(0, "mine")])
    world.job("mine", status)
    (job,) = (await jobs_of(world.view)).jobs
    return job


@pytest.mark.parametrize(("requested", "effect"), [(READY, "Ready"), (CANCELLED, "Cancelling")])
async def test_a_lost_answer_is_settled_by_looking_at_the_job(
    world: World, requested: RequestedStatus, effect: str
) -> None:
    """If this fails, a person reads that nothing happened, and the job runs."""
    job = await the_one(world, JobStatus.SUSPENDED)
    world.batch.lost = fault("UpdateJobStatus", "ConnectionClosedError", 0)
    assert (await update(world.view, job, requested)).value == effect
    assert world.batch.jobs["mine"].status_reason == REASONS[requested]


@pytest.mark.parametrize(
    "lost",
    [
        fault("UpdateJobStatus", "ConnectionClosedError", 0),
        fault("UpdateJobStatus", "AccessDenied", 403),
    ],
    ids=str,
)
async def test_an_update_without_effect_is_an_error(world: World, lost: StoreFault) -> None:
    """If this fails, a job that still waits is told to be on its way."""
    job = await the_one(world, JobStatus.SUSPENDED)
    world.batch.lost, world.batch.is_lost_before = lost, True
    with pytest.raises(BackfillError) as caught:
        await update(world.view, job, READY)
    assert caught.value.exit_code == 10
    assert world.batch.status("mine") is JobStatus.SUSPENDED


async def test_who_confirms_what_a_colleague_just_confirmed_is_told_how_it_is(
    world: World,
) -> None:
    """If this fails, two people who confirm the same job see an error though all is well."""
    job = await the_one(world, JobStatus.SUSPENDED)
    world.job("mine", JobStatus.ACTIVE)
    assert await update(world.view, job, READY) is JobStatus.ACTIVE
    world.job("mine", JobStatus.COMPLETE)
    with pytest.raises(RefusedError, match="JobStatusException"):
        await update(world.view, job, CANCELLED)


def summary(*job_ids: str, **codes: int) -> dict[str, object]:
    return {
        "states": {"succeeded": 95, "failed": sum(codes.values()), "not-attempted": 0},
        "codes": codes,
        "jobs": [{"name": "00-1-0000", "job_id": job_id} for job_id in job_ids],
    }


def with_tasks(world: World, of: dict[str, object]) -> None:
    with world.artifacts.writer(tasks_name(0, 1), columns=TASK_COLUMNS, inputs={}) as writer:
        writer.commit(of)


async def test_the_codes_of_a_report_come_with_their_meaning_most_first(world: World) -> None:
    """If this fails, a person sees the rare cause first, or a code without a word."""
    job = await the_one(world, JobStatus.COMPLETE)
    assert report_read(world.view, job) is None
    with_tasks(world, summary("mine", "other", SlowDown=1, HTTP503=2, NoCode=1, Never=3))
    read = report_read(world.view, job)
    assert read is not None
    assert read.jobs == 2
    told = [(number, one.code, one.cls.value) for number, one in read.failures]
    assert told == [
        (3, "Never", "unknown"),
        (2, "HTTP503", "again"),
        (1, "SlowDown", "again"),
        (1, "NoCode", "unknown"),
    ]
    assert all(failure.sentence for _, failure in read.failures)


async def test_a_report_of_another_job_is_not_this_ones(world: World) -> None:
    """If this fails, a clone is shown with the results of the job that it was cloned from."""
    job = await the_one(world, JobStatus.COMPLETE)
    with_tasks(world, summary("other"))
    assert report_read(world.view, job) is None
    assert report_read(world.view, replace(job, name="")) is None


async def test_a_job_is_looked_for_on_every_side(world: World) -> None:
    """If this fails, a checksum job in the destination's account is unknown to S3."""
    there = JobPlace(account_id="222222222222", region="us-west-2")
    away = ListedJobs(there)
    away.add(description(order(5), "away", JobStatus.ACTIVE))
    view = replace(world.view, sides={**world.view.sides, there: away})
    place, found = await described(view, "away")
    assert (place, found.summary.job_id) == (there, "away")
    with pytest.raises(RefusedError, match="111111111111, eu-west-1 or account 222222222222"):
        await described(view, "nowhere")
