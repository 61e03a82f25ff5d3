"""From the SDK's answers to our nouns.

Never guesses: an answer without what it must have, or with a value of an unknown kind, is refused.
Law: what S3 sent and the SDK's model does not know is kept, never taken for absent.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from backfill.aws.mail_words import decoded_words
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.objects import NULL_VERSION_ID, Checksum, ChecksumType, ETag, VersionId
from backfill.model.store import CopiedPart, MarkerResult, WriteResult

Reply = Mapping[str, object]
"""An answer as botocore parsed it."""

MODELLED_ALGORITHMS: Final = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
"""Checksums that botocore 1.40.61 knows; S3 has more (S3 API: ChecksumAlgorithm)."""

_CHECKSUM: Final = "x-amz-checksum-"
_METADATA: Final = "x-amz-meta-"
_ENCRYPTION: Final = "x-amz-server-side-encryption"
_PART_SUFFIX: Final = re.compile(r"(.+)-([1-9][0-9]{0,4})", re.ASCII)


class ReplyError(ValueError):
    """An answer that cannot be read: cut, garbled, or without what it must have."""


class UnknownValueError(ValueError):
    """An answer that can be read, with a value of a kind that we cannot keep."""


class NoETagError(ValueError):
    """A write was answered with 200 and without the ETag that proves it."""


def headers_of(reply: Reply) -> Mapping[str, str]:
    """Return the raw headers, names in lower case."""
    metadata = reply.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    if not isinstance(headers, Mapping):
        raise ReplyError("an answer without headers")
    return headers


def object_head(reply: Reply) -> ObjectHead:
    """Parse HeadObject, from its headers.

    A header that is no UTF-8 is shown as Latin-1 and counted as missing: neither can its bytes be
    supplied again, nor can a copy's be compared with certainty.
    """
    raw = headers_of(reply)
    headers = {name: _text(value) for name, value in raw.items()}
    garbled = sum(headers[name] != value for name, value in raw.items())
    # botocore drops an Expires that is no date from the headers, and keeps it here.
    expires = reply.get("ExpiresString") or headers.get("expires")
    etag, size, modified = (
        _needed(headers, name) for name in ("etag", "content-length", "last-modified")
    )
    return ObjectHead(
        version_id=VersionId(headers.get("x-amz-version-id") or NULL_VERSION_ID),
        etag=ETag(etag.strip('"')),
        size_bytes=_count(size),
        last_modified=_mail_time(modified),
        storage_class=headers.get("x-amz-storage-class") or "STANDARD",
        metadata=_metadata(headers),
        content_headers=_content_headers(headers, None if expires is None else str(expires)),
        tag_count=_count(headers.get("x-amz-tagging-count") or "0"),
        checksums=_head_checksums(headers),
        encryption=_encryption(headers),
        replication_status=_replication_status(headers.get("x-amz-replication-status") or ""),
        parts_count=_optional_count(headers.get("x-amz-mp-parts-count")),
        archive_status=headers.get("x-amz-archive-status"),
        restore=headers.get("x-amz-restore"),
        lock_mode=headers.get("x-amz-object-lock-mode"),
        lock_retain_until=_lock_time(headers.get("x-amz-object-lock-retain-until-date")),
        has_legal_hold=headers.get("x-amz-object-lock-legal-hold") == "ON",
        website_redirect=headers.get("x-amz-website-redirect-location"),
        missing_metadata_count=_count(headers.get("x-amz-missing-meta") or "0") + garbled,
        unmodelled_checksums=_unmodelled_checksums(headers),
    )


def object_tags(reply: Reply) -> Pairs:
    """Parse GetObjectTagging."""
    tags = reply.get("TagSet")
    if not isinstance(tags, list):
        raise ReplyError("GetObjectTagging without a tag set")
    return tuple(sorted((str(tag.get("Key", "")), str(tag.get("Value", ""))) for tag in tags))


def is_default_acl(reply: Reply) -> bool:
    """Tell from GetObjectAcl whether its only grant is FULL_CONTROL to the owner."""
    owner, grants = reply.get("Owner"), reply.get("Grants")
    if not isinstance(grants, list):
        raise ReplyError("GetObjectAcl without grants")
    if len(grants) != 1:
        return False
    grantee = grants[0].get("Grantee", {})
    owner_id = owner.get("ID") if isinstance(owner, Mapping) else None
    is_owner = grantee.get("Type") == "CanonicalUser" and grantee.get("ID") == owner_id
    return bool(owner_id) and is_owner and grants[0].get("Permission") == "FULL_CONTROL"


def is_retained(reply: Reply) -> bool:
    """Tell from GetObjectRetention, which answers only for a version that has one."""
    return _lock_word(reply, "Retention", "Mode") in ("GOVERNANCE", "COMPLIANCE")


def is_held(reply: Reply) -> bool:
    """Tell from GetObjectLegalHold."""
    return _lock_word(reply, "LegalHold", "Status") == "ON"


def write_result(reply: Reply, *, result: str | None) -> WriteResult:
    """Parse CopyObject (`result` CopyObjectResult) or CompleteMultipartUpload (None).

    Raises:
        NoETagError: The body is empty or without an ETag: nothing proves that it was written.
    """
    body = _result(reply, result)
    modified = body.get("LastModified")
    version_id = reply.get("VersionId")
    return WriteResult(
        etag=_etag(body),
        version_id=VersionId(str(version_id)) if version_id else None,
        checksums=_body_checksums(body),
        # botocore gives this machine's zone; everything of ours is UTC.
        last_modified=modified.astimezone(UTC) if isinstance(modified, datetime) else None,
    )


def copied_part(reply: Reply, *, part_number: int) -> CopiedPart:
    """Parse UploadPartCopy; NoETagError as for `write_result`."""
    body = _result(reply, "CopyPartResult")
    return CopiedPart(part_number=part_number, etag=_etag(body), checksums=_body_checksums(body))


def upload_id(reply: Reply) -> str:
    """Parse CreateMultipartUpload."""
    value = reply.get("UploadId")
    if not isinstance(value, str) or not value:
        raise ReplyError("CreateMultipartUpload without an upload ID")
    return value


def marker_result(reply: Reply) -> MarkerResult:
    """Parse DeleteObject without a version ID; a versioned bucket answers with a marker."""
    if reply.get("DeleteMarker") is not True:
        raise ReplyError("DeleteObject did not make a delete marker")
    version_id = reply.get("VersionId")
    return MarkerResult(version_id=VersionId(str(version_id)) if version_id else None)


def _lock_word(reply: Reply, element: str, name: str) -> str:
    body = reply.get(element)
    word = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(word, str):
        raise ReplyError(f"an answer without {element}.{name}")
    return word


def _result(reply: Reply, name: str | None) -> Reply:
    body = reply if name is None else reply.get(name)
    return body if isinstance(body, Mapping) else {}


def _etag(body: Reply) -> ETag:
    etag = str(body.get("ETag") or "").strip('"')
    if not etag:
        raise NoETagError("a success without an ETag")
    return ETag(etag)


def _text(value: str) -> str:
    """Return a header's value without the lone surrogates that stand for bytes of no UTF-8."""
    return (
        value.encode("utf-8", "surrogateescape").decode("latin-1") if _has_bytes(value) else value
    )


