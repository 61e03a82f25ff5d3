"""Jobs in a terminal and as JSON: what `backfill jobs` says of them.

Never asks S3. A person needs to know nothing of Batch Operations to read it.
Law: text that comes from S3 is escaped before it is shown, and a status never stands without words.
"""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from backfill.batch_operations.completion_report import manifest_keys
from backfill.batch_operations.explaining import STATUS_TEXTS, job_failure_texts
from backfill.batch_operations.failure_codes import Failure, FailureClass
from backfill.batch_operations.known_jobs import OTHERS_MAX, Job, Jobs, KnownBy
from backfill.batch_operations.task_results import TaskState
from backfill.jobs_of_run import ReportRead, View
from backfill.model.escaping import visible_text
from backfill.model.jobs import JobDescription, JobOperation, JobProgress, JobStatus, JobSummary
from backfill.model.units import counted, readable_duration

LIST_SCHEMA: Final = "backfill.jobs/1"
SHOW_SCHEMA: Final = "backfill.job/1"
UPDATE_SCHEMA: Final = "backfill.job-updates/1"

_WIDTH: Final = 96
_LABEL: Final = 12
_OPERATIONS: Final[Mapping[str, str]] = {
    JobOperation.REPLICATE: "Batch Replication: S3 replicates versions that exist already, by the"
    " source bucket's own rules",
    JobOperation.COMPUTE_CHECKSUM: "Compute checksum: S3 computes a checksum of each version's"
    " bytes, and changes nothing",
}
_CLASSES: Final[Mapping[FailureClass, str]] = {
    FailureClass.BENIGN: "nothing is wrong",
    FailureClass.GONE: "gone from the source",
    FailureClass.AGAIN: "passing, tried again by itself",
    FailureClass.AFTER_MEND: "can succeed once this is mended",
    FailureClass.OTHER_ROUTE: "never by Batch Replication",
    FailureClass.STATE: "can succeed once the object is changed",
    FailureClass.UNKNOWN: "not documented by AWS",
}
_READ: Final = {
    False: (
        "Nothing at S3. The run has read the report and looks at the destination for each version.",
        "Mend what is named below, then: backfill repair; if that stopped the run, run it again.",
    ),
    True: (
        "Nothing at S3. `backfill verify` has read the completion report and judged by it.",
        "Mend what is named below, then: backfill verify.",
    ),
}
"""By whether verify asked for the job: what comes next, and what a person does about failures."""
_FORGOTTEN: Final = "S3 has forgotten it; this is how it ended"
_REMARKS: Final[Mapping[KnownBy, str]] = {
    KnownBy.LEDGER: "",
    KnownBy.DIGEST: "not in the ledger yet: the run finds it when it goes on",
    KnownBy.TAG: "known by its tag only, because a ledger is damaged",
    KnownBy.COPY: "somebody's copy of a job of this run; the run takes no notice of it",
    KnownBy.NOTHING: "not of this run",
}


# --- a list ---


def list_lines(view: View, jobs: Jobs, *, now: datetime, naming: str) -> Iterator[str]:
    """Give the jobs of a run, and others if there are; `naming` tells commands the run."""
    places = "; ".join(f"account {p.account_id}, {p.region}" for p in view.sides)
    number = f"{counted(len(jobs.jobs))} job{'s' * (len(jobs.jobs) != 1)}"
    yield f"{number} of run {view.run_id} (source bucket {view.source_bucket}; {places})"
    if not jobs.jobs:
        yield "None was ordered: the run has not come so far, or it delivers by copy workers."
    for job in jobs.jobs:
        yield from _listed(job, now)
    if jobs.others or jobs.has_more:
        yield ""
        more = f" (only the first {counted(OTHERS_MAX)})" * jobs.has_more
        yield f"Jobs of others in the same account and Region: {counted(len(jobs.others))}{more}"
        for job in jobs.others:
            yield from _listed(job, now)
    yield from _list_hints(jobs, naming)


def _listed(job: Job, now: datetime) -> Iterator[str]:
    yield ""
    name = job.name or "-"
    if job.summary is None:
        yield f"{name}  {visible_text(job.job_id) or '(no job yet)'}"
        yield f"  {_missing(job, now)}"
        return
    status = job.summary.status
    yield f"{name}  {visible_text(job.job_id)}  {status.value}: {STATUS_TEXTS[status].short}"
    yield f"  {_tasks(job.summary)}; {_times(job.summary, now)}, priority {job.summary.priority}"
    if not job.name:
        words = visible_text(job.summary.description)
        yield f"  {visible_text(job.summary.operation)}{': ' * bool(words)}{words}"
    if remark := _FORGOTTEN if job.is_forgotten else _REMARKS[job.known_by]:
        yield f"  {remark}"


def _missing(job: Job, now: datetime) -> str:
    """Return why there is no job to show."""
    if job.job_id:
        return "S3 does not know it (any more); S3 forgets a job 90 days after its end"
    if job.sent_at is None:
        return "the run has not created it yet"
    return (
        f"CreateJob was sent {_ago(job.sent_at, now)} and its answer never came; the run looks for"
        " the job when it goes on, so that there are not two"
    )


