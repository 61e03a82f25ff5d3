"""Credentials that a container is given: ECS, EKS Pod Identity, IRSA and IMDSv2, on fakes of them.

The fakes stand behind the same raw server as S3, on loopback. Each says who asked it for what, and
gives out credentials that it numbers; a run of hours meets their end several times.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from botocore.utils import ContainerMetadataFetcher

from backfill.aws.calls import Calls
from backfill.aws.faults import error_of
from backfill.aws.lean.calls import LeanCalls
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.errors import CredentialsError, Disposition, StoreFault
from backfill.events.calls import CredentialsRenewed
from tests.doubles.clients import opened_calls
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.operations import copy_request
from tests.wire.aws.raw_server import Action, RawServer, Seen, Send, answer
from tests.wire.aws.service_faults import refusal
from tests.wire.aws.test_assumed_role import COPIED, XML, assumed, refused, signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR, SOON = timedelta(hours=1), timedelta(minutes=5)
ROLE_ARN = "arn:aws:iam::111111111111:role/pod"


# Grows while it is asked.
@dataclass(slots=True)
class Fake:
    """One way to credentials: what a container's environment says, and who answers for it."""

    name: str
    answers: Callable[["Fake", Seen], Action | None]
    given: int = 0
    asked: list[str] = field(default_factory=list)
    lasts: Callable[[int], timedelta] = lambda _: HOUR
    instead: Callable[[int], Action | None] = lambda _: None
    """An answer in place of the credentials of that number."""
    token_file: Path = Path()

    def environment(self, server: RawServer) -> dict[str, str]:
        """Return what a platform sets in the container."""
        match self.name:
            case "ecs":
                return {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/task"}
            case "pod-identity":
                return {
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.endpoint_url}/v1/credentials",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file),
                }
            case "irsa":
                return {
                    "AWS_ROLE_ARN": ROLE_ARN,
                    "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token_file),
                    "AWS_ENDPOINT_URL_STS": server.endpoint_url,
                }
            case _:
                return {
                    "AWS_EC2_METADATA_DISABLED": "false",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint_url,
                }

    def give(self, asked: str, made: Callable[[str, timedelta], Action]) -> Action:
        """Give the next credentials to who asked with these words."""
        self.given += 1
        self.asked.append(asked)
        return self.instead(self.given) or made(f"ASIA{self.given}", self.lasts(self.given))


