"""One connection: order, pipelining, limits and every way in which an answer may break."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from backfill.sandbox.http.faults import Fault, FaultKind, disturbed
from backfill.sandbox.http.messages import Delivery, HttpLimits, HttpRequest, HttpResponse
from backfill.sandbox.http.protocol import Connection, uri_parts
from backfill.sandbox.model.errors import S3Error

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def echo(request: HttpRequest) -> HttpResponse:
    """Answer with the path and the body."""
    return HttpResponse(status=200, body=request.raw_path + b" " + request.body)


@asynccontextmanager
async def connected(
    handler: Callable[[HttpRequest], HttpResponse], limits: HttpLimits | None = None
) -> AsyncIterator[Streams]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(handler, set(), limits or HttpLimits()), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        await server.wait_closed()


def told(error: S3Error) -> HttpResponse:
    """An error as no service writes it."""
    return HttpResponse(status=error.status, body=error.code.encode())


async def one_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    size_bytes = next(
        int(line.split(":")[1]) for line in head.split("\r\n") if "Content-Length" in line
    )
    body = await reader.readexactly(size_bytes) if has_body else b""
    return int(head.split(" ")[1]), body


async def test_pipelined_requests_are_answered_in_order_also_behind_a_delay() -> None:
    """If this fails, a client reads another request's answer as its own."""

    def handler(request: HttpRequest) -> HttpResponse:
        delay_s = 0.02 if request.raw_path == b"/0" else 0.0
        return replace(echo(request), delay_s=delay_s)

    async with connected(handler, HttpLimits(waiting_requests=2)) as (reader, writer):
        writer.write(b"".join(f"GET /{n} HTTP/1.1\r\n\r\n".encode() for n in range(10)))
        answers = [await one_answer(reader) for _ in range(10)]
    assert answers == [(200, f"/{n} ".encode()) for n in range(10)]


async def test_a_body_in_many_pieces_arrives_whole() -> None:
    """If this fails, uploads are torn where TCP tears them."""
    body = bytes(range(256)) * 1000
    async with connected(echo) as (reader, writer):
        wire = f"PUT /k HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for start in range(0, len(wire), 10_007):
            writer.write(wire[start : start + 10_007])
            await writer.drain()
        assert await one_answer(reader) == (200, b"/k " + body)


