"""The bucket of a run directory: the port RunStore on the SDK.

Every write is conditional, names its encryption and carries the digests of its bytes. A write of
the head is sent once: the keeper alone can tell whose write stands there.
Never deletes, and never overwrites but where it is told which ETag it replaces.
Law: every request names the bucket's expected owner.
"""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Final

from backfill.aws import requests
from backfill.aws.batch_bucket import FileDigests, S3BatchBucket, holds, uploaded
from backfill.aws.calls import READ_TIMEOUT_S, Call, Calls
from backfill.aws.faults import store_fault
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.replies import Reply, ReplyError
from backfill.aws.retry import ReadRetries
from backfill.aws.streams import chunks_of, closed_after
from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import Encryption
from backfill.model.objects import ETag
from backfill.model.places import BucketPlace
from backfill.ports.run_store import HeadSeen

HEAD_BYTES_MAX: Final = 64 * 1024
"""A head has some 600 bytes; what is larger is none."""
_PROBE: Final = (
    b"backfill tries here whether this store obeys the conditions of PutObject. It needs no care.\n"
)
_NO_ETAG: Final = ETag("00000000000000000000000000000000")
_TYPES: Final = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".html": "text/html; charset=utf-8",
    ".gz": "application/gzip",
    ".txt": "text/plain",
}


class S3RunStore:
    """RunStore over the calls of one identity."""

    def __init__(
        self,
        calls: Calls,
        retries: ReadRetries,
        place: BucketPlace,
        encryption: Encryption,
        *,
        head_limit_s: float = READ_TIMEOUT_S,
    ) -> None:
        """`head_limit_s` is for a write of the head: who waits longer might as well ask again."""
        self._calls = calls
        self._retries = retries
        self._place = place
        self._encryption = encryption
        self._head_limit_s = head_limit_s
        self._store = S3ObjectStore(calls)
        self._files = S3BatchBucket(calls, retries)

    async def has_conditional_writes(self, key: str) -> bool:
        """Return whether the store obeys both conditions; a store that knows none says 501."""
        try:
            await self.put_bytes(key, _PROBE)
            for condition in ({"IfNoneMatch": "*"}, {"IfMatch": f'"{_NO_ETAG}"'}):
                if not await self._retries.ask(lambda c=condition: self._is_refused(key, c)):  # type: ignore[misc] # mypy infers no type for a lambda's default
                    return False
        except StoreFault as fault:
            if fault.status == 501:
                return False
            raise
        return True

    async def read_head(self, key: str) -> HeadSeen | None:
        """Return the head with its age by S3's own clock, None where there is none."""

        async def read() -> HeadSeen:
            call = Call(
                operation="GetObject",
                region=self._place.region,
                parameters=requests.version_parameters(self._place, key, None),
            )
            async with self._calls.opened(call) as reply:
                data = bytearray()
                async with closed_after(chunks_of(reply)) as chunks:
                    async for chunk in chunks:
                        data += chunk
                        if len(data) > HEAD_BYTES_MAX:
                            raise ReplyError(f"{key} is too long for what it should be")
                return HeadSeen(data=bytes(data), etag=_etag_of(reply), age_s=age_s(reply))

        try:
            return await self._retries.ask(read)
        except StoreFault as fault:
            if fault.status == 404 and fault.code != "NoSuchBucket":
                return None
            raise

    async def write_head(self, key: str, data: bytes, *, replaces: ETag | None) -> ETag:
        """Write the head once."""
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": f'"{replaces}"'}
        call = self._put(key, data, condition)._replace(limit_s=self._head_limit_s)
        return (await self._calls.send(call, uploaded)).etag

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Put an object under a key that is absent, or that holds these very bytes."""
        digests = digests_of(data)

        async def put() -> None:
            try:
                await self._calls.send(self._put(key, data, {"IfNoneMatch": "*"}), uploaded)
            except StoreFault as fault:
                if fault.disposition not in (Disposition.SETTLE, Disposition.REDECIDE):
                    raise
                found = fault
            else:
                return
            await self._settled(key, digests, found)

        await self._retries.ask(put)

    async def put_file(self, key: str, path: Path) -> None:
        """Put a file under a key that is absent, or that holds these very bytes."""
        await self._files.put_file(self._place, key, path, encryption=self._encryption)

    def read_file(self, key: str) -> AsyncIterator[bytes]:
        """Stream an object; chunks of at most 1 MiB."""
        return self._files.read_file(self._place, key)

    async def _is_refused(self, key: str, condition: Mapping[str, object]) -> bool:
        """Return whether a write is refused whose condition does not hold."""
        try:
            await self._calls.send(self._put(key, _PROBE, condition), uploaded)
        except StoreFault as fault:
            if fault.status == 412:
                return True
            if fault.disposition in (Disposition.SETTLE, Disposition.REDECIDE):
                raise _again(fault) from fault
            raise
        return False

    async def _settled(self, key: str, digests: FileDigests, fault: StoreFault) -> None:
        try:
            head = await self._retries.ask(lambda: self._store.head_object(self._place, key))
        except StoreFault as unseen:
            if unseen.status != 404:
                raise
            raise _again(fault) from unseen
        if not holds(head, digests):
            raise store_fault(
                operation="PutObject",
                code="PreconditionFailed",
                status=412,
                bucket=self._place.bucket,
                message=f"another object is at {self._place.bucket}/{key}: nothing was overwritten",
            ) from fault

    def _put(self, key: str, data: bytes, condition: Mapping[str, object]) -> Call:
        parameters = requests.put_parameters(
            self._place, key, encryption=self._encryption, content_type=content_type(key)
        )
        del parameters["IfNoneMatch"]
        digests = digests_of(data)
        return Call(
            operation="PutObject",
            region=self._place.region,
            parameters={
                **parameters,
                **condition,
                "Body": data,
                "ContentMD5": b64encode(digests.md5).decode(),
                "ChecksumSHA256": b64encode(digests.sha256).decode(),
            },
            limit_s=READ_TIMEOUT_S,
        )


def digests_of(data: bytes) -> FileDigests:
    """Return what tells these bytes from others."""
    return FileDigests(
        size_bytes=len(data),
        md5=hashlib.md5(data, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(data).digest(),
    )


def content_type(key: str) -> str:
    """Return what a browser needs to know of a file of a run directory."""
    return _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")


def age_s(reply: Reply) -> float | None:
    """Return the age of an object when its answer was sent: Date less Last-Modified."""
    modified = reply.get("LastModified")
    metadata = reply.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    date = headers.get("date") if isinstance(headers, Mapping) else None
    if not isinstance(modified, datetime) or not isinstance(date, str):
        return None
    try:
        age = (parsedate_to_datetime(date) - modified).total_seconds()
    except (ValueError, TypeError):
        return None
    return age if age >= 0 else None


def _etag_of(reply: Reply) -> ETag:
    if not (etag := str(reply.get("ETag") or "").strip('"')):
        raise ReplyError("GetObject without an ETag")
    return ETag(etag)


def _again(fault: StoreFault) -> StoreFault:
    """Return the fault as one after which the same conditional write may be sent again."""
    return StoreFault(
        operation=fault.operation,
        code=fault.code,
        status=fault.status,
        disposition=Disposition.RETRY,
        message=fault.message,
        retry_after_s=fault.retry_after_s,
        bucket=fault.bucket,
    )
