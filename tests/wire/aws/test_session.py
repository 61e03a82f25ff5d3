"""Credentials, endpoints, and the second requests that nobody asked for."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from backfill.aws.calls import Calls
from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.faults import error_of
from backfill.aws.http_session import OneRequestSession
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import AwsSession, Connection
from backfill.errors import (
    ClockSkewError,
    CredentialsError,
    Disposition,
    MissingPermissionError,
    RefusedError,
    StoreFault,
    UsageError,
)
from backfill.events.calls import CredentialsRenewed
from tests.doubles.clients import opened_calls
from tests.wire.aws.conftest import SECRET_KEY, KeptEvents
from tests.wire.aws.operations import KEY, OPERATIONS, SOURCE, copy_request
from tests.wire.aws.raw_server import CLOSE, Action, RawServer, Seen, Send, answer
from tests.wire.aws.service_faults import refusal
from tests.wire.aws.sigv4 import is_signed_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

COPIED = answer(200, b"<CopyObjectResult><ETag>&quot;abc&quot;</ETag></CopyObjectResult>")
TAGS = answer(200, b"<Tagging><TagSet/></Tagging>")
EXPIRED = answer(400, refusal("ExpiredToken"))


@pytest_asyncio.fixture(loop_scope="module")
async def events() -> KeptEvents:
    return KeptEvents()


@pytest_asyncio.fixture(loop_scope="module")
async def file_calls(
    raw_server: RawServer,
    events: KeptEvents,
    identity: pytest.MonkeyPatch,
    client: str,
    tmp_path: Path,
) -> AsyncIterator[Calls]:
    """Calls whose credentials stand in a file, as tools that renew tokens keep them."""
    raw_server.forget()
    credentials = tmp_path / "credentials"
    write_credentials(credentials, "AKIAFIRST")
    with identity.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        connection = Connection(endpoint_url=raw_server.endpoint_url, profile="renewed")
        async with opened_calls(client, connection, events) as calls:
            yield calls


def write_credentials(path: Path, access_key: str) -> None:
    path.write_text(
        f"[renewed]\naws_access_key_id = {access_key}\naws_secret_access_key = secret\n"
        "aws_session_token = token\n"
    )


def access_key(seen: Seen) -> str:
    return seen.headers["authorization"].partition("Credential=")[2].partition("/")[0]


@pytest.mark.parametrize("operation", ["CopyObject", "HeadObject"])
async def test_an_expired_token_is_renewed_once_and_the_call_succeeds_without_a_fault(
    file_calls: Calls, raw_server: RawServer, events: KeptEvents, tmp_path: Path, operation: str
) -> None:
    """A run of hours outlives its first token; that must not cost an attempt of each entry."""

    def script(seen: Seen) -> Action:
        if access_key(seen) == "AKIAFIRST":
            write_credentials(tmp_path / "credentials", "AKIASECOND")
            return EXPIRED
        if seen.method == "HEAD":
            return answer(200, headers=HEAD)
        return COPIED if seen.method == "PUT" else answer(200, b"x")

    raw_server.script = script
    await OPERATIONS[operation](S3ObjectStore(file_calls), KEY)
    assert [access_key(seen) for seen in raw_server.seen][-1] == "AKIASECOND"
    assert events.emitted == [
        CredentialsRenewed(operation="CopyObject" if operation == "CopyObject" else "GetObject")
    ]


HEAD = (("etag", '"abc"'), ("last-modified", "Sun, 22 Nov 2026 10:00:00 GMT"))


async def test_many_calls_that_expire_together_renew_once(
    file_calls: Calls, raw_server: RawServer, tmp_path: Path
) -> None:
    """A storm of renewals is throttled by the token service, and then the run stops."""
    generations = set()

    def script(seen: Seen) -> Action:
        generations.add(access_key(seen))
        if access_key(seen) == "AKIAFIRST":
            write_credentials(tmp_path / "credentials", "AKIASECOND")
            return EXPIRED
        return COPIED

    raw_server.script = script
    store = S3ObjectStore(file_calls)
    results = await asyncio.gather(*(store.copy_object(copy_request(f"k{n}")) for n in range(10)))
    assert {result.etag for result in results} == {"abc"}
    assert len(raw_server.seen) <= 20
    assert file_calls._session.generation == 2


async def test_a_token_that_cannot_be_renewed_stops_the_run_with_exit_code_12(
    file_calls: Calls, raw_server: RawServer
) -> None:
    """Going on would fail every entry; stopping lets a person sign in and resume."""
    raw_server.script = lambda _: EXPIRED
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(file_calls).copy_object(copy_request())
    assert len(raw_server.seen) == 1, "the same credentials are not tried twice"
    assert caught.value.disposition is Disposition.STOP
    error = error_of(caught.value)
    assert isinstance(error, CredentialsError)
    assert "sign in again" in error.hint


async def test_no_credentials_are_a_credentials_error(
    raw_server: RawServer, client: str, identity: pytest.MonkeyPatch
) -> None:
    """A bare NoCredentialsError from the SDK would look like a bug of ours."""
    raw_server.forget()
    with identity.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        connection = Connection(endpoint_url=raw_server.endpoint_url)
        async with opened_calls(client, connection, KeptEvents()) as calls:
            with pytest.raises(StoreFault) as caught:
                await S3ObjectStore(calls).copy_object(copy_request())
    assert raw_server.seen == []
    assert error_of(caught.value).exit_code == 12


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
async def test_credentials_that_no_header_carries_are_not_sent(
    raw_server: RawServer, client: str, identity: pytest.MonkeyPatch, variable: str
) -> None:
    """A line end in a token, pasted with it, would begin another header of the request."""
    raw_server.forget()
    with identity.context() as patch:
        patch.setenv(variable, "AKIA\r\nx-amz-acl: public-read")
        connection = Connection(endpoint_url=raw_server.endpoint_url)
        async with opened_calls(client, connection, KeptEvents()) as calls:
            with pytest.raises(StoreFault) as caught:
                await S3ObjectStore(calls).copy_object(copy_request())
    assert raw_server.seen == []
    assert caught.value.disposition is not Disposition.RETRY


async def test_an_unknown_profile_is_a_credentials_error(raw_server: RawServer) -> None:
    """A typing mistake in --source-profile must name the profile."""
    with pytest.raises(CredentialsError, match="no-such-profile"):
        AwsSession(Connection(endpoint_url=raw_server.endpoint_url, profile="no-such-profile"))


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize("profile", [None, "mine"])
async def test_a_configuration_that_cannot_be_parsed_is_a_credentials_error(
    identity: pytest.MonkeyPatch, tmp_path: Path, variable: str, profile: str | None
) -> None:
    """If this fails, a slip in ~/.aws/credentials is called a bug of this program."""
    broken = tmp_path / "broken"
    broken.write_text("[mine]\nregion = a\n[mine]\nregion = b\n")
    with identity.context() as patch:
        patch.setenv(variable, str(broken))
        with pytest.raises(CredentialsError, match="Unable to parse config file") as refused:
            AwsSession(Connection(profile=profile))
    assert variable in refused.value.hint


async def test_a_kept_connection_that_turns_out_closed_gets_no_second_request(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """Aiohttp repeats PUT and DELETE by itself: a copy would answer 412 to its own first try."""
    raw_server.script = lambda seen: COPIED if b"first" in seen.target else CLOSE
    await store.copy_object(copy_request("first"))
    with pytest.raises(StoreFault) as caught:
        await store.copy_object(copy_request("second"))
    assert [b"second" in seen.target for seen in raw_server.seen] == [False, True]
    assert len({seen.connection for seen in raw_server.seen}) == 1, "the connection was kept"
    assert caught.value.disposition is Disposition.SETTLE


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(
    store: S3ObjectStore, raw_server: RawServer, status: int
) -> None:
    """A redirected write is signed for another host, and goes where nobody has checked."""
    elsewhere = (("location", f"{raw_server.endpoint_url}/elsewhere"),)
    raw_server.script = lambda _: answer(status, headers=elsewhere)
    with pytest.raises(StoreFault):
        await store.copy_object(copy_request())
    assert len(raw_server.seen) == 1


async def test_a_bucket_in_another_region_is_not_asked_a_second_time_by_the_sdk(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """Botocore's own region redirector sends a write again behind our back."""
    raw_server.script = lambda _: answer(
        301,
        refusal("PermanentRedirect", "<Endpoint>x</Endpoint>"),
        headers=(("x-amz-bucket-region", "ap-south-1"),),
    )
    with pytest.raises(StoreFault) as caught:
        await store.copy_object(copy_request())
    assert len(raw_server.seen) == 1
    error = error_of(caught.value)
    assert isinstance(error, RefusedError)
    assert "ap-south-1" in error.message


