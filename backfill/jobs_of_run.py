"""The Batch Operations jobs of a run: its ledgers, joined with what S3 says of the jobs now.

Never writes into the run directory and takes no lock: it is asked while the run works.
Law: a job is the run's by its ID in a ledger, by an order's digest, or by its tag where a ledger is
damaged; likeness never makes it so, and only such a job is confirmed or cancelled.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from backfill.aws.faults import error_of
from backfill.batch_operations.failure_codes import Failure, failure_of
from backfill.batch_operations.finding import CLOCKS_APART, TAG_READS_MAX
from backfill.batch_operations.known_jobs import OTHERS_MAX, Job, Jobs, KnownBy, has_effect
from backfill.batch_operations.ledger import JobRecord, decoded
from backfill.batch_operations.standings import is_gone
from backfill.batch_operations.tokens import RUN_TAG, description_digest, digest_in_description
from backfill.campaign import Campaign
from backfill.compose import Clients, Machine
from backfill.errors import ArtifactDamagedError, RefusedError, StoreFault
from backfill.execute.batch_replication.work import ledger_name, tasks_name
from backfill.model.jobs import (
    JobDescription,
    JobPlace,
    JobStatus,
    JobSummary,
    RequestedStatus,
)
from backfill.opening import remembered_scene
from backfill.ports import ArtifactStore, BatchOperations
from backfill.verify.rows import checksum_ledger_names, checksums_name
from backfill.work_done import WorkDone

REASONS: Final = {
    RequestedStatus.READY: "confirmed with backfill jobs",
    RequestedStatus.CANCELLED: "cancelled with backfill jobs",
}
"""StatusUpdateReason: who looks at the job later sees who changed it."""

_ORDER_NAME: Final = re.compile(r"(\d{2,})-(\d+)-\d{4,}")
_CHECKSUM_ORDER_NAME: Final = re.compile(
    r"verify-(\d{2,})-[0-9a-f]{8}-(source|destination-\d{2,})-\d{4,}"
)
_STATUS_AS_CODE: Final = re.compile(r"HTTP(\d{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is needed to look at the jobs of a run. Each place is asked by its own identity."""

    run_id: str
    source_bucket: str
    begun_at: datetime
    artifacts: ArtifactStore
    sides: Mapping[JobPlace, BatchOperations]
    destinations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRead:
    """What a run has read in the completion reports of an attempt, this job's among them.

    `artifact` holds a row for each task; `jobs` is how many jobs the attempt had.
    """

    artifact: str
    jobs: int
    states: Mapping[str, int]
    failures: tuple[tuple[int, Failure], ...]


def view_of(campaign: Campaign, here: Machine, clients: Clients) -> View:
    """Return the view of the run in a run directory; nothing is asked of AWS.

    Raises:
        UsageError: No run was begun there.
    """
    identity, scene = remembered_scene(campaign, here)
    source = JobPlace(account_id=scene.source.expected_owner, region=scene.source.region)
    sides = {source: clients.source_batch}
    if campaign.batch.destination_role_arn:
        for destination in scene.destinations:
            place = destination.place
            at = JobPlace(account_id=place.expected_owner, region=place.region)
            sides.setdefault(at, clients.destination_batch)
    return View(
        run_id=identity.run_id,
        source_bucket=scene.source.bucket,
        begun_at=identity.horizon,
        artifacts=here.artifacts,
        sides=sides,
        destinations=len(scene.destinations),
    )


async def jobs_of(view: View, *, with_others: bool = False) -> Jobs:
    """Return the run's jobs, and with `with_others` all that S3 lists in their account and Region.

    A run that has no ledger has no jobs, and S3 is not asked for any.

    Raises:
        StoreFault: S3 does not answer.
        ForeignRunDirectoryError: a newer backfill wrote a ledger.
    """
    ledgers = _Ledgers(view)
    found: list[Job] = []
    others: list[Job] = []
    has_more = False
    if ledgers.records or ledgers.damaged or with_others:
        for place, batch in view.sides.items():
            async for summary in batch.list_jobs(place):
                job = ledgers.recognised(summary, place)
                if job.known_by is not KnownBy.NOTHING:
                    found.append(job)
                elif not with_others and not _may_be_tagged(view, ledgers, summary):
                    continue
                elif len(others) < OTHERS_MAX:
                    others.append(job)
                else:
                    has_more = True
    if ledgers.damaged:
        found, others = await _with_tagged(view, found, others)
    return Jobs(
        jobs=tuple(await _in_order(view, ledgers, found)),
        others=tuple(others) if with_others else (),
        damaged=tuple(ledgers.damaged),
        has_more=has_more and with_others,
    )


