"""`backfill jobs`: list, show, confirm and cancel the S3 Batch Operations jobs of a run.

Never writes into the run directory and takes no lock: it is used while `backfill run` waits.
Law: only a job of this run is confirmed or cancelled, and only after a person said yes.
"""

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from backfill.cli.arguments import add_access_arguments, add_run_arguments

if TYPE_CHECKING:
    from backfill.batch_operations.known_jobs import Job
    from backfill.cli.stage import Asked, Signals
    from backfill.compose import Clients
    from backfill.jobs_of_run import View
    from backfill.model.jobs import JobStatus

HELP = "list, show, confirm or cancel the Batch Operations jobs of a run"
DESCRIPTION = """\
List, show, confirm or cancel the S3 Batch Operations jobs of a run. Needs no lock: use it while
`backfill run` waits. Without ACTION it lists, and without SOURCE_BUCKET or --run-dir it takes the
run whose directory ./backfill-BUCKET is the only one here.

  backfill jobs                     the run's jobs, in words
  backfill jobs show JOB_ID         one job: status, progress, failures and what mends them
  backfill jobs confirm JOB_ID      start a job that waits for a person
  backfill jobs cancel JOB_ID       stop a job; what it did stays done and is charged
"""
LIST = "list"
ACTIONS = {
    LIST: "list the run's jobs (what `backfill jobs` does without an action)",
    "show": "say everything about one job",
    "confirm": "start jobs that wait for a confirmation",
    "cancel": "stop jobs for good",
}
"""The actions and their help."""
_RUN_DIRECTORIES_MAX = 1000
"""Run directories that are looked at in one place."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments; `spelled_out` names the action where it is left out."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, help="what to do (default: list)"
    )
    for name, text in ACTIONS.items():
        child = actions.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
        )
        if name == LIST:
            child.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
            child.add_argument(
                "--all", action="store_true", help="list other jobs of the account and Region, too"
            )
        elif name == "show":
            child.add_argument("job_id", metavar="JOB_ID", help="the job's ID, as the list has it")
        else:
            child.add_argument(
                "job_ids", metavar="JOB_ID", nargs="*", help="the jobs' IDs, as the list has them"
            )
            whole = "waits for a confirmation" if name == "confirm" else "is under way"
            child.add_argument(
                "--all", action="store_true", help=f"every job of the run that {whole}"
            )
            child.add_argument("--yes", action="store_true", help="do not ask")
        add_access_arguments(child)
        add_run_arguments(child)


def spelled_out(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with `list`, where `jobs` stands without an action."""
    is_bare = words[:1] == ["jobs"] and (len(words) == 1 or words[1] not in ACTIONS)
    if is_bare and words[1:2] not in (["-h"], ["--help"]):
        return ["jobs", LIST, *words[1:]]
    return list(words)


