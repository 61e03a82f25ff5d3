"""`backfill preflight SOURCE_BUCKET`: can it work, and if not, what mends it."""

import argparse

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

CANARY_TIMEOUT_S = 900.0
"""Most objects arrive within 15 minutes (S3 User Guide: replication); big ones later, and a canary
is small."""
HELP = "say whether replication and the backfill can work, and what mends what cannot"
DESCRIPTION = """\
Look at both accounts and say of each thing that replication and a backfill need whether it is as it
must be: ok, warning, blocker or cannot tell, with the evidence and the command that mends it.
Reads only. What an identity may not read is said, and never taken for right or wrong.

  backfill preflight SOURCE_BUCKET --source-profile prod --destination-profile archive
  backfill preflight SOURCE_BUCKET --batch-role-arn ROLE_ARN --batch-bucket BUCKET
  backfill preflight SOURCE_BUCKET --canary                # write one object, watch it arrive
  backfill preflight SOURCE_BUCKET --code DstPutObjectNotPermitted

Exit: 0 no blocker; 10 blockers, or nothing could be seen at all; with --strict also where something
cannot be told.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    parser.add_argument(
        "--canary",
        action="store_true",
        help="write a small object below backfill-canary/ (one for all destinations whose rules"
        " take it), watch it arrive, compare it; it is left there",
    )
    parser.add_argument(
        "--canary-timeout",
        type=float,
        default=CANARY_TIMEOUT_S,
        metavar="SECONDS",
        help="how long a canary is waited for (default: 900)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 10 also where something cannot be told"
    )
    parser.add_argument(
        "--code",
        metavar="CODE",
        default="",
        help="say what mends this failure code of replication here, instead of all findings",
    )
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Carry out every check and return the exit code."""
    from backfill.checking import check, inventory_counts
    from backfill.cli.findings_table import show
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import apart_from_runs, asked_of
    from backfill.errors import UsageError
    from backfill.ports import Events
    from backfill.preflight.codes import code_document, code_lines, mend_for_code
    from backfill.preflight.findings import Verdict, findings_document

    if not arguments.canary_timeout > 0:
        raise UsageError("--canary-timeout is not positive", hint="--canary-timeout 900")
    asked = asked_of(arguments)

    async def work(events: Events) -> int:
        checked = await check(
            asked.campaign,
            asked.here,
            events,
            counts=inventory_counts(asked.here.artifacts),
            canary_timeout_s=arguments.canary_timeout if arguments.canary else None,
        )
        findings = checked.findings
        if arguments.code:
            told = mend_for_code(arguments.code, checked.seen, findings)
            if arguments.json:
                print_json(code_document(told))
            else:
                print_lines(code_lines(told))
            return 0
        if arguments.json:
            print_json(findings_document(findings))
        else:
            show(findings)
        is_open = arguments.strict and bool(findings.count(Verdict.CANNOT_TELL))
        return 10 if is_open or not findings.is_green else 0

    return apart_from_runs(
        arguments,
        asked,
        work,
        interrupted=lambda: "nothing was found out",
        hint="the same command begins again; a canary that was written is named above",
    )
