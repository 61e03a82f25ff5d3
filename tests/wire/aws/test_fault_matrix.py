"""Every fault of the wire and of S3, on every operation, through the real client.

The expectations are written by hand here, fault by fault, and not taken from the product's table.
"""

from dataclasses import dataclass

import pytest

from backfill.aws.calls import Calls
from backfill.aws.object_store import S3ObjectStore
from backfill.errors import Disposition, StoreFault
from tests.wire.aws.operations import KEY, OPERATIONS, READS, WRITES
from tests.wire.aws.raw_server import CLOSE, RESET, Action, Hang, RawServer, Send, answer

RETRY, SETTLE, REDECIDE = Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE
SKIP, FAIL, STOP = Disposition.SKIP, Disposition.FAIL, Disposition.STOP

pytestmark = pytest.mark.asyncio(loop_scope="module")


def refusal(code: str, more: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>said so</Message>{more}<RequestId>R1</RequestId></Error>"
    ).encode()


def s3(status: int, code: str) -> Send:
    return answer(status, refusal(code), headers=(("content-type", "application/xml"),))


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server does, and how a read and a write must end."""

    name: str
    action: Action
    read: Disposition
    write: Disposition


CUT = answer(200, b"<CopyObjectResult><ETag>&quot;abc")
FAULTS = (
    Fault("F1 SlowDown", s3(503, "SlowDown"), RETRY, RETRY),
    Fault("F2 InternalError", s3(500, "InternalError"), RETRY, SETTLE),
    Fault("F2 HTML from a proxy", answer(502, b"<html>bad gateway</html>"), RETRY, SETTLE),
    Fault("F2 HTML that is no XML", answer(500, b"<html><br>oops"), RETRY, SETTLE),
    Fault("F2 empty 503", answer(503), RETRY, SETTLE),
    Fault("F2 empty 504", answer(504), RETRY, SETTLE),
    Fault("F6 short body", answer(200, b"<a", length=100, then="close"), RETRY, SETTLE),
    Fault("F7 reset after the request", RESET, RETRY, SETTLE),
    Fault("F8 FIN without an answer", CLOSE, RETRY, SETTLE),
    Fault("F8 FIN inside the head", Send(b"HTTP/1.1 200 O", then="close"), RETRY, SETTLE),
    Fault("F9 garbage", Send(b"\x16\x03\x01 no http\r\n\r\n", then="close"), RETRY, SETTLE),
    Fault("F12 PreconditionFailed", s3(412, "PreconditionFailed"), FAIL, REDECIDE),
    Fault("F13 conflict", s3(409, "ConditionalRequestConflict"), FAIL, REDECIDE),
    Fault("F13 OperationAborted", s3(409, "OperationAborted"), FAIL, REDECIDE),
    Fault("F14 NoSuchVersion", s3(404, "NoSuchVersion"), SKIP, SKIP),
    Fault("F14 NoSuchBucket", s3(404, "NoSuchBucket"), STOP, STOP),
    Fault("F15 AccessDenied", s3(403, "AccessDenied"), FAIL, FAIL),
    Fault("F16 ExpiredToken", s3(400, "ExpiredToken"), STOP, STOP),
    Fault("F16 InvalidAccessKeyId", s3(403, "InvalidAccessKeyId"), STOP, STOP),
    Fault("F17 RequestTimeTooSkewed", s3(403, "RequestTimeTooSkewed"), STOP, STOP),
    Fault("F18 PermanentRedirect", s3(301, "PermanentRedirect"), STOP, STOP),
    Fault("F18 wrong scope", s3(400, "AuthorizationHeaderMalformed"), STOP, STOP),
    Fault("F19 KMS disabled", s3(400, "KMS.DisabledException"), FAIL, FAIL),
    Fault("F19 KMS throttled", s3(400, "KMS.ThrottlingException"), RETRY, RETRY),
    Fault("F20 archived", s3(403, "InvalidObjectState"), SKIP, SKIP),
    Fault("F20 archived, as CopyObject says", s3(403, "ObjectNotInActiveTierError"), SKIP, SKIP),
    Fault("F20 NotImplemented", s3(501, "NotImplemented"), STOP, STOP),
    Fault("a refusal never heard of", s3(418, "TeapotError"), FAIL, SETTLE),
)

# An error inside a 200, or a 200 with nothing in it, is data for GetObject and success for an
# abort: there it is no fault.
INSIDE_200 = (
    Fault("F3 200 with InternalError", s3(200, "InternalError"), RETRY, SETTLE),
    Fault("F3 200 with SlowDown", s3(200, "SlowDown"), RETRY, SETTLE),
    Fault("F3 200 with AccessDenied", s3(200, "AccessDenied"), FAIL, FAIL),
    Fault("F4 200 and nothing", answer(200), RETRY, SETTLE),
    Fault("F5 200 and cut XML", CUT, RETRY, SETTLE),
)
WITHOUT_RESULT = {"GetObject", "AbortMultipartUpload"}

# HEAD cannot hear an error inside a 200: it hears a 200 that lacks everything.
HEAD_HEARS_NOTHING = {fault.name for fault in INSIDE_200}

# A refusal for one operation that means something else there than elsewhere.
HEAD_WITHOUT_CODE = {"F14 NoSuchBucket": SKIP}


def expected(fault: Fault, operation: str) -> Disposition:
    if operation in WRITES:
        return fault.write
    if operation == "HeadObject":
        if fault.name in HEAD_HEARS_NOTHING:
            return RETRY
        return HEAD_WITHOUT_CODE.get(fault.name, fault.read)
    return fault.read


CELLS = [(fault, name) for fault in FAULTS for name in OPERATIONS] + [
    (fault, name) for fault in INSIDE_200 for name in OPERATIONS if name not in WITHOUT_RESULT
]


def requests_expected(fault: Fault, operation: str) -> list[str]:
    """HEAD asks again once, with a body, where a 400 or 403 hides the code."""
    methods = {"HeadObject": "HEAD", "AbortMultipartUpload": "DELETE"}
    if operation != "HeadObject":
        return [methods.get(operation, "")]
    data = fault.action.data if isinstance(fault.action, Send) else b""
    hides_code = data.startswith((b"HTTP/1.1 400", b"HTTP/1.1 403"))
    return ["HEAD", "GET"] if hides_code else ["HEAD"]


@pytest.mark.parametrize(
    ("fault", "operation"), CELLS, ids=lambda value: getattr(value, "name", value)
)
async def test_a_fault_on_an_operation_ends_in_the_stated_disposition(
    store: S3ObjectStore, raw_server: RawServer, fault: Fault, operation: str
) -> None:
    """Else a write that may have been applied is sent again, or a passing fault ends a run."""
    raw_server.script = lambda _: fault.action
    with pytest.raises(StoreFault) as caught:
        await OPERATIONS[operation](store, KEY)
    assert caught.value.disposition is expected(fault, operation), caught.value
    assert caught.value.is_ambiguous is (caught.value.disposition is SETTLE)
    assert caught.value.operation == operation.split(" ", maxsplit=1)[0]
    methods = [seen.method for seen in raw_server.seen]
    wanted = requests_expected(fault, operation)
    assert len(methods) == len(wanted), f"one call is one request: {methods}"
    if operation == "HeadObject":
        assert methods == wanted


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_reset_before_the_request_is_ambiguous_for_a_write(
    store: S3ObjectStore, raw_server: RawServer, operation: str
) -> None:
    """The client cannot tell it from a reset after the request, so it must not try."""
    raw_server.resets_on_accept = True
    raw_server.script = lambda _: RESET  # for connections that were kept from another test
    with pytest.raises(StoreFault) as caught:
        await OPERATIONS[operation](store, KEY)
    assert caught.value.disposition is (RETRY if operation in READS else SETTLE)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_silence_ends_in_a_timeout_that_is_ambiguous_for_a_write(
    impatient_calls: Calls, raw_server: RawServer, operation: str
) -> None:
    """Without a limit one hanging connection holds a worker for ever."""
    raw_server.forget()
    raw_server.script = lambda _: Hang()
    with pytest.raises(StoreFault) as caught:
        await OPERATIONS[operation](S3ObjectStore(impatient_calls), KEY)
    assert caught.value.disposition is (RETRY if operation in READS else SETTLE)
    # On a busy machine the limit may pass before the request has left.
    assert len(raw_server.seen) <= 1


NO_SUCH_UPLOAD = {
    "ListParts": FAIL,
    "UploadPartCopy": REDECIDE,
    "CompleteMultipartUpload": SETTLE,
}


@pytest.mark.parametrize("operation", NO_SUCH_UPLOAD)
async def test_an_upload_that_is_gone_is_begun_anew_or_settled(
    store: S3ObjectStore, raw_server: RawServer, operation: str
) -> None:
    """A Complete whose answer was lost finds its upload gone, because it had succeeded."""
    raw_server.script = lambda _: s3(404, "NoSuchUpload")
    with pytest.raises(StoreFault) as caught:
        await OPERATIONS[operation](store, KEY)
    assert caught.value.disposition is NO_SUCH_UPLOAD[operation]


async def test_aborting_an_upload_that_is_gone_is_no_fault(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """Resume aborts what it may have aborted already."""
    raw_server.script = lambda _: s3(404, "NoSuchUpload")
    await OPERATIONS["AbortMultipartUpload"](store, KEY)
    assert len(raw_server.seen) == 1


async def test_a_missing_key_is_skipped_by_reads_and_decided_anew_by_conditional_writes(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """IfMatch onto a key that lost its object answers 404 too: that is no vanished source."""
    raw_server.script = lambda _: s3(404, "NoSuchKey")
    dispositions = {}
    for operation, call in OPERATIONS.items():
        with pytest.raises(StoreFault) as caught:
            await call(store, KEY)
        dispositions[operation] = caught.value.disposition
    assert dispositions == dict.fromkeys(READS, SKIP) | {
        "CopyObject": REDECIDE,
        "CreateMultipartUpload": SKIP,
        "UploadPartCopy": SKIP,
        "CompleteMultipartUpload": REDECIDE,
        "AbortMultipartUpload": SKIP,
        "DeleteObject": REDECIDE,
        "DeleteObject (absent)": REDECIDE,
    }


async def test_a_pause_that_the_store_names_is_kept(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """Without it a throttled client comes back too early."""
    raw_server.script = lambda _: answer(503, refusal("SlowDown"), headers=(("retry-after", "7"),))
    with pytest.raises(StoreFault) as caught:
        await OPERATIONS["CopyObject"](store, KEY)
    assert caught.value.retry_after_s == 7.0
