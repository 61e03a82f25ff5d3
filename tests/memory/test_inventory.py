"""Memory of inventory and join does not grow with the number of versions.

A process of its own lists a computed bucket into artefacts and reads them back joined; its peak
resident memory is what the kernel says.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.doubles.figures import Row, Tried, figure

GROWTH_MAX_KIB = figure(ci=4 * 1024, release=16 * 1024)
"""Between 10^4 versions and many. 200,000 listed entries held in memory take about 80 MiB, and
their version IDs alone 16, so a leak of any one field of them would be seen; 56 KiB were."""

TAKE_AND_JOIN = """
import asyncio, json, sys
from pathlib import Path
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import SOURCE, destination_name, joined_inventory, take_inventory
from backfill.run_directory.artifacts import LocalArtifacts
from tests.doubles.listings import ComputedBucket, KeptEvents, place

class QuietEvents(KeptEvents):
    def progress(self, counts):
        pass

versions = int(sys.argv[2])
artifacts = LocalArtifacts(Path(sys.argv[1]))
asyncio.run(
    take_inventory(
        [
            BucketListing(
                name=SOURCE, place=place("source"), store=ComputedBucket(versions).port
            ),
            BucketListing(
                name=destination_name(0),
                place=place("one"),
                store=ComputedBucket(versions // 5).port,
            ),
        ],
        artifacts=artifacts,
        events=QuietEvents(),
        run_id="RUN",
    )
)
read = [0, 0]
for group in joined_inventory(artifacts, destinations=1):
    read[0] += len(group.source_chain)
    read[1] += len(group.destination_chains[0])
# Not ru_maxrss: that begins with what the parent, pytest, held when it started this process.
status = Path("/proc/self/status").read_text().splitlines()
peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print(json.dumps({"read": read, "peak_kib": peak_kib}))
"""


def peak_kib(folder: Path, versions: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", TAKE_AND_JOIN, str(folder), str(versions)],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=300 * max(1, versions // 1_000_000),
    )
    told = json.loads(done.stdout)
    assert told["read"] == [versions, versions // 5]
    peak = told["peak_kib"]
    assert isinstance(peak, int)
    return peak


def test_many_versions_take_no_more_memory_than_ten_thousand(tmp_path: Path, tried: Tried) -> None:
    """A bucket of any size must fit into the 250 MiB that the product promises."""
    small = peak_kib(tmp_path / "small", 10_000)
    versions = figure(ci=200_000, release=10_000_000)
    large = peak_kib(tmp_path / "large", versions)
    assert large - small < GROWTH_MAX_KIB, f"{small} KiB grew to {large} KiB"
    tried(Row.MEMORY_ENTRIES, versions)
