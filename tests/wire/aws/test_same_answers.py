"""Thousands of generated answers mean the same to both clients: one typed result, or one fault.

They are sent over loopback, so that what the HTTP libraries make of them is compared, too.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
import pytest_asyncio

from backfill.aws.calls import Calls
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import ObjectHead
from backfill.model.store import WriteResult
from tests.doubles.clients import CLIENTS, opened_calls
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.generated_answers import OPERATIONS, answer_of
from tests.wire.aws.operations import KEY
from tests.wire.aws.operations import OPERATIONS as ACTS
from tests.wire.aws.raw_server import RawServer, Send, answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERS = 150
"""To each operation. With both clients one takes 6 ms."""

OWN_WORDS = {"UnreadableReply", "ResponseParserError", "UnknownValue"}
"""Codes whose message is the client's own and not S3's."""

NAMES = {
    "ResponseParserError": "botocore's name for a body that is no XML beside a status like 201",
    "500": "botocore's for a 200 that is no XML; we see first whether it begins as a page",
}
"""What the SDK calls an answer that the lean client calls UnreadableReply, with the reason."""


class Ill(NamedTuple):
    """All of a StoreFault."""

    operation: str
    code: str
    status: int
    disposition: Disposition
    message: str
    retry_after_s: float | None
    is_ambiguous: bool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(
    raw_server: RawServer, identity: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, Calls]]:
    """Both clients before the raw server."""
    assert identity
    connection = Connection(endpoint_url=raw_server.endpoint_url)
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(opened_calls(name, connection, KeptEvents()))
            for name in CLIENTS
        }


async def told(calls: Calls, operation: str) -> object:
    """Return what a client makes of the answer that the server is set to."""
    act = ACTS[operation.replace(" (hide)", "")]
    try:
        return await act(S3ObjectStore(calls), KEY)
    except StoreFault as fault:
        return Ill(
            fault.operation,
            fault.code,
            fault.status,
            fault.disposition,
            "" if fault.code in OWN_WORDS else fault.message,
            fault.retry_after_s,
            is_ambiguous=fault.is_ambiguous,
        )


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_both_clients_read_the_same_out_of_an_answer(
    clients: dict[str, Calls], raw_server: RawServer, operation: str
) -> None:
    """Else what is settled, retried or verified depends on which client asked."""
    raw_server.script = lambda _: Send(sent)
    for number in range(ANSWERS):
        sent = answer_of(operation, number)
        raw_server.forget()
        results = {name: await told(calls, operation) for name, calls in clients.items()}
        assert are_the_same(results["sdk"], results["lean"]), (number, sent, results)


def are_the_same(sdk: object, lean: object) -> bool:
    """Whether both mean the same, whatever they call it."""
    if isinstance(sdk, Ill) and isinstance(lean, Ill):
        is_named = lean.code == "UnreadableReply" and sdk.code in NAMES
        return sdk == (
            lean._replace(code=sdk.code, status=sdk.status, message=sdk.message)
            if is_named
            else lean
        )
    return sdk == lean


ECHOING = {
    "CreateMultipartUpload": b"<InitiateMultipartUploadResult>%b<UploadId>u-1</UploadId>"
    b"</InitiateMultipartUploadResult>",
    "CompleteMultipartUpload": b"<CompleteMultipartUploadResult><Location>http://b/%b</Location>"
    b"%b<ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>",
    "ListParts": b"<ListPartsResult>%b<IsTruncated>false</IsTruncated></ListPartsResult>",
}


@pytest.mark.parametrize("echo", [b"\x01", b"&#x1;", b"a\x00b", b"\xff", b"&#xFFFE;"])
@pytest.mark.parametrize("operation", ECHOING)
async def test_a_key_that_xml_cannot_hold_hides_nothing_from_either(
    clients: dict[str, Calls], raw_server: RawServer, operation: str, echo: bytes
) -> None:
    """Else such a key cannot be copied in parts, and each try leaves an upload behind."""
    key, body = b"<Key>%b</Key>" % echo, ECHOING[operation]
    sent = body % ((echo, key) if b"<Location>" in body else key)
    raw_server.script = lambda _: answer(200, sent)
    sdk, lean = [await told(clients[name], operation) for name in ("sdk", "lean")]
    assert sdk == lean
    assert not isinstance(sdk, Ill), sdk


@pytest.mark.parametrize("operation", ECHOING)
async def test_what_is_no_document_but_for_its_key_is_a_fault_to_both(
    clients: dict[str, Calls], raw_server: RawServer, operation: str
) -> None:
    """Else a garbled ID is taken for an upload's: its parts would be another's, or nobody's."""
    body = ECHOING[operation].replace(b"<Location>http://b/%b</Location>", b"")
    sent = (body % b"<Key>\x01</Key>").replace(b"u-1", b"u\x01").replace(b"e-1", b"e\x01")
    raw_server.script = lambda _: answer(200, sent.replace(b"false", b"f\x01"))
    sdk, lean = [await told(clients[name], operation) for name in ("sdk", "lean")]
    assert isinstance(sdk, Ill)
    assert are_the_same(sdk, lean)


COPIED = b"<?xml version='1.0'?><CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"
HEADERS = b"Content-Length: 1\r\nETag: e\r\nLast-Modified: Sun, 22 Nov 2026 10:00:07 GMT\r\n"


async def test_white_space_before_a_document_is_read_by_one_and_settled_by_the_other(
    clients: dict[str, Calls], raw_server: RawServer
) -> None:
    """A difference that is known: no XML to botocore, S3's way to keep a slow copy alive to us."""
    raw_server.script = lambda _: answer(200, b"\n  " + COPIED)
    sdk, lean = [await told(clients[name], "CopyObject") for name in ("sdk", "lean")]
    assert isinstance(sdk, Ill)
    assert sdk.disposition is Disposition.SETTLE
    assert isinstance(lean, WriteResult)
    assert lean.etag == "e"


async def test_a_header_that_comes_twice_is_joined_by_one_and_the_last_to_the_other(
    clients: dict[str, Calls], raw_server: RawServer
) -> None:
    """A difference that is known: S3 sends none twice, and RFC 9110 §5.3 would have them joined."""
    twice = b"x-amz-meta-a: one\r\nx-amz-meta-a: two\r\n"
    raw_server.script = lambda _: Send(b"HTTP/1.1 200 OK\r\n" + HEADERS + twice + b"\r\n")
    sdk, lean = [await told(clients[name], "HeadObject") for name in ("sdk", "lean")]
    assert isinstance(sdk, ObjectHead)
    assert isinstance(lean, ObjectHead)
    assert (sdk.metadata, lean.metadata) == ((("a", "two"),), (("a", "one, two"),))


async def test_an_error_that_names_two_codes_is_a_fault_to_both(
    clients: dict[str, Calls], raw_server: RawServer
) -> None:
    """Botocore's parser stumbles over it: if this fails, what it raises ends a run as a bug."""
    body = b"<Error><Code>A</Code><Code>B</Code><Message>m</Message></Error>"
    raw_server.script = lambda _: answer(400, body)
    for calls in clients.values():
        ended = await told(calls, "CopyObject")
        assert isinstance(ended, Ill)
        assert ended.disposition is Disposition.SETTLE