def _list_hints(jobs: Jobs, naming: str) -> Iterator[str]:
    waiting = sum(job.is_ours and job.status is JobStatus.SUSPENDED for job in jobs.jobs)
    yield ""
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        yield f"{counted(waiting)} {verb} for a person: backfill jobs confirm --all{naming}"
    if jobs.jobs or jobs.others:
        yield f"more about one: backfill jobs show JOB_ID{naming}"


def list_document(view: View, jobs: Jobs) -> dict[str, object]:
    """Return the same for JSON."""
    return {
        "schema": LIST_SCHEMA,
        "run_id": view.run_id,
        "source_bucket": view.source_bucket,
        "jobs": [_job_document(job) for job in jobs.jobs],
        "others": [_job_document(job) for job in jobs.others],
        "has_more_others": jobs.has_more,
        "damaged_ledgers": list(jobs.damaged),
    }


# --- one job ---


def show_lines(
    job: Job, description: JobDescription, read: ReportRead | None, *, now: datetime, naming: str
) -> Iterator[str]:
    """Give everything that S3 and the run know of a job."""
    summary = description.summary
    job_id = visible_text(summary.job_id)
    yield f"Job {job_id}: {summary.status.value}, {STATUS_TEXTS[summary.status].short}"
    yield ""
    yield from _labelled("does", _OPERATIONS.get(summary.operation) or _operation(summary))
    yield from _labelled("whose", " - ".join(_whose(job)))
    meaning, what_next, todo = _told(job, summary, read)
    yield from _labelled("now", meaning)
    yield from _labelled("next", what_next)
    yield from _labelled("you", todo.replace("JOB_ID", f"{job_id}{naming}"))
    yield from _labelled("cause", visible_text(description.suspended_cause))
    yield from _labelled("said", visible_text(description.status_reason))
    yield ""
    yield from _facts(description, now)
    yield from _job_failure_lines(description)
    yield from _report_lines(summary, read)


def _operation(summary: JobSummary) -> str:
    return f"operation {visible_text(summary.operation) or 'unknown'}"


def _whose(job: Job) -> Iterator[str]:
    if job.name:
        parts = "verification, side" if job.name.startswith("verify-") else "round, attempt"
        yield f"job {job.name} of this run ({parts}, number)"
    if job.is_forgotten:
        yield _FORGOTTEN
    if remark := _REMARKS[job.known_by]:
        yield remark


def _told(job: Job, summary: JobSummary, read: ReportRead | None) -> tuple[str, str, str]:
    """Return what the status means, what comes next, and what a person can do."""
    text = STATUS_TEXTS[summary.status]
    if summary.status is JobStatus.COMPLETE and read is not None:
        comes, mend = _READ[summary.operation == JobOperation.COMPUTE_CHECKSUM.value]
        return text.meaning, comes, mend if read.failures else ""
    return text.meaning, text.next, text.todo if job.is_ours else ""


def _facts(description: JobDescription, now: datetime) -> Iterator[str]:
    summary = description.summary
    when = f"created {_moment(summary.created_at, now)}"
    if summary.ended_at is not None:
        when += f", ended {_moment(summary.ended_at, now)}"
    report = "none was asked for"
    if description.report is not None:
        report = _report_place(description)
    facts = {
        "tasks": _tasks(summary),
        "when": when,
        "priority": f"{summary.priority} (higher goes first)",
        "role": description.role_arn,
        "named": summary.description,
        "report": report,
    }
    for label, value in facts.items():
        yield from _labelled(label, visible_text(value))


def _job_failure_lines(description: JobDescription) -> Iterator[str]:
    texts = job_failure_texts(description)
    if texts:
        yield ""
        yield "Why the job failed as a whole"
    for text in texts:
        yield from _wrapped(f"{visible_text(text.code)}: {visible_text(text.reason)}")
        yield from _wrapped(text.sentence, indent="    ")
        yield from _wrapped(f"mend: {text.mend}", indent="    ")


def _report_lines(summary: JobSummary, read: ReportRead | None) -> Iterator[str]:
    if read is None:
        if summary.status.is_terminal and summary.progress.done:
            yield ""
            yield "The run has not read this job's completion report yet."
        return
    yield ""
    shared = f", of the {counted(read.jobs)} jobs of one attempt together" * (read.jobs > 1)
    yield f"What the completion report says{shared} ({read.artifact})"
    states = [(state.value, read.states.get(state.value, 0)) for state in TaskState]
    words = (f"{counted(number)} {state.replace('-', ' ')}" for state, number in states if number)
    yield f"  {', '.join(words)}"
    for number, failure in read.failures:
        yield from _failure_lines(number, failure)


def _failure_lines(number: int, failure: Failure) -> Iterator[str]:
    yield ""
    yield f"  {counted(number)} x {visible_text(failure.code)}: {_CLASSES[failure.cls]}"
    yield from _wrapped(failure.sentence, indent="    ")
    if failure.mend:
        here = f" Here: backfill preflight --code {visible_text(failure.code)}"
        more = here * (failure.cls is FailureClass.AFTER_MEND)
        yield from _wrapped(f"mend: {failure.mend}{more}", indent="    ")


