"""What a copy costs beside its request: CPU of the copy workers, the journal and the outcomes.

The buckets are computed and answer at once, so no network and no client is in the figures; what
the computed buckets, their listings and the entries take themselves is measured first and taken
off. Journal and outcomes are on disk, synced. Each measurement is a process of its own, so that
its peak memory is its own.

    python -m benchmarks.copies [--entries 100000 1000000] [--concurrency 128] [--folder /tmp]
"""

import argparse
import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Self, cast

from backfill.aws.clock import SystemClock
from backfill.cli.loop import run
from backfill.errors import BackfillError, RefusedError, StoreFault
from backfill.execute.bench import ExecutePorts
from backfill.execute.run import ExecuteJob, execute
from backfill.execute.stop import StopRequest
from backfill.journal.journal import SegmentJournal
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import Checksum, ChecksumType, ETag, ListedEntry, ObjectVersion
from backfill.model.objects import VersionId as V
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CopyObjectRequest,
    CopySource,
    IfAbsent,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import (
    ArtifactIndex,
    ControlPlane,
    Event,
    ObjectStore,
    ProgressCounts,
)
from backfill.run_directory.artifacts import ArtifactWriter, LocalArtifacts
from backfill.settings import Settings

START = datetime(2024, 1, 1, tzinfo=UTC)
SOURCE = BucketPlace(bucket="a", region="r", expected_owner="1" * 12, owner_origin="flag")
DESTINATION = BucketPlace(bucket="b", region="r", expected_owner="2" * 12, owner_origin="flag")
PLAIN = Encryption(kind=EncryptionKind.SSE_S3)
ABSENT = IfAbsent()
CHECKSUMS = (Checksum(algorithm="CRC64NVME", value="yHkE3YQ5bXk=", type=ChecksumType.FULL_OBJECT),)


def key_of(number: int) -> str:
    """Return a key; keys are in the order of their numbers."""
    return f"logs/2026/01/02/service-a/part-{number:09d}.json.gz"


def entries_of(count: int, *, has_other_writers: bool) -> Iterator[ManifestEntry]:
    """Give the rows of a manifest, as its reader would."""
    for number in range(count):
        yield ManifestEntry(
            number, number, key_of(number), V(f"3sL4kqtJlcpXroDTDmJ.{number:012d}"),
            ETag(f"{number:032x}"), 1000, START, 0, Route.COPY_OBJECT, "rule", "STANDARD",
            PLAIN, ABSENT, None, has_other_writers, True,
        )  # fmt: skip


class ComputedBuckets:
    """Source and destination; of what was copied one byte a key is kept."""

    def __init__(self, keys: int) -> None:
        self.keys = range(keys)
        self.copied = bytearray(keys)
        self.requests = 0

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        """Copy, after a round of the loop."""
        await asyncio.sleep(0)
        self.requests += 1
        number = int(request.key[31:40])
        self.copied[number] = 1
        return WriteResult(
            etag=request.source.etag, version_id=V(f"copy.{number:027d}"), checksums=CHECKSUMS
        )

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        """Return a page; each key has one version, or none before its copy."""
        assert not prefix, "the clean path lists ranges"
        await asyncio.sleep(0)
        self.requests += 1
        first = bisect_right(self.keys, after.key, key=key_of) if after is not None else 0
        numbers = range(first, min(len(self.keys), first + max_keys))
        if place is DESTINATION:
            numbers = [number for number in numbers if self.copied[number]]  # type: ignore[assignment] # as iterable
        entries = tuple(self._version(place, number) for number in numbers)
        end = entries[-1] if len(entries) == max_keys else None
        position = None if end is None else VersionsPosition(key=end.key, version_id=end.version_id)
        return VersionsPage(entries=entries, next_position=position)

    def _version(self, place: BucketPlace, number: int) -> ListedEntry:
        is_source = place is SOURCE
        version_id = f"3sL4kqtJlcpXroDTDmJ.{number:012d}" if is_source else f"copy.{number:027d}"
        modified = START if is_source else START + timedelta(days=1)
        etag = ETag(f"{number:032x}")
        return ObjectVersion(key_of(number), V(version_id), True, modified, etag, 1000, "STANDARD")


class Control:
    """Says that versioning is Enabled."""

    async def versioning(self, _place: BucketPlace) -> str:
        """Return what execute asks."""
        return "Enabled"


class Quiet:
    """Events that nobody reads, counted."""

    told = 0

    def emit(self, event: Event) -> None:
        """Refuse: nothing goes wrong here."""
        raise AssertionError(event)

    def progress(self, counts: ProgressCounts) -> None:
        """Count."""
        assert counts.done > 0, "only what is done is told"
        self.told += 1


