"""`backfill inventory`: list all versions and delete markers of both sides."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "list all versions and delete markers of both sides"
DESCRIPTION = """\
List every object version and delete marker of the source bucket and of each destination into
sorted artefacts of the run directory. A finished listing is reused.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """List both sides and print what was found."""
    from backfill import pipeline
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import Signals, at_work
    from backfill.inventory.totals import totals_of
    from backfill.model.units import counted, readable_size

    async def work(run: pipeline.Run, _signals: Signals) -> int:
        indexes = await pipeline.take_inventories(run)
        found = {index.name: totals_of(index.summary) for index in indexes}
        if arguments.json:
            print_json(found)
        else:
            print_lines(
                f"{name}: {counted(totals.versions)} versions, {counted(totals.delete_markers)}"
                f" delete markers, {counted(totals.keys)} keys, {readable_size(totals.size_bytes)}"
                for name, totals in found.items()
            )
        return 0

    return at_work(arguments, work)
