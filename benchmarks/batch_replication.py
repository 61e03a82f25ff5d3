"""What the batch side of a run takes: manifests, reports, looks and outcomes of a million versions.

    python -m benchmarks.batch_replication [--rows 1000000] [--of-each-key 2]

`tests.memory.whole_batch` is the measured process: the product's own `execute` over a manifest of
Batch Replication rows with hostile keys, markers and null versions, and then its plan over the
inventories, without a single HEAD. Jobs are carried out by other processes, listings are computed
and counted for none. Every outcome is checked against what its version's number says.

Law: exits 1 where a process exceeds 250 MiB; times are only printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

MEMORY_MAX_MIB = 250
ADDITIONS = 5_000_000
"""A fixed piece of work, timed beside the rest: CPU seconds of busy machines compare by it."""
EXECUTE = {
    "copies": "the copy workers' pass over the manifest",
    "manifest": "shards written, ready to upload",
    "upload": "",
    "jobs": "waited for; carried out by other processes",
    "reports": "fetched, checked, parsed, sorted",
    "join": "reports with manifest, into the tasks artefact",
    "later attempts": "the rows that are tried again, joined",
    "look": "the destination's listing, joined",
    "later looks": "what was still on its way",
    "conclude": "",
    "outcomes": "",
}
PLAN = {"forecast": "first pass of the join", "plan": "second pass, decisions, the plan artefact"}


def measure(folder: str, verb: str, *numbers: int) -> dict[str, dict[str, list[float]]]:
    """Let a process of its own do its work, and return what it told."""
    command = [sys.executable, "-m", "tests.memory.whole_batch", verb, folder, *map(str, numbers)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(told) if told else {}


def print_table(verb: str, told: dict[str, dict[str, list[float]]], rows: int) -> float:
    """Print what each phase took; return the process's peak in MiB."""
    words = EXECUTE if verb == "execute" else PLAN
    phases = told["phases"]
    print(f"\n{verb:<16} {'rows/s':>10} {'CPU-s/10^6':>11} {'peak MiB':>9}")
    for phase, (cpu_s, _, kib) in phases.items():
        if kib:
            print(
                f"  {phase:<14} {rows / max(cpu_s, 1e-6):>10,.0f} {1e6 * cpu_s / rows:>11.2f}"
                f" {kib / 1024:>9.0f}  {words.get(phase, '')}"
            )
    cpu_s = sum(took[0] for took in phases.values())
    peak_mib = max(took[2] for took in phases.values()) / 1024
    print(
        f"  {'all':<14} {rows / cpu_s:>10,.0f} {1e6 * cpu_s / rows:>11.2f} {peak_mib:>9.0f}"
        f"  requests: {told['requests'] or 'none'}"
    )
    return peak_mib


def conditions() -> str:
    """Say how busy the machine is."""
    began_s, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    took_s = time.process_time() - began_s
    cores = os.cpu_count()
    return f"load {os.getloadavg()[0]:.1f} on {cores} cores, {ADDITIONS:,} additions {took_s:.2f} s"


def main() -> int:
    """Prepare, measure, print, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--of-each-key", type=int, default=2, help="versions of each key")
    words = parser.parse_args()
    numbers = words.rows, words.of_each_key
    print(f"{words.rows:,} versions, {words.of_each_key:,} of each key; {conditions()}")
    with tempfile.TemporaryDirectory() as folder:
        measure(folder, "prepare", *numbers)
        peaks_mib = [
            print_table(verb, measure(folder, verb, *numbers), words.rows)
            for verb in ("execute", "plan")
        ]
    print(f"\n{conditions()}; every phase must stay under {MEMORY_MAX_MIB} MiB")
    return 0 if max(peaks_mib) < MEMORY_MAX_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
