"""Work by assumed roles: who signs, when it is renewed, and what a person reads on a denial."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio

from backfill.aws.assumed_role import AssumedRole
from backfill.aws.calls import Calls
from backfill.aws.faults import error_of
from backfill.aws.lean.calls import LeanCalls
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.errors import CredentialsError, Disposition, StoreFault
from backfill.events.calls import CredentialsRenewed
from tests.doubles.clients import opened_calls
from tests.wire.aws.conftest import ACCESS_KEY, KeptEvents
from tests.wire.aws.operations import copy_request
from tests.wire.aws.raw_server import CLOSE, Action, RawServer, Seen, answer
from tests.wire.aws.service_faults import refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLE = AssumedRole(
    arn="arn:aws:iam::222222222222:role/ops/writer",
    session_name="jane@example.org",
    external_id="from:outside",
)
COPIED = answer(200, b"<CopyObjectResult><ETag>&quot;abc&quot;</ETag></CopyObjectResult>")
XML = (("content-type", "text/xml"),)


def assumed(access_key: str, *, lasts: timedelta = timedelta(hours=1)) -> Action:
    expiration = (datetime.now(UTC) + lasts).isoformat()
    body = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        f"<SessionToken>token-of-{access_key}</SessionToken><Expiration>{expiration}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    return answer(200, body.encode(), headers=XML)


def refused(code: str, message: str, status: int = 403) -> Action:
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    return answer(status, body.encode(), headers=XML)


def is_sts(seen: Seen) -> bool:
    return seen.method == "POST" and b"Action=AssumeRole" in seen.body


def signer(seen: Seen) -> str:
    return seen.headers["authorization"].partition("Credential=")[2].partition("/")[0]


@pytest_asyncio.fixture(loop_scope="module")
async def events() -> KeptEvents:
    return KeptEvents()


@pytest_asyncio.fixture(loop_scope="module")
async def calls(raw_server: RawServer, events: KeptEvents, client: str) -> AsyncIterator[Calls]:
    raw_server.forget()
    connection = Connection(endpoint_url=raw_server.endpoint_url, role=ROLE)
    async with opened_calls(client, connection, events) as opened:
        yield opened


def script_of(
    sts: Callable[[int], Action], s3: Callable[[Seen], Action]
) -> Callable[[Seen], Action]:
    asked = 0

    def script(seen: Seen) -> Action:
        nonlocal asked
        if not is_sts(seen):
            return s3(seen)
        asked += 1
        return sts(asked)

    return script


async def test_the_chains_identity_assumes_the_role_and_the_role_signs(
    calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, work is done under another identity than the one that was named."""
    raw_server.script = script_of(lambda _: assumed("ASIAROLE"), lambda _: COPIED)
    store = S3ObjectStore(calls)
    for key in ("a", "b"):
        await store.copy_object(copy_request(key))
    first, *rest = raw_server.seen
    asked = dict(parse_qsl(first.body.decode()))
    assert signer(first) == ACCESS_KEY
    assert {name: asked[name] for name in ("RoleArn", "RoleSessionName", "ExternalId")} == {
        "RoleArn": ROLE.arn,
        "RoleSessionName": ROLE.session_name,
        "ExternalId": ROLE.external_id,
    }
    assert asked["DurationSeconds"] == "3600"
    assert [(signer(seen), seen.headers["x-amz-security-token"]) for seen in rest] == [
        ("ASIAROLE", "token-of-ASIAROLE")
    ] * 2


async def test_credentials_near_their_end_are_renewed_before_they_expire(
    calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a run of hours is refused in the middle, all requests in flight at once."""
    raw_server.script = script_of(
        lambda asked: assumed(
            f"ASIA{asked}", lasts=timedelta(minutes=5) if asked == 1 else timedelta(hours=1)
        ),
        lambda _: COPIED,
    )
    store = S3ObjectStore(calls)
    for key in ("a", "b", "c"):
        await store.copy_object(copy_request(key))
        if isinstance(calls, LeanCalls):
            calls._second = -1  # it asks for credentials once a second
    signers = [signer(seen) for seen in raw_server.seen if not is_sts(seen)]
    assert signers[-1] == "ASIA2"
    assert len([seen for seen in raw_server.seen if is_sts(seen)]) == 2


async def test_a_session_that_s3_calls_expired_is_assumed_anew_once(
    calls: Calls, raw_server: RawServer, events: KeptEvents
) -> None:
    """If this fails, a revoked session ends the run though a new one would do."""

    def s3(seen: Seen) -> Action:
        return answer(400, refusal("ExpiredToken")) if signer(seen) == "ASIA1" else COPIED

    raw_server.script = script_of(lambda asked: assumed(f"ASIA{asked}"), s3)
    await S3ObjectStore(calls).copy_object(copy_request())
    assert events.emitted == [CredentialsRenewed(operation="CopyObject")]


async def test_a_denied_role_says_whom_its_trust_policy_must_name(
    calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a person hunts for a bucket policy when it is the role that says no."""
    message = (
        f"User: arn:aws:iam::1:user/jane is not authorized to perform: sts:AssumeRole on {ROLE.arn}"
    )
    raw_server.script = script_of(lambda _: refused("AccessDenied", message), lambda _: COPIED)
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(calls).copy_object(copy_request())
    fault, error = caught.value, error_of(caught.value)
    assert (fault.operation, fault.code) == ("AssumeRole", "AccessDenied")
    assert fault.disposition is Disposition.STOP
    assert isinstance(error, CredentialsError)
    assert error.exit_code == 12
    assert "arn:aws:iam::1:user/jane" in error.message
    assert "trust policy" in error.hint
    assert "sts:ExternalId" in error.hint
    assert not [seen for seen in raw_server.seen if not is_sts(seen)], "nothing else was sent"


@pytest.mark.parametrize(
    "sts",
    [refused("Throttling", "Rate exceeded", 400), answer(503), CLOSE],
    ids=["throttled", "unavailable", "cut"],
)
async def test_a_role_that_cannot_be_had_just_now_is_asked_for_again_and_no_write_is_in_doubt(
    calls: Calls, raw_server: RawServer, sts: Action
) -> None:
    """If this fails, every entry of a moment's throttling of STS is settled by reading it."""
    raw_server.script = script_of(
        lambda asked: sts if asked == 1 else assumed("ASIAROLE"), lambda _: COPIED
    )
    store = S3ObjectStore(calls)
    with pytest.raises(StoreFault) as caught:
        await store.copy_object(copy_request())
    assert caught.value.disposition is Disposition.RETRY
    assert not caught.value.is_ambiguous
    assert (await store.copy_object(copy_request())).etag == "abc"
