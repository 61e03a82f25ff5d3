"""Answers read in one step, on a real socket: only whole ones, and only the asker's own."""

import asyncio

import pytest

from backfill.aws.lean.failures import AnswerLostError
from backfill.aws.lean.wire import WireReply
from tests.doubles.scripted_server import (
    GET,
    HEAD,
    Caller,
    ScriptedServer,
    answer,
    breathe,
    transport_to,
)

ORDINARY = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
"""The answer to a HEAD."""


class Reads:
    """Reads one answer, and keeps what it is to learn from."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.lessons: list[tuple[bytes, int]] = []

    def read(self, data: bytes) -> object | None:
        """Recognise it."""
        self.seen.append(data)
        return "read" if data == ORDINARY else None

    def learn(self, data: bytes, reply: WireReply) -> None:
        """Keep it."""
        self.lessons.append((data, reply.status))


async def test_an_ordinary_answer_is_what_was_read_and_frees_its_connection(
    server: ScriptedServer,
) -> None:
    """Else each HEAD is parsed, or dials."""
    server.answers(ORDINARY, ORDINARY, answer(b"next"))
    reads = Reads()
    async with transport_to(server) as transport:
        told = [await transport.begun(HEAD, reads, 9.0).answer for _ in range(2)]
        assert (await transport.exchange(GET)).body == b"next"
    assert told == ["read", "read"]
    assert not reads.lessons
    assert server.connections == 1


@pytest.mark.parametrize("cut", [1, 15, len(ORDINARY) - 1])
async def test_an_answer_in_two_reads_is_parsed(server: ScriptedServer, cut: int) -> None:
    """A piece that looks whole by itself must not be taken for an answer."""

    async def slowly(caller: Caller) -> None:
        await caller.head()
        await caller.say(ORDINARY[:cut])
        await breathe()
        await caller.say(ORDINARY[cut:])
        await caller.gone()

    server.script(slowly)
    reads = Reads()
    async with transport_to(server) as transport:
        told = await transport.begun(HEAD, reads, 9.0).answer
    assert told == WireReply(200, {"content-length": "7"}, b"")
    assert reads.seen == [ORDINARY[:cut]], "the second piece is no beginning of an answer"


async def test_what_was_parsed_is_learned_from_unless_the_connection_ends_with_it(
    server: ScriptedServer,
) -> None:
    """What is learned is later taken to leave the connection free."""
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
    server.answers(one, one + b"\r\n")
    reads = Reads()
    async with transport_to(server) as transport:
        for _ in range(2):
            assert isinstance(await transport.begun(HEAD, reads, 9.0).answer, WireReply)
    assert reads.lessons == [(one, 200)]


async def test_who_gives_up_gets_nobody_elses_answer(server: ScriptedServer) -> None:
    """An answer that comes late must not become the next request's."""
    asked = asyncio.Event()

    async def late(caller: Caller) -> None:
        await caller.head()
        asked.set()
        await caller.gone()

    server.script(late)
    server.answers(ORDINARY)
    reads = Reads()
    async with transport_to(server, connections_max=1) as transport:
        first = transport.begun(HEAD, reads, 9.0)
        await asked.wait()
        transport.abandon(first)
        with pytest.raises(AnswerLostError):
            await first.answer
        assert await transport.begun(HEAD, reads, 9.0).answer == "read"
    assert server.connections == 2
