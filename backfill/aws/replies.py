"""From the SDK's answers to our nouns.

Never guesses: an answer without what it must have, or with a value of an unknown kind, is refused.
Law: what S3 sent and the SDK's model does not know is kept, never taken for absent.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
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
from backfill.model.store import (
    CopiedPart,
    ListedPart,
    MarkerResult,
    PartsPage,
    WriteResult,
)

Reply = Mapping[str, object]
"""An answer as botocore parsed it."""

MODELLED_ALGORITHMS: Final = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
"""Checksums that botocore 1.40.61 knows; S3 has more (S3 API: ChecksumAlgorithm)."""

_CHECKSUM: Final = "x-amz-checksum-"
METADATA: Final = "x-amz-meta-"
_ENCRYPTION: Final = "x-amz-server-side-encryption"
_REMEMBERED: Final = 1024
"""Header values whose meaning is kept: objects written together have the same ones."""

_STATUSES: Final = {status.value: status for status in ReplicationStatus} | {
    "COMPLETE": ReplicationStatus.COMPLETED
}
_WORDS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: f"{number:02}" for number, name in enumerate(_WORDS, 1)}
_MAIL_TIME: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) "
    rf"({'|'.join(_MONTHS)}) ([1-9]\d\d\d) (\d\d:\d\d:\d\d) GMT",
    re.ASCII,
)
"""The one form that S3 writes (RFC 9110 §5.6.7: IMF-fixdate); the others are read at leisure."""
_CHECKSUM_TYPES: Final = {kind.value: kind for kind in ChecksumType}
HEAD_CHECKSUMS: Final = tuple((_CHECKSUM + name.lower(), name) for name in MODELLED_ALGORITHMS)
BODY_CHECKSUMS: Final = tuple((f"Checksum{name}", name) for name in MODELLED_ALGORITHMS)
_ORDINARY: Final = frozenset(
    {
        *(name for name, _ in HEAD_CHECKSUMS),
        *(f"{_CHECKSUM}{word}" for word in ("type", "algorithm", "mode")),
        *("etag", "content-length", "last-modified", "content-type", "date", "server"),
        *("accept-ranges", "connection", "x-amz-request-id", "x-amz-id-2", "x-amz-version-id"),
        *("x-amz-replication-status", "x-amz-storage-class", "x-amz-tagging-count", _ENCRYPTION),
    }
)
"""Headers of almost every HEAD that are neither metadata nor a checksum of an unknown kind. Only
for speed: one that is left out here is looked at, and found to be neither."""

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
    headers, garbled = _texts(headers_of(reply))
    get = headers.get
    # botocore drops an Expires that is no date from the headers, and keeps it here.
    expires = reply.get("ExpiresString") or get("expires")
    metadata, unmodelled = _open_ended(headers)
    # By position and in the order of the fields: half the time of keywords, for every object.
    return ObjectHead(
        VersionId(get("x-amz-version-id") or NULL_VERSION_ID),
        ETag(_needed(headers, "etag").strip('"')),
        _count(_needed(headers, "content-length")),
        mail_time(_needed(headers, "last-modified")),
        get("x-amz-storage-class") or "STANDARD",
        metadata,
        _content_headers(
            get("content-type"),
            get("content-encoding"),
            get("content-language"),
            get("content-disposition"),
            get("cache-control"),
            None if expires is None else str(expires),
        ),
        _count(get("x-amz-tagging-count") or "0"),
        _checksums(headers, HEAD_CHECKSUMS, get("x-amz-checksum-type")),
        _encryption(
            get(_ENCRYPTION),
            get(f"{_ENCRYPTION}-customer-algorithm"),
            get(f"{_ENCRYPTION}-aws-kms-key-id"),
            get(f"{_ENCRYPTION}-bucket-key-enabled"),
            get(f"{_ENCRYPTION}-customer-key-md5"),
        ),
        _replication_status(get("x-amz-replication-status") or ""),
        _optional_count(get("x-amz-mp-parts-count")),
        get("x-amz-archive-status"),
        get("x-amz-restore"),
        get("x-amz-object-lock-mode"),
        _lock_time(get("x-amz-object-lock-retain-until-date")),
        get("x-amz-object-lock-legal-hold") == "ON",
        get("x-amz-website-redirect-location"),
        _count(get("x-amz-missing-meta") or "0") + garbled,
        unmodelled,
    )


def object_tags(reply: Reply) -> Pairs:
    """Parse GetObjectTagging."""
    tags = reply.get("TagSet")
    if not isinstance(tags, list):
        raise ReplyError("GetObjectTagging without a tag set")
    return tuple(sorted((str(tag.get("Key", "")), str(tag.get("Value", ""))) for tag in tags))


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
    version_id = reply.get("VersionId")
    return WriteResult(
        _etag(body),
        VersionId(str(version_id)) if version_id else None,
        _body_checksums(body),
        _utc(body.get("LastModified")),
    )


def _utc(moment: object) -> datetime | None:
    """Return a time in UTC; botocore gives this machine's zone, and everything of ours is UTC."""
    if not isinstance(moment, datetime):
        return None
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def copied_part(reply: Reply, *, part_number: int) -> CopiedPart:
    """Parse UploadPartCopy; NoETagError as for `write_result`."""
    body = _result(reply, "CopyPartResult")
    return CopiedPart(part_number=part_number, etag=_etag(body), checksums=_body_checksums(body))


