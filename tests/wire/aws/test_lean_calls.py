"""The lean client beside its exchanges: clock, credentials, what it leaves to the SDK."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
import pytest_asyncio

from backfill.aws.calls import Call, Calls
from backfill.aws.faults import error_of
from backfill.aws.lean.calls import LANES_MAX, LeanCalls
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.replies import headers_of
from backfill.aws.session import AwsSession, Connection
from backfill.errors import ClockSkewError, CredentialsError, Disposition, StoreFault
from backfill.events.calls import ClockCorrected, CredentialsRenewed, SdkUsed
from tests.wire.aws.conftest import ACCESS_KEY, KeptEvents
from tests.wire.aws.operations import (
    DESTINATION,
    KEY,
    OPERATIONS,
    SOURCE,
    copy_request,
    create_request,
    read_all,
)
from tests.wire.aws.raw_server import CLOSE, Action, RawServer, Seen, answer
from tests.wire.aws.service_faults import refusal
from tests.wire.aws.test_session import COPIED, HEAD, TAGS, access_key, write_credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S = 3600


@pytest_asyncio.fixture(loop_scope="module")
async def lean(raw_server: RawServer) -> AsyncIterator[LeanCalls]:
    """The lean client before the raw server."""
    raw_server.forget()
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        yield LeanCalls(session, KeptEvents())


def emitted(calls: LeanCalls) -> list[object]:
    assert isinstance(calls._events, KeptEvents)
    return list(calls._events.emitted)


def is_lean(seen: Seen) -> bool:
    """Tell by whom a request was sent: the SDK says what it is made of."""
    return "botocore" not in seen.headers["user-agent"].lower()


def signed_at(seen: Seen) -> float:
    return datetime.fromisoformat(seen.headers["x-amz-date"]).timestamp()


class SkewedS3:
    """An S3 whose clock is `ahead_s` before ours, and which tells the time as `date` says."""

    def __init__(self, ahead_s: float, *, date: str | None = "its own") -> None:
        self.ahead_s = ahead_s
        self.date = date
        self.refused = 0

    def __call__(self, seen: Seen) -> Action:
        now_s = time.time() + self.ahead_s
        if abs(signed_at(seen) - now_s) <= 900:
            if seen.method == "HEAD":
                return answer(200, headers=HEAD)
            return COPIED if seen.method == "PUT" else TAGS
        self.refused += 1
        own = format_datetime(datetime.fromtimestamp(now_s, UTC), usegmt=True)
        told = own if self.date == "its own" else self.date
        headers = () if told is None else (("date", told),)
        return answer(403, refusal("RequestTimeTooSkewed"), headers=headers)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
async def test_every_hot_call_goes_straight(
    lean: LeanCalls, raw_server: RawServer, operation: str
) -> None:
    """One that goes by the SDK in silence costs thirty times the CPU, and nobody knows why."""
    raw_server.script = lambda _: answer(404)
    with pytest.raises(StoreFault):
        await OPERATIONS[operation](S3ObjectStore(lean), "a key/é")
    assert [is_lean(seen) for seen in raw_server.seen] == [True]
    assert emitted(lean) == []


@pytest.mark.parametrize("ahead_s", [HOUR_S, -5 * HOUR_S, 20 * HOUR_S])
@pytest.mark.parametrize("operation", ["CopyObject", "GetObjectTagging", "HeadObject"])
async def test_a_clock_that_is_off_is_corrected_once_and_told(
    lean: LeanCalls, raw_server: RawServer, operation: str, ahead_s: int
) -> None:
    """A run of a night on a machine whose clock drifts must not end, nor ask twice for ever."""
    s3 = raw_server.script = SkewedS3(ahead_s)
    store = S3ObjectStore(lean)
    await OPERATIONS[operation](store, KEY)
    before = len(raw_server.seen)
    await OPERATIONS[operation](store, KEY)
    assert len(raw_server.seen) == before + 1, "the correction is kept"
    assert s3.refused == (2 if operation == "HeadObject" else 1)
    (event,) = emitted(lean)
    assert isinstance(event, ClockCorrected)
    assert abs(event.ahead_s - ahead_s) <= 2
    # A refused HEAD hides its code; the GetObject that is asked for it tells the time.
    assert event.operation == ("GetObject" if operation == "HeadObject" else operation)


async def test_many_calls_that_meet_the_skew_together_correct_it_once(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """A correction of a correction would be off by twice as much."""
    raw_server.script = SkewedS3(HOUR_S)
    store = S3ObjectStore(lean)
    await asyncio.gather(*(store.copy_object(copy_request(f"k{n}")) for n in range(20)))
    assert len(emitted(lean)) == 1
    assert len(raw_server.seen) <= 40


@pytest.mark.parametrize(
    ("ahead_s", "date"),
    [(3 * 24 * HOUR_S, "its own"), (HOUR_S, None), (HOUR_S, "soon"), (HOUR_S, "22 Nov 2026 10:00")],
)
async def test_a_skew_beyond_reason_stops_as_ever(
    lean: LeanCalls, raw_server: RawServer, ahead_s: int, date: str | None
) -> None:
    """Three days is no drift: certificates, leases and horizons would be wrong by it, too."""
    raw_server.script = SkewedS3(ahead_s, date=date)
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(lean).copy_object(copy_request())
    assert len(raw_server.seen) == 1
    assert isinstance(error_of(caught.value), ClockSkewError)
    assert emitted(lean) == []


async def test_a_store_that_is_never_content_with_the_time_stops_the_run(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """Corrections without end are a loop without a bound."""

    def script(_: Seen) -> Action:
        told = format_datetime(datetime.fromtimestamp(time.time() + HOUR_S, UTC), usegmt=True)
        return answer(403, refusal("RequestTimeTooSkewed"), headers=(("date", told),))

    raw_server.script = script
    store = S3ObjectStore(lean)
    for requests in (2, 3):
        with pytest.raises(StoreFault):
            await store.copy_object(copy_request())
        assert len(raw_server.seen) == requests


async def test_what_the_lean_client_does_not_bind_goes_by_the_sdk_and_is_told_once(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """An uploader's Content-Type in UTF-8 must arrive as it was, whoever sends it."""
    raw_server.script = lambda _: answer(200, b"<a><UploadId>u</UploadId></a>")
    request = create_request()
    headers = request.content_headers._replace(content_type="naïve")
    store = S3ObjectStore(lean)
    for _ in range(3):
        await store.create_multipart_upload(replace(request, content_headers=headers))
    await store.create_multipart_upload(request)
    assert [is_lean(seen) for seen in raw_server.seen] == [False, False, False, True]
    assert raw_server.seen[0].headers["content-type"] == "naïve"
    (event,) = emitted(lean)
    assert isinstance(event, SdkUsed)
    assert (event.operation, event.bucket) == ("CreateMultipartUpload", DESTINATION.bucket)


