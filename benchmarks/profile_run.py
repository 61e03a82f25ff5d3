"""Where the CPU time of `backfill run` goes, by what it is spent for and by function.

    python -m benchmarks.profile_run [--objects 50000] [--client lean|sdk] [--functions 25]

A process of its own runs the command against the canned server and is sampled: the kernel
interrupts it every few milliseconds of its CPU time, and the innermost Python frame is noted. So C
code counts for the line that called it, system calls too, and nothing is slowed down, which
cProfile would do to small functions most. What runs in threads counts for whatever the main thread
does then.

Never imports the product in the process that starts the server.
Law: every sample is in exactly one group, and shares are shares of all samples.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from benchmarks.bench_docs import put
from benchmarks.canned_process import DESTINATION_BUCKET, SOURCE_BUCKET, CannedServer

EVERY_S = 0.001
"""What is asked for; the kernel's clock may be as coarse as 4 ms."""
ROOT = str(Path(__file__).resolve().parents[1]) + "/"
GROUPS = (
    ("signing", ("backfill/aws/lean/signature", "/botocore/auth", "/hmac.py", "/hashlib.py")),
    ("requests: built and bound", ("backfill/aws/requests", "backfill/aws/lean/binding")),
    (
        "answers: parsed and mapped",
        (
            *("backfill/aws/replies", "backfill/aws/versions_page", "backfill/aws/lean/documents"),
            *("backfill/aws/lean/answers", "/botocore/parsers", "/aiobotocore/parsers"),
            *("/xml/", "/dateutil/", "/email/", "backfill/aws/lean/pages"),
        ),
    ),
    (
        "http",
        ("backfill/aws/lean/", "/aiohttp/", "/asyncio/streams", "/asyncio/sslproto", "/ssl.py"),
    ),
    ("the SDK's other work", ("/botocore/", "/aiobotocore/", "/aioboto3/", "/boto3/", "/wrapt/")),
    ("calls, faults, retry, pace", ("backfill/aws/",)),
    ("inventory", ("backfill/inventory/",)),
    ("plan", ("backfill/plan/",)),
    ("manifest", ("backfill/manifest/",)),
    ("execute", ("backfill/execute/",)),
    ("journal", ("backfill/journal/",)),
    ("verify", ("backfill/verify/",)),
    ("report", ("backfill/report/", "backfill/reporting", "/jinja2/")),
    ("artefacts", ("backfill/run_directory/", "/json/", "/gzip.py", "/isal/")),
    ("events, log, progress", ("backfill/observe/", "backfill/events", "/structlog/")),
    ("nouns and shells", ("backfill/",)),
    ("the loop, and the system calls it makes", ("/asyncio/", "/selectors.py")),
    ("named tuples made", ("<string>",)),
    ("imports", ("importlib", "<frozen")),
)
"""What a frame's file counts for: the first that fits."""


def group_of(file: str) -> str:
    """Return what a file's time is spent for."""
    for name, words in GROUPS:
        if any(word in file for word in words):
            return name
    return "the rest of Python"


def sampled(arguments: list[str], told: Path) -> int:
    """Run the command in this process, sampled; write the counts as JSON."""
    places: Counter[tuple[str, str]] = Counter()

    def note(_: int, frame: FrameType | None) -> None:
        if frame is not None:
            code = frame.f_code
            places[code.co_filename, code.co_qualname] += 1

    from backfill.cli.main import main as command  # noqa: PLC0415 only in the measured process

    signal.signal(signal.SIGPROF, note)
    began_s = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    code = command(arguments)
    signal.setitimer(signal.ITIMER_PROF, 0)
    cpu_s = time.process_time() - began_s
    rows = [[file.removeprefix(ROOT), name, count] for (file, name), count in places.items()]
    told.write_text(json.dumps({"cpu_s": cpu_s, "places": rows}))
    return code


def run(objects: int, client: str, product: Path, work: Path) -> dict[str, object]:
    """Start the server and the sampled process; return what it told."""
    told = work / "samples.json"
    with CannedServer(objects) as server:
        command = [
            *(sys.executable, "-m", "benchmarks.profile_run", "--told", str(told), "--"),
            *("run", SOURCE_BUCKET, "--destination", DESTINATION_BUCKET, "--engine", "copy"),
            *("--other-writers", "quiet", "--endpoint-url", server.endpoint, "--client", client),
            *("--run-dir", str(work / "run"), "--yes", "--json"),
        ]
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(work),
            "PYTHONPATH": f"{product}:{ROOT}",
        }
        with (work / "log").open("wb") as log:
            done = subprocess.run(
                command,
                check=False,
                env={**environment, **server.environment},
                stdout=log,
                stderr=log,
                cwd=work,
            )
    if done.returncode:
        raise SystemExit((work / "log").read_text()[-2000:])
    document: dict[str, object] = json.loads(told.read_bytes())
    return document


def table(places: Counter[str], cpu_us: float, heading: str) -> str:
    """Return shares and microseconds per object as Markdown."""
    samples = sum(places.values())
    lines = [f"| {heading} | CPU-µs per object | share |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {cpu_us * count / samples:.1f} | {100 * count / samples:.1f} % |"
        for name, count in places.most_common()
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--client", choices=["lean", "sdk"], default="lean")
    parser.add_argument("--functions", type=int, default=25, help="how many to show")
    parser.add_argument("--docs", action="store_true", help="put it into the docs")
    parser.add_argument("--product", type=Path, default=ROOT, help="another checkout of backfill")
    parser.add_argument("--told", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.told:
        return sampled(words.rest, words.told)
    with tempfile.TemporaryDirectory() as work:
        told = run(words.objects, words.client, words.product.resolve(), Path(work))
    places, cpu_s = told["places"], told["cpu_s"]
    assert isinstance(places, list), "written by our own process"
    assert isinstance(cpu_s, float), "written by our own process"
    groups: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for file, name, count in places:
        groups[group_of(file)] += count
        short = "/".join(Path(file).parts[-3:])
        functions[f"`{name}` {short}"] += count
    cpu_us = 1e6 * cpu_s / words.objects
    top = Counter(dict(functions.most_common(words.functions)))
    top["all others"] = functions.total() - top.total()
    text = (
        f"{words.objects:,} objects, --client {words.client}: {cpu_us:,.0f} CPU-µs per object,"
        f" {groups.total():,} samples.\n\n{table(groups, cpu_us, 'what for')}\n\n"
        f"{table(top, cpu_us, 'function')}"
    )
    print(text)
    if words.docs:
        put("profile", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
