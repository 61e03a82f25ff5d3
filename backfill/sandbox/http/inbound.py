"""A verified, routed request, ready to be read into the model's dataclasses.

Never knows one operation from another: these are the readings that several of them share. One law:
a value that S3 would refuse as malformed is refused here, with the argument's name.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_to_datetime
from hashlib import md5
from urllib.parse import parse_qsl, unquote_to_bytes

from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.refusals import (
    invalid_argument,
    invalid_request,
    malformed_xml,
    refused,
)
from backfill.sandbox.http.xml import Element, XmlError, parsed
from backfill.sandbox.model.bodies import digest
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.values import ChecksumAlgorithm, CustomerKey, SentChecksum

_MAX_INT = 2**31 - 1
_SSE_C = "x-amz-server-side-encryption-customer-"
_CHECKSUM = "x-amz-checksum-"
_NO_VALUES = {"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One request for one operation. `trailers` came after an aws-chunked body."""

    operation: str
    bucket: str
    key: str
    query: Mapping[str, str]
    request: HttpRequest
    body: bytes
    trailers: Pairs = ()

    def header(self, name: str) -> str | None:
        """A request header's text."""
        return self.request.header(name)

    @property
    def expected_bucket_owner(self) -> str | None:
        """Of the bucket in the path."""
        return self.header("x-amz-expected-bucket-owner")

    @property
    def version_id(self) -> str | None:
        """`versionId`; an empty one is refused."""
        version_id = self.query.get("versionId")
        if version_id == "":
            raise invalid_argument(
                "Version id cannot be the empty string",
                name="versionId",
                value="",
                fact="S3 API: GetObject, versionId",
            )
        return version_id

    def number(self, name: str, default: int) -> int:
        """A whole number out of the query."""
        text = self.query.get(name)
        if text is None or (text == "" and name != "partNumber"):
            return default
        if not text.isascii() or not text.isdecimal() or int(text) > _MAX_INT:
            raise invalid_argument(
                f"Provided {name} not an integer or within integer range",
                name=name,
                value=text,
                fact="S3 API: ListObjectsV2, max-keys",
            )
        return int(text)

    def flag(self, name: str) -> bool | None:
        """A boolean header; None where it is not there."""
        text = self.header(name)
        return None if text is None else text.lower() == "true"

    def instant(self, name: str) -> datetime | None:
        """A date header as HTTP writes dates; one that cannot be read is ignored, as S3 does."""
        text = self.header(name)
        try:
            moment = None if text is None else parsedate_to_datetime(text)
        except ValueError:
            return None
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    def metadata(self) -> Pairs:
        """User metadata, decoded as S3 does: RFC 2047 words, else Latin-1."""
        prefix = b"x-amz-meta-"
        return tuple(
            (name[len(prefix) :].decode("latin-1"), _words_decoded(value.decode("latin-1").strip()))
            for name, value in self.request.headers.items()
            if name.startswith(prefix)
        )

    def tags(self) -> Pairs:
        """`x-amz-tagging`, which is written like a query."""
        text = self.header("x-amz-tagging")
        if not text:
            return ()
        try:
            return tuple(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
        except ValueError as error:
            raise invalid_argument(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                "parameters without tag name duplicates.",
                name="x-amz-tagging",
                value=text,
                fact="S3 API: PutObject, x-amz-tagging",
            ) from error

    def checksum(self) -> SentChecksum | None:
        """The one checksum sent in a header or trailer, or the algorithm alone."""
        names = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self.request.headers.items()
            if name.startswith(b"x-amz-checksum-")
        ]
        values = [pair for pair in (*names, *self.trailers) if pair[0].startswith(_CHECKSUM)]
        values = [pair for pair in values if pair[0] not in _NO_VALUES]
        if len(values) > 1:
            raise invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                "allowed.",
                fact="S3 User Guide: checking-object-integrity-upload",
            )
        declared = self.header("x-amz-sdk-checksum-algorithm")
        if values:
            return SentChecksum(
                algorithm=values[0][0].removeprefix(_CHECKSUM).upper(), value=values[0][1]
            )
        if declared is not None and self.operation in {"PutObject", "UploadPart"}:
            raise invalid_request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                "x-amz-trailer headers were found.",
                fact="S3 User Guide: checking-object-integrity-upload",
            )
        return None

    def customer_key(self, prefix: str = _SSE_C) -> CustomerKey | None:
        """The SSE-C headers; the key must fit its MD5."""
        names = (f"{prefix}algorithm", f"{prefix}key", f"{prefix}key-md5")
        algorithm, key, key_md5 = (self.header(name) for name in names)
        if algorithm is None and key is None and key_md5 is None:
            return None
        if algorithm is None:
            raise invalid_argument(
                "Requests specifying Server Side Encryption with Customer provided keys must "
                "provide a valid encryption algorithm.",
                name="x-amz-server-side-encryption",
                value="null",
                fact="S3 User Guide: ServerSideEncryptionCustomerKeys",
            )
        if key is None or key_md5 is None:
            raise invalid_argument(
                "Requests specifying Server Side Encryption with Customer provided keys must "
                "provide an appropriate secret key.",
                name=names[1],
                value="null",
                fact="S3 User Guide: ServerSideEncryptionCustomerKeys",
            )
        raw = _raw_key(key)
        if base64.b64encode(md5(raw, usedforsecurity=False).digest()).decode() != key_md5:
            raise invalid_argument(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
                name=names[2],
                value=key_md5,
                fact="S3 User Guide: ServerSideEncryptionCustomerKeys",
            )
        return CustomerKey(algorithm=algorithm, key_md5=key_md5, size_bytes=len(raw))

    def document(self, name: str, *, is_checksum_of_body: bool = True) -> Element:
        """The body as XML with that root, checked against the checksum sent with it."""
        if is_checksum_of_body:
            self._check_checksum()
        try:
            root = parsed(self.body)
        except XmlError as error:
            raise malformed_xml() from error
        if root.name != name:
            raise malformed_xml()
        return root

    def _check_checksum(self) -> None:
        sent = self.checksum()
        if sent is None:
            return
        if sent.algorithm not in set(ChecksumAlgorithm):
            raise invalid_request(
                f"The sandbox computes no {sent.algorithm} checksum.",
                fact="S3 User Guide: checking-object-integrity-upload",
            )
        computed = digest(ChecksumAlgorithm(sent.algorithm), self.body)
        if base64.b64encode(computed).decode() != sent.value:
            raise refused(
                code="BadDigest",
                status=400,
                message=f"The {sent.algorithm} you specified did not match what was computed.",
                fact="S3 User Guide: checking-object-integrity-upload",
            )


def _raw_key(key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return b""  # whose MD5 no client sends


def _words_decoded(text: str) -> str:
    if "=?" not in text:
        return text
    try:
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "latin-1")
            for part, charset in decode_header(text)
        )
    except (ValueError, LookupError, HeaderParseError):
        return text


def copy_source_parts(raw: bytes) -> tuple[str, str, str | None]:
    """Bucket, key and version ID of `x-amz-copy-source`, percent-decoded once."""
    path, _, query = raw.removeprefix(b"/").partition(b"?")
    raw_bucket, _, raw_key = _plain(path).partition(b"/")
    version_id = None
    if query:
        name, _, value = query.partition(b"=")
        version_id = _plain(value).decode("latin-1")
        if name != b"versionId" or not version_id:
            raise _bad_source(raw)
    try:
        bucket, key = raw_bucket.decode("utf-8"), raw_key.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad_source(raw) from error
    if not bucket or not key or bucket.startswith("arn:"):
        raise _bad_source(raw)
    return bucket, key, version_id


def _plain(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _bad_source(raw: bytes) -> S3Error:
    return invalid_argument(
        "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        name="x-amz-copy-source",
        value=raw.decode("latin-1"),
        fact="S3 API: CopyObject, x-amz-copy-source",
    )