async def described(view: View, job_id: str) -> tuple[JobPlace, JobDescription]:
    """Return what S3 says of a job, or said last; and where the job lives.

    Raises:
        RefusedError: Neither S3 nor a ledger knows it.
        StoreFault: S3 does not answer.
    """
    for place, batch in view.sides.items():
        try:
            return place, await batch.describe_job(place, job_id)
        except StoreFault as fault:
            if not is_gone(fault):
                raise
    for record in _Ledgers(view).records:
        if record.job_id == job_id and record.ended is not None:
            return next(iter(view.sides)), record.ended
    raise _unknown(view, job_id)


async def job_of(view: View, job_id: str) -> tuple[Job, JobDescription]:
    """Return a job, whosesoever it is, and all that S3 says of it.

    Raises:
        RefusedError, StoreFault: As `described`.
    """
    place, description = await described(view, job_id)
    ours = (job for job in (await jobs_of(view)).jobs if job.job_id == job_id)
    other = Job(name="", job_id=job_id, known_by=KnownBy.NOTHING, place=place)
    return replace(next(ours, other), summary=description.summary), description


async def update(view: View, job: Job, requested: RequestedStatus) -> JobStatus:
    """Confirm or cancel a job and return its status then.

    Raises:
        BackfillError: S3 says no, or does not answer and the job shows no effect.
    """
    batch = view.sides[job.place]
    try:
        return await batch.update_job_status(
            job.place, job.job_id, requested, reason=REASONS[requested]
        )
    except StoreFault as fault:
        # Nobody knows whether a lost answer was a yes; the job itself does.
        if fault.is_ambiguous or fault.code == "JobStatusException":
            status = (await batch.describe_job(job.place, job.job_id)).summary.status
            if has_effect(requested, status):
                return status
        raise error_of(fault) from fault


def report_read(view: View, job: Job) -> ReportRead | None:
    """Return what the run has read of a job's completion report; None while it has not."""
    found = _told_of(view.artifacts, job.name)
    if found is None:
        return None
    artifact, told = found
    match told:
        case {"jobs": [*jobs], "states": {**states}, "codes": {**codes}}:
            pass
        case _:
            raise ArtifactDamagedError(
                f"the summary of {artifact} is not what a run writes",
                hint="use the version of backfill that wrote the run directory",
            )
    if not any(isinstance(one, dict) and one.get("job_id") == job.job_id for one in jobs):
        return None
    counts = sorted(((_count(n), str(code)) for code, n in codes.items()), reverse=True)
    return ReportRead(
        artifact=artifact,
        jobs=len(jobs),
        states={str(state): _count(number) for state, number in states.items()},
        failures=tuple((number, _failure(code)) for number, code in counts),
    )


def _told_of(artifacts: ArtifactStore, order: str) -> tuple[str, object] | None:
    """Return the artefact that an order's report went into, and what its summary says of it."""
    if name := _ORDER_NAME.fullmatch(order):
        index = artifacts.index(tasks_name(int(name[1]), int(name[2])))
        return (index.name, index.summary) if index is not None else None
    if name := _CHECKSUM_ORDER_NAME.fullmatch(order):
        index = artifacts.index(checksums_name(int(name[1])))
        return (index.name, index.summary.get(name[2])) if index is not None else None
    return None


class _Ledgers:
    """What the run directory remembers of jobs."""

    def __init__(self, view: View) -> None:
        self.records: list[JobRecord] = []
        self.damaged: list[str] = []
        for name in _ledger_names(view):
            try:
                data = view.artifacts.read_document(name)
                self.records += decoded(data, name) if data is not None else ()
            except ArtifactDamagedError:
                self.damaged.append(name)
        self._by_id = {record.job_id: record for record in self.records if record.job_id}
        self._by_digest = {description_digest(record.token): record for record in self.records}

    def recognised(self, summary: JobSummary, place: JobPlace) -> Job:
        """Return a listed job with what the ledgers know of it."""
        record = self._by_id.get(summary.job_id)
        known_by = KnownBy.LEDGER
        if record is None:
            record = self._by_digest.get(digest_in_description(summary.description))
            known_by = KnownBy.COPY if record is not None and record.job_id else KnownBy.DIGEST
        return Job(
            name=record.name if record is not None else "",
            job_id=summary.job_id,
            known_by=known_by if record is not None else KnownBy.NOTHING,
            place=place,
            summary=summary,
            sent_at=record.sent_at if record is not None else None,
        )


