"""What is promised, what tries each promise, and the table of how often it was tried.

`PROMISES` are the words, `LANES` what runs, `LINES` what is counted. The figures come from runs
(docs/internals/trust.json, by scripts/trust) and are never written here.
Law: what did not run has no figure; the table says so.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.doubles.figures import Row

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs/internals/trust.json"
PAGE = ROOT / "docs/internals/TRUST.md"
BEGIN, END = "<!-- trust: made by scripts/trust -->", "<!-- /trust -->"

FUZZED = "P11 · inputs of the coverage-guided fuzzer"

PROMISES = {
    "P1": "The destination never goes backwards: no older version in front of a newer one, nothing"
    " resurrected; at rest it shows what the source shows, or the run says why not",
    "P2": "Nothing is lost: one outcome for each entry; what was counted is durable; totals add up",
    "P3": "Nothing is doubled: at most one version of ours for a source version",
    "P4": "The report is true: what is told as there is there, with equal bytes and attributes",
    "P5": "Killed anywhere, on any disk, the same command comes to the same end",
    "P6": "Order, shards, concurrency and pace change nothing about the end",
    "P7": "Each fault of S3 and of the wire, at each operation, ends as the fault table says",
    "P8": "Effort is bounded: requests counted exactly, retries by a budget, no storm",
    "P9": "Once faults stop, the run ends",
    "P10": "Damage is found, or told as unverified where nothing could show it; no false alarm",
    "P11": "Parsers take any bytes: a value or their own error; what is written is read back equal",
    "P12": "What stands behind a port does as the model does",
    "P13": "Every decision is made, and made once: all small cases against a second evaluator",
    "P14": "Memory does not grow with the number of versions",
    "P15": "The tests have teeth: without a guard, or with an operator turned, they fail",
    "P16": "Two processes never both act on one run directory",
    "P17": "The sandbox and the model do as S3 does",
    "P18": "The tests reach the code: every branch of the pure floor",
    "P19": "The command line keeps its word: exit codes, texts, a quick --help",
    "security": "No secret told, no key taken for anything but text, no right too many or missing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What runs in one go: tests, or a script that is no test; with both, tests in CI alone.

    A script leaves its figures by `figures.leave`. A lane of hours runs in `slices`, each with its
    part of the figures and seeds of its own, so that who stops it loses one slice.
    """

    name: str
    tests: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    slices: int = 1

    @property
    def tried_by(self) -> tuple[str, ...]:
        """Return the paths from the root of what runs."""
        return self.tests or self.script[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure: of a row, or without one of the tests that pass in `files`, or all of `lane`.

    `goal` is what the release lane should come to, where it is a number; what is counted exactly,
    or exhaustive, has none.
    """

    row: Row | None = None
    title: str = ""
    lane: str
    files: tuple[str, ...] = ()
    goal: int = 0

    @property
    def name(self) -> str:
        """Return the words by which figures are kept."""
        return self.row.value if self.row is not None else self.title

    @property
    def tried_by(self) -> tuple[str, ...]:
        """Return the paths from the root of what tries it."""
        return self.files or lane_of(self).tried_by


LANES = (
    Lane(name="copies", tests=("tests/simulation/test_histories.py",), slices=20),
    Lane(name="jobs", tests=("tests/simulation/test_batch_histories.py",)),
    Lane(name="histories", tests=("tests/simulation/test_version_histories.py",)),
    Lane(name="full-history", tests=("tests/e2e/test_full_history.py",)),
    Lane(name="leases", tests=("tests/simulation/test_leases.py",), slices=5),
    Lane(
        name="crash-points",
        tests=(
            "tests/simulation/test_crash_points.py",
            "tests/simulation/test_held_crash_points.py",
        ),
    ),
    Lane(name="kills", tests=("tests/crash",)),
    Lane(name="bounds", tests=("tests/bounds", "tests/memory")),
    Lane(name="wire", tests=("tests/wire",)),
    Lane(
        name="decide",
        tests=(
            "tests/unit/plan/test_decide_oracle.py",
            "tests/unit/execute/test_decide.py",
            "tests/unit/verify/test_ladder.py",
            "tests/unit/batch_operations/test_steps.py",
        ),
    ),
    Lane(name="damage", tests=("tests/damage",)),
    Lane(
        name="metamorphic",
        tests=(
            "tests/properties/test_order_does_not_matter.py",
            "tests/properties/test_settings_do_not_matter.py",
        ),
    ),
    Lane(name="parsers", tests=("tests/fuzz",)),
    Lane(name="fuzzer", script=("scripts/fuzz",)),
    Lane(
        name="stateful",
        tests=(
            "tests/properties/test_journal_is_a_list.py",
            "tests/properties/test_port_is_the_model.py",
        ),
    ),
    Lane(name="mutation", tests=("tests/mutation",), script=("scripts/mutants", "--release")),
    Lane(name="coverage", script=("scripts/coverage",)),
    Lane(name="guards", tests=("tests/mutants/test_mutants.py",)),
    Lane(name="contract", tests=("tests/contract",)),
    Lane(name="cli", tests=("tests/e2e", "tests/unit/cli")),
    Lane(name="security", tests=("tests/security", "tests/unit/cli/test_messages.py")),
    Lane(name="container", tests=("tests/container",)),
)

LINES = (
    Line(row=Row.COPY_HISTORIES, lane="copies", goal=200_000),
    Line(row=Row.JOB_HISTORIES, lane="jobs"),
    Line(row=Row.VERSION_HISTORIES, lane="histories"),
    Line(row=Row.FULL_HISTORIES, lane="full-history", goal=20_000),
    Line(row=Row.CRASH_POINTS, lane="crash-points"),
    Line(row=Row.KILLS, lane="kills", goal=500),
    Line(row=Row.DISK_FAULTS, lane="kills"),
    Line(row=Row.METAMORPHIC_PAIRS, lane="metamorphic", goal=20_000),
    Line(row=Row.WIRE_CELLS, lane="wire"),
    Line(row=Row.WIRE_PAIRS, lane="wire", goal=5_000),
    Line(row=Row.REQUEST_COUNTS, lane="bounds"),
    Line(row=Row.STORM_SECONDS, lane="bounds"),
    Line(row=Row.FILES_BOUNDED, lane="bounds"),
    Line(row=Row.CORRUPTIONS, lane="damage", goal=200_000),
    Line(row=Row.CLEAN_PAIRS, lane="damage", goal=10_000),
    Line(row=Row.PARSER_EXAMPLES, lane="parsers", goal=200_000),
    Line(title=FUZZED, lane="fuzzer"),
    Line(row=Row.STATEFUL_RUNS, lane="stateful", goal=50_000),
    Line(row=Row.DECISIONS, lane="decide"),
    Line(row=Row.MEMORY_ENTRIES, lane="bounds", goal=10_000_000),
    Line(row=Row.GUARD_MUTANTS, lane="guards"),
    Line(row=Row.CODE_MUTANTS, lane="mutation"),
    Line(row=Row.BRANCHES, lane="coverage"),
    Line(row=Row.LEASE_HISTORIES, lane="leases", goal=200_000),
    Line(row=Row.CONTRACT_CASES, lane="contract"),
    Line(title="P19 · tests of the command line that pass", lane="cli"),
    Line(row=Row.SECRETS, lane="security", goal=10_000),
    Line(row=Row.HOSTILE_KEYS, lane="security"),
    Line(row=Row.POLICY_ACTIONS, lane="security"),
    Line(
        title="security · tests of policies that pass",
        lane="security",
        files=("tests/security/test_iam.py",),
    ),
    Line(
        title="security · tests of TLS and of plain http that pass",
        lane="security",
        files=("tests/security/test_transport.py",),
    ),
    Line(
        title="security · tests of licences, bill of materials, audit and builds that pass",
        lane="security",
        files=("tests/security/test_supply_chain.py",),
    ),
    Line(title="security · tests of the image and its templates that pass", lane="container"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one lane did for one line, once. `machine_s` is CPU time where it was measured."""

    cases: int
    failed: int
    took_s: float
    machine_s: float | None
    date: str
    commit: str
    of: int = 0
    seed: int = 0
    processes: int = 0


Figures = Mapping[str, Mapping[str, Figure]]
"""Figures by line, for `ci` and `release`."""


def kept_figures(path: Path = FIGURES) -> dict[str, dict[str, Figure]]:
    """Return the figures that are committed."""
    kept = json.loads(path.read_text())
    return {
        lane: {name: Figure(**figure) for name, figure in kept[lane].items()}
        for lane in ("ci", "release")
    }


def lane_of(line: Line) -> Lane:
    """Return what runs for a line."""
    return next(lane for lane in LANES if lane.name == line.lane)


def tables(figures: Figures) -> str:
    """Return the generated part of the page: promises, and figures line by line."""
    return "\n".join([*_promises(), "", *_figures(figures)])


def _promises() -> Iterator[str]:
    yield "| | promise | tried by |"
    yield "| --- | --- | --- |"
    for number, words in PROMISES.items():
        lines = [line for line in LINES if number in numbers(line)]
        paths = dict.fromkeys(f"`{path}`" for line in lines for path in line.tried_by)
        yield f"| {number} | {words} | {', '.join(paths) or 'nothing yet'} |"


def numbers(line: Line) -> set[str]:
    """Return the promises that a line's name begins with: `P1-P4, P9` are five."""
    found: set[str] = set()
    for one in line.name.partition(" · ")[0].split(", "):
        first, _, last = one.partition("-")
        ends = (int(name[1:]) for name in (first, last or first) if name.startswith("P"))
        begin, end = next(ends, 0), next(ends, 0)
        found |= {f"P{number}" for number in range(begin, end + 1)} if begin else {one}
    return found


def _figures(figures: Figures) -> Iterator[str]:
    yield "| what is counted | tried by | CI | release | took | again by | when |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for line in LINES:
        ci, release = (figures[lane].get(line.name) for lane in ("ci", "release"))
        lane = lane_of(line)
        again = f"`scripts/trust --release --only {lane.name}`" if lane.tried_by else ""
        if lane.tests:
            again = f"`scripts/test {' '.join(line.tried_by)}`; {again}"
        cells = (
            line.name,
            ", ".join(f"`{path}`" for path in line.tried_by),
            _count(ci, 0),
            _count(release, line.goal),
            "; ".join(f"{name} {_time(one)}" for name, one in _both(ci, release)),
            again,
            "; ".join(f"{name} {one.date}, {one.commit}" for name, one in _both(ci, release)),
        )
        yield f"| {' | '.join(cells)} |"


def _both(ci: Figure | None, release: Figure | None) -> Iterator[tuple[str, Figure]]:
    for name, figure in (("CI", ci), ("release", release)):
        if figure is not None:
            yield name, figure


def _count(figure: Figure | None, goal: int) -> str:
    wanted = f" of {goal:,}" if goal and (figure is None or figure.cases < goal) else ""
    if figure is None:
        return f"not run yet{f' (goal {goal:,})' if goal else ''}"
    if figure.of:
        wanted = f" of {figure.of:,} ({100 * figure.cases / figure.of:.1f} %)"
    failed = f", **{figure.failed} failed**" if figure.failed else ""
    return f"{figure.cases:,}{wanted}{failed}"


def _time(figure: Figure) -> str:
    machine = f" ({spoken(figure.machine_s)} of CPU)" if figure.machine_s is not None else ""
    return f"{spoken(figure.took_s)}{machine}"


def spoken(duration_s: float) -> str:
    """Return a duration as a person says it."""
    if duration_s < 100:
        return f"{duration_s:.0f} s"
    minutes = round(duration_s / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def with_tables(page: str, figures: Figures) -> str:
    """Return the page with its generated part made anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE.name} lacks {BEGIN}"
    assert end, f"{PAGE.name} lacks {END}"
    return f"{before}{BEGIN}\n\n{tables(figures)}\n\n{END}{after}"
