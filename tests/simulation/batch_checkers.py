"""The promises of a run by jobs, checked from the evidence alone; see `checkers` for the others.

jobs once       no order has two jobs, and every job that S3 made is in a ledger
retries exact   a manifest holds exactly the rows that can succeed in it, and all of them
one engine      copies and replicas never meet on a key: the second engine waits for the first
P1, P2, P4, P9  as for copies; outcomes of jobs agree with S3's own tasks and with the buckets
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.sandbox.model.batch_operations.job import Job
from backfill.sandbox.model.operations.jobs import JobStatus
from backfill.sandbox.model.values import ReplicationStatus
from tests.doubles.history import Changed
from tests.simulation.batch_evidence import BatchEvidence, Named, Round, Told, results_of
from tests.simulation.checkers import COPY_CHECKS, Promise, Violation, guarded
from tests.simulation.runs import Run
from tests.simulation.scenario import SOURCE

_AGAIN = frozenset({"SlowDown", "InternalError", "ServiceUnavailable", "HTTP503"})
_AFTER_MEND = frozenset(
    {
        *("InitiateReplicationNotPermitted", "DstPutObjectNotPermitted", "AssumeRoleNotPermitted"),
        *("DstKmsKeyInvalidState", "SrcKmsKeyInvalidState", "DstKmsKeyNotFound"),
    }
)
_STATE = frozenset({"DstVersionNotFound"})
_SKIPPED = frozenset(
    {
        *("SrcObjectNotEligible", "DstObjectHardDeleted"),
        *("SrcVersionNotFound", "SrcObjectNotFound", "SrcKeyNotFound"),
    }
)
_THERE_BEFORE = "SrcReplicationNotPending"
"""The checkers' own table of the codes that this simulation meets; what is in none failed."""

_NEEDS_ARRIVAL = frozenset(
    {"in-flight", "vanished", "replication-failed", "not-delivered", "marker-not-replicated"}
)
"""What may be said of a version whose task succeeded, and that did not arrive."""


def batch_violations(run: Run) -> list[Violation]:
    """Return everything that a run by jobs broke."""
    sides = [
        BatchEvidence(run, bucket, number)
        for number, bucket in enumerate(run.scenario.destinations)
    ]
    if run.failure:
        return [Violation(Promise.P9, "", run.failure), *_jobs_once(sides[0]), *guarded(sides[0])]
    once = chain.from_iterable(check(sides[0]) for check in _OF_THE_RUN)
    each = chain.from_iterable(check(s) for s in sides for check in _OF_A_DESTINATION)
    return [*once, *each]


# --- jobs ---


def _jobs_once(evidence: BatchEvidence) -> Iterator[Violation]:
    orders = Counter(evidence.order(job) for job in evidence.jobs)
    for order, count in orders.items():
        if order is None or count > 1:
            yield Violation(Promise.JOBS, "", f"{count} jobs for order {order}")
    lost = {job.job_id for job in evidence.jobs} - evidence.in_ledgers
    if lost and not evidence.run.failure:
        yield Violation(Promise.JOBS, "", f"no ledger knows of jobs {sorted(lost)}")


# --- P2 ---


def _one_outcome_each(evidence: BatchEvidence) -> Iterator[Violation]:
    for one in evidence.rounds:
        numbers = [outcome.number for outcome in one.outcomes]
        if numbers != [entry.number for entry in one.entries]:
            what = f"round {one.number}: outcomes {numbers} of {len(one.entries)} entries"
            yield Violation(Promise.P2, "", what)
        kinds = Counter(outcome.kind.value for outcome in one.outcomes)
        if one.kinds != {kind.value: kinds[kind.value] for kind in OutcomeKind}:
            yield Violation(Promise.P2, "", f"totals {one.kinds} do not count {kinds}")


# --- tasks and reports ---


def _tasks_agree_with_jobs(evidence: BatchEvidence) -> Iterator[Violation]:
    for one in evidence.rounds:
        rows = one.batch_rows
        for attempt in evidence.attempts(one.number):
            jobs = evidence.jobs_of(one.number, attempt)
            carried_out = results_of(jobs)
            for told in evidence.tasks(one.number, attempt):
                entry = rows[told.number]
                problem = _task_problem(evidence, told, carried_out.get(_name(entry)))
                if problem:
                    what = f"attempt {attempt} of row {told.number} is {told.state}: {problem}"
                    yield Violation(Promise.P4, entry.key, what)
            yield from _stop_is_told(evidence, one, attempt, jobs)