def call(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    from backfill.cli.stage import beside_work

    naming = _named_run(arguments)
    job_ids = _checked_job_ids(arguments)

    async def work(asked: "Asked", clients: "Clients", signals: "Signals") -> int:
        from backfill.jobs_of_run import view_of

        view = view_of(asked.campaign, asked.here, clients)
        now = asked.here.clock.now()
        match arguments.action:
            case "list":
                return await _list(arguments, view, now=now, naming=naming)
            case "show":
                return await _show(arguments, view, job_ids[0], now=now, naming=naming)
            case _:
                return await _update(arguments, view, job_ids, signals)

    return beside_work(arguments, work)


async def _list(arguments: argparse.Namespace, view: "View", *, now: datetime, naming: str) -> int:
    from backfill.cli.job_lines import list_document, list_lines
    from backfill.cli.output import print_json, print_lines
    from backfill.errors import ArtifactDamagedError
    from backfill.jobs_of_run import jobs_of

    jobs = await jobs_of(view, with_others=arguments.all)
    if arguments.json:
        print_json(list_document(view, jobs))
    else:
        print_lines(list_lines(view, jobs, now=now, naming=naming))
    if jobs.damaged:
        # Said after the list: what was found by tags is all the more needed now.
        raise ArtifactDamagedError(
            f"{', '.join(jobs.damaged)} cannot be read; jobs were looked for by their tags",
            hint="begin anew with another --run-dir when these jobs have ended or are cancelled",
        )
    return 0


async def _show(
    arguments: argparse.Namespace, view: "View", job_id: str, *, now: datetime, naming: str
) -> int:
    from backfill.cli.job_lines import show_document, show_lines
    from backfill.cli.output import print_json, print_lines
    from backfill.jobs_of_run import job_of, report_read

    job, description = await job_of(view, job_id)
    read = report_read(view, job)
    if arguments.json:
        print_json(show_document(view, job, description, read))
    else:
        print_lines(show_lines(job, description, read, now=now, naming=naming))
    return 0


async def _update(
    arguments: argparse.Namespace, view: "View", job_ids: Sequence[str], signals: "Signals"
) -> int:
    from backfill.batch_operations.known_jobs import chosen
    from backfill.cli.job_lines import update_document, update_line
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import confirm
    from backfill.jobs_of_run import jobs_of, update
    from backfill.model.jobs import RequestedStatus

    is_confirming = arguments.action == "confirm"
    requested = RequestedStatus.READY if is_confirming else RequestedStatus.CANCELLED
    jobs = chosen(view.run_id, (await jobs_of(view)).jobs, job_ids, requested)
    if jobs:
        with signals.unhandled():
            confirm(
                arguments,
                _question(jobs, is_confirming=is_confirming),
                what="before jobs are changed",
                hint="look at them with `backfill jobs`, then add --yes",
            )
    updates: list[tuple[Job, JobStatus]] = []
    try:
        for job in jobs:
            status = await update(view, job, requested)
            updates.append((job, status))
    finally:
        # Also where a later one fails: what is done is done.
        if arguments.json:
            print_json(update_document(arguments.action, updates))
        else:
            print_lines(update_line(job, status) for job, status in updates)
    _say_what_follows(len(updates), is_confirming=is_confirming)
    return 0


def _question(jobs: Sequence["Job"], *, is_confirming: bool) -> str:
    from backfill.model.units import counted

    tasks = sum(job.progress.total for job in jobs)
    done = sum(job.progress.done for job in jobs)
    names = f"{counted(len(jobs))} job{'s' * (len(jobs) != 1)}"
    if is_confirming:
        return f"Start {names} with {counted(tasks)} tasks (AWS charges for each)?"
    return f"Cancel {names} for good ({counted(done)} of {counted(tasks)} tasks are done)?"


def _say_what_follows(number: int, *, is_confirming: bool) -> None:
    import sys

    if not number:
        words = "no job of this run " + (
            "waits for a confirmation" if is_confirming else "is under way"
        )
    elif is_confirming:
        words = (
            "S3 goes on by itself. Run the same `backfill run` again: it watches the jobs and reads"
            " their reports. One that still waits goes on by itself."
        )
    else:
        words = (
            "What was done stays done and is charged. The same `backfill run` again makes a new job"
            " for what is left."
        )
    print(words, file=sys.stderr)


def _named_run(arguments: argparse.Namespace) -> str:
    """Find the only run here where none is named; return how commands must name this one.

    Raises:
        UsageError: There are several.
    """
    import os
    import shlex
    from itertools import islice
    from pathlib import Path

    from backfill.campaign.parsing import values_of_environment
    from backfill.errors import UsageError
    from backfill.run_directory.identity import RUN_FILE

    bucket = getattr(arguments, "source_bucket", "")
    if arguments.run_dir or bucket:
        return f" --run-dir {shlex.quote(arguments.run_dir or f'backfill-{bucket}')}"
    is_named = ("source", "bucket") in values_of_environment(os.environ)
    if arguments.campaign or is_named or os.environ.get("BACKFILL_RUN_DIR"):
        return ""
    here = islice(Path.cwd().glob(f"backfill-*/{RUN_FILE}"), _RUN_DIRECTORIES_MAX)
    runs = sorted(path.parent.name for path in here)
    if len(runs) > 1:
        options = " or ".join(f"--run-dir {shlex.quote(name)}" for name in runs[:10])
        raise UsageError(f"there are {len(runs)} runs here", hint=f"name one: {options}")
    arguments.run_dir = runs[0] if runs else ""
    return ""


def _checked_job_ids(arguments: argparse.Namespace) -> Sequence[str]:
    """Return the job IDs of a command line.

    Raises:
        UsageError: None is named where one must be, or one is no job ID.
    """
    import re

    from backfill.errors import UsageError

    if arguments.action == LIST:
        return ()
    job_ids: list[str] = getattr(arguments, "job_ids", None) or []
    if arguments.action == "show":
        job_ids = [arguments.job_id]
    elif bool(job_ids) == arguments.all:
        raise UsageError(
            f"name the jobs to {arguments.action}, or say --all",
            hint=f"backfill jobs {arguments.action} JOB_ID; `backfill jobs` lists them",
        )
    for job_id in job_ids:
        # S3 API: JobId. It becomes part of a path there.
        if not re.fullmatch(r"[a-zA-Z0-9\-_]{5,36}", job_id):
            raise UsageError(
                f"{job_id!r} is no job ID", hint="copy one from the list: `backfill jobs`"
            )
    return job_ids
