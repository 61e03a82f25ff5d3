"""One request, one answer or one error: over a real socket that does what the test says."""

import asyncio
import random
import socket
from typing import cast

import pytest

from backfill.aws.lean.connection import Connection, Home, Order
from backfill.aws.lean.failures import (
    AnswerGarbledError,
    AnswerLostError,
    AnswerTimeoutError,
    ConnectFailedError,
    NoConnectionError,
    TransportClosedError,
)
from backfill.aws.lean.transport import Transport
from tests.doubles.scripted_server import (
    GET,
    HEAD,
    PUT,
    Caller,
    ScriptedServer,
    answer,
    breathe,
    transport_to,
)


async def test_requests_one_after_another_use_one_connection(server: ScriptedServer) -> None:
    """A connection a request costs more than the request."""
    server.answers(answer(b"one"), answer(b"two"), answer(b"three", status=404))
    async with transport_to(server) as transport:
        replies = [await transport.exchange(GET) for _ in range(3)]
    assert [(reply.status, reply.body) for reply in replies] == [
        (200, b"one"),
        (200, b"two"),
        (404, b"three"),
    ]
    assert server.connections == 1


async def test_head_then_get_on_one_connection(server: ScriptedServer) -> None:
    """HEAD's Content-Length speaks of a body that never comes: the GET's answer is not it."""
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", answer(b"hello"), answer())
    async with transport_to(server) as transport:
        head = await transport.exchange(HEAD, is_head=True)
        get = await transport.exchange(GET)
        again = await transport.exchange(GET)
    assert (head.headers, head.body) == ({"content-length": "5"}, b"")
    assert (get.body, again.body) == (b"hello", b"")
    assert server.connections == 1


@pytest.mark.parametrize("seed", range(5))
async def test_a_chunked_answer_in_many_reads_is_joined(server: ScriptedServer, seed: int) -> None:
    """S3 sends a document while it makes it."""
    raw = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n5\r\n12345\r\n0\r\n\r\n"
    )
    places = sorted(random.Random(seed).sample(range(1, len(raw)), 5))
    pieces = [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]

    async def slowly(caller: Caller) -> None:
        await caller.head()
        await caller.say(*pieces)
        await caller.gone()

    server.script(slowly)
    async with transport_to(server) as transport:
        assert (await transport.exchange(GET)).body == b"<a/>12345"


async def test_head_and_body_arrive_as_they_were_given(server: ScriptedServer) -> None:
    """What was signed must be what is sent."""
    got: list[bytes] = []
    sizes = (0, 10, 65_536, 65_537, 3_000_000)

    async def listen(caller: Caller) -> None:
        for size in sizes:
            got.append(await caller.head() + await caller.body(size))
            await caller.say(answer())
        await caller.gone()

    server.script(listen)
    async with transport_to(server) as transport:
        bodies = [random.Random(size).randbytes(size) for size in sizes]
        for body in bodies:
            await transport.exchange(PUT % len(body), body)
    assert got == [PUT % len(body) + body for body in bodies]
    assert server.connections == 1


async def test_an_error_that_comes_before_the_body_is_sent_is_the_answer(
    server: ScriptedServer,
) -> None:
    """S3 refuses a large part after its head; the refusal must not be lost, nor the rest kept."""

    async def refuse(caller: Caller) -> None:
        await caller.head()
        await caller.say(answer(b"<Error/>", status=403))
        await caller.gone()

    server.script(refuse)
    server.answers(answer(b"next"))
    async with transport_to(server) as transport:
        body = bytes(32_000_000)  # more than both sockets hold
        assert (await transport.exchange(PUT % len(body), body)).status == 403
        assert (await transport.exchange(GET)).body == b"next"
    assert server.connections == 2


