"""Tries the promises at length, lane by lane, and keeps the table of how often they were tried.

    scripts/trust                        what is promised, and the last figures
    scripts/trust --release              every lane; --only NAME for one, --share 0.1 for a tenth
    scripts/trust --ci build/figures.json   take the figures of scripts/test into the table

The release lane is the tests of CI with larger figures and fresh seeds, drawn from the commit. A
lane that has passed for this commit is not run again, nor a slice of a long one. Never writes a
figure that no run has left.
Law: whatever failed makes the exit code 1.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.doubles.figures import FILE, LANE, SEED, SHARE  # noqa: E402 - as the tests see the project
from tests.doubles.trust_table import (  # noqa: E402 - as above
    FIGURES,
    LANES,
    LINES,
    PAGE,
    PROMISES,
    Figure,
    Lane,
    Line,
    kept_figures,
    spoken,
    with_tables,
)

FOLDER = ROOT / "build/trust"
WRITTEN = (FIGURES, PAGE, ROOT / "docs/internals/MUTATION.md", ROOT / "tests/mutation/scores.json")
"""What the release lane itself writes into the tree."""
SEEDS_APART = 1_000_003
"""Between the seeds of two commits: more than a release lane tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What is tried: a commit, or a commit with changes."""

    commit: str
    seed: int

    @classmethod
    def here(cls) -> "Tree":
        """Return the tree that lies here; what is written about it makes no other tree of it."""
        others = [".", *(f":!{path.relative_to(ROOT)}" for path in WRITTEN)]
        commit = _git("log", "-1", "--format=%H", "--", *others).strip()
        changes = _git("diff", "HEAD", "--", *others)
        mark = f"+{sha256(changes.encode()).hexdigest()[:6]}" if changes else ""
        return cls(commit=commit[:9] + mark, seed=int(commit[:6], 16) * SEEDS_APART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a lane left: how it ended, how long it took, and its figures."""

    commit: str
    seed: int
    share: float
    processes: int
    code: int
    took_s: float
    machine_s: float
    date: str
    rows: Mapping[str, Mapping[str, float]]
    files: Mapping[str, Mapping[str, float]]


def main() -> int:
    """Tell, run or take; the exit code is 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="scripts/trust", description=__doc__.split("\n")[0])
    parser.add_argument("--release", action="store_true", help="run the release lanes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[lane.name for lane in LANES],
        metavar="LANE",
        help=f"of these: {', '.join(lane.name for lane in LANES)}",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the release lane's figures (1; never below CI)"
    )
    parser.add_argument("--ci", type=Path, metavar="FILE", help="take what pytest --figures left")
    parser.add_argument("--page", action="store_true", help="write the page again from its figures")
    arguments = parser.parse_args()
    if arguments.only and not arguments.release:
        parser.error("--only is about --release")
    if arguments.release:
        lanes = [lane for lane in LANES if lane.name in (arguments.only or [lane.name])]
        return release(lanes, Tree.here(), arguments.processes, arguments.share)
    if arguments.ci:
        return take_ci(arguments.ci, Tree.here())
    if arguments.page:
        keep({})
        return 0
    sys.stdout.write("\n".join([*told(), ""]))
    return 0


def told() -> list[str]:
    """Return promises and figures for a terminal."""
    figures = kept_figures()
    lines = [f"{number:9} {words}" for number, words in PROMISES.items()]
    lines.append("")
    for line in LINES:
        lines.append(line.name)
        for name, kept in figures.items():
            one = kept.get(line.name)
            said = "not run yet"
            if one is not None:
                failed = f", {one.failed} FAILED" if one.failed else ""
                said = f"{one.cases:,}{failed} in {spoken(one.took_s)}, {one.date}, {one.commit}"
            lines.append(f"    {name:8} {said}")
    return lines


def release(lanes: Sequence[Lane], tree: Tree, processes: int, share: float) -> int:
    """Run lanes one after the other, keep what each left, and return 1 if any failed."""
    say(f"commit {tree.commit}, seeds from {tree.seed}, {processes} processes")
    failed = []
    for number, lane in enumerate(lanes, start=1):
        done = result_of(lane.name)
        name = f"lane {number} of {len(lanes)}, {lane.name}"
        if done is not None and has_passed(done, tree, share):
            say(f"{name}: has passed for this commit")
        else:
            say(f"{name}: {' '.join(lane.script or lane.tests)}")
            done = run(lane, tree, processes, share)
            end = "passed" if done.code == 0 else f"FAILED ({done.code})"
            say(f"{name}: {end} in {spoken(done.took_s)}, {spoken(done.machine_s)} of CPU")
        keep({"release": figures_of(lane, done)})
        if done.code != 0:
            failed.append(lane.name)
    say(f"failed: {', '.join(failed)}" if failed else f"passed: {len(lanes)} lanes")
    return int(bool(failed))


def result_of(name: str) -> Result | None:
    """Return what the last run of a lane or of a slice left."""
    path = FOLDER / f"{name}.json"
    return Result(**json.loads(path.read_text())) if path.exists() else None


def has_passed(done: Result | None, tree: Tree, share: float) -> bool:
    """Whether a result is good for this commit and share of the figures."""
    return done is not None and done.code == 0 and (done.commit, done.share) == (tree.commit, share)


def run(lane: Lane, tree: Tree, processes: int, share: float) -> Result:
    """Run one lane, slice by slice, and keep its result: those that have passed are not run again.

    A slice has its part of the figures, and seeds that no other slice of this commit has.
    """
    apart, slices = SEEDS_APART // lane.slices, list[Result]()
    for number in range(lane.slices):
        name = f"{lane.name}.{number + 1}" if lane.slices > 1 else lane.name
        done = result_of(name)
        if done is None or not has_passed(done, tree, share / lane.slices):
            ours = replace(tree, seed=tree.seed + number * apart)
            done = run_slice(lane, name, ours, processes, share / lane.slices)
            if lane.slices > 1:
                end = "passed" if done.code == 0 else f"FAILED ({done.code})"
                say(f"    {name} of {lane.slices}: {end} in {spoken(done.took_s)}")
        slices.append(done)
    whole = replace(
        slices[0],
        share=share,
        # Below 0 is a signal: a slice that was killed has not passed.
        code=next((one.code for one in slices if one.code != 0), 0),
        took_s=sum(one.took_s for one in slices),
        machine_s=sum(one.machine_s for one in slices),
        date=slices[-1].date,
        rows=_added(one.rows for one in slices),
        files=_added(one.files for one in slices),
    )
    return _left(lane.name, whole)


def run_slice(lane: Lane, name: str, tree: Tree, processes: int, share: float) -> Result:
    """Run a lane with some share of its figures, and keep the result."""
    figures = FOLDER / f"{name}.figures.json"
    figures.parent.mkdir(parents=True, exist_ok=True)
    figures.unlink(missing_ok=True)
    pytest = (sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--dist", "worksteal")
    command = [*(lane.script or (*pytest, "--figures", str(figures), *lane.tests))]
    environment = {**os.environ, LANE: "release", SEED: str(tree.seed), SHARE: str(share)}
    if lane.script:
        environment[FILE] = str(figures)
    begun, machine_s = time.monotonic(), _children_s()
    ended = subprocess.run(  # noqa: S603 - a lane of the table
        command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False
    )
    took_s, machine_s = time.monotonic() - begun, _children_s() - machine_s
    left = json.loads(figures.read_text()) if figures.exists() else {}
    result = Result(
        commit=tree.commit,
        seed=tree.seed,
        share=share,
        processes=processes,
        code=ended.returncode,
        took_s=took_s,
        machine_s=machine_s,
        date=_today(),
        rows=left.get("rows", {}),
        files=left.get("files", {}),
    )
    return _left(name, result)


def _left(name: str, result: Result) -> Result:
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n")
    return result


def _added(slices: Iterable[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the sums of several slices' figures."""
    sums: dict[str, dict[str, float]] = {}
    for rows in slices:
        for name, told in rows.items():
            whole = sums.setdefault(name, dict.fromkeys(told, 0))
            for what, number in told.items():
                whole[what] += number
    return sums


