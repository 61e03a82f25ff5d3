"""The bucket of manifests and completion reports: the port BatchBucket on the SDK.

Faults that may pass are dealt with here: an upload is conditional and knows its own bytes again, so
that it may be sent twice, and a stream that is cut goes on with a Range of the very same object.
Never overwrites, never deletes, never leaves the encryption of a manifest to the bucket's default
where one was asked for.
Law: an upload is done only if the bucket holds exactly the bytes of the file.
"""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from backfill.aws import requests
from backfill.aws.calls import READ_TIMEOUT_S, Call, Calls
from backfill.aws.faults import store_fault
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.replies import NoETagError, Reply, ReplyError
from backfill.aws.retry import ReadRetries
from backfill.aws.streams import chunks_of, closed_after
from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead
from backfill.model.jobs import Uploaded
from backfill.model.objects import NULL_VERSION_ID, ChecksumType, ETag
from backfill.model.places import BucketPlace
from backfill.settings import MIB

PUT_OBJECT_BYTES_MAX: Final = 5 * 1000**3
"""PutObject's limit: AWS writes 5 GB, the smaller reading is safe (S3 API: PutObject)."""

UPLOAD_BYTES_PER_S_MIN: Final = MIB // 2
"""An upload slower than this is given up: 4 GiB may take 2.3 hours, and a hang has an end."""

_CONTENT_TYPES: Final = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".gz": "application/gzip",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigests:
    """What tells one file's bytes from another's."""

    size_bytes: int
    md5: bytes
    sha256: bytes


class S3BatchBucket:
    """BatchBucket over the calls of one identity."""

    def __init__(self, calls: Calls, retries: ReadRetries) -> None:
        self._calls = calls
        self._retries = retries
        self._store = S3ObjectStore(calls)

    async def put_file(
        self, place: BucketPlace, key: str, path: Path, *, encryption: Encryption
    ) -> Uploaded:
        """Upload a file under a key that is absent; if it holds the very same bytes, all is well.

        May be called again after any fault.

        Raises:
            StoreFault: Code PreconditionFailed where something else is there.
        """
        digests = await asyncio.to_thread(file_digests, path)
        assert digests.size_bytes <= PUT_OBJECT_BYTES_MAX, "manifests are split below this"
        parameters = {
            **requests.put_parameters(
                place, key, encryption=encryption, content_type=_content_type(key)
            ),
            # MD5 so that a file that changes under our hands is refused; SHA256 is kept by S3 and
            # tells, later, under any encryption, whose bytes these are.
            "ContentMD5": b64encode(digests.md5).decode(),
            "ChecksumSHA256": b64encode(digests.sha256).decode(),
            "ContentLength": digests.size_bytes,
        }
        limit_s = READ_TIMEOUT_S + digests.size_bytes / UPLOAD_BYTES_PER_S_MIN

        async def put() -> Uploaded:
            with _opened(path) as body:
                call = Call(
                    operation="PutObject",
                    region=place.region,
                    parameters={**parameters, "Body": body},
                    limit_s=limit_s,
                )
                try:
                    return await self._calls.send(call, uploaded)
                except StoreFault as fault:
                    if fault.disposition not in (Disposition.SETTLE, Disposition.REDECIDE):
                        raise
                    found = fault
            return await self._settled(place, key, digests, found)

        return await self._retries.ask(put)

    async def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
        """Stream an object; chunks of at most 1 MiB.

        Raises:
            StoreFault: Status 404 where it is absent; code PreconditionFailed where it was replaced
                between two parts of the stream.
        """
        given_bytes, attempt, etag = 0, 1, ETag("")
        self._retries.budget.count_first_attempt()
        while True:
            try:
                async with self._calls.opened(_read(place, key, etag, given_bytes)) as reply:
                    _refuse_other_bytes(reply, given_bytes)
                    etag = etag or _etag(reply)
                    async with closed_after(chunks_of(reply)) as chunks:
                        async for chunk in chunks:
                            given_bytes += len(chunk)
                            yield chunk
            except StoreFault as fault:
                is_repeatable = bool(etag) or not given_bytes
                if not is_repeatable or not self._retries.may_ask_again(fault, attempt):
                    raise
                await self._retries.pause(fault, attempt)
                attempt += 1
            else:
                return

    async def _settled(
        self, place: BucketPlace, key: str, digests: FileDigests, fault: StoreFault
    ) -> Uploaded:
        """Tell by reading whether an upload that may have failed is done."""
        try:
            head = await self._retries.ask(lambda: self._store.head_object(place, key))
        except StoreFault as unseen:
            if unseen.status != 404:
                raise
            # Whatever comes of the lost request, another one is conditional, too.
            raise _with(fault, Disposition.RETRY) from unseen
        if not holds(head, digests):
            raise _taken(place, key) from fault
        is_versioned = head.version_id != NULL_VERSION_ID
        return Uploaded(etag=head.etag, version_id=head.version_id if is_versioned else None)


