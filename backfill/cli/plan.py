"""`backfill plan`: decide one route or one reason for every version, and add it up."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "decide one route or one reason for every version"
DESCRIPTION = """\
Evaluate the replication rules for every version of the inventory (listed first if need be) and
print the totals. Nothing is written to any bucket. `backfill explain KEY` gives the proof for one.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Plan and print the totals."""
    from backfill import pipeline
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import Signals, at_work
    from backfill.plan.totals import totals_document, tree_lines
    from backfill.preflight.scene import scene_document, scene_lines

    async def work(run: pipeline.Run, _signals: Signals) -> int:
        await pipeline.take_inventories(run)
        totals = await pipeline.plan(run)
        if arguments.json:
            print_json({"scene": scene_document(run.scene), **totals_document(totals)})
        else:
            print_lines(scene_lines(run.scene))
            print_lines(tree_lines(totals))
        return 0

    return at_work(arguments, work)
