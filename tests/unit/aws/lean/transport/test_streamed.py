"""Bodies that are read while they come."""

import asyncio
import math
import random

import pytest

from backfill.aws.lean.failures import AnswerGarbledError, AnswerLostError, AnswerTimeoutError
from backfill.aws.lean.streamed import CHUNK_BYTES_MAX, BodyStream, StreamedReply
from tests.doubles.scripted_server import (
    GET,
    Caller,
    ScriptedServer,
    answer,
    breathe,
    transport_to,
)

MANY = 8 * CHUNK_BYTES_MAX + 12345


async def test_a_body_comes_whole_and_in_order_and_its_connection_is_used_again(
    server: ScriptedServer,
) -> None:
    """Deep verification compares what comes here."""
    body = random.Random(1).randbytes(MANY)
    server.answers(answer(body, headers=b"ETag: a\r\n"), answer(b"next"))
    async with transport_to(server) as transport:
        async with transport.opened(GET, limit_s=60) as reply:
            assert (reply.status, reply.headers["etag"]) == (200, "a")
            chunks = [chunk async for chunk in reply.chunks()]
        assert max(map(len, chunks)) <= CHUNK_BYTES_MAX
        assert b"".join(chunks) == body
        assert (await transport.exchange(GET)).body == b"next"
    assert server.connections == 1


async def test_a_chunked_body_can_be_read_at_once(server: ScriptedServer) -> None:
    """An error of a streamed request is a document like any other."""
    raw = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n<Error/>\r\n0\r\n\r\n"
    server.answers(raw, answer())
    async with transport_to(server) as transport:
        async with transport.opened(GET) as reply:
            assert (reply.status, await reply.read()) == (403, b"<Error/>")
        assert (await transport.exchange(GET)).body == b""
        assert server.connections == 1


async def test_an_empty_body_has_no_chunks(server: ScriptedServer) -> None:
    """An empty object is whole, not lost."""
    server.answers(answer())
    async with transport_to(server) as transport, transport.opened(GET) as reply:
        assert [chunk async for chunk in reply.chunks()] == []


async def test_a_body_without_length_is_whole_at_the_end_of_the_connection(
    server: ScriptedServer,
) -> None:
    """As for buffered answers."""

    async def until_close(caller: Caller) -> None:
        await caller.head()
        await caller.say(b"HTTP/1.1 200 OK\r\n\r\nall ", b"of it")

    server.script(until_close)
    async with transport_to(server) as transport, transport.opened(GET) as reply:
        assert await reply.read() == b"all of it"


async def test_a_slow_reader_stops_the_sender_and_is_not_called_silent(
    server: ScriptedServer,
) -> None:
    """Without that, a body is in memory whole; with it, our own slowness is not the store's."""
    body = random.Random(2).randbytes(64 * CHUNK_BYTES_MAX)
    is_sent = asyncio.Event()

    async def send(caller: Caller) -> None:
        await caller.head()
        await caller.say(answer(body))
        is_sent.set()
        await caller.gone()

    server.script(send)
    async with transport_to(server) as transport, transport.opened(GET) as reply:
        (connection,) = transport._open
        while connection.deadline < math.inf:  # until it has stopped reading
            await breathe()
        assert not is_sent.is_set(), "all of it was taken in"
        assert sum([len(chunk) async for chunk in reply.chunks()]) == len(body)


@pytest.mark.parametrize("read", [0, 1])
async def test_leaving_early_closes_the_connection(server: ScriptedServer, read: int) -> None:
    """The rest of the body would be the next request's answer."""
    server.answers(answer(bytes(MANY)))
    server.answers(answer(b"mine"))
    async with transport_to(server) as transport:
        async with transport.opened(GET) as reply:
            for _ in range(read):
                await anext(reply.chunks())
        assert (await transport.exchange(GET)).body == b"mine"
    assert server.connections == 2


async def test_cancelling_a_reader_closes_the_connection(server: ScriptedServer) -> None:
    """As leaving early."""
    began = asyncio.Event()

    async def half(caller: Caller) -> None:
        await caller.head()
        await caller.say(answer(b"hello")[:-1])
        await caller.gone()

    server.script(half)
    server.answers(answer(b"mine"))
    async with transport_to(server, connections_max=1) as transport:

        async def read() -> None:
            async with transport.opened(GET) as reply:
                async for _ in reply.chunks():
                    began.set()

        reading = asyncio.create_task(read())
        await began.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (await transport.exchange(GET)).body == b"mine"


@pytest.mark.parametrize("how", ["close", "reset", "garbage"])
async def test_a_body_that_is_cut_is_never_whole(server: ScriptedServer, how: str) -> None:
    """If this fails, half an object is compared and called equal, or different."""

    async def cut(caller: Caller) -> None:
        await caller.head()
        await caller.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await breathe()
        if how == "reset":
            caller.reset()
        elif how == "garbage":
            await caller.say(b"zz\r\n")
            await caller.gone()

    server.script(cut)
    seen: list[bytes] = []
    async with transport_to(server) as transport, transport.opened(GET) as reply:
        with pytest.raises(AnswerGarbledError if how == "garbage" else AnswerLostError):
            await collect(reply, seen)
    assert b"".join(seen) == b"hello"


async def collect(reply: StreamedReply, seen: list[bytes]) -> None:
    async for chunk in reply.chunks():
        seen += [chunk]


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"])
async def test_silence_ends_a_stream(server: ScriptedServer, begun: bytes) -> None:
    """Before the head it is `limit_s` that ends it, between two chunks `silence_s`."""

    async def silent(caller: Caller) -> None:
        await caller.serve(answer(b"connected"))
        await caller.head()
        await caller.say(begun)
        await caller.gone()

    server.script(silent)
    async with transport_to(server, silence_s=0.05 if begun else 600) as transport:
        await transport.exchange(GET, limit_s=60)
        with pytest.raises(AnswerTimeoutError):
            async with transport.opened(GET, limit_s=600 if begun else 0.05) as reply:
                await reply.read()


async def test_a_stream_ends_before_its_reader_is_done(server: ScriptedServer) -> None:
    """The connection goes back at once and serves others, which the old stream must not touch."""
    body = bytes(3 * CHUNK_BYTES_MAX // 4)
    other = random.Random(3).randbytes(MANY)
    server.answers(answer(body), answer(other))
    async with (
        transport_to(server, connections_max=1) as transport,
        transport.opened(GET) as first,
        transport.opened(GET) as second,
    ):
        (connection,) = transport._open
        while connection.deadline < math.inf:  # until the second has stopped it
            await breathe()
        assert await first.read() == body
        assert connection.deadline == math.inf, "the first has it read on for the second"
        assert await second.read() == other
    assert server.connections == 1


async def test_an_endless_body_is_not_read_into_memory(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`read` has the limit of buffered answers."""
    monkeypatch.setattr("backfill.aws.lean.streamed.BUFFERED_BYTES_MAX", 1000)
    server.answers(answer(bytes(1001)))
    async with transport_to(server) as transport:
        with pytest.raises(AnswerGarbledError):
            async with transport.opened(GET) as reply:
                await reply.read()


async def test_chunks_are_cut_and_joined_to_their_size() -> None:
    """A piece may be of any size; a chunk is at most 1 MiB."""
    stream = BodyStream()
    for piece in (b"a" * (CHUNK_BYTES_MAX - 1), b"", b"bc", b"d" * 2 * CHUNK_BYTES_MAX):
        stream.push(piece)
    stream.end()
    sizes = [len(chunk) async for chunk in stream.chunks()]
    assert sizes == [CHUNK_BYTES_MAX] * 3 + [1]
