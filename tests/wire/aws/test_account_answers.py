"""Answers about a bucket's configurations, byte by byte: none, denied, or not known to the SDK."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from backfill.aws.accounts_writing import AwsAccountWriter
from backfill.aws.calls import Calls
from backfill.aws.clock import SystemClock, SystemRandom
from backfill.aws.retry import ReadRetries
from backfill.aws.session import AwsSession, Connection
from backfill.errors import StoreFault
from backfill.model.accounts import BucketDocument
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketPlace
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.raw_server import RawServer, answer
from tests.wire.aws.service_faults import refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACE = BucketPlace(
    bucket="photos", region="us-east-1", expected_owner="111111111111", owner_origin="flag"
)


@pytest_asyncio.fixture(loop_scope="module")
async def writer(raw_server: RawServer) -> AsyncIterator[AwsAccountWriter]:
    raw_server.forget()
    retries = ReadRetries(
        attempts_max=3,
        pauses=Pauses(base_s=0.001, cap_s=0.002),
        budget=RetryBudget(ratio=1, floor=100),
        clock=SystemClock(),
        random=SystemRandom(),
        events=KeptEvents(),
    )
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        yield AwsAccountWriter(Calls(session, KeptEvents()), retries)


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (BucketDocument.REPLICATION, 404, "ReplicationConfigurationNotFoundError"),
        (BucketDocument.POLICY, 404, "NoSuchBucketPolicy"),
        (BucketDocument.LIFECYCLE, 404, "NoSuchLifecycleConfiguration"),
        (BucketDocument.ENCRYPTION, 404, "ServerSideEncryptionConfigurationNotFoundError"),
        (BucketDocument.OWNERSHIP, 404, "OwnershipControlsNotFoundError"),
        (BucketDocument.OBJECT_LOCK, 404, "ObjectLockConfigurationNotFoundError"),
        (BucketDocument.PUBLIC_ACCESS_BLOCK, 404, "NoSuchPublicAccessBlockConfiguration"),
        (BucketDocument.NOTIFICATION, 501, "NotImplemented"),
        (BucketDocument.REQUEST_PAYMENT, 405, "MethodNotAllowed"),
    ],
)
async def test_what_says_that_there_is_none_is_none(
    writer: AwsAccountWriter,
    raw_server: RawServer,
    document: BucketDocument,
    status: int,
    code: str,
) -> None:
    """If this fails, an empty account cannot be read, or another store not at all."""
    raw_server.script = lambda _: answer(status, refusal(code))
    assert await writer.bucket_document(PLACE, document) is None
    (seen,) = raw_server.seen
    assert seen.headers["x-amz-expected-bucket-owner"] == PLACE.expected_owner


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (BucketDocument.REPLICATION, 403, "AccessDenied"),
        (BucketDocument.REPLICATION, 404, "NoSuchBucket"),
        # S3's word to another account's identity: no sign that there is no policy.
        (BucketDocument.POLICY, 405, "MethodNotAllowed"),
        (BucketDocument.POLICY, 404, "NoSuchLifecycleConfiguration"),
    ],
)
async def test_a_denial_is_never_taken_for_an_absence(
    writer: AwsAccountWriter,
    raw_server: RawServer,
    document: BucketDocument,
    status: int,
    code: str,
) -> None:
    """If this fails, a policy that may not be read is replaced by one that holds ours alone."""
    raw_server.script = lambda _: answer(status, refusal(code))
    with pytest.raises(StoreFault) as caught:
        await writer.bucket_document(PLACE, document)
    assert caught.value.code == code


async def test_an_element_that_this_sdk_does_not_know_comes_with_the_document(
    writer: AwsAccountWriter, raw_server: RawServer
) -> None:
    """If this fails, the SDK's silence about it reaches setup, which then writes it away."""
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Role>arn:aws:iam::111111111111:role/r</Role><Rule><ID>a</ID><Shiny><Inner>1</Inner>"
        b"</Shiny><Filter/><Status>Enabled</Status><Priority>1</Priority><Destination>"
        b"<Bucket>arn:aws:s3:::b</Bucket></Destination></Rule></ReplicationConfiguration>"
    )
    raw_server.script = lambda _: answer(200, body)
    found = await writer.bucket_document(PLACE, BucketDocument.REPLICATION)
    assert found is not None
    assert found.text == body.decode()
    assert found.unmodelled == ("Rule/Shiny",)
    assert "Shiny" not in str(found.fields)


async def test_a_read_is_asked_again_and_a_write_is_not(
    writer: AwsAccountWriter, raw_server: RawServer
) -> None:
    """If this fails, a throttled look ends an apply, or a policy is put twice unseen."""
    raw_server.script = lambda _: answer(503, refusal("SlowDown"))
    with pytest.raises(StoreFault):
        await writer.bucket_document(PLACE, BucketDocument.POLICY)
    assert len(raw_server.seen) == 3
    raw_server.forget()
    with pytest.raises(StoreFault):
        await writer.put_bucket_document(PLACE, BucketDocument.POLICY, {"Statement": []})
    assert len(raw_server.seen) == 1
