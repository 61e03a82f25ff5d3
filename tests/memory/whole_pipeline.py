"""Every stage of a run, in this process, over two buckets that are computed and held nowhere.

    python -m tests.memory.whole_pipeline FOLDER ROWS

Prints one JSON document: for each stage the rows that it said it saw, the most objects that were
alive while it worked, and the process's peak memory after it. Two versions a key; one key in four
is missing at the destination until it is copied.
Never keeps an object: what was copied is one byte a key.
"""

import asyncio
import gc
import json
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Self, cast
from unittest.mock import patch

from backfill import pipeline
from backfill.campaign import Campaign
from backfill.compose import Clients, machine
from backfill.execute.stop import StopRequest
from backfill.manifest.run import write_manifest
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketFacts, BucketPlace
from backfill.model.store import CopyObjectRequest, VersionsPage, VersionsPosition, WriteResult
from backfill.ports import ObjectStore, ProgressCounts
from backfill.reporting import report_on
from backfill.run_directory import segments
from backfill.run_directory.lock import hold_run_directory
from backfill.settings import Settings
from tests.doubles.known_versions import fault
from tests.doubles.listings import KeptEvents, page_of
from tests.doubles.no_batch import NO_BATCH_BUCKET, NO_BATCH_OPERATIONS
from tests.doubles.planning import head_of

ACCOUNT = "111122223333"
SOURCE, DESTINATION = "computed-source", "computed-destination"
START = datetime(2024, 1, 1, tzinfo=UTC)
SMALL_WINDOWS = Settings(concurrency=8, listing_concurrency=8, page_max=200)
"""So that what is held for a while is little beside what a leak would hold for good."""
SMALL_BLOCK_BYTES = 8 * 1024
LOOK_EVERY_S = 0.005
RULE: Mapping[str, object] = {
    "ID": "all",
    "Priority": 1,
    "Filter": {"Prefix": ""},
    "Status": "Enabled",
    "DeleteMarkerReplication": {"Status": "Disabled"},
    "Destination": {"Bucket": f"arn:aws:s3:::{DESTINATION}"},
}


def key_of(number: int) -> str:
    return f"data/{number:09d}.bin"


def number_of(key: str) -> int:
    return int(key[5:14])


def is_deleted(number: int) -> bool:
    return number % 20 == 0


def is_replicated(number: int) -> bool:
    return number % 4 != 1


@lru_cache(maxsize=1024)  # of neighbours that are asked for again at once; it does not grow
def source_chain(number: int) -> tuple[ListedEntry, ...]:
    """Return a key's two entries, newest first."""
    older = _version(number, "0", is_latest=False)
    if not is_deleted(number):
        return _version(number, "1", is_latest=True), older
    marker = DeleteMarker(
        key=older.key,
        version_id=VersionId(f"{number:030d}.1"),
        is_latest=True,
        last_modified=older.last_modified,
    )
    return marker, older


def _version(number: int, generation: str, *, is_latest: bool) -> ObjectVersion:
    return ObjectVersion(
        key=key_of(number),
        version_id=VersionId(f"{number:030d}.{generation}"),
        is_latest=is_latest,
        last_modified=START + timedelta(seconds=number),
        etag=ETag(f"{number:031x}{generation}"),
        size_bytes=number,
        storage_class="STANDARD",
        checksum_algorithms=("CRC64NVME",),
    )


class QuietEvents(KeptEvents):
    """Events whose progress nobody reads."""

    def progress(self, counts: ProgressCounts) -> None:
        assert counts.done >= 0, "nothing is done less than never"


class ComputedBuckets:
    """Both buckets as one store, as far as a run of copies needs it."""

    def __init__(self, keys: int) -> None:
        self._keys = range(keys)
        self._copied = bytearray(keys)
        self.copied_at = datetime.now(UTC)

    @property
    def port(self) -> ObjectStore:
        # Whoever calls another operation than those below fails with an AttributeError.
        return cast("ObjectStore", self)

    def chain(self, bucket: str, number: int) -> tuple[ListedEntry, ...]:
        if bucket == SOURCE or is_replicated(number):
            return source_chain(number)
        if not self._copied[number]:
            return ()
        original = source_chain(number)[0]
        version_id = VersionId(f"{number:030d}.copy")
        return (original._replace(version_id=version_id, last_modified=self.copied_at),)

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        await asyncio.sleep(0)
        first = bisect_left(self._keys, prefix, key=key_of)
        rest: Iterator[ListedEntry] = iter(())
        if after is not None:
            first = max(first, bisect_right(self._keys, after.key, key=key_of))
            if after.version_id is not None:
                last = self.chain(place.bucket, number_of(after.key))
                ids = [entry.version_id for entry in last]
                rest = iter(last[ids.index(after.version_id) + 1 :])
        numbers = takewhile(lambda n: key_of(n).startswith(prefix), self._keys[first:])
        begun = chain.from_iterable(self.chain(place.bucket, number) for number in numbers)
        entries = list(islice(chain(rest, begun), max_keys + 1))
        return page_of(entries[:max_keys], is_truncated=len(entries) > max_keys)

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        assert part_number is None, "nothing here was uploaded in parts"
        number = number_of(key)
        # Answers overtake each other, so that windows fill up behind the slow ones.
        for _ in range(number % 7):
            await asyncio.sleep(0)
        for entry in self.chain(place.bucket, number):
            if entry.version_id == version_id and isinstance(entry, ObjectVersion):
                return head_of(entry, metadata=(("number", str(number)),))
        raise fault("NoSuchVersion", 404)

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        assert place.bucket in (SOURCE, DESTINATION), f"{key} {version_id} is asked for tags"
        return ()

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        number = number_of(request.key)
        assert not self.chain(DESTINATION, number), "nothing is copied twice"
        await asyncio.sleep(0)
        self._copied[number] = 1
        (copy,) = self.chain(DESTINATION, number)
        return WriteResult(etag=request.source.etag, version_id=copy.version_id)


