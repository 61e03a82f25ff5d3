"""What each stage between the requests costs: CPU a row, and how little memory that takes.

    python -m benchmarks.stages [--rows 200000] [STAGE ...]

Inventories are computed and so is the store, whose HEADs are answered at once and whose own CPU is
taken off: what is left is the stage. Each stage is a process of its own, so that its peak is its
own, and works on what the one before left in the run directory. Times hang on the machine and on
who shares it, so a fixed piece of Python is timed in each process before and after: `idle` is what
the stage would take where that piece takes `CALIBRATION_S`. Exits 1 where a stage held more memory
than it may or its result is not the one that follows from the inventories; never for its times.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from backfill.campaign import Scope
from backfill.cli.loop import run
from backfill.inventory.rows import COLUMNS as INVENTORY_COLUMNS
from backfill.inventory.rows import row_of as inventory_row
from backfill.inventory.run import SOURCE as SOURCE_INVENTORY
from backfill.inventory.run import destination_name
from backfill.manifest.run import write_manifest
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    ReplicationStatus,
)
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.plan.rules import Rule, RuleDestination, Rules
from backfill.plan.run import PlanWork, make_plan
from backfill.plan.terms import COPY_ONLY, Delivery, DestinationTerms, Terms
from backfill.plan.totals import totals_of
from backfill.ports import Event, Events, ObjectStore, ProgressCounts
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.stage_inputs import listings_of

PEAK_MIB_MAX = 250
CALIBRATION_ROUNDS = 1_000_000
CALIBRATION_S = 0.22
"""CPU seconds of the fixed piece on the machine of the documented figures with nothing beside."""
SIZE_BYTES = 4096
WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HORIZON = WRITTEN + timedelta(days=300)
SOURCE = BucketPlace(
    bucket="source", region="eu-west-1", expected_owner="1" * 12, owner_origin="flag"
)
DESTINATION = BucketPlace(
    bucket="destination", region="eu-west-1", expected_owner="2" * 12, owner_origin="flag"
)
SSE_S3 = Encryption(kind=EncryptionKind.SSE_S3)
CONTENT = ContentHeaders(content_type="application/octet-stream")
_MIX = 0x9E3779B97F4A7C15_F39CC0605CEDC835
_128_BITS = (1 << 128) - 1


def etag_of(number: int) -> ETag:
    """Return 32 hexadecimal digits that compress as an MD5 does: not at all."""
    return ETag(f"{(number + 1) * _MIX * _MIX & _128_BITS:032x}")


def entries(rows: int, *, versions: int) -> Iterator[ListedEntry]:
    """Give the source's versions, `versions` of each key, the newest first."""
    for number in range(rows):
        group, place = divmod(number, versions)
        yield ObjectVersion(
            key=f"logs/2026/01/02/service-a/part-{group:09d}.json.gz",
            version_id=VersionId(f"{etag_of(~number)}"),
            is_latest=place == 0,
            last_modified=WRITTEN + timedelta(seconds=number % 86_400),
            etag=etag_of(number),
            size_bytes=SIZE_BYTES + number % 1000,
            storage_class="STANDARD",
        )


