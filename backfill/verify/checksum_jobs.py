"""Compute checksum jobs on both sides, for the rows that nothing stored could prove.

Never reads or writes an object: S3 reads the bytes where they lie, and its reports tell. Each side
has jobs of its own, at the same time, in its own account and Region.
Law: what is asked follows from `verify/NN-unproven` alone, so that a process which comes after a
crash, an interruption or a wait for a person makes the same manifests and finds the same jobs.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from backfill.batch_operations.collecting import CollectedReport, merge_reports
from backfill.batch_operations.joining import AskedVersion, joined
from backfill.batch_operations.orders import EndedJob
from backfill.batch_operations.side_by_side import Draining, Shift, carry_out_side_by_side
from backfill.batch_operations.task_results import TaskResult
from backfill.batch_operations.task_tally import TaskTally
from backfill.batch_operations.workplace import Assignment, Workplace, report_of, shard_orders
from backfill.manifest.operations_rows import ObjectRow
from backfill.model.escaping import visible_text
from backfill.model.jobs import JobOperation, JobStatus
from backfill.model.objects import ETag, VersionId
from backfill.plan.header import PlanHeader
from backfill.ports import ArtifactIndex, ArtifactStore
from backfill.verify.checksums import (
    CHECKSUM_COLUMNS,
    ChecksumProof,
    Reading,
    proof_of,
    proof_row_of,
    reading_of,
)
from backfill.verify.decisions import Judged, SourceSeen
from backfill.verify.rows import checksum_ledger_names, checksums_name, draft_of, job_sides
from backfill.verify.verdicts import VerdictRow

BREATH_ROWS: Final = 1_000
"""Rows joined in one go before signals get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumJobs:
    """How checksums are computed: where the jobs of either side are made, and by what algorithm.

    All destinations are in one account and Region.
    """

    algorithm: str
    source: Workplace
    destination: Workplace
    draining: Draining


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unproven:
    """A row to prove, and what was seen of its source version."""

    number: int
    row: VerdictRow
    source: SourceSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """The jobs about one bucket's versions. `asked` streams them in the rows' order, anew."""

    word: str
    at: Workplace
    assignment: Assignment
    ledger_name: str
    asked: Callable[[], Iterator[AskedVersion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a side's jobs left: their checked reports, and how a job broke off (empty: none did)."""

    side: _Side
    job_ids: tuple[str, ...]
    reports: tuple[CollectedReport, ...]
    ending: str
    tally: TaskTally

    def results(self) -> Iterator[TaskResult]:
        """Stream what was told of each version that was asked about, in the rows' order."""
        rows = merge_reports(*self.reports)
        return self.tally.counted(joined(self.side.asked(), rows, allows_foreign=False))


async def prove_by_jobs(
    unproven: ArtifactIndex,
    jobs: ChecksumJobs,
    *,
    round_number: int,
    header: PlanHeader,
    artifacts: ArtifactStore,
) -> None:
    """Carry out the jobs about these rows, and leave a proof for each in `verify/NN-checksums`.

    No rows need no jobs, and what stands already is left as it is.

    Raises:
        JobWaitsError: Jobs are Suspended until a person confirms them.
        InterruptedRunError: A signal came; jobs go on in S3, and the same call comes back to them.
        ReportRefusedError: A completion report does not add up.
        BackfillError: Jobs cannot be made or watched.
    """
    name, inputs = checksums_name(round_number), {unproven.name: unproven.digest}
    done = artifacts.index(name)
    if done is not None and done.inputs == inputs:
        return
    sides = _sides(unproven, jobs, round_number, header, artifacts)
    shifts = [
        Shift(
            at=side.at,
            orders=await shard_orders(side.at, side.assignment, _object_rows(side)),
            ledger_name=side.ledger_name,
        )
        for side in sides
    ]
    ended = await carry_out_side_by_side(shifts, jobs.draining)
    with ExitStack() as reports:
        told = [
            await _collected(side, own, reports) for side, own in zip(sides, ended, strict=True)
        ]
        with artifacts.writer(name, columns=CHECKSUM_COLUMNS, inputs=inputs) as writer:
            proofs = _proofs(_unproven(artifacts, unproven), told, jobs.algorithm)
            for joined_rows, proof in enumerate(proofs):
                if joined_rows % BREATH_ROWS == 0:
                    await asyncio.sleep(0)
                writer.write(proof_row_of(proof))
            writer.commit({one.side.word: one.tally.summary(one.job_ids) for one in told})


def _unproven(artifacts: ArtifactStore, index: ArtifactIndex) -> Iterator[_Unproven]:
    for cells in artifacts.rows(index.name):
        decision = draft_of(cells).decision
        assert isinstance(decision, Judged), "only a verdict can be unproven"
        assert decision.unproven is not None, "the artefact holds unproven rows only"
        assert decision.row.number is not None, "and each is a plan row's"
        yield _Unproven(number=decision.row.number, row=decision.row, source=decision.unproven)


def _sides(
    unproven: ArtifactIndex,
    jobs: ChecksumJobs,
    round_number: int,
    header: PlanHeader,
    artifacts: ArtifactStore,
) -> tuple[_Side, ...]:
    """Return the source's side, then one for each destination."""

    def of_source() -> Iterator[AskedVersion]:
        for one in _unproven(artifacts, unproven):
            yield AskedVersion(one.number, one.row.key, one.row.version_id)

    def of_destination(number: int) -> Iterator[AskedVersion]:
        for one in _unproven(artifacts, unproven):
            if one.row.destination == number:
                yield AskedVersion(one.number, one.row.key, one.row.destination_version_id)

    def assignment(word: str, bucket: str) -> Assignment:
        return Assignment(
            # The digest keeps apart what a verification asked before it had to look afresh.
            name=f"verify-{round_number:02d}-{unproven.digest[:8]}-{word}",
            operation=JobOperation.COMPUTE_CHECKSUM,
            bucket=bucket,
            digest=unproven.digest,
            checksum_algorithm=jobs.algorithm,
        )

    ledgers = checksum_ledger_names(round_number, len(header.destinations))
    source_word, *words = job_sides(len(header.destinations))
    source = _Side(
        word=source_word,
        at=jobs.source,
        assignment=assignment(source_word, header.source.bucket),
        ledger_name=ledgers[0],
        asked=of_source,
    )
    destinations = (
        _Side(
            word=words[number],
            at=jobs.destination,
            assignment=assignment(words[number], place.bucket),
            ledger_name=ledgers[number + 1],
            asked=partial(of_destination, number),
        )
        for number, place in enumerate(header.destinations)
    )
    return (source, *destinations)


# --- the jobs ---


def _object_rows(side: _Side) -> Iterator[ObjectRow]:
    """Give a row for each version, however many destinations it is compared at."""
    for key, asked in groupby(side.asked(), key=lambda one: one.key):
        for version_id in dict.fromkeys(one.version_id for one in asked):
            assert version_id is not None, "what was looked at has a version ID"
            yield ObjectRow(
                bucket=side.assignment.bucket, key=key, version_id=VersionId(version_id)
            )


async def _collected(side: _Side, jobs: Sequence[EndedJob], reports: ExitStack) -> _Told:
    """Fetch and check a side's reports; `reports` closes them."""
    found: list[CollectedReport] = []
    for job in jobs:
        report = await report_of(side.at, job, bucket=side.assignment.bucket)
        found += [reports.enter_context(report)] if report is not None else []
    broken = (job for job in jobs if job.description.summary.status is not JobStatus.COMPLETE)
    ending = "; ".join(_ending(job) for job in broken)
    return _Told(
        side=side,
        job_ids=tuple(job.job_id for job in jobs),
        reports=tuple(found),
        ending=ending and f"{ending}.",
        tally=TaskTally(),
    )


def _ending(job: EndedJob) -> str:
    description = job.description
    why = description.failure_words or description.status_reason or "S3 gives no reason"
    return f"job {job.job_id} is {description.summary.status.value} ({visible_text(why)})"


# --- the join ---


def _proofs(
    rows: Iterator[_Unproven], told: Sequence[_Told], algorithm: str
) -> Iterator[ChecksumProof]:
    """Join the rows with what either side told of them: all streams are in the rows' order."""
    results = [one.results() for one in told]
    for one in rows:
        number = one.row.destination + 1
        source, destination = next(results[0]), next(results[number])
        assert source.number == destination.number == one.number, "streams are in step"
        yield proof_of(
            one.number,
            _reading(source, told[0], algorithm, one.source.etag),
            _reading(destination, told[number], algorithm, one.row.destination_etag),
            algorithm=algorithm,
        )
    # The join refuses rows that nobody asked for only once it is asked for more.
    left = [next(result, None) for result in results]
    assert not any(left), "every version that was asked about is some row's"


def _reading(result: TaskResult, told: _Told, algorithm: str, etag: ETag | None) -> Reading:
    return reading_of(result, algorithm=algorithm, etag=etag, ending=told.ending)
