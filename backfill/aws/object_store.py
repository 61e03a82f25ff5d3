"""The S3 data plane of one identity: the port ObjectStore on the SDK.

Never retries, never deletes a version, never interprets: one method is one request, but for HEAD,
whose errors carry no body and are asked again once with a GetObject.
Law: a write is a success only with the ETag, or the delete marker, that proves it.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from backfill.aws import acl_replies, replies, requests, versions_page
from backfill.aws.calls import AnyCall, Call, Calls
from backfill.aws.customer_keys import NO_KEYS, CustomerKey, CustomerKeys, key_md5, reading
from backfill.aws.faults import store_fault
from backfill.aws.forms import FilledForm, Forms
from backfill.aws.streams import body_of, chunks_of, closed_after
from backfill.errors import StoreFault
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
    ObjectAcl,
    PartsPage,
    RestoreRequest,
    UploadPartCopyRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.settings import LIST_PAGE_MAX

_WITHOUT_BODY: Final = frozenset({400, 403})
"""Statuses of a HEAD that hide the code which decides: ExpiredToken, RequestTimeTooSkewed,
SignatureDoesNotMatch, AccessDenied, InvalidObjectState ..."""


_COPIED: Final = partial(replies.write_result, result="CopyObjectResult")
_COMPLETED: Final = partial(replies.write_result, result=None)


class S3ObjectStore:
    """ObjectStore over the calls of one identity; each place's own Region serves it.

    `keys` are those of SSE-C objects.
    """

    def __init__(self, calls: Calls, keys: CustomerKeys = NO_KEYS) -> None:
        self._calls = calls
        self._keys = keys
        self._forms = Forms()

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = LIST_PAGE_MAX,
    ) -> VersionsPage:
        """Return one page, in S3's order, versions and delete markers truly interleaved."""
        assert 1 <= max_keys <= LIST_PAGE_MAX, "S3 returns at most 1,000 entries a page"
        parameters = requests.list_parameters(place, prefix=prefix, after=after, max_keys=max_keys)
        call = Call(operation="ListObjectVersions", region=place.region, parameters=parameters)
        return await self._calls.send(call, _page)

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        """Return the head of one version (the current one if None), checksums included."""
        if self._keys:
            ask = partial(self._head, place, key, version_id, part_number)
            return await self._keys.tried(ask, place.bucket, key)
        call: AnyCall
        if version_id is not None and part_number is None:
            call = FilledForm(self._forms.head(place), (key, version_id))
        else:
            parameters = requests.head_parameters(place, key, version_id, part_number)
            call = Call(operation="HeadObject", region=place.region, parameters=parameters)
        try:
            return await self._calls.send(call, replies.object_head)
        except StoreFault as fault:
            if fault.status not in _WITHOUT_BODY:
                raise
        await self._raise_code_of_head(place, key, version_id)
        # The first byte can be read, so the refusal of the HEAD has passed, or never was S3's.
        return await self._calls.send(call, replies.object_head)

    async def _head(
        self,
        place: BucketPlace,
        key: str,
        version_id: VersionId | None,
        part_number: int | None,
        own: CustomerKey | None,
    ) -> ObjectHead:
        """Send a HEAD with a customer's key, or without one; then its code is found out."""
        parameters = requests.head_parameters(place, key, version_id, part_number)
        call = Call("HeadObject", place.region, {**parameters, **reading(own)})
        try:
            return await self._calls.send(call, replies.object_head)
        except StoreFault as fault:
            if own is not None or fault.status not in _WITHOUT_BODY:
                raise
        await self._raise_code_of_head(place, key, version_id)
        return await self._calls.send(call, replies.object_head)

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        """Return the object tags, sorted."""
        call = _version_call("GetObjectTagging", place, key, version_id)
        return await self._calls.send(call, replies.object_tags)

    async def object_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectAcl:
        """Return the owner and all grants."""
        call = _version_call("GetObjectAcl", place, key, version_id)
        return await self._calls.send(call, acl_replies.object_acl)

    async def has_retention(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Return whether Object Lock retention is set; in a bucket with Object Lock only."""
        call = _version_call("GetObjectRetention", place, key, version_id)
        return await self._unless_unlocked(call, replies.is_retained)

    async def has_legal_hold(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        """Return whether a legal hold is on; in a bucket with Object Lock only."""
        call = _version_call("GetObjectLegalHold", place, key, version_id)
        return await self._unless_unlocked(call, replies.is_held)

    async def _unless_unlocked(self, call: Call, parse: Callable[[replies.Reply], bool]) -> bool:
        try:
            return await self._calls.send(call, parse)
        except StoreFault as fault:
            if fault.code == "NoSuchObjectLockConfiguration":  # S3's word for "this one has none"
                return False
            raise

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        """Stream the bytes of one version; chunks of at most 1 MiB."""
        parameters = requests.version_parameters(place, key, version_id)
        async with AsyncExitStack() as stack:

            async def ask(own: CustomerKey | None) -> replies.Reply:
                call = Call("GetObject", place.region, {**parameters, **reading(own)})
                return await stack.enter_async_context(self._calls.opened(call))

            keys = self._keys
            reply = await (keys.tried(ask, place.bucket, key) if keys else ask(None))
            async with closed_after(chunks_of(reply)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        """Carry out CopyObject; only a CopyObjectResult with an ETag is a success."""
        call = self._forms.copy(request) or Call(
            operation="CopyObject",
            region=request.destination.region,
            parameters={
                **requests.copy_parameters(request),
                **self._keys.copying(
                    "CopyObject", request.destination.bucket, key_md5(request.encryption)
                ),
            },
        )
        return await self._calls.send(call, _COPIED)

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest
    ) -> MultipartUpload:
        """Open a multipart upload."""
        operation, md5 = "CreateMultipartUpload", key_md5(request.encryption)
        call = Call(
            operation=operation,
            region=request.destination.region,
            parameters={
                **requests.create_upload_parameters(request),
                **self._keys.writing(operation, request.destination.bucket, md5),
            },
        )
        upload_id = await self._calls.send(call, replies.upload_id)
        return MultipartUpload(
            destination=request.destination,
            key=request.key,
            upload_id=upload_id,
            customer_key_md5=md5,
        )

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        """Copy one part; only a CopyPartResult with an ETag is a success."""
        operation, upload = "UploadPartCopy", request.upload
        call = Call(
            operation=operation,
            region=upload.destination.region,
            parameters={
                **requests.part_parameters(request),
                **self._keys.copying(operation, upload.destination.bucket, upload.customer_key_md5),
            },
        )
        return await self._calls.send(
            call, partial(replies.copied_part, part_number=request.part_number)
        )

    async def list_parts(
        self, upload: MultipartUpload, *, after: int = 0, max_parts: int = LIST_PAGE_MAX
    ) -> PartsPage:
        """Return one page of the parts that an open upload holds, behind part `after`."""
        assert 1 <= max_parts <= LIST_PAGE_MAX, "S3 returns at most 1,000 parts a page"
        call = Call(
            operation="ListParts",
            region=upload.destination.region,
            parameters={
                **requests.parts_parameters(upload, after=after, max_parts=max_parts),
                **self._of_upload("ListParts", upload),
            },
        )
        return await self._calls.send(call, replies.parts_page)

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest
    ) -> WriteResult:
        """Complete, conditionally; only a result with an ETag is a success."""
        call = Call(
            operation="CompleteMultipartUpload",
            region=request.upload.destination.region,
            parameters={
                **requests.complete_parameters(request),
                **self._of_upload("CompleteMultipartUpload", request.upload),
            },
        )
        return await self._calls.send(call, _COMPLETED)

    def _of_upload(self, operation: str, upload: MultipartUpload) -> Mapping[str, object]:
        return self._keys.writing(operation, upload.destination.bucket, upload.customer_key_md5)

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """Abort one upload of ours; gone already is fine."""
        call = Call(
            operation="AbortMultipartUpload",
            region=upload.destination.region,
            parameters=requests.upload_parameters(upload),
        )
        try:
            await self._calls.send(call, replies.headers_of)
        except StoreFault as fault:
            if fault.code != "NoSuchUpload":
                raise

    async def restore_object(self, request: RestoreRequest) -> bool:
        """Have an archived version restored: whether that begins now."""
        call = Call(
            operation="RestoreObject",
            region=request.place.region,
            parameters=requests.restore_parameters(request),
        )
        return await self._calls.send(call, replies.is_restore_begun)

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        """Write a delete marker over exactly the version that carries the ETag."""
        call = Call(
            operation="DeleteObject",
            region=request.destination.region,
            parameters=requests.hide_parameters(request),
        )
        return await self._calls.send(call, replies.marker_result)

    async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
        """Write a delete marker onto a key without an object (unconditional)."""
        call = Call(
            operation="DeleteObject",
            region=request.destination.region,
            parameters=requests.mark_absent_parameters(request),
        )
        return await self._calls.send(call, replies.marker_result)

    async def _raise_code_of_head(
        self, place: BucketPlace, key: str, version_id: VersionId | None
    ) -> None:
        """Ask what HEAD would not say: one byte of the same version, by the same permission."""
        parameters = {
            **requests.version_parameters(place, key, version_id),
            "Range": "bytes=0-0",
        }
        call = Call(operation="GetObject", region=place.region, parameters=parameters)
        try:
            async with self._calls.opened(call) as reply, body_of(reply):
                pass
        except StoreFault as fault:
            if fault.code == "InvalidRange":  # an empty object has no first byte
                return
            raise store_fault(
                operation="HeadObject",
                code=fault.code,
                status=fault.status,
                bucket=place.bucket,
                message=fault.message,
                retry_after_s=fault.retry_after_s,
            ) from fault


def _version_call(
    operation: str, place: BucketPlace, key: str, version_id: VersionId | None
) -> Call:
    parameters = requests.version_parameters(place, key, version_id)
    return Call(operation=operation, region=place.region, parameters=parameters)


def _page(reply: replies.Reply) -> VersionsPage:
    raw = reply.get(versions_page.RAW_PAGE)
    if not isinstance(raw, bytes):
        raise replies.ReplyError("ListObjectVersions without a page")
    return versions_page.versions_page(raw)
