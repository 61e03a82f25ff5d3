"""How far a run is: which artefacts stand, how many rows each has, and what jobs it waits for.

Never writes, takes no lock and asks nothing of AWS: it may be asked while the run works, and tells
of jobs what the run saw last.
Law: what is not durable yet does not count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backfill.batch_operations.ledger import JobRecord, decoded
from backfill.compose import Machine
from backfill.execute.batch_replication.work import ledger_name
from backfill.inventory.run import SOURCE, destination_name
from backfill.manifest.run import manifest_name
from backfill.model.escaping import visible_text
from backfill.model.jobs import JobStatus
from backfill.model.units import counted, readable_size
from backfill.plan.run import PLAN
from backfill.report.restored import restored_of
from backfill.run_directory.identity import RunIdentity
from backfill.verify.rows import checksum_ledger_names, verdicts_name
from backfill.work_done import WorkDone, outcomes_name

_NAMED_MAX: Final = 3
"""Jobs that one line names; `backfill jobs` has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """One artefact of the run: its name and rows; `rows` None while it does not stand."""

    name: str
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAtWork:
    """A job that the run knows no end of, as it saw it last.

    `job_id` is empty while S3's answer to CreateJob is missing, `status` None until the first look.
    """

    job_id: str
    status: JobStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoresAtWork:
    """Restores of archived versions, as the run saw them last."""

    asked: int
    size_bytes: int
    waiting: int
    since: datetime | None
    looked_at: datetime | None
    estimate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run directory at a glance. `jobs` are those that the next stage waits for."""

    run_id: str
    source_bucket: str
    begun_at: datetime
    stages: tuple[StageStatus, ...]
    next_stage: str
    jobs: tuple[JobAtWork, ...]
    restores: RestoresAtWork | None = None


def status_of(identity: RunIdentity, here: Machine) -> RunStatus:
    """Return the state of a run directory.

    Raises:
        ArtifactDamagedError: A ledger of jobs, or an index, is not as it was written.
        ForeignRunDirectoryError: A newer backfill wrote it.
    """
    work = WorkDone(here.artifacts)
    rounds = range(max(1, work.manifests))
    names = [
        SOURCE,
        *(destination_name(number) for number in range(_destinations(here))),
        PLAN,
        *(name(number) for number in rounds for name in (manifest_name, outcomes_name)),
        *(verdicts_name(number + 1) for number in range(max(1, work.verifications))),
    ]
    stages = tuple(StageStatus(name=name, rows=_rows(here, name)) for name in names)
    waiting = (stage.name for stage in stages if stage.rows is None)
    return RunStatus(
        run_id=identity.run_id,
        source_bucket=identity.campaign.get("source bucket", ""),
        begun_at=identity.horizon,
        stages=stages,
        next_stage=next(waiting, ""),
        jobs=tuple(_jobs_at_work(here, work)),
        restores=_restores_at_work(work),
    )


def status_lines(status: RunStatus) -> Iterator[str]:
    """Give the status for a terminal."""
    yield f"run {status.run_id} of {visible_text(status.source_bucket)}, begun {status.begun_at}"
    for stage in status.stages:
        words = "not yet" if stage.rows is None else f"{counted(stage.rows)} rows"
        yield f"  {stage.name}: {words}"
    next_words = f"next: {status.next_stage}" if status.next_stage else "every stage stands"
    yield f"{next_words}; {_job_words(status.jobs)}" if status.jobs else next_words
    if status.restores is not None:
        yield _restore_words(status.restores)


def _restores_at_work(work: WorkDone) -> RestoresAtWork | None:
    ledger = work.restores(work.manifests - 1) if work.manifests else None
    if ledger is None:
        return None
    return RestoresAtWork(
        asked=ledger.restores,
        size_bytes=ledger.asked_bytes,
        waiting=ledger.waiting.restores,
        since=ledger.begun_at,
        looked_at=ledger.looked_at,
        estimate=restored_of(ledger).estimate,
    )


def _restore_words(restores: RestoresAtWork) -> str:
    words = [f"restores: {counted(restores.asked)}, {readable_size(restores.size_bytes)}"]
    if restores.estimate:
        words.append(restores.estimate)
    if restores.waiting:
        words.append(
            f"{counted(restores.waiting)} archived versions wait for their restore since"
            f" {restores.since}, looked at {restores.looked_at}"
        )
    return "; ".join(words)


def _job_words(jobs: tuple[JobAtWork, ...]) -> str:
    """Say whom the run waits for: a person first, because nothing else comes of itself."""
    waiting = [job for job in jobs if job.status is JobStatus.SUSPENDED]
    if waiting:
        return f"waits for a person to confirm {_named(waiting)}: see backfill jobs"
    return f"at work at S3 when last seen: {_named(jobs)}: see backfill jobs"


def _named(jobs: Sequence[JobAtWork]) -> str:
    names = [visible_text(job.job_id) or "(ID not told yet)" for job in jobs[:_NAMED_MAX]]
    more = len(jobs) - len(names)
    words = ", ".join(names) + (f" and {counted(more)} more" if more else "")
    return f"{'job' if len(jobs) == 1 else 'jobs'} {words}"


def _jobs_at_work(here: Machine, work: WorkDone) -> Iterator[JobAtWork]:
    """Give the jobs without an end: of the newest round until it is over, and of a verification."""
    newest = work.manifests - 1
    names = [ledger_name(newest)] if work.outcome_rounds <= newest else []
    # A verification that waits for its jobs is the one after those that stand.
    names += checksum_ledger_names(work.verifications + 1, _destinations(here))
    for name in names:
        for record in _records(here, name):
            if record.sent_at is not None and record.ended is None:
                yield JobAtWork(job_id=record.job_id, status=record.status)


def _records(here: Machine, name: str) -> tuple[JobRecord, ...]:
    data = here.artifacts.read_document(name)
    return decoded(data, name) if data is not None else ()


def _rows(here: Machine, name: str) -> int | None:
    index = here.artifacts.index(name)
    return index.rows if index is not None else None


def _destinations(here: Machine) -> int:
    """Return how many destination inventories stand, at least one."""
    number = 0
    while here.artifacts.index(destination_name(number)) is not None:
        number += 1
    return max(1, number)
