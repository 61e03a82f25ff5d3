"""Generated answers, odd as servers and what stands before them make them, one from each seed.

Each begins as S3 answers and is then bent: headers, status, document, framing of the text.
Law: a seed gives the same bytes for ever, so that a number in a failure is the case.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from random import Random
from typing import Final
from xml.sax.saxutils import escape

from tests.wire.aws.generated import _SUMS, key, version_id

_NAMESPACE: Final = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_TIMES: Final = (
    *("2026-11-22T10:00:07.000Z", "2026-11-22T10:00:07.123Z", "2026-11-22T10:00:07Z"),
    *("2026-11-22T10:00:07+01:00", "2026-11-22T10:00:07", "2026-11-22 10:00:07Z"),
    *("Sun, 22 Nov 2026 10:00:07 GMT", "1795341607", "1795341607.5", "soon", ""),
)
_CODES: Final = (
    *("InternalError", "SlowDown", "AccessDenied", "NoSuchKey", "NoSuchVersion", "NoSuchUpload"),
    *("PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", "InvalidRequest"),
    *("RequestTimeTooSkewed", "PermanentRedirect", "KMS.DisabledException", "InvalidArgument"),
    *("AuthorizationHeaderMalformed", "ServiceUnavailable", "NotImplemented", "TeapotError", ""),
    *("MethodNotAllowed", "InvalidRange", "NoSuchObjectLockConfiguration", "NoSuchBucket"),
)
_STATUSES: Final = (
    *(201, 204, 206, 301, 302, 304, 307, 400, 403, 404, 405, 408, 409, 411, 412, 416),
    *(418, 429, 500, 501, 502, 503, 504, 599),
)

Headers = list[tuple[bytes, bytes]]


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text, {chr(34): '&quot;'})}</{name}>"


def _etag(random: Random) -> str:
    return random.choice(
        ('"' + "0a" * 16 + '"', '"' + "f" * 32 + '-7"', "bare", '""', "", '"odd é"')
        if random.random() < 0.3
        else ('"' + f"{random.getrandbits(128):032x}" + '"',)
    )


def _sums(random: Random) -> list[str]:
    elements = []
    for name in random.sample(sorted(_SUMS), random.randrange(3)):
        value = b64encode(random.randbytes(_SUMS[name])).decode()
        elements.append(_element(f"Checksum{name}", value + random.choice(("", "", "-3"))))
    if random.random() < 0.5:
        kind = random.choice(("FULL_OBJECT", "FULL_OBJECT", "COMPOSITE", "HALF_OBJECT"))
        elements.append(_element("ChecksumType", kind))
    return elements


def _copied(random: Random) -> tuple[str, list[str]]:
    time = _TIMES[0] if random.random() < 0.5 else random.choice(_TIMES)
    return "CopyObjectResult", [
        _element("LastModified", time),
        _element("ETag", _etag(random)),
        *_sums(random),
    ]


def _copied_part(random: Random) -> tuple[str, list[str]]:
    # With a time that is one: none of ours reads it, but botocore refuses the answer.
    return "CopyPartResult", [
        _element("ETag", _etag(random)),
        *_sums(random),
        _element("LastModified", random.choice(_TIMES[:3])),
    ]


def _completed(random: Random) -> tuple[str, list[str]]:
    return "CompleteMultipartUploadResult", [
        _element("Location", "http://elsewhere/x"),
        _element("Bucket", "b"),
        _element("Key", "k&<é"),
        _element("ETag", _etag(random)),
        *_sums(random),
    ]


def _created(random: Random) -> tuple[str, list[str]]:
    upload_id = random.choice(("u.-_~+/=", "u&amp;", "", "ü"))
    return "InitiateMultipartUploadResult", [
        _element("Bucket", "b"),
        _element("Key", "k"),
        _element("UploadId", upload_id),
    ]


def _listed_parts(random: Random) -> tuple[str, list[str]]:
    elements = [
        _element("Key", "k&<é"),
        _element("NextPartNumberMarker", random.choice(("7", "0", "-1"))),
        _element("IsTruncated", random.choice(("true", "false", "True", ""))),
        _element("MaxParts", "1000"),  # as with a part's time: only botocore reads it
    ]
    for _ in range(random.randrange(4)):
        fields = [
            _element("PartNumber", random.choice(("1", "9", "10000", "-3"))),
            _element("LastModified", random.choice(_TIMES[:3])),
            _element("ETag", _etag(random)),
            _element("Size", random.choice(("0", "5", "5368709120"))),
            *(one for one in _sums(random) if "ChecksumType" not in one),
        ]
        if random.random() < 0.2:
            fields.pop(random.randrange(len(fields)))
        elements.append(f"<Part>{''.join(fields)}</Part>")
    return "ListPartsResult", elements


def _legible(text: str) -> str:
    return "".join(one for one in text if one.isprintable() or one in "\n\t ")


def _tagged(random: Random) -> tuple[str, list[str]]:
    tags = [
        f"<Tag>{_element('Key', _legible(key(random))[:99])}"
        f"{random.choice((_element('Value', _legible(key(random))[:99]), '<Value/>', ''))}</Tag>"
        for _ in range(random.randrange(4))
    ]
    return "Tagging", [random.choice((f"<TagSet>{''.join(tags)}</TagSet>", "<TagSet/>", ""))]


def _access(random: Random) -> tuple[str, list[str]]:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type'
    kind = random.choice(("CanonicalUser", "Group", ""))
    grant = (
        f'<Grant><Grantee {xsi}="{kind}">{_element("ID", random.choice(("me", "you", "")))}'
        f"</Grantee>{_element('Permission', random.choice(('FULL_CONTROL', 'READ')))}</Grant>"
    )
    grants = grant * random.choice((1, 1, 1, 0, 2))
    return "AccessControlPolicy", [
        f"<Owner>{_element('ID', 'me')}</Owner>",
        f"<AccessControlList>{grants}</AccessControlList>",
    ]


def _retained(random: Random) -> tuple[str, list[str]]:
    mode = random.choice(("GOVERNANCE", "COMPLIANCE", "", "ODD"))
    return "Retention", [
        _element("Mode", mode),
        _element("RetainUntilDate", random.choice(_TIMES[:3])),  # as in a part
    ]


def _held(random: Random) -> tuple[str, list[str]]:
    return "LegalHold", [_element("Status", random.choice(("ON", "OFF", "", "on")))]


def _listed(random: Random) -> tuple[str, list[str]]:
    elements = [_element("EncodingType", "url"), _element("IsTruncated", "false")]
    for _ in range(random.randrange(4)):
        kind = random.choice(("Version", "Version", "DeleteMarker"))
        more = [_element("ETag", _etag(random)), _element("Size", random.choice(("0", "9", "x")))]
        fields = [
            _element("Key", random.choice(("a", "a%2Bb+c", "%C3%A9", "%FF", ""))),
            _element("VersionId", random.choice(("null", "v1", ""))),
            _element("IsLatest", random.choice(("true", "false", "True"))),
            _element("LastModified", random.choice(_TIMES[:2])),
            *(more if kind == "Version" else ()),
            _element("StorageClass", "STANDARD"),
        ]
        elements.append(f"<{kind}>{''.join(fields)}</{kind}>")
    return "ListVersionsResult", elements


_DOCUMENTS: Final[dict[str, Callable[[Random], tuple[str, list[str]]]]] = {
    "ListObjectVersions": _listed,
    "GetObjectTagging": _tagged,
    "GetObjectAcl": _access,
    "GetObjectRetention": _retained,
    "GetObjectLegalHold": _held,
    "CopyObject": _copied,
    "CreateMultipartUpload": _created,
    "UploadPartCopy": _copied_part,
    "CompleteMultipartUpload": _completed,
    "ListParts": _listed_parts,
}
OPERATIONS: Final = (
    *("HeadObject", "GetObject", "AbortMultipartUpload", "DeleteObject (hide)"),
    *("DeleteObject (absent)", *_DOCUMENTS),
)


# --- what is bent ---


def _error(random: Random) -> tuple[str, list[str]]:
    elements = [
        _element("Code", random.choice(_CODES)),
        _element("Message", random.choice(("said so", "two\n lines\t&  more", "\u202e é", ""))),
        _element("RequestId", "R1"),
        _element("HostId", "H1"),
        *random.sample(
            (
                _element("Region", "eu-north-1"),
                _element("ServerTime", "2026-11-22T10:00:07Z"),
                _element("RequestTime", "20261122T080000Z"),
                _element("Condition", "If-None-Match"),
                "<Empty/>",
                "<Deep><Code>Inner</Code></Deep>",
            ),
            k=random.randrange(3),
        ),
    ]
    if random.random() < 0.3:
        elements.pop(random.randrange(3))
    return "Error", elements


def _document(random: Random, root: str, elements: list[str]) -> bytes:
    """Write a document as somebody might."""
    between = random.choice(("", "", "", "\n  ", "<!-- a comment -->"))
    bend = _BENDS_OF_ELEMENTS.get(random.randrange(10))
    inner = between.join(("", *(bend(random, elements) if bend else elements), ""))
    namespace = random.choice((_NAMESPACE, _NAMESPACE, "")) if root != "Error" else ""
    before = random.choice((_DECLARATION, _DECLARATION + "\n", "", "\ufeff"))
    after = random.choice(("", "\n"))
    body = f"{before}<{root}{namespace}>{inner}</{root}>{after}".encode()
    spoil = _SPOILS.get(random.randrange(4 * len(_SPOILS)))
    return body if spoil is None else spoil(random, body)


_BENDS_OF_ELEMENTS: Final[dict[int, Callable[[Random, list[str]], list[str]]]] = {
    0: lambda random, elements: random.sample(elements, len(elements)),
    1: lambda random, elements: random.sample(elements, len(elements) - 1),
    2: lambda _, elements: [*elements, "<Unknown>x</Unknown>"],
    3: lambda _, elements: ["<Unknown><A>b</A></Unknown>", *elements],
}
_SPOILS: Final[dict[int, Callable[[Random, bytes], bytes]]] = dict(
    enumerate(
        (
            lambda random, body: body[: random.randrange(len(body))],
            lambda _, body: re.sub(rb"(</(ETag|Code|Mode)>)", rb"<![CDATA[ & ]]>\1", body),
            lambda _, body: body.replace(b"&quot;", b"&#34;"),
            lambda _, body: body.replace(b"&quot;", b'"'),
            lambda _, body: body + b"trailing",
            lambda _, __: b"",
            lambda _, __: b"   \n",
            lambda _, __: b"<html><body>no S3</body></html>",
            lambda random, _: random.randbytes(40),
        )
    )
)


def _head_headers(random: Random) -> Headers:
    headers: Headers = [
        (b"Content-Length", str(random.choice((0, 7, 5 * 2**40))).encode()),
        (b"ETag", _etag(random).encode()),
        (b"Last-Modified", b"Sun, 22 Nov 2026 10:00:07 GMT"),
    ]
    pool: Headers = [
        (b"x-amz-storage-class", b"GLACIER_IR"),
        (b"x-amz-tagging-count", random.choice((b"3", b"x", b"-1"))),
        (b"x-amz-mp-parts-count", b"9"),
        (b"x-amz-missing-meta", b"1"),
        (b"x-amz-server-side-encryption", random.choice((b"AES256", b"aws:kms", b"aws:odd"))),
        (b"x-amz-server-side-encryption-aws-kms-key-id", b"arn:aws:kms:x"),
        (b"x-amz-server-side-encryption-bucket-key-enabled", random.choice((b"true", b"false"))),
        (b"x-amz-server-side-encryption-customer-algorithm", b"AES256"),
        (b"x-amz-replication-status", random.choice((b"REPLICA", b"COMPLETE", b"PENDING", b"NEW"))),
        (b"x-amz-checksum-crc32", b"AAAAAA==-2"),
        (b"x-amz-checksum-sha512", b"c29tZQ=="),
        (b"x-amz-checksum-type", random.choice((b"FULL_OBJECT", b"COMPOSITE", b"NEW"))),
        (b"x-amz-object-lock-mode", b"GOVERNANCE"),
        (b"x-amz-object-lock-retain-until-date", random.choice(_TIMES[:4]).encode()),
        (b"x-amz-object-lock-legal-hold", random.choice((b"ON", b"OFF"))),
        (b"x-amz-website-redirect-location", b"/x"),
        (b"x-amz-archive-status", b"ARCHIVE_ACCESS"),
        (b"x-amz-restore", b'ongoing-request="true"'),
        (b"x-amz-expiration", b'expiry-date="Fri, 21 Dec 2026 00:00:00 GMT", rule-id="r"'),
        (b"Expires", random.choice((b"0", b"not a date", b"Wed, 21 Oct 2026 07:28:00 GMT"))),
        (b"Content-Type", random.choice((b"text/plain", b"", b"x; y=\xe9"))),
        (b"Content-Disposition", "attachment; filename=é.pdf".encode("latin-1")),
        (b"Content-Language", "日本".encode()),
        (b"Cache-Control", b"no-store,  private"),
        (b"Content-Encoding", random.choice((b"gzip", b"aws-chunked"))),
        (b"x-amz-meta-A-Name", b"  padded  "),
        (b"X-AMZ-META-UPPER", random.choice((b"Value", b"=?UTF-8?B?bmHDr3Zl?=", b"=?odd?="))),
        (b"x-amz-meta-latin", b"\xfcber"),
        (b"x-amz-meta-utf", "ünï\u2028".encode()),
        (b"x-amz-meta-empty", b""),
        (b"x-amz-meta-tab", b"a\tb"),
        (b"x-amz-version-id", random.choice((b"v1", b"null", b""))),
        (b"x-amz-delete-marker", random.choice((b"true", b"false"))),
        (b"x-amz-thing-of-tomorrow", b"1"),
    ]
    headers += random.sample(pool, random.randrange(len(pool)))
    if random.random() < 0.1:
        headers.pop(random.randrange(3))
    random.shuffle(headers)
    return headers


def _common_headers(random: Random) -> Headers:
    headers: Headers = [
        (b"x-amz-request-id", b"Q1"),
        (b"x-amz-id-2", b"I2"),
        (b"x-amz-version-id", random.choice((version_id(random).encode(), b"null", b""))),
        (b"X-Amz-Delete-Marker", random.choice((b"true", b"true", b"false", b"True"))),
        (b"Retry-After", random.choice((b"3", b"Sun, 22 Nov 2026 10:00:07 GMT", b"0x3"))),
        (b"x-amz-bucket-region", b"eu-north-1"),
        (b"Content-Type", random.choice((b"application/xml", b"text/html"))),
        (b"Server", b"AmazonS3"),
        (b"Date", b"Sun, 22 Nov 2026 10:00:07 GMT"),
    ]
    return random.sample(headers, random.randrange(len(headers) + 1))


def _status(random: Random) -> int:
    return 200 if random.random() < 0.6 else random.choice(_STATUSES)


def answer_of(operation: str, number: int) -> bytes:
    """Return the answer of a number."""
    random = Random(f"{operation} {number}")
    status = _status(random)
    headers = _common_headers(random)
    body = b""
    if operation == "HeadObject":
        if status == 200:
            headers = _head_headers(random)
    elif status >= 300 or random.random() < 0.1:
        body = _document(random, *_error(random))
    elif operation in _DOCUMENTS:
        body = _document(random, *_DOCUMENTS[operation](random))
    elif operation == "GetObject":
        body = random.randbytes(random.randrange(200))
    if status in (204, 304):
        body = b""
    if operation != "HeadObject" or status != 200:
        headers.append((b"Content-Length", str(len(body)).encode()))
    lines = [b"HTTP/1.1 %d Reason" % status, *(b"%b: %b" % pair for pair in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