class ComputedControl:
    """The port ControlPlane over the two buckets."""

    async def account_id(self) -> str:
        return ACCOUNT

    async def bucket_region(self, bucket: str) -> str:
        return f"region-of-{bucket}"

    async def server_time(self, bucket: str) -> datetime | None:
        assert bucket == SOURCE, "the source stamps its versions"
        return None

    async def store_name(self, bucket: str) -> str:
        assert bucket == SOURCE, "the source's store is asked"
        return "AmazonS3"

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        return BucketFacts(
            region=place.region,
            versioning="Enabled",
            has_object_lock=False,
            object_ownership="BucketOwnerEnforced",
        )

    async def versioning(self, place: BucketPlace) -> str:
        return (await self.bucket_facts(place)).versioning

    async def require_owner(self, place: BucketPlace) -> None:
        assert place.expected_owner == ACCOUNT

    async def has_default_retention(self, place: BucketPlace) -> bool:
        return (await self.bucket_facts(place)).has_object_lock

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        assert (bucket, expected_owner) == (SOURCE, ACCOUNT), "the source is asked"
        return {"Role": f"arn:aws:iam::{ACCOUNT}:role/replication", "Rules": [RULE]}


def peak_kib() -> int:
    """Return this process's peak resident memory.

    Not ru_maxrss: that begins with what the parent held when it started this process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("the kernel does not say VmHWM")


class Watch:
    """Counts the memory blocks in use every few milliseconds, in a thread.

    What a leak takes may fit into room that the heap has left from before, and resident memory
    does not show it; the number of blocks does.
    """

    def __init__(self) -> None:
        self._most = 0
        self._is_over = threading.Event()
        self.seen: dict[str, tuple[int, int, int]] = {}

    def note(self, stage: str, rows: int) -> None:
        """Write down what a stage took, and begin with the next."""
        self.seen[stage] = rows, self._most, peak_kib()
        gc.collect()
        self._most = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            self._most = max(self._most, sys.getallocatedblocks())


async def every_stage(folder: Path, rows: int, watch: Watch) -> None:
    """Run every stage."""
    store, control = ComputedBuckets(rows // 2).port, ComputedControl()
    clients = Clients(
        source=store,
        destination=store,
        source_control=control,
        destination_control=control,
        source_batch=NO_BATCH_OPERATIONS,
        destination_batch=NO_BATCH_OPERATIONS,
        source_batch_bucket=NO_BATCH_BUCKET,
        destination_batch_bucket=NO_BATCH_BUCKET,
        pauses=Pauses(base_s=0.1, cap_s=1.0),
        budget=RetryBudget(ratio=0.2, floor=100),
    )
    here = machine(folder)
    campaign = Campaign(source_bucket=SOURCE, settings=SMALL_WINDOWS)
    run = await pipeline.begin(campaign, here, clients, QuietEvents())
    source, _ = await pipeline.take_inventories(run)
    watch.note("inventory", source.rows)
    watch.note("plan", (await pipeline.plan(run)).source.rows)
    watch.note("manifest", write_manifest(here.artifacts).rows)
    watch.note("execute", (await pipeline.execute(run, StopRequest())).rows)
    watch.note("verify", (await pipeline.verify(run)).plan_rows)
    report = report_on(run.campaign, run.identity, run.scene, here)
    assert report.exit_code == 0, report.headline
    watch.note("report", report.totals.rows)


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    with (
        patch.object(segments, "BLOCK_BYTES", SMALL_BLOCK_BYTES),
        hold_run_directory(folder, clock=machine(folder).clock),
        Watch() as watch,
    ):
        asyncio.run(every_stage(folder, rows, watch))
    sys.stdout.write(json.dumps(watch.seen))


if __name__ == "__main__":
    main()
