"""What a backfill of a bucket with 100,000 versions, 10,000 of them to be copied, takes.

    python -m benchmarks.whole_run [--versions 100000] [--work DIR] [--whole]

Runs the real command, one process a stage, against a sandbox in another process (`old_bucket`), and
asks the kernel for time and peak memory of the command's process alone. Checks on the way that the
plan is the expected one, that its totals, the journal's, the report's and an independent look at
the destination agree, and that requests are as many as were forecast.
`--whole` measures `backfill run`, every stage in one process, instead.

Never imports the product or the sandbox: a child's peak begins with what its parent held.
Law: exits 1 where a process exceeds 250 MiB or a count does not agree; times are only printed.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEMORY_MAX_MIB = 250
LIST_PAGE = 1000
SOURCE_BUCKET = "whole-run-source"
ADDITIONS = 5_000_000
"""A fixed piece of work, timed beside the rest: CPU seconds of busy machines compare by it."""

Document = dict[str, Any]
"""JSON of another process; what matters of it is compared, so its types need no check before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One process of the command."""

    verb: str
    rows: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    server_cpu_s: float
    requests: Mapping[str, int]


class Bucket:
    """The sandbox's process."""

    def __init__(self, versions: int, folder: Path) -> None:
        words = [sys.executable, "-m", "benchmarks.old_bucket", str(versions), str(folder)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.told = self._line()

    def counters(self) -> Document:
        """Ask for its counters."""
        assert self._process.stdin is not None, "opened with pipes"
        print(file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> Document:
        assert self._process.stdout is not None, "opened with pipes"
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the sandbox ended")
        document: Document = json.loads(line)
        return document

    def stop(self) -> None:
        """End it."""
        self._process.communicate()


@dataclass(slots=True, kw_only=True)
class Bench:
    """One run directory, worked on verb by verb."""

    bucket: Bucket
    work: Path
    environment: Mapping[str, str]
    measured: list[Measured] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def run_directory(self) -> Path:
        """Return where the command keeps its artefacts."""
        return self.work / "run"

    def command(self, verb: str, rows: int, *words: str, code: int = 0) -> None:
        """Run a verb and measure its process."""
        before = self.bucket.counters()
        out, log = self.work / f"{verb}.json", self.work / f"{verb}.log"
        line = [sys.executable, "-m", "backfill", verb, *words]
        line += ["--run-dir", str(self.run_directory), "--json"]
        began_s = time.perf_counter()
        with out.open("wb") as stdout, log.open("wb") as stderr:
            process = subprocess.Popen(line, stdout=stdout, stderr=stderr, env=self.environment)
            _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != code:
            raise SystemExit(f"{verb} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        after = self.bucket.counters()
        self.measured.append(
            Measured(
                verb=verb,
                rows=rows,
                wall_s=wall_s,
                cpu_s=usage.ru_utime + usage.ru_stime,
                peak_mib=usage.ru_maxrss / 1024,
                server_cpu_s=after["cpu_s"] - before["cpu_s"],
                requests=dict(Counter(after["calls"]) - Counter(before["calls"])),
            )
        )

    def require(self, name: str, found: object, expected: object) -> None:
        """Keep a complaint unless two numbers agree."""
        agrees = found == expected
        print(f"  {'ok ' if agrees else 'NO '} {name}: {found}", end="")
        print("" if agrees else f", expected {expected}")
        if not agrees:
            self.complaints.append(name)

    def index(self, name: str) -> Document:
        """Read an artefact's index."""
        path = self.run_directory / name / "index.json"
        document: Document = json.loads(path.read_bytes())
        return document


def pages(entries: int) -> int:
    """Return how many requests a listing takes; an empty bucket takes one, too."""
    return max(1, -(-entries // LIST_PAGE))


def stage_by_stage(bench: Bench, versions: int) -> None:
    """Run every verb by itself and check what each left behind."""
    told = bench.bucket.told
    expected: Counter[str] = Counter(told["expected"])
    held = told["destination_entries"]
    copies = expected["copy-object"]
    bench.command("inventory", versions + held, SOURCE_BUCKET)
    bench.command("status", 0)
    bench.command("plan", versions)
    bench.command("manifest", copies)
    bench.command("execute", copies, "--yes")
    bench.command("verify", versions)
    bench.command("report", versions)
    asked = {one.verb: one.requests for one in bench.measured}
    print("\nrequests against what was forecast, or follows from the numbers of versions:")
    at_start = pages(versions) + pages(held)
    bench.require("inventory: pages", asked["inventory"]["ListObjectVersions"], at_start)
    sent = bench.index("plan")["summary"]["requests"]
    bench.require("plan: sent as forecast", sent["sent"], sent["forecast"])
    heads = sent["sent"]["heads"] + sent["sent"]["destination_heads"]
    bench.require("plan: HeadObject at the server", asked["plan"].get("HeadObject", 0), heads)
    bench.require(
        "plan: GetObjectTagging at the server",
        asked["plan"].get("GetObjectTagging", 0),
        sent["sent"]["taggings"],
    )
    bench.require("execute: CopyObject", asked["execute"]["CopyObject"], copies)
    at_end = pages(versions) + pages(held + copies)
    bench.require("verify: pages", asked["verify"]["ListObjectVersions"], at_end)
    bench.require("verify: HeadObject, two a copy", asked["verify"]["HeadObject"], 2 * copies)
    check_totals(bench, versions)


def whole(bench: Bench, versions: int) -> None:
    """Run every stage in one process."""
    bench.command("run", versions, SOURCE_BUCKET, "--yes")
    check_totals(bench, versions)


def check_totals(bench: Bench, versions: int) -> None:
    """Check that plan, journal, report, CSV and the model itself say the same numbers."""
    told = bench.bucket.told
    expected: Counter[str] = Counter(told["expected"])
    copies = expected["copy-object"]
    print("\ntotals:")
    destination = bench.index("plan")["summary"]["totals"]["destinations"][0]
    decided = {**destination["routes"], **destination["reasons"]}
    planned = {name: rows for name, (rows, _) in decided.items() if rows}
    bench.require("plan, as the history was written", planned, dict(sorted_by(expected, planned)))
    outcomes = bench.index("outcomes/00")["summary"]["kinds"]
    bench.require("journal", {k: n for k, n in outcomes.items() if n}, {"copied": copies})
    verified = bench.index("verify/01")
    judged = copies + expected["already-replicated"]
    bench.require("verify: verdicts", verified["rows"], judged)
    report = json.loads((bench.run_directory / "report" / "report.json").read_bytes())
    bench.require("report: rows", report["totals"]["rows"], versions)
    verdicts = {verdict["name"]: verdict["rows"] for verdict in report["verdicts"]}
    bench.require("report: verdicts", verdicts, {"equal": judged})
    decisions: Counter[str] = Counter()
    with (bench.run_directory / "report" / "rows.csv").open(newline="", encoding="utf-8") as lines:
        decisions.update(row["decision"] for row in csv.DictReader(lines))
    bench.require("rows.csv, counted again", decisions == expected, True)
    now = bench.bucket.counters()
    grown = now["destination_entries"] - told["destination_entries"]
    bench.require("destination, seen by the model: new versions", grown, copies)


def sorted_by(counts: Mapping[str, int], names: Mapping[str, object]) -> list[tuple[str, int]]:
    """Return counts in the order of other names, so that dictionaries print alike."""
    return [(name, counts[name]) for name in {**names, **counts}]


def print_table(bench: Bench) -> None:
    """Print what was measured."""
    print(
        f"\n{'':10} {'rows':>8} {'wall s':>7} {'CPU s':>7} {'rows/s':>8} {'CPU-µs/row':>10} "
        f"{'peak MiB':>9} {'requests':>9} {'server CPU s':>12}"
    )
    for one in bench.measured:
        rate = one.rows / one.wall_s
        cpu_us = 1e6 * one.cpu_s / one.rows if one.rows else 0.0
        print(
            f"{one.verb:10} {one.rows:>8} {one.wall_s:>7.1f} {one.cpu_s:>7.2f} {rate:>8.0f} "
            f"{cpu_us:>10.0f} {one.peak_mib:>9.1f} {sum(one.requests.values()):>9} "
            f"{one.server_cpu_s:>12.1f}"
        )
        if one.peak_mib > MEMORY_MAX_MIB:
            bench.complaints.append(f"{one.verb}: {one.peak_mib:.0f} MiB")
    print("\nrequests by operation, as the server counted them:")
    for one in bench.measured:
        by_count = sorted(one.requests.items(), key=lambda item: (-item[1], item[0]))
        print(f"  {one.verb:10} " + ", ".join(f"{count} {name}" for name, count in by_count))


def cpu_of_additions_s() -> float:
    """Return the CPU seconds of the fixed piece of work."""
    began_s, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began_s


def warmed(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which modules are compiled already, as pip leaves them."""
    own = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    own["PYTHONPYCACHEPREFIX"] = str(folder)
    modules = "import backfill.pipeline, backfill.reporting, backfill.cli.stage"
    subprocess.run([sys.executable, "-c", modules], env=own, check=True)
    return own


def conditions() -> str:
    """Say how busy the machine is."""
    return (
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, "
        f"{ADDITIONS:,} additions take {cpu_of_additions_s():.2f} CPU s"
    )


def main() -> int:
    """Fill, run, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--work", type=Path, help="keep logs and run directory there")
    parser.add_argument("--whole", action="store_true", help="measure `backfill run`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        bucket = Bucket(options.versions, work / "aws")
        told = bucket.told
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "BACKFILL_"))
        }
        profiles = {
            "BACKFILL_SOURCE_PROFILE": "source",
            "BACKFILL_DESTINATION_PROFILE": "destination",
        }
        bench = Bench(
            bucket=bucket,
            work=work,
            environment=warmed({**own, **told["environment"], **profiles}, work / "compiled"),
        )
        print(
            f"{options.versions} versions and delete markers of {told['keys']} keys, written in "
            f"{told['filled_s']:.1f} s; {told['destination_entries']} at the destination already\n"
            f"{conditions()}"
        )
        try:
            (whole if options.whole else stage_by_stage)(bench, options.versions)
        finally:
            bucket.stop()
        print_table(bench)
    print(f"\n{conditions()}; each process must stay under {MEMORY_MAX_MIB} MiB")
    for complaint in bench.complaints:
        print(f"does not hold: {complaint}", file=sys.stderr)
    return 1 if bench.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
