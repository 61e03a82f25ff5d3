"""All guard-removal mutants by kind of history, and the table that tells of them.

    python -m tests.mutants.kinds     # each from seed 0; writes caught.json and MUTANTS.md

Law: what the table says of a seed was seen when it was written; what it says of guards is held to
the mutants by a test.
"""

import json
import sys
from pathlib import Path

from tests.mutants.copies import COPIES
from tests.mutants.histories import HISTORIES
from tests.mutants.jobs import JOBS
from tests.mutants.leases import LEASES
from tests.mutants.teeth import CAUGHT, SEEDS_MAX, Kind, catching_seed, last_caught

KINDS: tuple[Kind, ...] = (COPIES, JOBS, HISTORIES, LEASES)
TABLE = Path(__file__).resolve().parents[2] / "docs" / "internals" / "MUTANTS.md"
_INTRODUCTION = """\
# Guards that are taken away

Each row is a guard of the product. `tests/mutants` takes it away, alone, and plays seeded
histories ([SIMULATION.md](SIMULATION.md)) until the promise that it protects is seen broken; a
crash or a time-out does not count, and with the guard in place the same seed breaks nothing. The
last column is how many seeds it took from 0 when this page was last written
(`scripts/mutants --guards`). CI plays that seed first; the release lane begins with others, and
gives each mutant at most 1,000.
"""
_HEADS = {"histories": "Whole histories"}


def table() -> str:
    """Return the page."""
    caught = last_caught()
    lines = [_INTRODUCTION]
    for kind in KINDS:
        lines += [
            f"## Histories of {kind.name}" if kind.name != "histories" else "## Whole histories"
        ]
        lines += [
            "",
            "| mutant | without its guard | promise | seeds |",
            "| --- | --- | --- | --- |",
        ]
        for mutant in kind.mutants:
            seed = caught.get(kind.name, {}).get(mutant.name)
            seeds = "" if seed is None else f"{seed + 1:,}"
            name = mutant.name.replace("_", " ")
            lines.append(f"| {name} | {mutant.lacks} | {mutant.promise} | {seeds} |")
        lines.append("")
    return "\n".join(lines)


def main(*names: str) -> int:
    """Catch mutants (all, or those named) from seed 0 and write down which; 1: one was missed."""
    caught = last_caught()
    missed = 0
    for kind in KINDS:
        known = caught.get(kind.name, {})
        of_kind = caught[kind.name] = {}
        for mutant in kind.mutants:
            if names and mutant.name not in names:
                of_kind.update({mutant.name: known[mutant.name]} if mutant.name in known else {})
                continue
            seed = catching_seed(mutant, kind.broken, range(SEEDS_MAX))
            sys.stdout.write(f"{kind.name:10} {mutant.name:45} {seed}\n")
            sys.stdout.flush()
            if seed is None:
                missed += 1
            else:
                of_kind[mutant.name] = seed
    CAUGHT.write_text(json.dumps(caught, indent=1) + "\n")
    TABLE.write_text(table())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
