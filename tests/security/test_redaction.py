"""No secret may reach a log, wherever it is planted and however it is dressed."""

import base64
import io
import json
import random
import string
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from backfill.observe import LogFormat, LogLevel, LogOptions, open_events, redacted
from backfill.observe.redaction import REDACTED
from backfill.ports import ProgressCounts

BASE64 = string.ascii_letters + string.digits + "/+"
SECRETS_A_FORMAT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An event with a free text, a key and a field whose name says that it is secret."""

    name: ClassVar[str] = "test.planted"
    level: ClassVar[str] = "warning"
    number: int
    detail: str
    key: str
    session_token: str


class StoppedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        del duration_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal, so that colour is on."""

    def isatty(self) -> bool:
        return True


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
    body = secret.rstrip("=")
    once = urllib.parse.unquote(text)
    readings = (text, once, urllib.parse.unquote(once))
    return any(part in reading for part in (body[:16], body[-16:]) for reading in readings)


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_none_of_ten_thousand_planted_secrets_is_in_the_log(log_format: LogFormat) -> None:
    """If this fails, credentials lie in collected logs, where more people read than may act."""
    draw = random.Random(f"20261122 {log_format}")
    stream = Terminal()
    options = LogOptions(level=LogLevel.DEBUG, format=log_format)
    leaks = []
    with open_events(options, run_id="r-1", clock=StoppedClock(), stream=stream) as events:
        for number in range(SECRETS_A_FORMAT):
            secret, text = planted(draw)
            assert shows(secret, text)
            events.emit(
                Planted(number=number, detail=text, key=f"logs/\n{text}", session_token=secret)
            )
            line = stream.getvalue()
            stream.seek(0)
            stream.truncate()
            if shows(secret, line):
                leaks.append((text, line))
            assert f'"number": {number}' in line or f"number={number}" in line
    assert not leaks, f"{len(leaks)} leaks, the first: {leaks[0]}"


def test_what_a_library_logs_is_redacted_too(caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, a warning of botocore prints what our own events may not."""
    import logging  # noqa: PLC0415 - the standard library's, beside our own

    secret = secret_access_key(random.Random(7))
    stream = io.StringIO()
    with open_events(LogOptions(), run_id="r-1", clock=StoppedClock(), stream=stream) as events:
        logger = logging.getLogger("botocore.credentials")
        logger.debug("Signing with %s", secret)
        logger.warning("Refusing %s", secret)
        logger.error("failed", exc_info=RuntimeError(secret))
        events.progress(ProgressCounts(stage="execute", done=1, errors={secret: 1}))
    caplog.clear()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("message") for line in lines] == [f"Refusing {REDACTED}", "failed", None]
    assert "RuntimeError" in lines[1]["exception"]
    assert lines[2]["errors"] == {REDACTED: 1}
    assert secret not in stream.getvalue()


@pytest.mark.parametrize(
    "harmless",
    [
        "photos/2019/summer holiday/IMG_0001.JPG",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40",
        "The request signature we calculated does not match the signature you provided.",
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "CRC64NVME=yOJtPzJmGHY= ETag=9bb58f26192e4ba00f01e2e7b136bbd8-12",
        "AKIA",
    ],
)
def test_ordinary_text_stays_readable(harmless: str) -> None:
    """If this fails, keys, ETags, version IDs or messages of S3 vanish from the log."""
    assert redacted(harmless) == harmless
