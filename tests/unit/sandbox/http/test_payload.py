"""Bodies: the documented chunk signatures, and every way in which a body may be broken."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.payload import Payload, payload_of
from backfill.sandbox.http.signature import Secret, claim_of, verified
from backfill.sandbox.model.errors import S3Error

NOW = datetime(2013, 5, 24, tzinfo=UTC)
SECRET = Secret(secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
BODY = b"a" * 66560
SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILED_SIGNATURES = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)


def framed(signatures: tuple[str, ...], trailer: bytes = b"\r\n") -> bytes:
    pieces = (BODY[:65536], BODY[65536:], b"")
    chunks = b"".join(
        f"{len(piece):x};chunk-signature={signature}\r\n".encode() + piece + b"\r\n"
        for piece, signature in zip(pieces, signatures, strict=True)
    )
    return chunks.removesuffix(b"\r\n") + trailer


def chunked_request(
    form: str, seed: str, signed: str, body: bytes, extra: dict[str, str]
) -> HttpRequest:
    headers = extra | {
        "host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": form,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": str(len(body)),
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
        f"aws4_request,SignedHeaders={signed},Signature={seed}",
    }
    if form == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
        headers["content-length"] = "66824"
    return HttpRequest(
        method="PUT",
        raw_path=b"/examplebucket/chunkObject.txt",
        raw_query=b"",
        headers={name.encode(): value.encode() for name, value in headers.items()},
        body=body,
    )


PLAIN = chunked_request(
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
    "x-amz-decoded-content-length;x-amz-storage-class",
    framed(SIGNATURES),
    {},
)
TRAILER = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
    b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)
TRAILED = chunked_request(
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
    "x-amz-storage-class;x-amz-trailer",
    framed(TRAILED_SIGNATURES, TRAILER),
    {"x-amz-trailer": "x-amz-checksum-crc32c"},
)


def decoded(request: HttpRequest) -> Payload:
    claim = claim_of(request)
    assert claim is not None
    return payload_of(request, verified(request, claim, SECRET, NOW))


def test_the_documented_chunked_upload_is_decoded() -> None:
    """If this fails, older SDKs cannot upload."""
    assert decoded(PLAIN) == Payload(body=BODY)


def test_the_documented_trailing_checksum_is_verified_and_handed_on() -> None:
    """If this fails, SDKs that send checksums in trailers cannot upload."""
    expected = Payload(body=BODY, trailers=(("x-amz-checksum-crc32c", "sOO8/Q=="),))
    assert decoded(TRAILED) == expected


@pytest.mark.parametrize(
    ("request_", "old", "new", "code"),
    [
        (PLAIN, SIGNATURES[1].encode(), b"0" * 64, "SignatureDoesNotMatch"),
        (PLAIN, b"aaaa\r\n", b"aaab\r\n", "SignatureDoesNotMatch"),
        (PLAIN, b"10000;", b"10001;", "SignatureDoesNotMatch"),
        (PLAIN, b"\r\n400;", b"\r\nzzz;", "IncompleteBody"),
        (PLAIN, b"\r\n0;", b"\r\nff;", "IncompleteBody"),
        (TRAILED, b"sOO8/Q==", b"sOO8/Q=A", "SignatureDoesNotMatch"),
        (TRAILED, b"x-amz-checksum-crc32c", b"x-amz-checksum-crc32x", "MalformedTrailerError"),
        (TRAILED, b"d81f82fc", b"00000000", "SignatureDoesNotMatch"),
    ],
)
def test_a_broken_chunk_or_trailer_is_refused(
    request_: HttpRequest, old: bytes, new: bytes, code: str
) -> None:
    """If this fails, damage on the way is stored as if it had been sent."""
    assert old in request_.body
    with pytest.raises(S3Error) as refusal:
        decoded(replace(request_, body=request_.body.replace(old, new)))
    assert refusal.value.code == code


def unsigned(body: bytes, headers: dict[str, str]) -> HttpRequest:
    plain = {"content-length": str(len(body))} | headers
    return HttpRequest(
        method="PUT",
        raw_path=b"/b/k",
        raw_query=b"",
        headers={name.encode(): value.encode() for name, value in plain.items()},
        body=body,
    )


UNSIGNED_TRAILER = {
    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "x-amz-decoded-content-length": "5",
    "x-amz-trailer": "x-amz-checksum-crc32",
}


def test_an_unsigned_chunked_body_is_decoded_with_its_trailer() -> None:
    """If this fails, today's SDK defaults cannot upload over TLS."""
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    payload = payload_of(unsigned(body, UNSIGNED_TRAILER), None)
    assert payload == Payload(body=b"hello", trailers=(("x-amz-checksum-crc32", "NhCmhg=="),))


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"5\r\nhello\r\n", UNSIGNED_TRAILER, "IncompleteBody"),
        (b"4\r\nhell\r\n0\r\n\r\n", UNSIGNED_TRAILER, "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n\r\n", UNSIGNED_TRAILER, "MalformedTrailerError"),
        (b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", UNSIGNED_TRAILER, "InvalidChunkSizeError"),
        (b"hello", {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"),
        (b"hello", {"content-md5": "short"}, "InvalidDigest"),
        (b"hello", {"transfer-encoding": "chunked"}, "NotImplemented"),
    ],
)
def test_a_body_that_disagrees_with_its_headers_is_refused(
    body: bytes, headers: dict[str, str], code: str
) -> None:
    """If this fails, a body is stored that is not the one the client described."""
    with pytest.raises(S3Error) as refusal:
        payload_of(unsigned(body, headers), None)
    assert refusal.value.code == code


def test_a_right_content_md5_is_accepted() -> None:
    """If this fails, every upload with Content-MD5 is refused."""
    md5 = base64.b64encode(hashlib.md5(b"hello", usedforsecurity=False).digest()).decode()
    assert payload_of(unsigned(b"hello", {"content-md5": md5}), None).body == b"hello"


def test_a_put_without_length_is_refused() -> None:
    """If this fails, a client that forgot Content-Length stores an empty object."""
    request = replace(unsigned(b"", {}), headers={})
    with pytest.raises(S3Error) as refusal:
        payload_of(request, None)
    assert (refusal.value.code, refusal.value.status) == ("MissingContentLength", 411)
