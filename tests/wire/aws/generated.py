"""Generated requests, hostile as users' objects are, one from each seed.

Everything that `aws.requests` can be asked for; each as a call on a store or on its calls.
Law: a seed gives the same request for ever, so that a number in a failure is the case.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from backfill.aws import requests
from backfill.aws.calls import Call, Calls
from backfill.aws.object_store import S3ObjectStore
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind, Pairs
from backfill.model.objects import Checksum, ChecksumType, ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    MarkAbsentRequest,
    MultipartUpload,
    Precondition,
    UploadPartCopyRequest,
    VersionsPosition,
)

_PIECES: Final = (
    *("a", "b", "/", "//", ".", "..", "./", "../", " ", "  ", "+", "%", "%2F", "%2f", "%25", "%zz"),
    *("?", "#", "&", "=", ";", ":", "@", ",", "'", '"', "\\", "~", "!", "*", "(", ")", "$", "|"),
    *("\n", "\r\n", "\t", "\x01", "\x1b[31m", "\x7f", "<a>", "]]>", "&amp;", "{}", "^", "`", "[]"),
    *("é", "e\u0301", "ß", "日本", "\u00a0", "\u2028", "\u202e", "\ufeff", "\U0001f600"),
    *("\U0010ffff", "\ufffd", "http://elsewhere/", "x-amz-acl: public-read", "versionId=1"),
)
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F)))
_OPAQUE: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789._-"
_TOKEN: Final = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$&'*+^`|~"
_SUMS: Final = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
_CLASSES: Final = (
    *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE"),
    *("GLACIER_IR", "REDUCED_REDUNDANCY", "EXPRESS_ONEZONE", "A_CLASS_OF_TOMORROW"),
)
_PLACES: Final = tuple(
    BucketPlace(bucket=bucket, region=region, expected_owner=owner, owner_origin="flag")
    for bucket, region, owner in (
        ("source-bucket", "us-east-1", "111111111111"),
        ("with.dots.in-it", "eu-west-1", "222222222222"),
        ("b" * 63, "ap-southeast-2", "000000000000"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One request: what to call, and what is shown when it goes wrong."""

    shown: object
    on_store: Callable[[S3ObjectStore], Awaitable[object]] | None = None
    call: Call | None = None

    async def send(self, calls: Calls) -> None:
        """Send it."""
        if self.on_store is not None:
            await self.on_store(S3ObjectStore(calls))
            return
        assert self.call is not None, "a request is one of the two"
        if self.call.operation == "GetObject":
            async with calls.opened(self.call):
                return
        await calls.send(self.call, lambda reply: reply)


def _draw(random: Random, characters: str, low: int, high: int) -> str:
    return "".join(random.choices(characters, k=random.randint(low, high)))


def key(random: Random) -> str:
    """Return a key of at most 1,024 bytes."""
    match random.randrange(8):
        case 0:
            return _draw(random, _OPAQUE + "/", 1, 1024)
        case 1:
            return "".join(
                chr(random.choice(range(1, 0xD800))) for _ in range(random.randint(1, 9))
            )
        case 2:
            return chr(random.randrange(0x10000, 0x110000)) * random.randint(1, 256)
    return "".join(random.choices(_PIECES, k=random.randint(1, 12)))


def version_id(random: Random) -> VersionId:
    """Return a version ID as S3 makes them, or one that is odder."""
    odd = ("null", "v+/=", "~", "0" * 1024, "a%20b", "a&b=c#d?e")
    usual = _draw(random, _OPAQUE, 32, 32)
    return VersionId(random.choice(odd) if random.random() < 0.2 else usual)


def _etag(random: Random) -> ETag:
    digits = _draw(random, "0123456789abcdef", 32, 32)
    return ETag(digits if random.random() < 0.6 else f"{digits}-{random.randint(1, 10_000)}")


def _header_value(random: Random) -> str:
    # S3 gives values back trimmed; no HTTP client can have got a line end in.
    if random.random() < 0.5:
        return _draw(random, _PRINTABLE, 1, 80).strip() or "x"
    pieces = (piece for piece in _PIECES if piece.isprintable())
    return "".join(random.choices(tuple(pieces), k=random.randint(1, 6))).strip() or "x"


def _metadata(random: Random) -> Pairs:
    names = {_draw(random, _TOKEN, 1, 30) for _ in range(random.randrange(6))}
    return tuple(sorted((name, _header_value(random)) for name in names))


