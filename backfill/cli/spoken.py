"""What a command line says: flags, environment and campaign.toml brought together.

Never asks AWS and never writes.
Law: a flag overrides an environment variable, which overrides campaign.toml, which overrides what
the run directory remembers.
"""

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from backfill.campaign.parsing import Values, values_of_document, values_of_environment
from backfill.campaign_options import OPTIONS
from backfill.errors import CampaignError, UsageError
from backfill.run_directory.on_s3.location import S3Location, is_on_s3, location_of

CAMPAIGN_BYTES_MAX = 1024 * 1024
"""A campaign is a page of text; what is larger is the wrong file."""


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


def run_directory_of(
    arguments: argparse.Namespace, environment: Mapping[str, str], source_bucket: str
) -> Path:
    """Return the run directory that flags, the environment or the source bucket name.

    Of one on S3 this is the working copy on this machine, whether it is there or not.

    Raises:
        UsageError: Nothing names one.
    """
    chosen = _named(arguments, environment)
    if is_on_s3(chosen):
        return scratch_of(arguments, environment) / location_of(chosen).working_copy_name
    if not chosen and source_bucket:
        chosen = f"backfill-{source_bucket}"
    if not chosen:
        raise UsageError(
            "neither a source bucket nor a run directory is named",
            hint=naming_hint(arguments),
        )
    return Path(chosen)


def location_on_s3(
    arguments: argparse.Namespace, environment: Mapping[str, str]
) -> S3Location | None:
    """Return where on S3 the run directory lies; None where it is a local one.

    Raises:
        UsageError: What is named is neither.
    """
    chosen = _named(arguments, environment)
    return location_of(chosen) if is_on_s3(chosen) else None


def scratch_of(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Path:
    """Return the folder of working copies of run directories on S3.

    By default the machine's own for what does not last: all of it can be fetched again.
    """
    chosen: str = arguments.scratch_dir or environment.get("BACKFILL_SCRATCH_DIR", "")
    return Path(chosen or tempfile.gettempdir())


def spoken_word(
    arguments: argparse.Namespace, environment: Mapping[str, str], name: str, default: str = ""
) -> str:
    """Return what a flag of the run directory says, or its variable; they are no campaign's."""
    given: str = vars(arguments).get(name, "")
    return given or environment.get(f"BACKFILL_{name.upper()}", "") or default


def _named(arguments: argparse.Namespace, environment: Mapping[str, str]) -> str:
    chosen: str = arguments.run_dir or environment.get("BACKFILL_RUN_DIR", "")
    return chosen


def naming_hint(arguments: argparse.Namespace) -> str:
    """Return how a verb is told its run; `explain` takes a key where others take a bucket."""
    if "source_bucket" not in vars(arguments):
        return "name the run: --run-dir DIR"
    return f"backfill {arguments.verb} SOURCE_BUCKET, or --run-dir DIR"


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
    if name == "-" and not raw.strip():
        # Taken for a campaign, nothing said would mean the whole bucket.
        raise CampaignError(f"campaign {place} is empty", hint="what should have written it?")
    try:
        document = tomllib.loads(raw.decode())
    # No TOML, no UTF-8, a number of thousands of digits; or brackets in brackets without end.
    except (ValueError, RecursionError) as error:
        raise CampaignError(f"campaign {place} is no TOML: {error}") from error
    return values_of_document(document, place=place)


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(CAMPAIGN_BYTES_MAX + 1)
