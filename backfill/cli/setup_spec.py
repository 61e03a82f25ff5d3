"""What a command line says of a set-up: the spec, by file or flags; who asks; where the record is.

Never asks AWS and never writes. Law: a file and flags never say the same thing twice: it is one or
the other.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.cli.arguments import IDENTITY_OPTIONS

if TYPE_CHECKING:
    from backfill.cli.stage import Asked
    from backfill.setup.spec import Spec

SPEC_BYTES_MAX = 1024 * 1024
"""A spec is a page of text; what is larger is the wrong file."""


def add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every flag of the spec's one table of fields."""
    from backfill.setup.fields import FIELDS, FieldKind

    group = parser.add_argument_group("the spec, where no file says it: one destination, one rule")
    for field in FIELDS:
        if not field.flag:
            continue
        text = field.sets.replace("%", "%%").replace("`", "")
        if field.kind is FieldKind.SWITCH:
            group.add_argument(
                field.flag, action=argparse.BooleanOptionalAction, default=None, help=text
            )
        elif field.kind in {FieldKind.WORDS, FieldKind.TAGS}:
            metavar = "KEY=VALUE" if field.kind is FieldKind.TAGS else "TEXT"
            group.add_argument(
                field.flag, action="append", default=None, metavar=metavar, help=text
            )
        elif field.choices:
            group.add_argument(field.flag, choices=field.choices, default=None, help=text)
        else:
            is_number = field.kind is FieldKind.INTEGER
            group.add_argument(
                field.flag,
                type=int if is_number else str,
                default=None,
                metavar="N" if is_number else "TEXT",
                help=text,
            )


def spec_of_arguments(arguments: argparse.Namespace) -> "Spec":
    """Return the spec of the file, or of the flags.

    Raises:
        UsageError: Both or neither are given, or something in it is wrong.
    """
    from backfill.errors import UsageError
    from backfill.setup.fields import FIELDS
    from backfill.setup.parsing import document_of_flags, spec_of

    flags = {field.flag: _said(arguments, field.flag) for field in FIELDS if field.flag}
    given = [flag for flag, value in flags.items() if value is not None]
    if arguments.spec and given:
        raise UsageError(
            f"a file and {given[0]} both say what is wanted", hint="put it into the file"
        )
    if arguments.spec:
        name = "standard input" if arguments.spec == "-" else arguments.spec
        return spec_of(_document(arguments.spec, name), place=name)
    if not given:
        raise UsageError(
            "nobody says what is wanted",
            hint=f"backfill setup {arguments.action} setup.toml, or --source-bucket and"
            " --destination-bucket",
        )
    if (tags := flags["--tag"]) is not None:
        flags["--tag"] = _tags(tags)
    return spec_of(document_of_flags(flags), place="the flags")


def _said(arguments: argparse.Namespace, flag: str) -> object:
    return getattr(arguments, flag.removeprefix("--").replace("-", "_"))


def _tags(words: object) -> dict[str, str]:
    from backfill.errors import UsageError

    assert isinstance(words, list), "the flag may be given again and again"
    pairs = [str(word).partition("=") for word in words]
    if not all(separator for _, separator, _ in pairs):
        raise UsageError("--tag without a value", hint="write KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _document(path: str, name: str) -> dict[str, object]:
    import sys
    import tomllib

    from backfill.errors import UsageError

    try:
        raw = (
            sys.stdin.buffer.read(SPEC_BYTES_MAX + 1)
            if path == "-"
            else Path(path).read_bytes()[: SPEC_BYTES_MAX + 1]
        )
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {error.strerror}", hint="check the path"
        ) from error
    if len(raw) > SPEC_BYTES_MAX:
        raise UsageError(f"{name} is larger than 1 MiB", hint="is it a setup.toml?")
    try:
        return tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:  # as of a campaign (`spoken`)
        raise UsageError(
            f"{name} is no TOML: {error}", hint="docs/reference/setup-spec.md"
        ) from error


def asked_of_setup(arguments: argparse.Namespace, spec: "Spec") -> "Asked":
    """Return who asks, by flags and environment, and where the record is."""
    import os

    from backfill.campaign.parsing import campaign_of, values_of_environment
    from backfill.cli.spoken import values_of_arguments
    from backfill.cli.stage import Asked
    from backfill.compose import machine

    spoken = {**values_of_environment(os.environ), **values_of_arguments(arguments)}
    values = {place: value for place, value in spoken.items() if _names_identity(*place)}
    values["source", "bucket"] = spec.source.bucket
    beside = Path(arguments.spec).parent if arguments.spec not in ("", "-") else Path()
    folder = getattr(arguments, "record", "") or beside / f"backfill-setup-{spec.name}"
    return Asked(
        campaign=campaign_of(values),
        values=values,
        here=machine(Path(folder)),
        says_jobs=False,
    )


def _names_identity(table: str, name: str) -> bool:
    return table == "access" or (table in ("source", "destination") and name in IDENTITY_OPTIONS)
