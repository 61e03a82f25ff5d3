"""What is read from the source before a version is copied in parts.

UploadPartCopy carries bytes only (S3 API), so metadata, content headers, tags and the checksum
algorithm are read from the pinned source version and given to CreateMultipartUpload. Tags that
change between that reading and the end of the upload are not seen here: verify compares them.
Never writes.
Law: what would be lost silently is refused before anything is begun.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from backfill.execute.bench import Bench
from backfill.execute.extras import RefusedCopyError, named_extras, pinned_head
from backfill.execute.parts import (
    PartRange,
    are_copyable,
    computed_ranges,
    ranges_of,
    uniform_sizes,
)
from backfill.execute.refusals import upload_refusal
from backfill.execute.request import copy_source, create_upload_request
from backfill.execute.upload_plan import UploadPlan
from backfill.execute.views import Copy
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import multipart_part_count
from backfill.settings import PARTS_MAX

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def planned_upload(bench: Bench, entry: ManifestEntry, step: Copy) -> UploadPlan:
    """Read from the source what an upload needs.

    Raises:
        RefusedCopyError: a field would be lost silently.
        StoreFault: it could not be read, or is another version now.
    """
    head = await pinned_head(bench, entry, step)
    refusal = upload_refusal(
        head,
        entry.encryption,
        bench.header.abilities_at(entry.destination),
        bench.ports.clock.now(),
        bench.header.checksum_algorithm,
    )
    if refusal is not None:
        raise RefusedCopyError(refusal)
    tags = await _tags(bench, entry, step, head)
    extras = await named_extras(bench, entry, step, head)
    place = bench.place(entry.destination)
    return UploadPlan(
        source=copy_source(entry, step, bench.header.source),
        request=create_upload_request(entry, step, head, tags, place, extras),
        ranges=await _ranges(bench, entry, step, head),
    )


async def _tags(bench: Bench, entry: ManifestEntry, step: Copy, head: ObjectHead) -> Pairs:
    if not head.tag_count:
        return ()
    return await bench.ports.source.get_object_tagging(
        bench.header.source, entry.key, version_id=step.version_id
    )


async def _ranges(
    bench: Bench, entry: ManifestEntry, step: Copy, head: ObjectHead
) -> tuple[PartRange, ...]:
    count = head.parts_count or multipart_part_count(step.etag) or 0
    if not 1 < count <= PARTS_MAX:
        return computed_ranges(head.size_bytes, part_bytes=bench.settings.part_bytes)

    async def part_bytes(number: int) -> int:
        async with bench.parts:
            part = await bench.ports.source.head_object(
                bench.header.source, entry.key, version_id=step.version_id, part_number=number
            )
        return part.size_bytes

    first, last = await part_bytes(1), await part_bytes(count)
    sizes = uniform_sizes(
        size_bytes=head.size_bytes, parts_count=count, first_bytes=first, last_bytes=last
    )
    if sizes is None:
        between = await gathered(bench, part_bytes, range(2, count))
        sizes = (first, *between, last)
    if sum(sizes) != head.size_bytes or not are_copyable(sizes):
        # A last part may be empty, which no range can name, and a store may not tell part sizes
        # truly: the bytes matter more than the layout.
        return computed_ranges(head.size_bytes, part_bytes=bench.settings.part_bytes)
    return ranges_of(sizes)


async def gathered(
    bench: Bench, call: Callable[[_Item], Awaitable[_Result]], items: Sequence[_Item]
) -> list[_Result]:
    """Await `call` of each item; results in the items' order.

    One object alone may fill the bound over all objects. Each of its turns goes to the end of the
    one queue for that bound, so that objects that come later get their share.
    """
    results: dict[int, _Result] = {}
    numbered = enumerate(items)

    async def work() -> None:
        for index, item in numbered:
            results[index] = await call(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(bench.settings.parts_in_flight_max, len(items))):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [results[index] for index in range(len(items))]
