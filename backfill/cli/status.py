"""`backfill status`: what the run directory holds, and whether its holder lives and works.

Never touches the run directory. A probe (`--live`, `--ready`) imports no SDK, asks nothing of AWS
and opens a few small files: it is called every few seconds.
Law: a probe's answer is its exit code, 0 for yes and 1 for no.
"""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "say how far a run is, or whether it lives"
DESCRIPTION = """\
Say which stages of a run stand and what they found, while it works or after it ended. Asks nothing
of AWS and takes no lock.

  backfill status --live    # 0: a process works on the run directory, or waits for something that
                            # has an end (a request, a job, a restore, a pause); 1: none, or stuck
  backfill status --ready   # 0: as above, and a run was begun and is neither over nor stopping
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
    from backfill.cli.spoken import campaign_values, run_directory_of
    from backfill.run_directory.pulse import vitals_of

    source_bucket = str(campaign_values(arguments, os.environ, {}).get(("source", "bucket"), ""))
    vitals = vitals_of(run_directory_of(arguments, os.environ, source_bucket))
    is_so = vitals.is_ready if arguments.ready else vitals.is_live
    if arguments.json:
        print_json(vitals)
    else:
        print_lines([f"{'yes' if is_so else 'no'}: {vitals.words}"])
    return 0 if is_so else 1