def _opened(path: Path) -> BinaryIO:
    """Open a file here, not in a thread: a call that is cancelled would leave it open there."""
    return path.open("rb")


def file_digests(path: Path) -> FileDigests:
    """Read a file once."""
    size_bytes, md5, sha256 = 0, hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(MIB):
            size_bytes += len(chunk)
            md5.update(chunk)
            sha256.update(chunk)
    return FileDigests(size_bytes=size_bytes, md5=md5.digest(), sha256=sha256.digest())


def holds(head: ObjectHead, digests: FileDigests) -> bool:
    """Return whether an object is proven to be a file: by SHA256, else by an ETag that is an MD5.

    An ETag is the MD5 of a single upload with SSE-S3 or without encryption (S3 API: Object).
    """
    if head.size_bytes != digests.size_bytes:
        return False
    for checksum in head.checksums:
        if checksum.algorithm == "SHA256" and checksum.type is ChecksumType.FULL_OBJECT:
            return checksum.value == b64encode(digests.sha256).decode()
    is_md5 = head.encryption.kind in (EncryptionKind.NONE, EncryptionKind.SSE_S3)
    return is_md5 and head.etag == digests.md5.hex()


def uploaded(reply: Reply) -> Uploaded:
    """Parse PutObject: only an ETag is a success. A `null` version pins nothing: none is told."""
    if not (etag := _etag(reply)):
        raise NoETagError("PutObject without an ETag")
    version_id = reply.get("VersionId")
    is_versioned = isinstance(version_id, str) and version_id != NULL_VERSION_ID
    return Uploaded(etag=etag, version_id=str(version_id) if is_versioned else None)


def _etag(reply: Reply) -> ETag:
    return ETag(str(reply.get("ETag") or "").strip('"'))


def _read(place: BucketPlace, key: str, etag: ETag, given_bytes: int) -> Call:
    parameters = (
        requests.resumed_parameters(place, key, etag=etag, first_byte=given_bytes)
        if given_bytes
        else requests.version_parameters(place, key, None)
    )
    return Call(operation="GetObject", region=place.region, parameters=parameters)


def _refuse_other_bytes(reply: Reply, first_byte: int) -> None:
    """Refuse an answer that is not the rest: a server may ignore Range (RFC 9110 §14.2)."""
    told = str(reply.get("ContentRange") or "")
    if first_byte and not told.startswith(f"bytes {first_byte}-"):
        raise ReplyError(f"asked from byte {first_byte} on, answered {told!r}")


def _taken(place: BucketPlace, key: str) -> StoreFault:
    name = PurePosixPath(key).name
    return store_fault(
        operation="PutObject",
        code="PreconditionFailed",
        status=412,
        bucket=place.bucket,
        message=f"another object is at {place.bucket}/{key}: nothing was overwritten. Look at what"
        f" {name} is; remove it if it is not needed, or choose another batch prefix",
    )


def _with(fault: StoreFault, disposition: Disposition) -> StoreFault:
    return StoreFault(
        operation=fault.operation,
        code=fault.code,
        status=fault.status,
        disposition=disposition,
        message=fault.message,
        retry_after_s=fault.retry_after_s,
        bucket=fault.bucket,
    )


def _content_type(key: str) -> str:
    return _CONTENT_TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
