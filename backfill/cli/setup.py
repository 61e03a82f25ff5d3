"""`backfill setup`: plan, apply, export or destroy the replication that a spec describes.

Never writes before a person said yes, and never more than the plan shows.
Law: what is printed on stdout is the plan or the result; how it goes is talk on stderr.
"""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from backfill.cli.arguments import add_identity_arguments, add_output_arguments
from backfill.cli.setup_spec import add_spec_arguments, asked_of_setup, spec_of_arguments

if TYPE_CHECKING:
    from backfill.cli.stage import Asked
    from backfill.errors import RaceLostError
    from backfill.observe import StructuredEvents
    from backfill.setting_up import SettingUp
    from backfill.setup.exporting import ExportedFile
    from backfill.setup.spec import Spec
    from backfill.setup.wanted import Change, Difference, DocumentDifference, Side, Wanted

T = TypeVar("T")

WINDOW = """\
AWS writes whole documents and cannot refuse a write that overtook another: what somebody else
writes between our read and our write right after it may be lost."""
HELP = "set replication up in both accounts: plan, apply, export, destroy"
DESCRIPTION = f"""\
Set up the replication that a spec describes, in both accounts: roles, bucket and key policies,
versioning, replication rules, event notifications. What others put into the same documents stays.

  backfill setup plan setup.toml                  what is there, what is wanted, the difference
  backfill setup apply setup.toml                 write it, after a yes; again does nothing
  backfill setup export setup.toml --output DIR   policies and AWS CLI commands for each owner
  backfill setup destroy setup.toml               take away what apply made, and no more

The simple case needs no file: backfill setup plan --source-bucket A --destination-bucket B. Each
side is written by its own identity (--source-profile, --destination-profile); --only leaves one
side to its owner. A record of what was made is kept in ./backfill-setup-NAME: apply replaces and
destroy takes away what it holds, and no more.
{WINDOW}
"""
ACTIONS = {
    "plan": "show what is there, what is wanted, and the difference",
    "apply": "write what is missing, in a safe order",
    "export": "write policies and AWS CLI commands for each account's owner",
    "destroy": "take away what apply made, as far as nobody changed it",
}
"""The actions and their help."""
_PAST: Final = {
    "add": "added",
    "replace": "replaced",
    "keep": "as they were",
    "remove": "taken away",
    "leave": "left",
    "refuse": "refused",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, help="what to do"
    )
    for name, text in ACTIONS.items():
        description = f"{text[0].upper()}{text[1:]}."
        if name in {"plan", "apply"}:
            description = f"{description} {WINDOW}"
        child = actions.add_parser(name, help=text, description=description, allow_abbrev=False)
        child.add_argument(
            "spec", metavar="SPEC", nargs="?", default="", help="setup.toml, or - for stdin"
        )
        if name == "export":
            child.add_argument(
                "--output", metavar="DIR", default="", help="directory for the files (required)"
            )
            child.add_argument(
                "--read",
                action="store_true",
                help="look at the accounts first: pages then say what stands there now, and"
                " scripts put whole documents, if nobody changed them meanwhile",
            )
        else:
            child.add_argument(
                "--only",
                choices=("source", "destination"),
                default="",
                help="leave the other account to its owner",
            )
            child.add_argument(
                "--record",
                metavar="DIR",
                default="",
                help="where what was made is recorded (default: backfill-setup-NAME beside SPEC)",
            )
        if name in {"apply", "destroy"}:
            child.add_argument("--yes", action="store_true", help="do not ask")
        add_spec_arguments(child)
        add_identity_arguments(child)
        add_output_arguments(child)


def call(arguments: argparse.Namespace) -> int:
    """Carry the action out."""
    from backfill.errors import UsageError
    from backfill.model.escaping import original_text, visible_text

    try:
        return _call(arguments)
    except UsageError as error:
        first, *faults = error.message.splitlines()
        if not faults:
            raise
        # All faults of a spec at once, a line each; they are escaped where they are made, and a
        # second time would show each backslash twice.
        for line in (f"backfill: {first}", *faults):
            _say(visible_text(original_text(line)))
        return error.exit_status


def _call(arguments: argparse.Namespace) -> int:
    spec = spec_of_arguments(arguments)
    asked = asked_of_setup(arguments, spec)
    match arguments.action:
        case "plan":
            return _plan(arguments, spec, asked)
        case "export":
            return _export(arguments, spec, asked)
        case "apply":
            return _apply(arguments, spec, asked)
        case _:
            return _destroy(arguments, spec, asked)


