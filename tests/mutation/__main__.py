"""Mutation testing of the pure floor: how many small mistakes its unit tests notice.

    scripts/mutants --changed [REV]           # modules that differ, a sample of each, bounded
    scripts/mutants --release                 # every mutant of every module; writes the table
    scripts/mutants --only backfill.plan [--sample 60] [--keep]

Prints a row a module and what lives; leaves build/trust/mutants.json. Exit code 1 where a module
that was tried falls short of what is wanted of it.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest

from tests.architecture.house import ROOT, Module
from tests.doubles.figures import Row, leave
from tests.mutation.floor import (
    Score,
    equivalents,
    floor,
    keep,
    scores,
    suite_of,
    test_paths,
)
from tests.mutation.judging import TESTS_MAX, Session, Tally, Wanted
from tests.mutation.operators import digest
from tests.mutation.table import write_table

WANTED_PERCENT = 90.0
"""Of all mutants of a module, in the release lane."""
SAMPLE_PERCENT = 50.0
"""Of a sample, which may be unlucky: of twelve where 85 in a hundred are caught, fewer than six are
in one sample of a thousand. It finds code that nobody tests, not a test too few."""
CHANGED_MODULES_MAX = 3
CHANGED_MUTANTS = 12
"""What CI tries: at most so many changed modules, and so many mutants of each."""
REPORT = ROOT / "build" / "trust" / "mutants.json"


def main(arguments: list[str]) -> int:
    """Try what is asked for."""
    asked = _asked(arguments)
    if asked.session:
        return _session(asked.session)
    is_of_changes = asked.changed is not None
    sample = CHANGED_MUTANTS if is_of_changes else asked.sample
    groups: dict[tuple[str, ...], list[Module]] = defaultdict(list)
    for module in _chosen(asked):
        suite = suite_of(module)
        groups[test_paths(suite, naming=module if is_of_changes else None)].append(module)
    tallies: list[Tally] = []
    for paths, group in groups.items():
        tallies += _in_a_session(group, paths, sample, asked.report)
        if asked.keep or asked.release:
            keep({tally.module: _score(tally) for tally in tallies})
            write_table()
    _tell(tallies)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    tried, caught = sum(tally.tried for tally in tallies), sum(tally.caught for tally in tallies)
    content = {
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "tried": tried,
        "caught": caught,
        "modules": [asdict(tally) for tally in tallies],
    }
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    asked.report.write_text(json.dumps(content, indent=1) + "\n")
    short = [tally.module for tally in tallies if _falls_short(tally, is_sample=sample is not None)]
    leave(Row.CODE_MUTANTS, cases=caught, of=tried, failed=len(short))
    if short:
        sys.stdout.write(f"fall short: {', '.join(short)}\n")
    return 1 if short else 0


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutants")
    add = parser.add_argument
    add("--changed", nargs="?", const="", metavar="REV", help="what differs from it, or the table")
    add("--release", "--all", action="store_true", help="all of the floor, and write the table")
    add("--only", nargs="+", default=[], metavar="NAME", help="modules or packages")
    add("--sample", type=int, metavar="N", help="at most N mutants of each module")
    add("--keep", action="store_true", help="write what is found into the table")
    add("--report", type=Path, default=REPORT, help="where the JSON goes")
    add("--session", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def changed_modules(rev: str = "") -> list[Module]:
    """Return modules of the floor that differ from a revision, or from the committed table.

    A module that the table does not know is not changed: it says `not run` of it.
    """
    if rev:
        command = ["git", "diff", "--name-only", rev, "--", "backfill"]
        said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        paths = {ROOT / line for line in said.splitlines()}
        return [module for module in floor() if module.path in paths]
    known = scores()
    return [m for m in floor() if m.name in known and known[m.name].digest != digest(m.tree)]


def _chosen(asked: argparse.Namespace) -> list[Module]:
    if asked.changed is not None:
        changed = changed_modules(asked.changed)
        Random(" ".join(digest(module.tree) for module in changed)).shuffle(changed)
        return changed[:CHANGED_MODULES_MAX]
    if asked.only:
        return [m for m in floor() if any(f"{m.name}.".startswith(f"{o}.") for o in asked.only)]
    assert asked.release, "say what to try: --changed, --release or --only"
    return list(floor())


def _in_a_session(
    group: list[Module], paths: tuple[str, ...], sample: int | None, report: Path
) -> list[Tally]:
    """Try modules in a process of their own, whose tests run once for all of them."""
    place = report.with_name(f"{report.stem}-{group[0].name}.json")
    place.parent.mkdir(parents=True, exist_ok=True)
    names = [module.name for module in group]
    place.write_text(json.dumps({"modules": names, "paths": paths, "sample": sample}))
    command = [sys.executable, "-m", "tests.mutation", "--session", str(place)]
    try:
        subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
        return [Tally(**row) for row in json.loads(place.read_text())]
    finally:
        place.unlink()


def _session(place: Path) -> int:
    asked = json.loads(place.read_text())
    wanted = [Wanted(name, asked["sample"]) for name in asked["modules"]]
    tests_max = TESTS_MAX * (1 if asked["sample"] else 10)
    session = Session(wanted, frozenset(equivalents()), tests_max)
    ignored = "ignore::pytest.PytestAssertRewriteWarning"  # the plugin imports Hypothesis first
    # Nobody reads how a test failed, and pytest's own way of telling takes ten times the test.
    quiet = ["-q", "--no-header", "--tb=native"]
    plain = [*quiet, "-p", "no:cacheprovider", "-p", "no:xdist", "-W", ignored]
    ended = pytest.main([*asked["paths"], *plain], plugins=[session])
    if session.broken:
        sys.stderr.write("fail without a mutant: " + "\n".join(session.broken) + "\n")
    place.write_text(json.dumps([asdict(tally) for tally in session.tallies]))
    return int(ended)


def _score(tally: Tally) -> Score:
    return Score(
        digest=tally.digest,
        possible=tally.possible,
        tried=tally.tried,
        caught=tally.caught,
        by_time=tally.by_time,
        unreached=tally.unreached,
        equivalent=tally.equivalent,
    )


def _falls_short(tally: Tally, *, is_sample: bool) -> bool:
    return _score(tally).percent < (SAMPLE_PERCENT if is_sample else WANTED_PERCENT)


def _tell(tallies: list[Tally]) -> None:
    out = sys.stdout
    for tally in tallies:
        for line in tally.lives:
            out.write(f"  lives: {line}\n")
    for tally in tallies:
        out.write(
            f"{tally.module:48} {_score(tally).percent:5.1f} %"
            f"  {tally.caught}/{tally.tried} of {tally.possible} ({tally.by_time} by time,"
            f" {tally.unreached} unreached, {tally.equivalent} equivalent,"
            f" {tally.invalid} invalid)\n"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
