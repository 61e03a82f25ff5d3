"""Which branches of the pure floor the unit tests reach, and which they do not.

    python -m scripts.branches [TEST ...]          (`scripts/coverage`)

Prints each module that has branches nobody took, with their lines; leaves build/trust/coverage.json
and, of a run of all unit tests, its figure. Exit code 1 where a test fails, or a run of all reaches
less than is wanted.
Law: nothing is excused here; a branch that cannot be taken is for taking out of the code.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import coverage
import pytest

from tests.architecture.house import ROOT, modules
from tests.doubles.figures import LANE, Row, leave

WANTED_PERCENT = 99.0
"""What is left are branches that Python has and no input takes: see docs/internals/TESTING.md."""
ALL = ("tests/unit",)
REPORT = ROOT / "build" / "trust" / "coverage.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Of one module: how many of its branches were taken, and from where to where the others go."""

    module: str
    taken: int
    of: int
    missed: tuple[tuple[int, int], ...]


def main(tests: Sequence[str]) -> int:
    """Run unit tests, tell what they miss, and leave the figure."""
    # Larger figures try more of the same: they cost hours here and take the same branches.
    os.environ[LANE] = "ci"
    floor = {module.path: module.name for module in modules() if module.floor == 0}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    measured = coverage.Coverage(
        data_file=None, branch=True, include=[str(path) for path in floor], config_file=False
    )
    measured.start()
    try:
        code = int(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *(tests or ALL)]))
    finally:
        measured.stop()
    measured.json_report(morfs=[str(path) for path in floor], outfile=str(REPORT))
    told = json.loads(REPORT.read_text())["files"]
    names = {str(path.relative_to(ROOT)): name for path, name in floor.items()}
    found = [_reached(names[place], each) for place, each in sorted(told.items())]
    taken, of = sum(each.taken for each in found), sum(each.of for each in found)
    sys.stdout.write("".join(f"{_told(each)}\n" for each in found if each.missed))
    percent = 100 * taken / of
    sys.stdout.write(f"{taken:,} of {of:,} branches of {len(found)} modules: {percent:.2f} %\n")
    if tests:
        return code
    is_short = percent < WANTED_PERCENT
    leave(Row.BRANCHES, cases=taken, of=of, failed=int(is_short or code != 0))
    return code or int(is_short)


def _reached(name: str, told: Mapping[str, Any]) -> Reached:
    """Read one file of coverage's report, which is JSON."""
    summary = told["summary"]
    return Reached(
        module=name,
        taken=summary["covered_branches"],
        of=summary["num_branches"],
        missed=tuple((begin, end) for begin, end in told["missing_branches"]),
    )


def _told(reached: Reached) -> str:
    ways = (f"{begin}->{end if end > 0 else 'end'}" for begin, end in reached.missed)
    return f"{reached.module:48} {reached.taken}/{reached.of}  {', '.join(ways)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
