"""What the renderings of results share: header values, times, owners, keys in XML.

Never decides what is said, only how S3 spells it. One law: a header that S3 leaves out is left out.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote_plus

from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.http.xml import S3_NAMESPACE, branch, document, leaf
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    Encryption,
    ServerSideEncryption,
)

_SSE = "x-amz-server-side-encryption"


def xml_answer(
    name: str,
    parts: list[str],
    *,
    headers: Pairs = (),
    status: int = 200,
    namespace: str | None = S3_NAMESPACE,
) -> HttpResponse:
    """An XML document as an answer."""
    return HttpResponse(
        status=status,
        headers=(*headers, ("Content-Type", "application/xml")),
        body=document(name, parts, namespace=namespace),
    )


def optional(*pairs: tuple[str, str | None]) -> Pairs:
    """Headers of which those without a value are left out."""
    return tuple((name, value) for name, value in pairs if value is not None)


def http_time(moment: datetime) -> str:
    """As Last-Modified writes it."""
    return format_datetime(moment, usegmt=True)


def xml_time(moment: datetime) -> str:
    """As listings write it: whole seconds, always with `.000Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def quoted(etag: str) -> str:
    """An ETag between the quotes that belong to it."""
    return f'"{etag}"'


def encryption_headers(encryption: Encryption) -> Pairs:
    """`x-amz-server-side-encryption` and what belongs to it; SSE-C has headers of its own."""
    if encryption.algorithm is ServerSideEncryption.CUSTOMER:
        return optional(
            (f"{_SSE}-customer-algorithm", "AES256"),
            (f"{_SSE}-customer-key-MD5", encryption.customer_key_md5),
        )
    return optional(
        (_SSE, encryption.algorithm.value),
        (f"{_SSE}-aws-kms-key-id", encryption.kms_key_arn),
        (f"{_SSE}-bucket-key-enabled", "true" if encryption.is_bucket_key_enabled else None),
    )


def checksum_headers(checksum: Checksum | None) -> Pairs:
    """Value and type as headers."""
    if checksum is None:
        return ()
    return (
        (f"x-amz-checksum-{checksum.algorithm.value.lower()}", checksum.text),
        ("x-amz-checksum-type", checksum.type.value),
    )


def checksum_elements(checksum: Checksum | None) -> str:
    """Value and type as results in XML carry them, with `-N` on composite values."""
    if checksum is None:
        return ""
    name = f"Checksum{checksum.algorithm.value}"
    return leaf(name, checksum.text) + leaf("ChecksumType", checksum.type.value)


def algorithm_elements(algorithm: ChecksumAlgorithm | None, type_: ChecksumType | None) -> str:
    """How a listing names checksums: algorithm and type, never the value."""
    return leaf("ChecksumAlgorithm", algorithm and algorithm.value) + leaf(
        "ChecksumType", type_ and type_.value
    )


def owner(account_id: str, name: str = "Owner") -> str:
    """An owner; S3 no longer says display names (since November 2025)."""
    return branch(name, [leaf("ID", canonical_id(account_id))])


def key_spelling(encoding_type: str | None) -> Callable[[str], str]:
    """How keys, prefixes, markers and delimiters are spelled in a listing."""
    return _url_encoded if encoding_type == "url" else str


def _url_encoded(text: str) -> str:
    """As `encoding-type=url` does: a blank is `+`, `/` and `*` stay."""
    return quote_plus(text, safe="/*")


def mail_safe(text: str) -> str:
    """A metadata value as S3 returns it: RFC 2047 where it is not all printable ASCII.

    (S3 User Guide: UsingMetadata.) Mostly ASCII becomes a Q word, else a B word.
    """
    if text.isascii() and text.isprintable():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    if sum(char.isascii() for char in text) * 2 <= len(text):
        return f"=?UTF-8?B?{base64.b64encode(raw).decode()}?="
    safe = "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in b"=?_" else f"={byte:02X}" for byte in raw
    )
    return f"=?UTF-8?Q?{safe}?="
