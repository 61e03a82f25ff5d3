"""`backfill execute`: carry out the newest manifest."""

import argparse
from collections import Counter

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments, add_yes_argument

HELP = "carry out the work list by Batch Replication jobs and conditional copies"
DESCRIPTION = """\
Carry out the newest manifest of the run directory: jobs are created, watched and their reports
read; copies are conditional and pinned to the source version. What was begun by an earlier process
is found and settled first. Ctrl-C drains the copies and leaves jobs running; the same command
comes back to them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_yes_argument(parser)
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Execute, print the outcomes; 3 when some versions failed."""
    from backfill import pipeline
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import Signals, at_work, confirm_manifest
    from backfill.work_done import outcome_kinds

    async def work(run: pipeline.Run, signals: Signals) -> int:
        await pipeline.refuse_unsafe(run)
        confirm_manifest(arguments, run, signals)
        with signals.draining() as stop:
            rounds = await pipeline.deliver(run, stop)
        kinds = sum((Counter(outcome_kinds(index)) for index in rounds), Counter())
        if arguments.json:
            print_json(
                {
                    "kinds": kinds,
                    "rounds": [{"outcomes": r.name, "summary": r.summary} for r in rounds],
                }
            )
        else:
            print_lines(f"{kind}: {count:,}" for kind, count in kinds.items() if count)
        return 3 if kinds["failed"] else 0

    return at_work(arguments, work)
