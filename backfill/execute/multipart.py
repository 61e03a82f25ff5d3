"""One object by UploadPartCopy: parts along the source's boundaries, everything else re-supplied.

Of an upload that an earlier process left open (see `uploads`) only what is missing is copied.
Never leaves parts behind of a copy that failed: its upload is aborted. One that the run's end cut
short stays open, with its ID in the journal, for the run that goes on.
Law: nothing is visible before CompleteMultipartUpload, and that one is conditional.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from backfill.errors import Disposition, StoreFault
from backfill.execute.bench import AbandonedError, Bench
from backfill.execute.chains import read_chain
from backfill.execute.extras import changed
from backfill.execute.upload_plan import UploadPlan
from backfill.execute.upload_reads import gathered, planned_upload
from backfill.execute.uploads import AdoptedUpload, abort, parts_of
from backfill.execute.views import Copy
from backfill.manifest.entries import ManifestEntry
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    MultipartUpload,
    UploadPartCopyRequest,
    WriteResult,
)

ABORT_TIMEOUT_S = 5.0
"""A cancelled copy may spend this long on the abort of an upload that nobody else knows of."""
LISTED_AGAIN_MAX = 2
"""How often an upload's parts are listed once more because Complete knows others. A part that was
under way when its process died may land late; more often than that, the upload is begun anew."""

_UNDECIDED = (Disposition.RETRY, Disposition.SETTLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadHooks:
    """What the worker must know at once.

    `opened`: there is an upload, with this ID, made of what this digest says. `completing`: it is
    about to become visible. `lost`: it may be.
    """

    opened: Callable[[str, str], Awaitable[None]]
    completing: Callable[[], None]
    lost: Callable[[], None]


async def copy_in_parts(
    bench: Bench,
    entry: ManifestEntry,
    step: Copy,
    hooks: UploadHooks,
    adopted: AdoptedUpload | None = None,
) -> WriteResult:
    """Copy one version by parts, those that `adopted` lacks.

    Raises:
        RefusedCopyError: a field would be lost silently.
        StoreFault: it did not succeed; after `hooks.lost` it may have all the same.
    """
    if adopted is None:
        plan = await planned_upload(bench, entry, step)
        upload = await bench.ports.destination.create_multipart_upload(plan.request)
    else:
        plan, upload = adopted.plan, adopted.upload
    is_known = adopted is not None
    try:
        if adopted is None:
            await hooks.opened(upload.upload_id, plan.digest())
            is_known = True
        parts = await _copy_parts(bench, upload, plan, {} if adopted is None else adopted.parts)
        if entry.has_other_writers:
            await _refuse_if_changed(bench, entry, step)
        hooks.completing()
        return await _complete(
            bench, _Completion(upload=upload, plan=plan, step=step), parts, hooks
        )
    except (asyncio.CancelledError, AbandonedError):
        # The run ends: who goes on finds it in the journal, unless that was not yet told.
        if not is_known:
            with suppress(TimeoutError, StoreFault):
                async with asyncio.timeout(ABORT_TIMEOUT_S):
                    await bench.ports.destination.abort_multipart_upload(upload)
        raise
    except BaseException:
        await abort(bench, upload)
        raise


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
        raise changed("ListObjectVersions", "the source has another current version now")
    if seen_version_id != step.seen_version_id:
        raise changed("ListObjectVersions", "the destination has another current version now")


async def _copy_parts(
    bench: Bench, upload: MultipartUpload, plan: UploadPlan, found: Mapping[int, CopiedPart]
) -> Mapping[int, CopiedPart]:
    requests = [
        UploadPartCopyRequest(
            upload=upload,
            part_number=part.number,
            source=plan.source,
            first_byte=part.first_byte,
            last_byte=part.last_byte,
        )
        for part in plan.ranges
        if part.number not in found
    ]

    async def copy(request: UploadPartCopyRequest) -> CopiedPart:
        return await _copy_part(bench, request)

    copied = await gathered(bench, copy, requests)
    return {**found, **{part.part_number: part for part in copied}}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Completion:
    """Everything of a CompleteMultipartUpload but its parts."""

    upload: MultipartUpload
    plan: UploadPlan
    step: Copy

    def request(self, parts: Mapping[int, CopiedPart]) -> CompleteMultipartUploadRequest:
        created = self.plan.request
        return CompleteMultipartUploadRequest(
            upload=self.upload,
            # S3 may tell a checksum of its own for each part, and refuses it here with 400
            # InvalidPart unless Create named that algorithm (S3 API: CompletedPart).
            parts=tuple(
                parts[number]._replace(
                    checksums=tuple(
                        each
                        for each in parts[number].checksums
                        if each.algorithm == created.checksum_algorithm
                    ),
                )
                for number in sorted(parts)
            ),
            precondition=self.step.precondition,
            checksum_type=created.checksum_type,
            size_bytes=self.step.size_bytes,
        )


async def _complete(
    bench: Bench, completion: _Completion, parts: Mapping[int, CopiedPart], hooks: UploadHooks
) -> WriteResult:
    """Complete, and again after a lost answer: one upload makes at most one version.

    A repeated call that is told 412 or NoSuchUpload may owe that to the first one: `lost` was
    called, so the worker reads the chain.
    """
    left = LISTED_AGAIN_MAX
    for attempt in range(1, bench.settings.attempts_max + 1):
        try:
            request = completion.request(parts)
            return await bench.ports.destination.complete_multipart_upload(request)
        except StoreFault as fault:
            if fault.disposition is Disposition.SETTLE or fault.is_ambiguous:
                hooks.lost()
            is_last = attempt == bench.settings.attempts_max
            if fault.code == "InvalidPart" and left and not is_last:
                left -= 1
                parts = await _other_parts(bench, completion, parts, fault)
                continue
            if fault.disposition not in _UNDECIDED or fault.code == "NoSuchUpload":
                raise
            if is_last:
                raise _exhausted(fault) from fault
            bench.errors[fault.code] += 1
            await bench.pause(attempt, fault)
    raise AssertionError("the last attempt returns or raises")


async def _other_parts(
    bench: Bench, completion: _Completion, parts: Mapping[int, CopiedPart], fault: StoreFault
) -> Mapping[int, CopiedPart]:
    """Return the parts as they are now; raises the fault where that changes nothing.

    A part that landed late holds the same bytes of the pinned source, but under SSE-KMS its ETag
    is another one.
    """
    bench.errors[fault.code] += 1
    now = await parts_of(bench, completion.plan, completion.upload)
    if now is None or now.keys() != parts.keys() or now == parts:
        raise fault
    return now


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