async def test_a_client_that_waits_for_continue_is_told_to_go_on() -> None:
    """If this fails, boto3's uploads hang until they time out."""
    async with connected(echo) as (reader, writer):
        writer.write(b"PUT /k HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert await one_answer(reader) == (200, b"/k ok")


async def test_head_announces_a_length_and_sends_no_body() -> None:
    """If this fails, the next answer on the connection begins with this one's body."""

    def handler(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=b"error", announced_bytes=10**12)

    async with connected(handler) as (reader, writer):
        writer.write(b"HEAD /k HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HEAD /k HTTP/1.1\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == head
    assert b"Content-Length: 1000000000000\r\n" in head


@pytest.mark.parametrize(
    "wire",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 2000 + b"\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: 2000\r\n\r\n" + b"y" * 2000,
    ],
)
async def test_what_is_no_http_or_over_a_limit_is_refused_and_the_connection_closed(
    wire: bytes,
) -> None:
    """If this fails, one client can fill the memory or desynchronise the connection."""
    limits = HttpLimits(header_bytes=1000, body_bytes=1000)
    async with connected(echo, limits) as (reader, writer):
        writer.write(wire)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer


async def test_connection_close_is_honoured() -> None:
    """If this fails, HTTP/1.0 clients wait for ever."""
    async with connected(echo) as (reader, writer):
        writer.write(b"GET /k HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"/k ")


@pytest.mark.parametrize(
    ("delivery", "received"),
    [
        (Delivery.CLOSE, b""),
        (Delivery.GARBAGE, b"\x00\xffnot http at all\r\n\r\n"),
        (Delivery.HALF_BODY, b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"),
    ],
)
async def test_a_broken_delivery_breaks_as_it_says(delivery: Delivery, received: bytes) -> None:
    """If this fails, wire tests prove a fault that never happened."""

    def handler(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=b"halfhalf", delivery=delivery)

    async with connected(handler) as (reader, writer):
        writer.write(b"GET /k HTTP/1.1\r\n\r\n")
        assert await reader.read() == received


async def test_a_reset_is_a_reset() -> None:
    """If this fails, the product is never tried with ECONNRESET."""

    def handler(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, delivery=Delivery.RESET)

    async with connected(handler) as (reader, writer):
        writer.write(b"GET /k HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()


@pytest.mark.parametrize("is_applied", [True, False])
@pytest.mark.parametrize(
    ("kind", "status", "delivery"),
    [
        (FaultKind.ERROR, 503, Delivery.WHOLE),
        (FaultKind.ERROR_IN_200, 200, Delivery.WHOLE),
        (FaultKind.EMPTY_200, 200, Delivery.WHOLE),
        (FaultKind.RESET, 200, Delivery.RESET),
        (FaultKind.CLOSE, 200, Delivery.CLOSE),
        (FaultKind.GARBAGE, 200, Delivery.GARBAGE),
    ],
)
def test_a_fault_takes_effect_exactly_when_it_says_so(
    kind: FaultKind, status: int, delivery: Delivery, *, is_applied: bool
) -> None:
    """If this fails, "the answer was lost" and "nothing happened" are the same fault."""
    effects = []

    def carry_out() -> HttpResponse:
        effects.append("done")
        return HttpResponse(status=200, body=b"<CopyObjectResult/>")

    answer = disturbed(Fault(kind=kind, is_applied=is_applied), carry_out, told)
    assert (len(effects), answer.status, answer.delivery) == (int(is_applied), status, delivery)
    assert b"CopyObjectResult" not in answer.body or delivery is not Delivery.WHOLE


def test_a_cut_answer_is_the_true_one_cut() -> None:
    """If this fails, cut XML cannot be told from an error."""
    answer = disturbed(
        Fault(kind=FaultKind.CUT_XML), lambda: HttpResponse(status=200, body=b"<a>12</a>"), told
    )
    assert answer.body == b"<a>1"


def test_a_delay_alone_changes_nothing_else() -> None:
    """If this fails, slow answers are wrong answers."""
    answer = disturbed(
        Fault(kind=FaultKind.NONE, delay_s=2.5), lambda: HttpResponse(status=200, body=b"x"), told
    )
    assert answer == HttpResponse(status=200, body=b"x", delay_s=2.5)


@pytest.mark.parametrize(
    ("uri", "authority", "rest"),
    [
        (b"/k?a=b", None, b"/k?a=b"),
        (b"/http://h/k", None, b"/http://h/k"),
        (b"http://h:1/k?a=b", b"h:1", b"/k?a=b"),
        (b"HTTP://h//k", b"h", b"//k"),
        (b"http://h", b"h", b"/"),
        (b"http://h?a=/b", b"h", b"/?a=/b"),
    ],
)
def test_a_target_in_absolute_form_is_taken_apart(
    uri: bytes, authority: bytes | None, rest: bytes
) -> None:
    """If this fails, clients that take the sandbox for their proxy reach other keys."""
    assert uri_parts(uri) == (authority, rest)


async def test_the_host_of_an_absolute_target_outweighs_the_header() -> None:
    """If this fails, a request can be signed for one host and be carried out for another."""
    seen: list[HttpRequest] = []

    def handler(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse(status=200)

    async with connected(handler) as (reader, writer):
        writer.write(b"GET http://a.localhost/k?q HTTP/1.1\r\nHost: b.localhost\r\n\r\n")
        await one_answer(reader)
    assert (seen[0].header("host"), seen[0].is_proxied) == ("a.localhost", True)
    assert (seen[0].raw_path, seen[0].raw_query) == (b"/k", b"q")