class ComputedStore:
    """Answers HEAD of the source's versions by arithmetic; asked for anything else, it breaks."""

    def __init__(self) -> None:
        self.heads = 0

    async def head_object(
        self, _place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectHead:
        """Return the head that belongs to the inventory's entry (one version a key)."""
        assert version_id is not None, "every read of a version is pinned"
        self.heads += 1
        number = int(key[-17:-8])
        return ObjectHead(
            version_id=version_id,
            etag=etag_of(number),
            size_bytes=SIZE_BYTES + number % 1000,
            last_modified=WRITTEN,
            storage_class="STANDARD",
            metadata=(),
            content_headers=CONTENT,
            tag_count=0,
            checksums=(),
            encryption=SSE_S3,
            replication_status=ReplicationStatus.NONE,
        )


class Silent:
    """Takes events and progress, and says nothing."""

    def emit(self, event: Event) -> None:
        """Take an event."""

    def progress(self, counts: ProgressCounts) -> None:
        """Take totals."""


def make_inventories(artifacts: LocalArtifacts, rows: int, versions: int) -> None:
    """Write the inventories of a full source and an empty destination."""
    for name, listed in (
        (SOURCE_INVENTORY, entries(rows, versions=versions)),
        (destination_name(0), iter(())),
    ):
        with artifacts.writer(name, columns=INVENTORY_COLUMNS, inputs={}) as writer:
            for entry in listed:
                writer.write(inventory_row(entry))
            writer.commit({})


def terms(delivery: Delivery, *, is_quiet: bool) -> tuple[Terms, Rules]:
    """Return one rule for everything, and what follows from it."""
    rule = Rule(
        id="everything",
        is_enabled=True,
        prefix="",
        tags=(),
        priority=1,
        destination=RuleDestination(
            bucket=DESTINATION.bucket,
            # By Batch Replication the listing decides only where KMS objects are selected.
            replica_kms_key="arn:aws:kms:eu-west-1:222222222222:key/k" if delivery.batch else "",
        ),
        replicates_delete_markers=False,
        selects_kms=delivery.batch,
    )
    destination = DestinationTerms(
        bucket=DESTINATION.bucket, rules=(rule,), live_rules=(rule,), has_acls=False
    )
    made = Terms(
        scope=Scope(),
        horizon=HORIZON,
        destinations=(destination,),
        is_quiet=is_quiet,
        delivery=delivery,
    )
    return made, Rules(rules=(rule,))


class WrongResultError(Exception):
    """A stage's result is not what follows from the inventories."""


def plan(artifacts: LocalArtifacts, rows: int, route: Route, *, is_quiet: bool = False) -> float:
    """Plan; return the CPU seconds that the store took for its answers."""
    is_batch = route is Route.BATCH_REPLICATION
    delivery = Delivery(batch=True, copy=False) if is_batch else COPY_ONLY
    made, rules = terms(delivery, is_quiet=is_quiet)
    store = ComputedStore()
    work = PlanWork(
        header=PlanHeader(source=SOURCE, destinations=(DESTINATION,), horizon=HORIZON),
        terms=made,
        rules=rules,
        listings=partial(listings_of, artifacts, destinations=1),
        inventories={},
        source_store=cast("ObjectStore", store),
        destination_store=cast("ObjectStore", store),
        concurrency=256,
    )
    events: Events = Silent()
    index = run(make_plan(work, artifacts=artifacts, events=events))
    routed = totals_of(index.summary).destinations[0].routes
    if list(routed) != [route] or routed[route].rows != index.rows or index.rows != rows:
        raise WrongResultError(f"planned {dict(routed)} of {rows}")
    if store.heads != (0 if is_batch else rows):
        raise WrongResultError(f"{store.heads} HEADs for {rows} rows")
    return run(_cpu_of_heads(store.heads))


async def _cpu_of_heads(heads: int) -> float:
    store, version_id = ComputedStore(), VersionId("v")
    keys = [entry.key for entry in entries(min(heads, 1000), versions=1)]
    began_s = time.process_time()
    for number in range(heads):
        await store.head_object(SOURCE, keys[number % 1000], version_id=version_id)
    return time.process_time() - began_s


def plan_copies(artifacts: LocalArtifacts, rows: int) -> float:
    """Plan copies beside live replication."""
    return plan(artifacts, rows, Route.COPY_OBJECT)


def plan_quiet(artifacts: LocalArtifacts, rows: int) -> float:
    """Plan copies between sides that nobody else writes."""
    return plan(artifacts, rows, Route.COPY_OBJECT, is_quiet=True)


def plan_batch(artifacts: LocalArtifacts, rows: int) -> float:
    """Plan keys with two versions each for Batch Replication."""
    return plan(artifacts, rows, Route.BATCH_REPLICATION)


def manifest(artifacts: LocalArtifacts, rows: int) -> float:
    """Write the manifest of a plan."""
    index = write_manifest(artifacts)
    if index.rows != rows:
        raise WrongResultError(f"{index.rows} rows in the manifest, {rows} in the plan")
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One measurement: on the run directory `folder`, which holds `versions` a key."""

    name: str
    folder: str
    versions: int
    work: Callable[[LocalArtifacts, int], float]


STAGES = (
    Stage(name="plan: copies", folder="copies", versions=1, work=plan_copies),
    Stage(name="manifest: copies", folder="copies", versions=1, work=manifest),
    Stage(name="plan: copies, quiet", folder="quiet", versions=1, work=plan_quiet),
    Stage(name="plan: batch, 2 versions", folder="batch", versions=2, work=plan_batch),
    Stage(name="manifest: batch", folder="batch", versions=2, work=manifest),
)
"""In the order of their run directories; what needs an earlier stage stands behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one process took, the computed store's CPU taken off.

    `calibration_s` is what the fixed piece of Python took there, on average.
    """

    cpu_s: float
    calibration_s: float
    elapsed_s: float
    peak_mib: float


def work(pipe: Connection, stage: Stage, root: Path, rows: int) -> None:
    """The measured process."""
    artifacts = LocalArtifacts(root / stage.folder)
    before_s = calibration_s()
    began_s, cpu_before_s = time.perf_counter(), time.process_time()
    store_s = stage.work(artifacts, rows)
    # The store's answers were timed behind the stage, so they lie in the whole twice.
    cpu_s = time.process_time() - cpu_before_s - 2 * store_s
    elapsed_s = time.perf_counter() - began_s - store_s
    calibrated_s = (before_s + calibration_s()) / 2
    # Not ru_maxrss: that begins with what the parent held.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    pipe.send(
        Measured(
            cpu_s=cpu_s,
            calibration_s=calibrated_s,
            elapsed_s=elapsed_s,
            peak_mib=peak_kib / 1024,
        )
    )


def measure(stage: Stage, root: Path, rows: int) -> Measured:
    """Do one piece of work in a process of its own; EOFError where it failed."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(theirs, stage, root, rows)
    )
    process.start()
    theirs.close()
    try:
        answer: Measured = ours.recv()
    finally:
        process.join()
    return answer


