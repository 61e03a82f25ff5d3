"""The one retry policy: reads are asked again, writes never.

(One write is: the upload of `batch_bucket`, which is conditional and knows its own bytes again.)

The only importer of tenacity, and entered only after a first failure: the happy path pays one
`try`. Pauses have full jitter and honour Retry-After; attempts are limited for each call, retries
for the whole process by the budget that execute's writes share.

Never repeats a write: only the worker, who can settle an ambiguous attempt, may send one again.
Law: what cannot succeed by being asked again is not asked again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt

from backfill.aws.streams import closed_after
from backfill.errors import Disposition, StoreFault
from backfill.events.calls import ReadRetried
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import VersionId
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketFacts, BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    HideRequest,
    MarkAbsentRequest,
    MarkerResult,
    MultipartUpload,
    ObjectAcl,
    PartsPage,
    RestoreRequest,
    UploadPartCopyRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.ports import Clock, ControlPlane, Events, ObjectStore, Random
from backfill.settings import LIST_PAGE_MAX

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRetries:
    """How reads are retried in one process. `attempts_max` is for one read, the first included."""

    attempts_max: int
    pauses: Pauses
    budget: RetryBudget
    clock: Clock
    random: Random
    events: Events

    async def ask(self, read: Callable[[], Awaitable[T]]) -> T:
        """Ask, and ask again after a fault that may pass; the last fault is raised."""
        self.budget.count_first_attempt()
        try:
            return await read()
        except StoreFault as fault:
            return await self.ask_again(read, fault)

    async def ask_again(self, read: Callable[[], Awaitable[T]], fault: StoreFault) -> T:
        """Ask again after a first attempt that ended with `fault`; the last fault is raised."""
        first: list[StoreFault] = [fault]

        async def attempt() -> T:
            if first:
                raise first.pop()
            return await read()

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.attempts_max),
            retry=self._wants_another,
            wait=lambda state: self._pause_s(_fault(state), state.attempt_number),
            sleep=self.clock.sleep,
            before_sleep=lambda state: self._tell(
                _fault(state), state.attempt_number, state.upcoming_sleep
            ),
            reraise=True,
        )
        return await retrying(attempt)

    def may_ask_again(self, fault: StoreFault, attempt: int) -> bool:
        """Whether a fault may pass and the attempts and the budget allow asking again.

        A yes spends one retry of the budget.
        """
        is_passing = fault.disposition is Disposition.RETRY
        return is_passing and attempt < self.attempts_max and self.budget.spend()

    async def pause(self, fault: StoreFault, attempt: int) -> None:
        """Tell, and sleep, between two attempts of a stream, which no retry loop can hold."""
        pause_s = self._pause_s(fault, attempt)
        self._tell(fault, attempt, pause_s)
        await self.clock.sleep(pause_s)

    def _wants_another(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        return isinstance(error, StoreFault) and self.may_ask_again(error, state.attempt_number)

    def _pause_s(self, fault: StoreFault, attempt: int) -> float:
        draw = self.random.random()
        return self.pauses.pause_s(attempt, draw=draw, retry_after_s=fault.retry_after_s)

    def _tell(self, fault: StoreFault, attempt: int, pause_s: float) -> None:
        self.events.emit(
            ReadRetried(
                operation=fault.operation, code=fault.code, attempt=attempt, pause_s=pause_s
            )
        )


def _fault(state: RetryCallState) -> StoreFault:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, StoreFault), "only store faults are asked again"
    return error


class RetryingStore:
    """An ObjectStore whose reads are retried; writes pass through untouched."""

    def __init__(self, inner: ObjectStore, retries: ReadRetries) -> None:
        self._inner = inner
        self._retries = retries

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = LIST_PAGE_MAX,
    ) -> VersionsPage:
        """Read a page, with retries."""
        return await self._retries.ask(
            lambda: self._inner.list_object_versions(
                place, prefix=prefix, after=after, max_keys=max_keys
            )
        )

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        """Read a head, with retries."""
        # As `ask` does; this is asked twice for each version, and costs what the rest of it does.
        self._retries.budget.count_first_attempt()
        try:
            return await self._inner.head_object(
                place, key, version_id=version_id, part_number=part_number
            )
        except StoreFault as fault:
            return await self._retries.ask_again(
                lambda: self._inner.head_object(
                    place, key, version_id=version_id, part_number=part_number
                ),
                fault,
            )

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        """Read tags, with retries."""
        return await self._retries.ask(
            lambda: self._inner.get_object_tagging(place, key, version_id=version_id)
        )

    async def object_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectAcl:
        """Read an ACL, with retries."""
        return await self._retries.ask(
            lambda: self._inner.object_acl(place, key, version_id=version_id)
        )

    async def has_retention(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Read a retention, with retries."""
        return await self._retries.ask(
            lambda: self._inner.has_retention(place, key, version_id=version_id)
        )

    async def has_legal_hold(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Read a legal hold, with retries."""
        return await self._retries.ask(
            lambda: self._inner.has_legal_hold(place, key, version_id=version_id)
        )

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        """Stream a version, with retries; one cut short begins again and skips what was given.

        Only a pinned version is begun again: the current one may have become another object.
        """
        given_bytes, attempt = 0, 1
        self._retries.budget.count_first_attempt()
        while True:
            skip_bytes = given_bytes
            try:
                stream = self._inner.read_object(place, key, version_id=version_id)
                async with closed_after(stream) as chunks:
                    async for chunk in chunks:
                        rest = chunk[skip_bytes:] if skip_bytes else chunk
                        skip_bytes -= len(chunk) - len(rest)
                        given_bytes += len(rest)
                        if rest:
                            yield rest
            except StoreFault as fault:
                is_repeatable = version_id is not None or not given_bytes
                if not is_repeatable or not self._retries.may_ask_again(fault, attempt):
                    raise
                await self._retries.pause(fault, attempt)
                attempt += 1
            else:
                return

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        """Write, once."""
        return await self._inner.copy_object(request)

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest
    ) -> MultipartUpload:
        """Write, once."""
        return await self._inner.create_multipart_upload(request)

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        """Write, once."""
        return await self._inner.upload_part_copy(request)

    async def list_parts(
        self, upload: MultipartUpload, *, after: int = 0, max_parts: int = LIST_PAGE_MAX
    ) -> PartsPage:
        """Read a page of parts, with retries."""
        return await self._retries.ask(
            lambda: self._inner.list_parts(upload, after=after, max_parts=max_parts)
        )

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest
    ) -> WriteResult:
        """Write, once."""
        return await self._inner.complete_multipart_upload(request)

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """Write, once."""
        await self._inner.abort_multipart_upload(upload)

    async def restore_object(self, request: RestoreRequest) -> bool:
        """Write, once: a restore that was asked for twice is refused, and looked at."""
        return await self._inner.restore_object(request)

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        """Write, once."""
        return await self._inner.hide_object(request)

    async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
        """Write, once."""
        return await self._inner.mark_absent(request)


class RetryingControlPlane:
    """A ControlPlane with retries; it only reads."""

    def __init__(self, inner: ControlPlane, retries: ReadRetries) -> None:
        self._inner = inner
        self._retries = retries

    async def account_id(self) -> str:
        """Ask for the identity's account, with retries."""
        return await self._retries.ask(self._inner.account_id)

    async def bucket_region(self, bucket: str) -> str:
        """Ask for a bucket's Region, with retries."""
        return await self._retries.ask(lambda: self._inner.bucket_region(bucket))

    async def server_time(self, bucket: str) -> datetime | None:
        """Ask for S3's own time, with retries."""
        return await self._retries.ask(lambda: self._inner.server_time(bucket))

    async def store_name(self, bucket: str) -> str:
        """Ask what the store calls itself, with retries."""
        return await self._retries.ask(lambda: self._inner.store_name(bucket))

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        """Ask for a bucket's facts, with retries."""
        return await self._retries.ask(lambda: self._inner.bucket_facts(place))

    async def versioning(self, place: BucketPlace) -> str:
        """Ask for a bucket's versioning, with retries."""
        return await self._retries.ask(lambda: self._inner.versioning(place))

    async def require_owner(self, place: BucketPlace) -> None:
        """Ask for a bucket by its expected owner, with retries."""
        return await self._retries.ask(lambda: self._inner.require_owner(place))

    async def has_default_retention(self, place: BucketPlace) -> bool:
        """Ask whether a bucket retains new objects by itself, with retries."""
        return await self._retries.ask(lambda: self._inner.has_default_retention(place))

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        """Ask for a bucket's replication configuration, with retries."""
        return await self._retries.ask(
            lambda: self._inner.replication_configuration(bucket, expected_owner)
        )