class TimedArtifacts(LocalArtifacts):
    """Notes the CPU time at which the outcomes begin."""

    began_s = 0.0

    @contextmanager
    def writer(
        self: Self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator[ArtifactWriter]:
        """Begin an artefact."""
        self.began_s = time.process_time()
        with super().writer(name, columns=columns, inputs=inputs) as made:
            yield made


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One measurement."""

    entries: int
    has_other_writers: bool
    concurrency: int
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Microseconds of CPU a copy: all of execute, the world itself, the outcomes; and the rest."""

    crew_us: float
    world_us: float
    outcomes_us: float
    elapsed_s: float
    peak_mib: float
    requests: int
    told: int


def refused(fault: StoreFault) -> BackfillError:
    """Return the error that a fault ends the run with."""
    return RefusedError(str(fault))


async def world_s(case: Case) -> float:
    """Return the CPU seconds that entries, answers and listings take by themselves."""
    buckets = ComputedBuckets(case.entries)
    began_s = time.process_time()
    rows = entries_of(case.entries, has_other_writers=case.has_other_writers)

    async def slot() -> None:
        for row in rows:
            assert row.version_id is not None, "it is an object"
            assert row.etag is not None, "it is an object"
            source = CopySource(place=SOURCE, key=row.key, version_id=row.version_id, etag=row.etag)
            request = CopyObjectRequest(
                destination=DESTINATION, key=row.key, source=source, precondition=ABSENT,
                storage_class="STANDARD", encryption=PLAIN,
            )  # fmt: skip
            await buckets.copy_object(request)

    async with asyncio.TaskGroup() as group:
        for _ in range(case.concurrency):
            group.create_task(slot())
    if case.has_other_writers:
        # Two listings before the copies of a block and two after, with a page a quarter too large.
        for first in range(0, case.entries, 100):
            after = VersionsPosition(key=key_of(first - 1)) if first else None
            for place, max_keys in ((DESTINATION, 16), *((SOURCE, 141),) * 2, (DESTINATION, 141)):
                await buckets.list_object_versions(place, after=after, max_keys=max_keys)
    return time.process_time() - began_s


async def measured(case: Case, folder: Path) -> Measured:
    """Carry a manifest out and say what it took."""
    world = await world_s(case)
    manifest = ArtifactIndex(
        name="manifest/00", columns=(), rows=case.entries, digest="m", inputs={}, summary={}
    )
    journal = SegmentJournal.open(folder / "journal", manifest_digest="m")
    artifacts, buckets, quiet = TimedArtifacts(folder), ComputedBuckets(case.entries), Quiet()
    store = cast("ObjectStore", buckets)
    ports = ExecutePorts(
        source=store, destination=store, control=cast("ControlPlane", Control()), journal=journal,
        artifacts=artifacts, events=quiet, clock=SystemClock(), random=Random(1), error_of=refused,
    )  # fmt: skip
    job = ExecuteJob(
        header=PlanHeader(source=SOURCE, destinations=(DESTINATION,), horizon=START),
        manifest=manifest,
        entries=lambda: entries_of(case.entries, has_other_writers=case.has_other_writers),
        outcomes_name="outcomes/00",
        allows_hiding=False,
        settings=Settings(concurrency=case.concurrency),
    )
    began_s, clock_s = time.process_time(), time.perf_counter()
    index = await execute(job, ports, StopRequest())
    ended_s, elapsed_s = time.process_time(), time.perf_counter() - clock_s
    await journal.close()
    assert index.rows == case.entries == sum(buckets.copied), "every entry is copied"
    each = 1e6 / case.entries
    return Measured(
        crew_us=(artifacts.began_s - began_s) * each,
        world_us=world * each,
        outcomes_us=(ended_s - artifacts.began_s) * each,
        elapsed_s=elapsed_s,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        requests=buckets.requests,
        told=quiet.told,
    )


def work(case: Case, pipe: Connection) -> None:
    """Measure in this process."""
    with tempfile.TemporaryDirectory(dir=case.folder) as folder:
        pipe.send(run(measured(case, Path(folder))))


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    print("CPU-µs a copy; `world` (entries, answers, listings themselves) is taken off the first")
    print("| keys | entries | copy, journal | outcomes | world | requests | seconds | peak MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for entries in options.entries:
        for has_other_writers in (False, True):
            case = Case(
                entries=entries,
                has_other_writers=has_other_writers,
                concurrency=options.concurrency,
                folder=options.folder,
            )
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(case, theirs))
            process.start()
            theirs.close()
            found = ours.recv()
            process.join()
            word = "with other writers" if has_other_writers else "quiet"
            print(
                f"| {word} | {entries:,} | {found.crew_us - found.world_us:.1f} "
                f"| {found.outcomes_us:.1f} | {found.world_us:.1f} | {found.requests:,} "
                f"| {found.elapsed_s:.1f} | {found.peak_mib:.0f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
