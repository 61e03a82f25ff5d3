"""Flags that verbs share, generated from the campaign's one table of options.

Never imports an SDK: this module is on the path of `backfill --help`.
Law: a flag overrides an environment variable, which overrides campaign.toml, which overrides what
the run directory remembers.
"""

import argparse
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from backfill.campaign import Campaign
from backfill.campaign.options import OPTIONS, Kind, Option
from backfill.campaign.parsing import (
    Values,
    campaign_of,
    values_of_document,
    values_of_environment,
)
from backfill.errors import CampaignError, UsageError

CAMPAIGN_BYTES_MAX = 1024 * 1024
"""A campaign is a page of text; what is larger is the wrong file."""

_METAVARS = {
    Kind.TEXT: "TEXT",
    Kind.BUCKET: "BUCKET",
    Kind.ACCOUNT: "ACCOUNT",
    Kind.INTEGER: "N",
    Kind.SECONDS: "SECONDS",
    Kind.TIMESTAMP: "TIME",
    Kind.TAGS: "KEY=VALUE",
}


def add_campaign_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --campaign, --run-dir and every flag of the campaign table."""
    group = parser.add_argument_group("campaign")
    group.add_argument(
        "--campaign", metavar="FILE", default="", help="campaign.toml, or - for standard input"
    )
    for option in OPTIONS:
        if option.flag:
            _add_flag(group, option)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what concerns the run directory, the output and the log."""
    group = parser.add_argument_group("run directory and output")
    group.add_argument(
        "--run-dir",
        metavar="DIR",
        default="",
        help="where the run keeps its artefacts (default: BACKFILL_RUN_DIR, ./backfill-BUCKET)",
    )
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


def values_of_arguments(arguments: argparse.Namespace) -> dict[tuple[str, str], object]:
    """Return the campaign values that flags and the source bucket argument set."""
    given = vars(arguments)
    values: dict[tuple[str, str], object] = {}
    for option in OPTIONS:
        value = given.get(option.flag.removeprefix("--").replace("-", "_")) if option.flag else None
        if value is not None:
            values[option.table, option.name] = value
    if given.get("source_bucket"):
        values["source", "bucket"] = given["source_bucket"]
    return values


def campaign_values(
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    remembered: Values,
) -> dict[tuple[str, str], object]:
    """Merge all spellings, the strongest last."""
    return {
        **remembered,
        **_values_of_file(arguments.campaign),
        **values_of_environment(environment),
        **values_of_arguments(arguments),
    }


def campaign_of_arguments(
    arguments: argparse.Namespace, environment: Mapping[str, str], remembered: Values
) -> Campaign:
    """Return the checked campaign."""
    return campaign_of(campaign_values(arguments, environment, remembered))


def run_directory_of(
    arguments: argparse.Namespace, environment: Mapping[str, str], source_bucket: str
) -> Path:
    """Return the run directory that flags, the environment or the source bucket name.

    Raises:
        UsageError: Nothing names one.
    """
    chosen: str = arguments.run_dir or environment.get("BACKFILL_RUN_DIR", "")
    if not chosen and source_bucket:
        chosen = f"backfill-{source_bucket}"
    if not chosen:
        raise UsageError("no run directory", hint="name it: --run-dir DIR")
    if chosen.startswith("s3://"):
        raise UsageError(
            "a run directory on S3 is not supported yet", hint="name a local directory: --run-dir"
        )
    return Path(chosen)


def _values_of_file(name: str) -> dict[tuple[str, str], object]:
    if not name:
        return {}
    place = "standard input" if name == "-" else name
    try:
        raw = sys.stdin.buffer.read(CAMPAIGN_BYTES_MAX + 1) if name == "-" else _read(Path(name))
    except OSError as error:
        raise CampaignError(
            f"campaign {place} cannot be read: {error.strerror}", hint="check the path"
        ) from error
    if len(raw) > CAMPAIGN_BYTES_MAX:
        raise CampaignError(f"campaign {place} is larger than 1 MiB", hint="is it a campaign.toml?")
    try:
        document = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CampaignError(f"campaign {place} is no TOML: {error}") from error
    return values_of_document(document, place=place)


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(CAMPAIGN_BYTES_MAX + 1)
