"""`backfill watch`: whether live replication keeps up, what it did not carry, what mends that."""

import argparse
from typing import TYPE_CHECKING

from backfill.cli.arguments import add_access_arguments, add_run_arguments

if TYPE_CHECKING:
    from backfill.observe import StructuredEvents
    from backfill.watch.picture import Picture
    from backfill.watch.run import Watch

HELP = "say whether live replication keeps up, and keep what it failed to carry"
EVERY_S = 60.0
"""S3 publishes a value of its metrics a minute."""
EVERY_S_MIN = 1.0
DESCRIPTION = """\
Look at the live replication of a bucket: for every enabled rule the pending operations and bytes,
the latency and the failures that CloudWatch tells, and the events about failed versions in the
queue that `backfill setup` had S3 send them to. Says cause and mend of each failure, and writes the
failed versions as a manifest for a Batch Replication job. Goes on until Ctrl-C.

  backfill watch SOURCE_BUCKET                 # look every minute
  backfill watch SOURCE_BUCKET --once --json   # one look, for a cron job

Nothing is written to a bucket. Messages are deleted from the queue once what they say is on disk;
what is not a replication event of this bucket stays in it, but each look receives it: give watch a
queue of its own, since under a redrive policy looks send other readers' messages to the dead-letter
queue. Zero pending is not proof of parity: `backfill verify` compares the buckets.

Exit with --once: 0 keeps up, or no data; 3 versions failed; 5 something is pending, behind or
cannot be told.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    parser.add_argument(
        "--queue",
        metavar="ARN",
        default="",
        help="SQS queue with the replication events (default: those that the bucket's notification"
        " configuration names)",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--once", action="store_true", help="look once and exit")
    pace.add_argument(
        "--every",
        type=float,
        default=EVERY_S,
        metavar="SECONDS",
        help="pause between the beginnings of two looks (default: 60)",
    )
    parser.add_argument(
        "--manifest",
        metavar="FILE",
        default="",
        help="where the repair manifest goes (default: watch/manifest/0000.csv in the run"
        " directory)",
    )
    add_access_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Look once, or until a signal; return the exit code of the look."""
    import os

    from backfill.cli.spoken import location_on_s3
    from backfill.cli.stage import apart_from_runs, asked_of
    from backfill.compose import held
    from backfill.errors import UsageError
    from backfill.watching import opened_watch, watch_machine

    if not arguments.every >= EVERY_S_MIN:
        raise UsageError(f"--every {arguments.every}: at least a second", hint="--every 60")
    if location_on_s3(arguments, os.environ) is not None:
        raise UsageError(
            "watch keeps its ledger in a database that changes with every event, and S3 holds none",
            hint="name a local folder that lasts: --run-dir DIR (a volume, in a container)",
        )
    asked = asked_of(arguments)
    viewer = _Viewer(is_json=arguments.json, is_once=arguments.once)

    with held(watch_machine(asked.here.root)) as here:

        async def work(events: "StructuredEvents") -> int:
            async with opened_watch(
                asked.campaign,
                here,
                events,
                queue_arn=arguments.queue,
                manifest_file=arguments.manifest,
            ) as watch:
                return await _look(watch)

        async def _look(watch: "Watch") -> int:
            while True:  # until a signal cancels it
                started_s = here.clock.monotonic_s()
                picture = await watch.look()
                viewer.show(picture)
                if arguments.once:
                    return picture.exit_code
                elapsed_s = here.clock.monotonic_s() - started_s
                await here.clock.sleep(max(0.0, arguments.every - elapsed_s))

        return apart_from_runs(
            arguments,
            asked,
            work,
            interrupted=viewer.summary,
            hint="nothing is lost: the same command goes on with what it has kept",
        )


class _Viewer:
    """Prints looks: each as JSON; for a person the first, and those that say something new."""

    def __init__(self, *, is_json: bool, is_once: bool) -> None:
        self._is_json = is_json
        self._is_once = is_once
        self._looks = 0
        self._last: Picture | None = None

    def show(self, picture: "Picture") -> None:
        """Print a look."""
        from backfill.cli.output import print_json, print_json_line, print_lines
        from backfill.watch.lines import picture_lines

        last, self._last = self._last, picture
        self._looks += 1
        if self._is_json:
            (print_json if self._is_once else print_json_line)(picture)
        elif last is None or _news(last) != _news(picture):
            print_lines(picture_lines(picture))

    def summary(self) -> str:
        """Return what the looks came to, for who ended them."""
        from backfill.model.units import counted

        if self._last is None:
            return "no look was finished"
        words = f"{counted(self._looks)} looks, the last one: {self._last.verdict.value}"
        if self._last.failed_versions:
            words += f", {counted(self._last.failed_versions)} failed and did not arrive since"
        files = ", ".join(file.file for file in self._last.manifest)
        return f"{words}; repair manifest {files}" if files else words


def _news(picture: "Picture") -> object:
    """Return what of a look is worth telling a person again; its numbers go to the log."""
    verdicts = [(rule.rule_id, rule.verdict) for rule in picture.rules]
    return verdicts, picture.causes, picture.manifest, picture.queues.faults, picture.remarks
