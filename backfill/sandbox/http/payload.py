"""Is the body the one that was signed? And the aws-chunked framing taken off it.

Never touches what is inside. One law: a body is handed on only when every digest that came with
it agrees (S3 API: Signature calculations; User Guide: checking-object-integrity-upload).
"""

import base64
import binascii
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5, sha256

from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.refusals import not_implemented, refused
from backfill.sandbox.http.signature import EMPTY_SHA256, Signed
from backfill.sandbox.model.errors import S3Error

CHUNKED = "S3 API: Signature calculations, transferring a payload in multiple chunks"
TRAILERS = "S3 API: Signature calculations, including trailing headers"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMS = {
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
}
_CHUNK_LINE_LIMIT = 512
_MIN_CHUNK_BYTES = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The body without framing, and the trailing headers, names in lower case."""

    body: bytes
    trailers: tuple[tuple[str, str], ...] = ()


def payload_of(request: HttpRequest, signed: Signed | None) -> Payload:
    """The verified payload of a request. Raises S3Error when any digest disagrees."""
    _check_framing(request)
    declared = request.header("x-amz-content-sha256") or _UNSIGNED
    if declared in _STREAMS:
        payload = _Chunks(request, signed if "HMAC" in declared else None).decoded(
            is_trailed=declared.endswith("-TRAILER"), is_signed="HMAC" in declared
        )
    else:
        if declared != _UNSIGNED and signed is not None:
            _check_hash(declared, request.body)
        payload = Payload(body=request.body)
    _check_md5(request, payload.body)
    return payload


def _check_framing(request: HttpRequest) -> None:
    coding = request.header("transfer-encoding")
    if coding is not None and request.header("x-amz-decoded-content-length") is None:
        raise refused(
            code="NotImplemented",
            status=501,
            message="A header you provided implies functionality that is not implemented",
            fact="S3 API: Error responses, NotImplemented",
            members=(("Header", "Transfer-Encoding"),),
        )
    if request.method == "PUT" and coding is None and request.header("content-length") is None:
        raise refused(
            code="MissingContentLength",
            status=411,
            message="You must provide the Content-Length HTTP header.",
            fact="S3 API: Error responses, MissingContentLength",
        )


def _check_hash(declared: str, body: bytes) -> None:
    if declared.startswith("STREAMING-"):
        raise not_implemented(f"The payload form {declared} is not carried here.", fact=CHUNKED)
    computed = sha256(body).hexdigest() if body else EMPTY_SHA256
    if not hmac.compare_digest(computed.encode(), declared.lower().encode("latin-1")):
        raise refused(
            code="XAmzContentSHA256Mismatch",
            status=400,
            message="The provided 'x-amz-content-sha256' header does not match what was computed.",
            fact="S3 API: Error responses, XAmzContentSHA256Mismatch",
            members=(
                ("ClientComputedContentSHA256", declared),
                ("S3ComputedContentSHA256", computed),
            ),
        )


def _check_md5(request: HttpRequest, body: bytes) -> None:
    declared = request.header("content-md5")
    if declared is None:
        return
    try:
        expected = base64.b64decode(declared, validate=True)
    except (binascii.Error, ValueError):
        expected = b""
    if len(expected) != 16:
        raise refused(
            code="InvalidDigest",
            status=400,
            message="The Content-MD5 you specified was invalid.",
            fact="S3 API: Error responses, InvalidDigest",
            members=(("Content-MD5", declared),),
        )
    computed = md5(body, usedforsecurity=False).digest()
    if computed != expected:
        raise refused(
            code="BadDigest",
            status=400,
            message="The Content-MD5 you specified did not match what we received.",
            fact="S3 API: Error responses, BadDigest",
            members=(
                ("ExpectedDigest", expected.hex()),
                ("CalculatedDigest", base64.b64encode(computed).decode()),
            ),
        )


class _Chunks:
    """One aws-chunked body, decoded with the chain of chunk signatures where there is one."""

    def __init__(self, request: HttpRequest, signed: Signed | None) -> None:
        self._raw = memoryview(request.body)
        self._data = request.body
        self._request = request
        self._signed = signed
        self._previous = signed.claim.signature if signed is not None else ""
        self._at = 0

    def decoded(self, *, is_trailed: bool, is_signed: bool) -> Payload:
        if is_signed and self._signed is None:
            raise _broken("signed chunks need a signed request")
        body = b"".join(self._chunks())
        expected = self._request.header("x-amz-decoded-content-length")
        if expected is None or not expected.isdecimal():
            raise refused(
                code="MissingContentLength",
                status=411,
                message="You must provide the X-Amz-Decoded-Content-Length HTTP header.",
                fact=CHUNKED,
            )
        if int(expected) != len(body):
            raise _broken(
                "You did not provide the number of bytes specified by the "
                "x-amz-decoded-content-length HTTP header"
            )
        return Payload(body=body, trailers=self._trailers() if is_trailed else ())

    def _line(self) -> bytes:
        end = self._data.find(b"\r\n", self._at, self._at + _CHUNK_LINE_LIMIT)
        if end < 0:
            raise _broken("The request body terminated unexpectedly")
        line = self._data[self._at : end]
        self._at = end + 2
        return line

    def _chunks(self) -> Iterator[memoryview]:
        was_short = False
        while True:
            size_text, _, extension = self._line().partition(b";")
            try:
                size_bytes = int(size_text, 16)
            except ValueError as error:
                raise _broken("A chunk size is no hexadecimal number") from error
            chunk = self._raw[self._at : self._at + size_bytes]
            if len(chunk) != size_bytes:
                raise _broken("The request body terminated unexpectedly")
            if self._signed is not None:
                self._check_chunk(self._signed, chunk, extension)
            if size_bytes == 0:
                return
            if was_short:
                raise _short_chunk()
            was_short = size_bytes < _MIN_CHUNK_BYTES
            self._at += size_bytes
            if self._data[self._at : self._at + 2] != b"\r\n":
                raise _broken("A chunk does not end where it said")
            self._at += 2
            yield chunk

    def _check_chunk(self, signed: Signed, chunk: memoryview, extension: bytes) -> None:
        name, _, signature = extension.partition(b"=")
        claim = signed.claim
        to_sign = (
            f"AWS4-HMAC-SHA256-PAYLOAD\n{claim.amz_date}\n{claim.scope}\n{self._previous}\n"
            f"{EMPTY_SHA256}\n{sha256(chunk).hexdigest()}"
        )
        self._previous = hmac.digest(signed.signing_key, to_sign.encode(), "sha256").hex()
        is_right = hmac.compare_digest(self._previous.encode(), signature)
        if name != b"chunk-signature" or not is_right:
            raise _chunk_mismatch()

    def _trailers(self) -> tuple[tuple[str, str], ...]:
        pairs: list[tuple[str, str]] = []
        while self._at < len(self._data):
            line = self._line()
            if not line:
                break
            name, _, value = line.partition(b":")
            pairs.append((name.decode("latin-1").strip().lower(), value.decode("latin-1").strip()))
        signature = dict(pairs).get("x-amz-trailer-signature")
        plain = tuple(pair for pair in pairs if pair[0] != "x-amz-trailer-signature")
        declared = {
            name.strip().lower()
            for name in (self._request.header("x-amz-trailer") or "").split(",")
            if name.strip()
        }
        if declared != {name for name, _ in plain}:
            raise refused(
                code="MalformedTrailerError",
                status=400,
                message=(
                    "The request contained trailing data that was not well-formed or did not "
                    "conform to our published schema."
                ),
                fact=TRAILERS,
            )
        if self._signed is not None:
            self._check_trailer(self._signed, plain, signature or "")
        return plain

    def _check_trailer(
        self, signed: Signed, pairs: tuple[tuple[str, str], ...], signature: str
    ) -> None:
        text = "".join(f"{name}:{value}\n" for name, value in pairs)
        claim = signed.claim
        to_sign = (
            f"AWS4-HMAC-SHA256-TRAILER\n{claim.amz_date}\n{claim.scope}\n{self._previous}\n"
            f"{sha256(text.encode('latin-1')).hexdigest()}"
        )
        expected = hmac.digest(signed.signing_key, to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.encode("latin-1")):
            raise _chunk_mismatch()


def _broken(message: str) -> S3Error:
    return refused(code="IncompleteBody", status=400, message=message, fact=CHUNKED)


def _short_chunk() -> S3Error:
    return refused(
        code="InvalidChunkSizeError",
        status=403,
        message="Only the last chunk is allowed to have a size less than 8192 bytes",
        fact=CHUNKED,
    )


def _chunk_mismatch() -> S3Error:
    return refused(
        code="SignatureDoesNotMatch",
        status=403,
        message=(
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        ),
        fact=CHUNKED,
    )
