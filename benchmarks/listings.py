"""What listing a bucket's versions into a sorted artefact takes, requests and all.

    python -m benchmarks.listings [--keys 1000000] [--latency-ms 100] [--connections 128] [...]

The product's client, as `run` composes it, lists the canned server's source bucket into an artefact
on disk; then the artefact is joined with an equal one, as a plan does. Beside the client's CPU
stands the server's: on few cores the two share them, so versions/s at a latency say little where
both together fill the machine (`busy cores`). A round is one latency: a listing by one connection
takes as many as it has pages. Each measurement is a process of its own, so that its peak memory is
its own, and takes a fixed piece of Python before and after the listing, which tells how fast the
machine is at that moment.

Law: exits 1 where other rows were written than there are versions; times are only printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from backfill.campaign import Access, Campaign, Client
from backfill.cli.loop import run
from backfill.compose import clients, machine, talking
from backfill.events.runs import BucketListed
from backfill.inventory.lister import BucketListing
from backfill.inventory.rows import COLUMNS
from backfill.inventory.run import SOURCE, destination_name, joined_inventory, take_inventory
from backfill.model.places import BucketPlace
from backfill.observe.log import LogOptions
from backfill.ports import ArtifactStore, Event, ProgressCounts
from backfill.settings import LIST_PAGE_MAX, Settings
from benchmarks.canned_process import SOURCE_BUCKET, CannedServer

PLACE = BucketPlace(
    bucket=SOURCE_BUCKET, region="us-east-1", expected_owner="111122223333", owner_origin="flag"
)
ROOT = Path(__file__).resolve().parents[1]
HEADINGS = (
    "keys", "versions", "versions/s", "requests a page", "rounds", "ranges",
    "client, CPU-s a million", "server, CPU-s a million", "busy cores",
    "join, CPU-s a million rows", "peak MiB", "piece s",
)  # fmt: skip


class Told:
    """Keeps how many ranges a listing became."""

    ranges = 0

    def emit(self, event: Event) -> None:
        """Keep what tells of a listing."""
        if isinstance(event, BucketListed):
            self.ranges = event.ranges

    def progress(self, counts: ProgressCounts) -> None:
        """Forget it."""


def fixed_piece_s() -> float:
    """Return the CPU of 5,000,000 additions: 0.18 s where the machine is fast."""
    began_s, total = time.process_time(), 0
    for number in range(5_000_000):
        total += number
    return time.process_time() - began_s


async def listed(asked: argparse.Namespace) -> dict[str, float]:
    """List the source and join it; return what each took, the client's start left out."""
    connections = asked.connections
    campaign = Campaign(
        source_bucket=SOURCE_BUCKET,
        access=Access(
            endpoint_url=asked.endpoint, client=Client(asked.client), region=PLACE.region
        ),
        settings=Settings(listing_concurrency=connections),
    )
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        here, told = machine(Path(folder)), Told()
        with talking(LogOptions(), run_id="benchmark", here=here, stream=sys.stderr) as events:
            piece_s = fixed_piece_s() / 2
            async with clients(campaign, here, events) as both:
                await both.source.list_object_versions(PLACE, max_keys=1)
                began_s, began_wall_s = time.process_time(), time.perf_counter()
                (index,) = await take_inventory(
                    [BucketListing(name=SOURCE, place=PLACE, store=both.source)],
                    artifacts=here.artifacts,
                    events=told,
                    run_id="RUN",
                    concurrency=connections,
                )
                cpu_s, wall_s = time.process_time() - began_s, time.perf_counter() - began_wall_s
        peak_mib = _peak_mib()
        piece_s += fixed_piece_s() / 2
        return {
            "rows": index.rows,
            "ranges": told.ranges,
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "peak_mib": peak_mib,
            "joined_s": _joined_s(here.artifacts),
            "piece_s": piece_s,
        }


def _joined_s(artifacts: ArtifactStore) -> float:
    """Return the CPU of reading the inventory beside an equal one, key by key."""
    with artifacts.writer(destination_name(0), columns=COLUMNS, inputs={}) as writer:
        for block in artifacts.row_blocks(SOURCE):
            writer.write_rows(block)
        writer.commit({})
    began_s = time.process_time()
    groups = sum(1 for _ in joined_inventory(artifacts, destinations=1))
    assert groups, "there are keys"
    return time.process_time() - began_s


def _peak_mib() -> float:
    """Return this program's own peak: `ru_maxrss` would begin with that of who started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def measured(arguments: argparse.Namespace, keys: int) -> Iterator[str]:
    """Measure one bucket; give the cells of its row."""
    versions = keys * arguments.versions
    options = ["--versions", arguments.versions, "--shape", arguments.shape, "--warm", versions]
    options += ["--latency-ms", arguments.latency_ms, "--processes", arguments.server_processes]
    with CannedServer(keys, *map(str, options)) as server:
        command = [sys.executable, "-m", "benchmarks.listings", "--endpoint", server.endpoint]
        command += ["--client", arguments.client, "--connections", str(arguments.connections)]
        command += ["--folder", str(arguments.folder.resolve())]
        environment = {**os.environ, **server.environment}
        environment["PYTHONPATH"] = f"{arguments.product.resolve()}:{ROOT}"
        server.reset()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment, cwd="/")
        counts = server.counts()
    told = json.loads(done.stdout)
    if told["rows"] != versions:
        raise SystemExit(f"{told['rows']} rows of {versions} versions")
    # The first request opened the client.
    requests = counts["requests"]["ListObjectVersions"] - 1
    yield from (f"{keys:,}", f"{versions:,}", f"{versions / told['wall_s']:,.0f}")
    yield f"{requests / -(-versions // LIST_PAGE_MAX):.3f}"
    yield f"{1e3 * told['wall_s'] / arguments.latency_ms:,.0f}" if arguments.latency_ms else "-"
    yield f"{told['ranges']}"
    yield f"{1e6 * told['cpu_s'] / versions:.2f}"
    yield f"{1e6 * counts['cpu_s'] / versions:.2f}"
    yield f"{(told['cpu_s'] + counts['cpu_s']) / told['wall_s']:.2f}"
    yield f"{1e6 * told['joined_s'] / versions / 2:.2f}"
    yield f"{told['peak_mib']:.0f}"
    yield f"{told['piece_s']:.2f}"


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--versions", type=int, default=1, help="versions of each key")
    parser.add_argument("--shape", default="hex", help="of the canned server's keys")
    parser.add_argument("--latency-ms", type=float, default=100.0, help="of every answer")
    parser.add_argument("--connections", type=int, default=128, help="pages in flight")
    parser.add_argument("--client", choices=list(Client), default=Client.LEAN)
    parser.add_argument("--server-processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--product", type=Path, default=ROOT, help="another checkout of backfill")
    parser.add_argument("--endpoint", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.endpoint:
        print(json.dumps(run(listed(arguments))))
        return 0
    print(f"| {' | '.join(HEADINGS)} |")
    print(f"| {' | '.join('---' for _ in HEADINGS)} |")
    for keys in arguments.keys:
        print(f"| {' | '.join(measured(arguments, keys))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
