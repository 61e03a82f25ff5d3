"""`backfill explain KEY`: the proof for one version."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

HELP = "print why one version is moved or not"
DESCRIPTION = """\
Print the proof for one version of a key: which rules matched, which lost by priority, what excluded
it, what was read, and what follows. The inventory of the run directory must stand.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("key", metavar="KEY", help="the key, exactly")
    parser.add_argument(
        "--version-id", metavar="ID", default="", help="a version ID (default: the current one)"
    )
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Explain one version."""
    from backfill import pipeline
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import Signals, at_work
    from backfill.model.objects import VersionId
    from backfill.plan.explain import explanation_document, explanation_lines

    version_id = VersionId(arguments.version_id) if arguments.version_id else None

    async def work(run: pipeline.Run, _signals: Signals) -> int:
        explanation = await pipeline.explain(run, arguments.key, version_id)
        if arguments.json:
            print_json(explanation_document(explanation))
        else:
            print_lines(explanation_lines(explanation))
        return 0

    return at_work(arguments, work, only_looks=True)
