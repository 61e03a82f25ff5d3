"""TLS: who answers must prove to be the store, whatever happens."""

import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backfill.aws.lean.dialing import Dialer, verifying_context
from backfill.aws.lean.failures import (
    AnswerLostError,
    CertificateRefusedError,
    ConnectFailedError,
)
from backfill.aws.lean.transport import Transport
from backfill.aws.lean.wire import Origin
from tests.doubles.authority import write_certificate
from tests.doubles.scripted_server import GET, PUT, Caller, ScriptedServer, answer

HOST = "s3.localhost"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for HOST."""
    return write_certificate(tmp_path_factory.mktemp("tls") / "mine.pem", host=HOST)


@asynccontextmanager
async def server_with(certificate: Path) -> AsyncIterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with ScriptedServer.running(context) as server:
        yield server


@asynccontextmanager
async def transport_to(
    server: ScriptedServer, trusted: Path | None, *, silence_s: float = 600.0
) -> AsyncIterator[Transport]:
    tls = verifying_context(None if trusted is None else str(trusted))
    origin = Origin("https", HOST, server.port)
    transport = Transport(origin, connections_max=2, tls=tls, silence_s=silence_s)
    try:
        yield transport
    finally:
        await transport.close()


async def test_requests_and_bodies_pass_over_tls_on_one_connection(mine: Path) -> None:
    """All that holds for a plain connection holds for this one."""
    body = random.Random(1).randbytes(3_000_000)

    async def serve(caller: Caller) -> None:
        await caller.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", answer(b"get"))
        await caller.head()
        assert await caller.body(len(body)) == body
        await caller.say(answer(b"put"))
        await caller.serve(answer(body), answer(b"last"))
        await caller.gone()

    async with server_with(mine) as server, transport_to(server, mine) as transport:
        server.script(serve)
        assert (await transport.exchange(GET, is_head=True)).body == b""
        assert (await transport.exchange(GET)).body == b"get"
        assert (await transport.exchange(PUT % len(body), body)).body == b"put"
        async with transport.opened(GET) as reply:
            assert await reply.read() == body
        assert (await transport.exchange(GET)).body == b"last"
        assert server.connections == 1


@pytest.mark.parametrize("wrong", ["unknown", "another host", "over"])
async def test_a_certificate_that_proves_nothing_is_refused_before_a_byte_is_sent(
    wrong: str, tmp_path: Path
) -> None:
    """If this fails, anybody on the way reads the keys and answers for the store."""
    host = "s3.example" if wrong == "another host" else HOST
    file = write_certificate(tmp_path / "c.pem", host=host, days=-1 if wrong == "over" else 1)
    trusted = None if wrong == "unknown" else file
    async with server_with(file) as server, transport_to(server, trusted) as transport:
        server.script(Caller.gone)
        with pytest.raises(CertificateRefusedError, match=HOST) as caught:
            await transport.exchange(GET)
        assert not caught.value.is_sent


async def test_a_server_that_speaks_no_tls_is_a_failed_connection(
    server: ScriptedServer, mine: Path
) -> None:
    """Nothing was sent, so a write may be tried again."""

    async def plain(caller: Caller) -> None:
        await caller.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await caller.gone()

    server.script(plain)
    async with transport_to(server, mine) as transport:
        with pytest.raises(ConnectFailedError) as caught:
            await transport.exchange(GET)
    assert not caught.value.is_sent


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-L"])
@pytest.mark.parametrize("how", ["cut", "closed"])
async def test_the_end_of_a_tls_connection_ends_no_body(mine: Path, head: bytes, how: str) -> None:
    """Anybody on the way can cut it, and asyncio does not say whether somebody did."""

    async def cut(caller: Caller) -> None:
        await caller.head()
        await caller.say(head, b"half")
        if how == "closed":
            caller.writer.close()
            await caller.gone()

    async with server_with(mine) as server, transport_to(server, mine) as transport:
        server.script(cut)
        with pytest.raises(AnswerLostError):
            await transport.exchange(GET)


def test_there_is_no_way_to_turn_verification_off(mine: Path) -> None:
    """A context that does not verify is a mistake of the programmer, caught at once."""
    blind = ssl.create_default_context()
    blind.check_hostname = False
    origin = Origin("https", HOST, 443)
    with pytest.raises(AssertionError, match="host"):
        Dialer(origin, blind, limit_s=1.0)
    blind.verify_mode = ssl.CERT_NONE
    with pytest.raises(AssertionError, match="never off"):
        Dialer(origin, blind, limit_s=1.0)
    with pytest.raises(AssertionError, match="https"):
        Dialer(origin, None, limit_s=1.0)
    for trusted in (None, str(mine), str(mine.parent)):
        context = verifying_context(trusted)
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_bundle_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Never the system's certificates instead of those that were named."""
    with pytest.raises(OSError, match="No such file"):
        verifying_context(str(tmp_path / "missing.pem"))
    (tmp_path / "empty.pem").write_bytes(b"nothing")
    with pytest.raises(OSError, match="certificate"):
        verifying_context(str(tmp_path / "empty.pem"))