@pytest.mark.parametrize(
    "raw",
    [
        answer(b"x", headers=b"Connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx\r\n",
        answer(b"x") + answer(b"x"),
    ],
    ids=["close", "1.0", "a line end too many", "delivered twice"],
)
async def test_a_connection_that_ends_or_says_too_much_is_not_used_again(
    server: ScriptedServer, raw: bytes
) -> None:
    """The next request would be lost, or answered with another's answer."""
    server.answers(raw)
    server.answers(answer(b"mine"))
    async with transport_to(server) as transport:
        assert (await transport.exchange(GET)).body == b"x"
        assert (await transport.exchange(GET)).body == b"mine"
    assert server.connections == 2


@pytest.mark.parametrize("early", [answer(b"not asked for"), b"\r\n", b"x"])
async def test_bytes_that_nobody_asked_for_end_an_idle_connection(
    server: ScriptedServer, early: bytes
) -> None:
    """An answer that comes twice must not become the answer of the next request."""

    async def twice(caller: Caller) -> None:
        await caller.serve(answer(b"one"))
        await breathe()
        await caller.say(early)
        await caller.gone()

    server.script(twice)
    server.answers(answer(b"two"))
    async with transport_to(server) as transport:
        assert (await transport.exchange(GET)).body == b"one"
        for _ in range(4):
            await breathe()
        assert (await transport.exchange(GET)).body == b"two"
    assert server.connections == 2


async def test_a_body_without_length_ends_with_the_connection(server: ScriptedServer) -> None:
    """HTTP/1.0 proxies answer so."""

    async def until_close(caller: Caller) -> None:
        await caller.head()
        await caller.say(b"HTTP/1.1 200 OK\r\n\r\n", b"all ", b"of it")

    server.script(until_close)
    async with transport_to(server) as transport:
        assert (await transport.exchange(GET)).body == b"all of it"


@pytest.mark.parametrize("how", ["close", "half close", "reset"])
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_a_cut_answer_is_a_lost_one(server: ScriptedServer, begun: bytes, how: str) -> None:
    """If this fails, half a page of a listing passes for a whole one."""

    async def cut(caller: Caller) -> None:
        await caller.head()
        await caller.say(begun)
        if how == "reset":
            caller.reset()
        elif how == "half close":
            caller.writer.write_eof()
            await caller.gone()

    server.script(cut)
    async with transport_to(server) as transport:
        with pytest.raises(AnswerLostError) as caught:
            await transport.exchange(GET)
    assert caught.value.is_sent
    assert server.connections == 1, "nothing is sent a second time"


async def test_a_stale_connection_costs_its_request_and_nothing_is_sent_again(
    server: ScriptedServer,
) -> None:
    """A CopyObject that was sent twice answers 412 to itself."""
    heads: list[bytes] = []

    async def then_close(caller: Caller) -> None:
        await caller.serve(answer(b"one"))
        heads.append(await caller.head())
        caller.reset()

    server.script(then_close)
    server.answers(answer(b"three"))
    async with transport_to(server) as transport:
        assert (await transport.exchange(GET)).body == b"one"
        with pytest.raises(AnswerLostError) as caught:
            await transport.exchange(PUT % 0)
        assert caught.value.is_sent
        assert (await transport.exchange(GET)).body == b"three"
    assert heads == [PUT % 0]


async def test_a_connection_that_was_closed_while_idle_is_not_used(server: ScriptedServer) -> None:
    """S3 closes idle connections: that is no reason to lose a request."""

    async def once(caller: Caller) -> None:
        await caller.serve(answer(b"one"))

    server.script(once)
    server.answers(answer(b"two"))
    async with transport_to(server) as transport:
        assert (await transport.exchange(GET)).body == b"one"
        for _ in range(4):
            await breathe()
        assert (await transport.exchange(GET)).body == b"two"


async def test_a_connection_idle_for_too_long_is_closed_rather_than_used(
    server: ScriptedServer,
) -> None:
    """The store may be closing it at this moment."""
    server.answers(answer(b"one"))
    server.answers(answer(b"two"))
    async with transport_to(server, idle_s=-1.0) as transport:
        assert (await transport.exchange(GET)).body == b"one"
        assert (await transport.exchange(GET)).body == b"two"
    assert server.connections == 2


async def test_garbage_is_an_error_of_its_own(server: ScriptedServer) -> None:
    """What is no answer is not success, and the connection that said it is not trusted again."""
    server.answers(b"SSH-2.0-OpenSSH_9\r\n")
    server.answers(answer(b"fine"))
    async with transport_to(server) as transport:
        with pytest.raises(AnswerGarbledError) as caught:
            await transport.exchange(GET)
        assert caught.value.is_sent
        assert (await transport.exchange(GET)).body == b"fine"


async def test_an_answer_that_never_ends_is_refused(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body without end must not fill our memory."""
    monkeypatch.setattr("backfill.aws.lean.answers.BUFFERED_BYTES_MAX", 100_000)

    async def endless(caller: Caller) -> None:
        await caller.head()
        await caller.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await caller.say(b"1000\r\n" + bytes(0x1000) + b"\r\n")

    server.script(endless)
    async with transport_to(server) as transport:
        with pytest.raises(AnswerGarbledError):
            await transport.exchange(GET)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"])
@pytest.mark.parametrize("limit", ["limit_s", "silence_s"])
async def test_an_answer_that_does_not_come_is_given_up(
    server: ScriptedServer, limit: str, begun: bytes
) -> None:
    """A hang must end as an error, or a run hangs with it."""

    async def silent(caller: Caller) -> None:
        await caller.serve(answer(b"connected"))
        await caller.head()
        await caller.say(begun)
        await caller.gone()

    server.script(silent)
    server.answers(answer(b"next"))
    async with transport_to(server, silence_s=0.02 if limit == "silence_s" else 600) as transport:
        await transport.exchange(GET, limit_s=60)
        with pytest.raises(AnswerTimeoutError) as caught:
            await transport.exchange(GET, limit_s=0.02 if limit == "limit_s" else None)
        assert caught.value.is_sent
        assert (await transport.exchange(GET, limit_s=60)).body == b"next"


async def test_silence_is_measured_from_the_last_byte() -> None:
    """A CopyObject that sends white space while it copies is not silent."""
    clock = StoppedLoop()
    loop = cast("asyncio.AbstractEventLoop", clock)  # a connection asks it for the time only
    connection = Connection(loop, Home(ignore, ignore, ignore), silence_s=600.0)
    with socket.socket() as unconnected:
        connection.connection_made(SilentTransport({"socket": unconnected}))
    reply = asyncio.get_running_loop().create_future()
    connection.start(Order(GET, b"", False, None, reply), clock.now)
    assert connection.deadline == 600.0
    for clock.now in (599.0, 1100.0, 1600.0):
        connection.data_received(b"HTTP/1.1 200 OK\r\n" if clock.now == 599.0 else b"A: b\r\n")
        assert connection.deadline == clock.now + 600.0
        assert not connection.is_late(clock.now + 599.0)
        assert connection.is_late(clock.now + 600.0)


class StoppedLoop:
    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


class SilentTransport(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert data


def ignore(_: object) -> None:
    """Do nothing."""


async def test_a_short_limit_is_kept_beside_a_long_one(server: ScriptedServer) -> None:
    """One timer serves all: it must not sleep through the earliest deadline."""
    server.script(Caller.gone, Caller.gone)
    async with transport_to(server) as transport, asyncio.TaskGroup() as group:
        long = group.create_task(transport.exchange(GET, limit_s=600))
        await breathe()
        # Which of the two depends on how fast a connection is made.
        with pytest.raises((AnswerTimeoutError, NoConnectionError)):
            await transport.exchange(GET, limit_s=0.02)
        assert not long.done()
        long.cancel()


async def test_no_more_connections_than_allowed_and_first_come_first_served(
    server: ScriptedServer,
) -> None:
    """A pool without a bound runs out of sockets; one without order starves."""
    asked: list[bytes] = []

    async def serve(caller: Caller) -> None:
        while True:
            asked.append((await caller.head()).split()[1])
            await caller.say(answer(asked[-1]))

    server.script(serve, serve)
    async with transport_to(server, connections_max=2) as transport:
        paths = [b"/%03d" % number for number in range(100)]
        replies = await asyncio.gather(
            *(transport.exchange(b"GET %b HTTP/1.1\r\n\r\n" % path) for path in paths)
        )
    assert [reply.body for reply in replies] == paths
    assert server.connections == 2
    # Two connections answer side by side, so neighbours may swap.
    assert all(abs(paths.index(path) - place) <= 3 for place, path in enumerate(asked))


async def test_the_connection_used_last_is_used_next(server: ScriptedServer) -> None:
    """So that the ones beyond what is needed grow old and are closed."""
    used: list[int] = []

    def numbered(number: int) -> None:
        async def serve(caller: Caller) -> None:
            while True:
                await caller.head()
                used.append(number)
                await caller.say(answer())

        server.script(serve)

    for number in range(3):
        numbered(number)
    async with transport_to(server) as transport:
        await asyncio.gather(*(transport.exchange(GET) for _ in range(3)))
        used.clear()
        for _ in range(5):
            await transport.exchange(GET)
    assert len(set(used)) == 1


async def test_waiting_for_a_connection_counts_against_the_limit(server: ScriptedServer) -> None:
    """A read limited to a minute ends within it, and says that it was not sent."""
    server.script(Caller.gone)
    async with transport_to(server, connections_max=1) as transport:
        busy = asyncio.create_task(transport.exchange(GET))
        await breathe()
        with pytest.raises(NoConnectionError) as caught:
            await transport.exchange(GET, limit_s=0.02)
        assert not caught.value.is_sent
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)


async def test_a_cancelled_request_closes_its_connection(server: ScriptedServer) -> None:
    """Its answer would be taken for that of the next request."""
    arrived = asyncio.Event()

    async def late(caller: Caller) -> None:
        await caller.head()
        arrived.set()
        await caller.gone()

    server.script(late)
    server.answers(answer(b"mine"))
    async with transport_to(server, connections_max=1) as transport:
        given_up = asyncio.create_task(transport.exchange(GET))
        await arrived.wait()
        waiting = asyncio.create_task(transport.exchange(GET))
        await breathe()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert (await waiting).body == b"mine"
    assert server.connections == 2


async def test_a_request_cancelled_while_it_waits_is_never_sent(server: ScriptedServer) -> None:
    """A write that its caller gave up must not happen later."""
    asked: list[bytes] = []
    go = asyncio.Event()

    async def serve(caller: Caller) -> None:
        while True:
            asked.append((await caller.head()).split()[1])
            await go.wait()
            await caller.say(answer())

    server.script(serve)
    async with transport_to(server, connections_max=1) as transport:
        tasks = [
            asyncio.create_task(transport.exchange(b"GET /%d HTTP/1.1\r\n\r\n" % number))
            for number in range(4)
        ]
        await breathe()
        tasks[1].cancel()
        tasks[3].cancel()
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert asked == [b"/0", b"/2"]


@pytest.mark.parametrize("seed", range(12))
async def test_cancelling_at_any_moment_never_mixes_answers_up(
    server: ScriptedServer, seed: int
) -> None:
    """Each answer is that of its own request, whatever is cancelled when, and nothing hangs."""
    chance = random.Random(seed)

    async def echo(caller: Caller) -> None:
        while True:
            method, path, *_ = (await caller.head()).split()
            raw = answer(path)
            raw = raw[: -len(path)] if method == b"HEAD" else raw
            place = chance.randrange(1, len(raw))
            await caller.say(*([raw] if chance.random() < 0.5 else [raw[:place], raw[place:]]))

    server.script(*[echo] * 200)

    async def ask(transport: Transport, number: int) -> int:
        path, is_head = b"/%06d" % number, number % 3 == 0
        method = b"HEAD" if is_head else b"GET"
        try:
            reply = await transport.exchange(
                b"%b %b HTTP/1.1\r\n\r\n" % (method, path), is_head=is_head
            )
        except asyncio.CancelledError:
            return 0
        assert reply.body == (b"" if is_head else path)
        return 1

    async with transport_to(server, connections_max=3) as transport:
        tasks = [asyncio.create_task(ask(transport, number)) for number in range(60)]
        for task in tasks:
            if chance.random() < 0.4:
                task.cancel()
            if chance.random() < 0.4:
                await asyncio.sleep(chance.choice([0, 0, 0.0005]))
        async with asyncio.timeout(60):
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [each for each in done if isinstance(each, Exception)]
        assert await ask(transport, 1) == 1


async def test_nobody_there_is_not_sent() -> None:
    """Refused at the door: a write may be sent again without a look."""
    async with ScriptedServer.running() as gone:
        pass  # its port is free again
    async with transport_to(gone) as transport:
        with pytest.raises(ConnectFailedError) as caught:
            await transport.exchange(GET)
    assert not caught.value.is_sent


async def test_closing_ends_all_that_waits_and_all_that_is_under_way(
    server: ScriptedServer,
) -> None:
    """A run that ends must not leave anybody waiting, nor say of a sent write that it was not."""
    server.script(Caller.gone)
    async with transport_to(server, connections_max=1) as transport:
        sent = asyncio.create_task(transport.exchange(GET))
        waiting = asyncio.create_task(transport.exchange(GET))
        await breathe()
        await transport.close()
        errors = await asyncio.gather(sent, waiting, return_exceptions=True)
        with pytest.raises(TransportClosedError):
            await transport.exchange(GET)
    assert [(type(error), getattr(error, "is_sent", None)) for error in errors] == [
        (AnswerLostError, True),
        (TransportClosedError, False),
    ]


async def test_closing_while_connections_are_opened_ends_the_requests(
    server: ScriptedServer,
) -> None:
    """If this fails, a dial outlives the run and leaks its socket."""
    async with transport_to(server) as transport:
        tasks = [asyncio.create_task(transport.exchange(GET)) for _ in range(3)]
        await asyncio.sleep(0)
        await transport.close()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in errors} == {TransportClosedError}