def _tags(random: Random) -> Pairs:
    names = {key(random)[:128] for _ in range(random.randrange(11))}
    return tuple(
        sorted((name, key(random)[:256] if random.random() < 0.9 else "") for name in names)
    )


def _maybe(random: Random, value: str) -> str | None:
    return value if random.random() < 0.5 else None


def _content_headers(random: Random) -> ContentHeaders:
    expires = random.choice(("Wed, 21 Oct 2026 07:28:00 GMT", "0", "not a date", "-1"))
    return ContentHeaders(
        content_type=_maybe(random, random.choice(("text/plain; charset=utf-8", "x/y", "no type"))),
        content_encoding=_maybe(random, random.choice(("gzip", "aws-chunked,gzip", "identity"))),
        content_language=_maybe(random, _header_value(random)),
        content_disposition=_maybe(random, _header_value(random)),
        cache_control=_maybe(random, random.choice(("no-store", "max-age=1,  public"))),
        expires=_maybe(random, expires),
    )


def _encryption(random: Random) -> Encryption | None:
    kind = random.choice((None, "", "AES256", "aws:kms", "aws:kms:dsse"))
    if kind is None:
        return None
    arn = "arn:aws:kms:eu-west-1:222222222222:key/" + _draw(random, _OPAQUE, 36, 36)
    is_kms = kind.startswith("aws:")
    return Encryption(
        kind=EncryptionKind(kind),
        kms_key_arn=_maybe(random, arn) if is_kms else None,
        is_bucket_key_enabled=is_kms and random.random() < 0.5,
    )


def _precondition(random: Random) -> Precondition:
    return IfAbsent() if random.random() < 0.5 else IfReplaces(etag=_etag(random))


def _place(random: Random) -> BucketPlace:
    return random.choice(_PLACES)


def _source(random: Random) -> CopySource:
    return CopySource(
        place=_place(random), key=key(random), version_id=version_id(random), etag=_etag(random)
    )


def _upload(random: Random) -> MultipartUpload:
    upload_id = _draw(random, _OPAQUE + "+/=~", 1, 128)
    return MultipartUpload(destination=_place(random), key=key(random), upload_id=upload_id)


def _type(random: Random) -> ChecksumType | None:
    kinds: tuple[ChecksumType | None, ...] = (None, *ChecksumType)
    return random.choice(kinds)


def _part(random: Random, number: int) -> CopiedPart:
    sums = random.sample(sorted(_SUMS), random.randrange(3))
    return CopiedPart(
        part_number=number,
        etag=_etag(random),
        checksums=tuple(
            Checksum(
                algorithm=name,
                value=b64encode(random.randbytes(_SUMS[name])).decode(),
                type=ChecksumType.FULL_OBJECT,
            )
            for name in sums
        ),
    )


def _list_versions(random: Random) -> Generated:
    after = random.choice(
        (
            None,
            VersionsPosition(key=key(random)),
            VersionsPosition(key=key(random), version_id=version_id(random)),
        )
    )
    place, prefix = _place(random), _maybe(random, key(random)) or ""
    most = random.randint(1, 1000)
    return Generated(
        shown=(place, prefix, after, most),
        on_store=lambda store: store.list_object_versions(
            place, prefix=prefix, after=after, max_keys=most
        ),
    )


def _head(random: Random) -> Generated:
    place, name = _place(random), key(random)
    version = random.choice((None, version_id(random)))
    part = random.choice((None, 1, 10_000))
    return Generated(
        shown=(place, name, version, part),
        on_store=lambda store: store.head_object(place, name, version_id=version, part_number=part),
    )


def _version_read(operation: str, **more: object) -> Callable[[Random], Generated]:
    def make(random: Random) -> Generated:
        place = _place(random)
        chosen = random.choice((None, version_id(random)))
        parameters = requests.version_parameters(place, key(random), chosen) | more
        call = Call(operation=operation, region=place.region, parameters=parameters)
        return Generated(shown=parameters, call=call)

    return make


def _ranged(random: Random) -> Generated:
    place = _place(random)
    parameters = requests.resumed_parameters(
        place, key(random), etag=_etag(random), first_byte=random.randrange(2**43)
    )
    call = Call(operation="GetObject", region=place.region, parameters=parameters)
    return Generated(shown=parameters, call=call)


