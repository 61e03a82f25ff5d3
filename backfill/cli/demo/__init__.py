"""`backfill demo`: the whole story on the embedded sandbox, in under two minutes.

Never touches AWS: both accounts are the sandbox's, on loopback.
Law: it fails loudly when the story does not hold; every line it prints was checked.
"""

import argparse

HELP = "show the whole story on the embedded sandbox"
DESCRIPTION = """\
Start the sandbox with two accounts, fill a source bucket with years of history, switch replication
on, keep a live writer going, backfill, plant six kinds of damage, find exactly those, repair them,
verify, and say where the report is. Needs no account and no network.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--run-dir",
        metavar="DIR",
        default="demo-run",
        help="where the run keeps its artefacts; it must not exist (default: ./demo-run)",
    )
    parser.add_argument(
        "--seed", type=int, default=20261122, metavar="N", help="settles the whole story"
    )


def call(arguments: argparse.Namespace) -> int:
    """Tell the story; 0 when all of it held."""
    from pathlib import Path

    from backfill.cli.demo.story import tell

    return tell(Path(arguments.run_dir), seed=arguments.seed)
