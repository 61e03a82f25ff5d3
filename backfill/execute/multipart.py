"""One object by UploadPartCopy: parts along the source's boundaries, everything else re-supplied.

UploadPartCopy carries bytes only (S3 API), so metadata, content headers, tags and the checksum
algorithm are read from the pinned source version and given to CreateMultipartUpload. Tags that
change between that reading and the end of the upload are not seen here: verify compares them.
Never leaves parts behind: whatever goes wrong, the upload is aborted, and its ID is in the journal
before the first part, so that a successor can abort it.
Law: nothing is visible before CompleteMultipartUpload, and that one is conditional.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from backfill.errors import Disposition, StoreFault
from backfill.execute.bench import Bench
from backfill.execute.chains import read_chain
from backfill.execute.codes import Code
from backfill.execute.parts import (
    PartRange,
    are_copyable,
    computed_ranges,
    ranges_of,
    uniform_sizes,
)
from backfill.execute.refusals import upload_refusal
from backfill.execute.request import copy_source, create_upload_request
from backfill.execute.views import Copy
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import multipart_part_count
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopySource,
    CreateMultipartUploadRequest,
    MultipartUpload,
    UploadPartCopyRequest,
    WriteResult,
)
from backfill.settings import PARTS_MAX

ABORT_TIMEOUT_S = 5.0
"""A cancelled copy may spend this long on its abort; the next run aborts what is left."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_UNDECIDED = (Disposition.RETRY, Disposition.SETTLE)


