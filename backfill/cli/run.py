"""`backfill run SOURCE_BUCKET`: the whole way, from the listing to the report."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments, add_yes_argument

HELP = "backfill a source bucket and prove it: every stage in order, resumable"
DESCRIPTION = """\
Begin with `preflight`, and stop where it finds a blocker. Then list both sides, plan, deliver what
the rules want and the destination lacks, verify, and write the report. With a role and a bucket for
jobs S3 Batch Replication delivers, which keeps version IDs, times and history; copies deliver the
rest, or all of it. After an interruption the same command goes on where it stopped.

  backfill run SOURCE_BUCKET --dry-run       # stop after the plan: what goes which way, and why
  backfill run SOURCE_BUCKET --source-profile a --destination-profile b --yes
  backfill run SOURCE_BUCKET --batch-role-arn ROLE_ARN --batch-bucket BUCKET
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    parser.add_argument("--dry-run", action="store_true", help="stop after the plan; write nothing")
    parser.add_argument(
        "--skip-preflight",
        action="store_true",
        help="do not look at both accounts first; for whoever has seen the findings",
    )
    add_yes_argument(parser)
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Run every stage and return the exit code of what was found."""
    from backfill import pipeline
    from backfill.checking import check_run
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.report_lines import report_lines
    from backfill.cli.stage import Signals, at_work, confirm_manifest
    from backfill.plan.totals import totals_document, tree_lines
    from backfill.preflight.scene import scene_document, scene_lines
    from backfill.reporting import report_on

    async def work(run: pipeline.Run, signals: Signals) -> int:
        if not arguments.dry_run:
            # Before preflight, which may be left out: without versions a copy destroys.
            await pipeline.refuse_unsafe(run)
        if not arguments.skip_preflight:
            await check_run(run, stops=not arguments.dry_run)
        await pipeline.take_inventories(run)
        totals = await pipeline.plan(run)
        if arguments.dry_run:
            if arguments.json:
                print_json({"scene": scene_document(run.scene), **totals_document(totals)})
            else:
                print_lines(scene_lines(run.scene))
                print_lines(tree_lines(totals))
            return 0
        confirm_manifest(arguments, run, signals)
        with signals.draining() as stop:
            await pipeline.deliver(run, stop)
        await pipeline.verify(run, signals.draining)
        report = report_on(run.campaign, run.identity, run.scene, run.here)
        await run.here.keep()
        if arguments.json:
            print_json(report)
        else:
            print_lines(report_lines(report, run.here.shown_file))
        return report.exit_code

    return at_work(arguments, work)
