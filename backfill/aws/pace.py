"""How many requests may be in flight: fewer as soon as the store throttles, more as it lets us.

Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain, 1989): it finds the rate
that S3 grants without being told it, and shares it fairly with other clients of the bucket.

Never delays a request while nobody throttles, and never retries.
Law: between `FLOOR` and the concurrency asked for, at all times.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from backfill.aws.faults import is_throttle
from backfill.aws.streams import closed_after
from backfill.errors import StoreFault
from backfill.events import PaceLowered
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    HideRequest,
    MarkAbsentRequest,
    MarkerResult,
    MultipartUpload,
    UploadPartCopyRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.ports import Clock, Events, ObjectStore
from backfill.settings import LIST_PAGE_MAX

FLOOR: Final = 2
"""Requests always allowed, so that a throttled run still moves and notices when it eases."""

DECREASE: Final = 0.7
"""Kept of the limit after a throttle; gentler than TCP's half, since S3 answers 503 in bursts."""

DECREASE_EVERY_S: Final = 0.5
"""One decrease for all the throttles of one burst: those in flight were sent at the old pace."""


class Pace:
    """A limit of requests in flight that follows the store. For one event loop."""

    def __init__(self, *, requests_in_flight_max: int, clock: Clock, events: Events) -> None:
        assert requests_in_flight_max >= FLOOR, "a pace needs room to move"
        self._ceiling = requests_in_flight_max
        self._limit = float(requests_in_flight_max)
        self._clock = clock
        self._events = events
        self._in_flight = 0
        # Bounded by the caller's own concurrency: each waiter is a task of its.
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lowered_at_s: float | None = None

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the requests in flight; in the order of arrival."""
        if self._waiting or self._in_flight >= self.limit:
            await self._wait()
        else:
            self._in_flight += 1
        try:
            with self._heeding():
                yield
        finally:
            self._in_flight -= 1
            self._admit()

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        try:
            yield
        except StoreFault as fault:
            if is_throttle(fault):
                self._lower(fault)
            raise
        # One more for each round of successes, as if `limit` requests made one round trip.
        self._limit = min(self._ceiling, self._limit + 1 / self._limit)

    def _lower(self, fault: StoreFault) -> None:
        now_s = self._clock.monotonic_s()
        if self._lowered_at_s is not None and now_s - self._lowered_at_s < DECREASE_EVERY_S:
            return
        self._lowered_at_s = now_s
        self._limit = max(float(FLOOR), self._limit * DECREASE)
        self._events.emit(
            PaceLowered(
                operation=fault.operation, code=fault.code, requests_in_flight_max=self.limit
            )
        )

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted and cancelled at once: pass it on
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)


class PacedStore:
    """An ObjectStore with one pace for all requests of an identity."""

    def __init__(self, inner: ObjectStore, pace: Pace) -> None:
        self._inner = inner
        self._pace = pace

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = LIST_PAGE_MAX,
    ) -> VersionsPage:
        """Read a page, paced."""
        async with self._pace.slot():
            return await self._inner.list_object_versions(
                place, prefix=prefix, after=after, max_keys=max_keys
            )

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        """Read a head, paced."""
        async with self._pace.slot():
            return await self._inner.head_object(
                place, key, version_id=version_id, part_number=part_number
            )

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        """Read tags, paced."""
        async with self._pace.slot():
            return await self._inner.get_object_tagging(place, key, version_id=version_id)

    async def has_default_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Read an ACL, paced."""
        async with self._pace.slot():
            return await self._inner.has_default_acl(place, key, version_id=version_id)

    async def has_retention(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Read a retention, paced."""
        async with self._pace.slot():
            return await self._inner.has_retention(place, key, version_id=version_id)

    async def has_legal_hold(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Read a legal hold, paced."""
        async with self._pace.slot():
            return await self._inner.has_legal_hold(place, key, version_id=version_id)

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        """Stream a version; it counts as in flight until it ends."""
        stream = self._inner.read_object(place, key, version_id=version_id)
        async with self._pace.slot(), closed_after(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        """Copy, paced."""
        async with self._pace.slot():
            return await self._inner.copy_object(request)

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest
    ) -> MultipartUpload:
        """Open an upload, paced."""
        async with self._pace.slot():
            return await self._inner.create_multipart_upload(request)

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        """Copy a part, paced."""
        async with self._pace.slot():
            return await self._inner.upload_part_copy(request)

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest
    ) -> WriteResult:
        """Complete an upload, paced."""
        async with self._pace.slot():
            return await self._inner.complete_multipart_upload(request)

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """Abort an upload, unpaced: cleaning up must not queue behind new work."""
        await self._inner.abort_multipart_upload(upload)

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        """Write a delete marker, paced."""
        async with self._pace.slot():
            return await self._inner.hide_object(request)

    async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
        """Write a delete marker, paced."""
        async with self._pace.slot():
            return await self._inner.mark_absent(request)
