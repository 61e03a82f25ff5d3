"""A simulated run by jobs as a table that a person can read: choices, events, jobs, rows."""

from collections.abc import Iterator

from backfill.model.escaping import visible_text
from backfill.sandbox.model.batch_operations.job import Job
from tests.doubles.history import Changed, Committed, Event, Sent
from tests.simulation.batch_checkers import batch_violations
from tests.simulation.batch_evidence import BatchEvidence
from tests.simulation.runs import Run
from tests.simulation.scenario import SOURCE
from tests.simulation.table import chain_words, choices, event_line


def batch_table(run: Run, key: str = "") -> Iterator[str]:
    """Yield the lines of a run by jobs; with a key only what bears on it."""
    sides = [BatchEvidence(run, name, n) for n, name in enumerate(run.scenario.destinations)]
    yield f"seed {run.scenario.seed}"
    yield from choices(run.scenario)
    yield "before:"
    for (bucket, name), chain in run.history.origins.items():
        if key in ("", name):
            yield f"  {bucket:18} {visible_text(name):8} {chain_words(chain, sides[0])}"
    yield "what happened:"
    for event in run.history.events:
        if told := _told(event, sides, key):
            yield f"{event.at_s:9.3f}  {told}"
    yield f"processes: {', '.join(run.endings)}"
    yield "jobs:"
    for job in sides[0].jobs:
        yield from _job(job, sides[0], key)
    yield from _rows(sides[0], key)
    yield "at rest:"
    yield from _at_rest(sides, key)
    for found in batch_violations(run):
        yield f"BROKEN {found.promise}: {visible_text(found.key)}: {found.what}"


def _at_rest(sides: list[BatchEvidence], key: str) -> Iterator[str]:
    for name in sides[0].scenario.keys:
        for bucket, side in ((SOURCE, sides[0]), *((one.destination, one) for one in sides)):
            if key in ("", name):
                chain = chain_words(side.final(bucket, name), side)
                yield f"  {bucket:18} {visible_text(name):8} {chain}"


def _told(event: Event, sides: list[BatchEvidence], key: str) -> str:
    match event:
        case Changed():
            side = next((one for one in sides if one.destination == event.bucket), sides[0])
            return event_line(event, side, key)
        case Committed() if not key:
            return f"{event.actor:11} has {event.name}"
        case Sent(operation="CreateJob") if not key:
            struck = event.fault.upper() or "is sent"
            return f"{event.actor:11} CreateJob {struck:12} {event.parameters['Description']}"
        case _:
            return event_line(event, sides[0], key)


def _job(job: Job, evidence: BatchEvidence, key: str) -> Iterator[str]:
    order = evidence.order(job)
    name = f"{order[0]:02d}-{order[1]}-{order[2]:04d}" if order else "somebody's"
    planted = ", ".join(
        str(one.name) for one in (job.faults.end, job.faults.report) if one is not None
    )
    done = f"{len(job.results)} of {len(job.tasks)} tasks, {job.failed_count} failed"
    yield f"  {name} {job.job_id[:8]} {job.status}: {done} {planted and f'(planted: {planted})'}"
    for one in job.results:
        if key in ("", one.task.key):
            version = f"{visible_text(one.task.key)} {one.task.version_id}"
            yield f"      {version}: {one.http_status} {one.error_code or one.message}"


def _rows(evidence: BatchEvidence, key: str) -> Iterator[str]:
    for one in evidence.rounds:
        yield f"round {one.number}:"
        told: dict[int, list[str]] = {}
        for attempt in evidence.attempts(one.number):
            for task in evidence.tasks(one.number, attempt):
                words = f"{attempt}: {task.state} {task.code}".strip()
                told.setdefault(task.number, []).append(words)
        for entry in one.entries:
            if key not in ("", entry.key):
                continue
            outcome = one.by_number[entry.number]
            yield (
                f"  row {entry.number:2} {visible_text(entry.key):8} {entry.version_id}"
                f" to {entry.destination} {entry.route} [{'; '.join(told.get(entry.number, []))}]"
                f" {outcome.kind} {outcome.code}"
            )