def show_document(
    view: View, job: Job, description: JobDescription, read: ReportRead | None
) -> dict[str, object]:
    """Return the same for JSON."""
    meaning, what_next, todo = _told(job, description.summary, read)
    return {
        "schema": SHOW_SCHEMA,
        "run_id": view.run_id,
        **_job_document(job),
        "meaning": meaning,
        "next": what_next,
        "todo": todo,
        "arn": description.arn,
        "role_arn": description.role_arn,
        "status_reason": description.status_reason,
        "suspended_cause": description.suspended_cause,
        "failures": [
            {"code": one.code, "reason": one.reason, "sentence": one.sentence, "mend": one.mend}
            for one in job_failure_texts(description)
        ],
        "report": _report_place(description) if description.report is not None else None,
        "results": _results_document(read) if read is not None else None,
    }


def _results_document(read: ReportRead) -> dict[str, object]:
    return {
        "artifact": read.artifact,
        "jobs_of_attempt": read.jobs,
        "states": dict(read.states),
        "failure_codes": [
            {
                "code": failure.code,
                "tasks": number,
                "class": failure.cls.value,
                "sentence": failure.sentence,
                "mend": failure.mend,
            }
            for number, failure in read.failures
        ],
    }


# --- confirmed and cancelled ---


def update_line(job: Job, status: JobStatus) -> str:
    """Say what a job is after it was confirmed or cancelled."""
    job_id = visible_text(job.job_id)
    return f"{job.name or '-'}  {job_id}  {status.value}: {STATUS_TEXTS[status].short}"


def update_document(action: str, updates: list[tuple[Job, JobStatus]]) -> dict[str, object]:
    """Return the same for JSON."""
    return {
        "schema": UPDATE_SCHEMA,
        "action": action,
        "jobs": [
            {
                "name": job.name,
                "job_id": job.job_id,
                "status_before": job.status.value if job.status is not None else None,
                "status": status.value,
            }
            for job, status in updates
        ],
    }


# --- shared ---


def _job_document(job: Job) -> dict[str, object]:
    summary = job.summary
    document: dict[str, object] = {
        "name": job.name,
        "job_id": job.job_id,
        "is_of_this_run": job.is_ours,
        "known_by": job.known_by.value,
        "account_id": job.place.account_id,
        "region": job.place.region,
        "status": None,
    }
    if summary is None:
        return document
    progress = summary.progress
    return document | {
        "status": summary.status.value,
        "status_words": STATUS_TEXTS[summary.status].short,
        "is_forgotten_by_s3": job.is_forgotten,
        "operation": summary.operation,
        "priority": summary.priority,
        "description": summary.description,
        "created_at": summary.created_at,
        "ended_at": summary.ended_at,
        "tasks": progress.total,
        "tasks_done": progress.done,
        "tasks_succeeded": progress.succeeded,
        "tasks_failed": progress.failed,
    }


def _tasks(summary: JobSummary) -> str:
    progress = summary.progress
    if not progress.total:
        return "no task" if summary.status.is_terminal else "tasks not counted yet"
    done = f"{counted(progress.done)} of {counted(progress.total)} tasks done{_share(progress)}"
    if not progress.done:
        return done
    return f"{done}: {counted(progress.succeeded)} succeeded, {counted(progress.failed)} failed"


def _share(progress: JobProgress) -> str:
    """Return the share in whole percent; nothing where all or none is done."""
    if progress.done in {0, progress.total}:
        return ""
    # Never 100 % before the last task: people stop looking at it.
    return f" ({min(99, 100 * progress.done // progress.total)} %)"


def _times(summary: JobSummary, now: datetime) -> str:
    created = f"created {_ago(summary.created_at, now)}"
    if summary.ended_at is None:
        return created
    return f"{created}, ended {_ago(summary.ended_at, now)}"


def _ago(moment: datetime, now: datetime) -> str:
    # S3's clock may be ahead of this machine's.
    return f"{readable_duration(max(0.0, (now - moment).total_seconds()))} ago"


def _moment(moment: datetime, now: datetime) -> str:
    return f"{moment.isoformat(' ', 'seconds')} ({_ago(moment, now)})"


def _report_place(description: JobDescription) -> str:
    assert description.report is not None, "the caller knows that there is one"
    key = manifest_keys(description.report, description.summary.job_id)[0]
    return f"s3://{description.report.bucket}/{key}"


def _labelled(label: str, text: str) -> Iterator[str]:
    """Give a text beside its label; nothing where there is no text."""
    room = " " * _LABEL
    for number, line in enumerate(_wrapped(text, indent=room)):
        yield line if number else f"  {label}".ljust(_LABEL) + line[_LABEL:]


def _wrapped(text: str, *, indent: str = "  ") -> Iterator[str]:
    """Give a text in lines that fit; words, as ARNs and commands, are never broken."""
    yield from textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
