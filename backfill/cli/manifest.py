"""`backfill manifest`: write the work list of a plan."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "write the work list of the plan"
DESCRIPTION = """\
Write the manifest: one entry for every version that the plan gives a route. Asks nothing of AWS.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Write the manifest and print its size."""
    from backfill.cli.output import print_json
    from backfill.cli.stage import Asked, at_rest
    from backfill.manifest.run import write_manifest
    from backfill.model.units import counted
    from backfill.ports import Events

    def work(asked: Asked, _events: Events) -> int:
        index = write_manifest(asked.here.artifacts)
        if arguments.json:
            print_json({"manifest": index.name, "entries": index.rows, "digest": index.digest})
        else:
            print(f"{index.name}: {counted(index.rows)} entries")
        return 0

    return at_rest(arguments, work)
