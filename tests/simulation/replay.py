"""The command behind `scripts/sim`: one seed as a table, what many broke, or one made small."""

import argparse
import json
import sys
import time

from backfill.model.escaping import visible_text
from tests.simulation.checkers import Violation
from tests.simulation.evidence import Evidence
from tests.simulation.kinds import COPIES, HISTORIES, JOBS, Kind
from tests.simulation.scenario import Scenario
from tests.simulation.shrinking import RUNS_MAX, shrunk, with_choices


def main() -> int:
    """Replay seeds; the exit code is 1 if any promise was broken."""
    parser = _parser()
    arguments = parser.parse_args()
    kind = JOBS if arguments.batch else HISTORIES if arguments.history else COPIES
    try:
        choices = dict(json.loads(arguments.choices))
        scenario = with_choices(kind.draw(arguments.seed), choices)
    except (ValueError, TypeError, StopIteration) as error:
        parser.error(f"--with: {error}")
    if arguments.histories == 1:
        return show(kind, scenario, arguments.key, runs_max=arguments.shrink)
    if choices:
        parser.error("--with is about one seed")
    seeds = range(arguments.seed, arguments.seed + arguments.histories)
    return replay(kind, seeds, runs_max=arguments.shrink)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/sim",
        description="Replay seeded histories of copy workers, or of jobs. Exit code 1: a promise"
        " was broken.",
    )
    parser.add_argument("--seed", type=int, required=True, metavar="N", help="the first seed")
    parser.add_argument(
        "--histories", type=int, default=1, metavar="M", help="how many seeds; one is shown whole"
    )
    parser.add_argument("--key", default="", help="show only what bears on one key")
    parser.add_argument(
        "--batch", action="store_true", help="runs by Batch Replication jobs, not by copies alone"
    )
    parser.add_argument(
        "--history", action="store_true", help="runs that bring keys with all of their versions"
    )
    parser.add_argument(
        "--shrink",
        type=int,
        nargs="?",
        default=0,
        const=RUNS_MAX,
        metavar="RUNS",
        help="make what breaks a promise small, in so many runs at most (%(const)s); of many"
        " seeds, the first that does",
    )
    parser.add_argument(
        "--with",
        dest="choices",
        default="{}",
        metavar="JSON",
        help="other choices than the seed's, as --shrink prints them",
    )
    return parser


def show(kind: Kind, scenario: Scenario, key: str = "", *, runs_max: int = 0) -> int:
    """Show one history, smaller if asked for; return 1 if it breaks a promise."""
    run = kind.play(scenario)
    found = kind.broken(run)
    smaller = None
    if found and runs_max:
        smaller = shrunk(kind, scenario, found[0].promise, runs_max=runs_max)
    lines = smaller.lines() if smaller else kind.lines(run, key)
    sys.stdout.write("\n".join([*lines, ""]))
    return int(bool(found))


def replay(kind: Kind, seeds: range, *, runs_max: int = 0) -> int:
    """Run many seeds and tell what they broke."""
    begun, windows = time.perf_counter(), 0
    broken: dict[int, list[Violation]] = {}
    for seed in seeds:
        run = kind.play(kind.draw(seed))
        windows += Evidence(run).has_marker_window()
        if found := kind.broken(run):
            broken[seed] = found
        for one in found:
            told = f"seed {seed}: {one.promise}: {visible_text(one.key)}: {one.what}\n"
            sys.stdout.write(told)
    elapsed_s = time.perf_counter() - begun
    sys.stderr.write(
        f"{len(seeds)} histories, {len(broken)} broken, {windows} with the marker window,"
        f" {len(seeds) / elapsed_s:.1f} a second\n"
    )
    if broken and runs_max:
        show(kind, kind.draw(min(broken)), runs_max=runs_max)
    return int(bool(broken))
