"""`backfill status`: what the run directory holds, without touching it."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "say how far a run is"
DESCRIPTION = """\
Say which stages of a run stand and what they found, while it works or after it ended. Asks nothing
of AWS and takes no lock.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Print the state of the run directory."""
    from backfill.cli.output import print_json, print_lines
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
