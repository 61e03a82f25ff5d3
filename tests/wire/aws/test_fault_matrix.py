"""What an operation of the data plane ends in where time, or what was done before, decides.

Each fault on each operation is in `test_every_operation`; expectations are written by hand.
"""

import asyncio

import pytest

from backfill.aws.calls import Calls
from backfill.aws.object_store import S3ObjectStore
from backfill.errors import StoreFault
from tests.wire.aws.operations import KEY, OPERATIONS, READS
from tests.wire.aws.raw_server import RESET, Hang, RawServer, answer
from tests.wire.aws.service_faults import (
    FAIL,
    REDECIDE,
    RETRY,
    SETTLE,
    SKIP,
    refusal,
    s3,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_silence_ends_in_a_timeout_that_is_ambiguous_for_a_write(
    impatient_calls: Calls, raw_server: RawServer
) -> None:
    """Without a limit one hanging connection holds a worker for ever."""
    raw_server.forget()
    raw_server.script = lambda _: Hang()
    store = S3ObjectStore(impatient_calls)
    # Side by side: each waits for the whole limit.
    calls = (call(store, KEY) for call in OPERATIONS.values())
    ends = await asyncio.gather(*calls, return_exceptions=True)
    for operation, end in zip(OPERATIONS, ends, strict=True):
        assert isinstance(end, StoreFault), f"{operation}: {end!r}"
        assert end.disposition is (RETRY if operation in READS else SETTLE)
    # On a busy machine the limit may pass before a request has left.
    assert len(raw_server.seen) <= len(OPERATIONS)


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
