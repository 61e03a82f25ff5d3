"""`backfill status`: what the run directory holds, and whether its holder lives and works.

Never touches the run directory. A probe (`--live`, `--ready`) beside the process imports no SDK,
asks nothing of AWS and opens a few small files: it is called every few seconds. From elsewhere it
looks at the lease of a run directory on S3.
Law: a probe's answer is its exit code, 0 for yes and 1 for no.
"""

import argparse
from typing import TYPE_CHECKING

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

if TYPE_CHECKING:
    from backfill.campaign.parsing import Values
    from backfill.run_directory.vitals import Vitals

HELP = "say how far a run is, or whether it lives"
DESCRIPTION = """\
Say which stages of a run stand and what they found, while it works or after it ended. Takes no
lock, and asks AWS for nothing but a run directory that lies there.

  backfill status --live    # 0: a process works on the run directory, or waits for something that
                            # has an end (a request, a job, a restore, a pause); 1: none, or stuck
  backfill status --ready   # 0: as above, and a run was begun and is neither over nor stopping

Beside the process a probe reads a small file. Where no process of this machine works on a run
directory on S3, it asks whether its lease is renewed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    probe = parser.add_mutually_exclusive_group()
    probe.add_argument(
        "--live", action="store_true", help="exit 0 if its process lives and works or waits, else 1"
    )
    probe.add_argument(
        "--ready", action="store_true", help="exit 0 if a run is at work and not over, else 1"
    )
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Print the state of the run directory, or answer a probe."""
    from backfill.cli.output import print_json, print_lines

    if arguments.live or arguments.ready:
        return _answered(arguments)

    from backfill.cli.stage import asked_of, refuse_unless_begun
    from backfill.run_directory.identity import read_run
    from backfill.status import status_lines, status_of

    asked = asked_of(arguments)
    refuse_unless_begun(asked)
    identity = read_run(asked.here.artifacts)
    assert identity is not None, "a run was begun"
    status = status_of(identity, asked.here)
    if arguments.json:
        print_json(status)
    else:
        print_lines(status_lines(status))
    return 0


def _answered(arguments: argparse.Namespace) -> int:
    """Answer a probe."""
    import os

    from backfill.cli.output import print_json, print_lines
    from backfill.cli.spoken import campaign_values, location_on_s3, run_directory_of
    from backfill.run_directory.pulse import vitals_of
    from backfill.run_directory.vitals import NOBODY

    spoken = campaign_values(arguments, os.environ, {})
    source_bucket = str(spoken.get(("source", "bucket"), ""))
    vitals = vitals_of(run_directory_of(arguments, os.environ, source_bucket))
    if vitals == NOBODY and location_on_s3(arguments, os.environ) is not None:
        vitals = _told_by_lease(arguments, spoken)
    is_so = vitals.is_ready if arguments.ready else vitals.is_live
    if arguments.json:
        print_json(vitals)
    else:
        print_lines([f"{'yes' if is_so else 'no'}: {vitals.words}"])
    return 0 if is_so else 1


def _told_by_lease(arguments: argparse.Namespace, spoken: "Values") -> "Vitals":
    """Return what the lease on S3 says of a holder that is not on this machine."""
    import os

    from backfill.cli.run_directory import machine_of
    from backfill.model.escaping import visible_text
    from backfill.run_directory.identity import read_run
    from backfill.run_directory.vitals import NOBODY, judged_by_lease

    here = machine_of(arguments, os.environ, spoken)
    assert here.on_s3 is not None, "as it was named"
    seen = here.on_s3.observed()
    if seen is None:
        return NOBODY
    return judged_by_lease(
        visible_text(seen.head.holder),
        age_s=seen.age_s,
        lease_s=seen.head.lease_s,
        is_released=seen.head.is_released,
        has_begun=read_run(here.artifacts) is not None,
    )