def document(access_key: str, lasts: timedelta) -> Action:
    """Return what ECS, Pod Identity and IMDS answer."""
    body = {
        "Code": "Success",
        "AccessKeyId": access_key,
        "SecretAccessKey": "s",
        "Token": f"token-of-{access_key}",
        "Expiration": (datetime.now(UTC) + lasts).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return answer(200, json.dumps(body).encode())


def ecs(fake: Fake, seen: Seen) -> Action | None:
    if seen.target != b"/v2/credentials/task":
        return None
    return fake.give(seen.headers.get("authorization", "nobody"), document)


def pod_identity(fake: Fake, seen: Seen) -> Action | None:
    if seen.target != b"/v1/credentials":
        return None
    return fake.give(seen.headers.get("authorization", "nobody"), document)


def irsa(fake: Fake, seen: Seen) -> Action | None:
    if seen.method != "POST":
        return None
    asked = {name: words[0] for name, words in parse_qs(seen.body.decode()).items()}
    assert asked["Action"] == "AssumeRoleWithWebIdentity"
    assert asked["RoleArn"] == ROLE_ARN
    assert "authorization" not in seen.headers, "the token is all that is needed"

    def made(access_key: str, lasts: timedelta) -> Action:
        role = assumed(access_key, lasts=lasts)
        assert isinstance(role, Send)
        body = role.data.partition(b"\r\n\r\n")[2]
        words = (b"AssumeRoleRes", b"AssumeRoleWithWebIdentityRes")
        return answer(200, body.replace(*words), headers=XML)

    return fake.give(asked["WebIdentityToken"], made)


def imds(fake: Fake, seen: Seen) -> Action | None:
    folder = b"/latest/meta-data/iam/security-credentials/"
    if seen.method == "PUT" and seen.target == b"/latest/api/token":
        assert seen.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
        return answer(200, b"imds-token")
    if not seen.target.startswith(folder):
        return None
    if seen.headers.get("x-aws-ec2-metadata-token") != "imds-token":
        return answer(401)  # IMDSv2 alone, as careful accounts have it
    if seen.target == folder:
        return answer(200, b"instance-role")
    return fake.give("imds-token", document)


WAYS = {"ecs": ecs, "pod-identity": pod_identity, "irsa": irsa, "imds": imds}
WORDS = {"ecs": "nobody", "pod-identity": "word-1", "irsa": "word-1", "imds": "imds-token"}
"""What each is asked with first."""
RENEWED = ("ecs", "pod-identity", "irsa")
"""An instance's are rotated long before their end by the service; near it the SDK stretches them,
and only what S3 refuses has it ask anew."""


@pytest_asyncio.fixture(loop_scope="module")
async def events() -> KeptEvents:
    return KeptEvents()


@pytest.fixture(params=WAYS)
def fake(request: pytest.FixtureRequest, tmp_path: Path, raw_server: RawServer) -> Fake:
    """One of the fakes, with S3 beside it."""
    name = str(request.param)
    fake = Fake(name=name, answers=WAYS[name], token_file=tmp_path / "token")
    fake.token_file.write_text("word-1")
    raw_server.forget()
    raw_server.script = script_of(fake, lambda _: COPIED)
    return fake


def script_of(fake: Fake, s3: Callable[[Seen], Action]) -> Callable[[Seen], Action]:
    return lambda seen: fake.answers(fake, seen) or s3(seen)


@pytest_asyncio.fixture(loop_scope="module")
async def calls(
    fake: Fake, raw_server: RawServer, events: KeptEvents, identity: pytest.MonkeyPatch, client: str
) -> AsyncIterator[Calls]:
    """Calls of a container that has nothing but its role."""
    with identity.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        for name, value in fake.environment(raw_server).items():
            patch.setenv(name, value)
        # Where ECS answers a relative URI: an address that only its network has.
        host = raw_server.endpoint_url.removeprefix("http://")
        patch.setattr(ContainerMetadataFetcher, "IP_ADDRESS", host)
        # The SDK's own patience with an endpoint that fails, without its pauses.
        patch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
        patch.setenv("AWS_MAX_ATTEMPTS", "2")
        connection = Connection(endpoint_url=raw_server.endpoint_url)
        async with opened_calls(client, connection, events) as opened:
            yield opened


def of_s3(raw_server: RawServer) -> list[Seen]:
    return [seen for seen in raw_server.seen if "x-amz-copy-source" in seen.headers]


def ask_anew(calls: Calls) -> None:
    """Let the lean client, which asks for credentials once a second, do so now."""
    if isinstance(calls, LeanCalls):
        calls._second = -1


async def test_the_containers_role_signs_with_its_token(
    fake: Fake, calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a job in a container has to be given keys, which then lie about."""
    for key in ("a", "b"):
        await S3ObjectStore(calls).copy_object(copy_request(key))
    assert fake.asked == [WORDS[fake.name]]
    assert [(signer(one), one.headers["x-amz-security-token"]) for one in of_s3(raw_server)] == [
        ("ASIA1", "token-of-ASIA1")
    ] * 2


@pytest.mark.parametrize("fake", RENEWED, indirect=True)
async def test_credentials_are_renewed_before_they_end_with_the_token_of_then(
    fake: Fake, calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a run ends after an hour, or asks with a token that was rotated long ago."""
    fake.lasts = lambda _: SOON
    store = S3ObjectStore(calls)
    await store.copy_object(copy_request("a"))
    before, fake.lasts = fake.given, lambda _: HOUR
    fake.token_file.write_text("word-2")
    for key in ("b", "c"):
        ask_anew(calls)
        await store.copy_object(copy_request(key))
    assert fake.given == before + 1, "asked once more, and then not again for an hour"
    assert [signer(one) for one in of_s3(raw_server)][1:] == [f"ASIA{fake.given}"] * 2
    assert fake.asked[-1] == ("nobody" if fake.name == "ecs" else "word-2")


async def test_what_s3_calls_expired_is_asked_for_anew_in_the_middle_of_a_run(
    fake: Fake, calls: Calls, raw_server: RawServer, events: KeptEvents
) -> None:
    """If this fails, a session that was revoked, or a wrong clock at its issuer, ends the run."""

    def s3(seen: Seen) -> Action:
        return answer(400, refusal("ExpiredToken")) if signer(seen) == "ASIA1" else COPIED

    raw_server.script = script_of(fake, s3)
    await S3ObjectStore(calls).copy_object(copy_request())
    assert signer(of_s3(raw_server)[-1]) == "ASIA2"
    assert events.emitted == [CredentialsRenewed(operation="CopyObject")]


@pytest.mark.parametrize("fake", RENEWED, indirect=True)
async def test_an_endpoint_that_fails_while_there_is_time_stops_nobody(
    fake: Fake, calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a moment's trouble of an agent ends a run whose credentials are still good."""
    fake.lasts = lambda number: timedelta(minutes=12) if number == 1 else HOUR
    fake.instead = lambda number: answer(500) if number > 1 else None
    store = S3ObjectStore(calls)
    await store.copy_object(copy_request("a"))
    ask_anew(calls)
    await store.copy_object(copy_request("b"))
    assert [signer(one) for one in of_s3(raw_server)] == ["ASIA1", "ASIA1"]
    assert fake.given > 1


REFUSALS: dict[str, list[Callable[[int], Action]]] = {
    "ecs": [lambda _: answer(404, b"no task"), lambda _: answer(200, b'{"message": "no"}')],
    "pod-identity": [lambda _: answer(403, b"no association"), lambda _: answer(200, b"[]")],
    "irsa": [
        lambda _: refused("AccessDenied", "Not authorized to perform it"),
        lambda _: refused("InvalidIdentityToken", "No OpenIDConnect provider found", 400),
    ],
    "imds": [lambda _: answer(404), lambda _: answer(200, b"{}")],
}


@pytest.mark.parametrize("number", [0, 1])
async def test_a_role_that_cannot_be_had_is_told_as_that(
    fake: Fake, calls: Calls, raw_server: RawServer, number: int
) -> None:
    """If this fails, a wrong trust policy looks like a bucket policy, a bug or a broken network."""
    fake.instead = REFUSALS[fake.name][number]
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(calls).copy_object(copy_request())
    error = error_of(caught.value)
    assert isinstance(error, CredentialsError), error
    assert caught.value.disposition is Disposition.STOP
    assert not caught.value.is_ambiguous
    assert not of_s3(raw_server), "nothing was sent that was not signed"
    if fake.name == "irsa":
        assert "OIDC" in error.hint
        assert caught.value.operation == "AssumeRoleWithWebIdentity"


@pytest.mark.parametrize("fake", ["pod-identity", "irsa"], indirect=True)
async def test_a_token_file_that_is_gone_is_named(
    fake: Fake, calls: Calls, raw_server: RawServer
) -> None:
    """If this fails, a volume that was not mounted is taken for trouble of the network."""
    fake.token_file.unlink()
    with pytest.raises(StoreFault) as caught:
        await S3ObjectStore(calls).copy_object(copy_request())
    error = error_of(caught.value)
    assert isinstance(error, CredentialsError)
    assert str(fake.token_file) in error.message
    assert not raw_server.seen