def _list_objects(random: Random) -> Generated:
    place = _place(random)
    parameters = requests.bucket_parameters(place) | {
        "EncodingType": "url",
        "MaxKeys": random.randint(1, 1000),
        "Prefix": key(random),
    }
    if random.random() < 0.5:
        parameters["ContinuationToken"] = _draw(random, _OPAQUE + "+/=", 1, 80)
    else:
        parameters["StartAfter"] = key(random)
    call = Call(operation="ListObjectsV2", region=place.region, parameters=parameters)
    return Generated(shown=parameters, call=call)


def _copy(random: Random) -> Generated:
    request = CopyObjectRequest(
        destination=_place(random),
        key=key(random),
        source=_source(random),
        precondition=_precondition(random),
        storage_class=random.choice(_CLASSES),
        encryption=_encryption(random),
    )
    return Generated(shown=request, on_store=lambda store: store.copy_object(request))


def _create(random: Random) -> Generated:
    request = CreateMultipartUploadRequest(
        destination=_place(random),
        key=key(random),
        metadata=_metadata(random),
        content_headers=_content_headers(random),
        tags=_tags(random),
        storage_class=random.choice(_CLASSES),
        encryption=_encryption(random),
        checksum_algorithm=random.choice((None, *_SUMS)),
        checksum_type=_type(random),
    )
    return Generated(shown=request, on_store=lambda store: store.create_multipart_upload(request))


def _part_copy(random: Random) -> Generated:
    first = random.choice((0, 1, 5 * 2**30, 5 * 2**40 - 2))
    request = UploadPartCopyRequest(
        upload=_upload(random),
        part_number=random.choice((1, 2, 9_999, 10_000)),
        source=_source(random),
        first_byte=first,
        last_byte=first + random.choice((0, 1, 5 * 2**30)),
    )
    return Generated(shown=request, on_store=lambda store: store.upload_part_copy(request))


def _complete(random: Random) -> Generated:
    request = CompleteMultipartUploadRequest(
        upload=_upload(random),
        parts=tuple(_part(random, number) for number in range(1, random.randint(2, 30))),
        precondition=_precondition(random),
        checksum_type=_type(random),
        size_bytes=random.randrange(5 * 2**40),
    )
    return Generated(shown=request, on_store=lambda store: store.complete_multipart_upload(request))


def _list_parts(random: Random) -> Generated:
    upload, after = _upload(random), random.choice((0, 1, 9_999))
    most = random.randint(1, 1000)
    return Generated(
        shown=(upload, after, most),
        on_store=lambda store: store.list_parts(upload, after=after, max_parts=most),
    )


def _abort(random: Random) -> Generated:
    upload = _upload(random)
    return Generated(shown=upload, on_store=lambda store: store.abort_multipart_upload(upload))


def _hide(random: Random) -> Generated:
    request = HideRequest(destination=_place(random), key=key(random), etag=_etag(random))
    return Generated(shown=request, on_store=lambda store: store.hide_object(request))


def _mark(random: Random) -> Generated:
    request = MarkAbsentRequest(destination=_place(random), key=key(random))
    return Generated(shown=request, on_store=lambda store: store.mark_absent(request))


GENERATORS: Final[dict[str, Callable[[Random], Generated]]] = {
    "ListObjectVersions": _list_versions,
    "ListObjectsV2": _list_objects,
    "HeadObject": _head,
    "GetObject": _version_read("GetObject"),
    "GetObject (range)": _ranged,
    "GetObject (first byte)": _version_read("GetObject", Range="bytes=0-0"),
    "GetObjectAttributes": _version_read(
        "GetObjectAttributes", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize"]
    ),
    "GetObjectTagging": _version_read("GetObjectTagging"),
    "GetObjectAcl": _version_read("GetObjectAcl"),
    "GetObjectRetention": _version_read("GetObjectRetention"),
    "GetObjectLegalHold": _version_read("GetObjectLegalHold"),
    "CopyObject": _copy,
    "CreateMultipartUpload": _create,
    "UploadPartCopy": _part_copy,
    "CompleteMultipartUpload": _complete,
    "ListParts": _list_parts,
    "AbortMultipartUpload": _abort,
    "DeleteObject (hide)": _hide,
    "DeleteObject (absent)": _mark,
}


def generated(operation: str, number: int) -> Generated:
    """Return the request of a number."""
    return GENERATORS[operation](Random(f"{operation} {number}"))