async def test_a_bucket_that_needs_more_goes_by_the_sdk_and_is_told_once(
    raw_server: RawServer, identity: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configuration that the lean client passed by would be a breach of somebody's rules."""
    raw_server.forget()
    raw_server.script = lambda _: TAGS
    config = tmp_path / "config"
    config.write_text("[default]\ns3 =\n  payload_signing_enabled = false\n")
    with identity.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(config))
        async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
            calls = LeanCalls(session, KeptEvents())
            for _ in range(3):
                await S3ObjectStore(calls).get_object_tagging(SOURCE, KEY)
    assert [is_lean(seen) for seen in raw_server.seen] == [False] * 3
    (event,) = emitted(calls)
    assert isinstance(event, SdkUsed)
    assert "payload signing" in event.reason


async def test_a_cold_call_goes_by_the_sdk_in_silence(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """That HeadBucket is the SDK's is no news."""
    raw_server.script = lambda _: answer(200)
    parameters = {"Bucket": SOURCE.bucket}
    await lean.send(Call(operation="HeadBucket", region="us-east-1", parameters=parameters), dict)
    assert not is_lean(raw_server.seen[0])
    assert emitted(lean) == []


async def test_addresses_are_kept_for_so_many_buckets_only(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """A map without a bound grows with whatever somebody lists."""
    raw_server.script = lambda _: TAGS
    store = S3ObjectStore(lean)
    for number in range(LANES_MAX + 2):
        await store.get_object_tagging(replace(SOURCE, bucket=f"bucket-{number}"), KEY)
    assert [is_lean(seen) for seen in raw_server.seen] == [True] * LANES_MAX + [False] * 2
    assert len(lean._lanes) == LANES_MAX
    assert len(lean._transports) == 1, "one endpoint, one pool"


LISTED = (
    b"<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount>"
    b"<IsTruncated>true</IsTruncated><NextContinuationToken>n/+</NextContinuationToken>"
    b"<EncodingType>url</EncodingType><Contents><Key>a%2Bb</Key><Size>7</Size>"
    b"<LastModified>2026-11-22T10:00:00.000Z</LastModified><ETag>&quot;abc&quot;</ETag>"
    b"<ChecksumAlgorithm>CRC32</ChecksumAlgorithm></Contents>"
    b"<CommonPrefixes><Prefix>p%2F</Prefix></CommonPrefixes></ListBucketResult>"
)
ATTRIBUTES = (
    b"<GetObjectAttributesResponse><ETag>abc</ETag><Checksum><ChecksumCRC32>AAAAAA==</ChecksumCRC32>"
    b"</Checksum><ObjectParts><PartsCount>2</PartsCount></ObjectParts><ObjectSize>7</ObjectSize>"
    b"</GetObjectAttributesResponse>"
)


@pytest.mark.parametrize(
    ("operation", "more", "body"),
    [
        ("ListObjectsV2", {"EncodingType": "url", "MaxKeys": 2}, LISTED),
        ("GetObjectAttributes", {"Key": KEY, "ObjectAttributes": ["ETag", "Checksum"]}, ATTRIBUTES),
    ],
)
async def test_rich_answers_are_read_as_the_sdk_reads_them(
    lean: LeanCalls, raw_server: RawServer, operation: str, more: dict[str, object], body: bytes
) -> None:
    """A field that one client knows and the other not is a difference that nobody sees."""
    version = (("x-amz-version-id", "v"), ("last-modified", "Sun, 22 Nov 2026 10:00:00 GMT"))
    raw_server.script = lambda _: answer(200, body, headers=version)
    call = Call(operation, "us-east-1", {"Bucket": SOURCE.bucket, **more})
    replies = [await calls.send(call, dict) for calls in (lean, Calls(lean._session, KeptEvents()))]
    assert [is_lean(seen) for seen in raw_server.seen] == [True, False]
    assert raw_server.seen[0].target.count(b"=") >= 1
    for reply in replies:
        del reply["ResponseMetadata"]
    assert replies[0] == replies[1]
    raw_server.script = lambda _: answer(200, refusal("InternalError"))
    for calls in (lean, Calls(lean._session, KeptEvents())):
        with pytest.raises(StoreFault) as caught:
            await calls.send(call, dict)
        assert (caught.value.code, caught.value.status) == ("InternalError", 500)


@pytest_asyncio.fixture(loop_scope="module")
async def file_lean(
    raw_server: RawServer, identity: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[LeanCalls]:
    """The lean client with credentials in a file, as tools that renew tokens keep them."""
    raw_server.forget()
    write_credentials(tmp_path / "credentials", "AKIAFIRST")
    with identity.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        connection = Connection(endpoint_url=raw_server.endpoint_url, profile="renewed")
        async with AwsSession(connection) as session:
            yield LeanCalls(session, KeptEvents())


async def test_calls_that_expire_together_renew_once(
    file_lean: LeanCalls, raw_server: RawServer, tmp_path: Path
) -> None:
    """A storm of renewals is throttled by the token service, and then the run stops."""

    def script(seen: Seen) -> Action:
        if access_key(seen) == "AKIAFIRST":
            write_credentials(tmp_path / "credentials", "AKIASECOND")
            return answer(400, refusal("ExpiredToken"))
        return COPIED

    raw_server.script = script
    store = S3ObjectStore(file_lean)
    results = await asyncio.gather(*(store.copy_object(copy_request(f"k{n}")) for n in range(10)))
    assert {result.etag for result in results} == {"abc"}
    assert all(map(is_lean, raw_server.seen))
    assert len(raw_server.seen) <= 20
    assert raw_server.seen[-1].headers["x-amz-security-token"] == "token"
    assert file_lean._session.generation == 2
    assert CredentialsRenewed(operation="CopyObject") in emitted(file_lean)


async def test_a_token_that_cannot_be_renewed_is_not_tried_twice(
    file_lean: LeanCalls, raw_server: RawServer
) -> None:
    """Going on would fail every entry; stopping lets a person sign in and resume."""
    raw_server.script = lambda _: answer(400, refusal("ExpiredToken"))
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(file_lean).copy_object(copy_request())
    assert len(raw_server.seen) == 1
    assert isinstance(error_of(caught.value), CredentialsError)


async def test_the_chain_is_asked_once_a_second_and_not_for_each_request(
    raw_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never asked again, a token of an hour ends every run longer than that."""
    raw_server.forget()
    raw_server.script = lambda _: TAGS
    clock = [1_800_000_000.0]
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        calls = LeanCalls(session, KeptEvents(), now_s=lambda: clock[0])
        asked = 0
        own = session.credentials

        async def counted() -> object:
            nonlocal asked
            asked += 1
            frozen = await own()
            return frozen._replace(access_key=f"AKIA{asked}")

        monkeypatch.setattr(session, "credentials", counted)
        for _ in range(3):
            for _ in range(5):
                await S3ObjectStore(calls).get_object_tagging(SOURCE, KEY)
            clock[0] += 1
    assert [access_key(seen) for seen in raw_server.seen] == [
        *(["AKIA1"] * 5),
        *(["AKIA2"] * 5),
        *(["AKIA3"] * 5),
    ]
    assert [signed_at(seen) for seen in raw_server.seen[::5]] == [
        1_800_000_000,
        1_800_000_001,
        1_800_000_002,
    ]


async def test_a_body_that_is_cut_is_a_fault_and_not_a_short_object(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """Half an object that passes for a whole one is the worst of all answers."""
    raw_server.script = lambda _: answer(200, b"half", length=100, then="close")
    with pytest.raises(StoreFault) as caught:
        await read_all(S3ObjectStore(lean))
    assert (caught.value.operation, caught.value.disposition) == ("GetObject", Disposition.RETRY)


async def test_a_body_comes_whole_and_its_connection_serves_again(
    lean: LeanCalls, raw_server: RawServer
) -> None:
    """A connection for each object would be a TLS handshake for each."""
    body = bytes(range(256)) * 20_000
    raw_server.script = lambda _: answer(200, body)
    store = S3ObjectStore(lean)
    assert await read_all(store) == body
    assert await read_all(store) == body
    assert [is_lean(seen) for seen in raw_server.seen] == [True, True]
    assert len({seen.connection for seen in raw_server.seen}) == 1


async def test_a_refused_read_says_its_code(lean: LeanCalls, raw_server: RawServer) -> None:
    """The body of a refusal is no object."""
    raw_server.script = lambda _: answer(
        403, refusal("InvalidObjectState"), headers=(("x-amz-request-id", "R1"),)
    )
    with pytest.raises(StoreFault) as caught:
        await read_all(S3ObjectStore(lean))
    assert (caught.value.code, caught.value.status) == ("InvalidObjectState", 403)
    assert "request ID R1" in caught.value.message


async def test_headers_that_nobody_knows_are_kept(lean: LeanCalls, raw_server: RawServer) -> None:
    """A checksum of a new kind, left out, would be a checksum that the object has not."""
    raw_server.script = lambda _: answer(200, headers=(*HEAD, ("X-Amz-Checksum-XXHASH3", "abc=")))
    parameters = {"Bucket": SOURCE.bucket, "Key": KEY}
    call = Call(operation="HeadObject", region="us-east-1", parameters=parameters)
    headers = await lean.send(call, headers_of)
    assert headers["x-amz-checksum-xxhash3"] == "abc="


async def test_connections_are_closed_with_the_session(raw_server: RawServer) -> None:
    """A socket that outlives its run is a warning at best, and a hang at worst."""
    raw_server.forget()
    raw_server.script = lambda _: TAGS
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        calls = LeanCalls(session, KeptEvents())
        await S3ObjectStore(calls).get_object_tagging(SOURCE, KEY)
    assert access_key(raw_server.seen[0]) == ACCESS_KEY
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(calls).get_object_tagging(SOURCE, KEY)
    assert len(raw_server.seen) == 1
    assert caught.value.disposition is Disposition.RETRY


async def test_a_write_that_never_left_may_be_sent_again(
    raw_server: RawServer, unused_tcp_port: int
) -> None:
    """What was not sent was not applied; settling it would read the chain for nothing."""
    closed = Connection(endpoint_url=f"http://127.0.0.1:{unused_tcp_port}", connect_timeout_s=2)
    async with AwsSession(closed) as session:
        with pytest.raises(StoreFault) as refused:
            await S3ObjectStore(LeanCalls(session, KeptEvents())).copy_object(copy_request())
    assert refused.value.code == "EndpointConnectionError"
    assert refused.value.disposition is Disposition.RETRY
    assert "--endpoint-url" in error_of(refused.value).hint
    raw_server.forget()
    raw_server.script = lambda _: CLOSE
    async with AwsSession(Connection(endpoint_url=raw_server.endpoint_url)) as session:
        with pytest.raises(StoreFault) as lost:
            await S3ObjectStore(LeanCalls(session, KeptEvents())).copy_object(copy_request())
    assert lost.value.disposition is Disposition.SETTLE, "this one may have been applied"
