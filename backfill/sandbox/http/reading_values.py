"""What several readers of object requests read alike: attributes, conditions, copy sources.

Never knows an operation. One law: `aws-chunked` is framing and no content encoding.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from backfill.sandbox.http.inbound import Inbound, copy_source_parts
from backfill.sandbox.http.refusals import invalid_argument, malformed_xml
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model.operations.copies import CopySource
from backfill.sandbox.model.values import (
    ContentHeaders,
    Grant,
    ObjectLock,
    ReadConditions,
    RequestedEncryption,
    WriteConditions,
    WrittenAttributes,
)

_SSE = "x-amz-server-side-encryption"
_LOCK = "x-amz-object-lock-"
_SOURCE = "x-amz-copy-source"
_PERMISSIONS = ("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP")
_GRANTEE = re.compile(r'\s*(id|uri|emailaddress)\s*=\s*"?([^"\s]+)"?\s*', re.ASCII | re.IGNORECASE)


def written_attributes(inbound: Inbound) -> WrittenAttributes:
    """Everything that a write says about the object."""
    return WrittenAttributes(
        content=_content(inbound),
        metadata=inbound.metadata(),
        tags=inbound.tags(),
        storage_class=inbound.header("x-amz-storage-class"),
        encryption=RequestedEncryption(
            algorithm=inbound.header(_SSE),
            kms_key_id=inbound.header(f"{_SSE}-aws-kms-key-id"),
            is_bucket_key_enabled=inbound.flag(f"{_SSE}-bucket-key-enabled"),
            customer_key=inbound.customer_key(),
        ),
        lock=_lock(inbound),
        acl=inbound.header("x-amz-acl"),
        grants=granted(inbound),
        website_redirect_location=inbound.header("x-amz-website-redirect-location"),
    )


def _content(inbound: Inbound) -> ContentHeaders:
    encoding = ",".join(
        coding.strip()
        for coding in (inbound.header("content-encoding") or "").split(",")
        if coding.strip() != "aws-chunked"
    )
    return ContentHeaders(
        content_type=inbound.header("content-type") or "binary/octet-stream",
        cache_control=inbound.header("cache-control"),
        content_disposition=inbound.header("content-disposition"),
        content_encoding=encoding or None,
        content_language=inbound.header("content-language"),
        expires=inbound.header("expires"),
    )


def _lock(inbound: Inbound) -> ObjectLock | None:
    mode, until, hold = (
        inbound.header(f"{_LOCK}{name}") for name in ("mode", "retain-until-date", "legal-hold")
    )
    if mode is None and until is None and hold is None:
        return None
    if hold not in {None, "ON", "OFF"}:
        raise invalid_argument(
            "Legal Hold must be either of 'ON' or 'OFF'",
            name=f"{_LOCK}legal-hold",
            value=str(hold),
            fact="S3 API: PutObject, x-amz-object-lock-legal-hold",
        )
    return ObjectLock(
        mode=mode,
        retain_until=None if until is None else iso_time(until),
        has_legal_hold=None if hold is None else hold == "ON",
    )


def granted(inbound: Inbound) -> tuple[Grant, ...]:
    """The grants of `x-amz-grant-*`: each header names a right and those who get it."""
    return tuple(
        Grant(grantee=grantee, permission=permission)
        for permission in _PERMISSIONS
        for grantee in _grantees(inbound, f"x-amz-grant-{permission.lower().replace('_', '-')}")
    )


def _grantees(inbound: Inbound, header: str) -> Iterator[str]:
    text = inbound.header(header)
    for each in [] if text is None else text.split(","):
        found = _GRANTEE.fullmatch(each)
        if found is None:
            raise invalid_argument(
                "Argument format not recognized",
                name=header,
                value=each,
                fact="S3 API: PutObject, x-amz-grant-*",
            )
        yield found[2]


def write_conditions(inbound: Inbound) -> WriteConditions:
    """`If-Match` and `If-None-Match` of a write."""
    return WriteConditions(
        if_match=inbound.header("if-match"), if_none_match=inbound.header("if-none-match")
    )


def read_conditions(inbound: Inbound, prefix: str) -> ReadConditions:
    """The four conditions, under a prefix for those on a copy source."""
    return ReadConditions(
        if_match=inbound.header(f"{prefix}if-match"),
        if_none_match=inbound.header(f"{prefix}if-none-match"),
        if_modified_since=inbound.instant(f"{prefix}if-modified-since"),
        if_unmodified_since=inbound.instant(f"{prefix}if-unmodified-since"),
    )


def copy_source(inbound: Inbound) -> CopySource:
    """The copy source with its own conditions, key and expected owner."""
    bucket, key, version_id = copy_source_parts(inbound.request.headers[_SOURCE.encode()])
    return CopySource(
        bucket=bucket,
        key=key,
        version_id=version_id,
        conditions=read_conditions(inbound, f"{_SOURCE}-"),
        customer_key=inbound.customer_key(f"{_SOURCE}-server-side-encryption-customer-"),
        expected_bucket_owner=inbound.header("x-amz-source-expected-bucket-owner"),
    )


def needed_text(element: Element, name: str) -> str:
    """A child's text; without the child the document is malformed."""
    text = element.text_of(name)
    if text is None:
        raise malformed_xml()
    return text


def xml_number(text: str) -> int:
    """A whole number out of an element."""
    stripped = text.strip()
    if not stripped.isascii() or not stripped.isdecimal() or len(stripped) > 18:
        raise malformed_xml()
    return int(stripped)


def header_number(inbound: Inbound, name: str, default: int) -> int:
    """A whole number out of a header."""
    text = inbound.header(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise invalid_argument(
            f"Provided {name} not an integer or within integer range",
            name=name,
            value=text,
            fact="S3 API: GetObjectAttributes",
        )
    return int(text)


def iso_time(text: str) -> datetime:
    """A time with its offset, as Object Lock writes it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid_argument(
            "The retain until date must be provided in ISO 8601 format",
            name="x-amz-object-lock-retain-until-date",
            value=text,
            fact="S3 API: PutObject, x-amz-object-lock-retain-until-date",
        )
    return moment
