"""`backfill repair`: mend what the newest verification found, and verify again."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments, add_yes_argument

HELP = "mend what verify found, and verify again"
DESCRIPTION = """\
Turn bad outcomes and verdicts of the newest verification into a new manifest, carry it out with the
same conditional writes, verify, and write the report. What cannot be mended by a copy is left to a
person, with a sentence; what a repair did not mend is not tried a second time.

  backfill repair --run-dir DIR --dry-run       # only say what would be done
  backfill repair --run-dir DIR --allow-hiding  # also hide extra objects; their versions stay
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do none of it"
    )
    add_yes_argument(parser)
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Repair, verify, report; return the exit code of what is left."""
    from backfill import pipeline
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.report_lines import report_lines
    from backfill.cli.stage import Signals, at_work, confirm_manifest
    from backfill.model.escaping import visible_text
    from backfill.reporting import report_on

    async def work(run: pipeline.Run, signals: Signals) -> int:
        await pipeline.refuse_unsafe(run)
        if not pipeline.has_open_manifest(run):
            totals = await pipeline.plan_repair(run, signals.draining, is_preview=arguments.dry_run)
            if arguments.dry_run and arguments.json:
                print_json(totals)
            elif not arguments.json:
                print_lines(f"to do: {n:,} by {route}" for route, n in totals.routes.items())
                print_lines(
                    f"for a person: {n:,}: {visible_text(words)}"
                    for words, n in totals.sentences.items()
                )
        elif arguments.dry_run:
            manifest = pipeline.newest_manifest(run)
            if arguments.json:
                print_json({"open_manifest": manifest.name, "entries": manifest.rows})
            else:
                print(f"{manifest.name} with {manifest.rows:,} entries is not carried out yet")
        if arguments.dry_run:
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
