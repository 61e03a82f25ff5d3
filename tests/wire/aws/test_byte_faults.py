"""Every fault of the bytes between client and server, on every operation, through both clients.

The server is the sandbox, so that after each cell its model says whether a write was applied. The
expectations are written by hand here, and not taken from the product's table.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.errors import Disposition, StoreFault
from backfill.sandbox.service import Sandbox
from tests.doubles import byte_faults as faults
from tests.doubles.clients import CLIENTS, opened_calls
from tests.doubles.fault_proxy import Fault, FaultProxy, Rule
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.proxied import (
    READS,
    WRITES,
    ProxiedWorld,
    is_proven,
    made_world,
    read_act,
    write_act,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

RETRY, SETTLE, REDECIDE = Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE
OPERATIONS = (*READS, *WRITES)
_NUMBERS = count(1)


# --- what each fault ends in ---

UNHARMED = (
    faults.byte_by_byte,
    faults.continue_first,
    faults.chunked,
    faults.connection_close,
    faults.unannounced_close,
    faults.half_close_after,
    faults.delivered_twice_first_answer,
)
"""The answer is there: success, and the next exchange is not disturbed either."""

EXCESSIVE = (faults.garbage_behind, faults.two_answers)
"""The answer is there, and more than that. A client may take it, or doubt it as BROKEN: both are
true. aiohttp doubts it where the excess begins no answer; what counts is the next exchange."""

BROKEN = (
    faults.reset_before,
    faults.reset_after,
    faults.closed_before,
    faults.lost_answer,
    faults.half_closed_without_answer,
    faults.cut_in_status,
    faults.cut_in_headers,
    faults.cut_before_last_newline,
    faults.cut_in_body,
    faults.reset_in_body,
    faults.cut_chunks,
    faults.bad_chunks,
    faults.announced_too_long,
    faults.announced_too_short,
    faults.length_is_no_number,
    faults.garbage_instead,
    faults.header_flood,
    faults.empty_200,
    faults.html_200,
    faults.error_inside_200,
    faults.internal_error,
    faults.bare_500,
    faults.bare_503,
    faults.html_502,
)
"""Nobody knows: a read is asked again, a write is settled by reading."""

REFUSED = (faults.slow_down, faults.slow_down_and_close, faults.refused_before_read)
"""S3 said no before it did anything: both are sent again."""

SILENT = (faults.silence_before, faults.silence_after, faults.silence_in_body)
"""As BROKEN, once the limit has passed."""

_NO_BODY = {"HeadObject", "HeadObject (part)", "AbortMultipartUpload"}
_ANY_BODY = {"GetObject"}
_MARKERS = {"DeleteObject (hide)", "DeleteObject (absent)"}
_ON_BODIES = {
    faults.cut_in_body,
    faults.reset_in_body,
    faults.cut_chunks,
    faults.bad_chunks,
    faults.announced_too_long,
    faults.announced_too_short,
    faults.silence_in_body,
}
_IN_BODIES = {faults.error_inside_200, faults.html_200, faults.empty_200}

NOT_FAULTS: dict[str, set[tuple[Fault, str]]] = {
    "these answers have no body that could be cut": {
        (fault, name) for fault in _ON_BODIES for name in _NO_BODY | _MARKERS
    },
    "the body of GetObject is data, and abort has no result": {
        (fault, name) for fault in _IN_BODIES for name in ("GetObject", "AbortMultipartUpload")
    },
    "HEAD has no body": {
        (fault, name)
        for fault in (faults.error_inside_200, faults.html_200)
        for name in ("HeadObject", "HeadObject (part)")
    },
    "HTTP says that it is whole; verify compares the size": {
        (faults.announced_too_short, "GetObject")
    },
}
"""Cells that do not exist, by reason."""

SECOND_ANSWERS: dict[str, Disposition | None] = {
    **dict.fromkeys(READS),
    # 412: there is a version now, and nobody said that it is ours. Redeciding reads the chain.
    "CopyObject": REDECIDE,
    "CreateMultipartUpload": None,
    "UploadPartCopy": None,
    # 404 NoSuchUpload, which a Complete that succeeded leaves behind.
    "CompleteMultipartUpload": SETTLE,
    "AbortMultipartUpload": None,
    # The delete marker has no ETag to match.
    "DeleteObject (hide)": REDECIDE,
    "DeleteObject (absent)": None,
}
"""How a request ends that the server got twice and whose second answer came through."""

NAMES: dict[tuple[str, str], str] = {
    ("EndpointConnectionError", "ConnectionClosedError"): (
        "botocore calls each OSError of a connection a failure to connect"
    ),
    ("ClientPayloadError", "ConnectionClosedError"): (
        "aiohttp's own name, which reaches us from a body that is read outside of botocore"
    ),
    ("HTTPClientError", "500"): (
        "aiohttp complains of the bytes behind an answer, lean of the answer before them"
    ),
    ("HTTPClientError", "UnreadableReply"): "as above, for a page",
}
"""Pairs of codes for one thing, `sdk`'s and `lean`'s, each with the reason why they differ."""


# --- the stage ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The world, the proxy before it, and a client's stores on both ways."""

    world: ProxiedWorld
    proxy: FaultProxy
    direct: dict[str, S3ObjectStore]
    proxied: dict[str, S3ObjectStore]
    impatient: dict[str, S3ObjectStore]


