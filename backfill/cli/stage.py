"""What every verb does around its stage: campaign, run directory, log, clients, signals.

Never decides what a stage does.
Law: whoever writes into a run directory holds it, and a signal ends in a code that says resumable.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from backfill.aws.faults import error_of
from backfill.campaign import Campaign, campaign_identity
from backfill.campaign.parsing import Values, campaign_of
from backfill.cli import loop
from backfill.cli.memory import refused_or_given, watched
from backfill.cli.remembered import remember, remembered_values
from backfill.cli.run_directory import (
    ended_when_lost,
    held_telling,
    looking_only,
    loss_of,
    machine_of,
)
from backfill.cli.spoken import campaign_values, naming_hint
from backfill.compose import Clients, Machine, clients, talking
from backfill.errors import BackfillError, InterruptedRunError, StoreFault, UsageError
from backfill.events.runs import MemoryGiven, RunStarted
from backfill.execute.stop import StopRequest
from backfill.model.units import counted
from backfill.observe import LogFormat, LogLevel, LogOptions, StructuredEvents
from backfill.pipeline import Run, begin, has_begun_to_write, newest_manifest
from backfill.ports import Events
from backfill.preflight.engine import refuse_another_engine
from backfill.run_directory.identity import read_run, refuse_another_campaign

Work = Callable[[Run, "Signals"], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The campaign of a command line, and this machine's side of its run directory.

    `says_jobs`: this very command names a role or a bucket for jobs, rather than the run directory.
    """

    campaign: Campaign
    values: Values
    here: Machine
    says_jobs: bool


class Signals:
    """SIGINT and SIGTERM: a stage that drains is asked to stop, any other is cancelled."""

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        """`told` is called at each signal."""
        self.stop = StopRequest()
        self._told = told
        self._is_draining_stage = False
        task = asyncio.current_task()
        assert task is not None, "signals belong to the running command"
        self._task = task
        self._handle()

    def _handle(self) -> None:
        running = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            running.add_signal_handler(number, self._receive, number)

    @contextmanager
    def unhandled(self) -> Iterator[None]:
        """Let Ctrl-C end the process while it blocks on a question: the loop cannot see it then."""
        running = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            running.remove_signal_handler(number)
        try:
            yield
        finally:
            self._handle()

    @contextmanager
    def draining(self) -> Iterator[StopRequest]:
        """Let the stage inside end its running work after a first signal."""
        self._is_draining_stage = True
        try:
            yield self.stop
        finally:
            self._is_draining_stage = False

    def _receive(self, number: int) -> None:
        self.stop.request(number)
        self._told()
        if not self._is_draining_stage:
            self._task.cancel()


def asked_of(arguments: argparse.Namespace) -> Asked:
    """Return the campaign of the flags, the environment, campaign.toml and the run directory."""
    spoken = campaign_values(arguments, os.environ, {})
    here = machine_of(arguments, os.environ, spoken)
    values = {**remembered_values(here.artifacts), **spoken}
    if not values.get(("source", "bucket")):
        raise UsageError(
            f"no run was begun in {here.shown}, and no source bucket is named",
            hint=naming_hint(arguments),
        )
    return Asked(
        campaign=campaign_of(values),
        values=values,
        here=here,
        says_jobs=not spoken.keys().isdisjoint({("batch", "role-arn"), ("batch", "bucket")}),
    )


def at_work(arguments: argparse.Namespace, work: Work, *, only_looks: bool = False) -> int:
    """Carry out work that talks to AWS, holding the run directory; return its exit code.

    `only_looks`: it leaves nothing behind, so that one on S3 is not held.
    """
    asked = asked_of(arguments)
    given = refused_or_given(asked.campaign.settings)
    if only_looks and asked.here.on_s3 is not None:
        refuse_unless_begun(asked)
        asked = replace(asked, here=looking_only(asked.here))
        return loop.run(_at_work(arguments, asked, work, given))
    with held_telling(asked.here, lambda: _talking(arguments, asked)) as here:
        return loop.run(_at_work(arguments, replace(asked, here=here), work, given))


def at_rest(
    arguments: argparse.Namespace,
    work: Callable[[Asked, Events], int],
    *,
    only_looks: bool = False,
) -> int:
    """Carry out work that needs the run directory only, holding it; return its exit code.

    `only_looks`: of one on S3 it reads what is published, and what it writes stays on this machine.
    """
    asked = asked_of(arguments)
    refuse_unless_begun(asked)
    refuse_unless_same(asked)
    if only_looks and asked.here.on_s3 is not None:
        with _talking(arguments, asked) as log:
            return work(asked, log)
    with (
        held_telling(asked.here, lambda: _talking(arguments, asked)) as here,
        _talking(arguments, asked) as log,
    ):
        if here.pulse is not None:
            here.pulse.begin(_run_id(asked))
        return work(replace(asked, here=here), log)


def beside_work(
    arguments: argparse.Namespace, work: Callable[[Asked, Clients, Signals], Awaitable[int]]
) -> int:
    """Carry out work that asks AWS about a run while another process may hold it.

    Nothing is written into the run directory.
    """
    asked = asked_of(arguments)
    refuse_unless_begun(asked)
    refuse_unless_same(asked)
    return loop.run(_beside_work(arguments, asked, work))