def figures_of(lane: Lane, result: Result) -> dict[str, Figure]:
    """Return the figures of a lane's lines, where its run left any."""
    found = {}
    for line in LINES:
        left = _sum_of(line, result.rows, result.files) if line.lane == lane.name else None
        if left is not None:
            found[line.name] = Figure(
                cases=int(left["cases"]),
                failed=int(left["failed"]),
                of=int(left.get("of", 0)),
                took_s=round(result.took_s, 1),
                machine_s=round(result.machine_s, 1),
                date=result.date,
                commit=result.commit,
                seed=result.seed,
                processes=result.processes,
            )
    return found


def take_ci(path: Path, tree: Tree) -> int:
    """Take the figures of a run of CI; return 1 if something failed in it."""
    left = json.loads(path.read_text())
    found = {}
    for line in LINES:
        told = _sum_of(line, left["rows"], left["files"])
        if told is not None:
            found[line.name] = Figure(
                cases=int(told["cases"]),
                failed=int(told["failed"]),
                took_s=round(told["test_s"], 1),
                machine_s=None,
                date=_today(),
                commit=tree.commit,
            )
    keep({"ci": found})
    say(f"{len(found)} of {len(LINES)} lines have figures of this run")
    return int(any(one["failed"] for one in left["files"].values()))


def _sum_of(
    line: Line,
    rows: Mapping[str, Mapping[str, float]],
    files: Mapping[str, Mapping[str, float]],
) -> Mapping[str, float] | None:
    if line.row is not None:
        return rows.get(line.name)
    sums = [one for path, one in files.items() if path.startswith(line.tried_by)]
    if not sums:
        return None
    return {name: sum(one[name] for one in sums) for name in ("cases", "failed", "test_s")}


def keep(found: Mapping[str, Mapping[str, Figure]]) -> None:
    """Put figures beside those that are kept, and write the page from them."""
    kept = kept_figures()
    for lane, figures in found.items():
        kept[lane] |= figures
    names = [line.name for line in LINES]
    content = {
        lane: {name: asdict(kept[lane][name]) for name in names if name in kept[lane]}
        for lane in kept
    }
    FIGURES.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(with_tables(PAGE.read_text(), kept))


def say(words: str) -> None:
    """Tell a person how it goes."""
    sys.stderr.write(f"scripts/trust: {words}\n")
    sys.stderr.flush()


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _git(*words: str) -> str:
    command = ["git", *words]
    return subprocess.run(  # noqa: S603 - as the two calls above say it
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


if __name__ == "__main__":
    raise SystemExit(main())