def _task_problem(evidence: BatchEvidence, told: Told, found: "tuple[Job, object] | None") -> str:
    if found is None:
        return "" if told.state == "not-attempted" else "S3 never carried it out"
    job, result = found
    is_success = bool(getattr(result, "is_success", False))
    if told.state == "not-attempted":
        is_late = evidence.batch_scenario.report_lag_s > 0
        return "" if job.faults.report is not None or is_late else "S3 carried it out"
    if job.faults.report is not None:
        return f"the report of its job does not add up ({job.faults.report.name})"
    if is_success:
        return "" if told.state == "succeeded" else "S3 says that it succeeded"
    code, status = getattr(result, "error_code", ""), getattr(result, "http_status", 0)
    is_same = (told.state, told.code, told.http_status) == ("failed", code, status)
    return "" if is_same else f"S3 says {code} {status}"


def _stop_is_told(
    evidence: BatchEvidence, one: Round, attempt: int, jobs: list[Job]
) -> Iterator[Violation]:
    rows = evidence.tasks(one.number, attempt)
    codes = Counter(told.named_code for told in rows if told.state == "failed")
    is_common = len(rows) >= 10 and any(
        codes[code] >= 0.9 * len(rows) for code in codes.keys() & _AFTER_MEND
    )
    has_stopped = is_common or any(job.status is not JobStatus.COMPLETE for job in jobs)
    told = evidence.was_stopped(one.number, attempt)
    if told is not has_stopped:
        what = f"attempt {attempt} of round {one.number}: was stopped {has_stopped}, told {told}"
        yield Violation(Promise.P4, "", what)


# --- retries ---


def _retries_are_exact(evidence: BatchEvidence) -> Iterator[Violation]:
    for one in evidence.rounds:
        rows = one.batch_rows
        wanted = {_name(entry) for entry in rows.values()}
        attempts = evidence.attempts(one.number)
        for attempt in range(1, evidence.batch_scenario.job_attempts_max + 1):
            if bool(wanted) is not (attempt in attempts):
                what = f"attempt {attempt} of round {one.number}: {len(wanted)} rows could succeed"
                yield Violation(Promise.RETRIES, "", what)
            if not wanted:
                break
            yield from _manifest_problem(evidence, one.number, attempt, wanted)
            stopped = evidence.was_stopped(one.number, attempt)
            wanted = {
                _name(rows[told.number])
                for told in evidence.tasks(one.number, attempt)
                if _can_succeed(told, was_stopped=stopped)
            }


def _manifest_problem(
    evidence: BatchEvidence, round_number: int, attempt: int, wanted: set[Named]
) -> Iterator[Violation]:
    uploaded = evidence.uploads.get((round_number, attempt), [])
    jobs = evidence.jobs_of(round_number, attempt)
    if attempt == 1 and not uploaded and any(job.request.manifest_generator for job in jobs):
        return  # S3 listed the versions itself
    if len(uploaded) != len(set(uploaded)) or set(uploaded) != wanted:
        extra, lacking = sorted(set(uploaded) - wanted), sorted(wanted - set(uploaded))
        what = f"the manifest of attempt {attempt} has {extra} and lacks {lacking}"
        yield Violation(Promise.RETRIES, "", what)


def _can_succeed(told: Told, *, was_stopped: bool) -> bool:
    if told.state == "not-attempted":
        return True
    codes = _AGAIN | _AFTER_MEND | _STATE if was_stopped else _AGAIN
    return told.state == "failed" and told.named_code in codes


# --- P4 ---


def _outcomes_of_jobs_are_true(evidence: BatchEvidence) -> Iterator[Violation]:
    for one in evidence.rounds:
        last = evidence.last_told(one.number)
        for number, entry in one.batch_rows.items():
            if entry.destination != evidence.number:
                continue
            outcome, (attempt, told) = one.by_number[number], last[number]
            problem = _problem(evidence, one, entry, outcome, attempt, told)
            if problem:
                said = f"{outcome.kind} {outcome.code}".strip()
                what = f"row {number}, version {entry.version_id}: {said}: {problem}"
                yield Violation(Promise.P4, entry.key, what)


def _problem(
    evidence: BatchEvidence,
    one: Round,
    entry: ManifestEntry,
    outcome: Outcome,
    attempt: int,
    told: Told,
) -> str:
    at_end = evidence.committed[f"outcomes/{one.number:02d}"]
    before_looks = evidence.committed[f"replication/{one.number:02d}-tasks-{attempt}"]
    if outcome.kind in (OutcomeKind.REPLICATED, OutcomeKind.ALREADY_THERE):
        return _presence_problem(evidence, entry, outcome, told, at_end)
    if outcome.code != "in-flight" and evidence.holds(entry, before_looks):
        return "it was there when it was looked for"
    if outcome.code in _NEEDS_ARRIVAL:
        return _absence_problem(evidence, entry, outcome, told, at_end)
    if told.state == "succeeded":
        return "its last task succeeded"
    code = "not-attempted" if told.state == "not-attempted" else told.named_code
    expected = OutcomeKind.SKIPPED if code in _SKIPPED else OutcomeKind.FAILED
    return "" if (outcome.kind, outcome.code) == (expected, code) else f"S3 says {code}"