class RefusedCopyError(Exception):
    """The version would lose something by this route."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadHooks:
    """What the worker must know at once.

    `opened`: there is an upload. `completing`: it is about to become visible. `lost`: it may be.
    """

    opened: Callable[[str], Awaitable[None]]
    completing: Callable[[], None]
    lost: Callable[[], None]


async def copy_in_parts(
    bench: Bench, entry: ManifestEntry, step: Copy, hooks: UploadHooks
) -> WriteResult:
    """Copy one version by parts.

    Raises:
        RefusedCopyError: a field would be lost silently.
        StoreFault: it did not succeed; after `hooks.lost` it may have all the same.
    """
    head = await _pinned_head(bench, entry, step)
    refusal = upload_refusal(head, entry.encryption)
    if refusal is not None:
        raise RefusedCopyError(refusal)
    tags = await _tags(bench, entry, step, head)
    ranges = await _ranges(bench, entry, step, head)
    request = create_upload_request(entry, step, head, tags, bench.place(entry.destination))
    upload = await bench.ports.destination.create_multipart_upload(request)
    try:
        await hooks.opened(upload.upload_id)
        source = copy_source(entry, step, bench.header.source)
        parts = await _copy_parts(bench, upload, source, ranges)
        if entry.has_other_writers:
            await _refuse_if_changed(bench, entry, step)
        hooks.completing()
        return await _complete(bench, _completion(upload, request, step, parts), hooks)
    except asyncio.CancelledError:
        with suppress(TimeoutError, StoreFault):
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                await bench.ports.destination.abort_multipart_upload(upload)
        raise
    except BaseException:
        await abort(bench, upload)
        raise


async def abort(bench: Bench, upload: MultipartUpload) -> bool:
    """Abort an upload of ours; whether that is certain. A part that is under way may outlive it."""
    for attempt in range(1, bench.settings.attempts_max + 1):
        try:
            await bench.ports.destination.abort_multipart_upload(upload)
        except StoreFault as fault:
            bench.errors[fault.code] += 1
            if fault.disposition not in _UNDECIDED:
                return False
            await bench.pause(attempt, fault)
        else:
            return True
    return False


async def _pinned_head(bench: Bench, entry: ManifestEntry, step: Copy) -> ObjectHead:
    head = await bench.ports.source.head_object(
        bench.header.source, entry.key, version_id=step.version_id
    )
    if head.etag != step.etag:
        raise _changed("HeadObject", "the source version has another ETag now")
    return head


async def _refuse_if_changed(bench: Bench, entry: ManifestEntry, step: Copy) -> None:
    """Read the key again after its parts, which may have taken hours.

    A delete marker that came meanwhile is no precondition's matter: If-None-Match succeeds over it.

    Raises:
        StoreFault: REDECIDE, if either side has another current entry than was decided by.
    """
    place, header = bench.place(entry.destination), bench.header
    # The destination first: what the source shows afterwards is at least as new.
    destination = await read_chain(bench.ports.destination, place, entry.key)
    source = await read_chain(bench.ports.source, header.source, entry.key)
    seen_version_id = destination[0].version_id if destination else None
    if not source or source[0].version_id != step.version_id:
        raise _changed("ListObjectVersions", "the source has another current version now")
    if seen_version_id != step.seen_version_id:
        raise _changed("ListObjectVersions", "the destination has another current version now")


def _changed(operation: str, message: str) -> StoreFault:
    return StoreFault(
        operation=operation,
        code="PreconditionFailed",
        status=412,
        disposition=Disposition.REDECIDE,
        message=message,
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
        between = await _gathered(bench, part_bytes, range(2, count))
        sizes = (first, *between, last)
    if sum(sizes) != head.size_bytes or not are_copyable(sizes):
        # A last part may be empty, which no range can name, and a store may not tell part sizes
        # truly: the bytes matter more than the layout.
        return computed_ranges(head.size_bytes, part_bytes=bench.settings.part_bytes)
    return ranges_of(sizes)


async def _copy_parts(
    bench: Bench, upload: MultipartUpload, source: CopySource, ranges: tuple[PartRange, ...]
) -> tuple[CopiedPart, ...]:
    async def copy(part: PartRange) -> CopiedPart:
        request = UploadPartCopyRequest(
            upload=upload,
            part_number=part.number,
            source=source,
            first_byte=part.first_byte,
            last_byte=part.last_byte,
        )
        return await _copy_part(bench, request)

    return tuple(await _gathered(bench, copy, ranges))


async def _copy_part(bench: Bench, request: UploadPartCopyRequest) -> CopiedPart:
    """Copy one part. Sent twice it is the same part, so a lost answer is simply asked for again."""
    for attempt in range(1, bench.settings.attempts_max + 1):
        try:
            # Not held through a pause: parts of other objects go on meanwhile.
            async with bench.parts:
                return await bench.ports.destination.upload_part_copy(request)
        except StoreFault as fault:
            if fault.disposition not in _UNDECIDED:
                raise
            if attempt == bench.settings.attempts_max:
                raise _exhausted(fault) from fault
            bench.errors[fault.code] += 1
            await bench.pause(attempt, fault)
    raise AssertionError("the last attempt returns or raises")


def _completion(
    upload: MultipartUpload,
    created: CreateMultipartUploadRequest,
    step: Copy,
    parts: tuple[CopiedPart, ...],
) -> CompleteMultipartUploadRequest:
    return CompleteMultipartUploadRequest(
        upload=upload,
        # S3 may tell a checksum of its own for each part, and refuses it here with 400 InvalidPart
        # unless Create named that algorithm (S3 API: CompletedPart).
        parts=tuple(
            part._replace(
                checksums=tuple(
                    each for each in part.checksums if each.algorithm == created.checksum_algorithm
                ),
            )
            for part in parts
        ),
        precondition=step.precondition,
        checksum_type=created.checksum_type,
        size_bytes=step.size_bytes,
    )


async def _complete(
    bench: Bench, request: CompleteMultipartUploadRequest, hooks: UploadHooks
) -> WriteResult:
    """Complete, and again after a lost answer: one upload makes at most one version.

    A repeated call that is told 412 or NoSuchUpload may owe that to the first one: `lost` was
    called, so the worker reads the chain.
    """
    for attempt in range(1, bench.settings.attempts_max + 1):
        try:
            result = await bench.ports.destination.complete_multipart_upload(request)
        except StoreFault as fault:
            if fault.disposition is Disposition.SETTLE or fault.is_ambiguous:
                hooks.lost()
            if fault.disposition not in _UNDECIDED or fault.code == "NoSuchUpload":
                raise
            if attempt == bench.settings.attempts_max:
                raise _exhausted(fault) from fault
            bench.errors[fault.code] += 1
            await bench.pause(attempt, fault)
        else:
            return result
    raise AssertionError("the last attempt returns or raises")


def _exhausted(fault: StoreFault) -> StoreFault:
    """The call had its attempts; sending every part again would only multiply them."""
    return StoreFault(
        operation=fault.operation,
        code=fault.code,
        status=fault.status,
        disposition=Disposition.FAIL,
        message=fault.message,
        bucket=fault.bucket,
    )


async def _gathered(
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
