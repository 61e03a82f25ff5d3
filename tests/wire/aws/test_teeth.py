"""The suites of the wire are broken on purpose here, so that it is known what they would catch."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from backfill.aws.calls import AnyCall, Calls
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.replies import Reply
from backfill.aws.session import Connection
from backfill.errors import Disposition, StoreFault
from backfill.model.objects import ETag, VersionId
from backfill.model.store import CopyObjectRequest, WriteResult
from backfill.sandbox.service import Sandbox
from tests.doubles import byte_faults as faults
from tests.doubles.clients import opened_calls
from tests.doubles.fault_proxy import Fault, FaultProxy, Rule
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.proxied import ProxiedWorld, is_proven, made_world
from tests.wire.aws.raw_server import RawServer, Seen, answer
from tests.wire.aws.test_byte_faults import Ending, assert_is_true
from tests.wire.aws.test_same_answers import Ill, are_the_same
from tests.wire.aws.test_same_requests import TOKEN, arrived, is_rightly_signed, meaning

pytestmark = pytest.mark.asyncio(loop_scope="module")

T = TypeVar("T")


# --- requests ---


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def token_calls(raw_server: RawServer, identity: pytest.MonkeyPatch) -> AsyncIterator[Calls]:
    with identity.context() as patch:
        patch.setenv("AWS_SESSION_TOKEN", TOKEN)
        raw_server.script = lambda _: answer(404)
        connection = Connection(endpoint_url=raw_server.endpoint_url)
        async with opened_calls("lean", connection, KeptEvents()) as calls:
            yield calls


def _renamed(seen: Seen) -> Seen:
    headers = {
        name.replace("expected-bucket-owner", "expected-bucket-owners"): value
        for name, value in seen.headers.items()
    }
    return replace(seen, headers=headers)


def _dropped(name: str) -> Callable[[Seen], Seen]:
    def bend(seen: Seen) -> Seen:
        return replace(seen, headers={n: v for n, v in seen.headers.items() if n != name})

    return bend


def _other(name: str, value: str) -> Callable[[Seen], Seen]:
    return lambda seen: replace(seen, headers=seen.headers | {name: value})


DIFFERENT: dict[str, Callable[[Seen], Seen]] = {
    "a header's name": _renamed,
    "plus for a space": lambda seen: replace(seen, target=seen.target.replace(b"%20", b"+")),
    "a key decoded": lambda seen: replace(seen, target=seen.target.replace(b"%2F", b"/")),
    "a key encoded twice": lambda seen: replace(seen, target=seen.target.replace(b"%", b"%25")),
    "a precondition lost": _dropped("if-none-match"),
    "another precondition": _other("if-none-match", '"etag"'),
    "a header more": _other("x-amz-acl", "public-read"),
    "another method": lambda seen: replace(seen, method="POST"),
    "a body": lambda seen: replace(seen, body=b"<A/>"),
}
WRONGLY_SIGNED: dict[str, Callable[[Seen], Seen]] = {
    "a header that is not signed": _other("x-amz-acl", "public-read"),
    "a header altered after signing": _other("x-amz-storage-class", "ALTERED"),
    "another path": lambda seen: replace(seen, target=seen.target.replace(b"%20", b"+")),
    "another body": lambda seen: replace(seen, body=b"<A/>"),
    "another moment": _other("x-amz-date", "20200101T000000Z"),
    "another host": _other("host", "elsewhere"),
}


async def copy_seen(raw_server: RawServer, calls: Calls) -> Seen:
    """Return a copy as the lean client sends it, onto a key with a space and an encoded slash."""
    for number in range(200):
        seen = await arrived(raw_server, calls, "CopyObject", number)
        path = seen.target
        if b"%20" in path and b"%252F" in path and seen.headers.get("if-none-match"):
            return replace(seen, target=path.replace(b"%252F", b"%2F"))
    raise AssertionError("no such key is generated")


@pytest.mark.parametrize("bend", DIFFERENT)
async def test_a_request_that_means_something_else_is_found(
    token_calls: Calls, raw_server: RawServer, bend: str
) -> None:
    """Else the two clients may drift apart under a green suite."""
    seen = await copy_seen(raw_server, token_calls)
    assert meaning(DIFFERENT[bend](seen)) != meaning(seen)


@pytest.mark.parametrize("bend", WRONGLY_SIGNED)
async def test_a_wrong_signature_is_found(
    token_calls: Calls, raw_server: RawServer, bend: str
) -> None:
    """Else the first to judge our signatures is S3."""
    seen = await arrived(raw_server, token_calls, "CopyObject", 0)
    for number in range(1, 200):
        if b"%20" in seen.target:
            break
        seen = await arrived(raw_server, token_calls, "CopyObject", number)
    assert is_rightly_signed(seen)
    assert not is_rightly_signed(WRONGLY_SIGNED[bend](seen))
    assert not is_rightly_signed(seen, secret_key="another")


# --- answers ---

TOLD = Ill(
    "CopyObject", "InternalError", 500, Disposition.SETTLE, "said so", 3.0, is_ambiguous=True
)


@pytest.mark.parametrize(
    "other",
    [
        TOLD._replace(code="SlowDown"),
        TOLD._replace(status=503),
        TOLD._replace(disposition=Disposition.RETRY),
        TOLD._replace(message="said something else"),
        TOLD._replace(retry_after_s=None),
        TOLD._replace(is_ambiguous=False),
        WriteResult(etag=ETag("e"), version_id=None),
    ],
)
async def test_an_answer_that_is_read_otherwise_is_found(other: object) -> None:
    """Else one client may settle what the other one retries."""
    assert are_the_same(TOLD, TOLD)
    assert not are_the_same(TOLD, other)
    assert not are_the_same(other, TOLD)


# --- faults ---


class RepeatingCalls(Calls):
    """Sends again what failed."""

    async def send(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        try:
            return await super().send(call, parse)
        except StoreFault:
            return await super().send(call, parse)


class HopefulCalls(Calls):
    """Takes every ambiguity for a request that never arrived."""

    async def send(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        try:
            return await super().send(call, parse)
        except StoreFault as fault:
            fault.disposition, fault.is_ambiguous = Disposition.RETRY, False
            raise


class GullibleStore(S3ObjectStore):
    """Takes every ambiguity for a success."""

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        try:
            return await super().copy_object(request)
        except StoreFault:
            return WriteResult(etag=request.source.etag, version_id=VersionId("believed"))


@pytest.mark.parametrize(
    ("kind", "store_kind", "fault", "complaint"),
    [
        (RepeatingCalls, S3ObjectStore, faults.lost_answer, "one call is one request"),
        (HopefulCalls, S3ObjectStore, faults.lost_answer, "applied, and reported"),
        (Calls, GullibleStore, faults.reset_before, "success is what the model says"),
    ],
    ids=["sends twice", "hopes", "believes"],
)
async def test_a_client_that_breaks_a_law_of_faults_is_found(
    identity: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: type[Calls],
    store_kind: type[S3ObjectStore],
    fault: Fault,
    complaint: str,
) -> None:
    """Else the matrix is green whatever a client does."""
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(seed=3))
        patch = stack.enter_context(identity.context())
        for name, value in sandbox.write_profiles(tmp_path).items():
            patch.setenv(name, value)
        world: ProxiedWorld = made_world(sandbox)
        proxy = await stack.enter_async_context(FaultProxy("127.0.0.1", sandbox.port))
        connection = Connection(profile="source", endpoint_url=proxy.endpoint_url)
        opened = opened_calls("sdk", connection, KeptEvents(), kind=kind)
        store = store_kind(await stack.enter_async_context(opened))
        proxy.obey(Rule(fault=fault))
        result, caught = None, None
        try:
            result = await store.copy_object(world.copy_request("copy"))
        except StoreFault as raised:
            caught = raised
        after = world.seen("copy")
        end = Ending(
            result=result,
            fault=caught,
            is_applied=after != ((), ()),
            is_proven=is_proven(result, after),
            requests=[asked.method for asked in proxy.asked],
        )
    with pytest.raises(AssertionError, match=complaint):
        assert_is_true(end, "CopyObject")