def _ledger_names(view: View) -> Iterator[str]:
    """Give the names of all ledgers that there can be: rounds' first, then verifications'.

    A verification that waits for its jobs is not done yet, and is the one after those that are.
    """
    work = WorkDone(view.artifacts)
    yield from (ledger_name(number) for number in range(work.manifests))
    for number in range(1, work.verifications + 2):
        yield from checksum_ledger_names(number, view.destinations)


def _may_be_tagged(view: View, ledgers: _Ledgers, summary: JobSummary) -> bool:
    """Return whether a job's tags are worth a look: ours may be one that a ledger has lost."""
    is_of_our_time = summary.created_at >= view.begun_at - CLOCKS_APART
    is_marked = bool(digest_in_description(summary.description))
    return bool(ledgers.damaged) and is_marked and is_of_our_time


async def _with_tagged(
    view: View, found: list[Job], others: list[Job]
) -> tuple[list[Job], list[Job]]:
    """Move those to the found ones whose tags name the run; TAG_READS_MAX of them are asked."""
    marked = [
        job for job in others if job.summary and digest_in_description(job.summary.description)
    ]
    tagged = []
    for job in marked[:TAG_READS_MAX]:
        try:
            tags = await view.sides[job.place].job_tags(job.place, job.job_id)
        except StoreFault as fault:
            if not is_gone(fault):
                raise
            continue
        if tags.get(RUN_TAG) == view.run_id:
            tagged.append(job)
    return (
        [*found, *(replace(job, known_by=KnownBy.TAG) for job in tagged)],
        [job for job in others if job not in tagged],
    )


async def _in_order(view: View, ledgers: _Ledgers, found: Sequence[Job]) -> list[Job]:
    """Return the jobs of the ledgers in their order, then what the ledgers do not know.

    Of several with the digest of one order the first is the run's, as for the driver.
    """
    listed: dict[str, Job] = {}
    more: list[Job] = []
    for job in sorted(found, key=_age):
        if job.known_by not in {KnownBy.LEDGER, KnownBy.DIGEST}:
            more.append(job)
        elif listed.setdefault(job.name, job) is not job:
            more.append(replace(job, known_by=KnownBy.COPY))
    ordered = [listed.get(one.name) or await _unlisted(view, one) for one in ledgers.records]
    return [*ordered, *more]


async def _unlisted(view: View, record: JobRecord) -> Job:
    """Return the job of an order that S3 does not list (yet, or any more)."""
    job = Job(
        name=record.name,
        job_id=record.job_id,
        known_by=KnownBy.LEDGER,
        place=next(iter(view.sides)),
        sent_at=record.sent_at,
    )
    if not record.job_id:
        return job
    try:
        place, description = await described(view, record.job_id)
    except RefusedError:
        return job
    is_forgotten = description == record.ended
    return replace(job, place=place, summary=description.summary, is_forgotten=is_forgotten)


def _age(job: Job) -> tuple[datetime, str]:
    assert job.summary is not None, "what is listed has a summary"
    return job.summary.created_at, job.job_id


def _unknown(view: View, job_id: str) -> RefusedError:
    places = " or ".join(f"account {p.account_id}, {p.region}" for p in view.sides)
    return RefusedError(
        f"S3 knows no job {job_id} in {places}",
        hint="check the ID with `backfill jobs`; S3 forgets a job 90 days after its end",
    )


def _failure(code: str) -> Failure:
    """Return a counted code explained, also one that stands in for a code that S3 left out."""
    if code == "NoCode":
        return failure_of("", None, "")
    status = _STATUS_AS_CODE.fullmatch(code)
    return failure_of("" if status else code, int(status[1]) if status else None, "")


def _count(value: object) -> int:
    assert isinstance(value, int), "a summary counts"
    return value