def calibration_s() -> float:
    """Return the CPU seconds of a fixed piece of Python, to compare machines by."""
    began_s = time.process_time()
    table: dict[str, int] = {}
    for number in range(CALIBRATION_ROUNDS):
        table[f"{number % 1000:x}"] = number
    assert len(table) == 1000, "every key once"
    return time.process_time() - began_s


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="words of the names to measure")
    arguments = parser.parse_args()
    rows = arguments.rows
    chosen = {s.folder for s in STAGES if all(word in s.name for word in arguments.stages)}
    is_good = True
    print(f"{'':<26} {'CPU-us/row':>11} {'idle':>6} {'rows/s':>9} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        root, made = Path(folder), set[str]()
        for stage in STAGES:
            if stage.folder not in chosen:
                continue
            if stage.folder not in made:
                make_inventories(LocalArtifacts(root / stage.folder), rows, stage.versions)
                made.add(stage.folder)
            try:
                measured = measure(stage, root, rows)
            except EOFError:
                print(f"{stage.name:<26} failed; its traceback stands above")
                return 1
            print(
                f"{stage.name:<26} {1e6 * measured.cpu_s / rows:>11.2f}"
                f" {1e6 * measured.cpu_s / rows * CALIBRATION_S / measured.calibration_s:>6.2f}"
                f" {rows / measured.elapsed_s:>9.0f} {measured.peak_mib:>9.0f}"
            )
            is_good = is_good and measured.peak_mib <= PEAK_MIB_MAX
    print(f"{rows} rows; at most {PEAK_MIB_MAX} MiB")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
