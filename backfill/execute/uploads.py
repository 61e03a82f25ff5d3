"""Open uploads: what they hold, whether they can be gone on with, and their end.

An upload that an earlier process left open is gone on with where it is for the very same write and
made of the very same (see `upload_plan`). Otherwise it is aborted.
Never copies and never completes.
Law: nothing is decided for good while an upload of an earlier process may still become visible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backfill.errors import Disposition, StoreFault
from backfill.events.copying import PartsNotListed, UploadResumed
from backfill.execute.bench import Bench
from backfill.execute.request import goes_by_parts
from backfill.execute.upload_plan import UploadPlan
from backfill.execute.upload_reads import planned_upload
from backfill.execute.views import Attempt, Compare, Copy, LookAtSource, Step, attempt_of
from backfill.manifest.entries import ManifestEntry
from backfill.model.permissions import missing_statements
from backfill.model.store import CopiedPart, ListedPart, MultipartUpload
from backfill.ports import Intent
from backfill.settings import PARTS_MAX

_UNDECIDED = (Disposition.RETRY, Disposition.SETTLE)
_DENIED = frozenset({"AccessDenied", "403"})
_CANNOT_LIST = _DENIED | {"NotImplemented", "501", "MethodNotAllowed", "405"}
"""What a store says that will not list parts, neither these nor others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldUpload:
    """An upload that an earlier process left open: what it was for, and what it was made of."""

    upload: MultipartUpload
    digest: str
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedUpload:
    """An old upload that is gone on with; `parts` are those that it holds, by number."""

    upload: MultipartUpload
    plan: UploadPlan
    parts: Mapping[int, CopiedPart]


async def adopted_upload(
    bench: Bench, entry: ManifestEntry, step: Copy, old: OldUpload
) -> AdoptedUpload | None:
    """Return an old upload ready to be gone on with; None: it is of no use to this copy.

    It may be gone, be made of something else, hold what we did not copy, or be kept from us.

    Raises:
        RefusedCopyError, StoreFault: as `planned_upload`.
    """
    plan = await planned_upload(bench, entry, step)
    if not bench.can_list_parts or old.digest != plan.digest():
        return None
    parts = await parts_of(bench, plan, old.upload)
    if parts is None:
        return None
    event = UploadResumed(
        number=entry.number, key=entry.key, parts_found=len(parts), parts=len(plan.ranges)
    )
    bench.ports.events.emit(event)
    return AdoptedUpload(upload=old.upload, plan=plan, parts=parts)


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


async def parts_of(
    bench: Bench, plan: UploadPlan, upload: MultipartUpload
) -> Mapping[int, CopiedPart] | None:
    """Return the parts that an open upload holds already; None: it cannot be gone on with.

    Whatever keeps the list from us, the upload can be begun anew: it costs time, nothing else.

    Raises:
        StoreFault: with disposition STOP.
    """
    try:
        listed = await _listed_parts(bench, upload)
    except StoreFault as fault:
        if fault.code in _CANNOT_LIST:
            _say_once(bench, upload.destination.bucket, fault.code)
        elif fault.disposition is Disposition.STOP:
            raise
        if fault.code != "NoSuchUpload":  # completed or aborted: no error of anybody's
            bench.errors[fault.code] += 1
        return None
    return None if listed is None else plan.copied_parts(listed)


def _say_once(bench: Bench, bucket: str, code: str) -> None:
    if bench.can_list_parts:
        bench.can_list_parts = False
        is_denied = code in _DENIED
        hint = missing_statements(operation="ListParts", bucket=bucket) if is_denied else ""
        bench.ports.events.emit(PartsNotListed(bucket=bucket, code=code, hint=hint))


async def _listed_parts(bench: Bench, upload: MultipartUpload) -> list[ListedPart] | None:
    """Return the parts of an upload, all pages; None: the pages come to no end."""
    listed: list[ListedPart] = []
    after = 0
    for _ in range(PARTS_MAX):
        page = await bench.ports.destination.list_parts(
            upload, after=after, max_parts=bench.settings.page_max
        )
        listed += page.parts
        if page.next_marker is None:
            return listed
        if page.next_marker <= after:
            return None
        after = page.next_marker
    return None


class OldUploads:
    """The uploads of one entry that an earlier process left open, by its open intents."""

    def __init__(self, bench: Bench, entry: ManifestEntry, intents: Sequence[Intent]) -> None:
        self._bench = bench
        self._entry = entry
        self._left = [_old_upload(bench, entry, one) for one in intents if one.upload_id]
        is_last = bool(intents) and bool(intents[-1].upload_digest)
        self._kept = self._left.pop() if is_last else None
        self.adopted: AdoptedUpload | None = None
        self.leftover = ""
        """What a person should know of an upload that could not be aborted."""

    async def abort_all_but_last(self) -> None:
        """Abort what was begun before the last intent: after that none of it becomes visible."""
        while self._left:
            await self._abort(self._left.pop())

    async def make_way(self, step: Step) -> bool:
        """Return whether a step may be taken; not if an upload had to be aborted before it.

        Whoever ends, or writes anything but what the upload was for, has it aborted first, and
        then decides anew: until its abort, what was begun long ago may still become visible.

        Raises:
            RefusedCopyError, StoreFault: as `planned_upload`; the upload stays open.
        """
        kept = self._kept
        if kept is None or isinstance(step, Compare | LookAtSource):
            return True
        bytes_max = self._bench.settings.copy_object_bytes_max
        if (
            isinstance(step, Copy)
            and attempt_of(step) == kept.attempt
            and goes_by_parts(self._entry, step, copy_object_bytes_max=bytes_max)
        ):
            self.adopted = await adopted_upload(self._bench, self._entry, step, kept)
        self._kept = None
        if self.adopted is None:
            await self._abort(kept)
        return self.adopted is not None

    async def _abort(self, old: OldUpload) -> None:
        if not await abort(self._bench, old.upload):
            self.leftover = f"Multipart upload {old.upload.upload_id} could not be aborted."


def _old_upload(bench: Bench, entry: ManifestEntry, intent: Intent) -> OldUpload:
    return OldUpload(
        upload=MultipartUpload(
            destination=bench.place(entry.destination),
            key=entry.key,
            upload_id=intent.upload_id,
            customer_key_md5=entry.encryption.customer_key_md5 if entry.encryption else None,
        ),
        digest=intent.upload_digest,
        attempt=Attempt(
            seen_version_id=intent.seen_version_id, source_version_id=intent.source_version_id
        ),
    )
