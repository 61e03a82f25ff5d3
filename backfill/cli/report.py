"""`backfill report`: write the report of what the run directory holds."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "write report.json, rows.csv and report.html again"
DESCRIPTION = """\
Write the report from the artefacts of the run directory. Asks nothing of AWS. Exit 0 when the
report is written, whatever it says; report.json holds the run's own exit code.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Write the report and print it."""
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.report_lines import report_lines
    from backfill.cli.stage import Asked, at_rest
    from backfill.pipeline import remembered_scene
    from backfill.ports import Events
    from backfill.reporting import report_on

    def work(asked: Asked, _events: Events) -> int:
        identity, scene = remembered_scene(asked.campaign, asked.here)
        report = report_on(asked.campaign, identity, scene, asked.here)
        if arguments.json:
            print_json(report)
        else:
            print_lines(report_lines(report, asked.here.shown_file))
        return 0

    return at_rest(arguments, work, only_looks=True)
