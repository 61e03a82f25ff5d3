"""What listing takes beside its requests: keys/s, requests a page, CPU and memory.

The bucket is computed and answers after a latency on the real clock, so no network, no client and
no parsing is in the figures; what the computed bucket takes itself is measured first and taken off
the CPU. Artefacts are on disk, synced. Each measurement is a process of its own, so that its peak
memory is its own.

    python -m benchmarks.listings [--keys 1000000 5000000] [--latency-s 0.1] [--folder /tmp]
"""

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from backfill.cli.loop import run
from backfill.events import BucketListed
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import SOURCE, joined_inventory, take_inventory
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.model.rows import Scalar
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.ports import ArtifactIndex, Event, ObjectStore, ProgressCounts
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.settings import LIST_PAGE_MAX

START = datetime(2024, 1, 1, tzinfo=UTC)
PLACE = BucketPlace(
    bucket="computed", region="eu-west-1", expected_owner="111122223333", owner_origin="flag"
)
_SPREAD = 0x9E3779B1
_ETAG = ETag("d41d8cd98f00b204e9800998ecf8427e")


class ComputedBucket:
    """Keys of one flat folder, unevenly spread over its hexadecimal digits."""

    def __init__(self, keys: int, latency_s: float) -> None:
        self._keys = keys
        self._latency_s = latency_s
        self.requests = 0

    def key(self, number: int) -> str:
        """Return the key of a number; keys follow their numbers."""
        place = number * 2**32 // self._keys
        return f"data/{place:08x}-{place * _SPREAD % 2**32:08x}.bin"

    def entry(self, number: int) -> ListedEntry:
        """Return the one version of a key."""
        return ObjectVersion(
            self.key(number),
            VersionId(f"{number:032x}"),
            True,
            START + timedelta(seconds=number),
            _ETAG,
            number,
            "STANDARD",
            ("CRC64NVME",),
        )

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = LIST_PAGE_MAX,
    ) -> VersionsPage:
        """Return one page."""
        assert not prefix, f"{place.bucket} is listed whole"
        self.requests += 1
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        first = 0
        if after is not None:
            first = bisect_right(range(self._keys), after.key, key=self.key)
        last = min(first + max_keys, self._keys)
        entries = tuple(map(self.entry, range(first, last)))
        position = None
        if last < self._keys:
            position = VersionsPosition(entries[-1].key, entries[-1].version_id)
        return VersionsPage(entries, position)


class QuietEvents:
    """Keeps the end, and no progress."""

    def __init__(self) -> None:
        self.listed: list[BucketListed] = []

    def emit(self, event: Event) -> None:
        """Keep what tells of a listing."""
        if isinstance(event, BucketListed):
            self.listed.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        """Forget it."""


async def _pages_alone(bucket: ComputedBucket) -> None:
    after: VersionsPosition | None = None
    while True:
        page = await bucket.list_object_versions(PLACE, after=after)
        after = page.next_position
        if after is None:
            return


def _measure(folder: str, keys: int, latency_s: float, concurrency: int, out: Connection) -> None:
    begun = time.process_time()
    run(_pages_alone(ComputedBucket(keys, 0)))
    bucket_s = time.process_time() - begun
    bucket, events = ComputedBucket(keys, latency_s), QuietEvents()
    with tempfile.TemporaryDirectory(dir=folder) as path:
        artifacts = LocalArtifacts(Path(path))
        begun, wall = time.process_time(), time.perf_counter()
        run(
            take_inventory(
                [BucketListing(name=SOURCE, place=PLACE, store=cast("ObjectStore", bucket))],
                artifacts=artifacts,
                events=events,
                run_id="RUN",
                concurrency=concurrency,
            )
        )
        wall = time.perf_counter() - wall
        cpu_s = time.process_time() - begun - bucket_s
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        joined_s = _joined_s(Path(path), keys)
    pages = -(-keys // LIST_PAGE_MAX)
    out.send(
        f"| {keys:,} | {keys / wall:,.0f} | {bucket.requests / pages:.3f} |"
        f" {events.listed[0].ranges} | {cpu_s / keys * 1e6:.2f} | {joined_s / keys / 2 * 1e6:.2f} |"
        f" {peak_mib:.0f} |"
    )


def _joined_s(folder: Path, keys: int) -> float:
    """Return the CPU of reading the inventory back beside itself, as an equal destination."""
    begun = time.process_time()
    groups = sum(1 for _ in joined_inventory(_Twice(folder), destinations=1))
    assert groups == keys, "every key is in one group"
    return time.process_time() - begun


class _Twice(LocalArtifacts):
    """Gives the source's inventory for the destination's, too."""

    def index(self, name: str) -> ArtifactIndex | None:
        """Return the source's index."""
        assert name, "an artefact has a name"
        return super().index(SOURCE)

    def rows(self, name: str, *, start: int = 0) -> Iterator[list[Scalar]]:
        """Stream the source's rows."""
        assert name, "an artefact has a name"
        return super().rows(SOURCE, start=start)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--latency-s", type=float, default=0.1)
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    print(
        "| keys | keys/s | requests a page | ranges | listing, CPU-s per million |"
        " join, CPU-s per million rows | peak MiB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for keys in options.keys:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_measure,
            args=(options.folder, keys, options.latency_s, options.concurrency, sender),
        )
        process.start()
        print(receiver.recv())
        process.join()


if __name__ == "__main__":
    main()
