"""`backfill execute`: carry out the newest manifest."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments, add_yes_argument

HELP = "carry out the work list with conditional copies"
DESCRIPTION = """\
Carry out the newest manifest of the run directory. Every write is conditional and pinned to the
source version; what was begun by an earlier process is settled first. Ctrl-C drains; the same
command resumes.
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
            index = await pipeline.execute(run, stop)
        kinds = outcome_kinds(index)
        if arguments.json:
            print_json({"outcomes": index.name, "kinds": kinds, "summary": index.summary})
        else:
            print_lines(f"{kind}: {count:,}" for kind, count in kinds.items() if count)
        return 3 if kinds.get("failed") else 0

    return at_work(arguments, work)