def _only(arguments: argparse.Namespace) -> "Side | None":
    from backfill.setup.wanted import Side

    only = getattr(arguments, "only", "")
    return Side(only) if only else None


def _is_written(change: "Change") -> bool:
    return change.action.value in {"add", "replace", "remove"}


def _plan(arguments: argparse.Namespace, spec: "Spec", asked: "Asked") -> int:
    difference = _planned(arguments, spec, asked)
    _show(arguments, difference)
    _refuse_unless_writable(difference)
    return 0


def _apply(arguments: argparse.Namespace, spec: "Spec", asked: "Asked") -> int:
    from backfill.setup.run import apply

    difference = _planned(arguments, spec, asked)
    if not arguments.json:
        _show(arguments, difference)
    _refuse_unless_writable(difference)
    _ask(arguments, difference, "Write")

    async def work(opened: "SettingUp") -> "Difference":
        return await apply(await opened.wanted(spec), opened.hands)

    done = _held(arguments, asked, work)
    if arguments.json:
        _show(arguments, done)
    _say(f"{_summary(done)}; next: {_next(spec, done)}")
    return 0


def _next(spec: "Spec", done: "Difference") -> str:
    """Return the command that tries what was set up, with the role and the bucket for jobs."""
    import shlex

    words = ["backfill", "preflight", spec.source.bucket]
    if spec.batch is not None:
        # The resource that a role's policies are of says where it is, path and all.
        arns = [each.resource.arn for each in done.documents]
        named = spec.batch.role.arn or next(
            (arn for arn in arns if arn.endswith(f"{spec.batch.role.path}{spec.batch.role.name}")),
            "ROLE_ARN",
        )
        words += ["--batch-role-arn", named, "--batch-bucket", spec.batch.bucket]
    return shlex.join([*words, "--canary"])


def _destroy(arguments: argparse.Namespace, spec: "Spec", asked: "Asked") -> int:
    from backfill.errors import UsageError
    from backfill.setup.run import destroy, is_recorded, recorded, removable

    async def look(opened: "SettingUp") -> "Difference":
        if not is_recorded(opened.hands.records):
            raise UsageError(
                f"{asked.here.root} holds no record of a set-up: nothing is taken away",
                hint="name the record's directory: --record DIR. Is it lost, apply the same spec"
                " again: it takes over what stands there word for word, and destroy goes by that",
            )
        record = recorded(opened.hands.records, spec.name)
        return await removable(record, opened.hands.views)

    difference = _looked(arguments, asked, look)
    if not difference.documents:
        _say(f"nothing is left of what {asked.here.root} recorded: nothing is taken away")
    if not arguments.json:
        _show(arguments, difference)
    _refuse_unless_writable(difference)
    _ask(arguments, difference, "Take")

    async def work(opened: "SettingUp") -> "Difference":
        return await destroy(opened.hands, name=spec.name)

    done = _held(arguments, asked, work) if difference.is_change else difference
    if arguments.json:
        _show(arguments, done)
    _say(_summary(done))
    return 0


def _export(arguments: argparse.Namespace, spec: "Spec", asked: "Asked") -> int:
    """Write files; accounts are asked only where the spec leaves out an owner or a Region."""
    from backfill.cli.output import print_json, print_lines
    from backfill.setup.desired import wanted_of
    from backfill.setup.difference import differences
    from backfill.setup.exporting import exported
    from backfill.setup.ground import partition_of
    from backfill.setup.spec import ground_of

    folder = _empty_folder(arguments.output)
    ground = ground_of(spec, partition=partition_of(spec.source.region))
    if ground is not None:
        wanted = wanted_of(spec, ground)
    else:

        async def look(opened: "SettingUp") -> "Wanted":
            return await opened.wanted(spec)

        wanted = _looked(arguments, asked, look)
    difference = _planned(arguments, spec, asked) if arguments.read else None
    files = exported(difference or differences(wanted, {}))
    _write(folder, files)
    if arguments.json:
        print_json([file.path for file in files])
    else:
        print_lines(str(folder / file.path) for file in files)
    return 0


def _empty_folder(name: str) -> Path:
    from backfill.errors import UsageError

    if not name:
        raise UsageError("nobody says where the files go", hint="name a directory: --output DIR")
    folder = Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{name} is there and not empty", hint="old files beside new ones mislead: name another"
        )
    return folder


