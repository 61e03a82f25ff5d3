"""Thousands of generated requests leave both clients the same, byte for byte where it matters.

They are sent over loopback, so that what the HTTP libraries make of them is compared, too, and
each signature is made again by botocore's own signer from what arrived.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from backfill.aws.calls import Calls
from backfill.aws.session import Connection
from backfill.errors import StoreFault
from tests.doubles.clients import CLIENTS, opened_calls
from tests.wire.aws.conftest import ACCESS_KEY, SECRET_KEY, KeptEvents
from tests.wire.aws.generated import GENERATORS, generated
from tests.wire.aws.raw_server import RawServer, Seen, answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS = 120
"""Of each operation. With both clients one takes 6 ms."""

TOKEN = "a session token/with+marks=="

LEFT_TO_SDK = {
    "CreateMultipartUpload": (0.6, "values of headers beyond printable ASCII and single spaces"),
    "GetObjectAttributes": (1.0, "no stage asks for it"),
    "ListObjectsV2": (1.0, "no stage asks for it"),
}
"""The share of requests that the lean client may leave to the SDK, with the reason."""

MEANINGLESS = {
    "accept": "aiohttp says `*/*`; S3 does not negotiate",
    "amz-sdk-invocation-id": "the SDK counts its retries for AWS",
    "amz-sdk-request": "as above",
    "authorization": "signed at another moment over other headers; `is_rightly_signed` judges it",
    "connection": "keeping the connection is what HTTP/1.1 does anyway",
    "user-agent": "each says who it is",
    "x-amz-date": "another moment",
}
"""Headers that may differ, each with its reason."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(
    raw_server: RawServer, identity: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, Calls]]:
    """Both clients before the raw server, with a session token."""
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(identity.context())
        patch.setenv("AWS_SESSION_TOKEN", TOKEN)
        connection = Connection(endpoint_url=raw_server.endpoint_url)
        raw_server.script = lambda _: answer(404)
        yield {
            name: await stack.enter_async_context(opened_calls(name, connection, KeptEvents()))
            for name in CLIENTS
        }


async def arrived(raw_server: RawServer, calls: Calls, operation: str, number: int) -> Seen:
    """Send a generated request; return it as it arrived."""
    raw_server.forget()
    with pytest.raises(StoreFault) as caught:
        await generated(operation, number).send(calls)
    assert raw_server.seen, f"never sent: {caught.value}"
    (seen,) = raw_server.seen
    return seen


def is_rightly_signed(seen: Seen, *, secret_key: str = SECRET_KEY) -> bool:
    """Whether botocore's own signer makes this signature of what arrived."""
    word, credential, signed, signature = seen.headers["authorization"].replace(",", " ").split()
    names = signed.removeprefix("SignedHeaders=").split(";")
    needed = {name for name in seen.headers if name.startswith("x-amz-")} | {"host"}
    if word != "AWS4-HMAC-SHA256" or not needed <= set(names):
        return False
    if seen.headers["x-amz-content-sha256"] != hashlib.sha256(seen.body).hexdigest():
        return False
    _, day, region, service, _ = credential.removeprefix("Credential=").split("/")
    signer = S3SigV4Auth(Credentials(ACCESS_KEY, secret_key, TOKEN), service, region)
    request = AWSRequest(
        method=seen.method,
        url=f"http://{seen.headers['host']}{seen.target.decode('ascii')}",
        headers={name: seen.headers[name] for name in names},
        data=seen.body,
    )
    request.context["timestamp"] = seen.headers["x-amz-date"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    is_now = seen.headers["x-amz-date"].startswith(day)
    return is_now and signature == f"Signature={signer.signature(text, request)}"


def meaning(seen: Seen) -> dict[str, object]:
    """Return all of a request that S3 heeds."""
    path, _, query = seen.target.decode("ascii").partition("?")
    return {
        "method": seen.method,
        "path": path,
        "query": sorted(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)),
        "headers": {
            name: " ".join(value.split())
            for name, value in seen.headers.items()
            if name not in MEANINGLESS
        },
        "body": ET.canonicalize(seen.body) if seen.body else "",
    }


@pytest.mark.parametrize("operation", GENERATORS)
async def test_both_clients_send_the_same_rightly_signed_request(
    clients: dict[str, Calls], raw_server: RawServer, operation: str
) -> None:
    """Else one client asks S3 for something else than the other, by a typed request that is one."""
    left_to_sdk = 0
    for number in range(REQUESTS):
        seen = {
            name: await arrived(raw_server, calls, operation, number)
            for name, calls in clients.items()
        }
        shown = (number, generated(operation, number).shown)
        assert is_rightly_signed(seen["sdk"]), shown
        assert is_rightly_signed(seen["lean"]), shown
        assert meaning(seen["sdk"]) == meaning(seen["lean"]), shown
        left_to_sdk += "aiobotocore" in seen["lean"].headers["user-agent"]
    share, _ = LEFT_TO_SDK.get(operation, (0.0, ""))
    assert left_to_sdk <= share * REQUESTS, "the SDK, compared with itself"