async def test_clock_skew_names_both_clocks(store: S3ObjectStore, raw_server: RawServer) -> None:
    """A person must see which of the two is wrong."""
    clocks = (
        "<RequestTime>20261122T100000Z</RequestTime><ServerTime>2026-11-22T11:00:00Z</ServerTime>"
    )
    raw_server.script = lambda _: answer(403, refusal("RequestTimeTooSkewed", clocks))
    with pytest.raises(StoreFault) as caught:
        await store.head_object(SOURCE, KEY)
    error = error_of(caught.value)
    assert isinstance(error, ClockSkewError)
    assert "20261122T100000Z" in error.message
    assert "2026-11-22T11:00:00Z" in error.message


async def test_a_denied_listing_names_the_missing_statement(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """The hint is what an administrator pastes."""
    raw_server.script = lambda _: answer(403, refusal("AccessDenied"))
    with pytest.raises(StoreFault) as caught:
        await store.list_object_versions(SOURCE)
    error = error_of(caught.value)
    assert isinstance(error, MissingPermissionError)
    assert '"s3:ListBucketVersions"' in error.hint
    assert '"arn:aws:s3:::source-bucket"' in error.hint


async def test_a_head_refused_by_something_on_the_way_is_asked_again(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """The same question with a body succeeds, so the refusal was not about this version."""
    heads = iter([answer(403), answer(200, headers=HEAD)])
    raw_server.script = lambda seen: next(heads) if seen.method == "HEAD" else answer(206, b"x")
    assert (await store.head_object(SOURCE, KEY)).etag == "abc"
    assert raw_server.seen[1].headers["range"] == "bytes=0-0"


async def test_an_empty_object_has_no_first_byte_and_its_head_is_asked_again(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """A range on an empty object is a 416, which is no reason to fail it."""
    heads = iter([answer(403), answer(200, headers=HEAD)])
    raw_server.script = lambda seen: (
        next(heads) if seen.method == "HEAD" else answer(416, refusal("InvalidRange"))
    )
    assert (await store.head_object(SOURCE, KEY)).size_bytes == 0


async def test_every_request_says_who_sends_it(store: S3ObjectStore, raw_server: RawServer) -> None:
    """An operator who sees the load in an access log must find its cause."""
    raw_server.script = lambda _: TAGS
    await store.get_object_tagging(SOURCE, KEY)
    assert "s3-backfill/" in raw_server.seen[0].headers["user-agent"]


@pytest.mark.parametrize(
    ("status", "headers", "region"),
    [
        (200, (("x-amz-bucket-region", "eu-north-1"),), "eu-north-1"),
        (301, (("x-amz-bucket-region", "eu-north-1"),), "eu-north-1"),
        (400, (("x-amz-bucket-region", "eu-north-1"),), "eu-north-1"),
        (403, (("x-amz-bucket-region", "eu-north-1"),), "eu-north-1"),
        (200, (), "us-east-1"),
    ],
)
async def test_a_region_is_read_from_every_answer_that_names_it(
    calls: Calls,
    raw_server: RawServer,
    status: int,
    headers: tuple[tuple[str, str], ...],
    region: str,
) -> None:
    """S3 names the Region even when it refuses, which is how another account's is found."""
    raw_server.forget()
    raw_server.script = lambda _: answer(status, headers=headers)
    assert await S3ControlPlane(calls).bucket_region("source-bucket") == region


DATE = (("date", "Sun, 22 Nov 2026 10:00:07 GMT"), ("x-amz-bucket-region", "us-east-1"))


@pytest.mark.parametrize("status", [200, 301, 403])
async def test_the_time_is_s3s_own_whatever_else_the_answer_says(
    calls: Calls, raw_server: RawServer, status: int
) -> None:
    """A horizon by this machine's slow clock would drop the newest objects of the source."""
    raw_server.forget()
    raw_server.script = lambda _: answer(status, headers=DATE)
    told = await S3ControlPlane(calls).server_time("source-bucket")
    assert told == datetime(2026, 11, 22, 10, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize("headers", [(), (("date", "soon"),), (("date", "22 Nov 2026 10:00:07"),)])
async def test_a_store_that_does_not_tell_the_time_is_not_guessed_at(
    calls: Calls, raw_server: RawServer, headers: tuple[tuple[str, str], ...]
) -> None:
    """A made-up time would be a made-up horizon."""
    raw_server.forget()
    raw_server.script = lambda _: answer(200, headers=headers)
    assert await S3ControlPlane(calls).server_time("source-bucket") is None


async def test_a_bucket_without_replication_has_no_configuration(
    calls: Calls, raw_server: RawServer
) -> None:
    """Its absence is an answer, not a fault."""
    raw_server.forget()
    raw_server.script = lambda seen: (
        answer(200)
        if seen.method == "HEAD"
        else answer(404, refusal("ReplicationConfigurationNotFoundError"))
    )
    plane = S3ControlPlane(calls)
    assert await plane.replication_configuration("source-bucket", None) is None


async def test_a_denied_object_lock_question_is_a_fault_and_not_a_no(
    calls: Calls, raw_server: RawServer
) -> None:
    """Taking a denial for 'no lock' would copy locked versions without their lock."""
    raw_server.forget()
    raw_server.script = lambda seen: (
        answer(403, refusal("AccessDenied"))
        if b"object-lock" in seen.target
        else answer(200, b"<Document/>")
    )
    with pytest.raises(StoreFault) as caught:
        await S3ControlPlane(calls).bucket_facts(SOURCE)
    assert caught.value.operation == "GetObjectLockConfiguration"


LOCK = (
    b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>%s"
    b"</ObjectLockConfiguration>"
)
DAYS = b"<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"


@pytest.mark.parametrize(
    ("status", "body", "is_retained"),
    [
        (200, LOCK % DAYS, True),
        (200, LOCK % b"", False),
        (404, refusal("ObjectLockConfigurationNotFoundError"), False),
        (403, refusal("AccessDenied"), False),
    ],
    ids=["default retention", "no default", "no lock", "may not be asked"],
)
async def test_a_default_retention_is_told_as_far_as_it_can_be_read(
    calls: Calls, raw_server: RawServer, status: int, body: bytes, *, is_retained: bool
) -> None:
    """If this fails, a report cannot be written, or whoever may not ask cannot run jobs at all."""
    raw_server.forget()
    raw_server.script = lambda _: answer(status, body)
    assert await S3ControlPlane(calls).has_default_retention(SOURCE) is is_retained


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_loopback_endpoint_is_addressed_by_path_from_the_environment_too(
    raw_server: RawServer, client: str, identity: pytest.MonkeyPatch, host: str
) -> None:
    """`bucket.localhost` resolves on some machines only."""
    raw_server.forget()
    raw_server.script = lambda _: TAGS
    with identity.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{raw_server.port}")
        async with opened_calls(client, Connection(), KeptEvents()) as calls:
            await S3ObjectStore(calls).get_object_tagging(SOURCE, KEY)
    assert raw_server.seen[0].target.startswith(b"/source-bucket/folder/object?")
    assert raw_server.seen[0].headers["host"].startswith(host)


@pytest.mark.parametrize(
    ("s3", "own", "host"),
    [
        ("http://127.0.0.1:7", "", "127.0.0.1:7"),
        ("http://127.0.0.1:7", "http://127.0.0.1:8", "127.0.0.1:8"),
        (
            "https://bucket.vpce-0a1.s3.eu-west-1.vpce.amazonaws.com",
            "",
            "sts.eu-west-1.amazonaws.com",
        ),
        ("https://s3.example.org", "https://sts.example.org", "sts.example.org"),
    ],
)
async def test_sts_is_asked_at_an_s3_endpoint_only_on_this_machine(
    identity: pytest.MonkeyPatch, s3: str, own: str, host: str
) -> None:
    """An S3 interface endpoint does not know STS: if this fails, no run in such a VPC begins."""
    with identity.context() as patch:
        if own:
            patch.setenv("AWS_ENDPOINT_URL_STS", own)
        async with (
            AwsSession(Connection(endpoint_url=s3)) as session,
            session.lease("sts", "eu-west-1") as client,
        ):
            assert urlsplit(client.meta.endpoint_url).netloc == host


async def test_whoever_cannot_reach_sts_is_told_how_to_do_without(
    calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a VPC without STS, or a store without it, looks like the end."""
    raw_server.forget()
    raw_server.script = lambda _: answer(403, refusal("AccessDenied"))
    with pytest.raises(StoreFault) as caught:
        await S3ControlPlane(calls).account_id()
    assert "--source-account" in error_of(caught.value).hint


async def test_an_endpoint_of_the_environment_is_held_to_the_same_rule(
    client: str,
    identity: pytest.MonkeyPatch,
) -> None:
    """Plain http to another machine gives the signed request away, however it was set."""
    with identity.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example.org")
        async with opened_calls(client, Connection(), KeptEvents()) as calls:
            store = S3ObjectStore(calls)
            with pytest.raises(UsageError, match="plain http"):
                await store.get_object_tagging(SOURCE, KEY)


@pytest.mark.parametrize("nothing", ["", False, True])
async def test_tls_is_verified_whatever_the_sdk_was_told(nothing: bool | str) -> None:
    """An empty AWS_CA_BUNDLE reaches the HTTP library as '', which it takes for 'do not verify'."""
    async with OneRequestSession(verify=nothing) as session:
        assert vars(session)["_verify"] is True


async def test_a_stream_that_is_left_early_gives_its_connection_back(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """Verify stops at the first difference; the rest must not keep sockets open."""
    raw_server.script = lambda _: answer(200, b"x" * 3_000_000)
    stream = store.read_object(SOURCE, KEY)
    first = await anext(stream)
    assert 0 < len(first) <= 1024 * 1024
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator, the port says less
    raw_server.script = lambda _: TAGS
    assert await store.get_object_tagging(SOURCE, KEY) == ()


async def test_headers_that_the_sdk_would_alter_leave_as_they_are_and_signed(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """S3 keeps an Expires that is no date, and metadata beyond ASCII: so must a copy by parts."""
    body = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    raw_server.script = lambda _: answer(200, body)
    await OPERATIONS["CreateMultipartUpload"](store, KEY)
    (seen,) = raw_server.seen
    assert seen.headers["expires"] == "not a date"
    assert seen.headers["x-amz-meta-name"] == "=?UTF-8?B?bmHDr3Zl?="
    assert seen.headers["x-amz-tagging"] == "a%20b=c%26d%3D%C3%A9"
    assert is_signed_for(
        seen, f"/destination-bucket/{KEY}", secret_key=SECRET_KEY, region="eu-west-1"
    )


LATIN_1 = "attachment; filename=Übersicht.pdf"


@pytest.mark.parametrize("name", ["Content-Disposition", "x-amz-meta-title"])
async def test_a_header_that_is_no_utf_8_is_one_objects_trouble(
    store: S3ObjectStore, raw_server: RawServer, name: str
) -> None:
    """S3 gives back the bytes it was given: if this fails, one such object ends every plan."""
    answered = answer(200, headers=HEAD).data.removesuffix(b"\r\n")
    raw_server.script = lambda _: Send(
        answered + f"{name}: {LATIN_1}\r\n\r\n".encode("latin-1"), then="keep"
    )
    head = await store.head_object(SOURCE, KEY)
    assert head.missing_metadata_count == 1
    shown = head.content_headers.content_disposition or dict(head.metadata)["title"]
    assert shown == LATIN_1
    assert len(raw_server.seen) == 1


async def test_a_header_in_utf_8_is_read_as_it_is(
    store: S3ObjectStore, raw_server: RawServer
) -> None:
    """If this fails, metadata of every object that is not in English is refused, or mangled."""
    raw_server.script = lambda _: answer(200, headers=(*HEAD, ("x-amz-meta-title", "é, 日本")))
    head = await store.head_object(SOURCE, KEY)
    assert (head.metadata, head.missing_metadata_count) == ((("title", "é, 日本"),), 0)
