"""The run directory of a command line, local or on S3: looked at first, held where it is written.

Never decides which verbs hold it: `stage` does.
Law: nobody waits for a lease in silence.
"""

import argparse
import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from backfill.aws.faults import error_of
from backfill.campaign.parsing import Values, access_of
from backfill.cli.spoken import location_on_s3, run_directory_of, scratch_of, spoken_word
from backfill.compose import Machine, held, looked_at, machine, source_connection
from backfill.errors import BackfillError, LeaseLostError, StoreFault, UsageError
from backfill.kept_on_s3 import S3Options
from backfill.observe import StructuredEvents
from backfill.ports import Event
from backfill.run_directory.on_s3.head import LEASE_S_MAX, LEASE_S_MIN
from backfill.run_directory.on_s3.location import S3Location
from backfill.run_directory.preview import Preview
from backfill.settings import Settings

LEASE_S: Final = 60.0
"""A holder that was killed is missed for a minute at most; one that lives renews every ten seconds,
which is some 9,000 small writes a day, about 5 cents."""

_ACCOUNT: Final = re.compile("[0-9]{12}")
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")


def machine_of(
    arguments: argparse.Namespace, environment: Mapping[str, str], spoken: Values
) -> Machine:
    """Return this machine's side of the run directory; on S3, as it was published last.

    Raises:
        UsageError: Nothing names one, or what names it makes no sense.
        BackfillError: One on S3 cannot be reached, or is damaged.
    """
    location = location_on_s3(arguments, environment)
    if location is None:
        source_bucket = str(spoken.get(("source", "bucket"), ""))
        return machine(run_directory_of(arguments, environment, source_bucket))
    access = access_of(spoken)
    profile = spoken_word(arguments, environment, "run_dir_profile")
    connection = source_connection(access, Settings())
    if profile:
        connection = replace(connection, profile=profile, role=None)
    options = _options(arguments, environment, location)
    if not options.account and not profile:
        options = replace(options, account=str(spoken.get(("source", "account"), "")))
    at_end: ExitStack = arguments.at_end
    return at_end.enter_context(looked_at(options, connection))


def _options(
    arguments: argparse.Namespace, environment: Mapping[str, str], location: S3Location
) -> S3Options:
    def word(name: str) -> str:
        return spoken_word(arguments, environment, name)

    account, key_arn = word("run_dir_account"), word("run_dir_kms_key_arn")
    if account and not _ACCOUNT.fullmatch(account):
        raise UsageError(
            f"--run-dir-account: {account!r} is no account", hint="12 digits, as STS tells them"
        )
    if key_arn and not _KEY_ARN.fullmatch(key_arn):
        raise UsageError(
            f"--run-dir-kms-key-arn: {key_arn!r} is no key's ARN",
            hint="arn:aws:kms:REGION:ACCOUNT:key/ID; an alias may be pointed elsewhere",
        )
    return S3Options(
        location=location,
        scratch=scratch_of(arguments, environment),
        account=account,
        kms_key_arn=key_arn,
        lease_s=_lease_s(word("run_dir_lease_s")),
    )


def _lease_s(word: str) -> float:
    try:
        lease_s = float(word or LEASE_S)
    except ValueError:
        lease_s = 0.0
    if not LEASE_S_MIN <= lease_s <= LEASE_S_MAX:
        raise UsageError(
            f"--run-dir-lease-s: {word!r} is no lease",
            hint=f"seconds, {LEASE_S_MIN:.0f} to {LEASE_S_MAX:.0f}; a minute is the default",
        )
    return lease_s


@contextmanager
def held_telling(
    here: Machine, talking: Callable[[], AbstractContextManager[StructuredEvents]]
) -> Iterator[Machine]:
    """Hold the run directory; what happens while it is waited for and mended is logged at once."""
    directory = here.on_s3
    with ExitStack() as stack:
        if directory is None:
            yield stack.enter_context(held(here))
            return
        with talking() as events:
            directory.listen(events.emit)
            try:
                holder = stack.enter_context(held(here))
            finally:
                directory.listen(None)
        yield holder


def looking_only(here: Machine) -> Machine:
    """Return the machine of who reads a run directory on S3: what is written there goes nowhere."""
    return replace(here, artifacts=Preview(here.artifacts))


@contextmanager
def ended_when_lost(here: Machine, emit: Callable[[Event], None]) -> Iterator[None]:
    """Cancel the running work when the run directory is lost; log meanwhile what it tells."""
    if here.holding is None or here.on_s3 is None:
        yield
        return
    running, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "work runs in a task"
    here.on_s3.listen(lambda event: running.call_soon_threadsafe(emit, event))
    here.holding.on_failure(lambda: running.call_soon_threadsafe(task.cancel))
    try:
        yield
    except LeaseLostError as lost:
        # The gate says no more than that it is shut; a person reads what shut it.
        raise loss_of(here) or lost from lost
    finally:
        here.holding.on_failure(None)
        here.on_s3.listen(None)


def loss_of(here: Machine) -> BackfillError | None:
    """Return what the run directory was lost by while work went on; None if it was not."""
    found = here.holding.failure if here.holding is not None else None
    return error_of(found) if isinstance(found, StoreFault) else found