def _has_bytes(value: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in value)


def _needed(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name)):
        raise ReplyError(f"HEAD without {name}")
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ReplyError(f"{text!r} is not a count")
    return int(text)


def _optional_count(text: str | None) -> int | None:
    return None if text is None else _count(text)


def _mail_time(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text)
    except ValueError as error:
        raise ReplyError(f"{text!r} is not a time") from error


def _lock_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ReplyError(f"{text!r} is not a time") from error


def _metadata(headers: Mapping[str, str]) -> Pairs:
    return tuple(
        sorted(
            (name.removeprefix(_METADATA), decoded_words(value))
            for name, value in headers.items()
            if name.startswith(_METADATA)
        )
    )


def _content_headers(headers: Mapping[str, str], expires: str | None) -> ContentHeaders:
    return ContentHeaders(
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
        content_language=headers.get("content-language"),
        content_disposition=headers.get("content-disposition"),
        cache_control=headers.get("cache-control"),
        expires=expires,
    )


def _encryption(headers: Mapping[str, str]) -> Encryption:
    name = headers.get(_ENCRYPTION) or ""
    if headers.get(f"{_ENCRYPTION}-customer-algorithm"):
        name = EncryptionKind.SSE_C.value
    try:
        kind = EncryptionKind(name)
    except ValueError as error:
        raise UnknownValueError(f"encryption {name!r}") from error
    return Encryption(
        kind=kind,
        kms_key_arn=headers.get(f"{_ENCRYPTION}-aws-kms-key-id"),
        is_bucket_key_enabled=headers.get(f"{_ENCRYPTION}-bucket-key-enabled") == "true",
    )


def _replication_status(text: str) -> ReplicationStatus:
    try:
        return ReplicationStatus("COMPLETED" if text == "COMPLETE" else text)
    except ValueError as error:
        raise UnknownValueError(f"replication status {text!r}") from error


def _head_checksums(headers: Mapping[str, str]) -> tuple[Checksum, ...]:
    stated = headers.get(f"{_CHECKSUM}type")
    return tuple(
        _checksum(algorithm, value, stated)
        for algorithm in MODELLED_ALGORITHMS
        if (value := headers.get(_CHECKSUM + algorithm.lower()))
    )


def _body_checksums(body: Reply) -> tuple[Checksum, ...]:
    stated = body.get("ChecksumType")
    return tuple(
        _checksum(algorithm, str(value), str(stated) if stated else None)
        for algorithm in MODELLED_ALGORITHMS
        if (value := body.get(f"Checksum{algorithm}"))
    )


def _checksum(algorithm: str, value: str, stated: str | None) -> Checksum:
    """Normalise: Head and Complete write `<base64>-N` for COMPOSITE, others leave `-N` out."""
    suffixed = _PART_SUFFIX.fullmatch(value)
    if stated not in (None, *ChecksumType):
        raise UnknownValueError(f"checksum type {stated!r}")
    if stated is None:
        stated = ChecksumType.COMPOSITE if suffixed else ChecksumType.FULL_OBJECT
    return Checksum(
        algorithm=algorithm,
        value=suffixed[1] if suffixed else value,
        type=ChecksumType(stated),
        part_count=int(suffixed[2]) if suffixed else None,
    )


def _unmodelled_checksums(headers: Mapping[str, str]) -> Pairs:
    known = {_CHECKSUM + algorithm.lower() for algorithm in MODELLED_ALGORITHMS}
    known |= {f"{_CHECKSUM}type", f"{_CHECKSUM}algorithm", f"{_CHECKSUM}mode"}
    return tuple(
        sorted(
            (name, value)
            for name, value in headers.items()
            if name.startswith(_CHECKSUM) and name not in known
        )
    )