def _write(folder: Path, files: "Sequence[ExportedFile]") -> None:
    from backfill.errors import UsageError

    try:
        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
            if file.is_program:
                path.chmod(0o755)
    except OSError as error:
        message = f"{error.filename} cannot be written: {error.strerror}"
        raise UsageError(message, hint="name another directory: --output DIR") from error


def _planned(arguments: argparse.Namespace, spec: "Spec", asked: "Asked") -> "Difference":
    from backfill.setup.run import planned, recorded

    async def look(opened: "SettingUp") -> "Difference":
        # Who only hands files on has no record, and the scripts look for themselves.
        is_written = arguments.action != "export"
        record = recorded(opened.hands.records, spec.name) if is_written else None
        return await planned(await opened.wanted(spec), opened.hands.views, record=record)

    return _looked(arguments, asked, look)


def _looked(
    arguments: argparse.Namespace, asked: "Asked", look: Callable[["SettingUp"], Awaitable[T]]
) -> T:
    """Look at both accounts, or at one; nothing is held, since nothing is written."""
    from backfill.cli.stage import apart_from_runs
    from backfill.setting_up import opened_setup

    found: list[T] = []

    async def work(events: "StructuredEvents") -> int:
        events.belong_to(asked.here.root.name)
        campaign = asked.campaign
        async with opened_setup(
            campaign.access, campaign.settings, asked.here, events, only=_only(arguments)
        ) as opened:
            found.append(await look(opened))
        return 0

    apart_from_runs(
        arguments,
        asked,
        work,
        interrupted=lambda: f"setup {arguments.action}",
        hint="what was written before is recorded; the same command goes on",
    )
    (result,) = found
    return result


def _held(
    arguments: argparse.Namespace,
    asked: "Asked",
    work: Callable[["SettingUp"], Awaitable["Difference"]],
) -> "Difference":
    """Do what writes, holding the record's directory."""
    from dataclasses import replace

    from backfill.compose import held
    from backfill.errors import RaceLostError

    with held(asked.here) as here:
        try:
            return _looked(arguments, replace(asked, here=here), work)
        except RaceLostError as error:
            _tell_race(error)
            raise


def _tell_race(error: "RaceLostError") -> None:
    from backfill.setup.rendering import shown

    for whose, fields in (("setup wrote", error.ours), ("there stands now", error.theirs)):
        _say(f"{whose}: {shown(fields) if fields is not None else 'nothing'}")


def _show(arguments: argparse.Namespace, difference: "Difference") -> None:
    """Print a difference; without the texts for who said --yes, since `plan` shows them."""
    from backfill.cli.output import print_json, print_lines
    from backfill.setup.rendering import TEXTS, document_of, lines_of

    if arguments.json:
        print_json(document_of(difference))
    else:
        is_short = getattr(arguments, "yes", False)
        lines = (each for each in lines_of(difference) if not (is_short and each.kind in TEXTS))
        print_lines(line.text for line in lines)


def _refuse_unless_writable(difference: "Difference") -> None:
    from backfill.setup.run import refuse_unless_writable

    refuse_unless_writable(difference)


def _ask(arguments: argparse.Namespace, difference: "Difference", verb: str) -> None:
    from backfill.cli.stage import confirm

    changed = [document for document in _asked_of(difference) if document.is_change]
    if not changed:
        return
    parts = sum(_is_written(change) for document in changed for change in document.changes)
    owners = sorted({document.resource.account for document in changed})
    what = {"Write": "Write", "Take": "Take away"}[verb]
    confirm(
        arguments,
        f"{what} {parts} parts in {len(changed)} documents of {' and '.join(owners)}?",
        what="before documents of an account are written",
        hint="look at them with `backfill setup plan`, then add --yes",
    )


def _asked_of(difference: "Difference") -> list["DocumentDifference"]:
    """Return the documents of the accounts that were asked: of others nothing is known or done."""
    return [document for document in difference.documents if document.unread is None]


def _summary(difference: "Difference") -> str:
    from backfill.setup.rendering import counted

    counts = counted(_asked_of(difference))
    words = [f"{number} {_PAST[action.value]}" for action, number in counts.items() if number]
    return f"{difference.name}: {', '.join(words) or 'nothing to do'}"


def _say(words: str) -> None:
    import sys

    print(words, file=sys.stderr)
