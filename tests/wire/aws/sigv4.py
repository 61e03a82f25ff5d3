"""Signature Version 4 of a request without a body, from the documentation, for tests to check with.

The path is not taken from the wire but encoded anew from the key that was meant: a client that
alters a key on its way and signs the altered one is found out.
"""

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, unquote

from tests.wire.aws.raw_server import Seen


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def is_signed_for(seen: Seen, path: str, *, secret_key: str, region: str) -> bool:
    """Whether the request's signature is right for this decoded path."""
    query = seen.target.partition(b"?")[2].decode()
    pairs = sorted(
        (quote(unquote(name), safe="-._~"), quote(value, safe="-._~"))
        for name, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    )
    fields = dict(
        part.strip().split("=", 1)
        for part in seen.headers["authorization"].removeprefix("AWS4-HMAC-SHA256").split(",")
    )
    names = fields["SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            seen.method,
            quote(path, safe="/-._~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(seen.headers[name].split())}" for name in names),
            "",
            fields["SignedHeaders"],
            seen.headers["x-amz-content-sha256"],
        ]
    )
    scope = fields["Credential"].split("/", 1)[1]
    date = scope.split("/", maxsplit=1)[0]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{seen.headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, "s3", "aws4_request"):
        key = _mac(key, part)
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return scope == f"{date}/{region}/s3/aws4_request" and fields["Signature"] == expected
