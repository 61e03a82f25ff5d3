"""The command behind `scripts/sim`: one seed as a table, or what many of them broke."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backfill.model.escaping import visible_text
from tests.simulation.batch_checkers import batch_violations
from tests.simulation.batch_simulate import simulate_batch
from tests.simulation.batch_table import batch_table
from tests.simulation.checkers import Violation, violations
from tests.simulation.evidence import Evidence
from tests.simulation.history_checkers import history_violations
from tests.simulation.history_simulate import simulate_history
from tests.simulation.simulate import Run, simulate
from tests.simulation.table import history_table, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What can be replayed: runs by copies, by jobs, or of whole histories."""

    run: Callable[[int], Run]
    broken: Callable[[Run], list[Violation]]
    lines: Callable[[Run, str], Iterator[str]]


COPIES = Kind(run=simulate, broken=violations, lines=table)
JOBS = Kind(run=simulate_batch, broken=batch_violations, lines=batch_table)
HISTORIES = Kind(run=simulate_history, broken=history_violations, lines=history_table)


def main() -> int:
    """Replay seeds; the exit code is 1 if any promise was broken."""
    parser = argparse.ArgumentParser(
        prog="scripts/sim", description="Replay seeded histories of copy workers, or of jobs."
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
    arguments = parser.parse_args()
    kind = JOBS if arguments.batch else HISTORIES if arguments.history else COPIES
    if arguments.histories == 1:
        run = kind.run(arguments.seed)
        sys.stdout.write("\n".join([*kind.lines(run, arguments.key), ""]))
        return int(bool(kind.broken(run)))
    return replay(kind, range(arguments.seed, arguments.seed + arguments.histories))


def replay(kind: Kind, seeds: range) -> int:
    """Run many seeds and tell what they broke."""
    begun, broken, windows = time.perf_counter(), 0, 0
    for seed in seeds:
        run = kind.run(seed)
        found = kind.broken(run)
        windows += Evidence(run).has_marker_window()
        broken += bool(found)
        for one in found:
            told = f"seed {seed}: {one.promise}: {visible_text(one.key)}: {one.what}\n"
            sys.stdout.write(told)
    elapsed_s = time.perf_counter() - begun
    sys.stderr.write(
        f"{len(seeds)} histories, {broken} broken, {windows} with the marker window,"
        f" {len(seeds) / elapsed_s:.1f} a second\n"
    )
    return int(bool(broken))