def apart_from_runs(
    arguments: argparse.Namespace,
    asked: Asked,
    work: Callable[[StructuredEvents], Awaitable[int]],
    *,
    interrupted: Callable[[], str],
    hint: str,
) -> int:
    """Carry out work that asks AWS and belongs to no run; a signal cancels it.

    `interrupted` says where it stood then, `hint` how to go on.
    """
    return loop.run(_apart_from_runs(arguments, asked, work, interrupted, hint))


def refuse_unless_begun(asked: Asked) -> None:
    """Refuse a run directory in which nothing was begun, instead of making an empty one."""
    if read_run(asked.here.artifacts) is None:
        raise UsageError(
            f"no run was begun in {asked.here.shown}", hint="backfill run SOURCE_BUCKET begins one"
        )


def refuse_unless_same(asked: Asked) -> None:
    """Refuse a run directory that was begun for another campaign than the one asked for now."""
    identity = read_run(asked.here.artifacts)
    assert identity is not None, "a run was begun"
    refuse_another_campaign(
        identity.campaign, {**identity.campaign, **campaign_identity(asked.campaign)}
    )


def confirm_manifest(arguments: argparse.Namespace, run: Run, signals: Signals) -> None:
    """Ask before the newest manifest is written to a destination.

    What was begun was confirmed then, and what has no entries needs no yes.
    """
    manifest = newest_manifest(run)
    if manifest.rows and not has_begun_to_write(run):
        with signals.unhandled():
            confirm(arguments, f"Write {counted(manifest.rows)} versions ({manifest.name})?")


def confirm(
    arguments: argparse.Namespace,
    question: str,
    *,
    what: str = "before writing to the destination",
    hint: str = "look at the plan with --dry-run, then add --yes",
) -> None:
    """Ask a person, unless --yes was given; `what` and `hint` are for where nobody can be asked.

    Raises:
        UsageError: Nobody can be asked, or the answer was no.
    """
    if arguments.yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"nobody can be asked {what}", hint=hint)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("not confirmed; nothing was written", hint="--yes skips the question")


async def _at_work(
    arguments: argparse.Namespace, asked: Asked, work: Work, given: MemoryGiven
) -> int:
    here = asked.here
    signals = Signals(here.pulse.end) if here.pulse is not None else Signals()
    with (
        _talking(arguments, asked) as events,
        _worded(lambda: loss_of(here) or signals.stop.error()),
        ended_when_lost(here, events.emit),
    ):
        events.emit(given)
        looks = (events.repeat_progress, watched(given, events.emit))
        async with (
            loop.repeating(*looks, gap_s=events.progress_gap_s / 4),
            clients(asked.campaign, here, events) as both,
        ):
            run = await begin(asked.campaign, here, both, events)
            if here.pulse is not None:
                here.pulse.begin(run.identity.run_id)
            if asked.says_jobs:
                refuse_another_engine(asked.campaign, run.scene)
            events.belong_to(run.identity.run_id)
            remember(here.artifacts, asked.values)
            await here.keep()  # before anything is written elsewhere
            events.emit(
                RunStarted(
                    source_bucket=asked.campaign.source_bucket,
                    run_directory=here.shown,
                    is_resumed=run.is_resumed,
                )
            )
            return await work(run, signals)


async def _beside_work(
    arguments: argparse.Namespace,
    asked: Asked,
    work: Callable[[Asked, Clients, Signals], Awaitable[int]],
) -> int:
    signals = Signals()
    with _talking(arguments, asked) as events, _worded(lambda: _left(signals)):
        async with clients(asked.campaign, asked.here, events) as both:
            return await work(asked, both, signals)


async def _apart_from_runs(
    arguments: argparse.Namespace,
    asked: Asked,
    work: Callable[[StructuredEvents], Awaitable[int]],
    interrupted: Callable[[], str],
    hint: str,
) -> int:
    stop = Signals().stop

    def error() -> InterruptedRunError:
        words = f"stopped by {stop.signal_name}; {interrupted()}"
        return InterruptedRunError(words, hint=hint, signal_number=stop.signal_number)

    with _talking(arguments, asked) as events, _worded(error):
        return await work(events)


def _left(signals: Signals) -> InterruptedRunError:
    return InterruptedRunError(
        f"stopped by {signals.stop.signal_name}",
        hint="nothing of the run was touched; ask again how its jobs are",
        signal_number=signals.stop.signal_number,
    )


@contextmanager
def _worded(interrupted: Callable[[], BackfillError]) -> Iterator[None]:
    """Turn what ends work early into the error that a person should read."""
    try:
        yield
    except asyncio.CancelledError:
        raise interrupted() from None
    except StoreFault as fault:
        raise error_of(fault) from fault
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that a person should read: ours before any other."""
    flat: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(error.exceptions)
        else:
            flat.append(error)
    chosen = next((error for error in flat if isinstance(error, BackfillError)), flat[0])
    return error_of(chosen) if isinstance(chosen, StoreFault) else chosen


def _talking(
    arguments: argparse.Namespace, asked: Asked
) -> AbstractContextManager[StructuredEvents]:
    options = LogOptions(
        level=LogLevel(arguments.log_level),
        format=LogFormat(arguments.log_format),
        progress_interval_s=asked.campaign.settings.progress_interval_s,
    )
    return talking(options, run_id=_run_id(asked), here=asked.here, stream=sys.stderr)


def _run_id(asked: Asked) -> str:
    identity = read_run(asked.here.artifacts)
    return identity.run_id if identity else "new"
