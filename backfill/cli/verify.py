"""`backfill verify`: look afresh at both sides and say what is true."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "look afresh at both sides and judge every version on evidence"
DESCRIPTION = """\
List both sides again, compare every planned version by the strongest evidence there is, look again
at differences after a pause, and write the report. Works alone on two buckets, too:

  backfill verify SOURCE_BUCKET --destination BUCKET --run-dir DIR

Nothing is written to either bucket. Where nothing stored on both sides can be compared (KMS, other
part layouts), --evidence checksum-jobs lets S3 compute checksums on both sides, archived versions
included, without a download: it needs a role and a bucket for job files in either account.

Exit 4: different, missing or extra. Exit 5: only unverified or in flight left. Exit 13: jobs wait
for a person; the same command goes on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Verify, report, and return the exit code of what was found."""
    from backfill import pipeline
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.report_lines import report_lines
    from backfill.cli.stage import Signals, at_work
    from backfill.reporting import report_on
    from backfill.verify.totals import summary_of

    async def work(run: pipeline.Run, signals: Signals) -> int:
        totals = await pipeline.verify(run, signals.draining)
        report = report_on(run.campaign, run.identity, run.scene, run.here)
        await run.here.keep()
        if arguments.json:
            print_json(summary_of(totals))
        else:
            print_lines(report_lines(report, run.here.shown_file))
        return report.exit_code

    return at_work(arguments, work)