def parts_page(reply: Reply) -> PartsPage:
    """Parse ListParts; numbers as botocore reads them, or as they are written."""
    is_truncated, parts = reply.get("IsTruncated"), reply.get("Parts", [])
    if is_truncated is None or not isinstance(parts, list):
        raise ReplyError("ListParts without a list of parts")
    has_more = is_truncated in (True, "true")
    return PartsPage(
        parts=tuple(map(_listed_part, parts)),
        next_marker=_count(str(reply.get("NextPartNumberMarker", ""))) if has_more else None,
    )


def _listed_part(part: Reply) -> ListedPart:
    if not (etag := str(part.get("ETag") or "").strip('"')):
        raise ReplyError("a listed part without an ETag")
    copied = CopiedPart(
        part_number=_count(str(part.get("PartNumber", ""))),
        etag=ETag(etag),
        checksums=_body_checksums(part),
    )
    return ListedPart(part=copied, size_bytes=_count(str(part.get("Size", ""))))


def upload_id(reply: Reply) -> str:
    """Parse CreateMultipartUpload."""
    value = reply.get("UploadId")
    if not isinstance(value, str) or not value:
        raise ReplyError("CreateMultipartUpload without an upload ID")
    return value


def is_restore_begun(reply: Reply) -> bool:
    """Tell from RestoreObject: 202 where a restore begins, 200 where a copy only gets more days."""
    metadata = reply.get("ResponseMetadata")
    return isinstance(metadata, Mapping) and metadata.get("HTTPStatusCode") == 202


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


def _texts(raw: Mapping[str, str]) -> tuple[Mapping[str, str], int]:
    """Return headers without the lone surrogates that stand for bytes of no UTF-8, and how many."""
    if "".join(raw.values()).isascii():
        return raw, 0
    headers = {name: _text(value) for name, value in raw.items()}
    return headers, sum(headers[name] != value for name, value in raw.items())


def _text(value: str) -> str:
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


def mail_time(text: str) -> datetime:
    """Return the time of a header such as Last-Modified; raises ReplyError."""
    found = _MAIL_TIME.fullmatch(text)
    if found is None:
        return _odd_mail_time(text)
    day, month, year, time = found.groups()
    try:
        return datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{day}T{time}+00:00")
    except ValueError:
        return _odd_mail_time(text)


def _odd_mail_time(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError) as error:
        raise ReplyError(f"{text!r} is not a time") from error
    # Where the zone is garbled, or -0000: HTTP's times are UTC's (RFC 9110, section 5.6.7).
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _lock_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ReplyError(f"{text!r} is not a time") from error
    if moment.tzinfo is None:
        raise ReplyError(f"{text!r} has no time zone")
    return moment


def _open_ended(headers: Mapping[str, str]) -> tuple[Pairs, Pairs]:
    """Return the metadata, and the checksums that the SDK's model does not know."""
    metadata: list[tuple[str, str]] = []
    unmodelled: list[tuple[str, str]] = []
    for name in headers.keys() - _ORDINARY:
        if name.startswith(METADATA):
            metadata.append((name.removeprefix(METADATA), decoded_words(headers[name])))
        elif name.startswith(_CHECKSUM):
            unmodelled.append((name, headers[name]))
    return tuple(sorted(metadata)), tuple(sorted(unmodelled))


@lru_cache(maxsize=_REMEMBERED)
def _content_headers(*values: str | None) -> ContentHeaders:
    """Return the headers, given in the order of the fields; neighbours share theirs."""
    return ContentHeaders(*values)


@lru_cache(maxsize=_REMEMBERED)
def _encryption(
    name: str | None,
    customer_algorithm: str | None,
    key: str | None,
    bucket_key: str | None,
    customer_key_md5: str | None = None,
) -> Encryption:
    if customer_algorithm:
        name = EncryptionKind.SSE_C.value
    try:
        kind = EncryptionKind(name or "")
    except ValueError as error:
        raise UnknownValueError(f"encryption {name!r}") from error
    return Encryption(
        kind=kind,
        kms_key_arn=key,
        customer_key_md5=customer_key_md5 if customer_algorithm else None,
        is_bucket_key_enabled=bucket_key == "true",
    )


def _replication_status(text: str) -> ReplicationStatus:
    if (status := _STATUSES.get(text)) is None:
        raise UnknownValueError(f"replication status {text!r}")
    return status


def _body_checksums(body: Reply) -> tuple[Checksum, ...]:
    stated = body.get("ChecksumType")
    return _checksums(body, BODY_CHECKSUMS, str(stated) if stated else None)


def _checksums(
    values: Mapping[str, object], names: tuple[tuple[str, str], ...], stated: str | None
) -> tuple[Checksum, ...]:
    """Return the checksums, in the order of the algorithms."""
    return tuple(
        [
            _checksum(algorithm, str(value), stated)
            for name, algorithm in names
            if (value := values.get(name))
        ]
    )


def _checksum(algorithm: str, value: str, stated: str | None) -> Checksum:
    """Normalise: Head and Complete write `<base64>-N` for COMPOSITE, others leave `-N` out."""
    suffixed = _PART_SUFFIX.fullmatch(value) if "-" in value else None
    if stated is None:
        stated = ChecksumType.COMPOSITE if suffixed else ChecksumType.FULL_OBJECT
    if (kind := _CHECKSUM_TYPES.get(stated)) is None:
        raise UnknownValueError(f"checksum type {stated!r}")
    if suffixed:
        return Checksum(algorithm, suffixed[1], kind, int(suffixed[2]))
    return Checksum(algorithm, value, kind)
