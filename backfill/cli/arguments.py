"""Flags that verbs share, generated from the campaign's one table of options.

Never reads what was given (see `spoken`): this module is on the path of `backfill --help`.
Law: a flag exists because the campaign's table has it.
"""

import argparse

from backfill.campaign_options import OPTIONS
from backfill.model.options import Kind, Option

_METAVARS = {
    Kind.TEXT: "TEXT",
    Kind.BUCKET: "BUCKET",
    Kind.ACCOUNT: "ACCOUNT",
    Kind.INTEGER: "N",
    Kind.SECONDS: "SECONDS",
    Kind.TIMESTAMP: "TIME",
    Kind.TAGS: "KEY=VALUE",
}

IDENTITY_OPTIONS = ("profile", "role-arn", "external-id")
"""Of source and destination: who asks there."""


_ON_S3 = {
    "--scratch-dir": ("DIR", "folder of its working copy (default: the system's temporary folder)"),
    "--run-dir-profile": ("PROFILE", "profile that reaches it (default: who asks at the source)"),
    "--run-dir-account": ("ACCOUNT", "its bucket's owner (default: the account of who reaches it)"),
    "--run-dir-kms-key-arn": ("ARN", "KMS key for its objects (default: SSE-S3)"),
    "--run-dir-lease-s": ("SECONDS", "how long it stays taken when its holder dies (default: 60)"),
}
"""Placeholder and help of each flag; the variable of --scratch-dir is BACKFILL_SCRATCH_DIR, and so
on. They say how the run directory is reached, which the campaign in it cannot."""


def add_campaign_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --campaign, --run-dir and every flag of the campaign table."""
    group = parser.add_argument_group("campaign")
    _add_campaign_file(group)
    for option in OPTIONS:
        if option.flag:
            _add_flag(group, option)


def add_access_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --campaign and how both sides are reached, for verbs that only look at a run's campaign.

    All else is remembered by the run directory.
    """
    group = parser.add_argument_group("campaign")
    _add_campaign_file(group)
    _add_identity_flags(group)


def add_identity_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how both sides are reached, for verbs without a campaign."""
    _add_identity_flags(parser.add_argument_group("who asks, and where"))


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what concerns the run directory, the output and the log."""
    group = parser.add_argument_group("run directory and output")
    group.add_argument(
        "--run-dir",
        metavar="DIR",
        default="",
        help="where the run keeps its artefacts: a folder, or s3://BUCKET/PREFIX"
        " (default: BACKFILL_RUN_DIR, ./backfill-BUCKET)",
    )
    for flag, (metavar, words) in _ON_S3.items():
        group.add_argument(flag, metavar=metavar, default="", help=f"run directory on S3: {words}")
    _add_output_flags(group)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what concerns the output and the log, for verbs without a run directory."""
    _add_output_flags(parser.add_argument_group("output"))


def _add_output_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    group.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="least severe log event to print on stderr (default: info)",
    )
    group.add_argument(
        "--log-format",
        choices=("json", "console", "auto"),
        default="auto",
        help="auto: console on a terminal, JSON lines otherwise (default)",
    )


def add_yes_argument(parser: argparse.ArgumentParser) -> None:
    """Add --yes, for verbs that write to a destination bucket."""
    parser.add_argument(
        "--yes", action="store_true", help="do not ask before writing to the destination"
    )


def _add_campaign_file(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--campaign", metavar="FILE", default="", help="campaign.toml, or - for standard input"
    )


def _add_identity_flags(group: argparse._ArgumentGroup) -> None:
    for option in OPTIONS:
        is_sides = option.table in ("source", "destination")
        names_identity = is_sides and option.name in IDENTITY_OPTIONS
        if option.flag and (option.table == "access" or names_identity):
            _add_flag(group, option)


def _add_flag(group: argparse._ArgumentGroup, option: Option) -> None:
    name = option.flag
    if option.kind is Kind.SWITCH:
        group.add_argument(
            name, action=argparse.BooleanOptionalAction, default=None, help=option.help
        )
    elif option.kind is Kind.TAGS:
        group.add_argument(
            name, action="append", default=None, metavar="KEY=VALUE", help=option.help
        )
    elif option.kind is Kind.CHOICE:
        group.add_argument(name, default=None, choices=option.choices, help=option.help)
    else:
        metavar = _METAVARS[option.kind]
        group.add_argument(name, default=None, metavar=metavar, help=option.help)
