"""The `backfill` command: parse, call the verb, turn errors into one line and an exit code.

Never imports an SDK before a verb runs: `backfill --help` takes under 0.2 s of CPU.
Law: every way to end has a code from the table in docs/reference/exit-codes.md, and no traceback
reaches a person unless it is our bug and they asked for debug logs.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Collection, Sequence
from typing import Protocol, cast

from backfill import __version__
from backfill.cli.jobs import spelled_out
from backfill.errors import BackfillError, BugError

VERBS = (
    "setup",
    "preflight",
    "run",
    "inventory",
    "plan",
    "manifest",
    "execute",
    "verify",
    "report",
    "repair",
    "watch",
    "status",
    "jobs",
    "explain",
    "sandbox",
    "demo",
)
"""Every verb is a module of this package, in the order of the story."""

EPILOG = """\
exit codes: 0 done · 1 no: status --live, --ready · 2 usage or campaign · 3 some versions failed
4 different, missing or extra · 5 only unverified or in flight left · 10 refused
11 run directory in use · 12 credentials · 13 a job waits for a person · 20 artefact damaged
21 failure rate · 22 clock skew · 70 bug · 130, 143 interrupted, resumable
"""


class Verb(Protocol):
    """What a verb's module offers."""

    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""
        ...

    def call(self, arguments: argparse.Namespace) -> int:
        """Carry the verb out and return the exit code."""
        ...


def verb_module(name: str) -> Verb:
    """Return the module of a verb."""
    assert name in VERBS, "verbs are a closed list"
    return cast("Verb", importlib.import_module(f"backfill.cli.{name}"))


def build_parser(with_arguments: Collection[str] = VERBS) -> argparse.ArgumentParser:
    """Return the command line; the reference page is rendered from the whole of it.

    Verbs that are not among `with_arguments` are known, and have no arguments yet: one command
    uses one verb, and `backfill --help` none.
    """
    parser = argparse.ArgumentParser(
        prog="backfill",
        description="Bring over what S3 replication left behind, and prove that it arrived.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"backfill {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in VERBS:
        module = verb_module(name)
        child = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in with_arguments:
            module.add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = spelled_out(sys.argv[1:] if argv is None else argv)
    arguments = build_parser(with_arguments=words[:1]).parse_args(words)
    try:
        with contextlib.ExitStack() as arguments.at_end:
            code = verb_module(arguments.verb).call(arguments)
        sys.stdout.flush()
    except BackfillError as error:
        return _told(error)
    except BrokenPipeError:
        # The reader of our stdout left (`| head`): no error of ours. Python would complain again
        # at exit while flushing, so stdout is pointed elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - said below
        # The last resort: a bug gets its line and its code, the traceback only where it was asked.
        if getattr(arguments, "log_level", "") == "debug":
            _show_traceback(error)
        return _told(_last_word(error))
    return code


def _last_word(error: Exception) -> BackfillError:
    from backfill.run_directory.durable import refusal_by_disk

    return refusal_by_disk(error) or BugError(
        f"this is a bug in backfill: {type(error).__name__}: {error}",
        hint="please report it with the output of the same command and --log-level debug",
    )


def _show_traceback(error: Exception) -> None:
    import traceback

    from backfill.model.escaping import visible_text
    from backfill.model.redaction import redacted

    with contextlib.suppress(BrokenPipeError):
        for line in redacted("".join(traceback.format_exception(error))).splitlines():
            print(visible_text(line), file=sys.stderr)


def _told(error: BackfillError) -> int:
    # Imported here: escaping and redaction are not needed for help.
    from backfill.model.escaping import visible_text
    from backfill.model.redaction import redacted

    with contextlib.suppress(BrokenPipeError):
        print(f"backfill: {visible_text(redacted(error.message))}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {visible_text(redacted(error.hint))}", file=sys.stderr)
        for line in error.lines:
            print(f"  {line}", file=sys.stderr)
    return error.exit_status


def entry_point() -> None:
    """Exit with the code of `main`: what the installed command calls."""
    _leave_no_core()
    # The kernel keeps from process 1, which a container makes of us, every signal that it does not
    # handle: a stop that comes while we import would be lost, and SIGKILL come in its stead.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())


def _leave_no_core() -> None:
    """Have no memory written to a disk when we crash, or a copy process: it holds credentials.

    Where cores go to a program (core(5)), it is told this limit, and the usual ones obey it.
    """
    with contextlib.suppress(ImportError):  # Windows has neither cores nor the module
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _end(number: int, _frame: object) -> None:
    """End by a signal that came where nothing is drained."""
    os.write(2, b"backfill: stopped by SIGTERM\n")  # a handler may stand in the middle of a print
    raise SystemExit(128 + number)
