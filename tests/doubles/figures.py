"""Figures of trust: how often each promise is tried, in the lane that is running.

A test asks `figure` how much to do, and tells the fixture `tried` what it did; a run with
`--figures FILE` leaves the sums. CI's seeds are the same each time, so that a red build is the
change's doing; the release lane goes on from a seed of its own (`first_seed`).
Law: a figure is what ran and passed, never what was meant to.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import pytest

LANE = "BACKFILL_TRUST_LANE"
"""The environment's name for the lane: `ci` (also if unset) or `release`."""
SEED = "BACKFILL_TRUST_SEED"
"""The environment's name for the release lane's first seed."""
SHARE = "BACKFILL_TRUST_SHARE"
"""The environment's name for how much of its figures the release lane does: 1 unless set."""
FILE = "BACKFILL_TRUST_FIGURES"
"""The environment's name for the file in which a lane that is no pytest leaves its figures."""
_PROPERTY = "tried"

Tried = Callable[["Row", int], None]
"""Tells how many cases of a row a test has carried out."""


class Row(StrEnum):
    """What is counted. The value is what the table says; docs/internals/TRUST.md has each."""

    COPY_HISTORIES = "P1-P4, P9 · histories of copies"
    JOB_HISTORIES = "P1-P4, P9 · histories of jobs"
    VERSION_HISTORIES = "P1-P4, P9 · histories of whole keys"
    LEASE_HISTORIES = "P16 · histories of leases"
    FULL_HISTORIES = "P1, P4 · versions of whole keys, listed by plain boto3"
    CRASH_POINTS = "P5 · simulated crash points"
    KILLS = "P5 · SIGKILLs of real processes"
    DISK_FAULTS = "P5 · full, read-only and lost disks"
    METAMORPHIC_PAIRS = "P6 · metamorphic pairs"
    WIRE_CELLS = "P7 · faults x operations x clients on the wire"
    WIRE_PAIRS = "P7 · pairs of faults on the wire"
    REQUEST_COUNTS = "P8 · requests counted exactly"
    STORM_SECONDS = "P8 · seconds of outages without a storm"
    FILES_BOUNDED = "P8 · objects copied within a bounded number of files"
    CORRUPTIONS = "P10 · damaged copies, each found or unverified"
    CLEAN_PAIRS = "P10 · clean pairs without alarm"
    PARSER_EXAMPLES = "P11 · inputs of parsers"
    STATEFUL_RUNS = "P12 · stateful runs of model against port"
    DECISIONS = "P13 · decisions enumerated"
    MEMORY_ENTRIES = "P14 · entries under the memory limit"
    GUARD_MUTANTS = "P15 · guard-removal mutants caught"
    CODE_MUTANTS = "P15 · mutants of the pure floor caught"
    BRANCHES = "P18 · branches of the pure floor that its tests take"
    CONTRACT_CASES = "P17 · contract cases x servers"
    SECRETS = "security · planted secrets, none told"
    HOSTILE_KEYS = "security · hostile keys through every output"
    POLICY_ACTIONS = "security · actions whose absence is noticed"


@dataclass(slots=True)
class Sum:
    """What ran and passed of one row."""

    cases: int = 0
    of: int = 0
    """Out of how many, where it is a share that is promised."""
    tests: int = 0
    failed: int = 0
    test_s: float = 0.0
    """Time in those tests, on however many processes they shared."""


def is_release() -> bool:
    """Return whether the release lane is running."""
    lane = os.environ.get(LANE, "ci")
    assert lane in ("ci", "release"), f"{LANE} is ci or release, not {lane}"
    return lane == "release"


def figure(*, ci: int, release: int) -> int:
    """Return how much the running lane does; a share of the release lane never less than CI."""
    if not is_release():
        return ci
    return release if release <= ci else max(ci, round(release * share()))


def share() -> float:
    """Return how much of its figures the release lane does."""
    return float(os.environ.get(SHARE, "1"))


def first_seed() -> int:
    """Return where seeds begin: at 0 in CI, where the release lane says otherwise."""
    return int(os.environ.get(SEED, "0")) if is_release() else 0


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    """Tell how many cases of a row this test has carried out; call it at the end."""

    def tell(row: Row, cases: int) -> None:
        request.node.user_properties.append((_PROPERTY, [row.value, cases]))

    return tell


class Figures:
    """Adds up what tests tell, in the process that hears all reports.

    `rows` holds what was told, by row; `files` what passed at all, a case a test, by test file.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Sum] = {}
        self.files: dict[str, Sum] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what one test told."""
        if report.when == "call" or report.failed:
            file, _, _ = report.nodeid.partition("::")
            _add(self.files.setdefault(file, Sum()), report, 1, report.duration)
        if report.when != "call":
            return
        told = [value for name, value in report.user_properties if name == _PROPERTY]
        for value in told:
            assert isinstance(value, list), "as `tried` tells it"
            row, cases = value
            _add(self.rows.setdefault(row, Sum()), report, cases, report.duration / len(told))

    def write(self, path: Path) -> None:
        """Leave the sums as JSON, rows in the table's order."""
        rows = {row.value: asdict(self.rows[row]) for row in Row if row in self.rows}
        files = {file: asdict(self.files[file]) for file in sorted(self.files)}
        _write(path, {"rows": rows, "files": files})


def leave(name: str, *, cases: int, of: int = 0, failed: int = 0) -> None:
    """Add to the figures of a lane that is no pytest, one call at a time; without one nothing."""
    if FILE not in os.environ:
        return
    path = Path(os.environ[FILE])
    left = json.loads(path.read_text()) if path.exists() else {"rows": {}, "files": {}}
    old = Sum(**left["rows"].get(name, {}))
    new = Sum(cases=old.cases + cases, of=old.of + of, tests=old.tests + 1)
    new.failed = old.failed + failed
    left["rows"][name] = asdict(new)
    _write(path, left)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _add(to: Sum, report: pytest.TestReport, cases: int, test_s: float) -> None:
    to.tests += 1
    to.test_s += test_s
    if report.passed:
        to.cases += cases
    elif report.failed:
        to.failed += 1