def _presence_problem(
    evidence: BatchEvidence, entry: ManifestEntry, outcome: Outcome, told: Told, at_end: int
) -> str:
    is_ours = outcome.kind is OutcomeKind.REPLICATED
    if is_ours is not (told.state == "succeeded"):
        return f"its last task is {told.state}"
    if not evidence.holds(entry, at_end):
        return "the destination does not hold it as a replica"
    return "" if outcome.version_id == entry.version_id else "another version ID"


def _absence_problem(
    evidence: BatchEvidence, entry: ManifestEntry, outcome: Outcome, told: Told, at_end: int
) -> str:
    # One task is about every destination: where one refused it, others may have it on its way.
    may_come = outcome.code == "in-flight" and evidence.batch_scenario.has_second
    if told.state != "succeeded" and told.named_code != _THERE_BEFORE and not may_come:
        return f"its last task is {told.state} {told.named_code}"
    meant = evidence.meant(entry)
    assert meant is not None, "a row is about a version"
    now = evidence.chain_at(SOURCE, entry.key, at_end)
    is_there = any(one.sequence == meant.sequence for one in now)
    status = next(
        (
            e.replication_status
            for e in evidence.final(SOURCE, entry.key)
            if e.sequence == meant.sequence
        ),
        None,
    )
    match outcome.code:
        case "vanished":
            return "the source has it" if is_there else ""
        case "replication-failed" if is_there and status is not ReplicationStatus.FAILED:
            return f"the source says {status}"
        case "marker-not-replicated":
            return "" if entry.etag is None else "it is no delete marker"
        case _:
            return ""


# --- one engine ---


def _one_engine_a_key(evidence: BatchEvidence) -> Iterator[Violation]:
    for key, changes in evidence.changed.items():
        copies = [position for position, change in changes if change.is_ours]
        if not copies:
            continue
        for one in evidence.rounds:
            rows = [entry for entry in one.batch_rows.values() if entry.key == key]
            if not rows:
                continue
            if copies[0] < evidence.committed[f"outcomes/{one.number:02d}"]:
                yield Violation(Promise.ENGINE, key, "copied before its outcomes were told")
            for outcome in (one.by_number[entry.number] for entry in rows):
                if outcome.kind is OutcomeKind.FAILED or outcome.code == "in-flight":
                    what = f"copied, and row {outcome.number} is {outcome.kind} {outcome.code}"
                    yield Violation(Promise.ENGINE, key, what)
        for position, change in changes:
            if position > copies[0] and _is_of_a_job(evidence, change):
                what = f"a job's replica of {change.made} arrived after our copy"
                yield Violation(Promise.ENGINE, key, what[:200])


def _is_of_a_job(evidence: BatchEvidence, change: Changed) -> bool:
    made = change.made
    is_arrival = change.actor == "replication" and made is not None
    return is_arrival and made is not None and (made.key, made.version_id) in evidence.asked_for


def _replicas_do_not_cover_newer(evidence: BatchEvidence) -> Iterator[Violation]:
    """What a job of ours starts never stands in front of what is newer."""
    for key, changes in evidence.changed.items():
        for _, change in changes:
            if not _is_of_a_job(evidence, change) or change.after[0] is not change.made:
                continue
            rank = evidence.rank(change.made)
            below = evidence.rank(change.before[0]) if change.before else None
            if rank is not None and below is not None and rank < below:
                what = f"a job's replica of rank {rank} covers rank {below}"
                yield Violation(Promise.P1, key, what)


def _name(entry: ManifestEntry) -> Named:
    assert entry.version_id is not None, "a row of Batch Replication names its version"
    return entry.key, entry.version_id


Check = Callable[[BatchEvidence], Iterator[Violation]]

_OF_THE_RUN: tuple[Check, ...] = (
    _jobs_once,
    _one_outcome_each,
    _tasks_agree_with_jobs,
    _retries_are_exact,
    guarded,
)
_OF_A_DESTINATION: tuple[Check, ...] = (
    _outcomes_of_jobs_are_true,
    _one_engine_a_key,
    _replicas_do_not_cover_newer,
    *COPY_CHECKS,
)