@pytest.fixture(scope="module")
def world() -> Iterator[ProxiedWorld]:
    with Sandbox(seed=5) as sandbox:
        yield made_world(sandbox)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    world: ProxiedWorld, identity: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("aws")
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(identity.context())
        for name, value in world.sandbox.write_profiles(folder).items():
            patch.setenv(name, value)
        proxy = await stack.enter_async_context(FaultProxy("127.0.0.1", world.sandbox.port))

        async def store(client: str, url: str, silence_s: float) -> S3ObjectStore:
            connection = Connection(profile="source", endpoint_url=url, read_timeout_s=silence_s)
            calls = opened_calls(client, connection, KeptEvents(), read_timeout_s=silence_s)
            made = S3ObjectStore(await stack.enter_async_context(calls))
            await read_act(world, "GetObjectTagging")(made)  # what it loads once outlasts limits
            return made

        yield Stage(
            world=world,
            proxy=proxy,
            direct={name: await store(name, world.sandbox.endpoint_url, 60) for name in CLIENTS},
            proxied={name: await store(name, proxy.endpoint_url, 60) for name in CLIENTS},
            impatient={name: await store(name, proxy.endpoint_url, 1.0) for name in CLIENTS},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one cell ended. `requests` are the methods that left the client."""

    result: object
    fault: StoreFault | None
    is_applied: bool
    is_proven: bool
    requests: list[str]


async def ending(
    stage: Stage, fault: Fault, operation: str, client: str, *, store: S3ObjectStore | None = None
) -> Ending:
    """Carry out one cell on a key of its own."""
    key = f"{operation}/{next(_NUMBERS)}"
    act = (
        read_act(stage.world, operation)
        if operation in READS
        else await write_act(stage.world, stage.direct[client], operation, key)
    )
    before = stage.world.seen(key)
    stage.proxy.obey(Rule(fault=fault))
    result, caught = None, None
    try:
        result = await act(store or stage.proxied[client])
    except StoreFault as raised:
        caught = raised
    after = stage.world.seen(key)
    return Ending(
        result=result,
        fault=caught,
        is_applied=before != after,
        is_proven=operation in WRITES and is_proven(result, after),
        requests=[asked.method for asked in stage.proxy.asked],
    )


async def both_sides_saw_everything() -> None:
    """Let the client's end of each connection, in this loop, read what was sent to it."""
    for _ in range(5):
        await asyncio.sleep(0.001)


def assert_is_true(end: Ending, operation: str) -> None:
    """Hold an ending to the laws that bind whatever the fault was."""
    assert len(end.requests) == 1, f"one call is one request: {end.requests}"
    if end.fault is None:
        assert operation in READS or end.is_proven, "success is what the model says, too"
        return
    assert end.fault.operation == operation.partition(" ")[0]
    assert end.fault.is_ambiguous is (end.fault.disposition is SETTLE)
    if end.fault.disposition not in (SETTLE, REDECIDE):
        assert not end.is_applied, f"applied, and reported as {end.fault.disposition}"


def cells(group: tuple[Fault, ...]) -> list[object]:
    """Return the cells of a group of faults."""
    absent = set().union(*NOT_FAULTS.values())
    return [
        pytest.param(fault, name, id=f"{getattr(fault, '__name__', '')}-{name}")
        for fault in group
        for name in OPERATIONS
        if (fault, name) not in absent
    ]


def assert_alike(ends: dict[str, Ending]) -> None:
    """Hold both clients to the same disposition, status and code, but for `NAMES`."""
    sdk, lean = ends["sdk"].fault, ends["lean"].fault
    if sdk is None or lean is None:
        assert sdk is lean
        return
    assert sdk.disposition is lean.disposition
    if (sdk.code, lean.code) not in NAMES:
        assert (sdk.code, sdk.status) == (lean.code, lean.status)


@pytest.mark.parametrize(("fault", "operation"), cells(UNHARMED))
async def test_an_answer_that_is_whole_is_taken_however_it_comes(
    stage: Stage, fault: Fault, operation: str
) -> None:
    """Else work that is done is done again, or the next question gets an answer not its own."""
    for client in CLIENTS:
        end = await ending(stage, fault, operation, client)
        assert end.fault is None, f"{client}: {end.fault}"
        assert_is_true(end, operation)
        await both_sides_saw_everything()
        tags = await read_act(stage.world, "GetObjectTagging")(stage.proxied[client])
        assert tags == (("a b", "c"),), f"{client}: the next answer is another's"
        if operation in READS:
            clean = await read_act(stage.world, operation)(stage.direct[client])
            assert end.result == clean


@pytest.mark.parametrize(("fault", "operation"), cells(EXCESSIVE))
async def test_what_follows_an_answer_is_no_answer_to_the_next_question(
    stage: Stage, fault: Fault, operation: str, client: str
) -> None:
    """Else every answer on that connection is the one before: copies proven by others' ETags."""
    end = await ending(stage, fault, operation, client)
    assert_is_true(end, operation)
    if end.fault is not None:
        assert end.fault.disposition is (RETRY if operation in READS else SETTLE), end.fault
    stage.proxy.obey()
    await both_sides_saw_everything()
    tags = await read_act(stage.world, "GetObjectTagging")(stage.proxied[client])
    assert tags == (("a b", "c"),)


@pytest.mark.parametrize(("fault", "operation"), cells(BROKEN))
async def test_what_nobody_knows_is_asked_again_by_a_read_and_settled_by_a_write(
    stage: Stage, fault: Fault, operation: str
) -> None:
    """Else a write that may have been applied is sent again, or a passing fault ends a run."""
    ends = {client: await ending(stage, fault, operation, client) for client in CLIENTS}
    for client, end in ends.items():
        assert end.fault is not None, f"{client}: {end.result}"
        assert end.fault.disposition is (RETRY if operation in READS else SETTLE), end.fault
        assert_is_true(end, operation)
    assert_alike(ends)


@pytest.mark.parametrize(("fault", "operation"), cells(REFUSED))
async def test_what_was_refused_at_the_door_may_be_sent_again(
    stage: Stage, fault: Fault, operation: str
) -> None:
    """Else each throttled write costs a reading of its version chain."""
    ends = {client: await ending(stage, fault, operation, client) for client in CLIENTS}
    for client, end in ends.items():
        assert end.fault is not None, client
        # HEAD has no code: 503 alone may be anybody's, and a read is asked again either way.
        assert end.fault.disposition is RETRY, end.fault
        assert not end.is_applied
        assert_is_true(end, operation)
    assert_alike(ends)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_request_that_was_delivered_twice_ends_as_its_second_answer_says(
    stage: Stage, operation: str
) -> None:
    """Else a copy that a network doubled is a failure, or a doubled marker goes unseen."""
    fault = faults.delivered_twice_second_answer
    ends = {client: await ending(stage, fault, operation, client) for client in CLIENTS}
    for client, end in ends.items():
        told = end.fault.disposition if end.fault else None
        assert told is SECOND_ANSWERS[operation], f"{client}: {end.fault}"
        assert_is_true(end, operation)
    assert_alike(ends)


@pytest.mark.parametrize("fault", SILENT, ids=lambda fault: fault.__name__)
async def test_silence_ends_by_a_limit(stage: Stage, fault: Fault, client: str) -> None:
    """Without one, a single hanging connection holds a worker for ever."""
    absent = set().union(*NOT_FAULTS.values())
    names = [name for name in OPERATIONS if (fault, name) not in absent]
    keys = {name: f"{name}/{next(_NUMBERS)}" for name in names}
    store = stage.impatient[client]
    acts = [
        read_act(stage.world, name)
        if name in READS
        else await write_act(stage.world, stage.direct[client], name, keys[name])
        for name in names
    ]
    before = {name: stage.world.seen(keys[name]) for name in names}
    stage.proxy.obey(Rule(fault=fault))
    # Side by side: each waits for the whole limit.
    ends = await asyncio.gather(*(act(store) for act in acts), return_exceptions=True)
    for name, end in zip(names, ends, strict=True):
        assert isinstance(end, StoreFault), f"{name}: {end!r}"
        assert end.disposition is (RETRY if name in READS else SETTLE), end
        if fault is faults.silence_before:
            assert before[name] == stage.world.seen(keys[name])
    # On a busy machine the limit may pass before a request has left.
    assert 0 < len(stage.proxy.asked) <= len(names), "one call is one request"


async def test_a_read_that_drips_for_ever_ends_by_a_limit(stage: Stage, client: str) -> None:
    """A byte now and then is no silence, and yet a page that never comes.

    Writes are bound by silence alone: CopyObject may keep its connection alive for minutes.
    """
    stage.proxy.obey(Rule(fault=faults.endless_drip))
    acts = (read_act(stage.world, name) for name in READS)
    store = stage.impatient[client]
    ends = await asyncio.gather(*(act(store) for act in acts), return_exceptions=True)
    for name, end in zip(READS, ends, strict=True):
        assert isinstance(end, StoreFault), f"{name}: {end!r}"
        assert end.disposition is RETRY
    assert 0 < len(stage.proxy.asked) <= len(READS)


STRAYS = {
    "another's answer": faults.STRAY,
    "a time-out of the server's": faults.plain_answer(408, b"", "Connection: close"),
    "garbage": faults.GARBAGE,
    "a byte": b"\n",
}


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("operation", ["CopyObject", "HeadObject", "GetObject"])
async def test_what_came_while_nobody_asked_answers_no_question(
    stage: Stage, operation: str, stray: str, client: str
) -> None:
    """Else every answer on that connection is the one before: copies proven by others' ETags."""
    store = stage.proxied[client]
    stage.proxy.obey()
    await read_act(stage.world, "GetObjectTagging")(store)
    await stage.proxy.say_unasked(STRAYS[stray])
    await both_sides_saw_everything()
    key = f"stray/{next(_NUMBERS)}"
    if operation in READS:
        act = read_act(stage.world, operation)
        clean = await act(stage.direct[client])
    else:
        act = await write_act(stage.world, stage.direct[client], operation, key)
    result, caught = None, None
    try:
        result = await act(store)
    except StoreFault as fault:
        caught = fault
    if caught is not None:
        assert caught.disposition is (RETRY if operation in READS else SETTLE)
    elif operation in READS:
        assert result == clean
    else:
        assert is_proven(result, stage.world.seen(key))
