"""Signatures that botocore's own signer agrees with, over what is really in the head."""

import random
import re
from datetime import UTC, datetime
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from backfill.aws.lean.signature import Identity, Signer
from backfill.aws.lean.wire import Address, Origin, WireRequest

NOW = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
IDENTITY = Identity(access_key="AKIA", secret_key="se/cr+et", token=None)
SESSION = Identity(access_key="ASIA", secret_key="other", token="to%ken/+==" * 40)
ADDRESS = Address(
    origin=Origin("https", "bucket.s3.eu-west-1.amazonaws.com", 443),
    host="bucket.s3.eu-west-1.amazonaws.com",
    base="",
    root="/",
    region="eu-west-1",
    service="s3",
)
BY_PATH = Address(
    origin=Origin("http", "127.0.0.1", 9000),
    host="127.0.0.1:9000",
    base="/bucket",
    root="/bucket",
    region="us-east-1",
    service="s3",
)
NAMES = (
    "cache-control", "content-type", "expires", "if-match", "if-none-match", "range",
    "x-amz-checksum-mode", "x-amz-copy-source", "x-amz-expected-bucket-owner", "x-amz-meta-%s",
    "x-amz-meta-name", "x-amz-storage-class", "x-amz-tagging", "x-amz-tagging-directive",
)  # fmt: skip


def stamp(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%SZ")


def drawn(draw: random.Random) -> WireRequest:
    """A request of any shape: names, values, keys and bodies by chance."""
    letters = [chr(code) for code in range(33, 127)]
    key = "".join(draw.choices([*letters, " ", "é", "\n", "🪣", "/"], k=draw.randint(1, 30)))
    headers = {
        name: " ".join(
            "".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(draw.randint(1, 3))
        )
        for name in sorted(draw.sample(NAMES, draw.randint(0, 9)))
    }
    names = sorted(draw.sample(("acl", "versionId", "max-keys", "versions"), draw.randint(0, 3)))
    query = "&".join(f"{name}={quote(draw.choice(('', 'a b', '7', '/+=')), '')}" for name in names)
    path = draw.choice(("/", "//", "/..", "/" + quote(key, safe="/~")))
    body = draw.choice((b"", b"", b"<a>" + key.encode()))
    method = draw.choice(("GET", "HEAD", "PUT", "POST", "DELETE"))
    return WireRequest(method, "bucket", path, query, headers, body)


def botocores(
    request: WireRequest, address: Address, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    path = address.root if request.path == "/" else address.base + request.path
    asked = AWSRequest(
        method=request.method,
        url=f"{address.origin.scheme}://{address.host}{path}?{request.query}",
        headers=dict(request.headers),
        data=request.body,
    )
    signer = S3SigV4Auth(
        ReadOnlyCredentials(identity.access_key, identity.secret_key, identity.token),
        address.service,
        address.region,
    )
    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
        signer.add_auth(asked)
    return {name.lower(): value for name, value in asked.headers.items()}


def parsed(head: bytes) -> tuple[str, dict[str, str]]:
    assert head.endswith(b"\r\n\r\n")
    first, *lines = head[:-4].decode().split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = {name: value for name, _, value in pairs}
    assert len(headers) == len(pairs), "no header twice"
    return first, headers


@pytest.mark.parametrize("address", [ADDRESS, BY_PATH], ids=["virtual", "path"])
@pytest.mark.parametrize("identity", [IDENTITY, SESSION], ids=["key", "token"])
def test_botocores_signer_agrees_with_thousands_of_requests(
    address: Address, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One shape signed wrongly is one kind of object that is never copied."""
    draw = random.Random(4)
    signer = Signer(address)
    signer.turn(identity, stamp(NOW))
    for _ in range(1500):
        request = drawn(draw)
        first, headers = parsed(signer.head(request))
        expected = botocores(request, address, identity, monkeypatch)
        path = address.root if request.path == "/" else address.base + request.path
        question = f"?{request.query}" if request.query else ""
        assert first == f"{request.method} {path}{question} HTTP/1.1"
        own = {"host", "user-agent", "accept-encoding", "content-length"}
        assert {name: headers[name] for name in headers if name not in own} == expected
        assert headers["host"] == address.host
        length = headers.get("content-length")
        if request.body or request.method not in ("GET", "HEAD"):
            assert length == str(len(request.body))
        else:
            assert length is None


def test_the_next_second_the_next_day_and_the_next_token_sign_anew() -> None:
    """A head kept from before is refused as expired or as another's."""
    request = WireRequest("HEAD", "bucket", "/k", "", {"x-amz-checksum-mode": "ENABLED"})
    signer = Signer(ADDRESS)
    seen = set()
    for identity in (IDENTITY, SESSION):
        for now in ("20261122T235958Z", "20261122T235959Z", "20261123T000000Z"):
            signer.turn(identity, now)
            _, headers = parsed(signer.head(request))
            afresh = Signer(ADDRESS)
            afresh.turn(identity, now)
            assert signer.head(request) == afresh.head(request)
            assert headers["x-amz-date"] == now
            assert f"Credential={identity.access_key}/{now[:8]}/" in headers["authorization"]
            seen.add(headers["authorization"][-64:])
    assert len(seen) == 6


def test_a_body_does_not_change_how_the_next_request_is_signed() -> None:
    """A digest that is kept with the names would sign another body."""
    headers = {"x-amz-expected-bucket-owner": "1"}
    empty = WireRequest("POST", "bucket", "/k", "uploads=", headers)
    signer = Signer(ADDRESS)
    signer.turn(IDENTITY, stamp(NOW))
    before = signer.head(empty)
    assert signer.head(empty._replace(body=b"x")) != before
    assert signer.head(empty._replace(body=b"y")) != signer.head(empty._replace(body=b"x"))
    assert signer.head(empty) == before


def test_an_identity_shows_neither_secret_nor_token() -> None:
    """What is in a representation ends in a log."""
    shown = repr(SESSION)
    assert "ASIA" in shown
    assert not re.search(re.escape("to%ken") + "|other", shown)
