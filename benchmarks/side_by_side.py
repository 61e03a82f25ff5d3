"""The shipped command side by side with what people would take instead, on one server.

    python -m benchmarks.side_by_side [--objects 50000] [--rounds 3] [--tls] [--latency-ms 20]

Contenders take turns, round by round, against the same canned server, whose own CPU is shown beside
theirs; ratios are medians of the rounds' ratios. One `backfill run` is told apart by its artefacts:
what it had taken when the outcomes were durable is 'list + copy + journal', the whole of it has
every copy verified and reported. Then `backfill run` alone at growing numbers of objects (--sweep).

Never judges time, unless --assert is given. Law: exits 1 where an object was not copied exactly
once, or a copy of ours was not verified.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.bench_docs import PLOT, put
from benchmarks.bench_plot import plotted
from benchmarks.bench_tables import (
    OURS,
    comparison_table,
    goals,
    goals_table,
    stages_table,
    sweep_table,
)
from benchmarks.canned_process import CannedServer
from benchmarks.contenders import Contender, Run, backfill, one_run, peers_to_be_had
from benchmarks.peers import PEERS

ROOT = Path(__file__).resolve().parents[1]
ADDITIONS = 5_000_000
"""A fixed piece of work, timed beside the rest: CPU seconds of busy machines compare by it."""


def say(words: str) -> None:
    """Tell a person what goes on."""
    print(words, file=sys.stderr, flush=True)


def conditions() -> str:
    """Say how busy the machine is."""
    began_s, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    took_s = time.process_time() - began_s
    cores = os.cpu_count()
    return f"load {os.getloadavg()[0]:.1f} on {cores} cores, {ADDITIONS:,} additions {took_s:.2f} s"


def rounds(
    contenders: Sequence[Contender], server: CannedServer, work: Path, transport: str, count: int
) -> Iterator[Run]:
    """Let contenders take turns."""
    for number in range(count):
        for contender in contenders:
            run = one_run(contender, server, work / "turn", transport, number)
            took = run.measured
            say(
                f"  {transport} {server.objects:>9,} {run.label:<27} CPU {took.cpu_s:8.2f} s"
                f" wall {took.wall_s:7.2f} s {took.peak_mib:5.0f} MiB"
                f" {run.requests:>8,} requests, server CPU {run.counts['cpu_s']:6.2f} s"
            )
            yield run


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [peer.name for peer in PEERS]
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=names, default=names, metavar="NAME")
    parser.add_argument("--tls", action="store_true", help="over TLS too")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of every answer")
    parser.add_argument("--sweep", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        "--sdk-objects", type=int, default=2_000, help="of `--client sdk`, once; 0 leaves it out"
    )
    parser.add_argument("--processes", type=int, nargs="*", default=[2], help="of backfill, too")
    parser.add_argument("--quick", action="store_true", help="2,000 objects, one round, s5cmd only")
    parser.add_argument(
        "--product", type=Path, default=ROOT, metavar="DIR", help="another checkout of backfill"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything measured")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a plot (SVG)")
    parser.add_argument("--docs", action="store_true", help="put all of it into the docs")
    parser.add_argument("--work", type=Path, help="keep the last turn's files there")
    parser.add_argument(
        "--assert", dest="is_strict", action="store_true", help="exit 1 unless fast"
    )
    words = parser.parse_args()
    words.product = words.product.resolve()
    if words.quick:
        words.objects, words.rounds, words.peers, words.sweep = 2_000, 1, ["s5cmd"], []
        words.processes, words.sdk_objects = [], 0
    return words


def contenders_of(words: argparse.Namespace) -> list[Contender]:
    """Return who takes turns; backfill first, then its reference."""
    product = words.product
    ours = [backfill(product=product)]
    ours += [
        backfill("--processes", str(count), product=product, label=f"{OURS} --processes {count}")
        for count in words.processes
    ]
    return ours + peers_to_be_had(words.peers, say)


def measure(words: argparse.Namespace, work: Path) -> tuple[list[Run], list[Run]]:
    """Return the side-by-side runs and those of the sweep."""
    side: list[Run] = []
    sweep: list[Run] = []
    contenders = contenders_of(words)
    server_words = ["--latency-ms", str(words.latency_ms)]
    for transport in ("http", "TLS")[: 2 if words.tls else 1]:
        secure = ["--tls", str(work / "tls")] if transport == "TLS" else []
        with CannedServer(words.objects, *server_words, *secure) as server:
            side += rounds(contenders, server, work, transport, words.rounds)
        if words.sdk_objects:  # a hundred times slower: the same objects would take the night
            sdk = backfill("--client", "sdk", product=words.product, label=f"{OURS} --client sdk")
            with CannedServer(words.sdk_objects, *server_words, *secure) as server:
                side += rounds([sdk], server, work, transport, 1)
        for count in words.sweep:
            with CannedServer(count, *server_words, *secure) as server:
                sweep += rounds([backfill(product=words.product)], server, work, transport, 1)
    return side, sweep


def compile_ahead(product: Path, work: Path) -> None:
    """Compile our modules, as pip leaves them, so that the first turn is like the others."""
    modules = "import backfill.pipeline, backfill.reporting, backfill.cli.stage"
    environment = {**os.environ, "PYTHONPATH": str(product)}
    environment["PYTHONPYCACHEPREFIX"] = str(work / "compiled")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", modules], env=environment, check=True)


def main() -> int:
    """Measure, print, judge."""
    words = options()
    with tempfile.TemporaryDirectory() as temporary:
        work = (words.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        compile_ahead(words.product, work)
        before = conditions()
        side, sweep = measure(words, work)
        after = conditions()
    complaints = [complaint for run in (*side, *sweep) for complaint in run.complaints]
    reached = [] if complaints else goals(side, sweep)
    heading = f"{words.objects:,} objects, {words.rounds} rounds, {words.latency_ms:g} ms latency"
    print(f"{heading}; before: {before}; after: {after}.\n")
    if not complaints:  # numbers of a run that went wrong mean nothing
        tables = [comparison_table(side), stages_table([*side, *sweep]), sweep_table(sweep)]
        text = "\n\n".join(table for table in (*tables, goals_table(reached)) if table)
        print(text)
        if words.docs:
            put("side by side", f"{heading}; before: {before}; after: {after}.\n\n{text}")
        for path in [words.plot] * bool(words.plot) + [PLOT] * words.docs:
            path.write_text(plotted(side))
    if words.json:
        runs = {"side_by_side": list(map(asdict, side)), "sweep": list(map(asdict, sweep))}
        document = {"conditions": [before, after], **runs, "goals": list(map(asdict, reached))}
        words.json.write_text(json.dumps(document, indent=1))
    if words.is_strict:
        complaints += [f"{goal.words} ({goal.transport})" for goal in reached if not goal.is_met]
    for complaint in complaints:
        print(f"does not hold: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
