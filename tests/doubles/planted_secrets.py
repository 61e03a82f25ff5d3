"""Made-up secrets of every kind, in the dresses that secrets are met in.

Never a real one, and never the product's own idea of what a secret looks like.
Law: a text that hides a secret in a dress shows it to `shows` before anybody redacts it.
"""

import base64
import json
import random
import string
import urllib.parse
from collections.abc import Callable, Iterable

BASE64 = string.ascii_letters + string.digits + "/+"


def text_of(draw: random.Random, alphabet: str, length: int) -> str:
    return "".join(draw.choices(alphabet, k=length))


def access_key_id(draw: random.Random) -> str:
    return draw.choice(["AKIA", "ASIA", "ABIA", "ACCA"]) + text_of(
        draw, string.ascii_uppercase + "234567", 16
    )


def secret_access_key(draw: random.Random) -> str:
    return text_of(draw, BASE64, 40)


def session_token(draw: random.Random) -> str:
    start = draw.choice(["IQoJb3JpZ2lu", "FwoGZXIvYXdzE", ""])
    shortest = 30 if start else 150  # a message may cut a token
    return start + text_of(draw, BASE64, draw.randint(shortest, 700)) + draw.choice(["", "=", "=="])


def ssec_key(draw: random.Random) -> str:
    return base64.b64encode(draw.randbytes(32)).decode()


def signature(draw: random.Random) -> str:
    return draw.randbytes(32).hex()


Dress = Callable[[str, random.Random], str]

ANYWHERE: list[Dress] = [
    lambda secret, _: secret,
    lambda secret, _: f"it was {secret}, said the caller",
    lambda secret, _: f"first line\n{secret}\nlast line",
    lambda secret, _: repr(f"first line\n{secret}"),
    lambda secret, _: json.dumps({"detail": f"\t{secret}"}),
    lambda secret, _: f"\x1b[31m{secret}\x1b[0m",
    lambda secret, _: f"a={secret}&b=1",
    lambda secret, _: f"(<{secret}>)",
    lambda secret, _: repr(OSError(f"cannot use {secret!r}")),
]
NAMED: dict[str, list[str]] = {
    "secret_access_key": ["aws_secret_access_key", "SecretAccessKey", "secret-access-key"],
    "session_token": ["x-amz-security-token", "AWS_SESSION_TOKEN", "SessionToken"],
    "ssec_key": [
        "x-amz-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "SSECustomerKey",
        "CopySourceSSECustomerKey",
    ],
    "access_key_id": ["AWSAccessKeyId", "aws_access_key_id", "X-Amz-Credential"],
    "signature": ["X-Amz-Signature", "Signature"],
}
BY_NAME: list[Callable[[str, str], str]] = [
    lambda name, secret: f"{name}={secret}",
    lambda name, secret: f"{name}: {secret}\r\nHost: x",
    lambda name, secret: repr({name: secret}),
    lambda name, secret: repr({name: secret.encode()}),
    lambda name, secret: json.dumps({name: secret}),
    lambda name, secret: json.dumps(json.dumps({name: secret})),
    lambda name, secret: f"<{name}>{secret}</{name}>",
    lambda name, secret: "https://h/k?" + urllib.parse.urlencode({"a": "b", name: secret, "c": 1}),
    lambda name, secret: urllib.parse.quote(f"{name}={urllib.parse.quote(secret)}"),
]
AUTHORIZATION: list[Dress] = [
    lambda secret, draw: (
        f"Authorization: AWS4-HMAC-SHA256 Credential={access_key_id(draw)}/20261122/us-east-1/s3/"
        f"aws4_request, SignedHeaders=host;x-amz-date, Signature={secret}"
    ),
    lambda secret, draw: repr({"Authorization": f"AWS {access_key_id(draw)}:{secret}".encode()}),
    lambda secret, _: f"AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature={secret}",
    lambda secret, _: json.dumps({"authorization": f"Bearer {secret}"}),
    lambda secret, _: f"proxy-authorization: Basic {secret}",
]
MAKERS = [access_key_id, secret_access_key, session_token, ssec_key, signature]


def planted(draw: random.Random) -> tuple[str, str]:
    """Return a secret, and a text that holds it in one of the dresses it is met in."""
    make = draw.choice(MAKERS)
    secret = make(draw)
    roll = draw.random()
    if make is signature and roll < 0.5:
        return secret, draw.choice(AUTHORIZATION)(secret, draw)
    if make is signature or roll < 0.5:
        return secret, draw.choice(BY_NAME)(draw.choice(NAMED[make.__name__]), secret)
    return secret, draw.choice(ANYWHERE)(secret, draw)


def shows(secret: str, text: str) -> bool:
    """Whether the beginning or the end of a secret can be read in a text, percent-coded or not."""
    return bool(shown([secret], text))


def shown(secrets: Iterable[str], text: str) -> list[str]:
    """Return the secrets of which the beginning or the end can be read in a text."""
    once = urllib.parse.unquote(text)
    readings = {text, once, urllib.parse.unquote(once)}
    return [
        secret
        for secret in secrets
        if any(part in reading for part in _ends(secret) for reading in readings)
    ]


def _ends(secret: str) -> tuple[str, str]:
    body = secret.rstrip("=")
    return body[:16], body[-16:]
